"""Switches of CUDA's libraries: the kernels of attention; the rest is kept, without effect."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torchlike._core import device as devices
from torchlike.nn.functional._attention_choice import choice

__all__ = [
    "allow_fp16_bf16_reduction_math_sdp",
    "cuBLASModule",
    "cudnn_sdp_enabled",
    "enable_cudnn_sdp",
    "enable_flash_sdp",
    "enable_math_sdp",
    "enable_mem_efficient_sdp",
    "flash_sdp_enabled",
    "fp16_bf16_reduction_math_sdp_allowed",
    "is_built",
    "is_flash_attention_available",
    "math_sdp_enabled",
    "matmul",
    "mem_efficient_sdp_enabled",
    "sdp_kernel",
]


def is_built() -> bool:
    """Return whether jax sees CUDA devices.

    >>> torch.backends.cuda.is_built() == torch.cuda.is_available()
    True
    """
    return devices.cuda_count() > 0


class cuBLASModule:
    """The switches of matrix products. Products here keep the precision of their inputs, whatever is allowed.

    Raises AttributeError for a name that is not one of them.

    >>> torch.backends.cuda.matmul.allow_tf32
    False
    """

    __slots__ = (
        "allow_bf16_reduced_precision_reduction",
        "allow_fp16_accumulation",
        "allow_fp16_reduced_precision_reduction",
        "allow_tf32",
        "fp32_precision",
    )

    def __init__(self) -> None:
        self.allow_tf32 = False
        self.allow_fp16_reduced_precision_reduction = True
        self.allow_bf16_reduced_precision_reduction = True
        self.allow_fp16_accumulation = False
        self.fp32_precision = "none"

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__slots__:
            raise AttributeError("Unknown attribute " + name)
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError("Unknown attribute " + name)


matmul = cuBLASModule()


def flash_sdp_enabled() -> bool:
    """Return whether attention may use the flash kernel.

    >>> torch.backends.cuda.flash_sdp_enabled()
    True
    """
    return choice.enabled["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Let attention use the flash kernel, or not.

    >>> torch.backends.cuda.enable_flash_sdp(True)
    """
    choice.enabled["flash"] = enabled


def mem_efficient_sdp_enabled() -> bool:
    """Return whether attention may use the memory-efficient kernel.

    >>> torch.backends.cuda.mem_efficient_sdp_enabled()
    True
    """
    return choice.enabled["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Let attention use the memory-efficient kernel, or not.

    >>> torch.backends.cuda.enable_mem_efficient_sdp(True)
    """
    choice.enabled["mem_efficient"] = enabled


def math_sdp_enabled() -> bool:
    """Return whether attention may be computed as it is written.

    >>> torch.backends.cuda.math_sdp_enabled()
    True
    """
    return choice.enabled["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Let attention be computed as it is written, or not.

    >>> torch.backends.cuda.enable_math_sdp(True)
    """
    choice.enabled["math"] = enabled


def cudnn_sdp_enabled() -> bool:
    """Return whether attention may use cuDNN.

    >>> torch.backends.cuda.cudnn_sdp_enabled()
    True
    """
    return choice.enabled["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Let attention use cuDNN, or not.

    >>> torch.backends.cuda.enable_cudnn_sdp(True)
    """
    choice.enabled["cudnn"] = enabled


class _Reduction:
    allowed = False


def fp16_bf16_reduction_math_sdp_allowed() -> bool:
    """Return whether attention as it is written may sum halves in their own precision.

    >>> torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    False
    """
    return _Reduction.allowed


def allow_fp16_bf16_reduction_math_sdp(enabled: bool) -> None:
    """Allow sums of halves in their own precision; they are computed in float32 all the same.

    >>> torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(False)
    """
    _Reduction.allowed = enabled


def is_flash_attention_available() -> bool:
    """Return False: there is no separate library of flash attention.

    >>> torch.backends.cuda.is_flash_attention_available()
    False
    """
    return False


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[None]:
    """Choose the kernels of attention within a block: the older form of `torch.nn.attention.sdpa_kernel`."""
    before = dict(choice.enabled)
    choice.enabled.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield
    finally:
        choice.enabled.update(before)
