"""Operators that read and write by one index tensor: index_select, index_add, take, put and their kin."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check, scalar_type, wrap_dim
from torchlike._core.op import Array, ArrayLike, Scalar, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike.ops import _bounds
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, UNSIGNED, refuse
from torchlike.ops._geometry import show
from torchlike.ops._positions import added, along, check_same_type, gather_flat, index_type, put_at, wrapped
from torchlike.ops.scatter import reduce_gradients, reduce_into

__all__ = [
    "index_add",
    "index_copy",
    "index_fill",
    "index_reduce",
    "index_select",
    "put",
    "take",
    "take_along_dim",
]


# ---------------------------------------------------------------------------------------------------------------------
# A vector of indices along one dimension


def _select_check(input: Any, dim: Any, index: Any) -> None:
    size = _bounds.sized(input, dim)
    wrong = None if size is None else _bounds.outside(index, size)
    if wrong is None:
        return
    shape = dispatch.shape_of(input)
    if math.prod(shape) and (len(shape) < 2 or dim % len(shape) != 1):  # the second dimension has a kernel of its own
        raise IndexError("index out of range in self")
    check(size != 0, "index_select(): self indexing axis dim should be positive")
    raise RuntimeError(f"INDICES element is out of DATA bounds, id={wrong} axis_dim={size}")


@op(check=_select_check)
def index_select(input: Array, dim: int, index: Array) -> Array:
    """Return the entries of ``input`` along ``dim`` that ``index`` names, in its order.

    ``index`` is a vector (or 0-dim) of int32 or int64; the result has its length along ``dim``. Raises IndexError for
    an index out of range (negative ones included) and RuntimeError for another dtype.

    >>> x = torch.arange(6).reshape(2, 3)
    >>> torch.index_select(x, 1, torch.tensor([2, 0]))
    tensor([[2, 0],
            [5, 3]])
    """
    dim = wrap_dim(dim, input.ndim)
    check(index.ndim <= 1, "index_select(): Index is supposed to be a vector", IndexError)
    check(index.dtype in (jnp.int32, jnp.int64), "index_select(): Expected dtype int32 or int64 for index")
    if input.ndim <= 1:
        refuse("index_select", input, UNSIGNED)
    if input.ndim == 0:
        check(index.size == 1, f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)")
        return input
    index = index.reshape(-1).astype(index_type(input.shape[dim]))
    shape = (*input.shape[:dim], index.size, *input.shape[dim + 1 :])
    if math.prod(shape) == 0:
        return jnp.zeros(shape, input.dtype)
    return jnp.take(input, index, axis=dim, mode="clip")


def _add_check(input: Any, dim: Any, index: Any, source: Any, alpha: Any) -> None:
    size = _bounds.sized(input, dim)
    wrong = None if size is None else _bounds.outside(index, size)
    if wrong is None or 0 in dispatch.shape_of(input):
        return
    if len(dispatch.shape_of(input)) > 1:
        raise RuntimeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")
    if dispatch.shape_of(source)[:1] == dispatch.shape_of(index)[:1] or not dispatch.shape_of(source):
        raise IndexError("index out of range in self")


def _check_slices(name: str, input: Array, dim: int, index: Array, source: Array) -> tuple[int, Array]:
    """The checks of index_add and index_reduce; returns the dimension and the index as a vector."""
    dim = wrap_dim(dim, input.ndim)
    kind = scalar_type(index.dtype)
    check(
        index.ndim <= 1,
        f"{name}(): Index is supposed to be a vector, but got dim: {index.ndim} with type: {kind} and size:"
        f" {show(index.shape)}",
        IndexError,
    )
    check(index.dtype in (jnp.int32, jnp.int64), f"{name}(): Expected dtype int32/int64 for index but got: {kind}")
    check_same_type(name, input, source)
    if source.ndim == 0:
        check(index.size == 1, f"Dimension specified as {dim} but tensor has no dimensions", IndexError)
    else:
        check(
            dim < source.ndim,
            f"{name}(): Indexing dim {dim} is out of bounds of the source tensor with dim {source.ndim}",
        )
        check(
            index.size == source.shape[dim],
            f"{name}(): Number of indices ({index.size}) should be equal to source.size(dim): ({source.shape[dim]}),"
            f" for dim: {dim}",
        )
    ours, theirs = list(input.shape), list(source.shape)
    if ours and len(ours) == len(theirs):
        del ours[dim], theirs[dim]
    check(
        ours == theirs,
        "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape ="
        f" {show(input.shape)} source.shape = {show(source.shape)}",
    )
    return dim, index.reshape(-1).astype(index_type(max(input.shape, default=1)))


@op(inplace=True, check=_add_check)
def index_add(input: Array, dim: int, index: Array, source: Array, *, alpha: Scalar = 1) -> Array:
    """Return ``input`` with ``alpha * source`` added, entry by entry along ``dim``, where ``index`` says.

    ``index`` is a vector of int32 or int64 as long as ``source`` is along ``dim``; entries named more than once add up.
    ``source`` has the dtype of ``input`` and its shape but for ``dim``. Raises RuntimeError for an index out of range.

    >>> torch.index_add(torch.zeros(3, 2), 0, torch.tensor([2, 0, 2]), torch.ones(3, 2))
    tensor([[1., 1.],
            [0., 0.],
            [2., 2.]])
    """
    dim, index = _check_slices("index_add_", input, dim, index, source)
    refuse("index_add_" if input.ndim <= 1 else "scatter_gather_tensor_cpu", input, BARE)
    alpha = alpha.astype(source.dtype)
    if input.dtype == jnp.bool_:
        source = source & alpha
    else:
        source = source * alpha
    if input.ndim == 0:
        return added(input, source)
    if input.size == 0 or index.size == 0:
        return input
    return put_at(input, (*(slice(None),) * dim, index), source, accumulate=True)


@defvjp(index_add)
def _(grad: Any, inputs: Any, outputs: Any, *, dim: int) -> Any:
    _, index, source, alpha = inputs
    taken = index_select.op.body(grad, dim, index).reshape(source.shape)
    return grad, None, taken * alpha.astype(grad.dtype), None


def _copy_check(input: Any, dim: Any, index: Any, source: Any) -> None:
    size = _bounds.sized(input, dim)
    wrong = None if size is None else _bounds.outside(index, size)
    if wrong is not None:
        raise IndexError(f"index_copy_(): index {wrong} is out of bounds for dimension {dim} with size {size}")


@op(inplace=True, check=_copy_check)
def index_copy(input: Array, dim: int, index: Array, source: Array) -> Array:
    """Return ``input`` with the entries of ``source`` along ``dim`` written where ``index`` says.

    ``index`` is a vector of int64 as long as ``source`` is along ``dim``. Raises IndexError for an index out of range
    or shapes that do not go together, and RuntimeError for unequal dtypes.

    >>> torch.index_copy(torch.zeros(3, 2), 0, torch.tensor([2, 0]), torch.tensor([[1., 2.], [3., 4.]]))
    tensor([[3., 4.],
            [0., 0.],
            [1., 2.]])
    """
    name = "index_copy_()"
    dim = wrap_dim(dim, input.ndim)
    check(index.ndim <= 1, f"{name}: Index should have dimension 1 or 0 (got {index.ndim})", IndexError)
    count = index.size
    check(
        source.ndim > 0 or count == 1,
        f"{name}: When source is scalar, index should have one element (got {count})",
        IndexError,
    )
    check(
        source.ndim == input.ndim or 0 in (source.ndim, input.ndim),
        f"{name}: When source and destination are not scalars, their dimensionality must match. Source dimensionality"
        f" ({source.ndim}), destination dimensionality ({input.ndim})",
        IndexError,
    )
    check(index.dtype == jnp.int64, f"{name}: Expected a long tensor for index, but got {scalar_type(index.dtype)}")
    check(
        input.dtype == source.dtype,
        f"{name}: self and source expected to have the same dtype, but got (self) {scalar_type(input.dtype)} and"
        f" (source) {scalar_type(source.dtype)}",
    )
    ours = [s for d, s in enumerate(input.shape) if d != dim]
    theirs = [s for d, s in enumerate(source.shape) if d != dim]
    check(
        ours == theirs,
        f"{name}: Source/destination tensor must have same slice shapes. Destination slice shape:"
        f" {' '.join(map(str, ours))} at dimension {dim} and source slice shape: {' '.join(map(str, theirs))} at"
        f" dimension {dim if source.ndim else 0}.",
    )
    check(
        source.ndim == 0 or count == source.shape[dim],
        f"{name}: Number of indices ({count}) should be equal to source.size(dim)"
        f" ({source.shape[dim] if source.ndim else 1})",
        IndexError,
    )
    refuse("index_copy_cpu", input, BARE)
    if input.ndim == 0:
        return source.reshape(())
    if input.size == 0 or count == 0:
        return input
    index = index.reshape(-1).astype(index_type(input.shape[dim]))
    source = source.reshape(*input.shape[:dim], count, *input.shape[dim + 1 :])
    return put_at(input, (*(slice(None),) * dim, index), source, accumulate=False)


@defvjp(index_copy)
def _(grad: Any, inputs: Any, outputs: Any, *, dim: int) -> Any:
    _, index, source = inputs
    if grad.ndim == 0:
        return jnp.zeros_like(grad), None, grad.reshape(source.shape)
    taken = index_select.op.body(grad, dim, index).reshape(source.shape)
    return _filled(grad, dim, index, jnp.zeros((), grad.dtype)), None, taken


def _filled(input: Array, dim: int, index: Array, value: Array) -> Array:
    if input.ndim == 0:
        return value if index.size else input
    if input.size == 0 or index.size == 0:
        return input
    dim = wrap_dim(dim, input.ndim)
    return put_at(input, (*(slice(None),) * dim, wrapped(index.reshape(-1), input.shape[dim])), value, accumulate=False)


def _fill_check(input: Any, dim: Any, index: Any, value: Any) -> None:
    if isinstance(input, TensorBase) and isinstance(value, (int, float, complex)):
        kind = dispatch.geometry_of(input).dtype
        check(
            not isinstance(value, complex) or kind.is_complex,
            "index_fill_(): Converting complex Scalar to non-complex type is not supported",
        )
        _bounds.check_number(value, kind.np)
    elif not isinstance(value, TensorBase):
        given = f"Tensor, {type(dim).__name__}, {type(index).__name__}, {type(value).__name__}"
        raise TypeError(
            f"index_fill() received an invalid combination of arguments - got ({given}), but expected one of:"
        )
    size = _bounds.sized(input, dim)
    wrong = None if size is None else _bounds.outside(index, size, -size)
    if wrong is None:
        return
    if size == 0:
        _refuse_empty(input, dim)
    raise IndexError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")


def _refuse_empty(input: Any, dim: int) -> None:
    """PyTorch looks at the entry that is to be filled, for which a dimension of no size has no memory."""
    geometry = dispatch.geometry_of(input)
    sizes = [1 if i == dim % len(geometry.size) else n for i, n in enumerate(geometry.size)]
    strides = [0 if i == dim % len(geometry.size) else s for i, s in enumerate(geometry.stride)]
    item = geometry.dtype.itemsize
    needed = (sum((n - 1) * s for n, s in zip(sizes, strides, strict=True)) + 1) * item
    if 0 not in sizes:
        raise RuntimeError(
            f"setStorage: sizes {show(sizes)}, strides {show(strides)}, storage offset 0, and itemsize {item} requiring"
            f" a storage size of {needed} are out of bounds for storage of size 0"
        )


@op(inplace=True, out=False, check=_fill_check, node=lambda pattern, **_: f"IndexFillBackward{int(pattern[2] == 'T')}")
def index_fill(input: Array, dim: int, index: Array, value: ArrayLike) -> Array:
    """Return ``input`` with ``value`` at the entries along ``dim`` that ``index`` names.

    ``index`` is a vector of int64, negative values count from the end; ``value`` is a number or a 0-dim tensor. Raises
    IndexError for an index out of range or of another dtype.

    >>> torch.index_fill(torch.zeros(2, 3), 1, torch.tensor([0, -1]), 5.)
    tensor([[5., 0., 5.],
            [5., 0., 5.]])
    """
    dim, value = wrap_dim(dim, input.ndim), jnp.asarray(value)
    check(
        value.ndim == 0,
        f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s).",
    )
    check(index.dtype == jnp.int64, "index_fill_(): Expected dtype int64 for index.", IndexError)
    check(index.ndim <= 1, "Index has to be a vector/scalar")
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        check(
            jnp.issubdtype(input.dtype, jnp.complexfloating),
            "index_fill_(): Converting complex Scalar to non-complex type is not supported",
        )
    refuse("index_fill_cpu", input, BARE)
    return _filled(input, dim, index, value.astype(input.dtype))


@defvjp(index_fill)
def _(grad: Any, inputs: Any, outputs: Any, *, dim: int) -> Any:
    _, index, _ = inputs
    taken = index_select.op.body(grad, dim, wrapped(index.reshape(-1), grad.shape[dim] if grad.ndim else 1))
    return _filled(grad, dim, index, jnp.zeros((), grad.dtype)), None, jnp.sum(taken)


# ---------------------------------------------------------------------------------------------------------------------
# index_reduce


def _reduce_check(input: Any, dim: Any, index: Any, source: Any, reduce: Any, include_self: Any) -> None:
    size = _bounds.sized(input, dim)
    if size is not None and _bounds.outside(index, size) is not None:
        raise IndexError("index out of range in self")
    if (
        include_self
        and reduce in ("prod", "mean")
        and isinstance(input, TensorBase)
        and len(dispatch.shape_of(input)) > 1
    ):
        _bounds.refuse_complex_gradients("index_reduce", input, source)


def _refuse_reduce(input: Array, reduce: str, include_self: bool) -> None:
    """Refuse what PyTorch has no kernel for; tensors of several dimensions go through its elementwise operators."""
    if not include_self:
        refuse("index_reduce_func_exclude_input_init", input, BOOL, COMPLEX, BARE)
    elif input.ndim <= 1:
        refuse("index_func_", input, BOOL, COMPLEX, BARE)
    elif reduce == "mean":
        refuse("div_floor_cpu", input, BOOL)
        refuse("add_stub", input, BARE)
    elif reduce != "prod":
        refuse("maximum_cpu" if reduce == "amax" else "minimum_cpu", input, COMPLEX, BARE)


@op(inplace=True, check=_reduce_check)
def index_reduce(
    input: Array, dim: int, index: Array, source: Array, reduce: str, *, include_self: bool = True
) -> Array:
    """Return ``input`` with the entries of ``source`` along ``dim`` reduced into the places that ``index`` names.

    ``reduce`` is ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``; with ``include_self=False`` the old values at those
    places do not take part. Shapes and index as for :func:`index_add`. Raises IndexError for an index out of range.

    >>> torch.index_reduce(torch.ones(3), 0, torch.tensor([0, 0, 2]), torch.tensor([2., 3., 4.]), "prod")
    tensor([6., 1., 4.])
    """
    check(
        reduce in ("prod", "mean", "amax", "amin"),
        f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.",
    )
    dim, index = _check_slices("index_reduce_", input, dim, index, source)
    _refuse_reduce(input, reduce, include_self)
    at = _spread(input, dim, index, source)
    return reduce_into(input.reshape(-1), at, source.reshape(at.shape), reduce, include_self).reshape(input.shape)


def _spread(input: Array, dim: int, index: Array, source: Array) -> Array:
    """The flat position in ``input`` of each element of ``source``."""
    shape = input.shape or (1,)
    full = (*shape[:dim], index.size, *shape[dim + 1 :])
    return along(shape, dim, jnp.broadcast_to(index.reshape(-1, *(1,) * (len(shape) - dim - 1)), full))


@defvjp(index_reduce)
def _(grad: Any, inputs: Any, outputs: Any, *, dim: int, reduce: str, include_self: bool) -> Any:
    input, index, source = inputs
    at = _spread(input, wrap_dim(dim, input.ndim), index, source)
    flat = (grad.reshape(-1), input.reshape(-1), at, source.reshape(at.shape), outputs[0].reshape(-1))
    to_input, to_source = reduce_gradients(*flat, reduce, include_self)
    return to_input.reshape(input.shape), None, to_source.reshape(source.shape)


# ---------------------------------------------------------------------------------------------------------------------
# The tensor as if it were flat


def _take_check(input: Any, index: Any) -> None:
    if isinstance(input, TensorBase):
        numel = math.prod(dispatch.shape_of(input))
        wrong = _bounds.outside(index, numel, -numel)
        if wrong is not None:
            check(numel > 0, "take(): tried to take from an empty tensor", IndexError)
            raise IndexError(f"out of range: tried to access index {wrong} on a tensor of {numel} elements.")


@op(check=_take_check)
def take(input: Array, index: Array) -> Array:
    """Return the elements of ``input``, seen as flat, that ``index`` names; the result has the shape of ``index``.

    ``index`` is int64, negative values count from the end. Raises IndexError for an index out of range.

    >>> torch.take(torch.tensor([[4, 3, 5], [6, 7, 8]]), torch.tensor([0, 2, -1]))
    tensor([4, 5, 8])
    """
    check(index.dtype == jnp.int64, f"take(): Expected a long tensor for index, but got {scalar_type(index.dtype)}")
    refuse("take_cpu", input, BARE)
    return gather_flat(input, wrapped(index, input.size))


def _put_check(input: Any, index: Any, source: Any, accumulate: Any) -> None:
    if isinstance(input, TensorBase):
        numel = math.prod(dispatch.shape_of(input))
        wrong = _bounds.outside(index, numel, -numel)
        if wrong is not None:
            raise IndexError(f"out of range: tried to access index {wrong} on a tensor of {numel} elements.")


@op(inplace=True, check=_put_check)
def put(input: Array, index: Array, source: Array, accumulate: bool = False) -> Array:
    """Return ``input`` with the elements of ``source`` written to (or added at) the flat positions in ``index``.

    ``index`` is int64 with as many elements as ``source``, negative values count from the end. Raises IndexError for an
    index out of range.

    >>> torch.put(torch.zeros(2, 3), torch.tensor([1, -1]), torch.tensor([9., 8.]))
    tensor([[0., 9., 0.],
            [0., 0., 8.]])
    """
    check(index.dtype == jnp.int64, f"put_(): Expected a long tensor for index, but got {scalar_type(index.dtype)}")
    check(
        input.dtype == source.dtype,
        "put_(): self and source expected to have the same dtype, but got self.dtype ="
        f" {scalar_type(input.dtype)} and source.dtype = {scalar_type(source.dtype)}",
    )
    check(
        source.size == index.size,
        "put_(): Expected source and index to have the same number of elements, but got source.numel() ="
        f" {source.size}, index.numel() = {index.size}",
        IndexError,
    )
    refuse("take_put_cpu", input, BARE)
    if index.size == 0:
        return input
    at = wrapped(index.reshape(-1), input.size)
    return put_at(input.reshape(-1), at, source.reshape(-1), accumulate).reshape(input.shape)


@defvjp(put)
def _(grad: Any, inputs: Any, outputs: Any, *, accumulate: bool) -> Any:
    _, index, source = inputs
    taken = take.op.body(grad, index).reshape(source.shape)
    kept = grad if accumulate else put.op.body(grad, index, jnp.zeros(index.shape, grad.dtype))
    return kept, None, taken


def _along_check(input: Any, indices: Any, dim: Any) -> None:
    if dim is None and isinstance(input, TensorBase):
        numel = math.prod(dispatch.shape_of(input))
        wrong = _bounds.outside(indices, numel)
        if wrong is not None:
            raise RuntimeError(f"index {wrong} is out of bounds for dimension 0 with size {numel}")


@op(check=_along_check, node="GatherBackward0")
def take_along_dim(input: Array, indices: Array, dim: int | None = None) -> Array:
    """Return the elements of ``input`` along ``dim`` that ``indices`` names (as ``argsort`` and ``argmax`` give them).

    ``indices`` is int64 with as many dimensions as ``input``; both are broadcast to each other except along ``dim``.
    Without ``dim`` both are taken as flat. Indices are counted modulo the size of ``dim``.

    >>> x = torch.tensor([[10, 30, 20], [60, 40, 50]])
    >>> torch.take_along_dim(x, torch.argsort(x, dim=1), dim=1)
    tensor([[10, 20, 30],
            [40, 50, 60]])
    """
    name = "torch.take_along_dim()"
    check(indices.dtype == jnp.int64, f"{name}: dtype of indices should be Long but got {scalar_type(indices.dtype)}")
    refuse("scatter_gather_tensor_cpu", input, UNSIGNED)
    refuse("gather_expanded_index", input, FLOAT8)
    if dim is None:
        return gather_flat(input, indices.reshape(-1).astype(index_type(input.size)))
    check(
        input.ndim == indices.ndim,
        f"{name}: input and indices should have the same number of dimensions, but got {input.ndim} dimensions for"
        f" input, and {indices.ndim} dimensions for indices",
    )
    dim = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input
    size = input.shape[dim]
    common = broadcast_shapes(
        [1 if d == dim else s for d, s in enumerate(input.shape)],
        [1 if d == dim else s for d, s in enumerate(indices.shape)],
    )
    input = jnp.broadcast_to(input, (*common[:dim], size, *common[dim + 1 :]))
    indices = jnp.broadcast_to(indices, (*common[:dim], indices.shape[dim], *common[dim + 1 :]))
    return gather_flat(input, along(input.shape, dim, indices % max(size, 1)))
