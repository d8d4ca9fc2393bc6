"""Making instances of Tensor and its subclasses: the legacy constructors, copies, pickles, subclass results."""

from __future__ import annotations

import copy
import functools
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np

from torchlike import _construct, _sharing
from torchlike._core import dispatch, errors, override, tape
from torchlike._core import dtype as dtypes
from torchlike._core.size import Size
from torchlike._core.storage import Storage
from torchlike._core.tensor_state import TensorBase, classes
from torchlike._core.views import Geometry
from torchlike.ops import _fill
from torchlike.ops.shape import _alias


def legacy_tensor(cls: type, *args: Any, device: Any = None, dtype: dtypes.dtype | None = None) -> Any:
    """``torch.Tensor(2, 3)`` and ``torch.Tensor([1, 2])``: sizes, or data, in the default dtype."""
    target = dtype or dtypes.get_default_dtype()
    if len(args) == 1 and isinstance(args[0], TensorBase):
        source = args[0]
        kind = dispatch.geometry_of(source).dtype
        if kind is not target and dtype is not None:
            raise TypeError(f"expected {_type_name(target)} (got {_type_name(kind)})")
        return as_subclass(_sharing.alias(source), cls)
    if len(args) == 1 and not isinstance(args[0], int | np.integer):
        if isinstance(args[0], tuple) and type(args[0]).__name__ == "Size":
            return _empty(cls, tuple(args[0]), target, device)
        if args[0] is None or isinstance(args[0], float | complex | bool):
            raise TypeError(f"new(): data must be a sequence (got {type(args[0]).__name__})")
        return as_subclass(dispatch.wrap_host(_construct.host_array(args[0], target), device), cls)
    if not all(isinstance(a, int | np.integer) for a in args):
        names = ", ".join(type(a).__name__ for a in args)
        raise TypeError(f"new(): received an invalid combination of arguments - got ({names})")
    return _empty(cls, tuple(int(a) for a in args) or (0,), target, device)


def _empty(cls: type, shape: tuple[int, ...], dtype: dtypes.dtype, device: Any) -> Any:
    for s in shape:
        errors.check(s >= 0, f"Trying to create tensor with negative dimension {s}: {list(shape)}")
    return as_subclass(dispatch.wrap_host(np.zeros(shape, dtype.np), device), cls)


def _type_name(dtype: dtypes.dtype) -> str:
    return errors.scalar_type(dtype)


def shallow_copy(tensor: Any) -> Any:
    """``copy.copy``: another tensor object on the same memory, with the same history."""
    other = _sharing.alias(tensor)
    other.__class__ = type(tensor)
    other._grad_fn, other._output_nr = tensor._grad_fn, tensor._output_nr
    other._requires_grad, other._grad = tensor._requires_grad, tensor._grad
    other.__dict__.update(tensor.__dict__)
    return other


def deep_copy(tensor: Any, memo: dict[int, Any]) -> Any:
    """``copy.deepcopy``: memory of its own; tensors that share memory share it in the copy too."""
    if id(tensor) in memo:
        return memo[id(tensor)]
    if not tensor.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment. "
            " If you were"
            " attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see"
            " https://github.com/pytorch/pytorch/pull/103001"
        )
    storage = tensor._storage
    geometry = dispatch.geometry_of(tensor)
    if geometry.conj or geometry.neg:
        return _without_lazy_bits(tensor, memo)
    copied = memo.get(id(storage))
    if copied is None:
        copied = memo[id(storage)] = Storage(_duplicate(storage), storage.stride)
        memo.setdefault(id(memo), []).append(storage)  # ids in memo are good while the objects live
    copied.version += 1  # PyTorch's copy begins empty and is set to its memory
    other = dispatch.wrap(None)
    other._storage = copied
    other._geometry = tensor._geometry
    other.__class__ = type(tensor)
    memo[id(tensor)] = other
    other._requires_grad = tape.requires_grad(tensor)
    if tensor._grad is not None:
        other._grad = copy.deepcopy(tensor._grad, memo)
    other.__dict__.update(copy.deepcopy(tensor.__dict__, memo))
    return other


def _without_lazy_bits(tensor: Any, memo: dict[int, Any]) -> Any:
    """A copy of a tensor that is still to be conjugated or negated: in its copy that is done."""
    other = dispatch.wrap(dispatch.array_of(tensor))
    other.__class__ = type(tensor)
    other._requires_grad = tape.requires_grad(tensor)
    other.__dict__.update(copy.deepcopy(tensor.__dict__, memo))
    memo[id(tensor)] = other
    return other


def _duplicate(storage: Storage) -> Any:
    """The contents of a storage, safe from later writes: arrays are immutable, shared host memory is not."""
    return storage.array if storage.host is None else storage.array.copy()


