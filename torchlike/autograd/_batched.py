"""Gradients for a batch of ``grad_outputs`` at once: ``torch.autograd.grad(..., is_grads_batched=True)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core import dispatch
from torchlike._core.levels import entered
from torchlike._core.lifted import Batched, VmapLevel
from torchlike._core.tensor_state import TensorBase, modes

Tensor = Any


def over_batch(function: Callable[[Sequence[Any]], Sequence[Any]], batches: Sequence[Any]) -> tuple[Any, ...]:
    """Apply a function of tensors to batches along their first dimension; entries that are None stay None."""
    sizes = [dispatch.shape_of(b)[0] for b in batches if isinstance(b, TensorBase) and dispatch.shape_of(b)]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes"
            f" {sizes} for the mapped dimension"
        )
    level = VmapLevel(len(modes.levels) + 1, sizes[0], "error")
    with entered(level):
        found = function([None if b is None else dispatch.wrap(Batched(level, b, True)) for b in batches])
    return tuple([_whole(x, level) for x in found])


def _whole(x: Any, level: VmapLevel) -> Any:
    if x is None:
        return None
    held = dispatch.array_of(x)
    if isinstance(held, Batched) and held.level is level:
        if held.batched:
            return held.inner
        x = held.inner
    return x.expand((level.size, *dispatch.shape_of(x)))
