"""PyTorch's exception classes and sentences, raised from one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

# PyTorch's C++ scalar-type names, which its error messages use instead of the Python dtype names.
SCALAR_TYPE_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
    "float8_e4m3fn": "Float8_e4m3fn",
    "float8_e5m2": "Float8_e5m2",
    "float8_e4m3fnuz": "Float8_e4m3fnuz",
    "float8_e5m2fnuz": "Float8_e5m2fnuz",
    "float8_e8m0fnu": "Float8_e8m0fnu",
}


def scalar_type(dtype: Any) -> str:
    """Return PyTorch's C++ name ("Float", "Long" ...) of a torchlike dtype or a NumPy dtype."""
    name = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
    return SCALAR_TYPE_NAMES.get(name, name)


def scalar_type_tensor(dtype: Any) -> str:
    """Return the name of PyTorch's legacy tensor type ("FloatTensor" ...)."""
    return f"{scalar_type(dtype)}Tensor"


# The dtypes that had a legacy tensor type; PyTorch names the others by their C++ type in some messages.
_LEGACY = frozenset({"Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double"})


def cpp_type(dtype: Any) -> str:
    """Return how PyTorch's C++ side prints the type of a CPU tensor: torch.FloatTensor, CPUBoolType."""
    name = scalar_type(dtype)
    return f"torch.{name}Tensor" if name in _LEGACY else f"CPU{name}Type"


def check(condition: bool, message: str, exception: type[Exception] = RuntimeError) -> None:
    """Raise ``exception(message)`` unless ``condition`` holds."""
    if not condition:
        raise exception(message)


def not_implemented(operator: str, dtype: Any) -> NoReturn:
    """Raise PyTorch's refusal of a dtype, e.g. ``"addmm_impl_cpu_" not implemented for 'Bool'``."""
    raise NotImplementedError(f"\"{operator}\" not implemented for '{scalar_type(dtype)}'")


def wrap_dim(dim: int, ndim: int, *, scalar: bool = True) -> int:
    """Return ``dim`` counted from the front; a 0-d tensor has one nominal dimension unless ``scalar=False``."""
    if ndim == 0 and not scalar:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    span = ndim or 1
    if not -span <= dim < span:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})")
    return dim + span if dim < 0 else dim


def wrap_dims(dims: int | Iterable[int] | None, ndim: int) -> tuple[int, ...]:
    """Return the dimensions counted from the front; None and () mean all of them; twice the same one is an error."""
    if dims is None:
        return tuple(range(ndim))
    wrapped = (wrap_dim(dims, ndim),) if isinstance(dims, int) else tuple(wrap_dim(d, ndim) for d in dims)
    seen: set[int] = set()
    for dim in wrapped:
        check(dim not in seen, f"dim {dim} appears multiple times in the list of dims")
        seen.add(dim)
    if ndim == 0:
        return ()
    return wrapped or tuple(range(ndim))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the common shape of ``shapes``, or raise PyTorch's sentence about the first pair that does not fit."""
    result: tuple[int, ...] = ()
    for shape in shapes:
        result = _broadcast_pair(result, tuple(shape))
    return result


def _broadcast_pair(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    if a == b:
        return a
    ndim = max(len(a), len(b))
    out = [1] * ndim
    for i in range(1, ndim + 1):
        x = a[-i] if i <= len(a) else 1
        y = b[-i] if i <= len(b) else 1
        if x != y and x != 1 and y != 1:
            raise RuntimeError(
                f"The size of tensor a ({x}) must match the size of tensor b ({y}) at non-singleton dimension"
                f" {ndim - i}"
            )
        out[-i] = y if x == 1 else x
    return tuple(out)


def type_name(dtype: Any) -> str:
    """Return PyTorch's C++ name of the element type itself ("float", "double", "long long" ...) for a few messages."""
    name = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
    return _C_TYPE_NAMES.get(name, name)


_C_TYPE_NAMES = {
    "float32": "float",
    "float64": "double",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
    "bool": "bool",
}


def type_text(value: Any) -> str:
    """Return the type of an argument as messages show it: int, Tensor, torch.device, numpy.float32."""
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ != "ndarray":
        return f"numpy.{kind.__name__}"
    return f"torch.{kind.__name__}" if kind.__name__ in _TORCH_TYPES and kind.__module__ == "torch" else kind.__name__


_TORCH_TYPES = frozenset({"Size", "device", "dtype", "layout", "memory_format"})


def invalid_combination(
    function: str, given: Sequence[Any], *signatures: str, named: Mapping[str, Any] | None = None
) -> NoReturn:
    """Raise the TypeError for arguments, by position and by name, that fit none of a function's signatures."""
    shown = [type_text(x) for x in given] + [f"{name}={type_text(x)}" for name, x in (named or {}).items()]
    names = ", ".join(shown)
    expected = "".join(f" * {signature}\n" for signature in signatures)
    raise TypeError(
        f"{function}() received an invalid combination of arguments - got ({names}), but expected one of:\n{expected}"
    )
