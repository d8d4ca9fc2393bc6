"""The mutable box behind tensors: one immutable jax array at a time, and a version counter."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from torchlike._core import device as devices
from torchlike._core.dtype import BY_NUMPY
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import Geometry, contiguous_strides

# XLA's CPU backend reads memory in place only when it starts on such a boundary; anything else it copies.
ALIGNMENT = 64


class Counter:
    """A version counter of tensors that do not count the same writes as all others on their memory."""

    __slots__ = ("n",)

    def __init__(self, n: int) -> None:
        self.n = n


class Pack:
    """One array with the contents of several storages; ``intact`` as long as all of them are still in it."""

    __slots__ = ("array", "constants", "intact", "part")

    def __init__(self, part: Callable[[int], Any]) -> None:
        self.array: Any = None
        self.constants: list[Any] = []  # arrays of which it has a copy
        self.intact = False
        self.part = part


class Storage:
    """Memory that several tensors may share.

    ``array`` has the logical shape it was made with; ``stride`` says how its elements lie in (PyTorch's) memory: None
    is
    row-major, else the strides of a dense permutation, so that a result laid out like a transposed or channels-last
    input needs no transposition.

    ``version`` counts all writes. It is what the tensors on the storage report as theirs as long as ``counter`` is
    None;
    after ``.data`` or ``set_`` some writes are not everybody's, and ``counter`` counts those that autograd sees.
    """

    # born: the level inside which the memory was made, only where it was made inside a function transform
    # pack: the pack and the number in it, only where the memory is or was part of one
    __slots__ = ("__weakref__", "_geometry", "array", "born", "counter", "host", "pack", "stride", "version")

    born: int
    pack: tuple[Pack, int]

    def __init__(self, array: Any, stride: tuple[int, ...] | None = None) -> None:
        self.array = array
        self.stride = stride
        self.version = 0
        self.counter: Counter | None = None
        self.host: np.ndarray[Any, Any] | None = None
        self._geometry: Geometry | None = None

    @property
    def geometry(self) -> Geometry:
        """The geometry of a tensor that is the whole storage."""
        found = self._geometry
        if found is None:
            array = self.array
            shape = tuple(array.shape)
            found = Geometry(shape, self.stride or contiguous_strides(shape), 0, BY_NUMPY[array.dtype], False, False)
            self._geometry = found
        return found

    def replace(self, array: Any, stride: tuple[int, ...] | None = None) -> None:
        """Put an array of another shape, dtype or layout in (``resize_``, ``set_``, ``.data =``)."""
        if self.host is not None:  # other memory from here on: no longer shared
            self.host = None
            self.__class__ = Storage
        self.array = array
        self.stride = stride
        self._geometry = None

    def settle(self) -> None:
        """Note in each tensor that is the whole storage what that means, before the storage becomes something else."""
        for other in gc.get_referrers(self):
            if isinstance(other, TensorBase) and other._geometry is None:
                other._geometry = self.geometry

    @property
    def nbytes(self) -> int:
        """The size of the memory in bytes."""
        return int(self.array.size) * int(self.array.dtype.itemsize)

    def share_with_host(self) -> np.ndarray[Any, Any]:
        """Return the memory as a flat writable NumPy array that stays in step with this storage from now on."""
        if self.host is None:
            self.geometry  # noqa: B018 - HostStorage reads by it
            if sys.getrefcount(self.array) > 2 and not isinstance(self.array, jax.core.Tracer):
                self.array = self.array.copy()  # another storage may have it, and must not see what is written
            self.host = _writable(self.array if self.stride is None else _physical(self.array, self.stride))
            self.__class__ = HostStorage
        return self.host


class HostStorage(Storage):
    """A storage whose memory a NumPy array shares: writes of either side are seen by the other.

    The memory is handed to XLA without a copy where it is aligned. Where it is not, each read copies it, as long as
    somebody else can still write to it.
    """

    __slots__ = ()

    @property
    def array(self) -> Any:
        """The current contents, read from the shared memory."""
        geometry = self._geometry
        assert self.host is not None
        assert geometry is not None
        if self.stride is None:
            return as_jax(self.host.reshape(geometry.size))
        order = sorted(range(len(geometry.size)), key=lambda d: -geometry.stride[d])
        physical = self.host.reshape([geometry.size[d] for d in order])
        return as_jax(np.ascontiguousarray(physical.transpose(np.argsort(order))))

    @array.setter
    def array(self, value: Any) -> None:
        assert self.host is not None
        flat = value if self.stride is None else _physical(value, self.stride)
        np.copyto(self.host, np.asarray(flat).reshape(-1))


class PackedStorage(Storage):
    """A storage whose contents are part of a pack, until somebody reads or writes them."""

    __slots__ = ()

    @property
    def array(self) -> Any:
        """The contents, taken out of the pack."""
        pack, number = self.pack
        value = pack.part(number)
        self.array = value
        return value

    @array.setter
    def array(self, value: Any) -> None:
        self.pack[0].intact = False
        storage: Storage = self
        storage.__class__ = Storage
        storage.array = value


def host_storage(host: np.ndarray[Any, Any]) -> Storage:
    """Return a storage that shares the memory of a C-contiguous NumPy array."""
    storage = Storage(as_jax(host))
    storage.geometry  # noqa: B018 - the host getter relies on the geometry being known
    storage.host = host.reshape(-1)
    storage.__class__ = HostStorage
    return storage


def as_jax(host: np.ndarray[Any, Any]) -> jax.Array:
    """Return a CPU jax array over NumPy memory, without a copy where the memory is aligned."""
    # What is copied is waited for: the copy goes on in the background, and the program may write into its source.
    return jax.device_put(host, devices.jax_device(devices.CPU), may_alias=True).block_until_ready()


def _physical(array: Any, stride: tuple[int, ...]) -> Any:
    order = sorted(range(array.ndim), key=lambda d: -stride[d])
    return jax.numpy.transpose(array, order)


def _writable(array: Any) -> np.ndarray[Any, Any]:
    """Return a writable flat NumPy view of a CPU jax array's own buffer."""
    if array.size == 0:
        return np.empty(0, array.dtype)
    array.block_until_ready()  # its address does not wait
    block = (ctypes.c_byte * (array.size * array.dtype.itemsize)).from_address(array.unsafe_buffer_pointer())
    block._owner = array  # the buffer lives as long as any NumPy view of it
    return np.frombuffer(block, np.uint8).view(array.dtype)
