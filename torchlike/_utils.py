"""How tensors come back from files: the functions that PyTorch's checkpoints name, under the names they have there."""

from __future__ import annotations

import sys
import traceback
import weakref
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from torchlike import _sharing
from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.storage import Storage
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import Geometry, contiguous_strides
from torchlike.nn.parameter import Parameter

# Storages that a tensor looks at already, so that their array keeps its shape.
_claimed: weakref.WeakSet[Storage] = weakref.WeakSet()


def _rebuild_tensor(storage: Any, storage_offset: int, size: Sequence[int], stride: Sequence[int]) -> Any:
    """The tensor of a typed storage."""
    return _tensor(storage._inner, storage.dtype, storage_offset, tuple(size), tuple(stride))


def _rebuild_tensor_v2(
    storage: Any,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    metadata: dict[str, bool] | None = None,
) -> Any:
    tensor = _rebuild_tensor(storage, storage_offset, size, stride)
    if metadata:
        geometry = dispatch.geometry_of(tensor)
        conj, neg = bool(metadata.get("conj")), bool(metadata.get("neg"))
        _sharing.place(tensor, geometry._replace(conj=conj, neg=neg))
    tensor._requires_grad = bool(requires_grad)
    return tensor


def _rebuild_tensor_v3(
    storage: Any,
    storage_offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    requires_grad: bool,
    backward_hooks: Any,
    dtype: dtypes.dtype,
    metadata: dict[str, bool] | None = None,
) -> Any:
    inner = storage._inner
    if inner not in _claimed and isinstance(inner.array, jax.Array) and inner.array.dtype != dtype.np:
        inner.replace(dispatch.layout.put(np.asarray(inner.array).reshape(-1).view(dtype.np), storage.device))
    tensor = _tensor(inner, dtype, storage_offset, tuple(size), tuple(stride))
    tensor._requires_grad = bool(requires_grad)
    return tensor


def _tensor(inner: Storage, dtype: dtypes.dtype, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    geometry = Geometry(size, stride, offset, dtype, False, False)
    if inner not in _claimed:
        _claimed.add(inner)
        _shape(inner, geometry)
    tensor = dispatch.wrap(None)
    tensor._storage = inner
    _sharing.place(tensor, geometry)
    return tensor


def _shape(inner: Storage, geometry: Geometry) -> None:
    """Give the array of a storage the shape of the first tensor on it, if that is all of it: reading costs nothing."""
    array = inner.array
    if geometry.offset or geometry.numel != array.size or array.ndim != 1 or array.dtype != geometry.dtype.np:
        return
    if geometry.stride == contiguous_strides(geometry.size):
        inner.replace(_reshaped(array, geometry.size))
        return
    order = sorted(range(len(geometry.size)), key=lambda d: (-geometry.stride[d], -geometry.size[d]))
    memory = tuple(geometry.size[d] for d in order)
    if tuple(geometry.stride[d] for d in order) == contiguous_strides(memory) and isinstance(array, jax.Array):
        inverse = [order.index(d) for d in range(len(order))]
        inner.replace(array.reshape(memory).transpose(inverse), geometry.stride)


def _reshaped(array: Any, size: tuple[int, ...]) -> Any:
    if isinstance(array, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(size, array.dtype)
    return array if array.shape == size else array.reshape(size)


def _rebuild_parameter(data: Any, requires_grad: bool, backward_hooks: Any) -> Any:
    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(data: Any, requires_grad: bool, backward_hooks: Any, state: Any) -> Any:
    return _set_state(Parameter(data, requires_grad), state)


def _rebuild_meta_tensor_no_storage(
    dtype: dtypes.dtype, size: Sequence[int], stride: Sequence[int], requires_grad: bool
) -> Any:
    inner = Storage(jax.ShapeDtypeStruct(tuple(size), dtype.np))
    tensor = _tensor(inner, dtype, 0, tuple(size), tuple(stride))
    tensor._requires_grad = bool(requires_grad)
    return tensor


def _rebuild_device_tensor_from_numpy(data: Any, dtype: dtypes.dtype, device: Any, requires_grad: bool) -> Any:
    tensor = dispatch.wrap_host(np.asarray(data, dtype.np), device)
    tensor._requires_grad = bool(requires_grad)
    return tensor


def _rebuild_from_type_v2(func: Any, new_type: type, args: tuple[Any, ...], state: Any) -> Any:
    """A tensor of a subclass, or one with attributes of its own."""
    result = func(*args)
    if type(result) is not new_type:
        result = result.as_subclass(new_type)
    own = getattr(new_type, "__setstate__", None)
    if own is not None and own is not getattr(TensorBase, "__setstate__", None):
        own(result, state)
        return result
    return _set_state(result, state)


class ExceptionWrapper:
    """An exception with its traceback as text, so that it can be raised again elsewhere."""

    def __init__(self, exc_info: Any = None, where: str = "in background") -> None:
        kind, value, trace = sys.exc_info() if exc_info is None else exc_info
        self.exc_type: Any = kind
        self.exc_msg = "".join(traceback.format_exception(kind, value, trace))
        self.where = where

    def reraise(self) -> None:
        """Raise the exception, with the text of the first traceback in its message."""
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            raise KeyError(_Unquoted(message))
        if getattr(self.exc_type, "message", None):
            raise self.exc_type(message=message)
        try:
            exception = self.exc_type(message)
        except Exception:  # noqa: BLE001 - whatever its constructor raises
            # An exception whose constructor wants something else.
            raise RuntimeError(message) from None
        raise exception


class _Unquoted(str):
    """A text that KeyError prints as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _set_state(result: Any, state: Any) -> Any:
    """Set attributes: of a dictionary, or of a pair with a dictionary of slots."""
    slots = None
    if isinstance(state, tuple):
        if len(state) != 2:
            raise RuntimeError(f"Invalid serialized state: {state}")
        state, slots = state
    for values in (state, slots):
        for name, value in (values or {}).items():
            setattr(result, name, value)
    return result
