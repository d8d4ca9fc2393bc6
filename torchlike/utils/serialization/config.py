"""Options of saving and loading, as attributes of ``save`` and ``load``.

``load.mmap``: what ``torch.load(mmap=...)`` is by default; ``load.endianness``: the byte order of files without a mark;
``load.mmap_flags``: whether mapped files are private or shared; ``save.compute_crc32`` is kept for PyTorch's sake, the
checksums are always computed; ``save.storage_alignment``: the boundary, in bytes, on which storages begin in the file.
"""

from __future__ import annotations

import mmap as _mmap
from dataclasses import dataclass
from typing import Any


@dataclass
class _Load:
    mmap: bool = False
    endianness: Any = None
    mmap_flags: int = _mmap.MAP_PRIVATE
    calculate_storage_offsets: bool = False


@dataclass
class _Save:
    compute_crc32: bool = True
    use_pinned_memory_for_d2h: bool = False
    storage_alignment: int = 64


load = _Load()
save = _Save()
