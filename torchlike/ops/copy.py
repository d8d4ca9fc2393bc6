"""Copies and conversions: what moves values between tensors, types and memory layouts."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike._core import device as devices
from torchlike._core import dispatch, errors, layout
from torchlike._core import dtype as dtypes
from torchlike._core.kernels import cast
from torchlike._core.op import Array, ArrayLike, composite, op
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import contiguous_strides

__all__ = ["clone"]


@op(method=False, out=False, node="CloneBackward0")
def _clone(input: Array) -> Array:
    """The same values in memory of their own."""
    return input


@op(method=False, out=False, node="ToCopyBackward0")
def _to_copy(input: Array, dtype: dtypes.dtype) -> Array:
    """The same values in another type."""
    return cast(input, dtype.np)


@op(method=False, out=False, inplace=True, node="CopyBackwards")
def _copy(input: Array, src: ArrayLike) -> Array:
    """``src`` in the type and shape of ``input``."""
    src = jnp.asarray(src)
    shape = errors.broadcast_shapes(input.shape, src.shape)
    errors.check(
        shape == tuple(input.shape),
        f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(shape)}",
    )
    return jnp.broadcast_to(cast(src, input.dtype), input.shape)


def _kept_stride(tensor: Any, memory_format: Any) -> tuple[int, ...] | None:
    """The strides of a copy in a memory format; None for row-major."""
    geometry = dispatch.geometry_of(tensor)
    return layout.strides_in_format(geometry, memory_format)


@composite
def clone(input: Any, *, memory_format: Any = None) -> Any:
    """Return a copy of ``input`` with memory of its own; gradients flow back to ``input``.

    ``memory_format`` is ``torch.preserve_format`` (default: strides as the input's where its memory is dense),
    ``torch.contiguous_format`` or ``torch.channels_last`` / ``channels_last_3d``.

    >>> x = torch.tensor([1., 2.])
    >>> y = x.clone()
    >>> y[0] = 5.
    >>> x
    tensor([1., 2.])
    """
    result = _clone(input)
    return _relaid(result, _kept_stride(input, memory_format))


def _relaid(result: Any, stride: tuple[int, ...] | None) -> Any:
    """Note that a fresh tensor lies in memory with other strides than row-major."""
    if stride is not None and stride != contiguous_strides(dispatch.shape_of(result)):
        storage = result._storage
        storage.replace(storage.array, stride)
    return result


@composite(method="only")
def contiguous(self: Any, memory_format: Any = None) -> Any:
    """Return the tensor itself if it is laid out so, else a copy that is.

    >>> torch.ones(2, 3).t().contiguous().stride()
    (2, 1)
    """
    memory_format = memory_format or layout.contiguous_format
    if memory_format is layout.preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    if layout.is_in_format(dispatch.geometry_of(self), memory_format):
        return self
    return clone(self, memory_format=memory_format)


@composite(method="only")
def copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Write the values of ``src`` into the tensor, converted and broadcast; returns the tensor.

    >>> x = torch.zeros(2, 2)
    >>> x.copy_(torch.tensor([1, 2]))
    tensor([[1., 2.],
            [1., 2.]])
    """
    if isinstance(src, TensorBase):
        here, there = dispatch.device_of(self), dispatch.device_of(src)
        if here is not there:
            src = to_device(src, here)
    return _copy.op.inplace_function(self, src)


def to_device(tensor: Any, device: Any) -> Any:
    """Return a copy of a tensor on another device; gradients flow back."""
    place = devices.resolve(device)
    if place is dispatch.device_of(tensor):
        return tensor
    return dispatch.move(tensor, place)


def to_dtype(tensor: Any, dtype: dtypes.dtype) -> Any:
    """Return the tensor in another type; itself if it has that type already."""
    geometry = dispatch.geometry_of(tensor)
    if geometry.dtype is dtype:
        return tensor
    return _relaid(_to_copy(tensor, dtype), layout.strides_in_format(geometry, None))
