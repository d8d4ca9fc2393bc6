"""x[...] and x[...] = v for every index that PyTorch takes.

An index is applied in two steps. Integers, slices, None and ``...`` give a view: without a graph to record, its
geometry is worked out in one go; with one, it is the chain of view operators that PyTorch records. What tensors, masks
and lists are left then becomes one ``index`` or ``index_put_`` of that view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from operator import index as to_int
from types import EllipsisType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike import _construct
from torchlike._core import device as devices
from torchlike._core import dispatch, layout, override, tape
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.kernels import cast
from torchlike._core.lifted import is_unknown
from torchlike._core.tensor_state import TensorBase, classes, modes
from torchlike._core.views import Geometry
from torchlike.ops import _bounds, advanced
from torchlike.ops._geometry import expanded, span
from torchlike.ops.copy import copy_
from torchlike.ops.shape import _alias, unsqueeze
from torchlike.ops.slicing import _slice, select

__all__ = ["getitem", "setitem"]

Tensor = Any

_NO_DIMENSION = (
    "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim"
    " tensor to a number"
)


def _no_dimension(index: int) -> str:
    return f"index {index} is out of bounds for dimension 0 with size 0" if index else _NO_DIMENSION


# ---------------------------------------------------------------------------------------------------------------------
# Reading


def getitem(self: Tensor, index: Any) -> Tensor:
    """Return ``self[index]``: a view where the index has only integers, slices, None and ``...``, else a copy."""
    if type(self) not in classes.plain or modes.function_modes:
        handled, result = _overridden(getitem, self, (index,))
        if handled:
            return result
    kind = type(index)
    if kind is int:
        return _selected(self, index)
    if kind is slice:
        return _sliced(self, index)
    if kind is not tuple:
        if index is None:
            return dispatch.call_view(unsqueeze.op, (self,), (0,))
        if index is Ellipsis:
            return dispatch.call_view(_alias.op, (self,), ())
        if _foreign(index):
            handled, result = _overridden(getitem, self, (index,))
            if handled:
                return result
        tensor = isinstance(index, TensorBase)
        if tensor and dispatch.shape_of(index) and dispatch.geometry_of(index).dtype is dtypes.int64:
            return advanced.get(self, (index,))
        index = _as_tuple(index)
    view, indices = _viewed(self, index)
    if indices:
        return _gathered(view, indices)
    return dispatch.call_view(_alias.op, (self,), ()) if view is self else view


def _selected(self: Tensor, index: int) -> Tensor:
    shape = dispatch.shape_of(self)
    if not shape:
        raise IndexError(_no_dimension(index))
    size = shape[0]
    if not -size <= index < size:
        check(-(2**63) <= index < 2**63, "Overflow when unpacking long long", ValueError)
        raise IndexError(f"index {index} is out of bounds for dimension 0 with size {size}")
    return dispatch.call_view(select.op, (self,), (0, index))


def _sliced(self: Tensor, index: slice) -> Tensor:
    check(bool(dispatch.shape_of(self)), "slice() cannot be applied to a 0-dim tensor.", IndexError)
    start, stop, step = _slice_bounds(index)
    return dispatch.call_view(_slice.op, (self,), (0, start, stop, step))


def _gathered(view: Tensor, indices: list[Any]) -> Tensor:
    """Index a view by tensors and masks."""
    found = _by_mask_on_host(view, indices)
    return advanced.get(view, indices) if found is None else found


def _by_mask_on_host(view: Tensor, indices: list[Any]) -> Tensor | None:
    """Read by one mask without a kernel, as XLA would compile one for every number of True elements.

    Only for CPU tensors whose gradient is not recorded.
    """
    if _recording(view) or (key := _mask_key(view, indices)) is None:
        return None
    result = dispatch.wrap_host(np.asarray(dispatch.array_of(view))[key])
    return advanced.laid_out(result, view, [*indices[:-1], *[True] * advanced.dimensions(indices[-1])])


def _mask_key(view: Tensor, indices: list[Any]) -> tuple[Any, ...] | None:
    """The index as NumPy takes it, if it is one mask and all is on the CPU."""
    mask = indices[-1]
    if not _on_host(view) or any(i is not None for i in indices[:-1]) or advanced.kind_of(mask) != "bool":
        return None
    if not isinstance(mask, np.ndarray):
        if not _on_host(mask):
            return None
        advanced.check_mask(mask, dispatch.shape_of(view), len(indices) - 1)
        mask = np.asarray(dispatch.array_of(mask))
    else:
        advanced.check_mask(mask, dispatch.shape_of(view), len(indices) - 1)
    return (*(slice(None),) * (len(indices) - 1), mask)


def _on_host(tensor: Tensor) -> bool:
    array = tensor._storage.array
    return dispatch.device_of(tensor) is devices.CPU and not is_unknown(array)


def _recording(tensor: Tensor) -> bool:
    return modes.grad and tape.requires_grad(tensor)


# ---------------------------------------------------------------------------------------------------------------------
# Writing


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """Write ``value``, a tensor or a number, to ``self[index]``; it is broadcast to what the index selects."""
    if type(self) not in classes.plain or modes.function_modes or _foreign(index) or _foreign(value):
        handled, _ = _overridden(setitem, self, (index, value))
        if handled:
            return
    value = _value(self, value)
    if index is False:
        return
    if index is True:
        index = None
    if type(index) is not tuple:
        index = (index,) if type(index) in (int, slice) else _as_tuple(index)
    if len(index) == 1 and not dispatch.shape_of(self):
        if isinstance(index[0], int) and not isinstance(index[0], bool):
            raise IndexError(_no_dimension(index[0]))
        check(not isinstance(index[0], slice), "slice() cannot be applied to a 0-dim tensor.", IndexError)
    view, indices = _viewed(self, index)
    if indices:
        _scattered(view, indices, value)
    else:
        _copied(view, value)


def _value(self: Tensor, value: Any) -> Any:
    """Check a value that is assigned: a tensor stays, a number must be one the element type can hold."""
    if isinstance(value, TensorBase):
        return value
    kind = dispatch.geometry_of(self).dtype
    if isinstance(value, (bool, int, float, complex, np.integer)):
        if isinstance(value, np.generic):
            value = value.item()
        if type(value) is int:
            check(-(2**63) <= value < 2**63, "Overflow when unpacking long long", ValueError)
        small = kind.is_floating_point and kind.itemsize <= 2
        if not small:
            _bounds.check_number(value, kind.np)
        elif isinstance(value, complex):  # the small floats take any real number, as infinity
            _bounds.check_number(value, np.dtype(np.float64))
        return value
    name = type(value).__name__
    given = f"{type(value).__module__}.{name}" if isinstance(value, (np.ndarray, np.generic)) else name
    device = dispatch.device_of(self).type
    where = "" if device == "cpu" else f"{device}."
    raise TypeError(f"can't assign a {given} to a torch.{where}{scalar_type(kind)}Tensor")


def _without_leading_ones(value: Tensor, ndim: int) -> Tensor:
    """Drop a value's leading dimensions of size 1 where it has more dimensions than what it is written to."""
    shape = dispatch.shape_of(value)
    if len(shape) <= ndim:
        return value
    first = next((d for d, size in enumerate(shape) if size != 1), len(shape))
    return value.reshape(shape[first:]) if first else value


