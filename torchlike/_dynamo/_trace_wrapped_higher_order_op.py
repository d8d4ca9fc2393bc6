"""A mode that libraries enter around masks that index with batched positions."""

from __future__ import annotations

from typing import Any

from torchlike.overrides import TorchFunctionMode

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex(TorchFunctionMode):
    """A context in which ``x[i]`` may have a batched tensor ``i`` under vmap, as it always may here."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))
