"""Names for annotations."""

from __future__ import annotations

from typing import Any, TypeAlias

from torchlike._core.device import device
from torchlike._core.dtype import dtype
from torchlike._core.layout import layout
from torchlike._core.size import Size
from torchlike._tensor import Tensor
from torchlike.storage import TypedStorage, UntypedStorage

__all__ = ["Device", "Number", "Storage"]

Device: TypeAlias = device | str | int | None
Number: TypeAlias = int | float | bool
Storage: TypeAlias = UntypedStorage | TypedStorage
FileLike: TypeAlias = Any
_TensorOrTensors: TypeAlias = Tensor | tuple[Tensor, ...]
_dtype = dtype
_device = device
_layout = layout
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_int = int
_float = float
_bool = bool