def _copied(view: Tensor, value: Any) -> None:
    """Write to a view."""
    shape = dispatch.shape_of(view)
    if isinstance(value, TensorBase):
        value = _without_leading_ones(value, len(shape))
        if dispatch.shape_of(value) != shape:
            expanded(dispatch.geometry_of(value), shape)  # raises PyTorch's sentence where they do not fit
        graph = modes.levels or (modes.grad and (tape.requires_grad(view) or tape.requires_grad(value)))
        if graph or dispatch.device_of(value) is not dispatch.device_of(view):
            copy_(view, value)
            return
        dispatch.check_inplace(view)
        array = dispatch.array_of(value)
    elif modes.levels or _recording(view):
        copy_(view, value)
        return
    else:
        dispatch.check_inplace(view)
        array = value
    if view._geometry is None:  # all of a storage: its new array must have its shape and type
        kind = dispatch.geometry_of(view).dtype.np
        if getattr(array, "shape", None) != shape or array.dtype != kind:
            array = array if isinstance(array, jax.ShapeDtypeStruct) else _filled(array, shape, kind)
    dispatch.write(view, array)


@partial(jax.jit, static_argnums=(1, 2))
def _filled(value: Any, shape: tuple[int, ...], kind: Any) -> jax.Array:
    return jnp.broadcast_to(cast(value, kind), shape)


def _scattered(view: Tensor, indices: list[Any], value: Any) -> None:
    """Write by tensors and masks."""
    if isinstance(value, TensorBase):
        if dispatch.device_of(value) is not dispatch.device_of(view) and not dispatch.shape_of(value):
            value = dispatch.move(value, dispatch.device_of(view))
        value = _without_leading_ones(value, 0)
        if _by_mask_written(view, indices, value):
            return
    advanced.put(view, indices, value, False, inplace=True)


