"""Classes that show themselves under PyTorch's name, and can be pickled all the same."""

from __future__ import annotations

import copyreg
import importlib
from typing import Any


def resolve(name: str) -> Any:
    """Return the public object called ``name`` ("Size", "device" ...) of this package; what pickles refer to."""
    return getattr(importlib.import_module("torchlike"), name)


class TorchNamed(type):
    """The metaclass of classes with ``__module__ = "torch"``, so that they print as ``<class 'torch.Size'>``.

    Pickle would look such a class up in a module "torch", which may be absent or the real PyTorch; the reducer below
    makes it look in this package. The metaclass has no methods, so ``isinstance`` and calls cost nothing extra.
    """


def _reduce_class(cls: TorchNamed) -> tuple[Any, tuple[str]]:
    return resolve, (cls.__qualname__,)


copyreg.pickle(TorchNamed, _reduce_class)


# Classes whose ``__module__`` is where programs find them: in this package, or in "torch" while the alias serves that.
_following: list[type] = []


def follow(cls: type) -> type:
    """Let the ``__module__`` of a class say "torch" as long as there is such a module (see ``install_as_torch``)."""
    _following.append(cls)
    return cls


def rename(root: str) -> None:
    """Name the classes that follow by another root: "torch" or this package's own name."""
    for cls in _following:
        cls.__module__ = root + cls.__module__[len(cls.__module__.partition(".")[0]) :]


class ShownAsTorch(type):
    """The metaclass of classes that print as PyTorch's do, wherever they are."""

    def __repr__(cls) -> str:
        root, dot, rest = cls.__module__.partition(".")
        shown = "torch" if root == "torchlike" else root
        return f"<class '{shown}{dot}{rest}.{cls.__qualname__}'>"
