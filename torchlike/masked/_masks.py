"""What the masked operators share: the mask in the shape of the input, and what the elements outside of it become."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike.ops import _public as ops

Tensor = Any
Dim = int | Sequence[int] | None


def canonical(dim: Dim, ndim: int) -> tuple[int, ...]:
    """The dimensions of a reduction as sorted numbers from 0; none named means all.

    Raises IndexError for one that the tensor does not have, RuntimeError for one named twice.
    """
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    found: list[int] = []
    extent = max(ndim, 1)
    for d in (dim,) if isinstance(dim, int) else dim:
        if not -extent <= d < extent:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-extent}, {extent - 1}], but got {d})"
            )
        check(d % extent not in found, f"dim={d % extent} appears multiple times in the list of dims")
        found.append(d % extent)
    return tuple(sorted(found))


def mask_like(input: Tensor, mask: Tensor) -> Tensor:
    """A mask as booleans in the shape of the input; IndexError when it has more dimensions."""
    if mask.dim() > input.dim():
        raise IndexError("_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)")
    if mask.shape != input.shape:
        mask = ops.broadcast_to(mask, input.shape)
    return mask if mask.dtype is dtypes.bool else mask != 0


def least(dtype: Any) -> float | int:
    """The value that no element is below."""
    return -math.inf if dtype.is_floating_point else dtypes.iinfo(dtype).min


def greatest(dtype: Any) -> float | int:
    """The value that no element is above."""
    return math.inf if dtype.is_floating_point else dtypes.iinfo(dtype).max


def filled(input: Tensor, mask: Tensor | None, value: float | int) -> Tensor:
    """The input with a value in place of what the mask leaves out."""
    if mask is None:
        return input
    # A tensor of the input's type: a number beyond it would be cast through another type.
    return ops.where(mask_like(input, mask), input, ops.full((), value, dtype=input.dtype, device=input.device))


def summed_dtype(input: Tensor, dtype: Any) -> Any:
    """The type of sums and products: that asked for, int64 for integers and bool."""
    if dtype is not None:
        return dtype
    return input.dtype if input.is_floating_point() or input.is_complex() else dtypes.int64


def count(input: Tensor, dim: tuple[int, ...], keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements each result is made of."""
    ones = ops.ones(input.shape, dtype=dtypes.int64, device=input.device)
    return ops.sum(filled(ones, mask, 0), dim, keepdim) if dim else filled(ones, mask, 0)
