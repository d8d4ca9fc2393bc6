"""What programs say to TorchScript's compiler, and what they ask of it."""

from __future__ import annotations

import builtins
import collections.abc
import types
import typing
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from torchlike.futures import Future

__all__ = [
    "Attribute",
    "Error",
    "Final",
    "annotate",
    "enable_onednn_fusion",
    "export",
    "export_opnames",
    "fork",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "isinstance",
    "onednn_fusion_enabled",
    "set_fusion_strategy",
    "strict_fusion",
    "unused",
    "wait",
]

F = TypeVar("F")


class Error(RuntimeError):
    """An error that a scripted program raises in PyTorch; here programs raise their own."""


class Attribute(NamedTuple):
    """A value with the type that TorchScript should give it."""

    value: Any
    type: Any


def annotate(the_type: Any, the_value: F) -> F:
    """Return a value as it is; the type is for TorchScript's compiler.

    >>> torch.jit.annotate(int, 3)
    3
    """
    return the_value


def export(fn: F) -> F:
    """Mark a method to be compiled with a module; returns it as it is.

    >>> torch.jit.export(len) is len
    True
    """
    return fn


def unused(fn: F) -> F:
    """Mark a function that compiled programs must not call; returns it as it is, and it can be called.

    >>> torch.jit.unused(len) is len
    True
    """
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Mark a function that is to stay Python; a decorator with and without arguments, which changes nothing.

    >>> @torch.jit.ignore
    ... def f(x):
    ...     return x + 1
    >>> f(1)
    2
    """
    if callable(drop):
        return drop
    if not builtins.isinstance(drop, bool):
        raise RuntimeError(f"Argument to @torch.jit.ignore must be a bool or a function but got {drop}")
    return lambda fn: fn


def interface(obj: F) -> F:
    """Mark a class whose methods say what modules must have; returns it as it is.

    >>> @torch.jit.interface
    ... class Runs:
    ...     def run(self, x: torch.Tensor) -> torch.Tensor: ...
    """
    if not builtins.isinstance(obj, type):
        raise RuntimeError("interface must be applied to a class")
    return obj


def is_scripting() -> bool:
    """Return False: programs run as Python.

    >>> torch.jit.is_scripting()
    False
    """
    return False


def is_tracing() -> bool:
    """Return False: no TorchScript graph is being recorded.

    >>> torch.jit.is_tracing()
    False
    """
    return False


def isinstance(obj: Any, target_type: Any) -> bool:
    """Return whether a value, with all that it contains, is of a generic type.

    >>> from typing import List
    >>> torch.jit.isinstance([1, 2], List[int]), torch.jit.isinstance([1, "a"], List[int])
    (True, False)
    """
    if builtins.isinstance(target_type, tuple):
        return any(isinstance(obj, kind) for kind in target_type)
    origin, parameters = typing.get_origin(target_type), typing.get_args(target_type)
    if origin is None:
        return builtins.isinstance(obj, type(None) if target_type is None else target_type)
    if origin in (typing.Union, types.UnionType):
        return any(isinstance(obj, kind) for kind in parameters)
    if origin is tuple:
        return (
            builtins.isinstance(obj, tuple)
            and len(obj) == len(parameters)
            and all(isinstance(x, kind) for x, kind in zip(obj, parameters, strict=True))
        )
    if not builtins.isinstance(obj, origin):
        return False
    if issubclass(origin, collections.abc.Mapping):
        key, value = parameters
        return all(isinstance(k, key) and isinstance(v, value) for k, v in obj.items())
    return all(isinstance(x, parameters[0]) for x in obj)


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    """Call a function and return a future of its value. It runs at once, as PyTorch's does outside of TorchScript.

    >>> torch.jit.wait(torch.jit.fork(lambda x: x + 1, torch.ones(1)))
    tensor([2.])
    """
    future: Future[Any] = Future()
    try:
        result = func(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - whatever it is, it waits in the future
        future.set_exception(error)
    else:
        future.set_result(result)
    return future


def wait(future: Future[Any]) -> Any:
    """Return the value of a future of `fork`, when it is there."""
    return future.wait()


def export_opnames(m: Any) -> NoReturn:
    """List the operators of a compiled module: NotImplementedError, there is no such module."""
    raise NotImplementedError("torch.jit.export_opnames")


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Accept how often TorchScript's fusers may specialise: XLA fuses. Returns PyTorch's default."""
    return [("STATIC", 2), ("DYNAMIC", 10)]


def enable_onednn_fusion(enabled: bool) -> None:
    """Accept a switch of a fuser that is not here: XLA fuses."""


def onednn_fusion_enabled() -> bool:
    """Return False: that fuser is not here."""
    return False


class strict_fusion:
    """A context in which TorchScript complains of what it did not fuse; here it does nothing.

    >>> with torch.jit.strict_fusion():
    ...     y = torch.ones(1) + 1
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass
