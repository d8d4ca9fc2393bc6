"""``torch.storage``: the memory behind tensors as objects of its own, as bytes or as elements of one type."""

from __future__ import annotations

import copyreg
import mmap
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from torchlike import _sharing
from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core import errors, layout, tape
from torchlike._core.storage import Storage
from torchlike._core.views import reinterpret
from torchlike._core.warn import warn

__all__ = ["TypedStorage", "UntypedStorage"]


def _read(storage: Storage) -> np.ndarray[Any, Any]:
    """The bytes of a storage in the order of its memory, to read only."""
    if storage.host is not None:
        return storage.host.view(np.uint8)
    array = storage.array
    if isinstance(array, jax.ShapeDtypeStruct):
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    values = np.asarray(array)
    if storage.stride is not None:
        order = sorted(range(values.ndim), key=lambda d: -storage.geometry.stride[d])
        values = values.transpose(order)
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def _write(storage: Storage, start: int, data: np.ndarray[Any, Any]) -> None:
    """Put bytes into a storage. Autograd does not count it, as PyTorch's does not."""
    tape.count_storage_apart(storage)
    if layout.of_array(storage.array).type == "cpu":
        storage.share_with_host().view(np.uint8)[start : start + data.size] = data
    else:
        full = _read(storage).copy()
        full[start : start + data.size] = data
        dtype, shape = storage.array.dtype, storage.array.shape
        flat = layout.put(full.view(dtype), layout.of_array(storage.array))
        storage.array = flat.reshape(shape) if storage.stride is None else _unpermuted(storage, flat)
    storage.version += 1


def _unpermuted(storage: Storage, flat: Any) -> Any:
    geometry = storage.geometry
    order = sorted(range(len(geometry.size)), key=lambda d: -geometry.stride[d])
    return flat.reshape([geometry.size[d] for d in order]).transpose(np.argsort(order))


def _fresh(data: np.ndarray[Any, Any], device: Any = None) -> Storage:
    return Storage(layout.put(data, device))


class _StorageMeta(type):
    """The class of storage classes; pickle writes them down as what they are here, not by the module that they name."""


