"""Adaptive and fractional pooling, and the way back from indices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike import ops
from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.nn.functional import _halves as halves
from torchlike.nn.functional import _windows as windows
from torchlike.nn.functional._shared import expect_tensor, seen_on_host
from torchlike.ops._checks import BARE, BOOL, COMPLEX, HALF, INTEGERS, is_in, refuse, refuse_with
from torchlike.ops._geometry import show

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]

Tensor = Any
Ints = tuple[int, ...]


def _opmath(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def _wanted(function: str, output_size: Any, size: Ints, dims: int) -> Ints:
    """The output sizes asked for; None keeps that of the input."""
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * dims
    if dims == 1:
        check(len(given) == 1, f"{function}() argument 'output_size' should contain one int (got {len(given)})")
    elif "max" in function:
        check(len(given) == dims, f"{function}(): internal error: output_size.size() must be {dims}")
    check(len(given) == dims, f"{function}: output_size must be {dims}")
    return tuple(n if o is None else int(o) for o, n in zip(given, size[len(size) - dims :], strict=True))


def _check_dims(function: str, size: Ints, dims: int, colon: str) -> None:
    if dims == 1:
        check(
            len(size) in (2, 3),
            f"Expected 2 to 3 dimensions, but got {len(size)}-dimensional tensor for argument #1 'self' (while"
            " checking arguments"
            f" for {function})",
        )
    check(
        len(size) in (dims + 1, dims + 2),
        f"{function}(): Expected {dims + 1}D or {dims + 2}D tensor, but got{colon} {show(size)}",
    )
    # Averages over one and two dimensions may have no channels.
    first = 1 if colon or dims == 3 else len(size) - dims
    shown, moved = (size, 0) if colon or dims > 1 else ((*size[:-1], 1, size[-1]), 1)
    for axis in range(first, len(size)):
        check(
            size[axis] > 0,
            f"{function if colon or dims > 1 else 'adaptive_avg_pool2d'}(): Expected input to have non-zero size for"
            f" non-batch dimensions, but input has sizes {show(shown)} with dimension {axis + moved} being empty",
        )


def _check_given(output_size: Any, size: Ints, dims: int) -> None:
    """Refuse a list of sizes for as many dimensions as the input has, or more."""
    if dims > 1 and isinstance(output_size, tuple | list) and len(size) <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")


# ---------------------------------------------------------------------------------------------------------------------
# Averages


def _added(x: Array, axis: int, out: int) -> Array:
    """The sums over the bins of one axis."""
    n = x.shape[axis]
    if out and n % out == 0:
        return x.reshape((*x.shape[:axis], out, n // out, *x.shape[axis + 1 :])).sum(axis + 1)
    start, stop = windows.bins(n, out)
    place = np.arange(n)
    weights = (place >= start[:, None]) & (place < stop[:, None])
    product = jnp.tensordot(x, jnp.asarray(weights.astype(x.dtype)), ((axis,), (1,)), precision="highest")
    return jnp.moveaxis(product, -1, axis)


@op(method=False, node=lambda pattern, node, **_: node)
def _adaptive_avg_pool(input: Array, output_size: Ints, node: str) -> Array:
    dims = len(output_size)
    if node == "MeanBackward1":
        refuse_with(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype.",
            input,
            INTEGERS,
        )
    refuse(f"adaptive_avg_pool{max(dims, 2)}d{'_cpu' if dims == 3 else ''}", input, BOOL, INTEGERS, BARE, COMPLEX)
    if dims == 3 and node != "MeanBackward1" and is_in(input, HALF) and input.size and 0 not in output_size:
        return _averaged_in_halves(input, output_size)
    return _all_averaged(_opmath(input), output_size).astype(input.dtype)


def _all_averaged(x: Array, output_size: Ints) -> Array:
    sizes = x.shape[x.ndim - len(output_size) :]
    for axis, out in zip(range(x.ndim - len(output_size), x.ndim), output_size, strict=True):
        x = _added(x, axis, out)
    # XLA would multiply by reciprocals of what it sees constant, and so miss the last bit.
    return _divided(x, sizes, output_size, lambda x, count: x / lax.optimization_barrier(jnp.asarray(count)))


def _divided(x: Array, sizes: Ints, output_size: Ints, divide: Callable[[Array, Any], Array]) -> Array:
    """Numbers of all bins divided by how many elements these have, axis by axis."""
    for left, (n, out) in zip(range(len(sizes) - 1, -1, -1), zip(sizes, output_size, strict=True), strict=True):
        start, stop = windows.bins(n, out)
        x = divide(x, np.maximum(stop - start, 1).astype(x.dtype).reshape((-1,) + (1,) * left))
    return x


def _averaged_in_halves(input: Array, output_size: Ints) -> Array:
    """The averages of volumes of halves, which PyTorch adds up in halves."""
    sizes, kind = input.shape[-3:], input.dtype
    ranges = [halves.ranges(*windows.bins(n, out)) for n, out in zip(sizes, output_size, strict=True)]
    total = halves.added_in_turn(_opmath(input), ranges, kind)
    return _divided(total, sizes, output_size, lambda x, count: rounded(x / count, kind)).astype(kind)


@defvjp(_adaptive_avg_pool)
def _(grad, inputs, outputs, output_size, node):
    (input,) = inputs
    x, g, kind = _opmath(input), _opmath(grad), grad.dtype
    if node == "MeanBackward1" or not (is_in(grad, HALF) and grad.size and x.size):
        return jax.vjp(lambda x: _all_averaged(x, output_size), jnp.zeros_like(x))[1](g)
    sizes = x.shape[x.ndim - len(output_size) :]
    g = _divided(g, sizes, output_size, lambda x, count: rounded(x / count, kind))
    ranges = []
    for n, out in zip(sizes, output_size, strict=True):
        start, stop = windows.bins(n, out)
        place = np.arange(n)
        ranges.append(halves.ranges(np.searchsorted(stop, place, "right"), np.searchsorted(start, place, "right")))
    return (halves.added_in_turn(g, ranges, kind),)


def _pool_avg(dims: int, input: Tensor, output_size: Any) -> Tensor:
    name = f"adaptive_avg_pool{dims}d"
    expect_tensor(name, "self", 1, input)
    size = dispatch.shape_of(input)
    _check_given(output_size, size, dims)
    wanted = _wanted(name, output_size, size, dims) if len(size) > dims else (0,) * dims
    check(
        all(o >= 0 for o in wanted),
        f"{name}: elements of output_size must be greater than or equal to 0 but received"
        f" {{{', '.join(map(str, wanted))}}}",
    )
    _check_dims(name, size, dims, "")
    node = "SqueezeBackward1" if dims == 1 else f"AdaptiveAvgPool{dims}DBackward0"
    if dims > 1 and all(o == 1 for o in wanted):
        node = "MeanBackward1"
    return _adaptive_avg_pool(input, wanted, node)


@composite
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Return averages of (n, c, l) or (c, l) over ``output_size`` bins of nearly equal size.

    >>> torch.nn.functional.adaptive_avg_pool1d(torch.tensor([[1., 2., 3.]]), 2)
    tensor([[1.5000, 2.5000]])
    """
    return _pool_avg(1, input, output_size)


