"""``torch.accelerator``: the GPU, whichever maker's, as far as `torchlike.cuda` sees one."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torchlike import cuda
from torchlike._core.device import device as Device

__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "device_count",
    "device_index",
    "empty_cache",
    "get_memory_info",
    "is_available",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_peak_memory_stats",
    "set_device_idx",
    "set_device_index",
    "synchronize",
]


def is_available() -> bool:
    """Return whether there is an accelerator.

    >>> torch.accelerator.is_available() == torch.cuda.is_available()
    True
    """
    return cuda.is_available()


def device_count() -> int:
    """Return how many accelerators there are."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> Device | None:
    """Return the kind of accelerator, without an index; None where there is none."""
    return Device("cuda") if is_available() else None


def _require() -> None:
    if not is_available():
        raise RuntimeError("Cannot access accelerator device when none is available.")


def _index(device: Any) -> int:
    if device is None:
        return cuda.current_device()
    if isinstance(device, int):
        return device
    given = Device(device)
    if given.type != "cuda":
        raise ValueError(f"{given.type} doesn't match the current accelerator cuda.")
    return cuda.current_device() if given.index is None else given.index


def current_device_index() -> int:
    """Return the index of the current accelerator; RuntimeError without one."""
    _require()
    return cuda.current_device()


def set_device_index(device: Any, /) -> None:
    """Make an accelerator the current one; RuntimeError without one."""
    _require()
    cuda.set_device(_index(device))


current_device_idx = current_device_index
set_device_idx = set_device_index


class device_index:
    """A block with another current accelerator; for None nothing changes."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device
        self._before = -1

    def __enter__(self) -> None:
        if self.idx is not None:
            self._before = current_device_index()
            set_device_index(self.idx)

    def __exit__(self, *error: object) -> None:
        if self.idx is not None:
            set_device_index(self._before)


def synchronize(device: Any = None, /) -> None:
    """Wait for the work of an accelerator; RuntimeError without one."""
    _require()
    cuda.synchronize(_index(device))


def empty_cache() -> None:
    """Give back memory that is not in use; RuntimeError without an accelerator."""
    _require()
    cuda.empty_cache()


def memory_allocated(device_index: Any = None, /) -> int:
    """Return the bytes in use; RuntimeError without an accelerator."""
    _require()
    return cuda.memory_allocated(_index(device_index))


def max_memory_allocated(device_index: Any = None, /) -> int:
    """Return the most bytes that were in use; RuntimeError without an accelerator."""
    _require()
    return cuda.max_memory_allocated(_index(device_index))


def memory_reserved(device_index: Any = None, /) -> int:
    """Return the bytes that the process holds; RuntimeError without an accelerator."""
    _require()
    return cuda.memory_reserved(_index(device_index))


def max_memory_reserved(device_index: Any = None, /) -> int:
    """Return the most bytes that the process held; RuntimeError without an accelerator."""
    _require()
    return cuda.max_memory_reserved(_index(device_index))


def get_memory_info(device_index: Any = None, /) -> tuple[int, int]:
    """Return the bytes that are free and those that there are; RuntimeError without an accelerator."""
    _require()
    return cuda.mem_get_info(_index(device_index))


def memory_stats(device_index: Any = None, /) -> OrderedDict[str, Any]:
    """Return what is known of the memory, by PyTorch's names; RuntimeError without an accelerator."""
    _require()
    index = _index(device_index)
    return OrderedDict(
        {
            "allocated_bytes.all.current": cuda.memory_allocated(index),
            "allocated_bytes.all.peak": cuda.max_memory_allocated(index),
            "reserved_bytes.all.current": cuda.memory_reserved(index),
            "reserved_bytes.all.peak": cuda.max_memory_reserved(index),
        }
    )


def reset_peak_memory_stats(device_index: Any = None, /) -> None:
    """Begin to look for the peak anew; RuntimeError without an accelerator."""
    _require()
    cuda.reset_peak_memory_stats(_index(device_index))
