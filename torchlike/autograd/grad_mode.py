"""The switches of recording: ``no_grad``, ``enable_grad``, ``set_grad_enabled``, ``inference_mode``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

from torchlike._core.tape import watching
from torchlike._core.tensor_state import modes

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]


class _Switch:
    """A context manager that also decorates functions, generators and classes' methods."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isclass(function):
            raise TypeError(f"{type(self).__name__} decorates functions, not the class {function.__name__}")
        if inspect.isgeneratorfunction(function):
            return self._decorate_generator(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapped

    def _decorate_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The switch holds while the generator runs, not while its caller does."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            generator = function(*args, **kwargs)
            try:
                with self.clone():
                    value = next(generator)
                while True:
                    try:
                        sent = yield value
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException as error:  # noqa: BLE001 - handed on to the generator
                        with self.clone():
                            value = generator.throw(error)
                    else:
                        with self.clone():
                            value = generator.send(sent)
            except StopIteration as stop:
                return stop.value

        return wrapped

    def clone(self) -> _Switch:
        """A fresh switch of the same kind."""
        return type(self)()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError


class no_grad(_Switch):
    """Record nothing within the block, the decorated function or generator.

    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, orig_func: Callable[..., Any] | None = None) -> Any:
        """Make the switch, or decorate a function that is given at once."""
        self = super().__new__(cls)
        return self if orig_func is None else self(orig_func)

    def __enter__(self) -> None:
        self.previous = is_grad_enabled()
        _set(False)

    def __exit__(self, *exception: object) -> None:
        _set(self.previous)


class enable_grad(_Switch):
    """Record within the block even inside ``no_grad``.

    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.no_grad():
    ...     with torch.enable_grad():
    ...         y = x * 2
    >>> y.requires_grad
    True
    """

    def __new__(cls, orig_func: Callable[..., Any] | None = None) -> Any:
        """Make the switch, or decorate a function that is given at once."""
        self = super().__new__(cls)
        return self if orig_func is None else self(orig_func)

    def __enter__(self) -> None:
        self.previous = is_grad_enabled()
        _set(True)

    def __exit__(self, *exception: object) -> None:
        _set(self.previous)


class set_grad_enabled(_Switch):
    """Switch recording on or off, at once as a function or for a block as a context manager.

    >>> with torch.set_grad_enabled(False):
    ...     torch.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self.previous = is_grad_enabled()
        self.mode = mode
        _set(bool(mode))

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        _set(self.previous)
        return super().__call__(function)

    def __enter__(self) -> None:
        _set(bool(self.mode))

    def __exit__(self, *exception: object) -> None:
        _set(self.previous)

    def clone(self) -> _Switch:
        """A fresh switch of the same kind and mode."""
        return type(self)(self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}(mode={self.mode})"


class inference_mode(_Switch):
    """Record nothing and track no versions within the block; tensors made there never take part in a graph.

    >>> with torch.inference_mode():
    ...     y = torch.ones(1) * 2
    >>> y.is_inference()
    True
    """

    def __new__(cls, mode: Any = True) -> Any:
        """Make the switch, or decorate a function that is given at once."""
        self = super().__new__(cls)
        if isinstance(mode, bool):
            return self
        self.mode = True
        return self(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self.previous = modes.grad, modes.inference, modes.grad_shown
        modes.inference = bool(self.mode)
        modes.grad = not modes.inference
        modes.grad_shown = False
        if modes.inference:
            watching.inference += 1
            watching.update(inferred=True)

    def __exit__(self, *exception: object) -> None:
        if modes.inference:
            watching.inference -= 1
        modes.grad, modes.inference, modes.grad_shown = self.previous

    def clone(self) -> _Switch:
        """A fresh switch of the same kind and mode."""
        return type(self)(self.mode)


def is_grad_enabled() -> bool:
    """Return whether operations are recorded.

    >>> torch.is_grad_enabled()
    True
    """
    return modes.grad_shown if modes.inference else modes.grad


def _set(mode: bool) -> None:
    """Switch recording. In inference mode nothing is recorded anyway; only what `is_grad_enabled` says changes."""
    if modes.inference:
        modes.grad_shown = mode
    else:
        modes.grad = mode


def is_inference_mode_enabled() -> bool:
    """Return whether inference mode is on."""
    return modes.inference


class set_multithreading_enabled(_Switch):
    """Accepted for compatibility, as a function or as a block: the backward runs in the thread that calls it anyway.

    >>> with torch.autograd.set_multithreading_enabled(False):
    ...     torch.autograd.is_multithreading_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self.previous = modes.multithreading
        self.mode = mode
        modes.multithreading = bool(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        modes.multithreading = self.previous

    def clone(self) -> _Switch:
        """A fresh switch of the same kind."""
        return type(self)(self.mode)


def is_multithreading_enabled() -> bool:
    """Return what `set_multithreading_enabled` was told last."""
    return modes.multithreading
