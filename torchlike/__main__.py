"""``python -m torchlike SCRIPT [ARGS]``: run a program written for PyTorch on this package."""

from __future__ import annotations

from torchlike._launch import main

main()
