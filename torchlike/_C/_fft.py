"""``torch._C._fft``: the functions of ``torch.fft``, with the name of the family before their own."""

from __future__ import annotations

from typing import Any

from torchlike import fft


def __getattr__(name: str) -> Any:
    found = getattr(fft, name.removeprefix("fft_"), None) if name.startswith("fft_") else None
    if found is None:
        raise AttributeError(f"module 'torch._C._fft' has no attribute '{name}'")
    return found
