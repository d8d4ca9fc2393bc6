"""Arithmetic that rounds as the machine code behind PyTorch's samplers does.

PyTorch's CPU kernels are compiled for processors with a fused multiply-add (``a * b + c`` rounded once), and call the C
library's logarithm and sine one number at a time. NumPy has neither, so both are made here: fused products exactly (but
for a double rounding in one of some 2**29 cases), and float64 functions through Python's ``math``, which calls the C
library. In float32 NumPy's own float64 functions are close enough to give the same float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

Host = np.ndarray[Any, Any]

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_HALVES = (np.dtype(np.float16), _BFLOAT16)
_SPLITTER = 2.0**27 + 1


def is_half(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is one of the 16-bit floating types, which PyTorch's samplers compute in float32."""
    return dtype in _HALVES


def narrow(values: Host, dtype: np.dtype[Any]) -> Host:
    """Convert float64 results to ``dtype`` as PyTorch does: 16-bit types by way of float32, too large to infinity."""
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        if is_half(dtype):
            values = values.astype(np.float32)
        return values.astype(dtype)


def fma32(a: Any, b: Any, c: Any) -> Host:
    """Return ``a * b + c`` in float32, rounded once."""
    wide = np.multiply(a, b, dtype=np.float64)
    np.add(wide, c, out=wide)
    return wide.astype(np.float32)


def fma64(a: Host, b: float, c: float) -> Host:
    """Return ``a * b + c`` in float64, rounded once: product and sum are kept with their rounding errors."""
    product = a * b
    if c == 0:
        return product
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    product_error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    virtual = total - product
    total_error = (product - (total - virtual)) + (c - virtual)
    return total + (total_error + product_error)


def _split(x: Any) -> tuple[Any, Any]:
    big = _SPLITTER * x
    high = big - (big - x)
    return high, x - high


def libm(function: Callable[[float], float], values: Host) -> Host:
    """Apply a function of Python's ``math`` to every element: the C library's result, to the last bit."""
    return np.fromiter(map(function, values.ravel().tolist()), np.float64, values.size).reshape(values.shape)
