"""How error messages name the type of an object."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch, errors
from torchlike._core.tensor_state import TensorBase


def typename(obj: Any) -> str:
    """Return the name that PyTorch's messages give to the type of an object.

    >>> torch.typename(torch.nn.ReLU())
    'torch.nn.modules.activation.ReLU'
    """
    if isinstance(obj, TensorBase):
        return tensor_type(obj)
    module = getattr(obj, "__module__", "") or ""
    if hasattr(obj, "__qualname__"):
        name = obj.__qualname__
    elif hasattr(obj, "__name__"):
        name = obj.__name__
    else:
        module = type(obj).__module__ or ""
        name = type(obj).__qualname__
    if module in ("", "builtins"):
        return str(name)
    if module == "torchlike" or module.startswith("torchlike."):
        module = "torch" + module.removeprefix("torchlike")
    return f"{module}.{name}"


def tensor_type(tensor: Any) -> str:
    """Return the legacy type name of a tensor, as in ``torch.FloatTensor``."""
    kind = errors.scalar_type(dispatch.geometry_of(tensor).dtype)
    place = dispatch.device_of(tensor).type
    return f"torch.{'cuda.' if place == 'cuda' else ''}{kind}Tensor"
