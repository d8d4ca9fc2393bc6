"""Where results lie: the strides PyTorch gives them, the tensors given as ``out=``, and the devices operands share."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core import errors
from torchlike._core.kernels import cast, check_castable
from torchlike._core.storage import Storage
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import contiguous_strides, dense_order, physical_order
from torchlike._core.warn import warn


def elementwise_strides(out: Any, operands: Sequence[TensorBase]) -> tuple[int, ...] | None:
    """Return the strides of an elementwise result, None for row-major.

    PyTorch orders the dimensions of the result as those of its operands, the first operand that tells two dimensions
    apart deciding; the result is dense in that order.
    """
    shape = tuple(out[0].shape if isinstance(out, tuple) else out.shape)
    ndim = len(shape)
    if ndim < 2:
        return None
    strides = [s for s in (_broadcast_strides(t, shape) for t in operands) if s is not None]
    plain = contiguous_strides(shape)
    if not strides or all(s == plain for s in strides):
        return None

    def order(a: int, b: int) -> int:
        """Negative: a is the faster of the two dimensions; 0: nothing tells."""
        for s in strides:
            if s[a] == 0 or s[b] == 0:
                continue
            if s[a] != s[b]:
                return -1 if s[a] < s[b] else 1
            if shape[a] > shape[b]:
                return 1
        return 0

    return _dense_in_order(shape, order)


def _dense_in_order(shape: tuple[int, ...], order: Callable[[int, int], int]) -> tuple[int, ...] | None:
    """Sort the dimensions by a partial order (ties stay as they are, row-major) and return dense strides.

    None: row-major.
    """
    ndim = len(shape)
    dims = list(range(ndim - 1, -1, -1))  # fastest first
    for i in range(1, ndim):
        at = i
        for j in range(i - 1, -1, -1):
            comparison = order(dims[j], dims[at])
            if comparison > 0:
                dims[j], dims[at] = dims[at], dims[j]
                at = j
            elif comparison < 0:
                break
    result = [0] * ndim
    step = 1
    for d in dims:
        result[d] = step
        step *= max(shape[d], 1)
    found = tuple(result)
    return None if found == contiguous_strides(shape) else found


def _broadcast_strides(tensor: TensorBase, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    geometry = tensor._geometry or tensor._storage.geometry
    if not geometry.size:
        return None
    pad = len(shape) - len(geometry.size)
    return (0,) * pad + tuple(
        0 if size == 1 and shape[pad + i] != 1 else stride
        for i, (size, stride) in enumerate(zip(geometry.size, geometry.stride, strict=True))
    )


def references(array: Any) -> bool:
    """Whether only one storage holds ``array`` (besides the callers' own frames)."""
    # storage attribute, the caller's argument expression, this parameter, getrefcount's argument
    return sys.getrefcount(array) <= 3


def of_array(array: Any) -> devices.device:
    """The device of an array; of a shape without data, the meta device."""
    if isinstance(array, jax.ShapeDtypeStruct):
        return devices.META
    if isinstance(array, jax.core.Tracer):
        return devices.program() or devices.CPU
    place = array.device  # of an array that lies on several devices a sharding
    return devices.of_jax(place if isinstance(place, jax.Device) else min(place.device_set, key=lambda d: d.id))


def together(values: Sequence[Any]) -> list[Any] | None:
    """Bring 0-dim CPU operands to the device of the others, as PyTorch does; None when all are on one device already.

    Raises PyTorch's error when operands with dimensions are on different devices.
    """
    arrays: list[Any] = [v for v in values if isinstance(v, jax.Array) and not isinstance(v, jax.core.Tracer)]
    places = list(dict.fromkeys(v.device for v in arrays))
    if len(places) < 2:
        return None
    wide = list(dict.fromkeys(v.device for v in arrays if v.ndim))
    others = wide or [p for p in places if p.platform != "cpu"]
    if len(others) > 1 or any(v.device not in others and v.device.platform != "cpu" for v in arrays):
        names = [str(devices.of_jax(p)) for p in places]
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {names[0]} and {names[1]}!"
        )
    return [jax.device_put(v, others[0]) if isinstance(v, jax.Array) else v for v in values]


def put(value: Any, device: Any = None) -> Any:
    """Return a private copy of host values (or a jax array) committed to a device."""
    place = devices.resolve(device)
    if place is devices.META:
        return jax.ShapeDtypeStruct(value.shape, value.dtype)
    if devices.program() is not None:
        return jnp.array(value)
    if place is devices.CPU and isinstance(value, np.ndarray) and value.size <= _SMALL:
        private = value.copy()  # which jax then takes over as it is: 12 us instead of device_put's 28
        return jax.make_array_from_callback(value.shape, place.sharding, lambda _: private)
    if isinstance(value, jax.ShapeDtypeStruct):
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    result = jax.device_put(value, devices.jax_device(place), may_alias=False)
    # A large copy goes on in the background, while the program may write into the memory it is made from.
    return result.block_until_ready() if isinstance(value, np.ndarray) else result


# Larger NumPy arrays may lie in memory as XLA does not take it, and would be copied twice.
_SMALL = 4096


