"""``torch.utils.dlpack``: exchange of memory with other libraries."""

from __future__ import annotations

from typing import Any

from torchlike import _sharing

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


DLDeviceType = _sharing.DLDeviceType
from_dlpack = _sharing.from_dlpack


def to_dlpack(tensor: Any) -> Any:
    """Return a DLPack capsule of a tensor's memory; it can be taken over once.

    >>> torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(torch.ones(2)))
    tensor([1., 1.])
    """
    return _sharing.to_dlpack(tensor)
