"""The fast path of attention layers in evaluation: kept, without effect, since there is one path."""

from __future__ import annotations

__all__ = ["get_fastpath_enabled", "set_fastpath_enabled"]


class _Switch:
    enabled = True


def get_fastpath_enabled() -> bool:
    """Return whether the fast path is asked for.

    >>> torch.backends.mha.get_fastpath_enabled()
    True
    """
    return _Switch.enabled


def set_fastpath_enabled(value: bool) -> None:
    """Ask for the fast path, or not.

    >>> torch.backends.mha.set_fastpath_enabled(True)
    """
    _Switch.enabled = value
