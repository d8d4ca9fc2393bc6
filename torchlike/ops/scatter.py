"""Element-wise gathers and scatters along one dimension, and writing a slice, a row or a diagonal into a copy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core.errors import check, wrap_dim
from torchlike._core.kernels import cast
from torchlike._core.op import Array, ArrayLike, NoDerivative, Scalar, composite, defvjp, op, operands_given
from torchlike._core.tensor_state import TensorBase
from torchlike.ops import _bounds
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, UNSIGNED, refuse
from torchlike.ops._geometry import Ints, show, span
from torchlike.ops._positions import along, gather_flat
from torchlike.ops._relay import lay_like
from torchlike.ops.slicing import as_strided_geometry, memory_places, strided_statics

__all__ = [
    "as_strided_scatter",
    "diagonal_scatter",
    "gather",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "select_scatter",
    "slice_scatter",
]

Tensor = Any


def _range_check(input: Any, dim: Any, index: Any, *rest: Any) -> None:
    size = _bounds.sized(input, dim)
    wrong = None if size is None else _bounds.outside(index, size)
    if wrong is not None:
        dim = wrap_dim(dim, len(dispatch.shape_of(input)))
        if rest:  # a scatter complains about shapes first
            source = dispatch.shape_of(rest[0]) if isinstance(rest[0], TensorBase) else None
            _check_scatter_shapes(dim, dispatch.shape_of(input), dispatch.shape_of(index), source)
        raise RuntimeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")


@op(check=_range_check)
def gather(input: Array, dim: int, index: Array, *, sparse_grad: bool = False) -> Array:
    """Return for each element of ``index`` the element of ``input`` at its place, but ``index`` along ``dim``.

    ``index`` (int32 or int64) has the dimensions of ``input`` and is no larger than it except along ``dim``; the
    result has its shape: ``out[i, j] = input[index[i, j], j]`` for ``dim=0``. ``sparse_grad`` is accepted; the gradient
    is dense. Raises RuntimeError for an index out of range.

    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    dim = wrap_dim(dim, input.ndim)
    if index.size == 0:
        return jnp.zeros(index.shape, input.dtype)
    check(index.dtype in (jnp.int32, jnp.int64), "gather(): Expected dtype int32/int64 for index")
    check(
        max(index.ndim, 1) == max(input.ndim, 1),
        "Index tensor must have the same number of dimensions as input tensor",
    )
    shape = input.shape or (1,)
    at = index.reshape(index.shape or (1,))
    for d, (theirs, ours) in enumerate(zip(at.shape, shape, strict=True)):
        check(
            d == dim or theirs <= ours,
            f"Size does not match at dimension {d} expected index {show(index.shape)} to be no larger than self"
            f" {show(input.shape)} apart from dimension {dim}",
        )
    refuse("scatter_gather_tensor_cpu", input, UNSIGNED)
    refuse("gather_expanded_index", input, FLOAT8)
    return gather_flat(input, along(shape, dim, at)).reshape(index.shape)


# ---------------------------------------------------------------------------------------------------------------------
# Scatters

# What an empty reduction of each kind starts from.
_START = {"sum": 0, "add": 0, "mean": 0, "prod": 1, "multiply": 1}
_HALVES = ("float16", "bfloat16")


def _places(name: str, input: Array, dim: int, index: Array, src: Array | None) -> Array:
    """Check a scatter's shapes and return the flat positions it writes to, in the shape of ``index`` (1-d at least)."""
    check(index.dtype in (jnp.int32, jnp.int64), f"{name}(): Expected dtype int32/int64 for index")
    _check_scatter_shapes(dim, input.shape, index.shape, None if src is None else src.shape)
    return along(input.shape or (1,), dim, index.reshape(index.shape or (1,)))


