"""``torch.ops``: operators by namespace, name and overload."""

from __future__ import annotations

import importlib.resources
import json
import sys
import types
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from torchlike._core import spaces
from torchlike._library.definitions import Definition, definitions

__all__ = ["OpNamespace", "OpOverload", "OpOverloadPacket", "namespace"]


class OpOverload:
    """One overload of an operator, such as ``torch.ops.aten.add.Tensor``; calling it computes.

    >>> torch.ops.aten.add.Tensor(torch.ones(1), torch.ones(1))
    tensor([2.])
    """

    def __init__(self, packet: OpOverloadPacket, overload: str, function: Callable[..., Any]) -> None:
        self.overloadpacket = packet
        self._overloadname = overload
        self._function = function
        self.__name__ = f"{packet._opname}.{overload}"
        self.__module__ = f"torch._ops.{packet._namespace}"

    @property
    def namespace(self) -> str:
        """The namespace."""
        return self.overloadpacket._namespace

    @property
    def _opname(self) -> str:
        return self.overloadpacket._opname

    @property
    def _schema(self) -> Any:
        definition = self.overloadpacket._definition
        if definition is None:
            raise NotImplementedError(f"torch.ops.{self}._schema: schemas of PyTorch's own operators")
        return definition.schema

    def name(self) -> str:
        """Return the full name, ``namespace::name.overload``; the default overload is not shown."""
        ending = "" if self._overloadname == "default" else f".{self._overloadname}"
        return f"{self.namespace}::{self._opname}{ending}"

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<OpOverload(op='{self.namespace}.{self._opname}', overload='{self._overloadname}')>"

    def __str__(self) -> str:
        return f"{self.namespace}.{self._opname}.{self._overloadname}"


class OpOverloadPacket:
    """All overloads of an operator, such as ``torch.ops.aten.add``; calling it takes the one that fits.

    >>> torch.ops.aten.mm
    <OpOverloadPacket(op='aten.mm')>
    """

    def __init__(
        self,
        space: str,
        name: str,
        overloads: list[str],
        function: Callable[..., Any],
        definition: Definition | None = None,
    ) -> None:
        self._namespace = space
        self._opname = self.__name__ = name
        self._overloads = overloads
        self._function = function
        self._definition = definition
        self.__module__ = f"torch.ops.{space}"

    def overloads(self) -> list[str]:
        """Return the names of the overloads."""
        return list(self._overloads)

    def __getattr__(self, key: str) -> OpOverload:
        if key.startswith("__") or key not in self._overloads:
            raise AttributeError(
                f"The underlying op of '{self._namespace}.{self._opname}' has no overload name '{key}'"
            )
        overload = OpOverload(self, key, self._function)
        self.__dict__[key] = overload  # so that it is one object, which programs compare
        return overload

    def __iter__(self) -> Iterator[str]:
        return iter(self._overloads)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='{self._namespace}.{self._opname}')>"

    def __str__(self) -> str:
        return f"{self._namespace}.{self._opname}"


class OpNamespace(types.ModuleType):
    """The operators of a namespace."""

    def __init__(self, name: str) -> None:
        super().__init__(f"torch.ops.{name}")
        self._namespace = name

    def __getattr__(self, name: str) -> OpOverloadPacket:
        found = None if name.startswith("__") else _packet(self._namespace, name)
        if found is None:
            raise AttributeError(f"'_OpNamespace' '{self._namespace}' object has no attribute '{name}'")
        self.__dict__[name] = found
        return found

    def __repr__(self) -> str:
        return f"<module 'torch.ops.{self._namespace}' from 'torch.ops'>"

    def _forget(self, name: str) -> None:
        self.__dict__.pop(name, None)


def _packet(space: str, name: str) -> OpOverloadPacket | None:
    definition = definitions.get(space, {}).get(name)
    if definition is not None:
        return OpOverloadPacket(space, name, ["default"], definition, definition)
    if space != "aten":
        return None
    overloads = _aten().get(name)
    function = _function(name) if overloads else None
    if overloads is None or function is None:
        return None
    return OpOverloadPacket(space, name, overloads, function)


@cache
def _aten() -> dict[str, list[str]]:
    """The overloads of PyTorch's operators, by name; ``tools/record_overloads.py`` writes them."""
    text = importlib.resources.files(__package__).joinpath("aten_overloads.json").read_text(encoding="utf-8")
    found: dict[str, list[str]] = json.loads(text)
    return found


# Families whose functions PyTorch's compiled code calls by a longer name.
_FAMILIES = {"linalg_": "linalg", "fft_": "fft", "special_": "special"}


def _function(name: str) -> Callable[..., Any] | None:
    """The function of this package that is an operator of PyTorch's, by the name that compiled code has for it."""
    root: Any = sys.modules[__name__.partition(".")[0]]
    for prefix, family in _FAMILIES.items():
        if name.startswith(prefix):
            return getattr(getattr(root, family), name.removeprefix(prefix), None)
    for owner in (root, root.nn.functional, root.Tensor):
        found = getattr(owner, name, None)
        if callable(found):
            return found
    return None


_namespaces: dict[str, OpNamespace] = {}


def namespace(name: str) -> OpNamespace:
    """Return a namespace of ``torch.ops``; there is one of every name, empty until something is defined in it."""
    if name not in _namespaces:
        _namespaces[name] = OpNamespace(name)
    return _namespaces[name]


def forget(space: str, name: str) -> None:
    """Let an operator be looked up anew, after it was defined."""
    if space in _namespaces:
        _namespaces[space]._forget(name)


spaces.resolve_with(namespace)
