"""Indexing by several tensors at once: what x[i, :, j] and x[i, :, j] = v become, and index_put.

An index is here a list with an entry a dimension: an integer tensor or NumPy array, or None for all of it. Masks become
arrays of positions first, except where a mask alone chooses places for a single value. What comes from lists and masks
stays on the host until the kernel is called: jax hands NumPy arguments over at a tenth of what making an array costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch, layout
from torchlike._core.errors import check, scalar_type
from torchlike._core.kernels import TENSOR, cast
from torchlike._core.lifted import Batched
from torchlike._core.op import Array, ArrayLike, Arrays, Op, composite, defvjp, op, operands_given
from torchlike._core.tensor_state import TensorBase, classes, modes
from torchlike._core.views import Geometry, dense_order
from torchlike._core.warn import warn
from torchlike.ops import _bounds
from torchlike.ops._checks import BARE, UNSIGNED, refuse
from torchlike.ops._geometry import show
from torchlike.ops._positions import added, put_at, wrapped
from torchlike.ops.masked import values_of

__all__ = ["index_put"]

Tensor = Any
Indices = list[Any]


# ---------------------------------------------------------------------------------------------------------------------
# Preparing an index, on the host

_MASKS = ("bool", "uint8")
_INDICES = ("int64", "int32", *_MASKS)


def prepared(shape: Sequence[int], indices: Sequence[Tensor | None]) -> Indices:
    """Check an index against the shape it is for, and expand its masks.

    Returns the index with an entry for each dimension up to the last indexed one. Raises IndexError for dtypes that are
    no indices, masks that do not fit and values out of range.
    """
    full: Indices = []
    for index in indices:
        if index is None:
            full.append(None)
            continue
        if isinstance(index, np.ndarray):
            if index.dtype.kind == "i":
                full.append(index)
            else:
                full.extend(_nonzero(index, shape, len(full)))
            continue
        kind = dispatch.geometry_of(index).dtype.name
        check(kind in _INDICES, "tensors used as indices must be long, int, byte or bool tensors", IndexError)
        if kind in _MASKS:
            full.extend(_nonzero(index, shape, len(full)))
        else:
            full.append(index)
    check(
        len(full) <= len(shape), f"too many indices for tensor of dimension {len(shape)} (got {len(full)})", IndexError
    )
    number = 0
    for dim, index in enumerate(full):
        if index is None:
            continue
        size = shape[dim]
        wrong = _bounds.outside(index, size, -size)
        if wrong is not None:  # what PyTorch calls the dimension counts the index tensors
            _refuse(shape, full, f"index {wrong} is out of bounds for dimension {number} with size {size}")
        number += 1
    return full


def _refuse(shape: Sequence[int], indices: Indices, message: str) -> None:
    """Raise for an index out of range, if PyTorch looks at it: not where nothing is selected."""
    result = result_shape(shape, indices)  # shapes that do not go together are told of first
    count = math.prod(np.broadcast_shapes(*[shape_of(i) for i in indices if i is not None]))
    empty = any(i is not None and shape[d] == 0 for d, i in enumerate(indices))
    check(not (empty and count), "index is out of bounds for dimension with size 0", IndexError)
    check(math.prod(result) == 0, message, IndexError)


def check_mask(mask: Tensor | np.ndarray[Any, Any], shape: Sequence[int], dim: int) -> None:
    """Refuse a mask that has not the sizes of the dimensions from ``dim`` on."""
    sizes = shape_of(mask)
    for d, size in enumerate(sizes):
        check(
            dim + d < len(shape) and size == shape[dim + d],
            f"The shape of the mask {show(sizes)} at index {d} does not match the shape of the indexed tensor"
            f" {show(shape)} at index {dim + d}",
            IndexError,
        )
    if kind_of(mask) == "uint8":
        warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.")


def shape_of(index: Tensor | np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The shape of an index, on the host or not."""
    return index.shape if isinstance(index, np.ndarray) else dispatch.shape_of(index)


def kind_of(index: Tensor | np.ndarray[Any, Any]) -> str:
    """The name of an index's dtype."""
    return index.dtype.name if isinstance(index, np.ndarray) else dispatch.geometry_of(index).dtype.name


