"""``torch.xpu`` on a machine without Intel's GPUs."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "init",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "set_device",
    "synchronize",
]

_NO = "Torch not compiled with XPU enabled"


def is_available() -> bool:
    """Return False: there is no such device.

    >>> torch.xpu.is_available()
    False
    """
    return False


def is_initialized() -> bool:
    """Return False: there is no such device."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return False: there is no such device."""
    return False


def device_count() -> int:
    """Return 0: there is no such device."""
    return 0


def empty_cache() -> None:
    """Give back memory of a device: there is none."""


def manual_seed(seed: int) -> None:
    """Seed the generator of a device, when there is one."""


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all devices: there are none."""


def init() -> NoReturn:
    """Prepare the device: AssertionError, there is none."""
    raise AssertionError(_NO)


def current_device() -> NoReturn:
    """Return the current device: AssertionError, there is none."""
    raise AssertionError(_NO)


def get_device_name(device: Any = None) -> NoReturn:
    """Return the name of a device: AssertionError, there is none."""
    raise AssertionError(_NO)


def set_device(device: Any) -> NoReturn:
    """Make a device the current one: AssertionError, there is none."""
    raise AssertionError(_NO)


def synchronize(device: Any = None) -> NoReturn:
    """Wait for a device: AssertionError, there is none."""
    raise AssertionError(_NO)
