"""Views with another shape or another order of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core import dispatch
from torchlike._core.arguments import as_ints, given_ints, is_int
from torchlike._core.dtype import dtype as DType
from torchlike._core.errors import broadcast_shapes, check, invalid_combination, scalar_type, wrap_dim, wrap_dims
from torchlike._core.op import Array, VarInts, composite, op
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import Geometry
from torchlike._core.warn import warn
from torchlike.ops._arrays import spread
from torchlike.ops._geometry import Ints, expanded, infer_size, of_shape, permuted, show, viewed

__all__ = [
    "adjoint",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_tensors",
    "broadcast_to",
    "flatten",
    "moveaxis",
    "movedim",
    "permute",
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "swapdims",
    "t",
    "transpose",
    "unflatten",
    "unsqueeze",
]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Another shape


def _view_geometry(g: Geometry, size: Ints) -> Geometry:
    found = viewed(g, size)
    if found is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two"
            " contiguous subspaces). Use .reshape(...) instead."
        )
    return found


@op(view=_view_geometry, method=False, node="ViewBackward0")
def _view(input: Array, size: VarInts) -> Array:
    return input.reshape(infer_size(size, input.size))


@composite(method="only")
def view(self: Tensor, *size: Any, **named: Any) -> Tensor:
    """Return the same data with another shape, or with its bytes read as another dtype.

    One size may be -1 and is then inferred. The result shares the memory; a shape that the strides do not allow raises
    RuntimeError (``reshape`` copies then).

    >>> x = torch.arange(4)
    >>> x.view(2, -1)
    tensor([[0, 1],
            [2, 3]])
    """
    if named or not size or type(size[0]) is not int:
        one = named.get("dtype", named.get("size")) if len(named) == 1 and not size else size
        if len(size) == 1 and not named and not is_int(size[0]):
            (one,) = size
        if isinstance(one, DType):
            # As in PyTorch: outside any graph and not a view, but on the same memory.
            return dispatch.alias(self, _dtype_geometry(dispatch.geometry_of(self), one))
        if (
            (not one and not isinstance(one, tuple | list))
            or (one is size and (named or not size))
            or not _may_be_size(one)
        ):
            expected = "(torch.dtype dtype)", "(tuple of ints size)"
            invalid_combination("view", [*size, *named.values()], *expected)
        size = tuple(one)
    return dispatch.call_view(_view.op, (self,), (size,))


def _may_be_size(x: Any) -> bool:
    return isinstance(x, tuple | list) and all(is_int(n) for n in x)


def _dtype_geometry(g: Geometry, dtype: DType) -> Geometry:
    old, new = g.dtype.itemsize, dtype.itemsize
    if dtype is g.dtype:
        return g
    check(
        not g.conj,
        "torch.Tensor.view is not supported for conjugate view tensors when converting to a different dtype.",
    )
    check(
        not g.neg,
        "torch.Tensor.view is not supported for tensors with negative bit set when converting to a different dtype.",
    )
    if old == new:
        return g._replace(dtype=dtype)
    what = f"to view {scalar_type(g.dtype)} as {scalar_type(dtype)} (different element sizes)"
    check(bool(g.size), f"self.dim() cannot be 0 {what}")
    if old > new:
        ratio = old // new
        check(g.stride[-1] == 1, f"self.stride(-1) must be 1 {what}, but got {g.stride[-1]}")
        return g._replace(
            size=(*g.size[:-1], g.size[-1] * ratio),
            stride=(*[s * ratio for s in g.stride[:-1]], 1),
            offset=g.offset * ratio,
            dtype=dtype,
        )
    ratio = new // old
    check(g.size[-1] % ratio == 0, f"self.size(-1) must be divisible by {ratio} {what}, but got {g.size[-1]}")
    check(g.offset % ratio == 0, f"self.storage_offset() must be divisible by {ratio} {what}, but got {g.offset}")
    check(g.stride[-1] == 1, f"self.stride(-1) must be 1 {what}, but got {g.stride[-1]}")
    for d, s in enumerate(g.stride[:-1]):
        check(s % ratio == 0, f"self.stride({d}) must be divisible by {ratio} {what}, but got {s}")
    return g._replace(
        size=(*g.size[:-1], g.size[-1] // ratio),
        stride=(*[s // ratio for s in g.stride[:-1]], 1),
        offset=g.offset // ratio,
        dtype=dtype,
    )


@composite(method="only")
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the same data with the shape of ``other``.

    >>> torch.arange(4).view_as(torch.zeros(2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    return dispatch.call_view(_view.op, (self,), (dispatch.shape_of(other),))


@op(view=viewed, method=False, node="ReshapeAliasBackward0")
def _reshape_alias(input: Array, size: VarInts) -> Array:
    return input.reshape(infer_size(size, input.size))


@op(method=False, out=False, node="UnsafeViewBackward0")
def _reshape_copy(input: Array, size: VarInts) -> Array:
    return input.reshape(size)


def _reshape(input: Tensor, size: Any) -> Tensor:
    if input._geometry is None and input._storage.stride is None:
        return dispatch.call_view(_view.op, (input,), (size,))
    g = dispatch.geometry_of(input)
    if g.is_contiguous:
        return dispatch.call_view(_view.op, (input,), (size,))
    size = infer_size(as_ints("reshape", "shape", 1, size), g.numel)
    if viewed(g, size) is None:
        return _reshape_copy(input, size)
    return dispatch.call_view(_reshape_alias.op, (input,), (size,))


@composite(method=False)
def reshape(input: Tensor, shape: VarInts) -> Tensor:
    """Return the same elements in row-major order with another shape: a view where the strides allow it, else a copy.

    One size may be -1 and is then inferred. Raises RuntimeError if the number of elements differs.

    >>> torch.reshape(torch.arange(4), (2, 2))
    tensor([[0, 1],
            [2, 3]])
    >>> torch.tensor([[0, 1], [2, 3]]).reshape(-1)
    tensor([0, 1, 2, 3])
    """
    return _reshape(input, shape)


@composite(method="only", name="reshape")
def _reshape_method(self: Tensor, *shape: Any, **named: Any) -> Tensor:
    """Return the same elements with another shape; see :func:`torch.reshape`."""
    if named or (len(shape) < 2 and not (shape and type(shape[0]) is int)):
        shape = given_ints("reshape", "shape", shape, named)
    return _reshape(self, shape)


@composite(method="only")
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the same elements with the shape of ``other``.

    >>> torch.arange(4).reshape_as(torch.zeros(2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    return _reshape(self, dispatch.shape_of(other))


@composite
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return ``input`` with the dimensions from ``start_dim`` to ``end_dim`` made one; a 0-d tensor becomes 1-d.

    A view where the strides allow it, else a copy; ``input`` itself when there is nothing to do.

    >>> torch.flatten(torch.tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]), start_dim=1)
    tensor([[1, 2, 3, 4],
            [5, 6, 7, 8]])
    """
    size = dispatch.shape_of(input)
    start, end = wrap_dim(start_dim, len(size)), wrap_dim(end_dim, len(size))
    check(start <= end, "flatten() has invalid args: start_dim cannot come after end_dim")
    if not size:
        return _reshape(input, (1,))
    if start == end:
        return input
    joined = 1
    for s in size[start : end + 1]:
        joined *= s
    return _reshape(input, (*size[:start], joined, *size[end + 1 :]))


