"""The ranges and types that the laws refuse, in PyTorch's words."""

from __future__ import annotations

import numpy as np

from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, not_implemented, scalar_type, type_name
from torchlike._core.samplers import digits
from torchlike._core.warn import warn

_REAL = ("float16", "bfloat16", "float32", "float64")
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


def check_uniform(dtype: dtypes.dtype, low: float, high: float) -> None:
    """Refuse the types and ranges that ``uniform_`` refuses."""
    if dtype.is_complex:
        dtype = dtype.to_real()
    if dtype.name not in _REAL:
        not_implemented("check_uniform_bounds", dtype)
    limit = float(dtypes.finfo(dtype).max)
    for name, bound in (("from", low), ("to", high)):
        check(-limit <= bound <= limit, f"{name} is out of bounds for {type_name(dtype)}")
    check(
        low <= high,
        f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}",
    )
    check(
        high - low <= limit,
        f"uniform_ expects to-from <= std::numeric_limits<{scalar_type(dtype)}>::max(), but found to={high:g} and"
        f" from={low:g} which result in to-from to exceed the limit",
    )


def check_normal(dtype: dtypes.dtype, std: float, empty: bool = False) -> None:
    """Refuse the types and deviations that ``normal_`` refuses; an empty tensor may be of any type."""
    check(std >= 0, f"normal expects std >= 0.0, but found std {std:g}")
    if not empty and not dtype.is_complex and dtype.name not in _REAL:
        not_implemented("normal_kernel_cpu", dtype)


def random_range(dtype: dtypes.dtype, low: int, high: int | None) -> tuple[int, int]:
    """Return the first integer and the number of integers of ``random_(low, high)``; None: up to the type's largest.

    Floating types move the ends of a range that they cannot tell apart. Raises RuntimeError for ranges that are empty
    or do not fit.
    """
    if high is None:
        return _open_range(dtype, low)
    check(low < high, f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if dtype.name.startswith("float8"):
        not_implemented("random_update_from_to", dtype)
    if dtype.is_floating_point:
        low, high = _first_representable(dtype, low), _last_representable(dtype, high)
        check(
            low < high,
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got"
            f" from={low} >= to={high}",
        )
    _check_bounds(dtype, low, high - 1)
    return low, high - low


def _open_range(dtype: dtypes.dtype, low: int) -> tuple[int, int]:
    if low == _INT64_MIN:
        if dtype.name in ("int32", "int16", "int8", "uint8", "float16"):
            raise RuntimeError("random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16")
        if dtype.name not in ("int64", "float64", "float32", "bfloat16"):
            not_implemented("random_full_64_bits_range_kernel_cpu", dtype)
        return 0, 2**64
    if dtype.name.startswith("float8"):
        not_implemented("random_from_to_range_calc", dtype)
    if dtype.is_floating_point:
        last = 2 ** digits(dtype.np)
        low = _first_representable(dtype, low)
        check(
            low < last,
            "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, but got"
            f" from={low} > to_inc={last}",
        )
    elif dtype.is_complex:
        raise RuntimeError("random_from_to_impl handles only integral, floating-point and boolean types")
    elif dtype is dtypes.bool:
        last = 1
    else:
        last = int(np.iinfo(dtype.np).max)
        last -= 2**64 if last > _INT64_MAX else 0
    _check_bounds(dtype, low, last)
    return low, last - low + 1


def _check_bounds(dtype: dtypes.dtype, low: int, last: int) -> None:
    ends = (("from", low), ("to - 1", last))
    if dtype.is_complex:
        raise RuntimeError("check_random_bounds handles only integral, floating-point and boolean types")
    if dtype.is_floating_point:
        limit = float(dtypes.finfo(dtype).max)
        for name, value in ends:
            check(-limit <= value <= limit, f"{name} is out of bounds for {type_name(dtype)}")
        exact = digits(dtype.np)
        for name, value in ends:
            if not -(2**exact) <= value <= 2**exact:
                warn(
                    f"{name} is out of bounds [-(2^{exact}), 2^{exact}]. Due to precision limitations"
                    f" {type_name(dtype)} can support discrete uniform distribution only within this range. This"
                    " warning will become an error in version 1.7 release, please fix the code in advance"
                )
        return
    smallest, largest = (0, 1) if dtype is dtypes.bool else (int(np.iinfo(dtype.np).min), int(np.iinfo(dtype.np).max))
    for name, value in ends:
        check(smallest <= value <= largest, f"{name} is out of bounds for {type_name(dtype)}")


def _rounded(dtype: dtypes.dtype, value: int) -> int:
    """An int64 rounded to a floating type and back; what does not fit becomes the smallest, as processors have it."""
    with np.errstate(over="ignore"):
        found = float(np.float64(value).astype(np.float32).astype(dtype.np)) if dtype.itemsize < 8 else float(value)
    return int(found) if abs(found) < 2.0**63 else _INT64_MIN


def _gap(dtype: dtypes.dtype, value: int) -> int:
    """The distance of neighbouring numbers of a floating type around ``value``."""
    return int(2 ** (abs(value).bit_length() - digits(dtype.np)))


def _first_representable(dtype: dtypes.dtype, low: int) -> int:
    above = _rounded(dtype, low + 1)
    return above + _gap(dtype, low + 1) if above < low else low


def _last_representable(dtype: dtypes.dtype, high: int) -> int:
    below = _rounded(dtype, high - 1)
    return below - _gap(dtype, high - 1) if below >= high else high