@composite
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Return averages of (n, c, h, w) or (c, h, w) over bins; a size of None keeps that of the input.

    >>> torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 3, 5), (1, None)).shape
    torch.Size([1, 1, 5])
    """
    return _pool_avg(2, input, output_size)


@composite
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Return averages of (n, c, d, h, w) or (c, d, h, w) over bins.

    >>> torch.nn.functional.adaptive_avg_pool3d(torch.ones(1, 3, 5, 2), 1)
    tensor([[[[1.]]]])
    """
    return _pool_avg(3, input, output_size)


# ---------------------------------------------------------------------------------------------------------------------
# Maxima


def _scattered(grad: Array, index: Array, shape: Ints, dims: int) -> Array:
    """Gradients added up where the flat indices of the last dimensions say."""
    lead = shape[: len(shape) - dims]
    rows, places = math.prod(lead), math.prod(shape[len(shape) - dims :])
    count = math.prod(index.shape[len(index.shape) - dims :])
    g = _opmath(grad).reshape((rows, count))
    at = index.reshape((rows, count))
    zeros = jnp.zeros((rows, places), g.dtype)
    return zeros.at[jnp.arange(rows)[:, None], at].add(g).reshape(shape)


@op(method=False, out=False, node=lambda pattern, node, **_: node)
def _adaptive_max_pool(input: Array, output_size: Ints, node: str) -> tuple[Array, Array]:
    """The maxima over bins, and where they lie in the flattened spatial dimensions."""
    dims = len(output_size)
    refuse(f"adaptive_max_pool{max(dims, 2)}d{'_cpu' if dims == 3 else ''}", input, BOOL, BARE, COMPLEX)
    lead = input.ndim - dims
    size = input.shape[lead:]
    if not (input.size and math.prod(output_size)):
        nothing = (*input.shape[:lead], *output_size)
        return jnp.zeros(nothing, input.dtype), jnp.zeros(nothing, jnp.int64)
    values = input
    flat = np.zeros((1,) * (2 * dims), np.int64)
    valid = np.ones((1,) * (2 * dims), bool)
    step = math.prod(size)
    for axis, (n, out) in enumerate(zip(size, output_size, strict=True)):
        step //= n
        start, stop = windows.bins(n, out)
        width = int((stop - start).max()) if out else 0
        place = start[:, None] + np.arange(width)
        inside = place < stop[:, None]
        place = np.minimum(place, n - 1)
        values = jnp.take(values, jnp.asarray(place.reshape(-1)), axis=lead + 2 * axis)
        values = values.reshape((*values.shape[: lead + 2 * axis], out, width, *values.shape[lead + 2 * axis + 1 :]))
        shape = [1] * (2 * dims)
        shape[2 * axis], shape[2 * axis + 1] = out, width
        flat = flat + (place * step).reshape(shape)
        valid = valid & inside.reshape(shape)
    # The positions within a bin go last, so that one argmax finds the first maximum.
    order = (*range(0, 2 * dims, 2), *range(1, 2 * dims, 2))
    values = values.transpose((*range(lead), *(lead + o for o in order)))
    shape_of_bins = np.broadcast_shapes(flat.shape, valid.shape)
    flat, valid = (np.broadcast_to(a, shape_of_bins).transpose(order) for a in (flat, valid))
    count = (*output_size, -1)
    values = values.reshape((*input.shape[:lead], *count))
    lowest = -np.inf if jnp.issubdtype(input.dtype, jnp.floating) else np.iinfo(input.dtype).min
    masked = jnp.where(jnp.asarray(valid.reshape(count)), values, jnp.asarray(lowest, input.dtype))
    chosen = jnp.argmax(masked, -1, keepdims=True)
    best = jnp.take_along_axis(masked, chosen, -1)[..., 0]
    where = jnp.broadcast_to(jnp.asarray(flat.reshape(count)), masked.shape)
    return best, jnp.take_along_axis(where, chosen, -1)[..., 0]


