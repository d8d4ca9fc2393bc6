"""Tensors put together: concatenated, stacked, repeated, and laid out as grids."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch, layout
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_ints, given_ints
from torchlike._core.errors import check, not_implemented, scalar_type, wrap_dim
from torchlike._core.op import NO_OPMATH, Array, Arrays, VarInts, composite, defvjp, op, operands_given
from torchlike._core.promote import can_cast, compute_and_result
from torchlike._core.tensor_state import TensorBase
from torchlike._core.warn import warn
from torchlike.ops._arrays import spread
from torchlike.ops._fill import check_sizes
from torchlike.ops._geometry import show
from torchlike.ops.index import index_select
from torchlike.ops.shape import atleast_1d, atleast_2d, atleast_3d

__all__ = [
    "block_diag",
    "cartesian_prod",
    "cat",
    "column_stack",
    "combinations",
    "concat",
    "concatenate",
    "dstack",
    "hstack",
    "meshgrid",
    "repeat_interleave",
    "row_stack",
    "stack",
    "tile",
    "vstack",
]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# End to end


def _common(tensors: Arrays) -> tuple[Array, ...]:
    """The arrays in their common dtype."""
    if all(t.dtype == tensors[0].dtype for t in tensors):
        return tuple(tensors)
    wanted = compute_and_result(NO_OPMATH, [g for g in operands_given() if g is not None])[0]
    return tuple([t.astype(wanted) for t in tensors])


def _joined(tensors: Arrays, dim: int) -> tuple[list[int], int]:
    """Which of the arrays count (PyTorch skips those of shape (0,)), and the dimension counted from the front."""
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, t in enumerate(tensors):
        check(t.ndim > 0, f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    kept = [i for i, t in enumerate(tensors) if t.shape != (0,)]
    if not kept:
        return [], wrap_dim(dim, 1)
    first = tensors[kept[0]]
    dim = wrap_dim(dim, first.ndim)
    for i in kept:
        shape = tensors[i].shape
        check(
            len(shape) == first.ndim,
            f"Tensors must have same number of dimensions: got {first.ndim} and {len(shape)}",
        )
        for d, (have, wanted) in enumerate(zip(shape, first.shape, strict=True)):
            check(
                d == dim or have == wanted,
                f"Sizes of tensors must match except in dimension {dim}. Expected size {wanted} but got size"
                f" {have} for tensor"
                f" number {i} in the list.",
            )
    return kept, dim


@op(method=False, node="CatBackward0")
def _cat(tensors: Arrays, dim: int = 0) -> Array:
    kept, dim = _joined(tensors, dim)
    same = _common(tensors)
    return lax.concatenate([same[i] for i in kept], dim) if kept else same[0]


@defvjp(_cat)
def _(grad: Any, inputs: Any, outputs: Any, dim: int) -> Any:
    (tensors,) = inputs if isinstance(inputs[0], tuple) else (inputs,)
    kept, dim = _joined(tensors, dim)
    ends = np.cumsum([tensors[i].shape[dim] for i in kept])
    pieces: dict[int, Any] = {}
    for i, end in zip(kept, ends, strict=True):
        pieces[i] = lax.slice_in_dim(grad, end - tensors[i].shape[dim], end, 1, dim)
    return tuple(pieces.get(i) for i in range(len(tensors)))


def _dim_or_axis(dim: int, axis: int | None) -> int:
    return dim if axis is None else axis


@composite(method=False)
def cat(tensors: Any, dim: int = 0, *, out: Tensor | None = None, axis: int | None = None) -> Tensor:
    """Return the tensors joined along a dimension that they all have, in their common dtype.

    All sizes but that of ``dim`` must be equal; tensors of shape (0,) are skipped. Raises RuntimeError otherwise, and
    ValueError for an empty list.

    >>> torch.cat((torch.tensor([[1, 2]]), torch.tensor([[3, 4]])), 0)
    tensor([[1, 2],
            [3, 4]])
    """
    dim = _dim_or_axis(dim, axis)
    if isinstance(tensors, tuple | list) and not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    if out is not None:
        _check_cat_out(tensors, out)
    result = _cat(tensors, dim, out=out)
    if out is None and len(dispatch.shape_of(result)) in (4, 5):
        _lay_channels_last(result, tensors)
    return result


def _check_cat_out(tensors: Any, out: Tensor) -> None:
    target = dispatch.geometry_of(out).dtype
    if not all(can_cast(dispatch.geometry_of(t).dtype, target) for t in tensors):
        raise TypeError(f"torch.cat(): input types can't be cast to the desired output type {scalar_type(target)}")


def _lay_channels_last(result: Tensor, tensors: Any) -> None:
    """A result of channels-last tensors is channels-last."""
    wanted = layout.channels_last if len(dispatch.shape_of(result)) == 4 else layout.channels_last_3d
    for t in tensors:
        if t._geometry is None and t._storage.stride is None:
            return
        g = dispatch.geometry_of(t)
        if g.is_contiguous or not layout.is_in_format(g, wanted):
            return
    stride = layout.channels_last_strides(dispatch.shape_of(result))
    result._storage.replace(result._storage.array, stride)


@composite(method=False)
def concat(tensors: Any, dim: int = 0, *, out: Tensor | None = None, axis: int | None = None) -> Tensor:
    """Return the tensors joined along a dimension; another name of :func:`torch.cat`.

    >>> torch.concat((torch.tensor([1]), torch.tensor([2])))
    tensor([1, 2])
    """
    return cat(tensors, dim, out=out, axis=axis)


@composite(method=False)
def concatenate(tensors: Any, dim: int = 0, *, out: Tensor | None = None, axis: int | None = None) -> Tensor:
    """Return the tensors joined along a dimension; another name of :func:`torch.cat`.

    >>> torch.concatenate((torch.tensor([1]), torch.tensor([2])), axis=0)
    tensor([1, 2])
    """
    return cat(tensors, dim, out=out, axis=axis)


@op(method=False)
def stack(tensors: Arrays, dim: int = 0) -> Array:
    """Return tensors of one shape joined along a new dimension, in their common dtype.

    >>> torch.stack((torch.tensor([1, 2]), torch.tensor([3, 4])), 1)
    tensor([[1, 3],
            [2, 4]])
    """
    check(len(tensors) > 0, "stack expects a non-empty TensorList")
    dim = wrap_dim(dim, tensors[0].ndim + 1)
    for i, t in enumerate(tensors):
        check(
            t.shape == tensors[0].shape,
            f"stack expects each tensor to be equal size, but got {show(tensors[0].shape)} at entry 0 and"
            f" {show(t.shape)} at"
            f" entry {i}",
        )
    return jnp.stack(_common(tensors), dim)


def _checked(name: str, tensors: Any) -> Any:
    if not isinstance(tensors, tuple | list):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}"
        )
    check(len(tensors) > 0, f"{name} expects a non-empty TensorList")
    return tensors


@composite(method=False)
def hstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """Return the tensors joined side by side: along the first dimension of 1-d tensors, else along the second.

    >>> torch.hstack((torch.tensor([1, 2]), torch.tensor([3])))
    tensor([1, 2, 3])
    """
    found = [atleast_1d(t) for t in _checked("hstack", tensors)]
    return cat(found, 0 if len(dispatch.shape_of(found[0])) == 1 else 1, out=out)


@composite(method=False)
def vstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """Return the tensors joined one below the other; 1-d tensors are rows.

    >>> torch.vstack((torch.tensor([1, 2]), torch.tensor([3, 4])))
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([atleast_2d(t) for t in _checked("vstack", tensors)], 0, out=out)


