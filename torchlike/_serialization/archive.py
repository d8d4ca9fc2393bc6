"""The zip files of checkpoints: records under one folder, storages on 64 byte boundaries, nothing compressed."""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import zipfile
from pathlib import PurePath
from typing import IO, Any

import numpy as np

from torchlike.utils.serialization import config

_HEADER = 30  # the bytes of a record's header before its name
_LARGE = 0xFFFF0000  # from this size on a header has 20 bytes more


class Writer:
    """Writes the records of a checkpoint to a path or a file."""

    def __init__(self, target: Any) -> None:
        self.folder = PurePath(target).stem if isinstance(target, str) else "archive"
        if isinstance(target, str) and not os.path.isdir(os.path.dirname(target) or "."):
            raise RuntimeError(f"Parent directory {os.path.dirname(target)} does not exist.")
        self.zip = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)
        self.digest = hashlib.sha256()

    def write(self, name: str, data: Any) -> None:
        """Write a record whose first byte lies on a boundary of the file."""
        info = zipfile.ZipInfo(f"{self.folder}/{name}", (1980, 1, 1, 0, 0, 0))
        size = memoryview(data).nbytes
        large = size >= _LARGE
        start = self.zip.fp.tell() + _HEADER + len(info.filename.encode()) + (20 if large else 0)  # type: ignore[union-attr]
        padding = -(start + 4) % config.save.storage_alignment
        info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        info.file_size = size
        with self.zip.open(info, "w", force_zip64=large) as record:
            record.write(data)
        self.digest.update(name.encode())
        self.digest.update(struct.pack("<I", info.CRC))

    def close(self) -> None:
        """Write what comes last."""
        self.write("version", b"3\n")
        self.write(".data/serialization_id", str(int(self.digest.hexdigest()[:30], 16)).zfill(40).encode())
        self.zip.close()


class Reader:
    """Reads the records of a checkpoint; the contents of storages only when they are asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self.zip = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise RuntimeError(
                "PytorchStreamReader failed reading zip archive: failed finding central directory"
            ) from error
        self.file = file
        entries = self.zip.namelist()
        self.folder = entries[0].partition("/")[0] + "/" if entries else ""
        self.names = {name.removeprefix(self.folder) for name in entries}

    def read(self, name: str) -> bytes:
        """The bytes of a record; raises RuntimeError when there is no such record."""
        self._check(name)
        return self.zip.read(self.folder + name)

    def _check(self, name: str) -> None:
        if name not in self.names:
            raise RuntimeError(f"PytorchStreamReader failed locating file {name}: file not found")

    def array(self, name: str, nbytes: int) -> np.ndarray[Any, Any]:
        """The bytes of a record in memory of its own that XLA can take over as it is."""
        self._check(name)
        data = aligned(nbytes)
        with self.zip.open(self.folder + name) as record:
            view, have = data.data, 0
            while have < nbytes:
                count = record.readinto(view[have:])  # type: ignore[attr-defined]
                if not count:
                    raise RuntimeError(f"PytorchStreamReader failed reading file {name}: file read failed")
                have += count
        return data

    def offset(self, name: str) -> int:
        """Where the first byte of a record lies in the file."""
        self._check(name)
        start = self.zip.getinfo(self.folder + name).header_offset
        place = self.file.tell()
        self.file.seek(start + 26)
        name_length, extra_length = struct.unpack("<HH", self.file.read(4))
        self.file.seek(place)
        return int(start) + _HEADER + int(name_length) + int(extra_length)


def aligned(nbytes: int) -> np.ndarray[Any, Any]:
    """Bytes of memory on a boundary on which XLA can use them in place."""
    memory = np.empty(nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + nbytes]


def mapped(path: str) -> np.ndarray[Any, Any]:
    """A file as memory, read when it is looked at; writes stay in this process unless the options say otherwise."""
    shared = config.load.mmap_flags == mmap.MAP_SHARED
    with open(path, "r+b" if shared else "rb") as file:
        access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
        return np.frombuffer(mmap.mmap(file.fileno(), os.path.getsize(path), access=access), np.uint8)
