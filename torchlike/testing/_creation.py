"""Tensors with random contents, for tests."""

from __future__ import annotations

import math
from typing import Any

from torchlike import ops
from torchlike._core import dtype as dtypes
from torchlike._core.dtype import finfo, iinfo
from torchlike._tensor import Tensor

__all__ = ["make_tensor"]


def _bounds(
    low: float | None, high: float | None, least: float, greatest: float, low_default: float, high_default: float
) -> tuple[float, float]:
    low = low_default if low is None else low
    high = high_default if high is None else high
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if high < least or low > greatest:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but the dtype only supports"
            f" [{least}, {greatest}]"
        )
    return max(low, least), min(high, greatest)


def make_tensor(
    *shape: Any,
    dtype: dtypes.dtype,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return a tensor of random values from [low, high), by default those of PyTorch's: -9 to 9, 0 to 9 for uint8.

    ``exclude_zero`` puts the smallest positive number where 0 was drawn; ``noncontiguous`` makes it every second
    element of a larger tensor. Raises ValueError for bounds that the dtype does not have, or that are in the wrong
    order.

    >>> _ = torch.manual_seed(0)
    >>> torch.testing.make_tensor(3, dtype=torch.float32, device="cpu")
    tensor([-0.0674,  4.8280, -7.4074])
    """
    size = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}")
    if noncontiguous and memory_format is not None:
        raise ValueError(
            f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got {noncontiguous=} and"
            f" {memory_format=}"
        )
    spread = noncontiguous and math.prod(size) > 1
    if spread:
        size = (*size[:-1], 2 * size[-1])
    if dtype is dtypes.bool:
        first, last = _bounds(low, high, 0, 2, 0, 2)
        result = ops.randint(math.ceil(first), math.ceil(last), size, dtype=dtype, device=device)
    elif dtype.is_floating_point or dtype.is_complex:
        info = finfo(dtype)
        first, last = _bounds(low, high, info.min, info.max, -9, 9)
        result = ops.empty(size, dtype=dtype, device=device)
        (ops.view_as_real(result) if dtype.is_complex else result).uniform_(first, last)
    else:
        limits = iinfo(dtype)
        default_low = max(-9, limits.min)
        first, last = _bounds(low, high, limits.min, limits.max + (dtype is not dtypes.int64), default_low, 10)
        result = ops.randint(math.floor(first), math.ceil(last), size, dtype=dtype, device=device)
    if spread:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        smallest = finfo(dtype).tiny if dtype.is_floating_point or dtype.is_complex else 1
        result[result == 0] = smallest
    return result.requires_grad_(requires_grad) if dtype.is_floating_point or dtype.is_complex else result