@composite
def ravel(input: Tensor) -> Tensor:
    """Return the elements as one contiguous dimension; a view where that takes no copy.

    >>> torch.ravel(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return input.contiguous().view(-1)


@composite
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Return a view with dimension ``dim`` cut into ``sizes``, one of which may be -1.

    >>> torch.unflatten(torch.randn(3, 4, 1), 1, (2, -1)).shape
    torch.Size([3, 2, 2, 1])
    """
    size = dispatch.shape_of(input)
    dim = wrap_dim(dim, len(size))
    sizes = as_ints("unflatten", "sizes", 3, sizes)
    check(len(sizes) > 0, "unflatten: sizes must be non-empty")
    check(len(size) > 0, "unflatten got an unexpected error:\nDimension specified as 0 but tensor has no dimensions")
    here = size[dim]
    try:
        inferred = infer_size(sizes, here)
    except RuntimeError as error:
        if str(error).startswith(("only one", "invalid shape", "cannot reshape")):
            raise RuntimeError(f"unflatten got an unexpected error:\n{error}") from None
        raise RuntimeError(
            f"unflatten: Provided sizes {show(sizes)} don't multiply up to the size of dim {dim} ({here}) in the input"
            " tensor"
        ) from None
    return dispatch.call_view(_view.op, (input,), ((*size[:dim], *inferred, *size[dim + 1 :]),))


