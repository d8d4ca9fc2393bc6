"""Memory that tensors share: with each other, with NumPy, through DLPack; and resizing it."""

from __future__ import annotations

import ctypes
import enum
import math
import operator
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch, errors, layout, tape
from torchlike._core import dtype as dtypes
from torchlike._core.lifted import Batched, Lifted, array_below, is_unknown, no_item
from torchlike._core.storage import HostStorage, Storage, host_storage
from torchlike._core.tensor_state import TensorBase, classes, modes
from torchlike._core.views import Geometry, contiguous_strides
from torchlike._core.warn import warn

# ---------------------------------------------------------------------------------------------------------------------
# Other tensors on the same memory


alias = dispatch.alias


def data_of(tensor: Any) -> Any:
    """``tensor.data``: the same memory, but writes through it are not counted by autograd."""
    other = dispatch.alias(tensor)
    tape.count_apart(other)
    return other


def set_data(tensor: Any, value: Any) -> None:
    """``tensor.data = value``: the tensor looks at the memory of ``value`` from now on, and counts its versions on."""
    if not isinstance(value, TensorBase):
        raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
    source, target = dispatch.geometry_of(value).dtype, dispatch.geometry_of(tensor).dtype
    if tensor._grad_fn is not None and source is not target:
        raise RuntimeError(
            "Attempted to call `variable.set_data(tensor)`, but `variable` and `tensor` have incompatible tensor type."
        )
    _aim(tensor, value._storage, dispatch.geometry_of(value))
    inference = value._extra is not None and value._extra.inference
    if inference or tensor._extra is not None:
        tape.extra_of(tensor).inference = inference


def _aim(tensor: Any, storage: Storage, geometry: Geometry) -> None:
    """Let a tensor look at other memory; its version counter stays the one that it shares with its views."""
    if storage is not tensor._storage:
        tape.keep_counter(tensor, storage)
        tensor._storage = storage
    place(tensor, geometry)


def warn_non_leaf_grad() -> None:
    """Say, as PyTorch does, that the ``grad`` of a tensor that is not a leaf stays empty."""
    warn(
        "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be"
        " populated"
        " during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, use"
        " .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access"
        " the leaf"
        " Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information."
    )


def check_grad(tensor: Any, value: Any) -> None:
    """Refuse what cannot be the gradient of a tensor."""
    if not isinstance(value, TensorBase):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
    errors.check(value is not tensor, "can't assign Variable as its own grad")
    mine, given = dispatch.geometry_of(tensor), dispatch.geometry_of(value)
    errors.check(
        mine.dtype is given.dtype,
        f"attempting to assign a gradient with dtype '{_type_word(given.dtype)}' to a tensor with grad_dtype"
        f" '{errors.scalar_type(mine.dtype)}'. The gradient must match the tensor's grad_dtype (defaults to the"
        " tensor's dtype). You can set"
        " the tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. Set grad_dtype with"
        " caution."
        " Diverging the dtypes of a tensor and its gradient may break downstream systems that assume they match.",
    )
    here, there = dispatch.device_of(tensor), dispatch.device_of(value)
    errors.check(
        here is there,
        f"attempting to assign a gradient with device type '{there.type}' to a tensor with device type '{here.type}'."
        " Please ensure that the gradient and the tensor are on the same device",
    )
    errors.check(
        mine.size == given.size,
        f"attempting to assign a gradient of size '{list(given.size)}' to a tensor of size '{list(mine.size)}'."
        " Please ensure that"
        " the gradient and the tensor are the same size",
    )


