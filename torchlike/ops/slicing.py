"""Views of a part of a tensor: one index, a range, a diagonal, windows, and tensors cut into pieces."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core.arguments import as_int, as_ints, is_int
from torchlike._core.errors import check, invalid_combination, scalar_type, wrap_dim
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import Geometry
from torchlike.ops._geometry import Ints, of_shape, selected, show, sliced, span

__all__ = [
    "as_strided",
    "chunk",
    "diagonal",
    "dsplit",
    "hsplit",
    "narrow",
    "select",
    "split",
    "split_with_sizes",
    "tensor_split",
    "unbind",
    "vsplit",
]

Tensor = Any


@op(view=selected)
def select(input: Array, dim: int, index: int) -> Array:
    """Return a view of one index of a dimension, without that dimension.

    Raises IndexError for an index out of range and for a 0-d tensor.

    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 0, 1)
    tensor([3, 4])
    """
    return lax.index_in_dim(input, index, wrap_dim(dim, input.ndim), keepdims=False)


@op(view=sliced, method=False, node="SliceBackward0")
def _slice(input: Array, dim: int, start: int | None, end: int | None, step: int) -> Array:
    dim = wrap_dim(dim, input.ndim)
    first, length = span(input.shape[dim], start, end, step)
    return lax.slice_in_dim(input, first, first + (length - 1) * step + 1 if length else first, step, dim)


def slice_view(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """Return a view of every ``step``-th index from ``start`` to ``end``: what ``x[start:end:step]`` is made of."""
    return dispatch.call_view(_slice.op, (input,), (dim, start, end, step))


@composite
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """Return a view of ``length`` indices of a dimension, from ``start`` on (an int or a 0-d integer tensor).

    >>> torch.narrow(torch.tensor([[1, 2, 3], [4, 5, 6]]), 1, 1, 2)
    tensor([[2, 3],
            [5, 6]])
    """
    dim, first = narrowed(dispatch.shape_of(input), dim, start, length)
    return dispatch.call_view(_slice.op, (input,), (dim, first, first + length, 1))


def narrowed(size: Ints, dim: int, start: Any, length: int) -> tuple[int, int]:
    """The dimension and the first index of a narrowing, both counted from the front, after PyTorch's checks."""
    if isinstance(start, TensorBase):
        kind = start.dtype  # type: ignore[attr-defined]
        integral = not (kind.is_floating_point or kind.is_complex) and scalar_type(kind) != "Bool"
        check(start.dim() == 0 and integral, "start must be an 0-dim integral Tensor.")  # type: ignore[attr-defined]
        start = start.item()  # type: ignore[attr-defined]
    if not is_int(start) or not is_int(length):
        signatures = (
            "(Tensor input, int dim, Tensor start, int length)",
            "(Tensor input, int dim, int start, int length)",
        )
        invalid_combination("narrow", [dim, start, length], *signatures)
    check(bool(size), "narrow() cannot be applied to a 0-dim tensor.")
    check(length >= 0, "narrow(): length must be non-negative.")
    dim = wrap_dim(dim, len(size))
    here = size[dim]
    check(
        -here <= start <= here,
        f"start out of range (expected to be in range of [-{here}, {here}], but got {start})",
        IndexError,
    )
    first = start + here if start < 0 else start
    check(first <= here - length, f"start ({first}) + length ({length}) exceeds dimension size ({here}).")
    return dim, first


