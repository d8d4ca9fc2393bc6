"""What only values can tell, looked at on the host before a kernel runs: indices in range, numbers that a dtype holds.

XLA neither raises nor knows exceptions: an index out of range would be clamped or dropped. Reading a CPU array costs
no copy, and one pass over it about as much as the first microsecond of the gather itself. Meta tensors have no values
and traced ones are not known yet: both pass.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from torchlike._core import dispatch, tape
from torchlike._core.errors import check, scalar_type
from torchlike._core.lifted import is_unknown
from torchlike._core.tensor_state import TensorBase, modes

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

# PyTorch's C++ names of element types, which the overflow message shows.
_CPP_NAMES = {
    "Byte": "uint8_t",
    "Char": "int8_t",
    "Short": "int16_t",
    "Int": "int",
    "Long": "int64_t",
    "UInt16": "uint16_t",
    "UInt32": "uint32_t",
    "UInt64": "uint64_t",
    "Half": "c10::Half",
    "BFloat16": "c10::BFloat16",
    "Float": "float",
    "Double": "double",
    "ComplexFloat": "c10::complex<float>",
    "ComplexDouble": "c10::complex<double>",
}


def host(tensor: Any) -> np.ndarray[Any, Any] | None:
    """Return the values of a tensor, None where it has none (yet)."""
    if not isinstance(tensor, TensorBase):
        return tensor if isinstance(tensor, np.ndarray) else None
    array = dispatch.array_of(tensor)
    return None if is_unknown(array) else np.asarray(array)


def outside(index: Any, size: int, low: int = 0) -> int | None:
    """Return the first value of an index tensor that is not in ``low <= value < size``, None if there is none."""
    values = host(index)
    if values is None or values.size == 0 or values.dtype.kind not in "iu":
        return None
    # One pass for the common case: a negative number read as unsigned is larger than any size.
    if np.maximum.reduce(values.view(_UNSIGNED[values.itemsize]), axis=None) < size:
        return None
    wrong = (values < low) | (values >= size)
    return int(values[wrong].flat[0]) if wrong.any() else None


def sized(input: Any, dim: Any) -> int | None:
    """Return ``input.size(dim)`` (1 for a 0-dim tensor), None where the operator itself will refuse the arguments."""
    if not isinstance(input, TensorBase) or type(dim) is not int:
        return None
    shape = dispatch.shape_of(input)
    if not shape:
        return 1
    return shape[dim] if -len(shape) <= dim < len(shape) else None


def refuse_complex_gradients(name: str, *tensors: Any) -> None:
    """Refuse complex tensors that are tracked: operators whose complex derivative PyTorch does not have."""
    for tensor in tensors:
        if isinstance(tensor, TensorBase) and dispatch.geometry_of(tensor).dtype.is_complex:
            check(
                not (modes.grad and tape.requires_grad(tensor)),
                f"{name} does not support automatic differentiation for outputs with complex dtype.",
            )


def check_number(value: Any, dtype: np.dtype[Any]) -> None:
    """Refuse a Python number that an element type cannot hold, as PyTorch's checked conversion does.

    Integers may be negative for an unsigned dtype (they wrap around), infinities and nan are fine for floats, and a
    bool takes anything.
    """
    if type(value) is int and 0 <= value < 128:
        return
    if not fits(value, dtype):
        name = scalar_type(dtype)
        raise RuntimeError(f"value cannot be converted to type {_CPP_NAMES.get(name, name)} without overflow")


def fits(value: Any, dtype: np.dtype[Any]) -> bool:
    """Return whether an element type can hold a Python number, by PyTorch's rule."""
    if dtype.kind == "b":
        return True
    if isinstance(value, complex):
        if dtype.kind == "c":
            part = np.dtype(f"f{dtype.itemsize // 2}")
            return fits(value.real, part) and fits(value.imag, part)
        return value.imag == 0 and fits(value.real, dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if isinstance(value, float):
            # The limits are converted to float64 first: 2**63 counts as an int64.
            return not math.isnan(value) and float(info.min) <= value <= float(info.max)
        low = info.min if dtype.kind == "i" else -info.max
        return bool(low <= value <= info.max)
    if isinstance(value, float) and not math.isfinite(value):
        return True
    largest = float(ml_dtypes.finfo(np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype).max)
    return -largest <= value <= largest
