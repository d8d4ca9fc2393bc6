"""The order of products in `torch.einsum`: XLA's own; the switches are kept."""

from __future__ import annotations

import contextlib

from torchlike.backends._flags import switched

__all__ = ["flags", "get_opt_einsum", "is_available"]

enabled: bool = True
strategy: str | None = "auto"


def is_available() -> bool:
    """Return False: opt_einsum is not asked.

    >>> torch.backends.opt_einsum.is_available() in (True, False)
    True
    """
    return False


def get_opt_einsum() -> None:
    """Return None in the place of the package.

    >>> _ = torch.backends.opt_einsum.get_opt_einsum()
    """


def flags(enabled: bool | None = None, strategy: str | None = None) -> contextlib.AbstractContextManager[None]:
    """Set the switches within a block.

    >>> with torch.backends.opt_einsum.flags(enabled=False):
    ...     torch.backends.opt_einsum.enabled
    False
    """
    return switched(globals(), {"enabled": enabled, "strategy": strategy})
