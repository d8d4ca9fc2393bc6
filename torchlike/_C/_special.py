"""``torch._C._special``: the functions of ``torch.special``, with the name of the family before their own."""

from __future__ import annotations

from typing import Any

from torchlike import special


def __getattr__(name: str) -> Any:
    found = getattr(special, name.removeprefix("special_"), None) if name.startswith("special_") else None
    if found is None:
        raise AttributeError(f"module 'torch._C._special' has no attribute '{name}'")
    return found
