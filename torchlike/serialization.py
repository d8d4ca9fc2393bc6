"""Saving objects with tensors in files, and loading them: PyTorch's checkpoint files, both ways."""

from __future__ import annotations

import importlib
import io
import mmap as mmap_module
import os
import pickle
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import IO, Any, TypeAlias

from torchlike import _legacy, _weights_only_unpickler
from torchlike import storage as storages
from torchlike._core.device import device
from torchlike._serialization import legacy, zipped
from torchlike._serialization.archive import Reader, mapped
from torchlike._serialization.legacy import UNSAFE_MESSAGE, SourceChangeWarning
from torchlike._serialization.locations import (
    default_restore_location,
    location_tag,
    register_package,
    validate_cuda_device,
    validate_hpu_device,
)
from torchlike._serialization.types import StorageType
from torchlike._serialization.types import get_layout as _get_layout  # noqa: F401 - checkpoints name it so
from torchlike.utils.serialization import config

__all__ = [
    "LoadEndianness",
    "SourceChangeWarning",
    "StorageType",
    "add_safe_globals",
    "check_module_version_greater_or_equal",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "location_tag",
    "mkdtemp",
    "normalize_storage_type",
    "register_package",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
    "skip_data",
    "storage_to_tensor_type",
    "validate_cuda_device",
    "validate_hpu_device",
]

DEFAULT_PROTOCOL = 2
MAP_LOCATION: TypeAlias = (
    Callable[[storages.UntypedStorage, str], storages.UntypedStorage] | device | str | dict[str, str] | None
)
_DOCS = (
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with weights_only"
    " https://pytorch.org/docs/stable/generated/torch.load.html."
)


# ---------------------------------------------------------------------------------------------------------------------
# Options


class LoadEndianness(Enum):
    """The byte order of checkpoints that do not say theirs."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


def get_default_load_endianness() -> LoadEndianness | None:
    """Return the byte order that is assumed of checkpoints without a mark; None is little endian.

    >>> torch.serialization.get_default_load_endianness() is None
    True
    """
    found: LoadEndianness | None = config.load.endianness
    return found


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Set the byte order that is assumed of checkpoints without a mark; raises TypeError for anything else."""
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    config.load.endianness = endianness


def get_crc32_options() -> bool:
    """Return whether ``save`` was asked for checksums (here they are always computed).

    >>> torch.serialization.get_crc32_options()
    True
    """
    return config.save.compute_crc32


def set_crc32_options(compute_crc32: bool) -> None:
    """Ask for checksums or not; kept for PyTorch's sake, they are always computed."""
    config.save.compute_crc32 = compute_crc32


def get_default_mmap_options() -> int | None:
    """Return how ``load(mmap=True)`` maps files: ``mmap.MAP_PRIVATE`` or ``mmap.MAP_SHARED``.

    >>> import mmap
    >>> torch.serialization.get_default_mmap_options() == mmap.MAP_PRIVATE
    True
    """
    return config.load.mmap_flags


class set_default_mmap_options:
    """Set how ``load(mmap=True)`` maps files, for good or inside a ``with`` block: private or shared.

    Raises ValueError for anything else.

    >>> import mmap
    >>> with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
    ...     torch.serialization.get_default_mmap_options() == mmap.MAP_SHARED
    True
    """

    def __init__(self, flags: int) -> None:
        if flags not in (mmap_module.MAP_PRIVATE, mmap_module.MAP_SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or mmap.MAP_SHARED,"
                f" but got {flags}"
            )
        self.prev = config.load.mmap_flags
        config.load.mmap_flags = flags

    def __enter__(self) -> None:
        """The options are set already."""

    def __exit__(self, *error: object) -> None:
        config.load.mmap_flags = self.prev


