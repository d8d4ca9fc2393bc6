"""Apple's GPUs: not supported."""

from __future__ import annotations

__all__ = ["get_core_count", "get_name", "is_available", "is_built", "is_macos13_or_newer", "is_macos_or_newer"]


def is_built() -> bool:
    """Return False.

    >>> torch.backends.mps.is_built()
    False
    """
    return False


def is_available() -> bool:
    """Return False.

    >>> torch.backends.mps.is_available()
    False
    """
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Raise RuntimeError, as PyTorch does where it is built without this backend.

    >>> torch.backends.mps.is_macos_or_newer(13, 0)
    Traceback (most recent call last):
    RuntimeError: Cannot execute isOnMacOSorNewer() without MPS backend.
    """
    raise RuntimeError("Cannot execute isOnMacOSorNewer() without MPS backend.")


def is_macos13_or_newer(minor: int = 0) -> bool:
    """Raise RuntimeError, as PyTorch does where it is built without this backend.

    >>> torch.backends.mps.is_macos13_or_newer()
    Traceback (most recent call last):
    RuntimeError: Cannot execute isOnMacOSorNewer() without MPS backend.
    """
    return is_macos_or_newer(13, minor)


def get_name() -> str:
    """Raise AttributeError, as PyTorch does where it is built without this backend.

    >>> torch.backends.mps.get_name()
    Traceback (most recent call last):
    AttributeError: module 'torch._C' has no attribute '_mps_get_name'
    """
    raise AttributeError("module 'torch._C' has no attribute '_mps_get_name'")


def get_core_count() -> int:
    """Raise AttributeError, as PyTorch does where it is built without this backend.

    >>> torch.backends.mps.get_core_count()
    Traceback (most recent call last):
    AttributeError: module 'torch._C' has no attribute '_mps_get_core_count'
    """
    raise AttributeError("module 'torch._C' has no attribute '_mps_get_core_count'")
