"""Tensors made of nothing: constants, ranges, identity matrices, and pairs of reals as complex numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core import device as devices
from torchlike._core import dispatch, errors, layout
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_ints
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.promote import of_number
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import Geometry
from torchlike.ops._fill import (
    check_options,
    check_sizes,
    constant,
    dtype_argument,
    filled,
    finished,
    number,
    sizes,
)
from torchlike.ops._geometry import show

__all__ = [
    "complex",
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "full",
    "full_like",
    "ones",
    "ones_like",
    "polar",
    "scalar_tensor",
    "zeros",
    "zeros_like",
]

Tensor = Any


def _into(out: Tensor, function: str, size: tuple[int, ...], value: Any, dtype: Any) -> Tensor:
    """Fill a tensor given as ``out=``, resizing it first."""
    have = dispatch.geometry_of(out).dtype
    check(
        dtype is None or dtype is have,
        f"dtype {scalar_type(dtype)} does not match dtype of out parameter ({scalar_type(have)})",
    )
    layout.write_out(out, filled(size, value, have, dispatch.device_of(out)), dispatch.write)
    return out


def _constant(
    function: str,
    size: tuple[int, ...],
    value: int,
    out: Tensor | None,
    dtype: Any,
    layout: Any,
    device: Any,
    pin_memory: bool,
    requires_grad: bool,
) -> Tensor:
    if dtype is None and out is None:
        dtype = dtypes.get_default_dtype()
    elif type(dtype) is not dtypes.dtype:
        dtype = dtype_argument(function, dtype)
    if layout is not None or pin_memory:
        check_options(layout, pin_memory, function)
    check_sizes(size, f"{function}: Dimension size must be non-negative." if function == "zeros" else None)
    if out is not None:
        return _into(out, function, size, value, dtype)
    result = dispatch.wrap(constant(size, value, dtype, devices.resolve(device)))
    return finished(result, True) if requires_grad else result


@composite(method=False)
def zeros(
    *size: Any,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
    """Return a tensor of zeros.

    The size is given as ints or as one sequence. The dtype is the default dtype unless given. Raises RuntimeError for
    negative sizes.

    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _constant("zeros", sizes("zeros", size, named), 0, out, dtype, layout, device, pin_memory, requires_grad)