class skip_data:
    """Inside a ``with`` block ``save`` leaves room for the contents of storages and ``load`` does not read them.

    >>> import io
    >>> file = io.BytesIO()
    >>> with torch.serialization.skip_data():
    ...     torch.save(torch.ones(2), file)
    >>> size = file.seek(0)
    >>> torch.load(file).shape
    torch.Size([2])
    """

    def __init__(self, materialize_fake_tensors: bool = False) -> None:
        self.materialize_fake_tensors = materialize_fake_tensors

    def __enter__(self) -> None:
        self._before = zipped.options.skip_data
        zipped.options.skip_data = True

    def __exit__(self, *error: object) -> None:
        zipped.options.skip_data = self._before


# ---------------------------------------------------------------------------------------------------------------------
# What may be loaded


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Allow classes and functions in checkpoints that are loaded with ``weights_only=True``.

    An entry may be a pair: the class, and the full name that files have for it.

    >>> class Thing: pass
    >>> torch.serialization.add_safe_globals([Thing])
    >>> Thing in torch.serialization.get_safe_globals()
    True
    >>> torch.serialization.clear_safe_globals()
    """
    _weights_only_unpickler.add_safe_globals(safe_globals)


def get_safe_globals() -> list[Any]:
    """Return what ``add_safe_globals`` allowed.

    >>> isinstance(torch.serialization.get_safe_globals(), list)
    True
    """
    return _weights_only_unpickler.get_safe_globals()


def clear_safe_globals() -> None:
    """Take back all that ``add_safe_globals`` allowed.

    >>> torch.serialization.clear_safe_globals()
    """
    _weights_only_unpickler.clear_safe_globals()


class safe_globals:
    """Allow classes and functions inside a ``with`` block, see ``add_safe_globals``.

    >>> class Thing: pass
    >>> with torch.serialization.safe_globals([Thing]):
    ...     Thing in torch.serialization.get_safe_globals()
    True
    """

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        _weights_only_unpickler.add_safe_globals(self.safe_globals)

    def __exit__(self, *error: object) -> None:
        _weights_only_unpickler.remove_safe_globals(self.safe_globals)


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """Return the names in a checkpoint that ``load`` with ``weights_only=True`` would refuse; nothing is loaded.

    Raises ValueError for what is no checkpoint.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"a": torch.ones(1)}, file)
    >>> size = file.seek(0)
    >>> torch.serialization.get_unsafe_globals_in_checkpoint(file)
    []
    """
    with _opened(f, "rb") as file:
        if not _is_zipfile(file):
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        reader = Reader(file)
        if "constants.pkl" in reader.names:
            raise ValueError(
                "Expected input to be a checkpoint returned by torch.save but got a torchscript checkpoint"
            )
        found = _weights_only_unpickler.get_globals_in_pkl(io.BytesIO(reader.read("data.pkl")))
    return list(found - set(_weights_only_unpickler.allowed()) - set(_weights_only_unpickler.user_allowed()))


# ---------------------------------------------------------------------------------------------------------------------
# Files


@contextmanager
def mkdtemp() -> Iterator[str]:
    """Make a folder that is gone at the end of a ``with`` block.

    >>> import os
    >>> with torch.serialization.mkdtemp() as path:
    ...     os.path.isdir(path)
    True
    """
    path = tempfile.mkdtemp()
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def _opened(f: Any, mode: str) -> Iterator[IO[bytes]]:
    if isinstance(f, (str, os.PathLike)):
        with open(f, mode) as file:
            yield file
        return
    if "r" in mode:
        _check_seekable(f)
    yield f
    if "w" in mode:
        f.flush()


def _check_seekable(f: Any) -> None:
    try:
        f.seek(f.tell())
    except (io.UnsupportedOperation, AttributeError) as error:
        if "seek" in str(error) or "tell" in str(error):
            raise type(error)(
                f"{error}. You can only torch.load from a file that is seekable. Please pre-load the data into a buffer"
                " like io.BytesIO and try to load from it instead."
            ) from None
        raise


def _is_zipfile(file: IO[bytes]) -> bool:
    start = file.tell()
    begin = file.read(4)
    file.seek(start)
    return begin == b"PK\x03\x04"


def check_module_version_greater_or_equal(
    module: Any, req_version_tuple: tuple[Any, ...], error_if_malformed: bool = True
) -> bool:
    """Return whether the version of a module is at least a tuple; raises RuntimeError for a version without numbers.

    >>> import types
    >>> module = types.SimpleNamespace(__name__="m", __version__="1.2.3")
    >>> torch.serialization.check_module_version_greater_or_equal(module, (1, 2))
    True
    """
    try:
        parts = module.__version__.split(".")
        found = tuple([type(wanted)(parts[i]) for i, wanted in enumerate(req_version_tuple)])
    except Exception as error:
        message = (
            f"'{module.__name__}' module version string is malformed '{module.__version__}' and cannot be compared"
            f" with tuple {req_version_tuple}"
        )
        if error_if_malformed:
            raise RuntimeError(message) from error
        warnings.warn(message + ", but continuing assuming that requirement is met", stacklevel=2)
        return True
    return found >= req_version_tuple


def _check_dill(module: Any) -> None:
    if module is not None and module.__name__ == "dill":
        wanted = (0, 3, 1)
        if not check_module_version_greater_or_equal(module, wanted, False):
            raise ValueError(
                f"'torch' supports dill >= {'.'.join(map(str, wanted))}, but you have dill {module.__version__}."
                " Please upgrade dill or switch to 'pickle'"
            )


def normalize_storage_type(storage_type: type) -> Any:
    """Return the storage class of this package with the name of another.

    >>> torch.serialization.normalize_storage_type(torch.FloatStorage)
    <class 'torch.FloatStorage'>
    """
    return getattr(storages, storage_type.__name__)


def storage_to_tensor_type(storage: Any) -> Any:
    """Return the legacy tensor type of a typed storage's elements."""
    name = storages.legacy_name(storage.dtype).replace("Storage", "Tensor")
    return getattr(_legacy, name)


