"""Hints to a tracer of bytecode, which ``torch.compile`` here is not: they are taken and change nothing."""

from __future__ import annotations

from typing import Any, TypeVar

from torchlike.compiler import disable

F = TypeVar("F")


def is_dynamo_supported() -> bool:
    """Return whether ``torch.compile`` works here: it does."""
    return True


def mark_dynamic(t: Any, index: Any, **bounds: Any) -> None:
    """Say that a size will change. XLA compiles for each size that comes."""


def maybe_mark_dynamic(t: Any, index: Any) -> None:
    """Say that a size may change. XLA compiles for each size that comes."""


def mark_static(t: Any, index: Any = None) -> None:
    """Say that a size stays. All of them are fixed in a compiled program."""


def mark_static_address(t: Any, guard: bool = True) -> None:
    """Say that a tensor stays where it is. Programs are given their tensors at each call."""


def graph_break(msg: str = "") -> None:
    """Cut a graph in two here; a function is compiled whole or runs eagerly."""


def forbid_in_graph(fn: F) -> F:
    """Say that a function must not be called in a graph; returns it as it is."""
    return fn


def disallow_in_graph(fn: Any) -> Any:
    """Return a function that is never captured: a compiled function that calls it runs eagerly."""
    return disable(fn)
