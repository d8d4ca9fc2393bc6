"""The unpickler behind ``torch.load(weights_only=True)``: it makes nothing but what is on a list.

A checkpoint is a small program. Here only the instructions run that PyTorch's checkpoints need, and only functions and
classes are called that are on PyTorch's list or that the user put there.
"""

from __future__ import annotations

import functools
import pickle
import warnings
from _codecs import encode
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError, decode_long
from struct import unpack
from typing import IO, Any

from torchlike import _legacy, storage
from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core.size import Size
from torchlike._core.tensor_state import classes
from torchlike._serialization import names
from torchlike._serialization.types import StorageType, get_layout
from torchlike.nn.parameter import Parameter

__all__ = ["Unpickler", "get_globals_in_pkl", "load"]

_BLOCKED = ("sys", "os", "posix", "nt")
_user: set[Any] = set()


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Put functions and classes on the user's list; a pair is a function and the name that files have for it."""
    _user.update(safe_globals)


def get_safe_globals() -> list[Any]:
    """The user's list."""
    return list(_user)


def clear_safe_globals() -> None:
    """Empty the user's list."""
    _user.clear()


def remove_safe_globals(safe_globals: list[Any]) -> None:
    """Take functions and classes off the user's list."""
    _user.difference_update(safe_globals)


def user_allowed() -> dict[str, Any]:
    """The user's list by the names in files."""
    found: dict[str, Any] = {}
    for entry in _user:
        if not isinstance(entry, tuple):
            found[names.path_of(entry)] = entry
            continue
        if len(entry) != 2:
            raise ValueError(
                f"Expected tuple of length 2 (global, str of callable full path), but got tuple of length: {len(entry)}"
            )
        if type(entry[1]) is not str:
            raise TypeError(f"Expected second item in tuple to be str of callable full path, but got: {type(entry[1])}")
        found[entry[1]] = entry[0]
    return found


@functools.lru_cache(maxsize=1)
def allowed() -> dict[str, Any]:
    """What every checkpoint may name."""
    found: dict[str, Any] = {
        "collections.OrderedDict": OrderedDict,
        "collections.Counter": Counter,
        "torch.nn.parameter.Parameter": Parameter,
        "torch.serialization._get_layout": get_layout,
        "torch.Size": Size,
        "torch.Tensor": classes.tensor,
        "torch.device": devices.device,
        "_codecs.encode": encode,
        "builtins.bytearray": bytearray,
        "builtins.set": set,
        "builtins.complex": complex,
        "torch.storage.UntypedStorage": storage.UntypedStorage,
        "torch.storage.TypedStorage": storage.TypedStorage,
        **names.rebuild_functions(),
    }
    found.update({str(value): value for value in vars(dtypes).values() if isinstance(value, dtypes.dtype)})
    for name in _legacy.__all__:
        if name.endswith("Tensor"):
            found[f"torch.{name}"] = getattr(_legacy, name)
    for name, value in vars(storage).items():
        if name.endswith("Storage") and isinstance(getattr(value, "dtype", None), dtypes.dtype):
            found[f"torch.{name}"] = StorageType(name)
    return found


def _global(readline: Callable[[], bytes]) -> tuple[str, str]:
    """The name that follows the instruction GLOBAL, in the spelling of Python 3."""
    module, name = (readline()[:-1].decode("utf-8") for _ in range(2))
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[(module, name)]
    return IMPORT_MAPPING.get(module, module), name


def _is(value: Any, values: Any) -> bool:
    return any(value is other for other in values)


