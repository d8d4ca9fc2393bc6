"""What a function can see of Python's state: the values that a compiled program has built in, and the optimizers it steps.

A program is good for as long as every plain value that the function can reach (globals it names, closures, defaults, attributes
of objects and modules, entries of small containers) is what it was when the program was traced. Module attributes are watched by one
counter that `nn.Module.__setattr__` advances; everything else is compared at each call.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

from torchlike._core.dtype import dtype
from torchlike._core.tensor_state import TensorBase

_PLAIN = (bool, int, float, complex, str, bytes, type(None), dtype)
_LIMIT = 2_000  # a container longer than this is watched by its length only


class Guards:
    """The reachable plain values of a function.

    ``cells`` lists (container, key, value) of mappings, sequences and closures; ``attributes`` those of instances; ``groups`` are the
    parameter groups of optimizers, whose learning rate may change freely.
    """

    def __init__(self, function: Callable[..., Any], optimizer_class: type, module_class: type) -> None:
        self.items: list[tuple[Any, Any, Any]] = []
        self.cells: list[tuple[Any, Any]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        self.lengths: list[tuple[Any, int]] = []
        self.groups: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.modules: list[Any] = []
        self._optimizer = optimizer_class
        self._module = module_class
        self._seen: set[int] = set()
        self._keep: list[Any] = []
        self._function(function)

    def hold(self) -> bool:
        """Whether everything is still as it was."""
        for container, key, value in self.items:
            try:
                now = container[key]
            except (KeyError, IndexError):
                return False
            if now is not value and (type(now) is not type(value) or now != value):
                return False
        for cell, value in self.cells:
            now = cell.cell_contents
            if now is not value and (type(now) is not type(value) or not isinstance(now, _PLAIN) or now != value):
                return False
        for owner, name, value in self.attributes:
            now = getattr(owner, name, _MISSING)
            if now is not value and (type(now) is not type(value) or not isinstance(now, _PLAIN) or now != value):
                return False
        for container, length in self.lengths:
            if len(container) != length:
                return False
        for group, saved in self.groups:
            saved["lr"] = group["lr"]
            if group != saved:
                return False
        return True

    def restore(self) -> list[str]:
        """Put plain values back that a trace changed; returns their names."""
        changed = []
        for container, key, value in self.items:
            now = container.get(key, _MISSING) if isinstance(container, dict) else container[key]
            if now is not value:
                container[key] = value
                changed.append(str(key))
        for cell, value in self.cells:
            if cell.cell_contents is not value:
                cell.cell_contents = value
                changed.append("a variable of the enclosing function")
        for owner, name, value in self.attributes:
            if getattr(owner, name, _MISSING) is not value:
                setattr(owner, name, value)
                changed.append(name)
        for container, length in self.lengths:
            if len(container) != length:
                changed.append(f"the length of a {type(container).__name__}")
                if isinstance(container, list):
                    del container[length:]
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
            self._module_state(value)
        elif isinstance(value, dict):
            self._container(value, value.items())
        elif isinstance(value, list):
            self._container(value, enumerate(value))
        elif isinstance(value, tuple):
            for x in value:
                self._visit(x)
        elif isinstance(value, types.ModuleType | type | types.BuiltinFunctionType):
            return
        elif hasattr(value, "__dict__") and not _is_ours(type(value).__module__):
            self._instance(value)

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
            self.items.append((scope, name, value))
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
                self.items.append((vars(module), name, value))

    def _container(self, container: Any, entries: Any) -> None:
        self.lengths.append((container, len(container)))
        if len(container) > _LIMIT:
            return
        for key, value in entries:
            if isinstance(value, _PLAIN):
                self.items.append((container, key, value))
            else:
                self._visit(value)

    def _instance(self, owner: Any) -> None:
        for name, value in vars(owner).items():
            if isinstance(value, _PLAIN):
                self.attributes.append((owner, name, value))
            else:
                self._visit(value)

    def _module_state(self, module: Any) -> None:
        """Modules count their own changes; what their attributes hold is visited."""
        self.modules.append(module)
        self._visit(type(module).forward)
        for name, value in vars(module).items():
            if name in ("_parameters", "_buffers"):
                continue
            if name == "_modules":
                for child in value.values():
                    self._visit(child)
            elif not isinstance(value, _PLAIN):
                self._visit(value)

    def _optimizer_state(self, optimizer: Any) -> None:
        for group in optimizer.param_groups:
            self.groups.append((group, dict(group)))


_MISSING = object()


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("torchlike", "jax", "jaxlib")


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
