"""How PyTorch shares the memory of tensors between processes: a setting that changes nothing here."""

from __future__ import annotations

__all__ = ["get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy"]

_ALL = {"file_descriptor", "file_system"}
_current = ["file_descriptor"]


def set_sharing_strategy(new_strategy: str) -> None:
    """Choose how tensors are shared; they are sent to other processes as copies whatever is chosen.

    >>> torch.multiprocessing.set_sharing_strategy("file_system")
    """
    assert new_strategy in _ALL
    _current[0] = new_strategy


def get_sharing_strategy() -> str:
    """Return what was chosen, ``"file_descriptor"`` at first."""
    return _current[0]


def get_all_sharing_strategies() -> set[str]:
    """Return what can be chosen.

    >>> sorted(torch.multiprocessing.get_all_sharing_strategies())
    ['file_descriptor', 'file_system']
    """
    return set(_ALL)
