"""``import torch`` served by this package, for code that was written for PyTorch and is not to be changed.

While the alias is on, ``torch`` and every ``torch.x.y`` in ``sys.modules`` are the very modules ``torchlike`` and
``torchlike.x.y``: there are no second copies, so classes keep their identity under both names. Modules of a real
PyTorch that was imported before are put aside and come back when the alias goes off.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

from torchlike._core import naming
from torchlike.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["as_torch", "install_as_torch", "uninstall_as_torch"]

_PACKAGE = __name__.partition(".")[0]


def _served_by(name: str) -> str:
    """The name of the module of this package behind ``torch`` or ``torch.x.y``."""
    return _PACKAGE + name.removeprefix("torch")


def _is_torch(name: str) -> bool:
    return name == "torch" or name.startswith("torch.")


class _Loader(Loader):
    """Hands out the module that this package already has."""

    def __init__(self) -> None:
        self.specs: dict[str, ModuleSpec | None] = {}

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_served_by(spec.name))
        # The import system is about to write the alias's spec into the module; exec_module puts its own one back.
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        alias = module.__spec__.name
        module.__spec__ = self.specs.pop(alias)
        module.__name__ = alias


class _Distribution(importlib.metadata.Distribution):
    """The package metadata of ``torch``, for those who look there for its version."""

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Metadata-Version: 2.1\nName: torch\nVersion: {__version__}\n"
        return "torch\n" if filename == "top_level.txt" else None

    def locate_file(self, path: str | object) -> Path:
        raise FileNotFoundError(f"torch is served by {_PACKAGE} and has no file of its own: {path}")


class _Finder(MetaPathFinder):
    """Finds ``torch[.x.y]`` where ``torchlike[.x.y]`` is."""

    def __init__(self) -> None:
        self.loader = _Loader()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_torch(fullname):
            return None
        found = importlib.util.find_spec(_served_by(fullname))
        if found is None:
            return None
        spec = ModuleSpec(fullname, self.loader, origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def find_distributions(
        self,
        context: importlib.metadata.DistributionFinder.Context = importlib.metadata.DistributionFinder.Context(),  # noqa: B008 - the protocol's own default
    ) -> Iterable[importlib.metadata.Distribution]:
        return [_Distribution()] if context.name is None or context.name.lower() == "torch" else []


class _State:
    """Whether the alias is on, and what it put aside."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.finder: _Finder | None = None
        self.aside: dict[str, ModuleType] = {}


_state = _State()


def _take_out() -> dict[str, ModuleType]:
    """Remove every module called torch or torch.x.y from sys.modules and return them."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if _is_torch(name)}


def _name_modules(before: str, after: str) -> None:
    """Let the modules of this package say that they are called ``torch...``, or by their own names again.

    Programs compare the names of modules, and Python's errors tell them ("module 'torch.nn' has no attribute"). How a
    module is found again is in its ``__spec__`` and ``__package__``, which stay.
    """
    for name, module in list(sys.modules.items()):
        if name == _PACKAGE or name.startswith(f"{_PACKAGE}."):
            root, dot, rest = module.__name__.partition(".")
            if root == before:
                module.__name__ = after + dot + rest


def install_as_torch() -> None:
    """Serve ``import torch`` and ``import torch.x.y`` from this package until `uninstall_as_torch`.

    Call it before importing the code it is meant for: what was imported earlier keeps the ``torch`` it has. A real
    PyTorch, installed or even imported, is not touched; its modules are put aside. Installing twice is installing once.

    A submodule that this package does not have raises ModuleNotFoundError with its name. ``torch.__version__`` and
    ``importlib.metadata.version("torch")`` say which PyTorch the API follows.

    >>> torch.install_as_torch()
    >>> import torch.nn.functional as F
    >>> F.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> torch.uninstall_as_torch()
    """
    with _state.lock:
        if _state.finder is None:
            _state.finder = _Finder()
            _state.aside = _take_out()
            sys.meta_path.insert(0, _state.finder)
            naming.rename("torch")
            _name_modules(_PACKAGE, "torch")
            importlib.invalidate_caches()


def uninstall_as_torch() -> None:
    """Let ``import torch`` mean the real PyTorch again; without `install_as_torch` before it, nothing happens.

    Modules of a real PyTorch that were put aside are back as they were. Code that was imported in between goes on using
    this package.
    """
    with _state.lock:
        if _state.finder is not None:
            sys.meta_path.remove(_state.finder)
            _take_out()
            sys.modules.update(_state.aside)
            _state.finder = None
            _state.aside = {}
            naming.rename(_PACKAGE)
            _name_modules("torch", _PACKAGE)
            importlib.invalidate_caches()


@contextmanager
def as_torch() -> Iterator[None]:
    """A context in which `install_as_torch` holds; it may be nested.

    >>> with torch.as_torch():
    ...     from torch import nn
    >>> nn.Linear(2, 1)
    Linear(in_features=2, out_features=1, bias=True)
    """
    was_on = _state.finder is not None
    install_as_torch()
    try:
        yield
    finally:
        if not was_on:
            uninstall_as_torch()