def _by_mask_written(view: Tensor, indices: list[Any], value: Tensor) -> bool:
    """Write several values by one mask on the host, where a read would be made there too; returns whether it did."""
    if math.prod(dispatch.shape_of(value)) == 1 or not _on_host(value):
        return False
    if modes.grad and (tape.requires_grad(view) or tape.requires_grad(value)):
        return False
    key = _mask_key(view, indices)
    source, target = dispatch.geometry_of(value), dispatch.geometry_of(view)
    if key is None or source.dtype is not target.dtype or target.dtype.name.startswith("uint"):
        return False
    dispatch.check_inplace(view)
    mask = key[-1]
    selected = (int(np.count_nonzero(mask)), *target.size[len(key) - 1 + mask.ndim :])
    advanced.check_fits(source.size, (*target.size[: len(key) - 1], *selected))
    values = np.array(dispatch.array_of(view))
    values[key] = np.asarray(dispatch.array_of(value))
    dispatch.write(view, layout.put(values))
    return True


def delitem(self: Tensor, index: Any) -> None:
    """Refuse ``del self[index]``."""
    raise TypeError("Tensor does not support deleting items")


# ---------------------------------------------------------------------------------------------------------------------
# The basic part of an index


def _viewed(self: Tensor, index: tuple[Any, ...]) -> tuple[Tensor, list[Any]]:
    """Apply the integers, slices, None and ``...`` of an index; returns the view and the tensors left, by dimension."""
    ndim = len(dispatch.shape_of(self))
    items = [item if type(item) in _BASIC else _item(item) for item in index]
    specified = sum([_dimensions(item) for item in items])
    if specified > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    steps = _Chain(self) if _recording(self) or type(self) not in classes.plain else _Direct(self)
    indices: list[Any] = []
    covered = 0  # dimensions that the entries of indices stand for
    dim = 0
    for position, item in enumerate(items):
        kind = type(item)
        if kind is int:
            steps.select(dim, item, position)
        elif kind is slice:
            steps.slice(dim, item)
            dim += 1
        elif kind is EllipsisType:
            dim += ndim - specified
        elif item is None or kind is bool:
            steps.unsqueeze(dim)
            if kind is bool:
                covered = _note(indices, covered, dim, _one_mask(item))
            dim += 1
        elif not advanced.shape_of(item) and not _differs(item):
            if advanced.kind_of(item) in ("bool", "uint8"):
                steps.unsqueeze(dim)
                covered = _note(indices, covered, dim, _one_mask(bool(item)))
                dim += 1
            else:
                steps.select(dim, _number(item), position)
        else:
            covered = dim = _note(indices, covered, dim, item)
    return steps.result(), indices


_BASIC = frozenset({int, slice, EllipsisType, type(None), bool})


def _item(item: Any) -> Any:
    """Return one part of an index as an int, a slice, None, ``...``, a bool or a tensor."""
    if isinstance(item, TensorBase):
        kind = dispatch.geometry_of(item).dtype
        if kind.is_floating_point or kind.is_complex:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        return item
    if isinstance(item, np.integer):
        return int(item)
    if isinstance(item, (list, tuple, range, np.ndarray, str, bytes)) or (
        isinstance(item, Sequence) and not isinstance(item, slice)
    ):
        return _sequence(item)
    if hasattr(type(item), "__index__") and not isinstance(item, (np.generic, float)):
        return to_int(item)
    name = type(item).__name__
    given = f"numpy.{name}" if isinstance(item, np.generic) else name
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices"
        f" (got {given})"
    )


def _sequence(item: Any) -> np.ndarray[Any, Any]:
    """Return a sequence as an index: a mask from bools (and uint8), else int64."""
    if isinstance(item, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(item).__name__}'")
    try:
        values = np.asarray(item)
    except (ValueError, TypeError, RuntimeError):
        values = None  # ragged, or with tensors inside
    if values is None or values.dtype.kind not in "biuf":
        if values is not None and values.dtype.kind in "US":
            raise TypeError("new(): invalid data type 'str'")
        if values is not None and values.dtype.kind == "O" and _too_large(item):
            raise ValueError("Overflow when unpacking long long")
        values = np.asarray(_construct.tensor(item, dtype=dtypes.int64))
    if values.dtype.name not in ("bool", "uint8"):
        values = values.astype(np.int64)  # a copy: the caller's array may change before a backward reads it
    elif isinstance(item, np.ndarray):
        values = values.copy()
    return values


def _too_large(item: Any) -> bool:
    if isinstance(item, int):
        return not -(2**63) <= item < 2**63
    return isinstance(item, (list, tuple)) and any(map(_too_large, item))


def _as_tuple(index: Any) -> tuple[Any, ...]:
    """Return an index that is no tuple as one; a short list with more in it than numbers counts as one."""
    if isinstance(index, tuple):
        return tuple(index)
    if isinstance(index, list) and len(index) < 32:
        for part in index:
            if part is None or part is Ellipsis or isinstance(part, (TensorBase, slice, list, tuple, np.ndarray, str)):
                return tuple(index)
    return (index,)


def _dimensions(item: Any) -> int:
    """How many dimensions a part of an index uses up."""
    if item is None or item is Ellipsis or type(item) is bool:
        return 0
    return advanced.dimensions(item)


