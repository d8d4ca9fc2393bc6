"""The three transforms that all of ``torch.fft`` is made of: complex to complex, real to complex, complex to real."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type, wrap_dim
from torchlike._core.op import Array, op
from torchlike.ops._checks import FLOATS, HALF, is_in

Tensor = Any
Dims = tuple[int, ...]

# How a result is scaled, as PyTorch numbers it.
NONE, BY_ROOT, BY_SIZE = 0, 1, 2
# XLA transforms up to three dimensions at once.
_AT_ONCE = 3


def _scaled(x: Array, count: int, normalization: int) -> Array:
    if normalization == NONE:
        return x
    factor = 1 / math.sqrt(count) if normalization == BY_ROOT else 1 / count
    return x * jnp.asarray(factor, x.dtype)


def _count(shape: tuple[int, ...], dims: Dims) -> int:
    return math.prod(shape[d] for d in dims)


def _along(x: Array, dims: Dims, kind: lax.FftType, lengths: tuple[int, ...]) -> Array:
    """One transform over dimensions, which are moved to the end for it."""
    last = tuple(range(x.ndim - len(dims), x.ndim))
    moved = jnp.moveaxis(x, dims, last)
    return jnp.moveaxis(lax.fft(moved, kind, lengths), last, dims)


def _many(x: Array, dims: Dims, forward: bool) -> Array:
    kind = lax.FftType.FFT if forward else lax.FftType.IFFT
    for start in range(0, len(dims), _AT_ONCE):
        part = dims[start : start + _AT_ONCE]
        x = _along(x, part, kind, tuple(x.shape[d] for d in part))
        if not forward:
            x = x * jnp.asarray(_count(x.shape, part), x.dtype)
    return x


def _empty(shape: tuple[int, ...], dtype: Any) -> Array | None:
    return jnp.zeros(shape, dtype) if math.prod(shape) == 0 else None


@op(method=False, node="FftC2CBackward0")
def _fft_c2c(input: Array, dim: Dims, normalization: int, forward: bool) -> Array:
    """The transform of complex numbers."""
    empty = _empty(input.shape, input.dtype)
    if empty is not None or not dim:
        return input if empty is None else empty
    return _scaled(_many(input, dim, forward), _count(input.shape, dim), normalization)


@op(method=False, node="FftR2CBackward0")
def _fft_r2c(input: Array, dim: Dims, normalization: int, onesided: bool) -> Array:
    """The transform of real numbers, of which the last dimension may be given by half."""
    check(
        is_in(input, FLOATS),
        f"Only supports floating-point dtypes, but found: {scalar_type(input.dtype)}",
    )
    kind = jnp.complex128 if input.dtype == jnp.float64 else jnp.complex64
    shape = list(input.shape)
    if onesided:
        shape[dim[-1]] = shape[dim[-1]] // 2 + 1
    empty = _empty(tuple(shape), kind)
    if empty is not None:
        return empty
    count = _count(input.shape, dim)
    if not onesided:
        return _scaled(_many(input.astype(kind), dim, True), count, normalization)
    half = _along(input, dim[-1:], lax.FftType.RFFT, (input.shape[dim[-1]],))
    return _scaled(_many(half, dim[:-1], True), count, normalization)


@op(method=False, node="FftC2RBackward0")
def _fft_c2r(input: Array, dim: Dims, normalization: int, last_dim_size: int) -> Array:
    """The inverse transform to real numbers, of which the last dimension is given by half."""
    shape = list(input.shape)
    shape[dim[-1]] = last_dim_size
    empty = _empty(tuple(shape), input.real.dtype)
    if empty is not None:
        return empty
    count = _count(tuple(shape), dim)
    whole = _many(input, dim[:-1], False)
    wanted = last_dim_size // 2 + 1
    whole = lax.slice_in_dim(whole, 0, min(wanted, whole.shape[dim[-1]]), axis=dim[-1])
    result = _along(whole, dim[-1:], lax.FftType.IRFFT, (last_dim_size,))
    return _scaled(result * jnp.asarray(last_dim_size, result.dtype), count, normalization)


# ---------------------------------------------------------------------------------------------------------------------
# Strides of results: the dimensions that are not transformed come first, in the order they have in memory


def _in_memory_order(strides: tuple[int, ...], dims: Dims) -> Dims:
    return tuple(sorted(dims, key=lambda d: -strides[d]))


def _lay(result: Tensor, strides: tuple[int, ...], dims: Dims) -> Tensor:
    """Give a fresh result the strides PyTorch's have for an input of these strides; no data moves."""
    shape: tuple[int, ...] = dispatch.shape_of(result)
    rest = tuple(d for d in range(len(shape)) if d not in dims)
    order = (*_in_memory_order(strides, rest), *dims)
    if order != tuple(range(len(shape))) and 0 not in shape:
        stride, step = [0] * len(shape), 1
        for d in reversed(order):
            stride[d] = step
            step *= shape[d]
        result._storage.replace(result._storage.array, tuple(stride))
    return result