@defvjp(_adaptive_max_pool)
def _(grad, inputs, outputs, output_size, node):
    return (_scattered(grad[0], outputs[1], inputs[0].shape, len(output_size)),)


def _pool_max(dims: int, input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    name = f"adaptive_max_pool{dims}d"
    expect_tensor(name, "self", 1, input)
    size = dispatch.shape_of(input)
    _check_given(output_size, size, dims)
    _check_dims(name, size, dims, ":")
    wanted = _wanted(name, output_size, size, dims)
    negative = next((n for n in wanted if n < 0), None)
    outer = (*size[: len(size) - dims], *((1,) if dims == 1 else ()), *wanted)
    check(negative is None, f"Trying to create tensor with negative dimension {negative}: {show(outer)}")
    node = "SqueezeBackward1" if dims == 1 else f"AdaptiveMaxPool{dims}DBackward0"
    return _adaptive_max_pool(input, wanted, node)


@composite
def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `adaptive_max_pool1d`, and where they lie.

    >>> torch.nn.functional.adaptive_max_pool1d_with_indices(torch.tensor([[1., 3., 2.]]), 1)[1]
    tensor([[1]])
    """
    return _pool_max(1, input, output_size)


@composite
def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `adaptive_max_pool2d`, and where they lie in the last two dimensions, flattened.

    >>> torch.nn.functional.adaptive_max_pool2d_with_indices(torch.ones(1, 2, 2), 1)[1]
    tensor([[[0]]])
    """
    return _pool_max(2, input, output_size)


@composite
def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `adaptive_max_pool3d`, and where they lie in the last three dimensions, flattened.

    >>> torch.nn.functional.adaptive_max_pool3d_with_indices(torch.ones(1, 2, 2, 2), 1)[1]
    tensor([[[[0]]]])
    """
    return _pool_max(3, input, output_size)


@composite
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return maxima of (n, c, l) or (c, l) over ``output_size`` bins; with ``return_indices`` also where they lie.

    >>> torch.nn.functional.adaptive_max_pool1d(torch.tensor([[1., 3., 2.]]), 2)
    tensor([[3., 3.]])
    """
    both = _pool_max(1, input, output_size)
    return both if return_indices else both[0]


@composite
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return maxima of (n, c, h, w) or (c, h, w) over bins; with ``return_indices`` also where they lie.

    >>> torch.nn.functional.adaptive_max_pool2d(torch.ones(1, 3, 5), (1, None)).shape
    torch.Size([1, 1, 5])
    """
    both = _pool_max(2, input, output_size)
    return both if return_indices else both[0]


@composite
def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return maxima of (n, c, d, h, w) or (c, d, h, w) over bins; with ``return_indices`` also where they lie.

    >>> torch.nn.functional.adaptive_max_pool3d(torch.ones(1, 3, 5, 2), 1)
    tensor([[[[1.]]]])
    """
    both = _pool_max(3, input, output_size)
    return both if return_indices else both[0]


# ---------------------------------------------------------------------------------------------------------------------
# Fractional maxima


@op(method=False, out=False, node=lambda pattern, node, **_: node)
def _fractional_max_pool(
    input: Array, samples: Array, kernel: Ints, output_size: Ints, node: str
) -> tuple[Array, Array]:
    """The maxima over windows that start at random places, the same for no two channels."""
    dims = len(kernel)
    unbatched = input.ndim == dims + 1
    x = input[None] if unbatched else input
    size = x.shape[2:]
    if not (x.size and math.prod(output_size)):
        shape = (*input.shape[: input.ndim - dims], *output_size)
        return jnp.zeros(shape, input.dtype), jnp.zeros(shape, jnp.int64)
    # The samples stand for the last dimension first when there are two, for the first one first when there are three.
    columns = range(dims - 1, -1, -1) if dims == 2 else range(dims)
    values: Array = x
    index: Array = jnp.zeros((), jnp.int64)
    step = math.prod(size)
    for axis, (n, k, out, column) in enumerate(zip(size, kernel, output_size, columns, strict=True)):
        step //= n
        start = _starts(samples[..., column], n, out, k)
        place = start[..., None] + jnp.arange(k)  # (batch, channel, out, k)
        at = 2 + 2 * axis
        expanded = place.reshape((*place.shape[:2], *(1,) * (at - 2), out * k, *(1,) * (values.ndim - at - 1)))
        values = jnp.take_along_axis(values, expanded, at)
        values = values.reshape((*values.shape[:at], out, k, *values.shape[at + 1 :]))
        shape = (*place.shape[:2], *(1,) * (2 * axis), out, k, *(1,) * (2 * (dims - axis - 1)))
        index = index + (place * step).reshape(shape)
    order = (0, 1, *range(2, 2 + 2 * dims, 2), *range(3, 2 + 2 * dims, 2))
    count = (*x.shape[:2], *output_size, -1)
    index = jnp.broadcast_to(index, values.shape).transpose(order).reshape(count)
    values = values.transpose(order).reshape(count)
    chosen = jnp.argmax(values, -1, keepdims=True)
    best = jnp.take_along_axis(values, chosen, -1)[..., 0]
    where = jnp.take_along_axis(index, chosen, -1)[..., 0].astype(jnp.int64)
    return (best[0], where[0]) if unbatched else (best, where)


def _starts(sample: Array, n: int, out: int, k: int) -> Array:
    """Where the windows along a dimension start, for every batch and channel."""
    if out == 1:
        return jnp.full((*sample.shape, 1), n - k, jnp.int64)
    alpha = jnp.asarray(n - k, sample.dtype) / jnp.asarray(out - 1, sample.dtype)
    i = jnp.arange(out).astype(sample.dtype)
    start = ((i + sample[..., None]) * alpha).astype(jnp.int64) - (sample[..., None] * alpha).astype(jnp.int64)
    return start.at[..., -1].set(n - k)


@defvjp(_fractional_max_pool)
def _(grad, inputs, outputs, kernel, output_size, node):
    return _scattered(grad[0], outputs[1], inputs[0].shape, len(kernel)), None


def _pool_fractional(
    dims: int, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Tensor | None
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    size = dispatch.shape_of(input)
    kernel = windows.ints(name, "kernel_size", kernel_size, dims)
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, tuple | list) else (output_ratio,) * dims
        if len(ratios) != dims:
            raise ValueError(f"{name} requires output_ratio to either be a single Int or tuple of Ints.")
        wanted = tuple(int(n * r) for n, r in zip(size[-dims:], ratios, strict=True))
    else:
        wanted = windows.ints(name, "output_size", output_size, dims)
    check(
        len(size) in (dims + 1, dims + 2),
        f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got: {show(size)}",
    )
    for axis in range(len(size) - dims - 1, len(size)):
        check(
            size[axis] > 0,
            f"{name}{'_out' if dims == 3 else ''}(): Expected input to have non-zero size for non-batch dimensions, but"
            f" got{show(size)} with dimension {axis} being empty.",
        )
    letters = {2: ("height", "width"), 3: ("time", "height", "width")}[dims]
    for letter, o, k, n in zip(letters, wanted, kernel, size[-dims:], strict=True):
        check(
            o + k - 1 < n if dims == 3 else o + k - 1 <= n,
            f"{name}{'_out' if dims == 3 else ''}(): pool {letter} {k} too large relative to input {letter} {n}",
        )
    if samples is None:
        batch = 1 if len(size) == dims + 1 else size[0]
        channels = size[-dims - 1]
        samples = ops.rand(batch, channels, dims, dtype=input.dtype, device=input.device)
    return _fractional_max_pool(input, samples, kernel, wanted, f"FractionalMaxPool{dims}DBackward0")


@composite
def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `fractional_max_pool2d`, and where they lie in the last two dimensions, flattened.

    >>> torch.nn.functional.fractional_max_pool2d_with_indices(torch.ones(1, 4, 4), 2, output_size=2)[0].shape
    torch.Size([1, 2, 2])
    """
    return _pool_fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)


@composite
def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `fractional_max_pool3d`, and where they lie in the last three dimensions, flattened.

    >>> torch.nn.functional.fractional_max_pool3d_with_indices(torch.ones(1, 4, 4, 4), 2, output_size=2)[0].shape
    torch.Size([1, 2, 2, 2])
    """
    return _pool_fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)