def _diagonal_geometry(g: Geometry, offset: int, dim1: int, dim2: int) -> Geometry:
    ndim = len(g.size)
    d1, d2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    check(d1 != d2, f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if offset >= 0:
        length = max(min(g.size[d1], g.size[d2] - offset), 0)
        start = g.offset + (offset * g.stride[d2] if length else 0)
    else:
        length = max(min(g.size[d1] + offset, g.size[d2]), 0)
        start = g.offset - (offset * g.stride[d1] if length else 0)
    rest = [d for d in range(ndim) if d not in (d1, d2)]
    return g._replace(
        size=(*[g.size[d] for d in rest], length),
        stride=(*[g.stride[d] for d in rest], g.stride[d1] + g.stride[d2]),
        offset=start,
    )


@op(view=_diagonal_geometry)
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """Return a view of a diagonal of two dimensions, as the last dimension; ``offset`` counts upwards.

    >>> torch.diagonal(torch.tensor([[1, 2, 3], [4, 5, 6]]), 1)
    tensor([2, 6])
    """
    d1, d2 = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    length = _diagonal_geometry(of_shape(input), offset, dim1, dim2).size[-1]
    steps = np.arange(length)
    moved = jnp.moveaxis(input, (d1, d2), (-2, -1))
    return moved[..., steps + max(-offset, 0), steps + max(offset, 0)]


def _unfold_geometry(g: Geometry, dimension: int, size: int, step: int) -> Geometry:
    d = wrap_dim(dimension, len(g.size))
    have, stride = (g.size[d], g.stride[d]) if g.size else (1, 1)
    check(size >= 0, f"size is {size} but must be >= 0")
    check(size <= have, f"maximum size for tensor at dimension {d} is {have} but size is {size}")
    check(step > 0, f"step is {step} but must be > 0")
    if not g.size:
        return g._replace(size=(size,), stride=(1,))
    return g._replace(
        size=(*g.size[:d], (have - size) // step + 1, *g.size[d + 1 :], size),
        stride=(*g.stride[:d], stride * step, *g.stride[d + 1 :], stride),
    )


@op(view=_unfold_geometry, method="only")
def unfold(input: Array, dimension: int, size: int, step: int) -> Array:
    """Return a view of all windows of ``size`` along a dimension, ``step`` apart; the window is a new last dimension.

    >>> torch.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    if not input.ndim:
        return input.reshape(1)[:size]
    d = wrap_dim(dimension, input.ndim)
    count = (input.shape[d] - size) // step + 1
    windows = np.arange(count)[:, None] * step + np.arange(size)
    return jnp.moveaxis(jnp.take(input, windows, axis=d), d + 1, -1)


def as_strided_geometry(
    g: Geometry, size: Ints, stride: Ints, storage_offset: int, origin: Any, nbytes: int
) -> Geometry:
    check(len(size) == len(stride), "mismatch in length of strides and shape")
    check(
        all(s >= 0 for s in stride),
        f"as_strided: Negative strides are not supported at the moment, got strides: {show(stride)}",
    )
    check(
        all(s >= 0 for s in size),
        f"Storage size calculation overflowed with sizes={show(size)} and strides={show(stride)}",
    )
    check(storage_offset >= 0, f"Tensor: invalid storage offset {storage_offset}")
    item = g.dtype.itemsize
    needed = (sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + storage_offset + 1) * item
    check(
        math.prod(size) == 0 or needed <= nbytes,
        f"setStorage: sizes {show(size)}, strides {show(stride)}, storage offset {storage_offset}, and itemsize"
        f" {item} requiring"
        f" a storage size of {needed} are out of bounds for storage of size {nbytes}",
    )
    return g._replace(size=tuple(size), stride=tuple(stride), offset=storage_offset)


@op(view=as_strided_geometry, method=False, node="AsStridedBackward0")
def _as_strided(input: Array, size: Any, stride: Any, storage_offset: int, origin: Any, nbytes: int) -> Array:
    # The memory that the input shows is rebuilt; what lies between its elements is not the input's and carries no
    # gradient.
    places = memory_places(input.shape, *origin)
    wanted = memory_places(size, stride, storage_offset)
    extent = 1 + max(places.max(initial=0), wanted.max(initial=0))
    times = np.bincount(places.reshape(-1), minlength=extent)
    if times.max(initial=0) > 1:
        input = input / times[places].astype(input.dtype)
    return jnp.zeros(extent, input.dtype).at[places].add(input)[wanted]


def memory_places(size: Ints, stride: Ints, offset: int) -> Any:
    found = np.full(tuple(size), offset, np.int64)
    for d, (n, s) in enumerate(zip(size, stride, strict=True)):
        found += (np.arange(n) * s).reshape((-1,) + (1,) * (len(size) - 1 - d))
    return found


@composite
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """Return a view of the tensor's memory with any sizes, strides and offset.

    Raises RuntimeError for negative strides and for what does not lie within the memory.

    >>> torch.as_strided(torch.arange(9), (2, 2), (1, 2), 3)
    tensor([[3, 5],
            [4, 6]])
    """
    return dispatch.call_view(_as_strided.op, (input,), strided_statics(input, size, stride, storage_offset))


def strided_statics(input: Tensor, size: Ints, stride: Ints, storage_offset: int | None) -> tuple[Any, ...]:
    """The static values of ``_as_strided``: what was asked for, and how the input lies in its memory."""
    g = dispatch.geometry_of(input)
    sizes, strides = as_ints("as_strided", "size", 2, size), as_ints("as_strided", "stride", 3, stride)
    offset = g.offset if storage_offset is None else storage_offset
    return sizes, strides, offset, (g.stride, g.offset), input._storage.nbytes


# ---------------------------------------------------------------------------------------------------------------------
# Pieces


def _unbind_geometry(g: Geometry, dim: int) -> tuple[Geometry, ...]:
    d = wrap_dim(dim, len(g.size))
    check(bool(g.size), "Dimension specified as 0 but tensor has no dimensions", IndexError)
    first = g._replace(size=g.size[:d] + g.size[d + 1 :], stride=g.stride[:d] + g.stride[d + 1 :])
    return tuple([first._replace(offset=g.offset + i * g.stride[d]) for i in range(g.size[d])])


@op(view=_unbind_geometry)
def unbind(input: Array, dim: int = 0) -> tuple[Array, ...]:
    """Return views of all indices of a dimension, without that dimension.

    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    dim = wrap_dim(dim, input.ndim)
    return tuple([lax.index_in_dim(input, i, dim, keepdims=False) for i in range(input.shape[dim])])


@defvjp(unbind)
def _(grad: Any, inputs: Any, outputs: Any, dim: int) -> Any:
    (x,) = inputs
    parts = grad if isinstance(grad, tuple) else (grad,)
    return (jnp.stack(parts, wrap_dim(dim, x.ndim)),)


def _pieces(g: Geometry, dim: int, sizes: Ints) -> tuple[Geometry, ...]:
    starts = itertools.accumulate(sizes, initial=0)
    return tuple(
        [
            g._replace(size=(*g.size[:dim], n, *g.size[dim + 1 :]), offset=g.offset + start * g.stride[dim])
            for n, start in zip(sizes, starts, strict=False)
        ]
    )


def _cut(x: Array, dim: int, sizes: Ints) -> tuple[Array, ...]:
    starts = itertools.accumulate(sizes, initial=0)
    return tuple([lax.slice_in_dim(x, a, a + n, 1, dim) for n, a in zip(sizes, starts, strict=False)])


def _join(grad: Any, dim: int) -> Any:
    return (grad if not isinstance(grad, tuple) else lax.concatenate(grad, dim),)


def _equal_sizes(size: Ints, split_size: int, dim: int) -> tuple[int, list[int]]:
    check(bool(size), "split expects at least a 1-dimensional tensor")
    d = wrap_dim(dim, len(size))
    check(split_size >= 0, f"split expects split_size be non-negative, but got split_size={split_size}")
    have = size[d]
    check(
        split_size > 0 or have == 0,
        f"split_size can only be 0 if dimension size is 0, but got dimension size of {have}",
    )
    if have == 0:
        return d, [0]
    full, rest = divmod(have, split_size)
    return d, [split_size] * full + ([rest] if rest else [])


def _split_geometry(g: Geometry, split_size: int, dim: int) -> tuple[Geometry, ...]:
    return _pieces(g, *_equal_sizes(g.size, split_size, dim))


@op(view=_split_geometry, method=False, node="SplitBackward0")
def _split(input: Array, split_size: int, dim: int) -> tuple[Array, ...]:
    return _cut(input, *_equal_sizes(input.shape, split_size, dim))


@defvjp(_split)
def _(grad: Any, inputs: Any, outputs: Any, split_size: int, dim: int) -> Any:
    return _join(grad, wrap_dim(dim, inputs[0].ndim))


def _checked_sizes(size: Ints, split_sizes: Ints, dim: int) -> tuple[int, Ints]:
    check(bool(size), "split expects at least a 1-dimensional tensor")
    d = wrap_dim(dim, len(size))
    check(
        all(n >= 0 for n in split_sizes),
        f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={show(split_sizes)}",
    )
    check(
        sum(split_sizes) == size[d],
        f"split_with_sizes expects split_sizes to sum exactly to {size[d]} (input tensor's size at dimension"
        f" {d}), but got"
        f" split_sizes={show(split_sizes)}",
    )
    return d, split_sizes


def _split_sizes_geometry(g: Geometry, split_sizes: Ints, dim: int) -> tuple[Geometry, ...]:
    return _pieces(g, *_checked_sizes(g.size, split_sizes, dim))


@op(view=_split_sizes_geometry)
def split_with_sizes(input: Array, split_sizes: Sequence[int], dim: int = 0) -> tuple[Array, ...]:
    """Return views of consecutive pieces of the given sizes, which must add up to the size of the dimension.

    >>> torch.split_with_sizes(torch.arange(5), [2, 3])
    (tensor([0, 1]), tensor([2, 3, 4]))
    """
    return _cut(input, *_checked_sizes(input.shape, split_sizes, dim))


@defvjp(split_with_sizes)
def _(grad: Any, inputs: Any, outputs: Any, split_sizes: Ints, dim: int) -> Any:
    return _join(grad, wrap_dim(dim, inputs[0].ndim))


@composite(method=False)
def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return views of consecutive pieces: each of a given size (the last may be smaller), or of the sizes in a list.

    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> torch.split(torch.arange(5), [1, 4])
    (tensor([0]), tensor([1, 2, 3, 4]))
    """
    if isinstance(split_size_or_sections, tuple | list):
        return dispatch.call_view(split_with_sizes.op, (tensor,), (tuple(split_size_or_sections), dim))
    if not hasattr(split_size_or_sections, "__index__"):
        raise TypeError(
            "split_with_sizes(): argument 'split_sizes' (position 2) must be tuple of ints, not"
            f" {type(split_size_or_sections).__name__}"
        )
    return dispatch.call_view(_split.op, (tensor,), (split_size_or_sections, dim))


@composite(method="only", name="split")
def _split_method(self: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return views of consecutive pieces; see :func:`torch.split`."""
    return split(self, split_size, dim)


@composite
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return views of up to ``chunks`` pieces of equal size (the last may be smaller).

    >>> torch.chunk(torch.arange(5), 3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    piece = chunk_size(dispatch.shape_of(input), chunks, dim)
    if piece == 0:
        return dispatch.call_view(split_with_sizes.op, (input,), ((0,) * chunks, dim))
    return dispatch.call_view(_split.op, (input,), (piece, dim))


def chunk_size(size: Ints, chunks: int, dim: int) -> int:
    """The size of the pieces when a dimension is cut into a number of them."""
    chunks = as_int("chunk", "chunks", 2, chunks)
    check(bool(size), "chunk expects at least a 1-dimensional tensor")
    check(chunks > 0, f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    return (size[wrap_dim(dim, len(size))] + chunks - 1) // chunks


@composite
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Return views of a number of nearly equal pieces, or of the pieces between the given indices.

    The number or the indices may also be a tensor of int64 on the CPU.

    >>> torch.tensor_split(torch.arange(7), 3)
    (tensor([0, 1, 2]), tensor([3, 4]), tensor([5, 6]))
    >>> torch.tensor_split(torch.arange(7), (1, 6))
    (tensor([0]), tensor([1, 2, 3, 4, 5]), tensor([6]))
    """
    if isinstance(indices_or_sections, TensorBase):
        given: Any = indices_or_sections
        check(
            scalar_type(given.dtype) == "Long",
            "tensor_split expected tensor_indices_or_sections to have dtype of long, but got"
            f" {scalar_type(given.dtype)}",
        )
        check(
            given.dim() <= 1,
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional"
            " tensor, but got a"
            f" tensor with {given.dim()} dims",
        )
        indices_or_sections = given.tolist()
    size = dispatch.shape_of(input)
    check(bool(size), f"tensor_split expected at least a 1-dimensional tensor, but got a tensor with {len(size)} dims")
    dim = wrap_dim(dim, len(size))
    have = size[dim]
    if isinstance(indices_or_sections, tuple | list):
        bounds = [0, *indices_or_sections, have]
        return tuple([dispatch.call_view(_slice.op, (input,), (dim, a, b, 1)) for a, b in itertools.pairwise(bounds)])
    sections = indices_or_sections
    check(sections > 0, f"number of sections must be larger than 0, got {sections}")
    short, longer = divmod(have, sections)
    edges = [i * short + min(i, longer) for i in range(sections + 1)]
    return tuple([dispatch.call_view(_slice.op, (input,), (dim, a, b, 1)) for a, b in itertools.pairwise(edges)])


def _split_along(name: str, input: Tensor, cut: Any, dim: int, at_least: int) -> tuple[Tensor, ...]:
    size = dispatch.shape_of(input)
    check(
        len(size) >= at_least,
        f"torch.{name} requires a tensor with at least {at_least} dimension, but got a tensor with {len(size)}"
        " dimensions!",
    )
    if not isinstance(cut, tuple | list):
        check(
            cut != 0 and size[dim] % cut == 0,
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {size[dim]}"
            " is not divisible"
            f" by the split_size {cut}!",
        )
    return tensor_split(input, cut, dim)


@composite
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return views of pieces along the second dimension (the first of a 1-d tensor).

    >>> torch.hsplit(torch.arange(4).view(2, 2), 2)
    (tensor([[0],
            [2]]), tensor([[1],
            [3]]))
    """
    return _split_along("hsplit", input, indices_or_sections, 0 if input.dim() == 1 else 1, 1)


@composite
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return views of pieces along the first dimension of a tensor with two or more.

    >>> torch.vsplit(torch.arange(4).view(2, 2), 2)
    (tensor([[0, 1]]), tensor([[2, 3]]))
    """
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@composite
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return views of pieces along the third dimension.

    >>> torch.dsplit(torch.arange(2).view(1, 1, 2), 2)
    (tensor([[[0]]]), tensor([[[1]]]))
    """
    return _split_along("dsplit", input, indices_or_sections, 2, 3)
