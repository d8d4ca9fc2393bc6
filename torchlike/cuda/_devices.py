"""Which NVIDIA GPUs there are, which of them is current, and waiting for them."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import jax

from torchlike import random
from torchlike._core import device as devices

__all__ = [
    "current_device",
    "device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "init",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "set_device",
    "synchronize",
]


def is_available() -> bool:
    """Whether there is a GPU that jax's CUDA plugin can use.

    >>> isinstance(torch.cuda.is_available(), bool)
    True
    """
    return devices.cuda_count() > 0


def device_count() -> int:
    """The number of GPUs.

    >>> torch.cuda.is_available() == (torch.cuda.device_count() > 0)
    True
    """
    return devices.cuda_count()


def is_initialized() -> bool:
    """Whether GPUs are ready for use; they are from the start where there are any.

    >>> torch.cuda.is_initialized() == torch.cuda.is_available()
    True
    """
    return is_available()


def init() -> None:
    """Make GPUs ready for use, which they are. Raises AssertionError where there is none."""
    devices.current_cuda()


def current_device() -> int:
    """The index of the GPU that ``device("cuda")`` means. Raises AssertionError where there is none."""
    return devices.current_cuda()


def _index(device: Any) -> int:
    """The index that a device, a text or an integer names; the current one for None."""
    if device is None:
        return devices.current_cuda()
    if isinstance(device, int):
        return device
    named = device if isinstance(device, devices.device) else devices.device(device)
    if named.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {named}")
    return devices.current_cuda() if named.index is None else named.index


def set_device(device: Any) -> None:
    """Make a GPU the one that ``device("cuda")`` means, in this thread; a negative index changes nothing."""
    devices.set_cuda(_index(device))


class device:
    """A context in which another GPU is the current one; a negative index changes nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = _index(device)
        self.prev_idx = -1

    def __enter__(self) -> None:
        if self.idx >= 0:
            self.prev_idx = devices.current_cuda()
            devices.set_cuda(self.idx)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        devices.set_cuda(self.prev_idx)


def _jax_device(device: Any) -> jax.Device:
    return devices.jax_device(devices.device("cuda", _index(device)))


def get_device_name(device: Any = None) -> str:
    """What the maker calls a GPU. Raises AssertionError where there is none."""
    return str(_jax_device(device).device_kind)


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current GPU computes in bfloat16; XLA does it on all that it supports.

    >>> torch.cuda.is_bf16_supported() == torch.cuda.is_available()
    True
    """
    return is_available()


def synchronize(device: Any = None) -> None:
    """Wait until a GPU has done what it was given. Raises AssertionError where there is none."""
    # A device does its work in the order it was given; a transfer given now comes last.
    jax.device_put(0, _jax_device(device)).block_until_ready()


def empty_cache() -> None:
    """Accepted, without effect: XLA's allocator keeps the memory that it has.

    >>> torch.cuda.empty_cache()
    """


def _statistic(name: str, device: Any) -> int:
    if not is_available():
        return 0
    return int((_jax_device(device).memory_stats() or {}).get(name, 0))


def memory_allocated(device: Any = None) -> int:
    """The bytes that tensors occupy on a GPU; 0 where there is none."""
    return _statistic("bytes_in_use", device)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors have occupied on a GPU at a time; 0 where there is none."""
    return _statistic("peak_bytes_in_use", device)


def manual_seed(seed: int) -> None:
    """Seed the generator of the GPU; one generator serves all devices here, so this is `torch.manual_seed`.

    Ignored where there is no GPU.

    >>> torch.cuda.manual_seed(0)
    """
    if is_available():
        random.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all GPUs; see `manual_seed`.

    >>> torch.cuda.manual_seed_all(0)
    """
    manual_seed(seed)