# ---------------------------------------------------------------------------------------------------------------------
# Saving and loading


def save(
    obj: object,
    f: Any,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write an object with all tensors in it to a file, a path or anything with ``write``, as PyTorch does.

    Tensors that share memory share it in the file. PyTorch loads the file, and this package what PyTorch saved. Raises
    RuntimeError when one memory is met as two dtypes, AttributeError for what cannot be written to.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.tensor([1., 2.])}, file)
    >>> start = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 2.])}
    """
    _check_dill(pickle_module)
    target = zipped.fspath(f)
    if not isinstance(target, str) and not hasattr(target, "write"):
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
    if _use_new_zipfile_serialization:
        if not isinstance(target, str) and not callable(target.write):
            raise TypeError(f"Buffer of {str(type(target)).strip('<>')} has no callable attribute 'write'")
        zipped.save(obj, target, pickle_module, pickle_protocol, _disable_byteorder_record)
        return
    if zipped.options.skip_data:
        raise RuntimeError("Cannot use skip_data=True with _use_new_zipfile_serialization=False")
    with _opened(target, "wb") as file:
        legacy.save(obj, file, pickle_module, pickle_protocol)


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read the object that ``save`` wrote, here or in PyTorch, from a path or a file that can be sought in.

    ``map_location`` says where the tensors go: a device, its name, a dictionary from names in the file to others, or a
    function of the storage and the name. ``weights_only`` (the default unless a ``pickle_module`` is given) makes
    nothing but tensors, containers and what ``add_safe_globals`` allows, and raises ``pickle.UnpicklingError`` for the
    rest. With ``mmap`` a file is read when its tensors are.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save([torch.arange(3), "text"], file)
    >>> start = file.seek(0)
    >>> torch.load(file, map_location="cpu")
    [tensor([0, 1, 2]), 'text']
    """
    safe = _weights_only(weights_only, pickle_module)
    if safe and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if pickle_load_args and safe:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    if mmap is None:
        mmap = config.load.mmap
    _check_dill(pickle_module)
    pickle_load_args.setdefault("encoding", "utf-8")
    f = zipped.fspath(f)
    if isinstance(f, str) and f.endswith(".safetensors"):
        return _load_safetensors(f, map_location)
    module = _weights_only_unpickler if safe else pickle if pickle_module is None else pickle_module
    with _opened(f, "rb") as file:
        try:
            return _load(f, file, map_location, module, safe, mmap, pickle_load_args)
        except pickle.UnpicklingError as error:
            if safe:
                raise pickle.UnpicklingError(_advice(str(error))) from None
            raise


