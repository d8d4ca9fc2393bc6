"""The picklers of checkpoints: tensors become storages and calls of PyTorch's functions, classes PyTorch's names."""

from __future__ import annotations

import functools
import pickle
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torchlike import _utils
from torchlike._core import device as devices
from torchlike._core import dispatch, layout
from torchlike._core import dtype as dtypes
from torchlike._core.size import Size
from torchlike._core.storage import Storage
from torchlike._core.tensor_state import TensorBase, classes
from torchlike._serialization import names
from torchlike._serialization.types import StorageType, get_layout
from torchlike.nn.parameter import Parameter
from torchlike.storage import TypedStorage, UntypedStorage

PersistentId = Callable[[Any], Any]


def _metadata(geometry: Any) -> tuple[Any, ...]:
    marks = {name: True for name in ("conj", "neg") if getattr(geometry, name)}
    return (marks,) if marks else ()


def _plain(tensor: Any) -> tuple[Any, tuple[Any, ...]]:
    """The function and the arguments that make a tensor, without its class and attributes."""
    geometry = dispatch.geometry_of(tensor)
    requires_grad = bool(tensor.requires_grad)
    size, stride, dtype = tuple(geometry.size), tuple(geometry.stride), geometry.dtype
    if dispatch.device_of(tensor).type == "meta":
        return _utils._rebuild_meta_tensor_no_storage, (dtype, size, stride, requires_grad)
    untyped = UntypedStorage(tensor._storage)
    rest: tuple[Any, ...] = (geometry.offset, size, stride, requires_grad, OrderedDict())
    if names.storage_class(dtype) is None:
        return _utils._rebuild_tensor_v3, (untyped, *rest, dtype, *_metadata(geometry))
    typed = TypedStorage(wrap_storage=untyped, dtype=dtype)
    return _utils._rebuild_tensor_v2, (typed, *rest, *_metadata(geometry))


def reduce(obj: Any) -> Any:
    """What is written for an object: a name, a call, or NotImplemented for what pickle knows how to write."""
    if isinstance(obj, TensorBase):
        return _reduce_tensor(obj)
    if isinstance(obj, dtypes.dtype):
        return obj.name
    if isinstance(obj, (type, types.FunctionType)):
        return obj.__qualname__ if names.written(obj) is not None else NotImplemented
    if isinstance(obj, Size):
        return Size, (tuple(obj),)
    if isinstance(obj, devices.device):
        return devices.device, ((obj.type,) if obj.index is None else (obj.type, obj.index))
    if isinstance(obj, layout.layout):
        return get_layout, (str(obj),)
    return NotImplemented


def _reduce_tensor(tensor: Any) -> Any:
    kind: Any = type(tensor)
    if kind is Parameter:
        arguments: tuple[Any, ...] = (tensor.data, tensor.requires_grad, OrderedDict())
        if tensor.__dict__:
            return _utils._rebuild_parameter_with_state, (*arguments, dict(tensor.__dict__))
        return _utils._rebuild_parameter, arguments
    plain: Any = classes.tensor
    base: Any = object
    if kind.__reduce_ex__ not in (plain.__reduce_ex__, base.__reduce_ex__):
        return NotImplemented
    function, given = _plain(tensor)
    if kind is classes.tensor and not tensor.__dict__:
        return function, given
    state = tensor.__dict__ if kind.__getstate__ is base.__getstate__ else tensor.__getstate__()
    return _utils._rebuild_from_type_v2, (function, kind, given, dict(state) if isinstance(state, dict) else state)


@functools.cache
def pickler(module: Any) -> type:
    """The class of picklers made from a pickle module; ``by_id`` is the function that recognizes storages."""
    # The pickler in Python: only there can the names be written as PyTorch's.
    base: Any = pickle._Pickler if module is pickle else module.Pickler

    class Pickler(base):  # type: ignore[misc]
        by_id: PersistentId

        def persistent_id(self, obj: Any) -> Any:
            return self.by_id(obj)

        def reducer_override(self, obj: Any) -> Any:
            reduced = reduce(obj)
            if reduced is NotImplemented and hasattr(base, "reducer_override"):
                return base.reducer_override(self, obj)
            return reduced

        def save_global(self, obj: Any, name: Any = None) -> None:
            path = names.written(obj)
            if path is None or "." in path[1]:
                base.save_global(self, obj, name)
                return
            if self.proto >= 4:
                self.save(path[0])
                self.save(path[1])
                self.write(pickle.STACK_GLOBAL)
            else:
                self.write(pickle.GLOBAL + "\n".join([*path, ""]).encode("utf-8"))
            self.memoize(obj)

    return Pickler


@functools.cache
def unpickler(module: Any) -> type:
    """The class of unpicklers made from a pickle module, that finds PyTorch's names in this package."""

    class Unpickler(module.Unpickler):  # type: ignore[misc]
        def find_class(self, mod_name: str, name: str) -> Any:
            if isinstance(name, str) and "Storage" in name:
                try:
                    return StorageType(name)
                except KeyError:
                    pass
            if mod_name == "torch.tensor":
                mod_name = "torch._tensor"
            if names.is_torch(mod_name):
                return names.found(mod_name, name)
            return super().find_class(mod_name, name)

    return Unpickler


def storage_of(obj: Any) -> tuple[Storage, dtypes.dtype, Any, int] | None:
    """Of a storage object: the storage, its dtype, the class that names it, the number of elements. None for others."""
    if isinstance(obj, TypedStorage):
        kind = names.storage_class(obj.dtype)
        return obj._inner, obj.dtype, kind, obj.size()
    if isinstance(obj, UntypedStorage):
        return obj._inner, dtypes.uint8, UntypedStorage, obj.nbytes()
    return None