def _check_scatter_shapes(dim: int, input: Ints, index: Ints, src: Ints | None) -> None:
    ours, theirs = input or (1,), index or (1,)
    check(len(ours) == len(theirs), "Index tensor must have the same number of dimensions as self tensor")
    fits = all(d == dim or i <= s for d, (i, s) in enumerate(zip(theirs, ours, strict=True)))
    told = f"Expected index {show(index)} to be no larger than self {show(input)} apart from dimension {dim}"
    if src is None:
        check(fits, told)
        return
    given = src or (1,)
    check(len(given) == len(theirs), "Index tensor must have the same number of dimensions as src tensor")
    fits = fits and all(i <= s for i, s in zip(theirs, given, strict=True))
    check(fits, f"{told} and to be no larger size than src {show(src)}")


def _cut(src: Array, at: Array) -> Array:
    """The part of ``src`` that is scattered."""
    return lax.slice(src.reshape(src.shape or (1,)), (0,) * at.ndim, at.shape)


def _uncut(part: Array, shape: tuple[int, ...]) -> Array:
    """A gradient of that part as one of all of ``src``."""
    full = shape or (1,)
    return jnp.pad(part, [(0, f - p) for f, p in zip(full, part.shape, strict=True)]).reshape(shape)


def reduce_into(flat: Array, at: Array, src: Array, reduce: str, include_self: bool) -> Array:
    """Return the flat array with ``src`` reduced into the positions ``at`` (sum, prod, mean, amax, amin)."""
    kind = flat.dtype
    if kind.name in _HALVES:  # accumulated in float32, as PyTorch does
        return reduce_into(flat.astype(jnp.float32), at, src.astype(jnp.float32), reduce, include_self).astype(kind)
    if kind == jnp.bool_:
        reduce = {"sum": "amax", "add": "amax", "prod": "amin", "multiply": "amin"}.get(reduce, reduce)
    start = flat
    if not include_self:
        start = flat.at[at].set(_identity(kind, reduce), mode="promise_in_bounds")
    place = start.at[at]
    if reduce in ("sum", "add"):
        return place.add(src, mode="promise_in_bounds")
    if reduce in ("prod", "multiply"):
        if jnp.issubdtype(kind, jnp.inexact):
            return _product(start, at, src)
        return place.multiply(src, mode="promise_in_bounds")
    if reduce == "amax":
        return place.max(src, mode="promise_in_bounds")
    if reduce == "amin":
        return place.min(src, mode="promise_in_bounds")
    total = place.add(src, mode="promise_in_bounds")
    count = _counts(flat, at, include_self).astype(kind)
    return total // count if jnp.issubdtype(kind, jnp.integer) else total / count


@jax.custom_jvp
def _product(flat: Array, at: Array, src: Array) -> Array:
    """The flat array with ``src`` multiplied into it."""
    return flat.at[at].multiply(src, mode="promise_in_bounds")


@_product.defjvp
def _(primals: tuple[Array, Array, Array], tangents: tuple[Array, Any, Array]) -> tuple[Array, Array]:
    flat, at, src = primals
    result = _product(flat, at, src)
    by_flat, by_src = _product_factors(flat, at, src, result)
    return result, (tangents[0] * by_flat).at[at].add(tangents[2] * by_src, mode="promise_in_bounds")


def _product_factors(flat: Array, at: Array, src: Array, result: Array) -> tuple[Array, Array]:
    """What each factor of a product is multiplied with; a single zero with the product of the rest."""
    one = jnp.ones((), flat.dtype)
    filled = jnp.where(flat == 0, one, flat)
    by_flat = reduce_into(filled, at, src, "prod", True) / filled
    zeros = src == 0
    count = jnp.zeros(flat.shape, jnp.int32).at[at].add(zeros.astype(jnp.int32), mode="promise_in_bounds")
    single = zeros & (count[at] == 1)
    rest = reduce_into(flat, at, jnp.where(single, one, src), "prod", True)
    return by_flat, jnp.where(single, rest[at], result[at] / jnp.where(zeros, one, src))