def dimensions(index: Tensor | np.ndarray[Any, Any] | int | slice) -> int:
    """How many dimensions of a tensor one part of an index stands for."""
    if isinstance(index, TensorBase | np.ndarray) and kind_of(index) in _MASKS:
        return len(shape_of(index))
    return 1


def _nonzero(mask: Tensor | np.ndarray[Any, Any], shape: Sequence[int], dim: int) -> list[np.ndarray[Any, Any]]:
    check_mask(mask, shape, dim)
    if isinstance(mask, TensorBase) and isinstance(mask._storage.array, Batched):
        raise RuntimeError(
            "vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over"
            " indexing with a boolean mask."
        )
    values = mask if isinstance(mask, np.ndarray) else values_of(mask)
    return list(values.nonzero()) if values.ndim else []


def result_shape(shape: Sequence[int], indices: Sequence[Any]) -> tuple[int, ...]:
    """The shape of x[indices]: what the index tensors broadcast to stands where they stand, or in front if apart."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    shapes = [tuple(i.shape) for i in indices if i is not None]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(map(show, shapes))
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
        ) from None
    rest = [s for d, s in enumerate(shape) if d not in dims]
    if not dims or dims[-1] - dims[0] + 1 != len(dims):
        return (*common, *rest)
    return (*rest[: dims[0]], *common, *rest[dims[0] :])


def check_fits(values: Sequence[int], shape: Sequence[int]) -> None:
    """Refuse values whose shape cannot be broadcast to that of what they are written to."""
    trailing = shape[len(shape) - len(values) :]
    if len(values) > len(shape) or any(v not in (1, s) for v, s in zip(values, trailing, strict=True)):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {show(values)} cannot be broadcast to indexing result of shape"
            f" {show(shape)}"
        )


# ---------------------------------------------------------------------------------------------------------------------
# The kernels


def _folded(shape: Sequence[int], indices: Sequence[Array | None]) -> tuple[int, int, Array] | None:
    """Return (first, last + 1, positions) of adjacent indexed dimensions folded into one; None if they are apart."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    if not dims or dims[-1] - dims[0] + 1 != len(dims):
        return None
    extent = math.prod(shape[d] for d in dims)
    positions: Any = 0
    for d in dims:
        positions = positions * shape[d] + wrapped(indices[d], shape[d], extent)  # type: ignore[arg-type]
    return dims[0], dims[-1] + 1, positions


def _key(shape: Sequence[int], indices: Sequence[Array | None]) -> tuple[Any, ...]:
    """The index as jax takes it."""
    return tuple(slice(None) if i is None else wrapped(i, shape[d]) for d, i in enumerate(indices))


@op(method=False, node="IndexBackward0", out=False)
def _index(input: Array, indices: Arrays) -> Array:
    shape = result_shape(input.shape, indices)
    if math.prod(shape) == 0:
        return jnp.zeros(shape, input.dtype)
    folded = _folded(input.shape, indices)
    if folded is None:
        return input.at[_key(input.shape, indices)].get(mode="clip")
    first, last, positions = folded
    merged = input.reshape(*input.shape[:first], -1, *input.shape[last:])
    return jnp.take(merged, positions, axis=first, mode="clip")


@op(method=False, node="IndexPutBackward0", out=False, inplace=True)
def _index_put(input: Array, indices: Arrays, values: ArrayLike, accumulate: bool) -> Array:
    """``values`` written to, or added at, ``input[indices]``; a mask stands alone, and for a single value."""
    if operands_given()[-1][1] == "number":  # type: ignore[index]
        values = cast(values, input.dtype)
    check(
        input.dtype == values.dtype,
        "Index put requires the source and destination dtypes match, got"
        f" {scalar_type(input.dtype)} for the destination and {scalar_type(values.dtype)} for the source.",
    )
    mask = _only_mask(input.ndim, indices)
    refuse("index_put" if mask is None else "masked_fill", input, UNSIGNED if mask is None else BARE)
    if mask is not None:
        value = values.reshape(())
        return jnp.where(mask, added(input, value) if accumulate else value, input)
    return _put(input, indices, values, accumulate)