def reduce_tensor(tensor: Any) -> Any:
    """Pickling: the storage's bytes, the geometry and the autograd flag; shared storages stay shared in one pickle."""
    if not tensor.is_leaf and tensor.requires_grad:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment."
        )
    geometry = dispatch.geometry_of(tensor)
    state = dict(tensor.__dict__) or None
    # Tensor calls itself a class of a module "torch", where pickle would not find it.
    cls = None if type(tensor) is classes.tensor else type(tensor)
    return (
        rebuild,
        (cls, _PickledStorage.of(tensor._storage), tuple(geometry), tensor._requires_grad, OrderedDict()),
        state,
    )


def reduce_class(cls: type) -> Any:
    """Pickling of classes: Tensor by what it is here, others by their names."""
    return (tensor_class, ()) if cls is classes.tensor else cls.__qualname__


def tensor_class() -> type:
    """Unpickling: the public Tensor class."""
    return classes.tensor


class _PickledStorage:
    """A storage on its way through pickle."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    @classmethod
    def of(cls, storage: Storage) -> _PickledStorage:
        """The one carrier of a storage, so that pickle sees shared storages as one object."""
        found = _carriers.get(storage)
        if found is None:
            found = _carriers[storage] = cls(storage)
        return found

    def __getstate__(self) -> dict[str, Any]:
        storage = self.storage
        return {"array": np.asarray(storage.array), "stride": storage.stride, "device": _device_name(storage)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        array = dispatch.wrap_host(state["array"], state["device"])._storage.array
        self.storage = Storage(array, state["stride"])


_carriers: weakref.WeakKeyDictionary[Storage, _PickledStorage] = weakref.WeakKeyDictionary()


def _device_name(storage: Storage) -> str:
    return str(dispatch.layout.of_array(storage.array))


def rebuild(
    cls: type | None, carrier: _PickledStorage, geometry: tuple[Any, ...], requires_grad: bool, hooks: Any
) -> Any:
    """Unpickling: the tensor that `reduce_tensor` took apart."""
    tensor = dispatch.wrap(None)
    tensor._storage = carrier.storage
    _sharing.place(tensor, Geometry(*geometry))
    if cls is not None:
        tensor.__class__ = cls
    tensor._requires_grad = requires_grad
    return tensor


# ---------------------------------------------------------------------------------------------------------------------
# Subclasses


_NO_PARENT = (
    "Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your class"
    " inherits from Tensor."
)


def as_subclass(tensor: Any, cls: type) -> Any:
    """``Tensor.as_subclass``: the same memory and history as an instance of a subclass."""
    if not (isinstance(cls, type) and issubclass(cls, TensorBase)):
        raise (
            RuntimeError("cls must be a type (got something else)")
            if not isinstance(cls, type)
            else TypeError(_NO_PARENT)
        )
    other = dispatch.call_view(_alias.op, (tensor,), (), True)
    other.__class__ = cls
    return other


def make_subclass(cls: type, data: Any, require_grad: bool) -> Any:
    """``Tensor._make_subclass``: detached, on the same memory, an instance of ``cls``."""
    if not (isinstance(cls, type) and issubclass(cls, TensorBase)):
        raise TypeError(f"cls must be a type (got {type(cls).__name__})" if not isinstance(cls, type) else _NO_PARENT)
    other = _sharing.alias(data)
    with override.DisableTorchFunctionSubclass():
        other.__class__ = cls
        if require_grad:
            _fill.finished(other, True)
    return other


def default_torch_function(cls: type, func: Any, types: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """``Tensor.__torch_function__``: compute as a plain tensor; results are instances of the subclass."""
    if not all(issubclass(cls, t) for t in types):
        return NotImplemented
    with override.DisableTorchFunctionSubclass():
        result = func(*args, **kwargs)
        return result if func in _nowrap() else convert(result, cls)


@functools.cache
def _nowrap() -> frozenset[Any]:
    """The functions whose results stay of the class that they are."""
    tensor: Any = classes.tensor
    return frozenset({tensor._base.__get__, tensor._grad.__get__, tensor.grad.__get__})


def nowrap_functions() -> set[Any]:
    """``torch.overrides.get_default_nowrap_functions``."""
    return set(_nowrap())


def convert(result: Any, cls: type) -> Any:
    """Make results instances of the class of the operands."""
    if cls is classes.tensor:
        return result
    if isinstance(result, TensorBase):
        return result if isinstance(result, cls) else as_subclass(result, cls)
    if isinstance(result, tuple | list) and type(result) is not Size:
        parts = [convert(r, cls) for r in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return result