@composite(method=False)
def ones(
    *size: Any,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
    """Return a tensor of ones.

    >>> torch.ones(2, 3)
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """
    return _constant("ones", sizes("ones", size, named), 1, out, dtype, layout, device, pin_memory, requires_grad)


@composite(method=False)
def empty(
    *size: Any,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
    **named: Any,
) -> Tensor:
    """Return a tensor whose values are not promised to be anything (they are zeros), in a memory format.

    >>> torch.empty(2, 3).shape
    torch.Size([2, 3])
    """
    shape = sizes("empty", size, named)
    result = _constant("empty", shape, 0, out, dtype, layout, device, pin_memory, requires_grad)
    if memory_format is not None:
        _lay_out(result, memory_format)
    return result


def _lay_out(result: Tensor, memory_format: Any) -> None:
    check(memory_format is not layout.preserve_format, "unsupported memory format Preserve")
    stride = layout.strides_in_format(dispatch.geometry_of(result), memory_format)
    result._storage.replace(result._storage.array, stride)


@composite(method=False)
def full(
    size: Sequence[int],
    fill_value: Any,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
    """Return a tensor of one value, in the dtype of the value (int64, the default dtype, bool ...) unless given.

    Raises RuntimeError for a value that the dtype cannot hold.

    >>> torch.full((2, 3), 3.5)
    tensor([[3.5000, 3.5000, 3.5000],
            [3.5000, 3.5000, 3.5000]])
    """
    if named:
        raise TypeError(f"full() got an unexpected keyword argument '{next(iter(named))}'")
    check_options(layout, pin_memory, "full")
    value = number("full", "fill_value", 2, fill_value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise OverflowError("int too big to convert")
    shape = as_ints("full", "size", 1, size)
    check_sizes(shape)
    wanted = dtype_argument("full", dtype)
    if out is not None:
        return _into(out, "full", shape, value, wanted)
    wanted = wanted or of_number(type(value))
    return finished(dispatch.wrap(filled(shape, value, wanted, devices.resolve(device))), requires_grad)


@composite(method=False)
def scalar_tensor(
    s: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a 0-d tensor of a number, in the default dtype unless given.

    >>> torch.scalar_tensor(3)
    tensor(3.)
    """
    check_options(layout, pin_memory, "scalar_tensor")
    wanted = dtype_argument("scalar_tensor", dtype) or dtypes.get_default_dtype()
    value = number("scalar_tensor", "s", 1, s)
    return finished(dispatch.wrap(filled((), value, wanted, devices.resolve(device))), requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# Of the size of another tensor


def _like(
    function: str,
    input: Tensor,
    value: Any,
    dtype: Any,
    layout_: Any,
    device: Any,
    pin_memory: bool,
    requires_grad: bool,
    memory_format: Any,
) -> Tensor:
    if not isinstance(input, TensorBase):
        raise TypeError(f"{function}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if layout_ is not None or pin_memory:
        check_options(layout_, pin_memory, function)
    g = dispatch.geometry_of(input)
    wanted = g.dtype if dtype is None else dtype_argument(function, dtype)
    assert wanted is not None
    place = dispatch.device_of(input) if device is None else devices.resolve(device)
    if memory_format is None and input._geometry is None:
        stride = input._storage.stride
    else:
        stride = layout.strides_in_format(g, memory_format)
    array = constant(g.size, value, wanted, place) if type(value) is int else filled(g.size, value[0], wanted, place)
    result = dispatch.wrap(array, stride)
    return finished(result, True) if requires_grad else result


@composite(method=False)
def zeros_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return zeros in the size, dtype, device and memory layout of ``input``, each of which may be given instead.

    >>> torch.zeros_like(torch.ones(2, dtype=torch.int32))
    tensor([0, 0], dtype=torch.int32)
    """
    return _like("zeros_like", input, 0, dtype, layout, device, pin_memory, requires_grad, memory_format)


@composite(method=False)
def ones_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return ones in the size, dtype, device and memory layout of ``input``, each of which may be given instead.

    >>> torch.ones_like(torch.zeros(2, 2))
    tensor([[1., 1.],
            [1., 1.]])
    """
    return _like("ones_like", input, 1, dtype, layout, device, pin_memory, requires_grad, memory_format)


@composite(method=False)
def empty_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return a tensor like ``input`` whose values are not promised to be anything (they are zeros).

    >>> torch.empty_like(torch.zeros(2, 2)).shape
    torch.Size([2, 2])
    """
    return _like("empty_like", input, 0, dtype, layout, device, pin_memory, requires_grad, memory_format)


@composite(method=False)
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return a tensor of one value in the size, dtype, device and memory layout of ``input``.

    >>> torch.full_like(torch.zeros(2, dtype=torch.int64), 7)
    tensor([7, 7])
    """
    value = (number("full_like", "fill_value", 2, fill_value),)
    return _like("full_like", input, value, dtype, layout, device, pin_memory, requires_grad, memory_format)


def _new(
    function: str,
    self: Tensor,
    size: tuple[int, ...],
    value: Any,
    dtype: Any,
    device: Any,
    requires_grad: bool,
    layout: Any,
    pin_memory: bool,
) -> Tensor:
    check_options(layout, pin_memory, function)
    check_sizes(size)
    wanted = dispatch.geometry_of(self).dtype if dtype is None else dtype_argument(function, dtype)
    assert wanted is not None
    place = dispatch.device_of(self) if device is None else devices.resolve(device)
    array = constant(size, value, wanted, place) if type(value) is int else filled(size, value[0], wanted, place)
    return finished(dispatch.wrap(array), requires_grad)


@composite(method="only")
def new_zeros(
    self: Tensor,
    *size: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Return zeros with the dtype and device of the tensor.

    >>> torch.tensor((), dtype=torch.float64).new_zeros((2, 3))
    tensor([[0., 0., 0.],
            [0., 0., 0.]], dtype=torch.float64)
    """
    shape = sizes("new_zeros", size, named)
    return _new("new_zeros", self, shape, 0, dtype, device, requires_grad, layout, pin_memory)


@composite(method="only")
def new_ones(
    self: Tensor,
    *size: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Return ones with the dtype and device of the tensor.

    >>> torch.tensor((), dtype=torch.int32).new_ones((2, 3))
    tensor([[1, 1, 1],
            [1, 1, 1]], dtype=torch.int32)
    """
    shape = sizes("new_ones", size, named)
    return _new("new_ones", self, shape, 1, dtype, device, requires_grad, layout, pin_memory)


@composite(method="only")
def new_empty(
    self: Tensor,
    *size: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Return a tensor of unspecified values (zeros) with the dtype and device of the tensor.

    >>> torch.ones(()).new_empty((2, 3)).shape
    torch.Size([2, 3])
    """
    shape = sizes("new_empty", size, named)
    return _new("new_empty", self, shape, 0, dtype, device, requires_grad, layout, pin_memory)


@composite(method="only")
def new_full(
    self: Tensor,
    size: Sequence[int],
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of one value with the dtype and device of the tensor.

    >>> torch.ones((2,), dtype=torch.float64).new_full((3, 4), 3.5).dtype
    torch.float64
    """
    shape = as_ints("new_full", "size", 1, size)
    value = (number("new_full", "fill_value", 2, fill_value),)
    return _new("new_full", self, shape, value, dtype, device, requires_grad, layout, pin_memory)


# ---------------------------------------------------------------------------------------------------------------------
# With strides


@composite(method=False)
def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of unspecified values (zeros) with the given sizes and strides.

    >>> torch.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    check_options(layout, pin_memory, "empty_strided")
    shape, strides = as_ints("empty_strided", "size", 1, size), as_ints("empty_strided", "stride", 2, stride)
    check(
        len(shape) == len(strides),
        f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})",
    )
    check_sizes(shape)
    check(
        min(strides, default=0) >= 0,
        f"Storage size calculation overflowed with sizes={show(shape)} and strides={show(strides)}",
    )
    wanted = dtype_argument("empty_strided", dtype) or dtypes.get_default_dtype()
    extent = 0 if 0 in shape else 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    result = dispatch.wrap(constant((extent,), 0, wanted, devices.resolve(device)))
    result._geometry = Geometry(shape, strides, 0, wanted, False, False)
    return finished(result, requires_grad)


@composite(method="only")
def new_empty_strided(
    self: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of unspecified values (zeros) with the given strides, and the dtype and device of the tensor.

    >>> torch.zeros(2, dtype=torch.int32).new_empty_strided((2, 3), (1, 2)).dtype
    torch.int32
    """
    return empty_strided(
        size,
        stride,
        dtype=dispatch.geometry_of(self).dtype if dtype is None else dtype,
        layout=layout,
        device=dispatch.device_of(self) if device is None else device,
        requires_grad=requires_grad,
        pin_memory=pin_memory,
    )


@composite(method=False)
def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a dense tensor of unspecified values (zeros) whose dimensions lie in memory in the given order.

    >>> torch.empty_permuted((2, 3, 5, 7), (0, 2, 3, 1)).stride()
    (105, 1, 21, 3)
    """
    check_options(layout, pin_memory, "empty_permuted")
    shape = as_ints("empty_permuted", "size", 1, size)
    order = as_ints("empty_permuted", "physical_layout", 2, physical_layout)
    check(
        len(shape) == len(order),
        "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) ="
        f" {len(shape)} is not equal to len(physical_layout) = {len(order)}",
    )
    stride = [0] * len(shape)
    step = 1
    seen: set[int] = set()
    for d in reversed(order):
        check(
            0 <= d < len(shape), f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got {d})"
        )
        check(d not in seen, "Duplicate dim not allowed")
        seen.add(d)
        stride[d] = step
        step *= shape[d]
    return empty_strided(shape, stride, dtype=dtype, device=device, requires_grad=requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# Complex numbers from reals


def _check_parts(a: Array, b: Array) -> None:
    names = scalar_type(a.dtype), scalar_type(b.dtype)
    check(
        set(names) <= {"Half", "Float", "Double"},
        f"Expected both inputs to be Half, Float or Double tensors but got {names[0]} and {names[1]}",
    )
    check(
        names[0] == names[1],
        f"Expected object of scalar type {names[0]} but got scalar type {names[1]} for second argument",
    )
    if names[0] == "Half":
        raise NotImplementedError("complex numbers of two float16: complex32 does not exist in torchlike")


@op(method=False)
def complex(real: Array, imag: Array) -> Array:
    """Return complex numbers of real and imaginary parts, both float32 or both float64.

    >>> torch.complex(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor([1.+3.j, 2.+4.j])
    """
    _check_parts(real, imag)
    shape = errors.broadcast_shapes(real.shape, imag.shape)
    return lax.complex(jnp.broadcast_to(real, shape), jnp.broadcast_to(imag, shape))


@op(method=False)
def polar(abs: Array, angle: Array) -> Array:
    """Return complex numbers of absolute values and angles, both float32 or both float64.

    >>> torch.polar(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0]))
    tensor([1.+0.j, 2.+0.j])
    """
    _check_parts(abs, angle)
    shape = errors.broadcast_shapes(abs.shape, angle.shape)
    abs, angle = jnp.broadcast_to(abs, shape), jnp.broadcast_to(angle, shape)
    return lax.complex(abs * jnp.cos(angle), abs * jnp.sin(angle))


@defvjp(polar)
def _(grad: Any, inputs: Any, outputs: Any) -> Any:
    # Through the direction of the result, which turns around where an absolute value is negative.
    (result,) = outputs
    length = jnp.abs(result)
    inverse = jnp.where(length == 0, 0, 1 / jnp.where(length == 0, 1, length))
    to_abs = (grad * lax.complex(result.real * inverse, result.imag * inverse)).real
    to_angle = -(grad * result).imag
    return _unbroadcast(to_abs, inputs[0].shape), _unbroadcast(to_angle, inputs[1].shape)


def _unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    lead = grad.ndim - len(shape)
    dims = tuple(i for i in range(grad.ndim) if i < lead or (shape[i - lead] == 1 and grad.shape[i] != 1))
    return jnp.sum(grad, dims, keepdims=True).reshape(shape)