def _put(input: Array, indices: Sequence[Array | None], values: Array, accumulate: bool) -> Array:
    shape = result_shape(input.shape, indices)
    check_fits(values.shape, shape)
    values = jnp.broadcast_to(values, shape)
    if math.prod(shape) == 0:
        return input
    if all(index is None for index in indices):
        return added(input, values) if accumulate else values
    folded = _folded(input.shape, indices)
    if folded is None:
        return put_at(input, _key(input.shape, indices), values, accumulate)
    first, last, positions = folded
    merged = input.reshape(*input.shape[:first], -1, *input.shape[last:])
    return put_at(merged, (*(slice(None),) * first, positions), values, accumulate).reshape(input.shape)


def _only_mask(ndim: int, indices: Sequence[Array | None]) -> Array | None:
    """The mask of an index that is a mask, shaped to broadcast against the tensor; else None."""
    for dim, index in enumerate(indices):
        if index is not None:
            if index.dtype != jnp.bool_:
                return None
            return index.reshape(*(1,) * dim, *index.shape, *(1,) * (ndim - dim - index.ndim))
    return None


@defvjp(_index_put)
def _(grad: Any, inputs: Any, outputs: Any, *, accumulate: bool) -> Any:
    _, *indices, values = inputs
    mask = _only_mask(grad.ndim, indices)
    if mask is not None:
        taken = jnp.sum(jnp.where(mask, grad, 0))
        kept = grad if accumulate else jnp.where(mask, 0, grad)
    else:
        taken = _index.op.body(grad, indices)
        kept = grad if accumulate else _put(grad, indices, jnp.zeros((), grad.dtype), False)
    return (kept, *(None for _ in indices), _summed(taken, jnp.shape(values)))


def _summed(grad: Array, shape: tuple[int, ...]) -> Array:
    """Undo a broadcast: sum over what was repeated."""
    extra = grad.ndim - len(shape)
    if extra < 0:
        return jnp.sum(grad).reshape(shape)
    repeated = [extra + d for d, s in enumerate(shape) if s == 1 and grad.shape[extra + d] != 1]
    return jnp.sum(grad, axis=(*range(extra), *repeated)).reshape(shape)


# ---------------------------------------------------------------------------------------------------------------------
# index_put


def get(input: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """Return ``input[indices]``."""
    full = prepared(dispatch.shape_of(input), indices)
    operands, statics = _planned(_index.op, (input, *full), ((-1, len(full)),), inplace=False)
    return laid_out(dispatch.call(_index.op, operands, statics), input, full)


@dataclass(frozen=True, slots=True)
class _Laid:
    """What the rule for the strides of results wants of an operand."""

    _geometry: Geometry


def laid_out(result: Tensor, input: Tensor, indices: Sequence[Any]) -> Tensor:
    """Give a result of indexing the strides that PyTorch gives it, where its operands are not all row-major."""
    tensors = [input, *[i for i in indices if isinstance(i, TensorBase)]]
    if all(t._geometry is None and t._storage.stride is None for t in tensors):
        return result
    shape, before = dispatch.shape_of(result), dispatch.geometry_of(input)
    dims = [d for d, index in enumerate(indices) if index is not None]
    rest = [before.stride[d] for d in range(len(before.size)) if d not in dims]
    wide = len(shape) - len(rest)  # dimensions of the index
    first = dims[0] if dims[-1] - dims[0] + 1 == len(dims) else 0
    operands = [_Laid(Geometry(shape, (*rest[:first], *(0,) * wide, *rest[first:]), 0, before.dtype, False, False))]
    for index in tensors[1:]:
        own = dispatch.geometry_of(index)
        pad = len(rest) - first
        size, stride = (*own.size, *(1,) * pad), (*own.stride, *(0,) * pad)
        operands.append(_Laid(own._replace(size=size, stride=stride)))
    strides = layout.elementwise_strides(result._storage.array, operands)  # type: ignore[arg-type]
    if strides is not None:
        result._storage.replace(result._storage.array, strides)
    return result


def put(input: Tensor, indices: Sequence[Tensor | None], values: Any, accumulate: bool, *, inplace: bool) -> Tensor:
    """Write ``values`` (a tensor or a number) to ``input[indices]``, into it or into a copy."""
    if inplace:
        dispatch.check_inplace(input, (values,), "index_put")
        for other in (values, *indices):
            if isinstance(other, TensorBase) and other._storage is input._storage:
                _check_no_overlap(input, other)
    full = indices if _is_one_mask(input, indices, values) else prepared(dispatch.shape_of(input), indices)
    call = dispatch.call_inplace if inplace else dispatch.call
    statics = (accumulate, (-1, len(full), -1))
    return call(_index_put.op, *_planned(_index_put.op, (input, *full, values), statics, inplace=inplace))


def _planned(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], *, inplace: bool) -> Any:
    """Return the arguments of a call, with a plan made for it if there are NumPy arrays among them.

    The general call path knows no NumPy arrays as operands. Subclasses and modes are shown tensors only.
    """
    if np.ndarray not in map(type, operands):
        return operands, statics
    if type(operands[0]) not in classes.plain or modes.function_modes:
        return tuple([dispatch.wrap_host(x) if type(x) is np.ndarray else x for x in operands]), statics
    types = tuple(map(type, operands + statics))
    plans = op.inplace_plans if inplace else op.plans
    if (types, statics) not in plans:
        entries = [TENSOR if isinstance(x, TensorBase | np.ndarray) else type(x) for x in operands]
        count = statics[-1][1]
        kernel = op.kernel((entries[0], tuple(entries[1 : 1 + count]), *entries[1 + count :]), statics[:-1], inplace)
        tensors = tuple(i for i, x in enumerate(operands) if isinstance(x, TensorBase))
        plans[types, statics] = dispatch.Plan(kernel, tensors, tensors, False)
    return operands, statics