def _load(
    f: Any, file: IO[bytes], map_location: Any, module: Any, safe: bool, mmap: bool, arguments: dict[str, Any]
) -> Any:
    if not _is_zipfile(file):
        if mmap:
            name = f"{f}, " if isinstance(f, str) else ""
            raise RuntimeError(
                f"mmap can only be used with files saved with `torch.save({name}_use_new_zipfile_serialization=True),"
                " please torch.save your checkpoint with this option in order to use mmap."
            )
        return legacy.load(file, map_location, module, safe, arguments)
    reader = Reader(file)
    if "constants.pkl" in reader.names:
        warnings.warn(
            "'torch.load' received a zip file that looks like a TorchScript archive dispatching to 'torch.jit.load'"
            " (call 'torch.jit.load' directly to silence this warning)",
            UserWarning,
            stacklevel=3,
        )
        if safe:
            raise RuntimeError(
                "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``. " + UNSAFE_MESSAGE
            )
        raise NotImplementedError("TorchScript archives")
    memory = None
    if mmap:
        if not isinstance(f, str):
            raise ValueError("f must be a file path in order to use the mmap argument")
        memory = mapped(f)
    return zipped.load(reader, map_location, module, memory, arguments)


def _weights_only(asked: bool | None, pickle_module: Any) -> bool:
    """Whether only what is on the list is loaded: the argument, unless the environment says otherwise."""
    yes = ("1", "y", "yes", "true")
    force = os.getenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0").lower() in yes
    force_no = os.getenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0").lower() in yes
    if force and force_no:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` should be set, but both"
            " were set."
        )
    if force:
        return True
    if asked is not None:
        return asked
    if force_no:
        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the`weights_only` argument was not"
            " explicitly passed to `torch.load`, forcing weights_only=False.",
            UserWarning,
            stacklevel=3,
        )
        return False
    return pickle_module is None


def _advice(message: str) -> str:
    """What to do about something that was refused, before and after the reason."""
    if re.search(r"GLOBAL (\S+) was not an allowed global by default.", message):
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two options, "
            "\033[1mdo those steps only if you trust the source of the checkpoint\033[0m. "
            f"\n\t(1) {UNSAFE_MESSAGE}\n\t(2) Alternatively, to load with `weights_only=True` please check "
            "the recommended steps in the following error message.\n\tWeightsUnpickler error: " + message + _DOCS
        )
    if re.search(r"(\S+) must be (\S+) to load", message):
        return f"Weights only load failed. {message}\n {UNSAFE_MESSAGE}\n"
    begin = f"Weights only load failed. {UNSAFE_MESSAGE}\n"
    if not re.search(r"whose module (\S+) is blocked", message):
        begin += (
            "Please file an issue with the following so that we can make `weights_only=True` compatible with your use"
            " case: WeightsUnpickler error: "
        )
    return begin + "\n\n" + message + _DOCS


def _load_safetensors(path: str, map_location: Any) -> Any:
    try:
        library = importlib.import_module("safetensors.torch")
    except ImportError as error:
        raise RuntimeError(
            "Attempting to load a safetensors file but safetensors is not installed. Please install safetensors with:"
            " pip install safetensors"
        ) from error
    if isinstance(map_location, dict) or callable(map_location):
        kind = "dict" if isinstance(map_location, dict) else "callable"
        raise RuntimeError(
            f"Loading safetensors file with {kind} map_location is not supported. Use a device string or torch.device"
            " instead."
        )
    return library.load_file(path, device="cpu" if map_location is None else str(map_location))


def _load_from_bytes(b: bytes) -> Any:
    """What pickles of PyTorch's storages call."""
    return load(io.BytesIO(b), weights_only=False)
