"""``torch.compiler``: questions and switches around ``torch.compile``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchlike._compile.api import compile as _compile
from torchlike._compile.api import forget_programs, run_eagerly
from torchlike._compile.capture import is_compiling

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
]


def compile(*args: Any, **kwargs: Any) -> Any:
    """See ``torch.compile``."""
    return _compile(*args, **kwargs)


def is_dynamo_compiling() -> bool:
    """Return whether a function is being traced, as ``is_compiling`` does.

    >>> torch.compiler.is_dynamo_compiling()
    False
    """
    return is_compiling()


def is_exporting() -> bool:
    """Return False: there is no ``torch.export`` here.

    >>> torch.compiler.is_exporting()
    False
    """
    return False


def disable(fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Return a function that is never captured: a compiled function that calls it runs eagerly.

    >>> @torch.compiler.disable
    ... def f(x):
    ...     return x + 1
    >>> f(torch.ones(1))
    tensor([2.])
    """
    if fn is None:
        return lambda function: disable(function, recursive, reason=reason)
    return run_eagerly(fn)


def reset() -> None:
    """Forget all programs compiled so far.

    >>> torch.compiler.reset()
    """
    forget_programs()


def allow_in_graph(fn: Any) -> Any:
    """Return ``fn`` (or the list) as it is: every function is captured as a whole anyway."""
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``fn`` as it is: what it returns is part of the program it is called in."""
    return fn


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """Return the names that ``torch.compile`` takes for its one backend, XLA.

    >>> "inductor" in torch.compiler.list_backends()
    True
    """
    return ["inductor"]


def cudagraph_mark_step_begin() -> None:
    """Do nothing: XLA programs own no memory between calls."""