# ---------------------------------------------------------------------------------------------------------------------
# Another order of dimensions


def _permute_geometry(g: Geometry, dims: Ints) -> Geometry:
    return permuted(g, _permutation(dims, len(g.size)))


def _permutation(dims: Ints, ndim: int) -> tuple[int, ...]:
    check(
        len(dims) == ndim,
        "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired"
        f" ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}",
    )
    wrapped = tuple([wrap_dim(d, ndim) for d in dims])
    check(len(set(wrapped)) == ndim, "permute(): duplicate dims are not allowed.")
    return wrapped


@op(view=_permute_geometry)
def permute(input: Array, dims: VarInts) -> Array:
    """Return a view with the dimensions in the order ``dims``.

    >>> torch.permute(torch.zeros(2, 3, 5), (2, 0, 1)).shape
    torch.Size([5, 2, 3])
    """
    return lax.transpose(input, _permutation(dims, input.ndim))


def _transpose_geometry(g: Geometry, dim0: int, dim1: int) -> Geometry:
    return permuted(g, _swapped(len(g.size), dim0, dim1))


def _swapped(ndim: int, dim0: int, dim1: int) -> tuple[int, ...]:
    order = list(range(ndim))
    a, b = wrap_dim(dim0, ndim), wrap_dim(dim1, ndim)
    if ndim:
        order[a], order[b] = b, a
    return tuple(order)


@op(view=_transpose_geometry)
def transpose(input: Array, dim0: int, dim1: int) -> Array:
    """Return a view with two dimensions exchanged.

    >>> torch.transpose(torch.tensor([[1, 2, 3], [4, 5, 6]]), 0, 1)
    tensor([[1, 4],
            [2, 5],
            [3, 6]])
    """
    return lax.transpose(input, _swapped(input.ndim, dim0, dim1))


