"""What ``torch.compile`` is told beside the function: backends, modes, options; and the stance that all calls take."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

__all__ = [
    "InvalidBackend",
    "check_options",
    "get_default_backend",
    "runs_eagerly",
    "set_default_backend",
    "set_stance",
]

# PyTorch's names for compilers; all of them mean XLA here, except those that compile nothing.
COMPILERS = ("cudagraphs", "inductor", "openxla", "tvm")
_EAGER = ("eager", "aot_eager", "aot_eager_decomp_partition", "eager_noexcept", "pre_dispatch_eager", "eager_debug")
MODES = ("default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")


class InvalidBackend(RuntimeError):
    """The name of a backend that does not exist."""

    __module__ = "torch._dynamo.exc"


class _Defaults:
    backend: Any = "inductor"


def get_default_backend() -> Any:
    """Return the backend that ``torch.compile`` takes when none is given.

    >>> torch.compiler.get_default_backend()
    'inductor'
    """
    return _Defaults.backend


def set_default_backend(backend: Any) -> None:
    """Set the backend that ``torch.compile`` takes when none is given; None restores the first one.

    >>> torch.compiler.set_default_backend("eager")
    >>> torch.compiler.set_default_backend(None)
    """
    if backend is not None:
        runs_eagerly(backend)
    _Defaults.backend = "inductor" if backend is None else backend


def runs_eagerly(backend: Any) -> bool:
    """Whether a backend leaves functions as they are; refuses names that PyTorch does not know."""
    if not isinstance(backend, str):
        raise NotImplementedError(
            f"torch.compile(backend={backend!r}): a backend of one's own is given torch.fx graphs, which do not exist"
            " in torchlike"
        )
    if backend in _EAGER:
        return True
    if backend not in COMPILERS:
        raise InvalidBackend(
            f"Invalid backend: {backend!r}, see `torch._dynamo.list_backends()` for available backends."
        )
    return False


def check_options(mode: Any, options: Any, dynamic: Any) -> None:
    """Refuse what PyTorch refuses: unknown modes, a mode beside options, a ``dynamic`` that is no bool."""
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if mode is not None and mode not in MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(MODES)}")
    if not isinstance(dynamic, bool | None):
        raise AssertionError(f"Expected enable to be a bool, got {type(dynamic)}")


# ---------------------------------------------------------------------------------------------------------------------
# Stances

_STANCES = (
    "default",
    "force_eager",
    "eager_on_recompile",
    "fail_on_recompile",
    "eager_then_compile",
    "aot_eager_then_compile",
)


class _Stance(threading.local):
    """``usual`` is what the call path asks first: whether compiled functions do what they always do."""

    usual = True
    name = "default"


stance = _Stance()


class set_stance:
    """Say what compiled functions do from now on, in a block, or while a function runs.

    ``"default"`` compiles; ``"force_eager"`` runs all functions as they are; ``"eager_on_recompile"`` uses the programs
    there are and compiles no new ones; ``"fail_on_recompile"`` raises RuntimeError instead of compiling;
    ``"eager_then_compile"`` runs eagerly once first, as every function does here anyway.

    >>> @torch.compile
    ... def f(x):
    ...     return x + 1
    >>> with torch.compiler.set_stance("force_eager"):
    ...     f(torch.ones(1))
    tensor([2.])
    """

    def __init__(
        self, stance_name: str = "default", *, skip_guard_eval_unsafe: bool = False, force_backend: Any = None
    ) -> None:
        if force_backend is not None and stance_name != "default":
            raise RuntimeError("non-default stance cannot have force_backend set")
        if stance_name not in _STANCES:
            raise RuntimeError(f"invalid torch.compile stance {stance_name!r}")
        self.previous = stance.name
        self.wanted = "force_eager" if force_backend is not None and runs_eagerly(force_backend) else stance_name
        self._take(self.wanted)

    def _take(self, name: str) -> None:
        stance.name = name
        stance.usual = name in ("default", "eager_then_compile", "aot_eager_then_compile")

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        self._take(self.previous)  # it decorates: it was not meant as a statement

        @functools.wraps(fn)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            outer = stance.name
            self._take(self.wanted)
            try:
                return fn(*args, **kwargs)
            finally:
                self._take(outer)

        return wrapped

    def __enter__(self) -> None:
        self._take(self.wanted)

    def __exit__(self, *exception: object) -> None:
        self._take(self.previous)