_TYPE_WORDS = {
    "float32": "float",
    "float64": "double",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
    "uint16": "short unsigned int",
    "uint32": "unsigned int",
    "uint64": "long unsigned int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def _type_word(dtype: dtypes.dtype) -> str:
    return _TYPE_WORDS.get(dtype.name, dtype.name)


_addresses: weakref.WeakKeyDictionary[Storage, int] = weakref.WeakKeyDictionary()
_next_address = [1 << 32]


def data_ptr(tensor: Any) -> int:
    """Return the address of a tensor's first element.

    Memory shared with NumPy has its real address. Other storages replace their array when written, so theirs is a
    number
    that stays the same as long as the storage lives.
    """
    storage = tensor._storage
    geometry = dispatch.geometry_of(tensor)
    if not geometry.numel:
        return 0
    return storage_ptr(storage) + geometry.offset * geometry.dtype.itemsize


def storage_ptr(storage: Storage) -> int:
    """The address of a storage's first byte, see `data_ptr`."""
    if storage.host is not None:
        return int(storage.host.ctypes.data)
    found = _addresses.get(storage)
    if found is None:
        found = _addresses[storage] = _next_address[0]
        _next_address[0] += (storage.nbytes // 64 + 2) * 64
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Values on the host


def _refuse_batch(tensor: Any) -> None:
    if isinstance(tensor._storage.array, Batched):
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")


def host_values(tensor: Any) -> np.ndarray[Any, Any]:
    """A NumPy array of a tensor's values, to read only; bfloat16 and float8 come as float32."""
    _refuse_batch(tensor)
    array = dispatch.array_of(tensor)
    if isinstance(array, jax.ShapeDtypeStruct):
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    values = np.asarray(array)
    return values.astype(np.float32) if values.dtype.kind == "V" or values.dtype.name not in _NUMPY_NAMES else values


_NUMPY_NAMES = frozenset(
    {
        "bool",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    }
)


def number(tensor: Any, array: Any) -> Any:
    """The one element of an array as a Python number."""
    if isinstance(array, jax.ShapeDtypeStruct):
        raise RuntimeError("Tensor.item() cannot be called on meta tensors")
    if isinstance(array, Lifted):
        if isinstance(array, Batched):
            raise no_item()
        return number(tensor, array_below(array))
    value = array.item()
    return value if isinstance(value, bool | int | float | complex) else float(value)


def to_numpy(tensor: Any, force: bool) -> np.ndarray[Any, Any]:
    """``Tensor.numpy``: the tensor's memory as a NumPy array."""
    _refuse_batch(tensor)
    if not force:
        if modes.grad and tape.requires_grad(tensor):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        device = dispatch.device_of(tensor)
        if device.type == "meta":
            raise TypeError(
                "can't convert meta device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory"
                " first."
            )
        if device.type != "cpu":
            raise TypeError(
                f"can't convert {device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host"
                " memory first."
            )
        if tensor.is_conj():
            raise RuntimeError(
                "Can't call numpy() on Tensor that has conjugate bit set. Use tensor.resolve_conj().numpy() instead."
            )
        if tensor.is_neg():
            raise RuntimeError(
                "Can't call numpy() on Tensor that has negative bit set. Use tensor.resolve_neg().numpy() instead."
            )
    geometry = dispatch.geometry_of(tensor)
    if geometry.dtype.name not in _NUMPY_NAMES:
        raise TypeError(f"Got unsupported ScalarType {errors.scalar_type(geometry.dtype)}")
    array = tensor._storage.array
    if is_unknown(array) or (force and (geometry.conj or geometry.neg or dispatch.device_of(tensor).type != "cpu")):
        return np.asarray(dispatch.array_of(tensor))
    flat = tensor._storage.share_with_host().view(geometry.dtype.np)
    size = geometry.dtype.itemsize
    return np.lib.stride_tricks.as_strided(
        flat[geometry.offset :], geometry.size, tuple(s * size for s in geometry.stride), writeable=flat.flags.writeable
    )


NEGATIVE_STRIDE = (
    "At least one stride in the given numpy array is negative, and tensors with negative strides are not"
    " currently"
    " supported. (You can probably work around this by making a copy of your array  with array.copy().) "
)


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Any:
    """Return a tensor that shares the memory of a NumPy array: writes to either are seen by both.

    Raises TypeError for what is not an array or has a type without a tensor counterpart, ValueError for negative
    strides.

    >>> import numpy as np
    >>> a = np.array([1, 2, 3])
    >>> t = torch.from_numpy(a)
    >>> a[0] = 7
    >>> t
    tensor([7, 2, 3])
    """
    if not isinstance(ndarray, np.ndarray):
        kind = type(ndarray)
        shown = f"numpy.{kind.__name__}" if isinstance(ndarray, np.generic) else kind.__name__
        raise TypeError(f"expected np.ndarray (got {shown})")
    errors.check(
        ndarray.dtype.isnative,
        "given numpy array has byte order different from the native byte order. Conversion between byte orders is"
        " currently not supported.",
        ValueError,
    )
    if ndarray.dtype not in dtypes.BY_NUMPY or ndarray.dtype.name not in _NUMPY_NAMES:
        raise TypeError(
            f"can't convert np.ndarray of type {_numpy_type(ndarray.dtype)}. The only supported types are: float64,"
            " float32,"
            " float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
        )
    if any(s < 0 for s in ndarray.strides) and ndarray.size:
        raise ValueError(NEGATIVE_STRIDE)
    if not ndarray.flags.writeable:
        warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means"
            " writing to this"
            " tensor will result in undefined behavior. You may want to copy the array to protect its data or make it"
            " writable"
            " before converting it to a tensor. This type of warning will be suppressed for the rest of this program."
        )
    itemsize = ndarray.dtype.itemsize
    regular = tuple(s * itemsize for s in contiguous_strides(ndarray.shape))
    if ndarray.flags.c_contiguous and (ndarray.strides == regular or not ndarray.size):
        return _on(host_storage(ndarray))
    if any(s % itemsize for s in ndarray.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate"
            " the memory."
        )
    span = (
        1 + sum((n - 1) * s // itemsize for n, s in zip(ndarray.shape, ndarray.strides, strict=True))
        if ndarray.size
        else 0
    )
    memory = np.lib.stride_tricks.as_strided(ndarray, (span,), (itemsize,))
    tensor = _on(host_storage(memory))
    strides = tuple(s // itemsize for s in ndarray.strides)
    tensor._geometry = Geometry(ndarray.shape, strides, 0, dtypes.BY_NUMPY[ndarray.dtype], False, False)
    return tensor


def _numpy_type(dtype: Any) -> str:
    return f"numpy.{dtype.type.__name__}"


def _on(storage: Storage) -> Any:
    tensor = dispatch.wrap(None)
    tensor._storage = storage
    return tensor


class DLDeviceType(enum.IntEnum):
    """The kinds of device that DLPack knows."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17


def to_dlpack(tensor: Any) -> Any:
    """The DLPack capsule of a tensor's memory."""
    if tape.requires_grad(tensor):
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if tensor.is_conj():
        raise BufferError("Can't export tensors with the conjugate bit set")
    if dispatch.device_of(tensor).type == "cpu" and dispatch.geometry_of(tensor).dtype.name in _NUMPY_NAMES:
        return to_numpy(tensor, False).__dlpack__()
    return dispatch.array_of(tensor).__dlpack__()


def _writable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same memory as an array that may be written: NumPy takes what a capsule does not tell for read-only."""
    if array.flags.writeable or not array.size:
        return array
    span = sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)) + array.itemsize
    block = (ctypes.c_byte * span).from_address(array.ctypes.data)
    block._owner = array  # the memory lives as long as any view of it
    return np.ndarray(array.shape, array.dtype, block, 0, array.strides)


class _Capsule:
    """A capsule of memory on the CPU as an object that can be asked for it."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Any:
    """Return a tensor on the memory of another library's array (anything with ``__dlpack__``).

    >>> import numpy as np
    >>> torch.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    if isinstance(ext_tensor, TensorBase):
        return alias(ext_tensor)
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = _Capsule(ext_tensor)
    errors.check(
        hasattr(ext_tensor, "__dlpack__"),
        "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might"
        " have already constructed a tensor from it once.",
    )
    kind = ext_tensor.__dlpack_device__()[0] if hasattr(ext_tensor, "__dlpack_device__") else 1
    if kind == 1 and not isinstance(ext_tensor, jax.Array):
        given = ext_tensor if isinstance(ext_tensor, np.ndarray) else _writable(np.from_dlpack(ext_tensor))
        shared = from_numpy(given)
        return shared.clone() if copy else shared
    return dispatch.wrap(jnp.from_dlpack(ext_tensor))


# ---------------------------------------------------------------------------------------------------------------------
# Resizing and re-aiming


def resize_(tensor: Any, sizes: tuple[Any, ...], memory_format: Any) -> Any:
    """``Tensor.resize_``: other sizes on the same memory, extended when it is too small."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    shape = tuple(operator.index(s) for s in sizes)
    if tape.requires_grad(tensor) and not modes.inference:
        raise RuntimeError("cannot resize variables that require grad")
    errors.check(min(shape, default=0) >= 0, "numel: integer multiplication overflow")
    geometry = dispatch.geometry_of(tensor)
    stride = contiguous_strides(shape)
    if memory_format in (layout.channels_last, layout.channels_last_3d):
        stride = layout.channels_last_strides(shape)
    if geometry.size == shape and (stride == geometry.stride or memory_format is layout.contiguous_format):
        return tensor
    layout.grow(tensor._storage, geometry.offset + math.prod(shape), geometry.dtype)
    place(tensor, geometry._replace(size=shape, stride=stride))
    dispatch.touch(tensor)
    return tensor


def place(tensor: Any, geometry: Geometry) -> None:
    """Let a tensor look at its storage through another geometry."""
    tensor._geometry = None if geometry == tensor._storage.geometry else geometry
    tensor._value = None
    tensor._value_version = -1


class _Memory:
    """A storage in the place of an ``UntypedStorage``."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Storage) -> None:
        self._inner = inner


def set_(tensor: Any, source: Any, storage_offset: int, size: Any, stride: Any) -> Any:
    """``Tensor.set_``: look at another storage, with a given geometry or the source's own."""
    if isinstance(source, TensorBase) and size is not None:
        # With a size of its own it is the memory that counts, not the tensor.
        own = dispatch.geometry_of(source)
        errors.check(own.is_contiguous, "passed in tensor to be used as storage must be contiguous")
        source, storage_offset = _Memory(source._storage), own.offset + storage_offset
    if tensor._requires_grad or tensor._base is not None:
        dispatch.check_history(tensor, (source,))
    dtype = dispatch.geometry_of(tensor).dtype
    if source is None:
        storage = Storage(layout.put(np.empty(0, dtype.np), dispatch.device_of(tensor)))
        geometry = storage.geometry
    elif isinstance(source, TensorBase):
        geometry = dispatch.geometry_of(source)
        if geometry.dtype is not dtype:
            raise RuntimeError(
                f"Could not set tensor of type {_type_word(geometry.dtype)} to a tensor of type {_type_word(dtype)}"
            )
        storage = source._storage
    else:
        if not hasattr(source, "_inner"):
            errors.invalid_combination("set_", [source], "()", "(torch.Storage source)", "(Tensor source)")
        storage = source._inner
        count = storage.nbytes // dtype.itemsize
        geometry = Geometry((count,), (1,), 0, dtype, False, False)
    if size is not None:
        shape = tuple(size)
        strides = contiguous_strides(shape) if stride is None else tuple(stride)
        geometry = geometry._replace(size=shape, stride=strides, offset=storage_offset)
        last = (
            storage_offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1
            if math.prod(shape)
            else 0
        )
        layout.grow(storage, last, dtype)
    tensors = [t for t in (tensor, source) if isinstance(t, TensorBase)]
    recorded = modes.grad and isinstance(source, TensorBase) and any(tape.requires_grad(t) for t in tensors)
    edges = tuple([tape.gradient_edge(t) for t in tensors]) if recorded else ()
    before = tensor._storage
    _aim(tensor, storage, geometry)
    dispatch.touch(tensor)
    if before is not storage:
        before.version += 1  # those who saved a tensor there look at its version again
    if recorded:
        dispatch.rebase(tensor, tape.named(tape.Underivable, "NotImplemented")("set_", edges))
    return tensor


def is_shared_with_host(tensor: Any) -> bool:
    """Whether a NumPy array shares the tensor's memory."""
    return isinstance(tensor._storage, HostStorage)


def tensor_class() -> type[TensorBase]:
    """The public Tensor class."""
    return classes.tensor
