"""Names under which programs ask whether a tensor is PyTorch's stand-in for one while it compiles.

jax traces with its own abstract values, which no program sees, so the answer is always no.
"""

from __future__ import annotations

from typing import Any

from torchlike._tensor import Tensor

__all__ = ["FakeTensor", "FakeTensorMode", "is_fake"]


class FakeTensor(Tensor):
    """The class that no tensor of this package has; ``isinstance`` is what it is for."""

    def __new__(cls, *args: Any, **kwargs: Any) -> FakeTensor:
        raise NotImplementedError("torch._subclasses.FakeTensor: shapes without data; take device='meta'")


class FakeTensorMode:
    """A mode that PyTorch's compiler enters; raises NotImplementedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("torch._subclasses.FakeTensorMode: shapes without data; take device='meta'")


def is_fake(x: object) -> bool:
    """Whether a tensor is one without data that PyTorch's compiler made; never so here."""
    return isinstance(x, FakeTensor)
