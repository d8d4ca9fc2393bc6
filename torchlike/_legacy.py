"""The legacy tensor types (``torch.FloatTensor`` ...).

Constructors of tensors of one dtype, and classes to test against.
"""

from __future__ import annotations

import copyreg
from typing import Any

from torchlike import _instances
from torchlike._core import dispatch, errors
from torchlike._core import dtype as dtypes
from torchlike._core.op import composite
from torchlike._core.tensor_state import TensorBase, classes

__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "set_default_tensor_type",
]


class _TensorType(type):
    """The class of the legacy types.

    Calling one makes a tensor, and a tensor of its dtype on its device is an instance.
    """

    dtype: dtypes.dtype

    def __call__(cls, *args: Any, device: Any = None) -> Any:
        return _instances.legacy_tensor(classes.tensor, *args, device=device, dtype=cls.dtype)

    def __instancecheck__(cls, value: object) -> bool:
        return (
            isinstance(value, TensorBase)
            and dispatch.geometry_of(value).dtype is cls.dtype
            and dispatch.device_of(value).type == "cpu"
        )

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _reduce_type(cls: Any) -> Any:
    return _type_of, (cls.dtype,)


def _type_of(dtype: dtypes.dtype) -> Any:
    return globals()[errors.scalar_type_tensor(dtype)]


copyreg.pickle(_TensorType, _reduce_type)


def _tensor_type(dtype: dtypes.dtype) -> Any:
    return _TensorType(errors.scalar_type_tensor(dtype), (), {"dtype": dtype, "__module__": "torch"})


FloatTensor = _tensor_type(dtypes.float32)
DoubleTensor = _tensor_type(dtypes.float64)
HalfTensor = _tensor_type(dtypes.float16)
BFloat16Tensor = _tensor_type(dtypes.bfloat16)
ByteTensor = _tensor_type(dtypes.uint8)
CharTensor = _tensor_type(dtypes.int8)
ShortTensor = _tensor_type(dtypes.int16)
IntTensor = _tensor_type(dtypes.int32)
LongTensor = _tensor_type(dtypes.int64)
BoolTensor = _tensor_type(dtypes.bool)


def set_default_tensor_type(t: Any, /) -> None:
    """Set the default dtype by a legacy type (prefer ``set_default_dtype``).

    >>> torch.set_default_tensor_type(torch.FloatTensor)
    """
    name = t if isinstance(t, str) else f"torch.{t.__name__}"
    short = name.rpartition(".")[2]
    found = [d for d in dtypes.BY_NAME.values() if errors.scalar_type_tensor(d) == short]
    if not found:
        raise TypeError("invalid type object")
    dtypes.set_default_dtype(found[0])


@composite(method="only")
def new(self: Any, *args: Any, device: Any = None) -> Any:
    """Return a fresh tensor of this dtype from sizes or data (legacy; prefer ``new_empty`` and ``new_tensor``).

    >>> torch.ones(1).new([1, 2])
    tensor([1., 2.])
    """
    place = dispatch.device_of(self) if device is None else device
    return _instances.legacy_tensor(classes.tensor, *args, device=place, dtype=self.dtype)
