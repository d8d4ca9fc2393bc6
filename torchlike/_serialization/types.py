"""Small things that checkpoints name: storage types and layouts."""

from __future__ import annotations

from typing import Any

from torchlike import storage
from torchlike._core import dtype as dtypes
from torchlike._core import layout


class StorageType:
    """What a checkpoint says of a storage by the name of its class: the dtype of its elements.

    >>> torch.serialization.StorageType("FloatStorage").dtype
    torch.float32
    """

    def __init__(self, name: str) -> None:
        kind = getattr(storage, name, None)
        if name in ("TypedStorage", "UntypedStorage") or not isinstance(getattr(kind, "dtype", None), dtypes.dtype):
            raise KeyError(f'pickle storage type "{name}" is not recognized')
        self._dtype: dtypes.dtype = kind.dtype  # type: ignore[union-attr]

    @property
    def dtype(self) -> dtypes.dtype:
        """The dtype of the elements."""
        return self._dtype

    def __str__(self) -> str:
        return f"StorageType(dtype={self.dtype})"


def get_layout(name: str) -> Any:
    """The layout that prints as a name."""
    for value in vars(layout).values():
        if isinstance(value, layout.layout) and str(value) == name:
            return value
    raise KeyError(name)
