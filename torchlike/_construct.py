"""Tensors from Python and NumPy data.

``tensor``, ``as_tensor``, ``asarray``, ``frombuffer`` and the legacy constructors.
"""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np

from torchlike import _sharing
from torchlike._core import device as devices
from torchlike._core import dispatch, errors
from torchlike._core import dtype as dtypes
from torchlike._core.op import composite
from torchlike._core.tensor_state import TensorBase
from torchlike._core.warn import warn
from torchlike.ops._fill import finished
from torchlike.ops.copy import to_device, to_dtype

__all__ = ["as_tensor", "asarray", "from_dlpack", "from_numpy", "frombuffer", "tensor"]

from_numpy = composite(_sharing.from_numpy, method=False, name="from_numpy")
from_dlpack = composite(_sharing.from_dlpack, method=False, name="from_dlpack")

_TYPES = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool, complex: dtypes.complex128}


def as_dtype(value: Any) -> dtypes.dtype | None:
    """A dtype argument as a dtype: Python's types stand for their widest counterparts."""
    if value is None or isinstance(value, dtypes.dtype):
        return value
    found = _TYPES.get(value) if isinstance(value, type) else None
    if found is None:
        raise TypeError(f"tensor(): argument 'dtype' must be torch.dtype, not {type(value).__name__}")
    return found