@composite(method=False)
def row_stack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """Return the tensors joined one below the other; another name of :func:`torch.vstack`.

    >>> torch.row_stack((torch.tensor([1, 2]), torch.tensor([3, 4])))
    tensor([[1, 2],
            [3, 4]])
    """
    return vstack(tensors, out=out)


@composite(method=False)
def dstack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """Return the tensors joined along the third dimension.

    >>> torch.dstack((torch.tensor([1, 2]), torch.tensor([3, 4])))
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat([atleast_3d(t) for t in _checked("dstack", tensors)], 2, out=out)


@composite(method=False)
def column_stack(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """Return the tensors joined side by side; 0-d and 1-d tensors are columns.

    >>> torch.column_stack((torch.tensor([1, 2]), torch.tensor([3, 4])))
    tensor([[1, 3],
            [2, 4]])
    """
    found = [
        t if len(shape := dispatch.shape_of(t)) > 1 else t.reshape(math.prod(shape), 1)
        for t in _checked("column_stack", tensors)
    ]
    return hstack(found, out=out)


@op(method=False, out=False, node="BlockDiagBackward0")
def _block_diag(tensors: Arrays) -> Array:
    for i, t in enumerate(tensors):
        check(
            t.ndim <= 2,
            f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {t.ndim} dimensions",
        )
    if not tensors:
        return jnp.zeros((1, 0), dtypes.get_default_dtype().np)
    blocks = [t.reshape((1, t.size) if t.ndim < 2 else t.shape) for t in _common(tensors)]
    rows, columns = (sum(b.shape[d] for b in blocks) for d in (0, 1))
    result = jnp.zeros((rows, columns), blocks[0].dtype)
    row = column = 0
    for b in blocks:
        result = lax.dynamic_update_slice(result, b, (row, column))
        row, column = row + b.shape[0], column + b.shape[1]
    return result


@composite(method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """Return a matrix with the given matrices along its diagonal and zeros elsewhere; vectors are rows.

    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor([3]))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    return _block_diag(tensors)


