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
