"""OpenMP: XLA does not use it."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """Return False: XLA's own kernels and threads compute here.

    >>> torch.backends.openmp.is_available() in (True, False)
    True
    """
    return False
