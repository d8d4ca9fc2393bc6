"""Intel's MKL: XLA does not call it."""

from __future__ import annotations

from typing import Self

__all__ = ["VERBOSE_OFF", "VERBOSE_ON", "is_available", "verbose"]

VERBOSE_OFF = 0
VERBOSE_ON = 1


def is_available() -> bool:
    """Return False: XLA's own kernels compute here.

    >>> torch.backends.mkl.is_available() in (True, False)
    True
    """
    return False


class verbose:
    """A block in which MKL would report its calls. Raises ValueError for another level than 0 and 1 on entry.

    >>> with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_OFF):
    ...     pass
    """

    def __init__(self, enable: int) -> None:
        self.enable = enable

    def __enter__(self) -> Self:
        if self.enable not in (VERBOSE_OFF, VERBOSE_ON):
            raise ValueError(f"mkl.verbose takes VERBOSE_OFF or VERBOSE_ON, got {self.enable}")
        return self

    def __exit__(self, *exception: object) -> None:
        pass