def _identity(kind: Any, reduce: str) -> Any:
    if reduce in _START:
        return jnp.asarray(_START[reduce], kind)
    low, high = (False, True) if kind == jnp.bool_ else _limits(kind)
    return jnp.asarray(low if reduce == "amax" else high, kind)


def _limits(kind: Any) -> tuple[Any, Any]:
    if jnp.issubdtype(kind, jnp.integer):
        return np.iinfo(kind).min, np.iinfo(kind).max
    return -math.inf, math.inf


def _counts(flat: Array, at: Array, include_self: bool) -> Array:
    """How many values meet at each position, at least one."""
    ones = jnp.full(flat.shape, int(include_self), jnp.int32)
    counts = ones.at[at].add(1, mode="promise_in_bounds")
    return counts if include_self else jnp.maximum(counts, 1)


def reduce_gradients(
    grad: Array, flat: Array, at: Array, src: Array, result: Array, reduce: str, include_self: bool
) -> tuple[Array, Array]:
    """The gradients of :func:`reduce_into` with respect to the flat array and to ``src``.

    PyTorch's subgradients: extreme values that tie share alike, a single zero in a product has the product of the rest.
    """
    promised: dict[str, Any] = {"mode": "promise_in_bounds"}
    if reduce == "sum":
        to_flat, to_src = grad, grad[at]
    elif reduce == "mean":
        shared = grad / _counts(flat, at, include_self).astype(grad.dtype)
        to_flat, to_src = shared, shared[at]
    elif reduce == "prod":
        start = flat if include_self else flat.at[at].set(1, **promised)
        by_flat, by_src = _product_factors(start, at, src, result)
        to_flat, to_src = grad * by_flat, grad[at] * by_src
    else:
        ours, theirs = flat == result, src == result[at]
        count = ours.astype(jnp.int32).at[at].add(theirs.astype(jnp.int32), **promised)
        shared = grad / count.astype(grad.dtype)
        to_flat = jnp.where(ours, shared, 0)
        to_src = jnp.where(theirs, shared[at], 0)
    if not include_self:
        to_flat = to_flat.at[at].set(0, **promised)
    return to_flat, to_src


def _scatter_check(input: Any, dim: Any, index: Any, src: Any, reduce: Any, value: Any) -> None:
    numbers = (bool, int, float, complex, np.number, np.bool_)
    given = [x for x in (src, value) if x is not None]
    as_value = value is not None or not isinstance(src, TensorBase)
    if len(given) != 1 or not isinstance(given[0], (TensorBase, *numbers)):
        kinds = [type(x).__name__ for x in (input, dim, index, src) if x is not None]
        kinds += [f"{name}={type(x).__name__}" for name, x in (("reduce", reduce), ("value", value)) if x is not None]
        raise TypeError(
            f"scatter() received an invalid combination of arguments - got ({', '.join(kinds)}), but expected one of:"
        )
    if as_value and isinstance(given[0], numbers) and isinstance(input, TensorBase):
        _bounds.check_number(given[0], dispatch.geometry_of(input).dtype.np)
    check(reduce in (None, "add", "multiply"), "reduce argument must be either add or multiply.")
    _range_check(input, dim, index, src)


def _scatter_node(pattern: Any, *, reduce: str | None = None, **_: Any) -> str:
    if reduce is not None:
        return "torch::autograd::NotImplemented"
    return "ScatterBackward0" if pattern[2] == "T" else "ScatterBackward1"