def _check_no_overlap(written: Tensor, read: Tensor) -> None:
    """Refuse to read memory that is written to (PyTorch looks at dense tensors only)."""
    ends = []
    for tensor in (written, read):
        geometry = dispatch.geometry_of(tensor)
        if geometry.numel == 0 or dense_order(geometry.size, geometry.stride) is None:
            return
        ends.append((geometry.offset, geometry.offset + geometry.numel))
    (a, b), (c, d) = ends
    check(
        b <= c or d <= a,
        "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory"
        " location. Please clone() the tensor before performing the operation.",
    )


def _is_one_mask(input: Tensor, indices: Sequence[Tensor | None], values: Any) -> bool:
    """Whether one mask chooses where a single value goes; the mask is checked then."""
    if isinstance(values, TensorBase) and math.prod(dispatch.shape_of(values)) != 1:
        return False
    given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
    if len(given) != 1 or kind_of(given[0][1]) != "bool":
        return False
    dim, mask = given[0]
    check_mask(mask, dispatch.shape_of(input), dim)
    return True


def _checked(name: str, input: Any, indices: Any, values: Any) -> None:
    if not isinstance(indices, list | tuple):
        raise TypeError(
            f"{name}(): argument 'indices' (position 2) must be tuple of Tensors, not {type(indices).__name__}"
        )
    for number, index in enumerate(indices):
        if not isinstance(index, TensorBase):
            raise TypeError(f"expected Tensor as element {number} in argument 1, but got {type(index).__name__}")
    if not isinstance(values, TensorBase):
        raise TypeError(f"{name}(): argument 'values' (position 3) must be Tensor, not {type(values).__name__}")


@composite
def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """Return ``input`` with ``values`` written to (or, with ``accumulate``, added at) ``input[indices]``.

    ``indices`` is a tuple of index tensors or masks as in ``input[i, j]``; ``values`` has the dtype of ``input`` and is
    broadcast to what the index selects. Raises IndexError for an index out of range.

    >>> torch.index_put(torch.zeros(2, 2), (torch.tensor([0, 0]), torch.tensor([1, 1])), torch.ones(2), accumulate=True)
    tensor([[0., 2.],
            [0., 0.]])
    """
    _checked("index_put", input, indices, values)
    return put(input, indices, values, accumulate, inplace=False)


@composite(method="only")
def index_put_(self: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """Write ``values`` to (or, with ``accumulate``, add them at) ``self[indices]``; see :func:`torch.index_put`.

    >>> torch.zeros(3).index_put_((torch.tensor([0, 2]),), torch.tensor([1., 2.]))
    tensor([1., 0., 2.])
    """
    _checked("index_put_", self, indices, values)
    return put(self, indices, values, accumulate, inplace=True)
