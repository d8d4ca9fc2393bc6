"""Layers that exchange channels and pixels."""

from __future__ import annotations

from typing import Any, ClassVar

from torchlike.nn import functional as F
from torchlike.nn.modules.module import Module

__all__ = ["PixelShuffle", "PixelUnshuffle"]

Tensor = Any


class PixelShuffle(Module):
    """Make pixels of channels: (..., c * r**2, h, w) becomes (..., c, h * r, w * r).

    >>> torch.nn.PixelShuffle(2)(torch.zeros(1, 8, 3, 4)).shape
    torch.Size([1, 2, 6, 8])
    """

    __constants__: ClassVar[list[str]] = ["upscale_factor"]

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Shuffle."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The option, as ``repr`` shows it."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Make channels of pixels: (..., c, h * r, w * r) becomes (..., c * r**2, h, w).

    >>> torch.nn.PixelUnshuffle(2)(torch.zeros(1, 2, 6, 8)).shape
    torch.Size([1, 8, 3, 4])
    """

    __constants__: ClassVar[list[str]] = ["downscale_factor"]

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Undo the shuffle."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The option, as ``repr`` shows it."""
        return f"downscale_factor={self.downscale_factor}"