@op(inplace=True, check=_scatter_check, node=_scatter_node)
def scatter(
    input: Array,
    dim: int,
    index: Array,
    src: ArrayLike | None = None,
    *,
    reduce: str | None = None,
    value: ArrayLike | None = None,
) -> Array:
    """Return ``input`` with elements of ``src`` (or one number) written where ``index`` says along ``dim``.

    The inverse of :func:`gather`: ``out[index[i, j], j] = src[i, j]`` for ``dim=0``. ``index`` (int32 or int64) is no
    larger than ``src``, nor than ``input`` except along ``dim``; a number may stand for ``src`` or be the ``value``.
    ``reduce`` ("add" or "multiply") combines with what is there; that is not differentiable. Raises RuntimeError for an
    index out of range or unequal dtypes.

    >>> torch.scatter(torch.zeros(2, 3), 1, torch.tensor([[2], [0]]), 1.)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    dim = wrap_dim(dim, input.ndim)
    number = src is None or operands_given()[2][1] == "number"  # type: ignore[index]
    if index.size == 0:
        return input
    if number:
        at = _places("scatter", input, dim, index, None)
        part = cast(value if src is None else src, input.dtype).reshape(())
    else:
        at = _places("scatter", input, dim, index, src)
        check(src.dtype == input.dtype, "scatter(): Expected self.dtype to be equal to src.dtype")  # type: ignore[union-attr]
        part = _cut(src, at)  # type: ignore[arg-type]
    refuse("scatter_gather_scalar_cpu" if number else "scatter_gather_tensor_cpu", input, BARE)
    flat = input.reshape(-1)
    if reduce is not None:
        return reduce_into(flat, at, jnp.broadcast_to(part, at.shape), reduce, True).reshape(input.shape)
    return flat.at[at].set(part, mode="promise_in_bounds").reshape(input.shape)


@defvjp(scatter)
def _(grad: Any, inputs: Any, outputs: Any, *, dim: int, reduce: str | None) -> Any:
    _, index, src, _ = inputs
    if reduce is not None:
        raise NoDerivative("derivative for aten::scatter is not implemented")
    dim = wrap_dim(dim, grad.ndim)
    if index.size == 0:
        return grad, None, None if src is None else jnp.zeros(jnp.shape(src), grad.dtype), None
    at = along(grad.shape or (1,), dim, index.reshape(index.shape or (1,)))
    kept = grad.reshape(-1).at[at].set(0, mode="promise_in_bounds").reshape(grad.shape)
    if src is None or jnp.ndim(src) < index.ndim:
        return kept, None, None, None
    return kept, None, _uncut(gather_flat(grad, at), jnp.shape(src)), None


def _src_check(name: str, input: Array, src: Array) -> None:
    check(src.dtype == input.dtype, "scatter(): Expected self.dtype to be equal to src.dtype")


@op(inplace=True, check=_range_check)
def scatter_add(input: Array, dim: int, index: Array, src: Array) -> Array:
    """Return ``input`` with elements of ``src`` added at the places that ``index`` names along ``dim``.

    ``out[index[i, j], j] += src[i, j]`` for ``dim=0``. Shapes, dtypes and errors are those of :func:`scatter`.

    >>> torch.scatter_add(torch.zeros(3), 0, torch.tensor([0, 2, 0]), torch.tensor([1., 2., 3.]))
    tensor([4., 0., 2.])
    """
    dim = wrap_dim(dim, input.ndim)
    if index.size == 0:
        return input
    at = _places("scatter", input, dim, index, src)
    _src_check("scatter", input, src)
    refuse("scatter_gather_tensor_cpu", input, BARE)
    return reduce_into(input.reshape(-1), at, _cut(src, at), "sum", True).reshape(input.shape)


@defvjp(scatter_add)
def _(grad: Any, inputs: Any, outputs: Any, *, dim: int) -> Any:
    _, index, src = inputs
    if index.size == 0:
        return grad, None, None
    at = along(grad.shape or (1,), wrap_dim(dim, grad.ndim), index.reshape(index.shape or (1,)))
    return grad, None, _uncut(gather_flat(grad, at), src.shape)


_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


def _reduce_check(input: Any, dim: Any, index: Any, src: Any, reduce: Any, include_self: Any) -> None:
    _range_check(input, dim, index, src)
    if reduce not in ("amax", "amin") or (isinstance(index, TensorBase) and 0 in dispatch.shape_of(index)):
        _bounds.refuse_complex_gradients("scatter_reduce", input, src)


@op(inplace=True, check=_reduce_check)
def scatter_reduce(
    input: Array, dim: int, index: Array, src: Array, reduce: str, *, include_self: bool = True
) -> Array:
    """Return ``input`` with elements of ``src`` reduced into the places that ``index`` names along ``dim``.

    ``reduce`` is ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``; with ``include_self=False`` the values
    at those places before do not take part. Shapes, dtypes and errors are those of :func:`scatter`.

    >>> x, index = torch.ones(3), torch.tensor([0, 0, 1])
    >>> torch.scatter_reduce(x, 0, index, torch.tensor([2., 4., 6.]), "mean", include_self=False)
    tensor([3., 6., 1.])
    """
    dim = wrap_dim(dim, input.ndim)
    check(reduce in _REDUCTIONS, f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if index.size == 0:
        if reduce == "mean":
            refuse("div_floor_cpu", input, BOOL)
        return input
    at = _places("scatter", input, dim, index, src)
    _src_check("scatter", input, src)
    if reduce in ("sum", "prod"):
        refuse("scatter_gather_tensor_cpu", input, BARE)
    else:
        refuse(f"scatter_gather_tensor_cpu_reduce_{reduce}", input, BARE, BOOL if reduce == "mean" else COMPLEX)
    return reduce_into(input.reshape(-1), at, _cut(src, at), reduce, include_self).reshape(input.shape)


@defvjp(scatter_reduce)
def _(grad: Any, inputs: Any, outputs: Any, *, dim: int, reduce: str, include_self: bool) -> Any:
    input, index, src = inputs
    if index.size == 0:
        return grad, None, None
    at = along(grad.shape or (1,), wrap_dim(dim, grad.ndim), index.reshape(index.shape or (1,)))
    flat = (grad.reshape(-1), input.reshape(-1), at, _cut(src, at), outputs[0].reshape(-1))
    to_input, to_src = reduce_gradients(*flat, reduce, include_self)
    return to_input.reshape(grad.shape), None, _uncut(to_src, src.shape)


# ---------------------------------------------------------------------------------------------------------------------
# A copy with one part replaced


def _check_part(src: Array, shape: tuple[int, ...]) -> None:
    check(
        src.shape == shape,
        f"expected src to have a size equal to the slice of self. src size = {show(src.shape)}, slice size ="
        f" {show(shape)}",
    )


def _select_scatter_check(input: Any, src: Any, dim: Any, index: Any) -> None:
    _bounds.refuse_complex_gradients("select_scatter", input, src)
    size = _bounds.sized(input, dim)
    if size is None or not dispatch.shape_of(input) or type(index) is not int:
        return
    check(
        -size <= index < size,
        f"select(): index {index} out of range for tensor of size {show(dispatch.shape_of(input))} at dimension {dim}",
        IndexError,
    )


@op(out=False, check=_select_scatter_check)
def select_scatter(input: Array, src: Array, dim: int, index: Scalar) -> Array:
    """Return a copy of ``input`` with ``src`` in place of ``input.select(dim, index)``.

    Raises IndexError for an index out of range and RuntimeError when ``src`` has not the shape of that part.

    >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    check(input.ndim > 0, "select() cannot be applied to a 0-dim tensor.", IndexError)
    dim = wrap_dim(dim, input.ndim)
    _check_part(src, input.shape[:dim] + input.shape[dim + 1 :])
    index = jnp.where(index < 0, index + input.shape[dim], index)
    return lax.dynamic_update_index_in_dim(input, src.astype(input.dtype), index, dim)


