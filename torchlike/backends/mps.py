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
    """Return False: there is no such device, whatever the system.

    >>> torch.backends.mps.is_macos_or_newer(13, 0)
    False
    """
    return False


def is_macos13_or_newer(minor: int = 0) -> bool:
    """Return False: there is no such device, whatever the system.

    >>> torch.backends.mps.is_macos13_or_newer()
    False
    """
    return False


def get_name() -> str:
    """Return the name of the device, empty without one.

    >>> torch.backends.mps.get_name()
    ''
    """
    return ""


def get_core_count() -> int:
    """Return the number of its cores, 0 without a device.

    >>> torch.backends.mps.get_core_count()
    0
    """
    return 0