class Unpickler:
    """Reads one object from a file of pickle instructions; ``persistent_load`` makes the storages."""

    def __init__(self, file: IO[bytes], *, encoding: str = "bytes") -> None:
        self.encoding = encoding
        self.read = file.read
        self.readline = file.readline
        self.memo: dict[int, Any] = {}
        self.proto = -1
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.persistent_load: Callable[[Any], Any] = _no_storages

    def load(self) -> Any:
        """Run the instructions up to STOP, and return what they made."""
        while True:
            key = self.read(1)
            if not key:
                raise EOFError
            if key == pickle.STOP:
                return self.stack.pop()
            instruction = _INSTRUCTIONS.get(key)
            if instruction is None:
                raise UnpicklingError(f"Unsupported operand {key[0]}")
            instruction(self)

    def _marked(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _find(self) -> Any:
        module, name = _global(self.readline)
        path = f"{module}.{name}"
        if module in _BLOCKED:
            raise UnpicklingError(f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked.")
        for known in (allowed(), user_allowed()):
            if path in known:
                return known[path]
        path = path.removeprefix("builtins.")
        raise UnpicklingError(
            f"Unsupported global: GLOBAL {path} was not an allowed global by default. "
            f"Please use `torch.serialization.add_safe_globals([{path}])` or the "
            f"`torch.serialization.safe_globals([{path}])` context manager to allowlist this global if you trust this"
            " class/function."
        )

    def _new(self) -> None:
        arguments, cls = self.stack.pop(), self.stack.pop()
        if cls is Parameter:
            self.stack.append(Parameter(*arguments))
        elif self._listed(cls):
            self.stack.append(cls.__new__(cls, *arguments))
        else:
            raise UnpicklingError(
                "Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` "
                f"but got {cls}"
            )

    def _listed(self, value: Any) -> bool:
        return _is(value, allowed().values()) or _is(value, user_allowed().values())

    def _call(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        if not self._listed(function):
            owner = f" which belongs to {function.__self__}" if hasattr(function, "__self__") else ""
            raise UnpicklingError(f"Trying to call reduce for unrecognized function {function}{owner}")
        self.stack[-1] = function(*arguments)

    def _build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        kind = type(made)
        if kind is classes.tensor:
            made.set_(*state)
        elif kind is OrderedDict:
            made.__dict__.update(state)
        elif kind is not Parameter and not self._listed(kind):
            raise UnpicklingError(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted "
                f"via `add_safe_globals`, but got {kind}"
            )
        elif hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            slots = None
            if isinstance(state, tuple) and len(state) == 2:
                state, slots = state
            made.__dict__.update(state or {})
            for name, value in (slots or {}).items():
                setattr(made, name, value)

    def _append(self, items: list[Any], word: str) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise UnpicklingError(f"Can only {word} lists, but got {type(target)}")
        target.extend(items)

    def _set(self, items: list[Any], instruction: str) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise UnpicklingError(
                f"Can only {instruction} for dict, collections.OrderedDict, collections.Counter, but got {type(target)}"
            )
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[key] = value

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _tuple(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _short_string(self) -> None:
        data = self.read(self.read(1)[0])
        self.stack.append(data if self.encoding == "bytes" else data.decode(self.encoding, "strict"))

    def _storage(self) -> None:
        pid = self.stack.pop()
        if type(pid) is not tuple and type(pid) is not int:
            raise UnpicklingError(f"persistent_load id must be tuple or int, but got {type(pid)}")
        if type(pid) is tuple and pid:
            kind = pid[0].decode("ascii") if isinstance(pid[0], bytes) else pid[0]
            if kind != "storage":
                raise UnpicklingError(f"Only persistent_load of storage is allowed, but got {type(pid[0])}")
        self.stack.append(self.persistent_load(pid))

    def _protocol(self) -> None:
        self.proto = self.read(1)[0]
        if self.proto != 2:
            warnings.warn(
                f"Detected pickle protocol {self.proto} in the checkpoint, which was not the default pickle protocol"
                " used by `torch.load` (2). The weights_only Unpickler might not support all instructions implemented"
                " by this protocol, please file an issue for adding support if you encounter this.",
                stacklevel=4,
            )

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value], "SETITEM")


def _no_storages(pid: Any) -> Any:
    raise UnpicklingError("unsupported persistent id encountered")


def _u4(file: Any) -> int:
    return int(unpack("<I", file.read(4))[0])


_INSTRUCTIONS: dict[bytes, Callable[[Unpickler], Any]] = {
    pickle.GLOBAL: lambda u: u._push(u._find()),
    pickle.NEWOBJ: Unpickler._new,
    pickle.REDUCE: Unpickler._call,
    pickle.BUILD: Unpickler._build,
    pickle.APPEND: lambda u: u._append([u.stack.pop()], "append to"),
    pickle.APPENDS: lambda u: u._append(u._marked(), "extend"),
    pickle.SETITEM: Unpickler._setitem,
    pickle.SETITEMS: lambda u: u._set(u._marked(), "SETITEMS"),
    pickle.MARK: Unpickler._mark,
    pickle.TUPLE: lambda u: u._push(tuple(u._marked())),
    pickle.TUPLE1: lambda u: u._tuple(1),
    pickle.TUPLE2: lambda u: u._tuple(2),
    pickle.TUPLE3: lambda u: u._tuple(3),
    pickle.NONE: lambda u: u._push(None),
    pickle.NEWFALSE: lambda u: u._push(False),
    pickle.NEWTRUE: lambda u: u._push(True),
    pickle.EMPTY_TUPLE: lambda u: u._push(()),
    pickle.EMPTY_LIST: lambda u: u._push([]),
    pickle.EMPTY_DICT: lambda u: u._push({}),
    pickle.EMPTY_SET: lambda u: u._push(set()),
    pickle.BININT: lambda u: u._push(unpack("<i", u.read(4))[0]),
    pickle.BININT1: lambda u: u._push(u.read(1)[0]),
    pickle.BININT2: lambda u: u._push(unpack("<H", u.read(2))[0]),
    pickle.BINFLOAT: lambda u: u._push(unpack(">d", u.read(8))[0]),
    pickle.BINUNICODE: lambda u: u._push(str(u.read(_u4(u)), "utf-8", "surrogatepass")),
    pickle.SHORT_BINSTRING: Unpickler._short_string,
    pickle.BINPERSID: Unpickler._storage,
    pickle.BINGET: lambda u: u._push(u.memo[u.read(1)[0]]),
    pickle.LONG_BINGET: lambda u: u._push(u.memo[_u4(u)]),
    pickle.BINPUT: lambda u: u.memo.__setitem__(u.read(1)[0], u.stack[-1]),
    pickle.LONG_BINPUT: lambda u: u.memo.__setitem__(_u4(u), u.stack[-1]),
    pickle.LONG1: lambda u: u._push(decode_long(u.read(u.read(1)[0]))),
    pickle.PROTO: Unpickler._protocol,
}

# How many bytes follow the instructions whose operands have a fixed length.
_LENGTHS = {pickle.BININT: 4, pickle.BININT1: 1, pickle.BININT2: 2, pickle.BINFLOAT: 8, pickle.BINGET: 1}
_LENGTHS.update({pickle.LONG_BINGET: 4, pickle.BINPUT: 1, pickle.LONG_BINPUT: 4, pickle.PROTO: 1})


def get_globals_in_pkl(file: IO[bytes]) -> set[str]:
    """The names of all classes and functions that the instructions in a file ask for; nothing is run."""
    found: set[str] = set()
    while True:
        key = file.read(1)
        if not key:
            raise EOFError
        if key == pickle.STOP:
            return found
        if key == pickle.GLOBAL:
            found.add(".".join(_global(file.readline)))
        elif key == pickle.BINUNICODE:
            file.read(_u4(file))
        elif key in (pickle.SHORT_BINSTRING, pickle.LONG1):
            file.read(file.read(1)[0])
        elif key in _INSTRUCTIONS:
            file.read(_LENGTHS.get(key, 0))
        else:
            raise UnpicklingError(f"Unsupported operand {key[0]}")


def load(file: IO[bytes], *, encoding: str = "ASCII") -> Any:
    """Read one object from a file."""
    return Unpickler(file, encoding=encoding).load()
