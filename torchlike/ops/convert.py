"""Conversions between types and devices: ``to``, ``type``, ``float()`` and their kin, and questions about tensors."""

from __future__ import annotations

from typing import Any

from torchlike._core import device as devices
from torchlike._core import dispatch, errors, layout
from torchlike._core import dtype as dtypes
from torchlike._core.op import composite
from torchlike._core.size import Size
from torchlike._core.tensor_state import TensorBase
from torchlike.ops.copy import clone, to_device, to_dtype

__all__ = [
    "broadcast_shapes",
    "is_complex",
    "is_floating_point",
    "is_inference",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_storage",
    "is_tensor",
    "numel",
    "typename",
]

_PYTHON_TYPES = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool, complex: dtypes.complex128}


@composite(method="only")
def to(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the tensor with another dtype and/or on another device; itself if it is that already.

    ``to(dtype)``, ``to(device, dtype)`` and ``to(other)`` take ``non_blocking``, ``copy`` and ``memory_format`` too.
    Gradients flow back.

    >>> torch.tensor([1, 2]).to(torch.float32)
    tensor([1., 2.])
    """
    dtype, device, copy, memory_format = _parse_to(self, args, kwargs)
    result = self
    if device is not None:
        result = to_device(result, device)
    if dtype is not None:
        result = to_dtype(result, dtype)
    if memory_format not in (None, layout.preserve_format):
        laid = layout.is_in_format(dispatch.geometry_of(result), memory_format)
        return result if laid and not (copy and result is self) else clone(result, memory_format=memory_format)
    return clone(result) if copy and result is self else result


def _parse_to(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool, Any]:
    unknown = kwargs.keys() - {"device", "dtype", "other", "non_blocking", "copy", "memory_format"}
    if unknown:
        _refuse_to(args, kwargs)
    memory_format = kwargs.get("memory_format")
    first = args[0] if args else kwargs.get("other", kwargs.get("device", kwargs.get("dtype")))
    rest = ("non_blocking", "copy")
    dtype: Any
    device: Any
    if isinstance(first, TensorBase):
        dtype, device = dispatch.geometry_of(first).dtype, dispatch.device_of(first)
        flags = args[1:]
    elif args and (isinstance(first, dtypes.dtype) or (isinstance(first, type) and first in _PYTHON_TYPES)):
        dtype, device = first, kwargs.get("device")
        flags = args[1:]
    else:
        if args and not isinstance(first, str | int | devices.device | type(None)):
            _refuse_to(args, kwargs)
        device = args[0] if args else kwargs.get("device")
        dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
        flags = args[2:]
    if len(flags) > len(rest):
        _refuse_to(args, kwargs)
    named = dict(zip(rest, flags, strict=False))
    copy = named.get("copy", kwargs.get("copy", False))
    if isinstance(dtype, type):
        dtype = _PYTHON_TYPES.get(dtype, dtype)
    if dtype is not None and not isinstance(dtype, dtypes.dtype):
        _refuse_to(args, kwargs)
    return dtype, None if device is None else devices.resolve(device), bool(copy), memory_format


def _refuse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = [type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in kwargs.items()]
    raise TypeError(
        f"to() received an invalid combination of arguments - got ({', '.join(given)}), but expected one of:\n"
        " * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *,"
        " torch.memory_format memory_format = None)\n"
        " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format ="
        " None)\n"
        " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format ="
        " None)\n"
    )


def _typed(name: str, dtype: dtypes.dtype) -> None:
    def convert(self: Any, memory_format: Any = layout.preserve_format) -> Any:
        return to(self, dtype, memory_format=memory_format)

    convert.__name__ = name
    convert.__qualname__ = f"Tensor.{name}"
    convert.__doc__ = f"""Return the tensor as ``{dtype}``, itself if it is that already.

    >>> torch.ones(1).{name}().dtype
    {dtype}
    """
    composite(convert, method="only", name=name)


for _name, _dtype in {
    "float": dtypes.float32,
    "double": dtypes.float64,
    "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
    "int": dtypes.int32,
    "long": dtypes.int64,
    "short": dtypes.int16,
    "char": dtypes.int8,
    "byte": dtypes.uint8,
    "bool": dtypes.bool,
    "cfloat": dtypes.complex64,
    "cdouble": dtypes.complex128,
}.items():
    _typed(_name, _dtype)


@composite(method="only")
def cpu(self: Any, memory_format: Any = layout.preserve_format) -> Any:
    """Return the tensor on the CPU, itself if it is there already.

    >>> torch.ones(1).cpu().device
    device(type='cpu')
    """
    return to(self, "cpu", memory_format=memory_format)


@composite(method="only")
def cuda(self: Any, device: Any = None, non_blocking: bool = False, memory_format: Any = layout.preserve_format) -> Any:
    """Return the tensor on a GPU (the current one, or that of the given index).

    Raises AssertionError where there is none.
    """
    if isinstance(device, int):
        device = devices.device("cuda", device)
    target = devices.device("cuda") if device is None else devices.device(device)
    errors.check(target.type == "cuda", f"Invalid device, must be cuda device but got {target}", RuntimeError)
    return to(self, target, memory_format=memory_format)


@composite(method="only")
def type_as(self: Any, other: Any) -> Any:
    """Return the tensor in the dtype and on the device of ``other``.

    >>> torch.tensor([1]).type_as(torch.ones(1))
    tensor([1.])
    """
    return to(self, other)


@composite(method="only", name="type")
def _type(self: Any, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """Return the name of the tensor's legacy type, or the tensor as another dtype.

    >>> torch.ones(1).type()
    'torch.FloatTensor'
    >>> torch.ones(1).type(torch.int64)
    tensor([1])
    """
    if dtype is None:
        return legacy_type_name(self)
    if isinstance(dtype, dtypes.dtype):
        return to(self, dtype)
    device, target = parse_legacy_type(dtype)
    return to(self, device, target)


def legacy_type_name(tensor: Any) -> str:
    """The name such as ``torch.cuda.FloatTensor``."""
    device = dispatch.device_of(tensor).type
    place = "" if device == "cpu" else f"{device}."
    return f"torch.{place}{errors.scalar_type_tensor(dispatch.geometry_of(tensor).dtype)}"


def parse_legacy_type(given: Any) -> tuple[str, dtypes.dtype]:
    """The device and dtype of a legacy type, given as a class or by name."""
    text = given if isinstance(given, str) else f"{given.__module__}.{given.__name__}"
    parts = text.split(".")
    if len(parts) < 2 or parts[0] != "torch":
        raise ValueError(f"invalid type: '{text}'")
    device = parts[1] if len(parts) == 3 else "cpu"
    if parts[-1] == "Tensor":
        return device, dtypes.get_default_dtype()
    for dtype in dtypes.BY_NAME.values():
        if errors.scalar_type_tensor(dtype) == parts[-1]:
            return device, dtype
    raise ValueError(f"invalid type: '{text}'")


@composite(method=False, asked="nobody")
def is_tensor(obj: Any, /) -> bool:
    """Return whether ``obj`` is a tensor.

    >>> torch.is_tensor(torch.ones(1)), torch.is_tensor([1])
    (True, False)
    """
    return isinstance(obj, TensorBase)


@composite(method=False, asked="nobody")
def is_storage(obj: Any, /) -> bool:
    """Return whether ``obj`` is a storage."""
    return type(obj).__name__ in ("UntypedStorage", "TypedStorage")


def _need_tensor(function: str, value: Any) -> Any:
    if not isinstance(value, TensorBase):
        raise TypeError(f"{function}(): argument 'input' (position 1) must be Tensor, not {type(value).__name__}")
    return value


@composite(method=False)
def is_floating_point(input: Any) -> bool:
    """Return whether the elements are real floating point numbers.

    >>> torch.is_floating_point(torch.ones(1))
    True
    """
    return bool(_need_tensor("is_floating_point", input).dtype.is_floating_point)


@composite(method=False)
def is_complex(input: Any) -> bool:
    """Return whether the elements are complex numbers.

    >>> torch.is_complex(torch.ones(1))
    False
    """
    return bool(_need_tensor("is_complex", input).dtype.is_complex)


@composite(method=False)
def is_signed(input: Any) -> bool:
    """Return whether the elements can be negative."""
    return bool(_need_tensor("is_signed", input).dtype.is_signed)


@composite(method=False)
def is_inference(input: Any) -> bool:
    """Return whether the tensor was made in inference mode."""
    return bool(_need_tensor("is_inference", input).is_inference())


@composite
def is_nonzero(input: Any) -> bool:
    """Return whether the one element of a tensor is not zero; RuntimeError for other sizes.

    >>> torch.is_nonzero(torch.tensor([0.]))
    False
    """
    count = _need_tensor("is_nonzero", input).numel()
    if count == 0:
        raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
    errors.check(count == 1, "Boolean value of Tensor with more than one value is ambiguous")
    return bool(input)


@composite
def is_same_size(input: Any, other: Any) -> bool:
    """Return whether two tensors have the same shape.

    >>> torch.is_same_size(torch.ones(2), torch.zeros(2))
    True
    """
    return bool(dispatch.shape_of(input) == dispatch.shape_of(other))


@composite(method=False)
def numel(input: Any) -> int:
    """Return the number of elements.

    >>> torch.numel(torch.zeros(2, 3))
    6
    """
    return int(_need_tensor("numel", input).numel())


@composite(method=False)
def typename(obj: Any, /) -> str:
    """Return the name of an object's type; for tensors the legacy one.

    >>> torch.typename(torch.ones(1))
    'torch.FloatTensor'
    """
    if isinstance(obj, TensorBase):
        return legacy_type_name(obj)
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", "")
    if module.partition(".")[0] == "torchlike":
        module = "torch" + module[len("torchlike") :]
    prefix = "" if module in ("", "builtins", "__builtin__") else f"{module}."
    return prefix + kind.__qualname__


@composite(method=False)
def broadcast_shapes(*shapes: Any) -> Any:
    """Return the shape that tensors of these shapes broadcast to.

    >>> torch.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    plain = [(s,) if isinstance(s, int) else tuple(int(n) for n in s) for s in shapes]
    ndim = max(map(len, plain), default=0)
    result = [1] * ndim
    for number, shape in enumerate(plain):
        for i in range(1, len(shape) + 1):
            n = shape[-i]
            errors.check(n >= 0, "Attempting to broadcast a dimension with negative length!", ValueError)
            if n in (1, result[-i]):
                continue
            errors.check(
                result[-i] == 1,
                f"Attempting to broadcast a dimension of length {n} at {-i}! Mismatching argument at index {number} had"
                f" {shape}; but expected shape should be broadcastable to {result}",
            )
            result[-i] = n
    return Size(result)