def c2c(input: Tensor, dims: Dims, normalization: int, forward: bool) -> Tensor:
    """The transform of complex numbers over dimensions."""
    strides = input.stride()
    result = _fft_c2c(input, dims, normalization, forward)
    return _lay(result, strides, _in_memory_order(strides, dims)) if dims else result


def r2c(input: Tensor, dims: Dims, normalization: int, onesided: bool) -> Tensor:
    """The transform of real numbers over dimensions, the last given by half if ``onesided``."""
    strides = input.stride()
    result = _fft_r2c(input, dims, normalization, onesided)
    return _lay(result, strides, (*_in_memory_order(strides, dims[:-1]), dims[-1]))


def c2r(input: Tensor, dims: Dims, normalization: int, last_dim_size: int) -> Tensor:
    """The inverse transform to real numbers over dimensions."""
    strides = input.stride()
    result = _fft_c2r(input, dims, normalization, last_dim_size)
    if len(dims) > 1:
        # The others are transformed first, into memory of their own.
        shape = dispatch.shape_of(input)
        rest = tuple(d for d in range(len(shape)) if d not in dims[:-1])
        order = (*_in_memory_order(strides, rest), *_in_memory_order(strides, dims[:-1]))
        made, step = [0] * len(shape), 1
        for d in reversed(order):
            made[d] = step
            step *= max(shape[d], 1)
        strides = tuple(made)
    return _lay(result, strides, dims[-1:])


# ---------------------------------------------------------------------------------------------------------------------
# Arguments


def as_float(input: Tensor, *, complex: bool) -> Tensor:
    """The input as floating point numbers, or complex ones if they are needed."""
    kind = input.dtype
    if not kind.is_floating_point and not kind.is_complex:
        kind = dtypes.get_default_dtype()
    check(kind.np not in HALF and (kind.is_complex or kind.np in FLOATS), f"Unsupported dtype {scalar_type(kind)}")
    if complex and not kind.is_complex:
        kind = dtypes.complex64 if kind is dtypes.float32 else dtypes.complex128
    return input if kind is input.dtype else input.to(kind)


def normalization_of(norm: str | None, forward: bool) -> int:
    """The scale that a name of ``norm`` means for a direction."""
    if norm == "ortho":
        return BY_ROOT
    check(norm in (None, "backward", "forward"), f'Invalid normalization mode: "{norm}"')
    return BY_SIZE if (norm == "forward") == forward else NONE


def check_length(n: int) -> None:
    """Refuse a transform of nothing."""
    check(n >= 1, f"Invalid number of data points ({n}) specified")


def one_dim(input: Tensor, dim: Any, function: str) -> int:
    """A dimension counted from the front."""
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"{function}(): argument 'dim' must be int, not {type(dim).__name__}")
    return wrap_dim(int(dim), len(dispatch.shape_of(input)), scalar=False)


def one_length(n: Any, function: str) -> int | None:
    """A length that is given."""
    if n is not None and (isinstance(n, bool) or not hasattr(n, "__index__")):
        raise TypeError(f"{function}(): argument 'n' must be int, not {type(n).__name__}")
    return None if n is None else int(n)


def many_dims(input: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], Dims]:
    """The lengths and dimensions of a transform over several; a length of -1 is that of the input."""
    shape = dispatch.shape_of(input)
    ndim = len(shape)
    dims = None
    if dim is not None:
        given = (dim,) if hasattr(dim, "__index__") else tuple(dim)
        dims = tuple(wrap_dim(int(d), ndim, scalar=False) for d in given)
        check(len(set(dims)) == len(dims), "FFT dims must be unique")
    if s is not None:
        lengths = (int(s),) if hasattr(s, "__index__") else tuple(int(n) for n in s)
        check(
            dims is None or len(dims) == len(lengths),
            "When given, dim and shape arguments must have the same length",
        )
        check(
            len(lengths) <= ndim,
            f"Got shape with {len(lengths)} values but input tensor only has {ndim} dimensions.",
        )
        if dims is None:
            dims = tuple(range(ndim - len(lengths), ndim))
        lengths = tuple(shape[d] if n == -1 else n for n, d in zip(lengths, dims, strict=True))
    else:
        if dims is None:
            dims = tuple(range(ndim))
        lengths = tuple(shape[d] for d in dims)
    for n in lengths:
        check_length(n)
    return lengths, dims


def resized(input: Tensor, dims: Dims, lengths: tuple[int, ...]) -> Tensor:
    """The input cut off, or continued with zeros, to the lengths of a transform."""
    shape = dispatch.shape_of(input)
    before = input
    longer: dict[int, int] = {}
    for d, n in zip(dims, lengths, strict=True):
        if n < shape[d]:
            before = before.narrow(d, 0, n)
        elif n > shape[d]:
            longer[d] = n - shape[d]
    if not longer:
        return before
    return _padded(before, tuple((0, longer.get(d, 0)) for d in range(len(shape))))


@op(method=False, node="ConstantPadNdBackward0")
def _padded(input: Array, widths: tuple[tuple[int, int], ...]) -> Array:
    """The input with zeros around it."""
    return jnp.pad(input, widths)
