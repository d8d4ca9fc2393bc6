"""Results that lie in memory as their input does."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch, layout


def is_plain(tensor: Any) -> bool:
    """Whether a tensor is row-major for certain, without looking at its strides."""
    return tensor._geometry is None and tensor._storage.stride is None


def lay_like(result: Any, tensor: Any) -> Any:
    """Give a fresh result of the same shape the dense strides that PyTorch gives a copy of ``tensor``; no data moves."""
    if not is_plain(tensor):
        stride = layout.strides_in_format(dispatch.geometry_of(tensor), None)
        if stride is not None:
            result._storage.replace(result._storage.array, stride)
    return result
