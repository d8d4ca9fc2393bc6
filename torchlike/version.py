"""Which PyTorch this package speaks for, and which version of the package it is."""

from __future__ import annotations

from typing import Final

from torchlike.torch_version import TorchVersion

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "torchlike_version", "xpu"]

torchlike_version: Final = "0.1.0"
"""The version of this package."""

__version__: Final = TorchVersion(f"2.13.0+torchlike.{torchlike_version}")
"""What programs that ask for PyTorch's version are told: 2.13.0, and who says so."""

debug: Final = False
cuda: Final[str | None] = None
hip: Final[str | None] = None
xpu: Final[str | None] = None
git_version: Final = "Unknown"
