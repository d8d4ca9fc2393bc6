"""What a function can see of Python's state: the values that a compiled program has built in.

A program is good for as long as every plain value that the function can reach (globals it names, closures, defaults,
attributes of objects and modules, entries of small containers) is what it was when the program was traced. Learning
rates are the exception: they are inputs of the program.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterator
from typing import Any

from torchlike._core import dispatch
from torchlike._core.dtype import dtype
from torchlike._core.tensor_state import TensorBase

_PLAIN = (bool, int, float, complex, str, bytes, type(None), dtype)
_LIMIT = 2_000  # a container longer than this holds data rather than settings, and is not watched


class Guards:
    """The reachable plain values of a function, and whether they are still what they were.

    ``names`` are (mapping, key, value) of globals, ``cells`` of closures. ``mappings`` and ``lists`` are compared with
    copies: one comparison in C for all, in which an unchanged entry costs an identity check. ``groups`` are the
    parameter groups of optimizers, whose learning rate may change freely.
    """

    def __init__(self, function: Callable[..., Any], optimizer_class: type, module_class: type) -> None:
        self.names: list[tuple[dict[str, Any], str, Any]] = []
        self.cells: list[tuple[Any, Any]] = []
        self.mappings: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        self.lists: list[tuple[list[Any], list[Any]]] = []
        self.groups: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._optimizer = optimizer_class
        self._module = module_class
        self._seen: set[int] = set()
        self._keep: list[Any] = []
        self._inner: set[int] = set()  # mappings that were copied with the one they are in
        self._visit(function)
        watched = [(m, copy) for m, copy in self.mappings if id(m) not in self._inner]
        self.now: list[Any] = [*[m for m, _ in watched], *[now for now, _ in self.lists]]
        self.before: list[Any] = [*[copy for _, copy in watched], *[entries for _, entries in self.lists]]
        # A comparison of two tensors compares their values, which is an error unless there is only one.
        self.singles: list[tuple[Any, Any, Any]] = [
            (m, k, v) for m, _ in self.mappings for k, v in m.items() if _is_single(v)
        ]
        self.singles += [(now, i, v) for now, _ in self.lists for i, v in enumerate(now) if _is_single(v)]

    @staticmethod
    def same(now: Any, value: Any) -> bool:
        """Whether a plain value equals another of its type."""
        return type(now) is type(value) and isinstance(now, _PLAIN) and bool(now == value)

    def restore(self) -> list[str]:
        """Put back what a trace changed; returns the names."""
        changed = []
        for scope, name, value in self.names:
            if scope.get(name, _MISSING) is not value:
                changed.append(name)
                if isinstance(scope, dict):  # a class's namespace cannot be written so, and stays changed
                    scope[name] = value
        for cell, value in self.cells:
            if cell.cell_contents is not value:
                cell.cell_contents = value
                changed.append("a variable of the enclosing function")
        for mapping, saved in self.mappings:
            changed.extend(_restore_mapping(mapping, saved))
        for now, before in self.lists:
            if len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True)):
                now[:] = before
                changed.append("the entries of a list")
        return changed

    # -- reaching ----------------------------------------------------------------------------------------------------

    def _visit(self, value: Any) -> None:
        if isinstance(value, (*_PLAIN, TensorBase)) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._keep.append(value)
        if isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.MethodType):
            self._visit(value.__func__)
            self._visit(value.__self__)
        elif isinstance(value, self._optimizer):
            self._optimizer_state(value)
        elif isinstance(value, self._module):
            self._class(type(value))
            self._mapping(vars(value))
        elif isinstance(value, dict):
            if len(value) <= _LIMIT:
                self._mapping(value)
        elif isinstance(value, list):
            self._list(value)
        elif isinstance(value, tuple):
            for x in value:
                self._visit(x)
        elif isinstance(value, types.ModuleType | type | types.BuiltinFunctionType):
            return
        elif hasattr(value, "__dict__") and not _is_ours(type(value).__module__):
            self._class(type(value))
            self._mapping(vars(value))

    def _class(self, cls: type) -> None:
        """The methods and plain attributes of the user's classes."""
        for parent in cls.__mro__:
            if id(parent) in self._seen or _is_ours(parent.__module__) or parent.__module__ == "builtins":
                continue
            self._seen.add(id(parent))
            self._keep.append(parent)
            for name, value in vars(parent).items():
                if isinstance(value, _PLAIN):
                    if not name.startswith("__"):
                        self.names.append((vars(parent), name, value))  # type: ignore[arg-type]
                elif isinstance(value, property):
                    self._visit(value.fget)
                else:
                    self._visit(getattr(value, "__func__", value))

    def _list(self, value: list[Any]) -> None:
        if len(value) <= _LIMIT:
            self.lists.append((value, list(value)))
            for x in value:
                self._visit(x)

    def _function(self, function: Any) -> None:
        if not isinstance(function, types.FunctionType):
            self._visit(function)
            return
        if _is_ours(function.__module__ or ""):
            return
        code = function.__code__
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.cells.append((cell, value))
            self._visit(value)
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._visit(value)
        names = set(_names(code))
        scope = function.__globals__
        for name in names & scope.keys():
            value = scope[name]
            self.names.append((scope, name, value))
            if isinstance(value, types.ModuleType):
                self._module_constants(value, names)
            else:
                self._visit(value)

    def _module_constants(self, module: types.ModuleType, names: set[str]) -> None:
        """The plain values of an imported module (a settings file) that the code names."""
        if _is_ours(module.__name__) or module.__name__.split(".")[0] in ("numpy", "math"):
            return
        for name in names & vars(module).keys():
            value = vars(module)[name]
            if isinstance(value, _PLAIN):
                self.names.append((vars(module), name, value))

    def _mapping(self, mapping: dict[Any, Any]) -> None:
        # Small mappings inside (a module's hooks and parameters) are copied too, so that what is put into them shows.
        self.mappings.append((mapping, {k: _copied(v) for k, v in mapping.items()}))
        self._inner.update(id(v) for v in mapping.values() if _is_flat(v))
        for value in list(mapping.values()):
            self._visit(value)

    def _optimizer_state(self, optimizer: Any) -> None:
        self.lists.append((optimizer.param_groups, list(optimizer.param_groups)))
        for group in optimizer.param_groups:
            self.groups.append((group, dict(group)))
            self.lists.append((group["params"], list(group["params"])))
        for hooks in (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks):
            self._mapping(hooks)


