"""Methods and attributes of Tensor that ask ``__torch_function__`` first: those of subclasses, and of all under a mode.

What a plain tensor's methods cost must not depend on this. So the classes that override functions get a parent of their
own, ``_Asking``, whose methods ask; and while a mode is active, the methods of Tensor that are written in Python and
that are not operators (operators ask by themselves) run other code.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from torchlike._core import override
from torchlike._core.tensor_state import TensorBase, classes, modes

# Names that nobody is asked about: construction, identity, what the machinery itself uses.
_SILENT = frozenset(
    [
        "__new__",
        "__init__",
        "__init_subclass__",
        "__class__",
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__slots__",
        "__hash__",
        "__getattribute__",
        "__setattr__",
        "__delattr__",
        "__torch_function__",
        "__setstate__",
        "__getstate__",
        "__reduce__",
        "__reduce_ex__",
        "__iter__",
        "__copy__",
        "__delitem__",
        "__annotations__",
        "__static_attributes__",
        "__firstlineno__",
        "as_subclass",
        "_make_subclass",
        "names",
        "has_names",
    ]
)
_ASKED_PRIVATE = frozenset({"_version", "_is_view"})

# The function that PyTorch reports for a Python operator.
_REPORTED = {
    "__add__": "add",
    "__radd__": "add",
    "__iadd__": "add_",
    "__sub__": "sub",
    "__isub__": "sub_",
    "__mul__": "mul",
    "__rmul__": "mul",
    "__imul__": "mul_",
    "__truediv__": "div",
    "__div__": "div",
    "__itruediv__": "div_",
    "__idiv__": "div_",
    "__rtruediv__": "__rdiv__",
    "__mod__": "remainder",
    "__pow__": "pow",
    "__lt__": "lt",
    "__le__": "le",
    "__gt__": "gt",
    "__ge__": "ge",
    "__ne__": "ne",
    "__neg__": "neg",
    "__abs__": "abs",
    "__pos__": "positive",
    "__matmul__": "matmul",
    "__rand__": "bitwise_and",
    "__ror__": "bitwise_or",
    "__rxor__": "bitwise_xor",
    "nelement": "numel",
    "ndimension": "dim",
}
_BINARY = frozenset(
    f"__{prefix}{name}__"
    for prefix in ("", "r", "i")
    for name in [
        "add",
        "sub",
        "mul",
        "truediv",
        "div",
        "floordiv",
        "mod",
        "pow",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
        "matmul",
    ]
) | {f"__{name}__" for name in ["eq", "ne", "lt", "le", "gt", "ge"]}


class _Machinery:
    """The parent of classes that override functions, when there is one."""

    parent: type | None = None


def prepare(cls: type[TensorBase]) -> None:
    """Give a new subclass of Tensor the parent whose methods ask, if it overrides functions."""
    if "_asks" in cls.__dict__ or not override.overrides(cls):
        return
    if _Machinery.parent is None:
        _Machinery.parent = type("Tensor", (classes.tensor,), {"__module__": "torch", "__slots__": (), "_asks": True})
        fill()
    parent = _Machinery.parent
    if parent not in cls.__mro__:
        bases = tuple(parent if base is classes.tensor else base for base in cls.__bases__)
        cls.__bases__ = bases if parent in bases else (*bases, parent)


def fill() -> None:
    """Make the asking twin of every method and attribute that Tensor has by now."""
    parent = _Machinery.parent
    if parent is None:
        return
    for owner in (TensorBase, classes.tensor):
        for name, value in tuple(owner.__dict__.items()):
            if not _is_asked(name) or name in parent.__dict__:
                continue
            if isinstance(value, property):
                setattr(parent, name, _property(name, value))
            elif isinstance(value, FunctionType):
                setattr(parent, name, _method(name, value))


def _is_asked(name: str) -> bool:
    if name in _SILENT:
        return False
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__")) or name in _ASKED_PRIVATE


def _method(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    public = getattr(classes.tensor, _REPORTED.get(name, name), original)
    binary = name in _BINARY

    @functools.wraps(original)
    def asked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if modes.function_disabled:
            return original(self, *args, **kwargs)
        found = override.overloaded((self, *args, *kwargs.values()))
        if not found and not modes.function_modes:
            return original(self, *args, **kwargs)
        try:
            return override.ask(public, (self, *args), kwargs or None, found)
        except TypeError:
            if binary:
                return NotImplemented
            raise

    return asked


def _property(name: str, original: property) -> property:
    def getter(self: Any) -> Any:
        if modes.function_disabled or not override.overrides(type(self)):
            return original.__get__(self)
        return override.ask(original.__get__, (self,), None, (self,))

    def setter(self: Any, value: Any) -> None:
        if modes.function_disabled or not override.overrides(type(self)):
            original.__set__(self, value)
        else:
            override.ask(original.__set__, (self, value), None, override.overloaded((self, value)))

    def deleter(self: Any) -> None:
        if modes.function_disabled or not override.overrides(type(self)):
            original.__delete__(self)
        else:
            override.ask(original.__delete__, (self,), None, (self,))

    return property(
        getter, None if original.fset is None else setter, None if original.fdel is None else deleter, original.__doc__
    )


# ---------------------------------------------------------------------------------------------------------------------
# Modes


def _place(*args: Any, **kwargs: Any) -> Any:
    function: Any = "the function to call"
    return function(*args, **kwargs)


class _Switch:
    """While a mode is active anywhere, methods and attributes of plain tensors ask as well."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.codes: dict[FunctionType, tuple[CodeType, CodeType]] = {}

    def enter(self) -> None:
        """Count a mode in."""
        with self.lock:
            self.depth += 1
            if self.depth == 1:
                if not self.codes:
                    self.codes = {f: (f.__code__, _asking_code(f, public)) for f, public in _plain_functions()}
                for function, (_, asking) in self.codes.items():
                    function.__code__ = asking

    def leave(self) -> None:
        """Count a mode out."""
        with self.lock:
            self.depth -= 1
            if not self.depth:
                for function, (own, _) in self.codes.items():
                    function.__code__ = own


switch = _Switch()


def _plain_functions() -> list[tuple[FunctionType, Any]]:
    """The functions behind Tensor that are neither operators nor composed of them, and what each is publicly."""
    found: dict[FunctionType, Any] = {}
    for owner in (TensorBase, classes.tensor):
        for name, value in owner.__dict__.items():
            if not _is_asked(name):
                continue
            if isinstance(value, property):
                parts = ((value.fget, value.__get__), (value.fset, value.__set__), (value.fdel, value.__delete__))
                for part, public in parts:
                    # A composed function that serves as a getter asks for itself: under its own name, not this one.
                    if isinstance(part, FunctionType) and part.__closure__ is None:
                        found.setdefault(part, public)
            elif isinstance(value, FunctionType) and value.__code__.co_filename.endswith("_tensor.py"):
                found.setdefault(value, value)
    return list(found.items())


def _asking_code(function: FunctionType, public: Any) -> CodeType:
    assert function.__closure__ is None, f"{function.__qualname__} is a closure, whose code cannot be exchanged"
    own = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    own.__kwdefaults__ = function.__kwdefaults__

    def asked(*args: Any, **kwargs: Any) -> Any:
        if not modes.function_modes or modes.function_disabled == override.EVERYTHING:
            return own(*args, **kwargs)
        return override.ask(public, args, kwargs or None, override.overloaded((*args, *kwargs.values())))

    code = _place.__code__
    consts = tuple(asked if c == "the function to call" else c for c in code.co_consts)
    return code.replace(co_consts=consts, co_name=function.__name__, co_qualname=function.__qualname__)