class UntypedStorage(metaclass=_StorageMeta):
    """The memory behind tensors, as bytes.

    ``UntypedStorage(size)`` has that many bytes, ``UntypedStorage(sequence)`` those of a sequence of integers.

    >>> torch.UntypedStorage([1, 2, 3])
     1
     2
     3
    [torch.storage.UntypedStorage(device=cpu) of size 3]
    """

    __module__ = "torch.storage"
    __slots__ = ("__weakref__", "_inner")

    is_sparse = False
    is_sparse_csr = False

    def __init__(self, *args: Any, device: Any = None) -> None:
        if len(args) > 1:
            raise TypeError(f"UntypedStorage() takes at most 1 argument ({len(args)} given)")
        given = args[0] if args else 0
        if isinstance(given, Storage):
            self._inner = given
            return
        if isinstance(given, Sequence | np.ndarray):
            for item in given:
                errors.check(
                    hasattr(item, "__index__"),
                    f"torch.UntypedStorage(): tried to construct a storage from a sequence ({type(given).__name__}),"
                    f" but one of the items was of type {type(item).__name__} instead of int",
                )
            data = np.asarray(given, np.uint8)
        else:
            size = operator.index(given)
            errors.check(size >= 0, f"Storage size calculation overflowed with sizes=[{size}]")
            data = np.zeros(size, np.uint8)
        self._inner = _fresh(data, device)

    # -- what it is ---------------------------------------------------------------------------------------------------

    def data_ptr(self) -> int:
        """The address of the memory, see ``Tensor.data_ptr``."""
        return _sharing.storage_ptr(self._inner) if self.nbytes() else 0

    def nbytes(self) -> int:
        """The size in bytes.

        >>> torch.zeros(3).untyped_storage().nbytes()
        12
        """
        return self._inner.nbytes

    def size(self) -> int:
        """The number of elements, which are bytes."""
        return self._inner.nbytes

    __len__ = size

    def element_size(self) -> int:
        """The size of an element in bytes: 1."""
        return 1

    @property
    def device(self) -> devices.device:
        """Where the memory is."""
        return layout.of_array(self._inner.array)

    def get_device(self) -> int:
        """The index of the accelerator, -1 for the CPU."""
        index = self.device.index
        return -1 if index is None else index

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is on a GPU."""
        return self.device.type == "cuda"

    @property
    def is_hpu(self) -> bool:
        """Whether the memory is on an HPU: never."""
        return False

    @property
    def filename(self) -> str | None:
        """The file that is mapped: None."""
        return None

    def resizable(self) -> bool:
        """Whether the size can change: it can."""
        return True

    @property
    def _cdata(self) -> int:
        return id(self._inner)

    def untyped(self) -> UntypedStorage:
        """Return this storage itself."""
        return self

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """Return the name of the type, or the bytes converted to elements of a type."""
        return "torch.storage.UntypedStorage" if dtype is None else self._to(dtype)

    # -- elements -----------------------------------------------------------------------------------------------------

    def tolist(self) -> list[int]:
        """The bytes as Python integers.

        >>> torch.tensor([1.]).untyped_storage().tolist()
        [0, 0, 128, 63]
        """
        found: list[int] = _read(self._inner).tolist()
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def _position(self, index: Any) -> int:
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            raise TypeError(f"can't index a torch.UntypedStorage with {type(index).__name__}")
        place = operator.index(index)
        size = self.nbytes()
        if not -size <= place < size:
            raise IndexError(f"index {place} out of range for storage of size {size}")
        return place % size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(self.nbytes())
            errors.check(
                step == 1, f"Trying to slice with a step of {step}, but only a step of 1 is supported", TypeError
            )
            return UntypedStorage(_fresh(_read(self._inner)[start:stop].copy(), self.device))
        return int(_read(self._inner)[self._position(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        byte = operator.index(value) % 256
        if isinstance(index, slice):
            start, stop, _ = index.indices(self.nbytes())
            _write(self._inner, start, np.full(max(stop - start, 0), byte, np.uint8))
        else:
            _write(self._inner, self._position(index), np.full(1, byte, np.uint8))

    def fill_(self, value: Any) -> UntypedStorage:
        """Set every byte. Returns the storage.

        >>> torch.UntypedStorage(2).fill_(7).tolist()
        [7, 7]
        """
        self[:] = value
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> UntypedStorage:
        """Copy the bytes of another storage of the same size. Returns the storage."""
        other = source._inner
        errors.check(
            self.nbytes() == other.nbytes,
            f"size does not match, self was {self.nbytes()} bytes but src was {other.nbytes} bytes",
        )
        _write(self._inner, 0, _read(other).copy())
        return self

    def clone(self) -> UntypedStorage:
        """Return a copy."""
        return UntypedStorage(_fresh(_read(self._inner).copy(), self.device))

    def new(self, *args: Any) -> UntypedStorage:
        """Return another storage on the same device."""
        return UntypedStorage(*args, device=self.device)

    def byteswap(self, dtype: dtypes.dtype) -> None:
        """Turn the bytes of each element of a type round, in place."""
        parts = 2 if dtype.is_complex else 1
        size = dtype.itemsize // parts
        _write(self._inner, 0, _read(self._inner).reshape(-1, size)[:, ::-1].reshape(-1).copy())

    def resize_(self, size: int) -> UntypedStorage:
        """Change the number of bytes; memory is kept, cut or extended with zeros. Returns the storage."""
        if size > self.nbytes():
            layout.grow(self._inner, size, dtypes.uint8)
        elif size < self.nbytes():
            flat = reinterpret(jax.numpy.asarray(_read(self._inner)), np.dtype(np.uint8))[:size]
            self._inner.settle()
            self._inner.replace(layout.put(np.asarray(flat), self.device))
        return self

    # -- elsewhere, and as another type -------------------------------------------------------------------------------

    def to(self, *, device: Any, non_blocking: bool = False) -> UntypedStorage:
        """Return the bytes on another device; this storage itself if they are there already."""
        target = devices.resolve(device)
        if target is self.device:
            return self
        return UntypedStorage(_fresh(_read(self._inner).copy(), target))

    def cpu(self) -> UntypedStorage:
        """Return the bytes on the CPU."""
        return self.to(device="cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> UntypedStorage:
        """Return the bytes on a GPU."""
        return self.to(device="cuda" if device is None else device)

    def _to(self, dtype: dtypes.dtype) -> TypedStorage:
        values = _read(self._inner)
        if dtype is dtypes.bool:
            converted = values != 0
        else:
            converted = values.astype(dtype.np)
        return TypedStorage(wrap_storage=UntypedStorage(_fresh(converted, self.device)), dtype=dtype)

    @classmethod
    def from_buffer(
        cls,
        buffer: Any,
        byte_order: str | None = None,
        count: int = -1,
        offset: int = 0,
        dtype: dtypes.dtype = dtypes.uint8,
    ) -> UntypedStorage:
        """Return a storage with a copy of the memory of a bytes-like object, which has elements of ``dtype``."""
        errors.check(
            byte_order in ("native", "big", "little") or dtype.itemsize == 1,
            "function missing required argument 'byte_order' (pos 2)"
            if byte_order is None
            else f"invalid byte_order '{byte_order}' (expected 'big', 'little', or 'native')",
            TypeError if byte_order is None else ValueError,
        )
        data = np.frombuffer(buffer, np.uint8)
        have = len(data)
        size = dtype.itemsize
        errors.check(
            offset < have or have == 0,
            f"offset must be non-negative and no greater than buffer length ({have}) , but got {offset}",
            ValueError,
        )
        errors.check(
            (have - offset) % size == 0 or count >= 0,
            f"buffer size ({have}) must be a multiple of element size ({size})",
            ValueError,
        )
        data = data[offset:] if count < 0 else data[offset : offset + count * size]
        result = cls(_fresh(data.copy()))
        if byte_order == "big":
            result.byteswap(dtype)
        return result

    @classmethod
    def _new_shared(cls, size: int, *, device: Any = "cpu") -> UntypedStorage:
        return cls(size, device=device).share_memory_()

    # -- sharing ------------------------------------------------------------------------------------------------------

    def is_shared(self) -> bool:
        """Whether processes forked from this one share the memory, see ``share_memory_``."""
        return is_shared(self._inner)

    def share_memory_(self) -> UntypedStorage:
        """Move the memory to where processes forked from this one share it. Returns the storage."""
        share_memory(self._inner)
        return self

    def is_pinned(self, device: Any = None) -> bool:
        """Whether the memory is page-locked: jax manages that itself, so no."""
        return False

    def pin_memory(self, device: Any = None) -> UntypedStorage:
        """Accepted for compatibility. Returns the storage."""
        return self

    # -- Python protocols ---------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._inner is other._inner

    def __hash__(self) -> int:
        return id(self._inner)

    def __copy__(self) -> UntypedStorage:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> UntypedStorage:
        key = id(self._inner)
        if key not in memo:
            memo[key] = _fresh(_read(self._inner).copy(), self.device)
            memo.setdefault(id(memo), []).append(self._inner)  # ids in memo are good while the objects live
        return UntypedStorage(memo[key])

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def __reduce__(self) -> Any:
        return _rebuild, (_read(self._inner), str(self.device))

    def __repr__(self) -> str:
        tail = f"[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"
        if self.device.type == "meta":
            return f"...\n{tail}"
        return " " + "\n ".join(map(str, self.tolist())) + "\n" + tail


def _rebuild(data: np.ndarray[Any, Any], device: str) -> UntypedStorage:
    return UntypedStorage(_fresh(data, device))


def is_shared(storage: Storage) -> bool:
    """Whether processes forked from this one share a storage's memory."""
    memory: Any = storage.host
    while memory is not None:
        if isinstance(memory, mmap.mmap):
            return True
        memory = memory.obj if isinstance(memory, memoryview) else getattr(memory, "base", None)
    return False


