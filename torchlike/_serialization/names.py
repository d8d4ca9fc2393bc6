"""Names in checkpoints: what is here ``torchlike...`` is written as ``torch...``, and found again."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torchlike import _utils, storage
from torchlike._core import dtype as dtypes

PACKAGE = __name__.partition(".")[0]

# Files that PyTorch does not have, and the module that it has in their place.
_ONE_FILE = ("nn.functional", "linalg", "fft", "special", "optim.lr_scheduler", "ops")
_REBUILD = {name: f for name, f in vars(_utils).items() if name.startswith("_rebuild") and callable(f)}


def rebuild_functions() -> dict[str, Callable[..., Any]]:
    """The functions that make tensors, by the names that checkpoints have for them."""
    return {
        ("torch._tensor." if name == "_rebuild_from_type_v2" else "torch._utils.") + name: f
        for name, f in _REBUILD.items()
    }


def written(obj: Any) -> tuple[str, str] | None:
    """The module and the name under which a class, function or dtype of this package is written; None for others."""
    if isinstance(obj, dtypes.dtype):
        return "torch", obj.name
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    root, _, rest = module.partition(".")
    if root == "torch":
        return module, name
    if root != PACKAGE or "<" in name:
        return None
    if rest == "_serialization.types":
        return "torch.serialization", "_get_layout" if name == "get_layout" else name
    if rest == "_utils":
        return ("torch._tensor" if name == "_rebuild_from_type_v2" else "torch._utils"), name
    for one in _ONE_FILE:
        if rest == one or rest.startswith(one + "."):
            rest = "" if one == "ops" else one
    return ("torch." + rest if rest else "torch"), name


def path_of(obj: Any) -> str:
    """The full name under which something is written."""
    module, name = written(obj) or (obj.__module__, obj.__qualname__)
    return f"{module}.{name}"


def found(module: str, name: str) -> Any:
    """What a checkpoint means by a name of PyTorch's; raises ImportError or AttributeError when there is no such."""
    function = rebuild_functions().get(f"{module}.{name}")
    if function is not None:
        return function
    if module == "torch.storage" and name == "_load_from_bytes":
        return getattr(importlib.import_module(PACKAGE + ".serialization"), name)
    if module == "torch._C._nn":
        module = "torch.nn.functional"
    owner: Any = importlib.import_module(PACKAGE + module.removeprefix("torch"))
    for part in name.split("."):
        owner = getattr(owner, part)
    return owner


def is_torch(module: str) -> bool:
    """Whether a name belongs to PyTorch, and so to this package."""
    return module == "torch" or module.startswith("torch.")


def storage_class(dtype: dtypes.dtype) -> Any:
    """The class of storages by which a checkpoint names a dtype; None for the newer dtypes, which have none."""
    return getattr(storage, storage.legacy_name(dtype), None)
