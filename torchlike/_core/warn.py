"""Warnings that point at the line of the program, however many of this package's frames lie between."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import jax

# Frames of these come between the call and the place that warns: the traced body of an operator is called by jax.
_INSIDE = (str(Path(__file__).parent.parent), str(Path(jax.__file__).parent), "<torchlike")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of what the caller's caller, outside of this package, does."""
    depth = 2
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame = frame.f_back  # type: ignore[assignment]
        depth += 1
    warnings.warn(message, category, stacklevel=depth)
