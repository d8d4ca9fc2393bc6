"""Checkpoints as PyTorch wrote them before version 1.6: pickles in a row, and before that tar files."""

from __future__ import annotations

import difflib
import inspect
import os
import pickle
import struct
import sys
import tarfile
import tempfile
import warnings
from contextlib import closing
from typing import IO, Any

import numpy as np

from torchlike import _utils
from torchlike import storage as storages
from torchlike._core import dtype as dtypes
from torchlike._core.storage import as_jax
from torchlike._serialization import names, pickling
from torchlike._serialization.archive import aligned
from torchlike._serialization.locations import restorer
from torchlike._serialization.zipped import Gatherer, options, restored, text, typed
from torchlike.nn.modules.module import Module
from torchlike.storage import TypedStorage

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


class SourceChangeWarning(Warning):
    """The source of a class is not what it was when an object of it was saved."""


class _LegacyGatherer(Gatherer):
    """Writes classes of modules with their source, and storages with room for what views of them there once were."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: set[type] = set()

    def __call__(self, obj: Any) -> Any:
        if isinstance(obj, type) and issubclass(obj, Module):
            if obj in self.sources:
                return None
            self.sources.add(obj)
            try:
                return ("module", obj, inspect.getsourcefile(obj), "".join(inspect.getsourcelines(obj)[0]))
            except (OSError, TypeError):
                warnings.warn(_NO_SOURCE.format(obj.__name__), stacklevel=2)
                return ("module", obj, None, None)
        named = super().__call__(obj)
        return None if named is None else (*named, None)


_NO_SOURCE = "Couldn't retrieve source code for container of type {}. It won't be checked for correctness upon loading."


def save(obj: Any, file: IO[bytes], module: Any, protocol: int) -> None:
    """Write an object as pickles in a row: marks, the object, the names of the storages, the storages."""
    sizes = {name: struct.calcsize("=" + code) for name, code in (("short", "h"), ("int", "i"), ("long", "l"))}
    system = {"protocol_version": PROTOCOL_VERSION, "little_endian": sys.byteorder == "little", "type_sizes": sizes}
    for part in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        module.dump(part, file, protocol=protocol)
    gathered = _LegacyGatherer()
    pickler = pickling.pickler(module)(file, protocol=protocol)
    pickler.by_id = gathered
    pickler.dump(obj)
    keys = sorted(gathered.found)
    module.dump(keys, file, protocol=protocol)
    file.flush()
    for key in keys:
        inner, dtype = gathered.found[key]
        data = storages._read(inner)
        file.write(struct.pack("<q", data.nbytes // dtype.itemsize))
        file.write(data.data)


def load(file: Any, map_location: Any, module: Any, safe: bool, arguments: dict[str, Any]) -> Any:
    """Read an object from such a file."""
    if _on_disk(file) and file.tell() == 0:
        try:
            return _load_tar(file, map_location, module, safe, arguments)
        except tarfile.TarError:
            file.seek(0)
    magic = _read(module, file, arguments)
    if magic != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version = _read(module, file, arguments)
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version}")
    _read(module, file, arguments)
    loader = _Loader(map_location)
    unpickler = pickling.unpickler(module)(file, **arguments)
    unpickler.persistent_load = loader.persistent_load
    result = unpickler.load()
    for key in _read(module, file, arguments):
        if key not in loader.made:
            raise AssertionError(f"storage key {key!r} not found in deserialized_objects")
        loader.fill(key, file)
    return result


def _read(module: Any, file: Any, arguments: dict[str, Any]) -> Any:
    return module.load(file, **arguments) if module is not pickle else module.load(file, **_plain(arguments))


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name in ("encoding", "errors", "fix_imports")}


def _on_disk(file: Any) -> bool:
    try:
        return file.fileno() >= 0 and type(file).__module__ != "gzip"
    except (AttributeError, OSError):
        return False


class _Loader:
    """Makes the storages empty, and fills them when their contents come at the end of the file."""

    def __init__(self, map_location: Any) -> None:
        self.restore = restorer(map_location)
        self.made: dict[str, TypedStorage] = {}
        self.views: dict[str, TypedStorage] = {}

    def persistent_load(self, saved: Any) -> Any:
        assert isinstance(saved, tuple), f"saved_id must be a tuple, got {type(saved).__name__}"
        kind = text(saved[0])
        if kind == "module":
            if all(saved[2:]):
                _compare_source(*saved[1:])
            return saved[1]
        if kind != "storage":
            raise RuntimeError(f"Unknown saved id type: {saved[0]}")
        storage_type, key, location, count, view = saved[1:]
        if key not in self.made:
            dtype = storage_type.dtype if storage_type is not storages.UntypedStorage else dtypes.uint8
            data = aligned(int(count) * dtype.itemsize)
            data[:] = 0
            self.made[key] = restored(typed(data, dtype), dtype, self.restore, text(location))
        if view is not None:
            raise NotImplementedError("checkpoints with views of storages, as PyTorch before 0.4 wrote them")
        return self.made[key]

    def fill(self, key: str, file: Any) -> None:
        """Read the contents of a storage from the file."""
        storage = self.made[key]
        inner, dtype = storage._inner, storage.dtype
        (count,) = struct.unpack("<q", file.read(8))
        if storage.device.type == "meta" or options.skip_data:
            file.seek(count * dtype.itemsize, os.SEEK_CUR)
            return
        data = aligned(count * dtype.itemsize)
        data[:] = np.frombuffer(file.read(data.nbytes), np.uint8)
        place, values = storage.device, data.view(inner.array.dtype)
        flat = as_jax(values) if place.type == "cpu" else storages.layout.put(values, place)
        shape = inner.array.shape
        inner.array = flat.reshape(shape) if inner.stride is None else storages._unpermuted(inner, flat)
        inner.version += 1


def _compare_source(cls: type, path: str, source: str) -> None:
    """Warn when the source of a class has changed since an object of it was saved."""
    try:
        now = "".join(inspect.getsourcelines(cls)[0])
    except (OSError, TypeError):
        warnings.warn(_NO_SOURCE.format(cls.__name__), stacklevel=2)
        return
    if source == now or names.is_torch(names.path_of(cls)):
        return  # PyTorch's own classes have other source here
    advice = (
        "you can retrieve the original source code by accessing the object's source attribute or set"
        " `torch.nn.Module.dump_patches = True` and use the patch tool to revert the changes."
    )
    if getattr(cls, "dump_patches", False):
        name = cls.__name__ + ".patch"
        lines = difflib.unified_diff(now.split("\n"), source.split("\n"), path, path, lineterm="")
        with open(name, "w") as file:
            file.write("\n".join(lines))
        advice = f"Saved a reverse patch to {name}. Run `patch -p0 < {name}` to revert your changes."
    warnings.warn(
        f"source code of class '{names.path_of(cls)}' has changed. {advice}", SourceChangeWarning, stacklevel=2
    )


def _load_tar(file: Any, map_location: Any, module: Any, safe: bool, arguments: dict[str, Any]) -> Any:
    """Read an object from a tar file with the parts "storages", "tensors" and "pickle"."""
    made: dict[int, Any] = {}
    restore = restorer(map_location)
    with closing(tarfile.open(fileobj=file, mode="r:", format=tarfile.PAX_FORMAT)) as tar:
        if safe:
            raise RuntimeError(
                "Cannot use ``weights_only=True`` with files saved in the legacy .tar format. " + UNSAFE_MESSAGE
            )
        with tempfile.TemporaryFile() as part:
            _extract(tar, "storages", part)
            for _ in range(module.load(part, **arguments)):
                key, location, storage_type = pickling.unpickler(module)(part, **arguments).load()
                dtype = storage_type.dtype
                (count,) = struct.unpack("<q", part.read(8))
                data = aligned(count * dtype.itemsize)
                data[:] = np.frombuffer(part.read(data.nbytes), np.uint8)
                made[key] = restored(typed(data, dtype), dtype, restore, text(location))
            for target, root, offset, count in module.load(part, **arguments):
                whole = made[root]
                bytes_of = storages._read(whole._inner).view(whole.dtype.np)[offset : offset + count]
                made[target] = TypedStorage(
                    wrap_storage=storages.UntypedStorage(storages._fresh(bytes_of, whole.device)), dtype=whole.dtype
                )
        with tempfile.TemporaryFile() as part:
            _extract(tar, "tensors", part)
            for _ in range(module.load(part, **arguments)):
                key, storage_key, _ = pickling.unpickler(module)(part, **arguments).load()
                (ndim,) = struct.unpack("<i", part.read(4))
                part.read(4)  # the upper half of what was once a long
                size = struct.unpack(f"<{ndim}q", part.read(8 * ndim))
                stride = struct.unpack(f"<{ndim}q", part.read(8 * ndim))
                (offset,) = struct.unpack("<q", part.read(8))
                made[key] = _utils._rebuild_tensor(made[storage_key], offset, size, stride)
        unpickler = pickling.unpickler(module)(tar.extractfile("pickle"), **arguments)

        def persistent_load(saved: Any) -> Any:
            if isinstance(saved, tuple):
                if all(saved[1:]):
                    _compare_source(*saved)
                return saved[0]
            return made[int(saved)]

        unpickler.persistent_load = persistent_load
        return unpickler.load()


def _extract(tar: tarfile.TarFile, name: str, target: IO[bytes]) -> None:
    member = tar.extractfile(name)
    assert member is not None
    target.write(member.read())
    target.seek(0)


UNSAFE_MESSAGE = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` "
    "from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will likely succeed, "
    "but it can result in arbitrary code execution. Do it only if you got the file from a "
    "trusted source."
)
