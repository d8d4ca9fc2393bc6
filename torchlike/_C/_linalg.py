"""``torch._C._linalg``: the functions of ``torch.linalg``, with the name of the family before their own."""

from __future__ import annotations

from typing import Any

from torchlike import linalg


def __getattr__(name: str) -> Any:
    found = getattr(linalg, name.removeprefix("linalg_"), None) if name.startswith("linalg_") else None
    if found is None:
        raise AttributeError(f"module 'torch._C._linalg' has no attribute '{name}'")
    return found
