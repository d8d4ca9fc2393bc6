"""``__torch_function__``: modes and foreign classes are asked before a function of this library computes.

The call path of operators comes here only when it meets a class that it does not know, or while a mode is active.
Functions composed of operators are wrapped in `asking`, so that they are asked about as one function.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from types import CodeType
from typing import Any, TypeVar

from torchlike._core.signatures import Fitting, of_method
from torchlike._core.tensor_state import TensorBase, classes, modes

F = TypeVar("F", bound=Callable[..., Any])

# modes.function_disabled: nothing is disabled; classes are not asked; neither classes nor modes are.
NOTHING, SUBCLASSES, EVERYTHING = 0, 1, 2

# The public function to which a piece of code belongs (and the operator, where operators share the code): what a mode
# or a class is told that was called.
forms: dict[tuple[CodeType, Any], Callable[..., Any]] = {}


def disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """A ``__torch_function__`` that lets its operands count as plain tensors."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


class DisableTorchFunctionSubclass:
    """While active, classes are not asked for their ``__torch_function__``; modes still are."""

    state = SUBCLASSES

    def __enter__(self) -> None:
        self.previous = modes.function_disabled
        modes.function_disabled = max(self.state, self.previous)

    def __exit__(self, *exception: object) -> None:
        modes.function_disabled = self.previous


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """While active, neither classes nor modes are asked."""

    state = EVERYTHING


def overrides(cls: type) -> bool:
    """Whether instances of a class are to be asked."""
    if cls is classes.tensor:
        return False
    own = getattr(cls, "__torch_function__", None)
    return own is not None and own is not disabled_torch_function_impl


# Types that are known not to override anything: not looked at twice.
_quiet: set[type] = {bool, int, float, complex, str, type(None), slice, type(...)}


def overloaded(values: Iterable[Any]) -> list[Any]:
    """The values to be asked, one of each class, subclasses before their parents; sequences are looked into."""
    found: list[Any] = []
    if modes.function_disabled:
        return found
    plain = classes.plain
    for x in values:
        kind = type(x)
        if kind in plain or kind in _quiet:
            continue
        if kind is list or kind is tuple:
            for y in x:
                if type(y) not in plain and type(y) not in _quiet:
                    _insert(found, y)
        else:
            _insert(found, x)
    return found


def _insert(found: list[Any], x: Any) -> None:
    kind = type(x)
    if isinstance(x, type) or not overrides(kind):
        return
    kinds = [type(y) for y in found]
    if kind not in kinds:
        found.insert(next((i for i, k in enumerate(kinds) if issubclass(kind, k)), len(found)), x)


def ask(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None, found: Sequence[Any]) -> Any:
    """Ask the active modes, then the classes, what a function gives."""
    types = tuple(map(type, found))
    stack = modes.function_modes
    mode = None
    if stack and modes.function_disabled != EVERYTHING:
        mode = stack[-1]
        modes.function_modes = stack[:-1]
        try:
            result = mode.__torch_function__(function, types, args, kwargs)
        finally:
            modes.function_modes = stack
        if result is not NotImplemented:
            return result
    for x in found:
        result = x.__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    raise TypeError(_refused(function, mode, types))


def _refused(function: Any, mode: Any, types: tuple[type, ...]) -> str:
    name = full_name(function)
    if name.startswith("torch.nn.functional."):
        text = f"no implementation found for '{name}' on types that implement __torch_function__: {list(types)}"
        return text if mode is None else f"{text} nor in mode {mode}"
    asked = [] if mode is None else [f"  - mode object {mode}\n"]
    asked += [f"  - tensor subclass {t}\n" for t in types]
    return (
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented:\n\n"
        + "".join(asked)
        + "\nFor more information, try re-running with TORCH_LOGS=not_implemented"
    )


def full_name(function: Any) -> str:
    """The name by which the public knows a function."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, property) and owner.fget is not None:
        return f"torch.Tensor.{owner.fget.__name__}.{function.__name__}"
    home = getattr(function, "__module__", None) or "torch"
    qualified = getattr(function, "__qualname__", None) or function.__name__
    if qualified.startswith("Tensor."):
        return f"torch.{qualified}"
    space = home.removeprefix("torchlike")
    for public in (".nn.functional", ".ops"):
        if space.startswith(public):
            space = "" if public == ".ops" else public
    return f"torch{space}.{function.__name__}"


def calling(op: Any) -> Callable[..., Any]:
    """The public function, under which of its names ever, through which an operator is being called."""
    frame = sys._getframe(2)
    for _ in range(6):
        found = forms.get((frame.f_code, op))
        if found is not None:
            return found
        if frame.f_back is None:
            break
        frame = frame.f_back
    function: Callable[..., Any] = op.function
    return function


def asking_modes(function: F, fitting: Fitting | None) -> F:
    """Wrap a function that makes tensors from nothing: only modes are asked about it."""

    @functools.wraps(function)
    def asked(*args: Any, **kwargs: Any) -> Any:
        if modes.function_modes and modes.function_disabled != EVERYTHING:
            return ask(asked, args, kwargs or None, ())
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            return _misfit(fitting, error, args, kwargs)

    return asked  # type: ignore[return-value]


def asking(function: F, fitting: Fitting | None) -> F:
    """Wrap a function that is composed of others, so that it is asked about as a whole.

    ``fitting`` has an answer to arguments that do not fit.
    """

    @functools.wraps(function)
    def asked(*args: Any, **kwargs: Any) -> Any:
        plain = classes.plain
        known = not modes.function_modes
        for x in args:
            if type(x) not in plain and type(x) not in _quiet:
                known = False
        if kwargs:
            for x in kwargs.values():
                if type(x) not in plain and type(x) not in _quiet:
                    known = False
        if not known:
            result = _answer(asked, args, kwargs)
            if result is not _NOBODY:
                return result
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            return _misfit(fitting, error, args, kwargs)

    return asked  # type: ignore[return-value]


def _misfit(fitting: Fitting | None, error: TypeError, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call gives in which a TypeError was raised: by the call itself, or within the function."""
    if fitting is None:
        raise error
    trace = error.__traceback__
    if trace is not None and trace.tb_next is None:
        return fitting.again(args, kwargs, error)
    told = of_method(error) if fitting.shared else error
    if told is error:
        raise error
    raise told from error.__cause__


_NOBODY = object()


def _answer(public: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a mode or a class gives for a function, if there is one to be asked."""
    if modes.function_disabled == EVERYTHING:
        return _NOBODY
    found = overloaded((*args, *kwargs.values()))
    if not found and not modes.function_modes:
        for x in (*args, *kwargs.values()):
            kind = type(x)
            if kind is not list and kind is not tuple and not issubclass(kind, TensorBase) and not overrides(kind):
                _quiet.add(kind)
        return _NOBODY
    return ask(public, args, kwargs, found)
