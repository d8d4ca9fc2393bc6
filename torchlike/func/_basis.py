"""The unit vectors over which Jacobians are computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from torchlike._core import dispatch


def rows_of(tensors: Sequence[Any]) -> list[int]:
    """How many elements each tensor has."""
    return [math.prod(dispatch.shape_of(t)) for t in tensors]


def basis_of(tensors: Sequence[Any]) -> list[Any]:
    """For each tensor a batch, one entry for each element of all tensors: one there, zero elsewhere."""
    counts = rows_of(tensors)
    total = sum(counts)
    found = []
    start = 0
    for tensor, count in zip(tensors, counts, strict=True):
        geometry = dispatch.geometry_of(tensor)
        part = np.zeros((total, count), geometry.dtype.np)
        part[np.arange(start, start + count), np.arange(count)] = 1
        found.append(dispatch.wrap_host(part.reshape((total, *geometry.size)), dispatch.device_of(tensor)))
        start += count
    return found