@composite
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return maxima over windows at random places, ``output_size`` of them or that ratio of (n, c, h, w) or (c, h, w).

    >>> torch.nn.functional.fractional_max_pool2d(torch.ones(1, 4, 4), 2, output_ratio=(0.5, 0.5)).shape
    torch.Size([1, 2, 2])
    """
    both = _pool_fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return both if return_indices else both[0]


@composite
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return maxima over windows at random places of (n, c, d, h, w) or (c, d, h, w).

    >>> torch.nn.functional.fractional_max_pool3d(torch.ones(1, 4, 4, 4), 2, output_size=2).shape
    torch.Size([1, 2, 2, 2])
    """
    both = _pool_fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return both if return_indices else both[0]


# ---------------------------------------------------------------------------------------------------------------------
# The way back


@op(method=False, out=False, node=lambda pattern, node, **_: node)
def _max_unpool(input: Array, indices: Array, output_size: Ints, node: str) -> Array:
    """Zeros, with the input's elements where the indices say."""
    refuse("max_unpool2d" if len(output_size) < 3 else "max_unpool3d", input, BOOL, BARE, COMPLEX)
    lead = input.shape[: input.ndim - len(output_size)]
    rows, places = math.prod(lead), math.prod(output_size)
    zeros = jnp.zeros((rows, places), input.dtype)
    count = math.prod(input.shape[len(lead) :])
    at = indices.reshape((rows, count))
    filled = zeros.at[jnp.arange(rows)[:, None], at].set(input.reshape((rows, count)), mode="drop")
    return filled.reshape((*lead, *output_size))


