"""Switches of cuDNN: kept, without effect. XLA chooses algorithms by itself and is deterministic on the CPU."""

from __future__ import annotations

import contextlib
from typing import Any

from torchlike.backends._flags import switched

__all__ = ["flags", "is_acceptable", "is_available", "set_flags", "version"]

enabled: bool = True
deterministic: bool = False
benchmark: bool = False
benchmark_limit: int | None = None
allow_tf32: bool = True
fp32_precision: str = "none"


def is_available() -> bool:
    """Return False: cuDNN is not called by this package.

    >>> torch.backends.cudnn.is_available() and not torch.cuda.is_available()
    False
    """
    return False


def version() -> int | None:
    """Return None: there is no cuDNN of this package's own.

    >>> torch.backends.cudnn.version()
    """
    return None


def is_acceptable(tensor: Any) -> bool:
    """Whether cuDNN would take a tensor: never.

    >>> torch.backends.cudnn.is_acceptable(torch.ones(1))
    False
    """
    return False


def set_flags(
    _enabled: bool | None = None,
    _benchmark: bool | None = None,
    _benchmark_limit: int | None = None,
    _deterministic: bool | None = None,
    _allow_tf32: bool | None = None,
    _fp32_precision: str = "none",
    _depthwise_kernel: str | None = None,
) -> tuple[Any, ...]:
    """Set the switches that are not None; returns what they were."""
    names = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")
    before = tuple(globals()[name] for name in names)
    given = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32)
    globals().update({name: value for name, value in zip(names, given, strict=True) if value is not None})
    return before


def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
    depthwise_kernel: str = "auto",
) -> contextlib.AbstractContextManager[None]:
    """Set the switches within a block.

    >>> with torch.backends.cudnn.flags(enabled=True, benchmark=True):
    ...     torch.backends.cudnn.benchmark
    True
    """
    values: dict[str, Any] = {
        "enabled": enabled,
        "benchmark": benchmark,
        "benchmark_limit": benchmark_limit,
        "deterministic": deterministic,
        "allow_tf32": allow_tf32,
        "fp32_precision": fp32_precision,
    }
    return switched(globals(), values)