def write_out(target: TensorBase, array: Any, write: Any) -> None:
    """Write a result into a tensor given as ``out=``, resizing it if its shape is another."""
    geometry = target._geometry or target._storage.geometry
    check_castable(array.dtype, geometry.dtype.np)
    value = array if array.dtype == geometry.dtype.np else _convert(array, geometry.dtype.np)
    errors.check(
        not geometry.overlaps or not geometry.numel,
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location."
        " Please clone() the tensor before performing the operation.",
    )
    if geometry.size != tuple(array.shape):
        if geometry.numel:
            warn(
                "An output with one or more elements was resized since it had shape "
                f"{list(geometry.size)}, which does not match the required output shape {list(array.shape)}. This"
                " behavior is"
                " deprecated, and in a future PyTorch release outputs will not be resized unless they have zero"
                " elements."
                " You can explicitly reuse an out tensor t by resizing it, inplace, to zero elements with"
                " t.resize_(0)."
            )
        resize(target, value)
        write(target, value)
        return
    write(target, value)


def _convert(array: Any, dtype: Any) -> Any:
    key = (array.dtype, dtype)
    found = _converters.get(key)
    if found is None:
        found = _converters[key] = jax.jit(lambda x: cast(x, dtype))
    return found(array)


_converters: dict[Any, Any] = {}


def resize(target: TensorBase, value: Any) -> None:
    """Give a tensor the shape of ``value``, in memory that is new where nobody else can see the old one."""
    storage: Storage = target._storage
    alone = sys.getrefcount(storage) <= 3  # the tensor, this name and the call
    if alone and target._geometry is None and value.nbytes >= storage.nbytes:
        storage.replace(value)
        target._value = None
        return
    own = target._geometry or storage.geometry
    shape = tuple(value.shape)
    grow(storage, own.offset + math.prod(shape), own.dtype)
    geometry = own._replace(size=shape, stride=contiguous_strides(shape), conj=False, neg=False)
    target._geometry = None if geometry == storage.geometry else geometry
    target._value, target._value_version = None, -1


def grow(storage: Storage, count: int, dtype: dtypes.dtype) -> None:
    """Make a storage hold at least ``count`` elements of a type; new memory is zero."""
    have = storage.nbytes // dtype.itemsize
    if count <= have:
        return
    array = storage.array
    own = dtypes.BY_NUMPY[array.dtype]
    flat = array if storage.stride is None else jnp.transpose(array, physical_order(array.shape, storage.stride))
    total = -(-count * dtype.itemsize // own.itemsize)
    flat = jnp.concatenate([flat.reshape(-1), jnp.zeros(total - flat.size, array.dtype)])
    if not isinstance(array, jax.core.Tracer):
        flat = jax.device_put(flat, array.device)
    storage.settle()
    storage.replace(flat)


# ---------------------------------------------------------------------------------------------------------------------
# Memory formats


class memory_format:
    """A way to lay a tensor out: ``torch.contiguous_format``, ``torch.channels_last`` ..."""

    __module__ = "torch"
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> Any:
        return _by_name, (self.name,)


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


def channels_last_strides(size: Sequence[int]) -> tuple[int, ...]:
    """The strides of a 4-d or 5-d tensor whose channels (dimension 1) are the fastest."""
    order = [1, *range(len(size) - 1, 1, -1), 0]
    strides = [0] * len(size)
    step = 1
    for d in order:
        strides[d] = step
        step *= max(size[d], 1)
    return tuple(strides)


def is_in_format(geometry: Any, wanted: memory_format) -> bool:
    """Whether a geometry is laid out in a memory format (sizes of 1 do not matter)."""
    if wanted is contiguous_format:
        return bool(geometry.is_contiguous)
    ndim = 4 if wanted is channels_last else 5
    if len(geometry.size) != ndim:
        return False
    if 0 in geometry.size:
        return True
    expected = channels_last_strides(geometry.size)
    return all(n == 1 or a == b for n, a, b in zip(geometry.size, geometry.stride, expected, strict=True))


def strides_in_format(geometry: Any, wanted: memory_format | None) -> tuple[int, ...] | None:
    """The strides of a copy in a memory format; None for row-major. ``preserve_format`` is the default."""
    size = geometry.size
    if wanted is contiguous_format:
        return None
    if wanted is channels_last or wanted is channels_last_3d:
        ndim = 4 if wanted is channels_last else 5
        errors.check(len(size) == ndim, f"required rank {ndim} tensor to use {wanted.name} format")
        return channels_last_strides(size)
    if geometry.is_contiguous and (not geometry.numel or geometry.stride == contiguous_strides(size)):
        return None  # else it has a dimension of size 1 whose stride is another, which copies keep
    if not geometry.overlaps and dense_order(size, geometry.stride) is not None:
        return tuple(geometry.stride)
    return preserved_strides(size, geometry.stride)


def preserved_strides(size: tuple[int, ...], stride: tuple[int, ...]) -> tuple[int, ...] | None:
    """Dense strides in the order of the dimensions of a tensor that is not dense itself."""

    def faster(a: int, b: int) -> int:
        if stride[a] == 0 or stride[b] == 0:
            return 0
        if stride[a] != stride[b]:
            return -1 if stride[a] < stride[b] else 1
        return 1 if size[a] > size[b] else 0

    return _dense_in_order(size, faster)


class layout:
    """How the elements of a tensor are stored: ``torch.strided`` (dense); the sparse kinds exist as names only."""

    __module__ = "torch"
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> Any:
        return _by_name, (self.name,)


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
jagged = layout("jagged")


def _by_name(name: str) -> Any:
    """Unpickling: the one memory format or layout of a name."""
    return globals()[name]