@composite(method=False, asked="modes")
def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Any:
    """Return a new leaf tensor with a copy of ``data``: a number, nested sequences of numbers, an array or a tensor.

    The dtype is inferred (Python floats give the default dtype, integers int64) unless given. Raises ValueError for
    ragged sequences and TypeError for what holds no numbers.

    >>> torch.tensor([[1., 2.], [3., 4.]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    wanted = as_dtype(dtype)
    if isinstance(data, TensorBase):
        warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or"
            " sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor)."
        )
        place = dispatch.device_of(data) if device is None else devices.resolve(device)
        source = _sharing.alias(data)
        result = to_device(to_dtype(source, wanted or source.dtype), place)
        result = source.clone() if result is source else result
    else:
        result = dispatch.wrap_host(host_array(data, wanted), device)
    return finished(result, requires_grad)


@composite(method="only")
def new_tensor(
    self: Any,
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """Return a new tensor with a copy of ``data``, in this tensor's dtype and on its device unless others are given.

    >>> torch.ones(1, dtype=torch.int64).new_tensor([1, 2])
    tensor([1, 2])
    """
    place = dispatch.device_of(self) if device is None else device
    return tensor(data, dtype=self.dtype if dtype is None else dtype, device=place, requires_grad=requires_grad)


@composite(method=False, asked="modes")
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """Return ``data`` as a tensor, sharing memory and history where no conversion is needed.

    >>> torch.as_tensor([1, 2])
    tensor([1, 2])
    """
    wanted = as_dtype(dtype)
    if isinstance(data, TensorBase):
        place = dispatch.device_of(data) if device is None else devices.resolve(device)
        return to_device(to_dtype(data, wanted or data.dtype), place)  # type: ignore[attr-defined]
    if isinstance(data, np.ndarray) and data.dtype.name in _sharing._NUMPY_NAMES:
        with warnings.catch_warnings():
            if not data.flags.writeable:
                warnings.simplefilter("ignore")
            shared = _sharing.from_numpy(data)
        return to_device(to_dtype(shared, wanted or shared.dtype), devices.resolve(device))
    return dispatch.wrap_host(host_array(data, wanted), device)


@composite(method=False, asked="modes")
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Any:
    """Return ``obj`` (tensor, array, buffer, scalar or sequence) as a tensor; ``copy`` says whether memory is shared.

    None shares where possible, True always copies, False raises ValueError where sharing is not possible. A tensor
    keeps its history unless ``requires_grad`` is False.

    >>> torch.asarray([1, 2])
    tensor([1, 2])
    """
    wanted = as_dtype(dtype)
    if isinstance(obj, TensorBase):
        result = as_tensor(obj, wanted, device)
        if copy and result._storage is obj._storage:
            result = result.clone()
        errors.check(
            copy is not False or result._storage is obj._storage,
            "can't alias tensor with dtype or device given.",
            ValueError,
        )
        if requires_grad and not tape_requires(obj):
            result = finished(result.detach(), True)
        elif requires_grad is None and tape_requires(obj):
            warn(
                "torch.asarray: unspecified requires_grad now defaults to obj.requires_grad instead of False. Pass"
                " requires_grad=False explicitly to get the old behavior and silence this warning."
            )
        elif not requires_grad and tape_requires(obj):
            result = result.detach()
        return result
    if isinstance(obj, jax.Array):
        result = to_dtype(dispatch.wrap(obj), wanted or dtypes.of(obj.dtype))
    elif isinstance(obj, np.ndarray | np.generic) or hasattr(obj, "__dlpack__"):
        shared = (
            _sharing.from_numpy(np.asarray(obj))
            if isinstance(obj, np.ndarray | np.generic)
            else _sharing.from_dlpack(obj)
        )
        result = to_device(to_dtype(shared, wanted or shared.dtype), devices.resolve(device))
        if copy and result is shared:
            result = result.clone()
    elif isinstance(obj, bytes | bytearray | memoryview):
        result = frombuffer(obj, dtype=wanted or dtypes.get_default_dtype())
        result = result.clone() if copy else result
    else:
        errors.check(copy is not False, "can't alias arbitrary sequence into a tensor.", ValueError)
        result = dispatch.wrap_host(host_array(obj, wanted), device)
    return finished(result, bool(requires_grad))


def tape_requires(t: Any) -> bool:
    """Whether a tensor takes part in a graph."""
    return bool(t.requires_grad)


@composite(method=False, asked="nobody")
def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Any:
    """Return a 1-d tensor over the memory of a Python buffer, from byte ``offset``, ``count`` elements (-1: all).

    >>> torch.frombuffer(bytearray([1, 0, 2, 0]), dtype=torch.int16)
    tensor([1, 2], dtype=torch.int16)
    """
    wanted = as_dtype(dtype)
    assert wanted is not None
    try:
        view = memoryview(buffer)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    length, size = view.nbytes, wanted.itemsize
    errors.check(
        length > 0 and count != 0, f"both buffer length ({length}) and count ({count}) must not be 0", ValueError
    )
    errors.check(
        0 <= offset < length,
        f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1",
        ValueError,
    )
    if count < 0:
        errors.check(
            (length - offset) % size == 0,
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of element"
            f" size ({size})",
            ValueError,
        )
        count = (length - offset) // size
    errors.check(
        offset + count * size <= length,
        f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must not be greater than"
        " actual buffer"
        f" length ({length} bytes)",
        ValueError,
    )
    array = np.frombuffer(buffer, wanted.np, count, offset)
    if view.readonly:
        warn(
            "The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you can"
            " write to the"
            " underlying (supposedly non-writable) buffer using the tensor. You may want to copy the buffer to"
            " protect its data or"
            " make it writable before converting it to a tensor. This type of warning will be suppressed for the rest"
            " of this"
            " program."
        )
    result = dispatch.wrap(None)
    result._storage = _sharing.host_storage(array)
    return finished(result, requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# Python data


def host_array(data: Any, dtype: dtypes.dtype | None) -> np.ndarray[Any, Any]:
    """Nested sequences and numbers as a NumPy array of the type PyTorch infers, or of ``dtype``."""
    if isinstance(data, np.ndarray | np.generic):
        array = np.asarray(data)
        if array.dtype not in dtypes.BY_NUMPY:
            if array.dtype == object or array.dtype.kind in "USmMV":
                raise TypeError(
                    f"can't convert np.ndarray of type numpy.{array.dtype.type.__name__}. The only supported types"
                    " are: float64,"
                    " float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16,"
                    " uint8, and bool."
                )
            array = array.astype(array.dtype.newbyteorder("="))
        if array.size and any(stride < 0 for stride in array.strides):
            raise ValueError(_sharing.NEGATIVE_STRIDE)
        return np.array(array, dtype=None if dtype is None else dtype.np, order="C")
    shape = _shape(data)
    flat: list[Any] = []
    _flatten(data, shape, 0, flat)
    target = dtype or _infer(flat)
    return _to_array(flat, target).reshape(shape)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, list | tuple | range) or (
        hasattr(x, "__len__") and hasattr(x, "__getitem__") and not isinstance(x, str | bytes | dict | TensorBase)
    )


def _shape(data: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while True:
        if isinstance(data, TensorBase):
            return (*shape, *dispatch.shape_of(data))
        if isinstance(data, str):
            if shape:
                raise ValueError("too many dimensions 'str'")
            raise TypeError("new(): invalid data type 'str'")
        if not _is_sequence(data):
            return tuple(shape)
        if len(shape) > 128:
            raise ValueError("too many dimensions 'list'")
        shape.append(len(data))
        if not len(data):
            return tuple(shape)
        data = data[0]


def _flatten(data: Any, shape: tuple[int, ...], depth: int, flat: list[Any]) -> None:
    if isinstance(data, TensorBase):
        if tuple(dispatch.shape_of(data)) != shape[depth:]:
            raise ValueError("only one element tensors can be converted to Python scalars")
        flat.extend(x.item() for x in np.asarray(_sharing.host_values(data)).reshape(-1))
        return
    if depth == len(shape):
        if _is_sequence(data):
            raise ValueError(f"too many dimensions '{type(data).__name__}'")
        flat.append(data.item() if isinstance(data, np.generic) else data)
        return
    if not _is_sequence(data):
        raise TypeError("not a sequence")
    if len(data) != shape[depth]:
        raise ValueError(f"expected sequence of length {shape[depth]} at dim {depth} (got {len(data)})")
    for x in data:
        _flatten(x, shape, depth + 1, flat)


def _infer(flat: list[Any]) -> dtypes.dtype:
    kinds = set(map(type, flat))
    if not kinds:
        return dtypes.get_default_dtype()
    rank = -1
    for kind in kinds:
        found = next((i for i, t in enumerate((bool, int, float, complex)) if issubclass(kind, t)), None)
        if found is None:
            if hasattr(kind, "__index__"):
                found = 1
            elif hasattr(kind, "__float__"):
                found = 2
            elif issubclass(kind, str | bytes):
                raise TypeError(f"new(): invalid data type '{kind.__name__}'")
            else:
                raise RuntimeError(f"Could not infer dtype of {kind.__name__}")
        rank = max(rank, found)
    return (dtypes.bool, dtypes.int64, dtypes.get_default_dtype(), dtypes.default_complex())[rank]


def _as_float(x: Any) -> float:
    if isinstance(x, complex | str | bytes) or x is None:
        raise TypeError(f"must be real number, not {type(x).__name__}")
    return float(x)


def _to_array(flat: list[Any], dtype: dtypes.dtype) -> np.ndarray[Any, Any]:
    if dtype.is_floating_point:
        return np.array([_as_float(x) for x in flat], np.float64).astype(dtype.np)
    if dtype.is_complex:
        return np.array([complex(x) for x in flat], dtype.np)
    if dtype is dtypes.bool:
        return np.array([bool(x) for x in flat], bool)
    info = np.iinfo(dtype.np)
    values = []
    for x in flat:
        # Unlike integers, a float below zero does not wrap around in an unsigned type; nan is within no bounds.
        if isinstance(x, float) and not float(info.min) <= x <= float(info.max):
            raise _overflow(dtype)
        values.append(int(x))
    try:
        wide = np.array(values, np.int64 if dtype is not dtypes.uint64 else np.uint64)
    except OverflowError:
        raise ValueError("Overflow when unpacking long long") from None
    # PyTorch lets unsigned types wrap around once.
    lowest = -int(info.max) - 1 if info.min == 0 else int(info.min)
    if wide.size and (wide.min() < lowest or wide.max() > info.max):
        raise _overflow(dtype)
    return wide.astype(dtype.np)


def _overflow(dtype: dtypes.dtype) -> RuntimeError:
    return RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")
