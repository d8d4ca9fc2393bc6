"""The seam of ``torch.ops``: which namespace a name means is said by `torchlike._library`, once that is imported.

``torch.ops`` is the package of the operators, which nearly every module imports; so it cannot import what defines
custom operators, which needs autograd and more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_resolvers: list[Callable[[str], Any]] = []


def resolve_with(resolver: Callable[[str], Any]) -> None:
    """Let a function say what a namespace is."""
    _resolvers[:] = [resolver]


def namespace(name: str) -> Any:
    """Return ``torch.ops.name``; AttributeError for names that no namespace has."""
    if not _resolvers or name.startswith("__"):
        raise AttributeError(f"module 'torch.ops' has no attribute '{name}'")
    return _resolvers[0](name)


absent: set[str] = set()
"""Namespaces whose compiled operators a program asked for; what it says about those operators is taken and not used."""


def load_library(path: str) -> NoReturn:
    """Load a compiled library of operators: raises OSError, since those are linked with PyTorch.

    Packages go on without them (torchvision's models and transforms do), and register rules for them all the same. So
    the package that the library lies in is remembered, as the namespace that operators mostly are in.
    """
    absent.add(Path(path).parent.name)
    raise OSError(f"torch.ops.load_library: {path} is linked with PyTorch's own libraries, which are not here")