def share_memory(storage: Storage) -> None:
    """Move a storage's memory to where processes forked from this one share it."""
    if is_shared(storage) or layout.of_array(storage.array).type != "cpu" or not storage.nbytes:
        return
    dtype = storage.array.dtype
    shared = np.frombuffer(mmap.mmap(-1, storage.nbytes), np.uint8)
    shared[:] = _read(storage)
    storage.share_with_host()  # from here on the memory is what ``host`` says
    storage.host = shared.view(dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Elements of one type


class _Warned:
    done = False


def warn_of_typed_storage() -> None:
    """Say once, as PyTorch does, that typed storages are deprecated."""
    if not _Warned.done:
        _Warned.done = True
        warn(
            "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage"
            " class. This should only matter to you if you are using storages directly.  To access UntypedStorage"
            " directly, use tensor.untyped_storage() instead of tensor.storage()"
        )


class TypedStorage(metaclass=_StorageMeta):
    """The memory behind tensors, as elements of one type (deprecated by PyTorch).

    ``TypedStorage(size or sequence, dtype=...)``, or ``TypedStorage(wrap_storage=untyped, dtype=...)``.
    """

    __module__ = "torch.storage"
    __slots__ = ("__weakref__", "_untyped_storage", "dtype")

    is_sparse = False
    dtype: dtypes.dtype

    def __init__(self, *args: Any, wrap_storage: Any = None, dtype: Any = None, device: Any = None) -> None:
        if wrap_storage is not None:
            errors.check(not args, "No positional arguments should be given when using 'wrap_storage'")
            errors.check(dtype is not None, "Argument 'dtype' must be specified when using 'wrap_storage'")
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(f"Argument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}")
            self._untyped_storage = wrap_storage
            self.dtype = dtype
            return
        self.dtype = dtypes.get_default_dtype() if dtype is None else dtype
        if len(args) > 1:
            raise TypeError(f"Too many positional arguments: {len(args)}")
        given = args[0] if args else 0
        data = (
            np.asarray(given, self.dtype.np)
            if isinstance(given, Sequence | np.ndarray)
            else np.zeros(operator.index(given), self.dtype.np)
        )
        self._untyped_storage = UntypedStorage(_fresh(data, device))

    @property
    def _inner(self) -> Storage:
        return self._untyped_storage._inner

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._untyped_storage

    def _values(self) -> np.ndarray[Any, Any]:
        return _read(self._inner).view(self.dtype.np)

    def data_ptr(self) -> int:
        """The address of the memory."""
        return self._untyped_storage.data_ptr()

    def size(self) -> int:
        """The number of elements."""
        return self._untyped_storage.nbytes() // self.dtype.itemsize

    __len__ = size

    def nbytes(self) -> int:
        """The size in bytes."""
        return self._untyped_storage.nbytes()

    def element_size(self) -> int:
        """The size of an element in bytes."""
        return self.dtype.itemsize

    @property
    def device(self) -> devices.device:
        """Where the memory is."""
        return self._untyped_storage.device

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is on a GPU."""
        return self._untyped_storage.is_cuda

    @property
    def filename(self) -> str | None:
        """The file that is mapped: None."""
        return None

    @property
    def _cdata(self) -> int:
        return self._untyped_storage._cdata

    def get_device(self) -> int:
        """The index of the accelerator, -1 for the CPU."""
        return self._untyped_storage.get_device()

    def resizable(self) -> bool:
        """Whether the size can change: it can."""
        return True

    def pickle_storage_type(self) -> str:
        """The name of the legacy class for elements of this type."""
        return legacy_name(self.dtype)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """Return the name of the legacy class, or the elements converted to a type."""
        return f"torch.{legacy_name(self.dtype)}" if dtype is None else self._to(dtype)

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        values = self._values()
        found: list[Any] = (values if values.dtype.kind in "biufc" else values.astype(np.float32)).tolist()
        return found

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def _position(self, index: Any) -> int:
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            raise TypeError(f"can't index a {type(self)} with {type(index)}")
        place, size = operator.index(index), self.size()
        if not -size <= place < size:
            raise IndexError(f"index {place} out of range for storage of size {size}")
        return place % size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        return self.tolist()[self._position(index)]

    def __setitem__(self, index: Any, value: Any) -> None:
        start, stop = (
            index.indices(self.size())[:2]
            if isinstance(index, slice)
            else (self._position(index), self._position(index) + 1)
        )
        data = np.full(max(stop - start, 0), value).astype(self.dtype.np)
        _write(self._inner, start * self.dtype.itemsize, data.view(np.uint8))

    def fill_(self, value: Any) -> TypedStorage:
        """Set every element. Returns the storage."""
        self[:] = value
        return self

    def copy_(self, source: Any, non_blocking: bool = False) -> TypedStorage:
        """Copy the elements of another storage, converted. Returns the storage."""
        if isinstance(source, TypedStorage) and source.dtype is not self.dtype:
            source = source._to(self.dtype)
        self._untyped_storage.copy_(source)
        return self

    def _wrapped(self, untyped: UntypedStorage) -> TypedStorage:
        return TypedStorage(wrap_storage=untyped, dtype=self.dtype)

    def clone(self) -> TypedStorage:
        """Return a copy."""
        return self._wrapped(self._untyped_storage.clone())

    def cpu(self) -> TypedStorage:
        """Return the elements on the CPU."""
        return self._wrapped(self._untyped_storage.cpu())

    def cuda(self, device: Any = None, non_blocking: bool = False) -> TypedStorage:
        """Return the elements on a GPU."""
        return self._wrapped(self._untyped_storage.cuda(device))

    def to(self, *, device: Any, non_blocking: bool = False) -> TypedStorage:
        """Return the elements on another device."""
        return self._wrapped(self._untyped_storage.to(device=device))

    def resize_(self, size: int) -> TypedStorage:
        """Change the number of elements. Returns the storage."""
        self._untyped_storage.resize_(size * self.dtype.itemsize)
        return self

    def _to(self, dtype: dtypes.dtype) -> TypedStorage:
        values = self._values()
        converted = (values != 0) if dtype is dtypes.bool else values.astype(dtype.np)
        return TypedStorage(wrap_storage=UntypedStorage(_fresh(converted, self.device)), dtype=dtype)

    def is_shared(self) -> bool:
        """Whether processes forked from this one share the memory."""
        return self._untyped_storage.is_shared()

    def share_memory_(self) -> TypedStorage:
        """Move the memory to where processes forked from this one share it. Returns the storage."""
        self._untyped_storage.share_memory_()
        return self

    def is_pinned(self, device: Any = None) -> bool:
        """Whether the memory is page-locked: no."""
        return False

    def pin_memory(self, device: Any = None) -> TypedStorage:
        """Accepted for compatibility. Returns the storage."""
        return self

    @classmethod
    def from_buffer(cls, *args: Any, **kwargs: Any) -> TypedStorage:
        """Return a storage with a copy of the memory of a bytes-like object."""
        dtype = kwargs.get("dtype", dtypes.uint8)
        return TypedStorage(wrap_storage=UntypedStorage.from_buffer(*args, **kwargs), dtype=dtype)

    def __copy__(self) -> TypedStorage:
        return self._wrapped(self._untyped_storage.__copy__())

    def __deepcopy__(self, memo: dict[int, Any]) -> TypedStorage:
        return self._wrapped(self._untyped_storage.__deepcopy__(memo))

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def __reduce__(self) -> Any:
        return _rebuild_typed, (self._untyped_storage, self.dtype)

    def __repr__(self) -> str:
        tail = f"[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size {len(self)}]"
        if self.device.type == "meta":
            return f"...\n{tail}"
        return " " + "\n ".join(map(str, self.tolist())) + "\n" + tail


def _rebuild_typed(untyped: UntypedStorage, dtype: dtypes.dtype) -> TypedStorage:
    return TypedStorage(wrap_storage=untyped, dtype=dtype)


def legacy_name(dtype: dtypes.dtype) -> str:
    """The name of the legacy storage class of a type: FloatStorage for float32."""
    word = errors.scalar_type_tensor(dtype).removesuffix("Tensor")
    return f"{word}Storage"


def legacy_class(dtype: dtypes.dtype) -> Any:
    """The legacy storage class of a type, None for a type that has none."""
    return globals().get(legacy_name(dtype))


class _LegacyStorage(type):
    """The classes of the legacy storages: calling one makes a typed storage, and such a storage is an instance."""

    dtype: dtypes.dtype

    def __call__(cls, *args: Any, wrap_storage: Any = None) -> Any:
        return TypedStorage(*args, wrap_storage=wrap_storage, dtype=cls.dtype)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, TypedStorage) and value.dtype is cls.dtype and value.device.type == "cpu"

    def from_buffer(cls, *args: Any, **kwargs: Any) -> Any:
        """Return a typed storage with a copy of the memory of a bytes-like object."""
        return TypedStorage.from_buffer(*args, dtype=cls.dtype, **kwargs)


def _legacy(dtype: dtypes.dtype) -> Any:
    return _LegacyStorage(legacy_name(dtype), (), {"dtype": dtype, "__module__": "torch"})


def _reduce_class(cls: type) -> Any:
    name: str = cls.__name__
    return (_named, (name,)) if globals().get(name) is cls else cls.__qualname__


def _named(name: str) -> Any:
    return globals()[name]


copyreg.pickle(_LegacyStorage, _reduce_class)
copyreg.pickle(_StorageMeta, _reduce_class)

FloatStorage = _legacy(dtypes.float32)
DoubleStorage = _legacy(dtypes.float64)
HalfStorage = _legacy(dtypes.float16)
BFloat16Storage = _legacy(dtypes.bfloat16)
ByteStorage = _legacy(dtypes.uint8)
CharStorage = _legacy(dtypes.int8)
ShortStorage = _legacy(dtypes.int16)
IntStorage = _legacy(dtypes.int32)
LongStorage = _legacy(dtypes.int64)
BoolStorage = _legacy(dtypes.bool)
ComplexFloatStorage = _legacy(dtypes.complex64)
ComplexDoubleStorage = _legacy(dtypes.complex128)


def _conversion(name: str, dtype: dtypes.dtype) -> None:
    def untyped(self: UntypedStorage) -> TypedStorage:
        return self._to(dtype)

    def typed(self: TypedStorage) -> TypedStorage:
        return self if self.dtype is dtype else self._to(dtype)

    for owner, method in ((UntypedStorage, untyped), (TypedStorage, typed)):
        method.__name__ = name
        method.__doc__ = f"Return the elements converted to {dtype}."
        setattr(owner, name, method)


for _name, _dtype in (
    ("byte", dtypes.uint8),
    ("bool", dtypes.bool),
    ("char", dtypes.int8),
    ("short", dtypes.int16),
    ("int", dtypes.int32),
    ("long", dtypes.int64),
    ("half", dtypes.float16),
    ("float", dtypes.float32),
    ("double", dtypes.float64),
    ("bfloat16", dtypes.bfloat16),
    ("complex_float", dtypes.complex64),
    ("complex_double", dtypes.complex128),
    ("float8_e4m3fn", dtypes.float8_e4m3fn),
    ("float8_e5m2", dtypes.float8_e5m2),
    ("float8_e4m3fnuz", dtypes.float8_e4m3fnuz),
    ("float8_e5m2fnuz", dtypes.float8_e5m2fnuz),
):
    _conversion(_name, _dtype)
