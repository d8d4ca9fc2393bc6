"""``torch.onnx.symbolic_helper``: the decorator of rules for an export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["parse_args"]

F = TypeVar("F", bound=Callable[..., Any])


def parse_args(*arg_descriptors: str) -> Callable[[F], F]:
    """Say of what kinds the arguments of a rule are; the rule is returned as it is, since it is never asked for."""
    return lambda fn: fn