@defvjp(_max_unpool)
def _(grad, inputs, outputs, output_size, node):
    input, indices = inputs
    lead = input.shape[: input.ndim - len(output_size)]
    rows, count = math.prod(lead), math.prod(input.shape[len(lead) :])
    flat = grad.reshape((rows, math.prod(output_size)))
    return jnp.take_along_axis(flat, indices.reshape((rows, count)), 1).reshape(input.shape), None


def _unpool(
    dims: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    name = f"max_unpool{dims}d"
    kernel = windows.ints(name, "kernel_size", kernel_size, dims)
    strides = kernel if stride is None else windows.ints(name, "stride", stride, dims)
    pads = windows.ints(name, "padding", padding, dims)
    size = dispatch.shape_of(input)
    default = tuple((n - 1) * s + k - 2 * p for n, s, k, p in zip(size[-dims:], strides, kernel, pads, strict=True))
    out = default
    if output_size is not None:
        given = tuple(output_size)
        if len(given) == dims + 2:
            given = given[2:]
        if len(given) != dims:
            raise ValueError(
                f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a length of"
                f" '{len(given)}'"
            )
        for d, (o, n, s) in enumerate(zip(given, default, strides, strict=True)):
            if not n - s < o < n + s:
                raise ValueError(f'invalid output_size "{output_size}" (dim {d} must be between {n - s} and {n + s})')
        out = given
    kind = dispatch.geometry_of(indices).dtype
    check(kind.name == "int64", f"elements in indices should be type int64 but got: {scalar_type(kind)}")
    check(
        dispatch.shape_of(indices) == size,
        f"Expected shape of indices to be same as that of the input tensor ({show(size)}) but got indices tensor with"
        " shape:"
        f" {show(dispatch.shape_of(indices))}",
    )
    _check_places(indices, out)
    node = "SqueezeBackward1" if dims == 1 else f"MaxUnpool{dims}DBackward0"
    return _max_unpool(input, indices, out, node)


def _check_places(indices: Tensor, out: Ints) -> None:
    host = seen_on_host(indices)
    if host is None:
        return
    bad = host[(host < 0) | (host >= math.prod(out))]
    if bad.size:
        shown = "x".join(map(str, (1, *out) if len(out) == 1 else out))
        raise RuntimeError(f"Found an invalid max index: {int(bad[-1])} (output volumes are of size {shown})")


@composite
def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Put the maxima of `max_pool1d` back where they were, zeros elsewhere.

    >>> torch.nn.functional.max_unpool1d(torch.tensor([[5., 4.]]), torch.tensor([[1, 3]]), 2)
    tensor([[0., 5., 0., 4.]])
    """
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


@composite
def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Put the maxima of `max_pool2d` back where they were, zeros elsewhere; raises for indices that do not fit.

    >>> torch.nn.functional.max_unpool2d(torch.tensor([[[5.]]]), torch.tensor([[[1]]]), 2)
    tensor([[[0., 5.],
             [0., 0.]]])
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


@composite
def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Put the maxima of `max_pool3d` back where they were, zeros elsewhere.

    >>> torch.nn.functional.max_unpool3d(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1, dtype=torch.long), 2).sum()
    tensor(1.)
    """
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