# ---------------------------------------------------------------------------------------------------------------------
# Repetition


def _repeated(input: Array, repeats: Any) -> Array:
    check(
        len(repeats) >= input.ndim,
        "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
    )
    shape = (1,) * (len(repeats) - input.ndim) + input.shape
    size = tuple([n * r for n, r in zip(shape, repeats, strict=True)])
    check_sizes(size)
    twice = [x for n in shape for x in (1, n)]
    blocks = tuple([x for n, r in zip(shape, repeats, strict=True) for x in (r, n)])
    return spread(input.reshape(twice), blocks).reshape(size)


@op(method="only")
def repeat(input: Array, repeats: VarInts) -> Array:
    """Return the tensor repeated along each dimension, copied; more repeats than dimensions put new ones in front.

    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    return _repeated(input, repeats)


@composite(method=False)
def tile(input: Tensor, dims: Any) -> Tensor:
    """Return the tensor repeated along its last dimensions; fewer repeats than dimensions leave the first ones alone.

    >>> torch.tile(torch.tensor([[1], [2]]), (2,))
    tensor([[1, 1],
            [2, 2]])
    """
    given = as_ints("tile", "dims", 2, dims)
    return input.repeat((1,) * (len(dispatch.shape_of(input)) - len(given)) + given)


@composite(method="only", name="tile")
def _tile_method(self: Tensor, *dims: Any, **named: Any) -> Tensor:
    """Return the tensor repeated along its last dimensions; see :func:`torch.tile`."""
    return tile(self, given_ints("tile", "dims", dims, named))


def _counts(repeats: Tensor, output_size: int | None) -> Any:
    """The index of the input for each element of the output, from a 1-d tensor of counts."""
    g = dispatch.geometry_of(repeats)
    check(len(g.size) == 1, "repeat_interleave only accept 1D vector as repeat")
    if g.dtype not in (dtypes.int32, dtypes.int64):
        not_implemented("repeat_interleave_cpu", g.dtype)
    counts = np.asarray(dispatch.array_of(repeats))
    check(not (counts < 0).any(), "repeats can not be negative")
    check(output_size is None or output_size == counts.sum(), "allocated size does not match required size")
    return np.repeat(np.arange(len(counts), dtype=g.dtype.np), counts)


@composite
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Return each element (each index of ``dim``) repeated in place: all as often, or each by its own count.

    Without ``dim`` the input is flattened. Called with a tensor of counts only, it returns the indices that they
    repeat.

    >>> torch.repeat_interleave(torch.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    >>> torch.repeat_interleave(torch.tensor([[1], [2]]), torch.tensor([1, 2]), dim=0)
    tensor([[1],
            [2],
            [2]])
    """
    if repeats is None:
        return dispatch.wrap_host(_counts(input, output_size), dispatch.device_of(input))
    if dim is None:
        input, dim = input.flatten(), 0
    size = dispatch.shape_of(input)
    dim = wrap_dim(dim, len(size))
    if isinstance(repeats, TensorBase) and math.prod(dispatch.shape_of(repeats)) == 1:
        if dispatch.geometry_of(repeats).dtype not in (dtypes.int32, dtypes.int64):
            not_implemented("repeat_interleave_cpu", dispatch.geometry_of(repeats).dtype)
        counts = np.full(size[dim] if size else 1, int(dispatch.array_of(repeats).reshape(())))
        repeats = dispatch.wrap_host(counts, dispatch.device_of(repeats))
    if not isinstance(repeats, TensorBase):
        check(repeats >= 0, "Repeats must be non-negative")
        size = size or (1,)
        spread = input.reshape(size).unsqueeze(dim + 1).expand((*size[: dim + 1], repeats, *size[dim + 1 :]))
        return spread.contiguous().view((*size[:dim], size[dim] * repeats, *size[dim + 1 :]))
    given = dispatch.shape_of(repeats)
    check(len(given) <= 1, "repeats must be 0-dim or 1-dim tensor")
    check(
        given[0] == size[dim],
        "repeats must have the same size as input along dim, but got repeats.size(0) ="
        f" {given[0]} and input.size({dim}) = {size[dim]}",
    )
    return index_select(input, dim, dispatch.wrap_host(_counts(repeats, output_size), dispatch.device_of(input)))


