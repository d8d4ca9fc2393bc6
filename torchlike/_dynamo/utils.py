"""``torch._dynamo.utils``: a question that libraries ask."""

from __future__ import annotations

__all__ = ["is_compile_supported"]


def is_compile_supported(device_type: str) -> bool:
    """Return whether ``torch.compile`` works on a kind of device."""
    return device_type in ("cpu", "cuda")
