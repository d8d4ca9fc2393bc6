"""Which GPUs there are, which one is current, and what jax tells of their memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from torchlike._core import device as devices
from torchlike._core.generator import default_generator


def is_available() -> bool:
    """Return whether jax sees a CUDA device.

    >>> isinstance(torch.cuda.is_available(), bool)
    True
    """
    return devices.cuda_count() > 0


def device_count() -> int:
    """Return the number of GPUs."""
    return devices.cuda_count()


def is_initialized() -> bool:
    """Return whether a GPU is in use; jax initialises all there are."""
    return is_available()


def init() -> None:
    """Make the GPUs ready; raises AssertionError where there is none."""
    devices.current_cuda()


def current_device() -> int:
    """Return the index of the current GPU; AssertionError where there is none."""
    return devices.current_cuda()


def _index(device: Any) -> int:
    """The index that a device argument means; None is the current GPU."""
    if device is None:
        return devices.current_cuda()
    if isinstance(device, int):
        return device
    found = devices.device(device)
    if found.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {found}")
    return devices.current_cuda() if found.index is None else found.index


def set_device(device: Any) -> None:
    """Make a GPU the current one."""
    devices.set_cuda(_index(device))


class device:
    """Make a GPU the current one within a block; None or a negative index changes nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None else _index(device)
        self.prev_idx = -1

    def __enter__(self) -> None:
        if self.idx >= 0:
            self.prev_idx = devices.current_cuda()
            devices.set_cuda(self.idx)

    def __exit__(self, *exception: object) -> None:
        devices.set_cuda(self.prev_idx)


def _jax(device: Any) -> jax.Device:
    return devices.jax_device(devices.device("cuda", _index(device)))


@dataclass(frozen=True)
class _Properties:
    """What is known of a GPU."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int


def get_device_properties(device: Any = None) -> Any:
    """Return name, compute capability, memory in bytes and number of multiprocessors of a GPU."""
    found = _jax(device)
    major, minor = get_device_capability(device)
    memory = (found.memory_stats() or {}).get("bytes_limit", 0)
    return _Properties(found.device_kind, major, minor, memory, getattr(found, "core_count", 0))


def get_device_name(device: Any = None) -> str:
    """Return the name of a GPU."""
    return _jax(device).device_kind


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Return the compute capability of a GPU as (major, minor)."""
    text = str(getattr(_jax(device), "compute_capability", "0.0"))
    match = re.match(r"(\d+)\.?(\d*)", text)
    return (int(match.group(1)), int(match.group(2) or 0)) if match else (0, 0)


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return whether the current GPU computes in bfloat16."""
    return is_available() and (including_emulation or get_device_capability()[0] >= 8)


def synchronize(device: Any = None) -> None:
    """Wait until everything given to a GPU so far is done."""
    jax.block_until_ready(jax.device_put(jnp.zeros(()), _jax(device)) + 0)


def empty_cache() -> None:
    """Do nothing: XLA's allocator keeps its memory for the process."""


def _memory(device: Any, key: str) -> int:
    if not is_available():
        return 0
    return int((_jax(device).memory_stats() or {}).get(key, 0))


def memory_allocated(device: Any = None) -> int:
    """Return the bytes of arrays alive on a GPU; 0 where there is none."""
    return _memory(device, "bytes_in_use")


def max_memory_allocated(device: Any = None) -> int:
    """Return the largest number of bytes that were in use on a GPU so far."""
    return _memory(device, "peak_bytes_in_use")


def memory_reserved(device: Any = None) -> int:
    """Return the bytes that XLA's allocator took from a GPU."""
    return _memory(device, "bytes_reserved") or _memory(device, "bytes_in_use")


def max_memory_reserved(device: Any = None) -> int:
    """Return the largest number of bytes that XLA's allocator took from a GPU."""
    return _memory(device, "peak_bytes_reserved") or _memory(device, "peak_bytes_in_use")


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Return the bytes that are free on a GPU, and all it has for this process."""
    limit = _memory(device, "bytes_limit")
    return limit - _memory(device, "bytes_in_use"), limit


def reset_peak_memory_stats(device: Any = None) -> None:
    """Raise NotImplementedError: jax does not reset its peak."""
    raise NotImplementedError("torch.cuda.reset_peak_memory_stats: jax cannot reset the peak it reports")


def manual_seed(seed: int) -> None:
    """Seed the generator; GPUs take their keys from the CPU's generator."""
    if is_available():
        default_generator.manual_seed(int(seed))


def manual_seed_all(seed: int) -> None:
    """Seed the generator for all GPUs, see ``manual_seed``."""
    manual_seed(seed)


def seed() -> None:
    """Seed the generator from the system, where there is a GPU."""
    if is_available():
        default_generator.seed()


def seed_all() -> None:
    """Seed the generator for all GPUs from the system."""
    seed()