# What comparing with something that cannot be compared (an array, a tensor) raises.
INCOMPARABLE = (KeyError, IndexError, ValueError, RuntimeError, TypeError)

_MISSING = object()


def _is_single(value: Any) -> bool:
    return isinstance(value, TensorBase) and math.prod(dispatch.shape_of(value)) == 1


def _copied(value: Any) -> Any:
    # As a plain dictionary: comparing two ordered ones would compare their orders, too.
    return dict(value) if isinstance(value, dict) and len(value) <= _LIMIT else value


def _is_flat(value: Any) -> bool:
    """Whether a value is a mapping that is copied completely with the one that it is in."""
    return isinstance(value, dict) and len(value) <= _LIMIT and not any(isinstance(v, dict) for v in value.values())


def _restore_mapping(mapping: dict[Any, Any], saved: dict[Any, Any]) -> list[str]:
    changed = []
    for key in [k for k in mapping if k not in saved]:
        del mapping[key]
        changed.append(str(key))
    for key, value in saved.items():
        now = mapping.get(key, _MISSING)
        if isinstance(value, dict) and isinstance(now, dict):
            if now.keys() != value.keys() or any(now[k] is not value[k] for k in value):
                now.clear()
                now.update(value)
                changed.append(str(key))
        elif now is not value:
            mapping[key] = value
            changed.append(str(key))
    return changed


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("torchlike", "jax", "jaxlib")


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