def _note(indices: list[Any], covered: int, dim: int, index: Any) -> int:
    """Append an index tensor for the dimensions from ``dim`` on; returns the dimension after them."""
    indices.extend([None] * (dim - covered))
    indices.append(index)
    return dim + _dimensions(index)


def _one_mask(value: bool) -> np.ndarray[Any, Any]:
    return np.array([value])


def _differs(index: Tensor | np.ndarray[Any, Any]) -> bool:
    """Whether an index stands for a number that is not known, or is another in each example of a batch."""
    return (
        isinstance(index, TensorBase)
        and is_unknown(dispatch.array_of(index))
        and (advanced.kind_of(index) not in ("bool", "uint8"))
    )


def _number(index: Tensor | np.ndarray[Any, Any]) -> int:
    return int(index if isinstance(index, np.ndarray) else np.asarray(dispatch.array_of(index)))


def _slice_bounds(item: slice) -> tuple[int | None, int | None, int]:
    """The start, stop and step of a slice as integers, None where they are left out."""
    step = 1 if item.step is None else _bound(item.step)
    check(step != 0, "slice step cannot be zero", ValueError)
    check(step > 0, "step must be greater than zero", ValueError)
    start = None if item.start is None else _bound(item.start)
    stop = None if item.stop is None else _bound(item.stop)
    return start, stop, step


def _bound(value: Any) -> int:
    try:
        return value if type(value) is int else to_int(value)
    except TypeError:
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None


class _Direct:
    """Works out the geometry of a view in one go."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.before = dispatch.geometry_of(tensor)
        self.size = list(self.before.size)
        self.stride = list(self.before.stride)
        self.offset = self.before.offset
        self.changed = False

    def select(self, dim: int, index: int, position: int) -> None:
        size = self.size.pop(dim)
        if not -size <= index < size:
            raise _out_of_bounds(index, position, size)
        self.offset += (index + size if index < 0 else index) * self.stride.pop(dim)
        self.changed = True

    def slice(self, dim: int, item: slice) -> None:
        if item.start is None and item.stop is None and item.step is None:
            return
        start, stop, step = _slice_bounds(item)
        first, length = span(self.size[dim], start, stop, step)
        if first == 0 and length == self.size[dim] and step == 1:
            return
        self.offset += first * self.stride[dim]
        self.size[dim] = length
        self.stride[dim] *= step
        self.changed = True

    def unsqueeze(self, dim: int) -> None:
        step = self.size[dim] * self.stride[dim] if dim < len(self.size) else 1
        self.size.insert(dim, 1)
        self.stride.insert(dim, step)
        self.changed = True

    def result(self) -> Tensor:
        if not self.changed:
            return self.tensor
        before = self.before
        geometry = Geometry(tuple(self.size), tuple(self.stride), self.offset, before.dtype, before.conj, before.neg)
        return dispatch.as_view(self.tensor, geometry)


class _Chain:
    """Applies one view operator after the other, each recorded."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def select(self, dim: int, index: int, position: int) -> None:
        size = dispatch.shape_of(self.tensor)[dim]
        if not -size <= index < size:
            raise _out_of_bounds(index, position, size)
        self.tensor = dispatch.call_view(select.op, (self.tensor,), (dim, index))

    def slice(self, dim: int, item: slice) -> None:
        start, stop, step = _slice_bounds(item)
        size = dispatch.shape_of(self.tensor)[dim]
        # As PyTorch: looked at before negative bounds are counted from the end.
        if not start and (stop is None or stop >= size) and step == 1:
            return
        self.tensor = dispatch.call_view(_slice.op, (self.tensor,), (dim, start, stop, step))

    def unsqueeze(self, dim: int) -> None:
        self.tensor = dispatch.call_view(unsqueeze.op, (self.tensor,), (dim,))

    def result(self) -> Tensor:
        return self.tensor


def _out_of_bounds(index: int, position: int, size: int) -> Exception:
    if not -(2**63) <= index < 2**63:
        return ValueError("Overflow when unpacking long long")
    return IndexError(f"index {index} is out of bounds for dimension {position} with size {size}")


# ---------------------------------------------------------------------------------------------------------------------
# __torch_function__


def _foreign(value: Any) -> bool:
    return type(value) not in classes.plain and hasattr(type(value), "__torch_function__")


def _overridden(function: Any, self: Tensor, rest: tuple[Any, ...]) -> tuple[bool, Any]:
    """Give ``__torch_function__`` of a mode or of a subclass the first say."""
    if modes.function_disabled == override.EVERYTHING:
        return False, None
    found = override.overloaded((self, *rest))
    if not found and not modes.function_modes:
        return False, None
    method = getattr(classes.tensor, "__getitem__" if function is getitem else "__setitem__")
    return True, override.ask(method, (self, *rest), None, found)
