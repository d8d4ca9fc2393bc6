"""``torch.compiler``: questions and switches around ``torch.compile``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from torchlike._compile.api import compile as _compile
from torchlike._compile.api import forget_programs, run_eagerly
from torchlike._compile.capture import is_compiling
from torchlike._compile.options import COMPILERS, get_default_backend, set_default_backend, set_stance
from torchlike._construct import as_tensor
from torchlike._tensor import Tensor

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "get_default_backend",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "load_cache_artifacts",
    "nested_compile_region",
    "reset",
    "save_cache_artifacts",
    "set_default_backend",
    "set_enable_guard_collectives",
    "set_stance",
    "substitute_in_graph",
    "wrap_numpy",
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
    """Return ``fn`` (or the list) as it is: every function is captured as a whole anyway.

    Raises AssertionError for what cannot be called.
    """
    if isinstance(fn, list | tuple):
        return [allow_in_graph(f) for f in fn]
    if not callable(fn):
        raise AssertionError("allow_in_graph expects a callable")
    return fn


def substitute_in_graph(
    original_fn: Callable[..., Any], *, can_constant_fold_through: bool = False, skip_signature_check: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate the Python version of a function that a tracer of bytecode cannot see into: nothing is needed here."""
    return lambda traceable_fn: traceable_fn


def nested_compile_region(fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Return ``fn`` as it is: a compiled function is one program anyway."""
    return (lambda f: f) if fn is None else fn


def wrap_numpy(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of NumPy arrays take and return tensors.

    >>> import numpy as np
    >>> torch.compiler.wrap_numpy(np.add)(torch.ones(2), torch.ones(2))
    tensor([2., 2.])
    """

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        named = {name: _as_array(x) for name, x in kwargs.items()}
        return _as_tensors(fn(*[_as_array(x) for x in args], **named))

    return wrapped


def _as_array(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return type(x)(_as_array(y) for y in x)
    return x.numpy() if isinstance(x, Tensor) else x


def _as_tensors(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return type(x)(_as_tensors(y) for y in x)
    return as_tensor(x) if isinstance(x, np.ndarray) else x


def set_enable_guard_collectives(enabled: bool) -> bool:
    """Accepted for compatibility: programs are compiled by each process on its own. Returns the previous setting."""
    previous = _Settings.guard_collectives
    _Settings.guard_collectives = enabled
    return previous


class _Settings:
    guard_collectives = False


def save_cache_artifacts() -> None:
    """Return None, as PyTorch does when there is nothing to be saved: jax's compilation cache is on disk."""


def load_cache_artifacts(serialized_artifacts: bytes) -> None:
    """Accepted for compatibility: jax's compilation cache (``JAX_COMPILATION_CACHE_DIR``) keeps programs."""


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``fn`` as it is: what it returns is part of the program it is called in."""
    return fn


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """Return the names that ``torch.compile`` takes; all of them mean XLA here.

    >>> "inductor" in torch.compiler.list_backends()
    True
    """
    return list(COMPILERS)


def cudagraph_mark_step_begin() -> None:
    """Do nothing: XLA programs own no memory between calls."""
