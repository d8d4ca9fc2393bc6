"""``torch.mps`` on a machine without Apple's GPUs."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "current_allocated_memory",
    "device_count",
    "driver_allocated_memory",
    "empty_cache",
    "get_rng_state",
    "is_available",
    "manual_seed",
    "recommended_max_memory",
    "seed",
    "set_per_process_memory_fraction",
    "set_rng_state",
    "synchronize",
]


def _refuse(name: str) -> NoReturn:
    raise RuntimeError(f"Cannot execute {name}() without MPS backend.")


def is_available() -> bool:
    """Return False: there is no such device.

    >>> torch.mps.is_available()
    False
    """
    return False


def device_count() -> int:
    """Return 0: there is no such device."""
    return 0


def synchronize() -> NoReturn:
    """Wait for the device: RuntimeError, there is none."""
    _refuse("deviceSynchronize")


def empty_cache() -> NoReturn:
    """Give back memory of the device: RuntimeError, there is none."""
    _refuse("emptyCache")


def set_per_process_memory_fraction(fraction: float) -> NoReturn:
    """Limit the memory of the device: RuntimeError, there is none."""
    _refuse("setMemoryFraction")


def current_allocated_memory() -> NoReturn:
    """Return the memory in use: RuntimeError, there is no such device."""
    _refuse("getCurrentAllocatedMemory")


def driver_allocated_memory() -> NoReturn:
    """Return the memory that the process holds: RuntimeError, there is no such device."""
    _refuse("getDriverAllocatedMemory")


def recommended_max_memory() -> NoReturn:
    """Return how much memory should be used: RuntimeError, there is no such device."""
    _refuse("getRecommendedMaxMemory")


def get_rng_state(device: Any = "mps") -> NoReturn:
    """Return the state of the device's generator: RuntimeError, there is none."""
    _refuse("getDefaultGenerator")


def set_rng_state(new_state: Any, device: Any = "mps") -> NoReturn:
    """Set the state of the device's generator: RuntimeError, there is none."""
    _refuse("getDefaultGenerator")


def manual_seed(seed: int) -> None:
    """Seed the device's generator: there is none to be seeded."""


def seed() -> NoReturn:
    """Seed the device's generator with a number of its own: RuntimeError, there is none."""
    _refuse("getDefaultGenerator")
