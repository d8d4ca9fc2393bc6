"""Checkpoints as zip files: an object as pickle instructions, and each storage as a record beside it."""

from __future__ import annotations

import io
import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from torchlike import storage as storages
from torchlike._core import dtype as dtypes
from torchlike._core.storage import Storage, as_jax, host_storage
from torchlike._serialization import pickling
from torchlike._serialization.archive import Reader, Writer, aligned
from torchlike._serialization.locations import is_meta, location_tag, restorer
from torchlike.storage import TypedStorage, UntypedStorage
from torchlike.utils.serialization import config


class _Options(threading.local):
    """What applies to the saves and loads of a thread."""

    skip_data = False


options = _Options()


class Gatherer:
    """The storages that a pickler meets, numbered."""

    def __init__(self) -> None:
        self.keys: dict[int, str] = {}
        self.found: dict[str, tuple[Storage, dtypes.dtype]] = {}

    def key(self, inner: Storage, dtype: dtypes.dtype) -> str:
        """The number of a storage; raises RuntimeError when it is met as two dtypes."""
        key = self.keys.setdefault(id(inner), str(len(self.keys)))
        known = self.found.setdefault(key, (inner, dtype))[1]
        if known is not dtype and inner.nbytes:
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        return key

    def __call__(self, obj: Any) -> Any:
        met = pickling.storage_of(obj)
        if met is None:
            return None
        inner, dtype, kind, count = met
        tag = location_tag(obj if isinstance(obj, UntypedStorage) else obj.untyped())
        return ("storage", kind, self.key(inner, dtype), tag, count)


def save(obj: Any, target: Any, module: Any, protocol: int, disable_byteorder: bool) -> None:
    """Write an object to a path or a file."""
    gathered = Gatherer()
    buffer = io.BytesIO()
    pickler = pickling.pickler(module)(buffer, protocol=protocol)
    pickler.by_id = gathered
    pickler.dump(obj)
    writer = Writer(target)
    writer.write("data.pkl", buffer.getvalue())
    writer.write(".format_version", b"1")
    writer.write(".storage_alignment", str(config.save.storage_alignment).encode())
    if not disable_byteorder:
        writer.write("byteorder", sys.byteorder.encode())
    for key, (inner, _) in gathered.found.items():
        data = np.zeros(inner.nbytes, np.uint8) if options.skip_data else storages._read(inner)
        writer.write(f"data/{key}", data)
    writer.close()
    if hasattr(target, "flush"):
        target.flush()


def typed(data: np.ndarray[Any, Any], dtype: dtypes.dtype, shared: bool = False) -> Storage:
    """A storage on the CPU over bytes that nobody else has; ``shared`` leaves them in the memory where they are."""
    values = data.view(dtype.np)
    return host_storage(values) if shared else Storage(as_jax(values))


def restored(inner: Storage, dtype: dtypes.dtype, restore: Callable[[Any, str], Any], tag: str) -> TypedStorage:
    """A storage in the place that ``restore`` gives it."""
    moved = restore(UntypedStorage(inner), tag)
    untyped = moved.untyped() if isinstance(moved, TypedStorage) else moved
    if untyped._inner is not inner and untyped.device.type == "meta":
        return TypedStorage(wrap_storage=untyped, dtype=dtype)
    if untyped._inner.array.dtype != dtype.np:
        flat = np.asarray(untyped._inner.array).reshape(-1).view(np.uint8).view(dtype.np)
        untyped._inner.replace(storages._fresh(flat, untyped.device).array)
    return TypedStorage(wrap_storage=untyped, dtype=dtype)


class Loader:
    """Makes the storages that the instructions of a checkpoint name."""

    def __init__(self, reader: Reader, map_location: Any, memory: np.ndarray[Any, Any] | None) -> None:
        self.reader = reader
        self.memory = memory
        self.meta = is_meta(map_location)
        self.restore = restorer(map_location)
        self.made: dict[str, TypedStorage] = {}
        self.swapped = self._order() not in (None, sys.byteorder)

    def _order(self) -> str | None:
        if "byteorder" in self.reader.names:
            mark = self.reader.read("byteorder")
            if mark not in (b"little", b"big"):
                raise ValueError("Unknown endianness type: " + mark.decode())
            return mark.decode()
        asked = config.load.endianness
        if asked is None:
            if sys.byteorder == "big":
                warnings.warn(
                    "The default load endianness for checkpoints without a byteorder mark on big endian machines was"
                    " changed from 'native' to 'little' endian, to avoid this behavior please use"
                    " torch.serialization.set_default_load_endianness to set the desired default load endianness",
                    UserWarning,
                    stacklevel=2,
                )
            return "little"
        return {"LITTLE": "little", "BIG": "big"}.get(asked.name)

    def persistent_load(self, saved: Any) -> TypedStorage:
        """The storage that a checkpoint names."""
        assert isinstance(saved, tuple), f"saved_id must be a tuple, got {type(saved).__name__}"
        kind = text(saved[0])
        if kind != "storage":
            raise AssertionError(f"Unknown typename for persistent_load, expected 'storage' but got '{kind}'")
        storage_type, key, location, count = saved[1:]
        if key not in self.made:
            dtype = dtypes.uint8 if storage_type is UntypedStorage else storage_type.dtype
            self.made[key] = self._make(key, dtype, int(count), text(location))
        return self.made[key]

    def _make(self, key: str, dtype: dtypes.dtype, count: int, location: str) -> TypedStorage:
        nbytes, name = count * dtype.itemsize, f"data/{key}"
        if self.meta:
            untyped = UntypedStorage(Storage(storages._fresh(np.empty(0, dtype.np), "meta").array))
            untyped._inner.replace(_shape_only(count, dtype))
            return TypedStorage(wrap_storage=untyped, dtype=dtype)
        if options.skip_data:
            inner = typed(_zeros(nbytes), dtype)
        elif self.memory is not None:
            start = self.reader.offset(name)
            inner = typed(self.memory[start : start + nbytes], dtype, shared=not self.swapped and nbytes > 0)
        else:
            inner = typed(self.reader.array(name, nbytes), dtype)
        if self.swapped:
            UntypedStorage(inner).byteswap(dtype)
        return restored(inner, dtype, self.restore, location)


def _shape_only(count: int, dtype: dtypes.dtype) -> Any:
    return storages.layout.put(np.empty(0, dtype.np), "meta").update(shape=(count,))


def _zeros(nbytes: int) -> np.ndarray[Any, Any]:
    data = aligned(nbytes)
    data[:] = 0
    return data


def text(value: Any) -> str:
    """A string that Python 2 may have written as bytes."""
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def load(reader: Reader, map_location: Any, module: Any, memory: Any, arguments: dict[str, Any]) -> Any:
    """Read the object of a checkpoint."""
    loader = Loader(reader, map_location, memory)
    unpickler = pickling.unpickler(module)(io.BytesIO(reader.read("data.pkl")), **arguments)
    unpickler.persistent_load = loader.persistent_load
    return unpickler.load()


def fspath(f: Any) -> Any:
    """A path as a string; anything else as it is."""
    return os.fspath(f) if isinstance(f, (str, os.PathLike)) else f