@composite
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Return a view with two dimensions exchanged, as :func:`torch.transpose` does.

    >>> torch.swapaxes(torch.zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    return transpose(input, axis0, axis1)


@composite
def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Return a view with two dimensions exchanged, as :func:`torch.transpose` does.

    >>> torch.swapdims(torch.zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    return transpose(input, dim0, dim1)


def _t_geometry(g: Geometry) -> Geometry:
    check(len(g.size) <= 2, f"t() expects a tensor with <= 2 dimensions, but self is {len(g.size)}D")
    return permuted(g, range(len(g.size) - 1, -1, -1))


@op(view=_t_geometry)
def t(input: Array) -> Array:
    """Return the transpose of a matrix as a view; tensors with fewer dimensions come back as they are.

    >>> torch.t(torch.tensor([[1, 2, 3], [4, 5, 6]]))
    tensor([[1, 4],
            [2, 5],
            [3, 6]])
    """
    return input.T


@composite
def adjoint(input: Tensor) -> Tensor:
    """Return a view with the last two dimensions exchanged and complex values conjugated.

    >>> torch.adjoint(torch.tensor([[0 + 1j, 2], [3, 4 - 2j]])).resolve_conj()
    tensor([[0.-1.j, 3.-0.j],
            [2.-0.j, 4.+2.j]])
    """
    ndim = input.dim()
    check(ndim != 1, "tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor.")
    flipped = transpose(input, -2, -1) if ndim else input
    return flipped.conj() if input.dtype.is_complex else flipped


def _T(self: Tensor) -> Tensor:
    """The tensor with its dimensions in reverse order; for matrices, the transpose."""
    ndim = self.dim()
    if ndim == 0:
        warn("Tensor.T is deprecated on 0-D tensors. This function is the identity in these cases.")
    elif ndim != 2:
        warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will"
            " throw an error in a future release. Consider `x.mT` to transpose batches of matrices or"
            " `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor."
        )
    return permute(self, tuple(range(ndim - 1, -1, -1)))


def _mT(self: Tensor) -> Tensor:
    """A view with the last two dimensions exchanged."""
    ndim = self.dim()
    if ndim == 0:
        warn("Tensor.mT is deprecated on 0-D tensors. This function is the identity in these cases.")
        return self
    check(ndim > 1, "tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return transpose(self, -2, -1)


def _H(self: Tensor) -> Tensor:
    """The conjugate transpose of a matrix, a view."""
    ndim = self.dim()
    if ndim == 0:
        warn("Tensor.H is deprecated on 0-D tensors. Consider using x.conj().")
        return self
    check(
        ndim == 2,
        f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor."
        + (" For batches of matrices, consider using tensor.mH" if ndim > 2 else ""),
    )
    return adjoint(self)


def _mH(self: Tensor) -> Tensor:
    """A view with the last two dimensions exchanged and complex values conjugated."""
    ndim = self.dim()
    if ndim == 0:
        warn("Tensor.mH is deprecated on 0-D tensors. Consider using x.conj().")
        return self
    check(ndim > 1, "tensor.mH is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return adjoint(self)


for _name, _getter in (("T", _T), ("mT", _mT), ("H", _H), ("mH", _mH)):
    setattr(TensorBase, _name, property(_getter))


@composite
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Return a view with the dimensions ``source`` moved to the positions ``destination``, the others in their order.

    >>> torch.movedim(torch.zeros(3, 2, 1), (1, 2), (0, 1)).shape
    torch.Size([2, 1, 3])
    """
    sources = (source,) if isinstance(source, int) else tuple(source)
    targets = (destination,) if isinstance(destination, int) else tuple(destination)
    check(
        len(sources) == len(targets),
        f"movedim: Invalid source or destination dims: source ({show(sources)} dims) should contain the same number of"
        f" dims as destination ({show(targets)} dims)",
    )
    ndim = dispatch.geometry_of(input).size.__len__()
    wrapped = [wrap_dim(d, ndim) for d in sources]
    places = [wrap_dim(d, ndim) for d in targets]
    check(len(set(wrapped)) == len(wrapped), f"movedim: repeated dim in `source` ({show(sources)})")
    check(len(set(places)) == len(places), f"movedim: repeated dim in `destination` ({show(targets)})")
    if ndim == 0:
        return _alias(input)
    rest = iter([d for d in range(ndim) if d not in wrapped])
    order = dict(zip(places, wrapped, strict=True))
    return permute(input, tuple([order[d] if d in order else next(rest) for d in range(ndim)]))


@composite
def moveaxis(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Return a view with dimensions moved to other positions; another name of :func:`torch.movedim`.

    >>> torch.moveaxis(torch.zeros(3, 2, 1), 1, 0).shape
    torch.Size([2, 3, 1])
    """
    return movedim(input, source, destination)


# ---------------------------------------------------------------------------------------------------------------------
# Dimensions of size one, and repeated ones


def _without(g: Geometry, dims: Any) -> Geometry:
    keep = [d for d in range(len(g.size)) if g.size[d] != 1 or d not in dims]
    return permuted(g, keep)


def _squeeze_geometry(g: Geometry, dim: Any) -> Geometry:
    ndim = len(g.size)
    if dim is None:
        return _without(g, range(ndim))
    if isinstance(dim, tuple):
        return _without(g, wrap_dims(dim, ndim) if dim else ())
    return _without(g, (wrap_dim(dim, ndim),))


def _squeeze_node(pattern: Any, dim: Any) -> str:
    return f"SqueezeBackward{0 if dim is None else 2 if isinstance(dim, tuple) else 1}"


@op(view=_squeeze_geometry, node=_squeeze_node)
def squeeze(input: Array, dim: int | Sequence[int] | None = None) -> Array:
    """Return a view without the dimensions of size 1: all of them, or those among ``dim``.

    >>> torch.squeeze(torch.zeros(2, 1, 2, 1)).shape
    torch.Size([2, 2])
    >>> torch.squeeze(torch.zeros(2, 1, 2, 1), 1).shape
    torch.Size([2, 2, 1])
    """
    return input.reshape(_squeeze_geometry(of_shape(input), dim).size)


def _unsqueeze_geometry(g: Geometry, dim: int) -> Geometry:
    d = wrap_dim(dim, len(g.size) + 1)
    step = g.size[d] * g.stride[d] if d < len(g.size) else 1
    return g._replace(size=(*g.size[:d], 1, *g.size[d:]), stride=(*g.stride[:d], step, *g.stride[d:]))


@op(view=_unsqueeze_geometry)
def unsqueeze(input: Array, dim: int) -> Array:
    """Return a view with a dimension of size 1 put in at position ``dim``.

    >>> torch.unsqueeze(torch.tensor([1, 2]), 1)
    tensor([[1],
            [2]])
    """
    return jnp.expand_dims(input, dim)


@op(view=expanded, method="only")
def expand(input: Array, size: VarInts) -> Array:
    """Return a view in which dimensions of size 1 are repeated without a copy; -1 leaves a size as it is.

    More sizes than dimensions put new ones in front.

    >>> torch.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return spread(input, expanded(of_shape(input), size).size)


@composite(method="only")
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Return a view of the tensor expanded to the shape of ``other``.

    >>> torch.tensor([1, 2]).expand_as(torch.zeros(2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return dispatch.call_view(expand.op, (self,), (dispatch.shape_of(other),))


@composite(method=False)
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """Return a view of ``input`` expanded to the shape ``size``.

    >>> torch.broadcast_to(torch.tensor([1, 2, 3]), (2, 3))
    tensor([[1, 2, 3],
            [1, 2, 3]])
    """
    return dispatch.call_view(expand.op, (input,), (as_ints("broadcast_to", "size", 2, size),))


@composite(method="only", name="broadcast_to")
def _broadcast_to_method(self: Tensor, *size: Any, **named: Any) -> Tensor:
    """Return a view of the tensor expanded to the shape ``size``; see :func:`torch.broadcast_to`."""
    return broadcast_to(self, given_ints("broadcast_to", "size", size, named))


@composite(method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return views of the tensors, all expanded to their common shape.

    >>> a, b = torch.broadcast_tensors(torch.arange(3).view(1, 3), torch.zeros(2, 1))
    >>> a.shape, b.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        (tensors,) = tensors
    shape = broadcast_shapes(*[dispatch.shape_of(t) for t in tensors])
    return tuple(
        [t if dispatch.shape_of(t) == shape else dispatch.call_view(expand.op, (t,), (shape,)) for t in tensors]
    )


@op(view=lambda g: g, method=False, node="AliasBackward0")
def _alias(input: Array) -> Array:
    return input


def _at_least(convert: Any, tensors: tuple[Any, ...]) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], tuple | list):
        return convert(tensors[0])
    if len(tensors) == 1:
        (tensors,) = tensors
    return tuple([convert(t) for t in tensors])


@composite(method=False)
def atleast_1d(*tensors: Tensor) -> Any:
    """Return 0-d tensors as views with one dimension, others as they are; a tuple for several tensors.

    >>> torch.atleast_1d(torch.tensor(1.0))
    tensor([1.])
    """
    return _at_least(lambda t: t if t.dim() else t.reshape(1), tensors)


@composite(method=False)
def atleast_2d(*tensors: Tensor) -> Any:
    """Return tensors with fewer than two dimensions as views with two; a tuple for several tensors.

    >>> torch.atleast_2d(torch.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _at_least(lambda t: t if t.dim() > 1 else t.unsqueeze(0) if t.dim() else t.reshape(1, 1), tensors)


@composite(method=False)
def atleast_3d(*tensors: Tensor) -> Any:
    """Return tensors with fewer than three dimensions as views with three; a tuple for several tensors.

    >>> torch.atleast_3d(torch.tensor([1, 2])).shape
    torch.Size([1, 2, 1])
    """

    def convert(t: Tensor) -> Tensor:
        ndim = t.dim()
        if ndim == 0:
            return t.reshape(1, 1, 1)
        if ndim == 1:
            return t.unsqueeze(0).unsqueeze(-1)
        return t.unsqueeze(-1) if ndim == 2 else t

    return _at_least(convert, tensors)