# ---------------------------------------------------------------------------------------------------------------------
# Grids


@composite(method=False)
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Return views of 1-d tensors, each expanded along the dimensions of the others: the coordinates of a grid.

    ``indexing`` is "ij" (the first tensor runs down the rows) or "xy" (it runs along the columns).

    >>> torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4, 5]), indexing="ij")
    (tensor([[1, 1, 1],
            [2, 2, 2]]), tensor([[3, 4, 5],
            [3, 4, 5]]))
    """
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        tensors = tuple(tensors[0])
    check(len(tensors) > 0, "meshgrid expects a non-empty TensorList")
    first = dispatch.geometry_of(tensors[0]).dtype
    lengths = []
    for t in tensors:
        g = dispatch.geometry_of(t)
        check(g.dtype is first, "meshgrid expects all tensors to have the same dtype")
        check(len(g.size) <= 1, f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {t}")
        lengths.append(g.size[0] if g.size else 1)
    if indexing is None:
        warn("torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.")
        indexing = "ij"
    check(indexing in ("ij", "xy"), f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    swapped = indexing == "xy" and len(tensors) > 1
    given = list(tensors)
    if swapped:
        given[:2], lengths[:2] = given[1::-1], lengths[1::-1]
    grids = []
    for i, t in enumerate(given):
        shape = [1] * len(given)
        shape[i] = lengths[i]
        grids.append(t.view(shape).expand(lengths))
    if swapped:
        grids[:2] = grids[1::-1]
    return tuple(grids)


def _check_vector(t: Tensor) -> None:
    shape = dispatch.shape_of(t)
    check(len(shape) == 1, f"Expect a 1D vector, but got shape {show(shape)}")


@composite(method=False)
def cartesian_prod(*tensors: Any) -> Tensor:
    """Return all combinations of one element of each 1-d tensor, a combination a row; one tensor comes back as it is.

    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([4, 5]))
    tensor([[1, 4],
            [1, 5],
            [2, 4],
            [2, 5]])
    """
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        tensors = tuple(tensors[0])
    for t in tensors:
        _check_vector(t)
    if len(tensors) == 1:
        return tensors[0]
    return stack([g.flatten() for g in meshgrid(*tensors, indexing="ij")], 1)


@composite(method=False)
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all ways to choose ``r`` elements of a 1-d tensor, in its order, a choice a row.

    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    _check_vector(input)
    check(r >= 0, f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty(0)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.asarray(list(choose(range(dispatch.shape_of(input)[0]), r)), np.int64).reshape(-1, r)
    columns = [dispatch.wrap_host(np.ascontiguousarray(c), dispatch.device_of(input)) for c in rows.T]
    return stack([index_select(input, 0, c) for c in columns], 1)