def _slice_scatter_check(input: Any, src: Any, *_: Any) -> None:
    _bounds.refuse_complex_gradients("slice_scatter", input, src)


@op(check=_slice_scatter_check)
def slice_scatter(
    input: Array, src: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    """Return a copy of ``input`` with ``src`` in place of the slice ``start:end:step`` of ``dim``.

    Raises RuntimeError when ``src`` has not the shape of that slice or ``step`` is not positive.

    >>> torch.slice_scatter(torch.zeros(2, 4), torch.ones(2, 2), dim=1, start=1, end=3)
    tensor([[0., 1., 1., 0.],
            [0., 1., 1., 0.]])
    """
    check(input.ndim > 0, "slice() cannot be applied to a 0-dim tensor.", IndexError)
    dim = wrap_dim(dim, input.ndim)
    check(step > 0, "slice step must be positive")
    first, length = span(input.shape[dim], start, end, step)
    _check_part(src, (*input.shape[:dim], length, *input.shape[dim + 1 :]))
    if src.size == 0:
        return input
    key = (*(slice(None),) * dim, slice(first, first + (length - 1) * step + 1, step))
    return input.at[key].set(src.astype(input.dtype))


@op(out=False)
def diagonal_scatter(input: Array, src: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """Return a copy of ``input`` with ``src`` in place of ``input.diagonal(offset, dim1, dim2)``.

    Raises RuntimeError when ``src`` has not the shape of that diagonal.

    >>> torch.diagonal_scatter(torch.zeros(3, 3), torch.ones(2), 1)
    tensor([[0., 1., 0.],
            [0., 0., 1.],
            [0., 0., 0.]])
    """
    first, second = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    check(first != second, f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rows, columns = input.shape[first], input.shape[second]
    length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    rest = [s for d, s in enumerate(input.shape) if d not in (first, second)]
    _check_part(src, (*rest, length))
    if src.size == 0:
        return input
    steps = np.arange(length)
    moved = jnp.moveaxis(input, (first, second), (-2, -1))
    moved = moved.at[..., steps - min(offset, 0), steps + max(offset, 0)].set(src.astype(input.dtype))
    return jnp.moveaxis(moved, (-2, -1), (first, second))


@op(method=False, out=False, node="AsStridedScatterBackward0")
def _as_strided_scatter(input: Array, src: Array, size: Ints, stride: Ints, offset: int, origin: Any) -> Array:
    places, written = memory_places(input.shape, *origin), memory_places(size, stride, offset)
    _check_part(src, written.shape)
    extent = 1 + max(places.max(initial=0), written.max(initial=0))
    memory = jnp.zeros(extent, input.dtype).at[places].set(input)
    return memory.at[written].set(src.astype(input.dtype))[places]


@defvjp(_as_strided_scatter)
def _(grad: Any, inputs: Any, outputs: Any, size: Ints, stride: Ints, offset: int, origin: Any) -> Any:
    # PyTorch gives the input the gradient of what was replaced, and so is this.
    input, src = inputs
    places, written = memory_places(input.shape, *origin), memory_places(size, stride, offset)
    extent = 1 + max(places.max(initial=0), written.max(initial=0))
    part = jnp.zeros(extent, grad.dtype).at[places].set(grad)[written]
    return jnp.zeros(extent, grad.dtype).at[written].set(part)[places], part.astype(src.dtype)


@composite
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Return a copy of ``input`` with ``src`` in place of ``input.as_strided(size, stride, storage_offset)``.

    Raises RuntimeError when ``src`` has not that size, or where elements of it would lie on each other.

    >>> torch.as_strided_scatter(torch.zeros(2, 2), torch.ones(2), (2,), (3,))
    tensor([[1., 0.],
            [0., 1.]])
    """
    sizes, strides, offset, origin, nbytes = strided_statics(input, size, stride, storage_offset)
    geometry = dispatch.geometry_of(input)
    part = as_strided_geometry(geometry, sizes, strides, offset, origin, nbytes)
    check(
        not part.overlaps,
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location."
        " Please clone() the tensor before performing the operation.",
    )
    return lay_like(_as_strided_scatter(input, src, sizes, strides, offset, origin), input)
