"""The forms in which convolutions run well on XLA's CPU backend.

Measured on one thread against ``lax.conv_general_dilated``: a depthwise 3x3 as shifted multiply-adds takes a fortieth
of the time; a 1x1 as a batched product a half to a quarter; a grouped one as columns and a product a half to a fifth,
and its weights' gradient as a product a position a fortieth; a 3-d convolution as a 2-d one, the depth of the kernel
among the channels, a fifth forward and a tenth backward. Ordinary 2-d convolutions are best as XLA has them: neither
channels-last nor columns and a product were faster.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

Array = Any
Ints = tuple[int, ...]
Edges = tuple[tuple[int, int], ...]

# Kernels up to this many elements are shifted multiply-adds, where each output channel reads one input channel.
_FEW = 50


def opmath(x: Array) -> Array:
    """The array in the dtype that sums are made in."""
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def output_size(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    """How many positions a kernel has along each dimension."""
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def _spatial(dims: int) -> tuple[str, str, str]:
    letters = "DHW"[3 - dims :]
    return "NC" + letters, "OI" + letters, "NC" + letters


def convolve(x: Array, w: Array, stride: Ints, padding: Edges, dilation: Ints, groups: int) -> Array:
    """The convolution of (n, c, ...) with (o, c / groups, ...), in whichever form XLA runs best."""
    kernel = w.shape[2:]
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return _by_shifts(x, w, stride, padding, dilation, groups)
    if set(kernel) == {1} and w.shape[1] > 1 and not any(sum(padding, ())):
        return _pointwise(x, w, stride, groups)
    if w.shape[1] == 1 and math.prod(kernel) <= _FEW:
        return _by_shifts(x, w, stride, padding, dilation, groups)
    if len(kernel) == 3:
        return _in_planes(x, w, stride, padding, dilation, groups)
    if groups > 1:
        return _by_columns(x, w, stride, padding, dilation, groups)
    return lax.conv_general_dilated(
        x,
        w,
        stride,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=_spatial(len(kernel)),
        feature_group_count=groups,
        precision=lax.Precision.HIGHEST,
    )


def _pointwise(x: Array, w: Array, stride: Ints, groups: int) -> Array:
    """A kernel of one element: one product of matrices for every example and group."""
    x = x[(slice(None), slice(None), *(slice(None, None, s) for s in stride))]
    batch, channels, *size = x.shape
    columns = x.reshape((batch, groups, channels // groups, math.prod(size)))
    weights = w.reshape((1, groups, w.shape[0] // groups, w.shape[1]))
    weights = jnp.broadcast_to(weights, (batch, *weights.shape[1:]))
    return jnp.matmul(weights, columns, precision=lax.Precision.HIGHEST).reshape((batch, w.shape[0], *size))


def _in_planes(x: Array, w: Array, stride: Ints, padding: Edges, dilation: Ints, groups: int) -> Array:
    """A 3-d convolution as a 2-d one: the planes that a kernel reads are channels."""
    x = jnp.pad(x, ((0, 0), (0, 0), padding[0], (0, 0), (0, 0)))
    batch, channels, depth, *plane = x.shape
    count = (depth - dilation[0] * (w.shape[2] - 1) - 1) // stride[0] + 1
    planes = [
        lax.slice_in_dim(x, k * dilation[0], k * dilation[0] + (count - 1) * stride[0] + 1, stride[0], 2)
        for k in range(w.shape[2])
    ]
    wide = jnp.stack(planes, 2).transpose((0, 3, 1, 2, 4, 5))
    wide = wide.reshape((batch * count, channels * w.shape[2], *plane))
    flat = w.reshape((w.shape[0], w.shape[1] * w.shape[2], *w.shape[3:]))
    result = convolve(wide, flat, stride[1:], padding[1:], dilation[1:], groups)
    return result.reshape((batch, count, w.shape[0], *result.shape[2:])).swapaxes(1, 2)


def _windows(size: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> Any:
    """For every position in a kernel: the position, and the slices of what lies under it of a padded input."""
    out = output_size(size, kernel, stride, (0,) * len(kernel), dilation)
    for position in itertools.product(*map(range, kernel)):
        yield (
            position,
            tuple(
                slice(p * d, p * d + (n - 1) * s + 1, s)
                for p, d, n, s in zip(position, dilation, out, stride, strict=True)
            ),
        )


def _by_shifts(x: Array, w: Array, stride: Ints, padding: Edges, dilation: Ints, groups: int) -> Array:
    """The convolution as a sum over the kernel's positions of shifted inputs times weights."""
    kernel = w.shape[2:]
    x = jnp.pad(x, ((0, 0), (0, 0), *padding))
    batch, channels = x.shape[:2]
    grouped = x.reshape((batch, groups, channels // groups, *x.shape[2:]))
    weights = w.reshape((groups, w.shape[0] // groups, *w.shape[1:]))
    total: Array | None = None
    for position, window in _windows(x.shape[2:], kernel, stride, dilation):
        part = grouped[(slice(None), slice(None), slice(None), *window)]
        factor = weights[(slice(None), slice(None), slice(None), *position)]
        if channels == groups:  # one input channel each: a product that fuses with the sum
            term = part * factor.reshape((1, groups, -1, *(1,) * len(kernel)))
        else:
            term = jnp.einsum("ngi...,goi->ngo...", part, factor, precision=lax.Precision.HIGHEST)
        total = term if total is None else total + term
    shape = (batch, w.shape[0], *output_size(x.shape[2:], kernel, stride, (0,) * len(kernel), dilation))
    return jnp.zeros(shape, x.dtype) if total is None else total.reshape(shape)


def _by_columns(x: Array, w: Array, stride: Ints, padding: Edges, dilation: Ints, groups: int) -> Array:
    """The convolution as one product of matrices for every example and group."""
    x = jnp.pad(x, ((0, 0), (0, 0), *padding))
    batch, channels = x.shape[:2]
    kernel = w.shape[2:]
    out = output_size(x.shape[2:], kernel, stride, (0,) * len(kernel), dilation)
    parts = [x[(slice(None), slice(None), *window)] for _, window in _windows(x.shape[2:], kernel, stride, dilation)]
    rows = channels // groups * len(parts)
    columns = jnp.stack(parts, 2).reshape((batch, groups, rows, math.prod(out)))
    weights = jnp.broadcast_to(
        w.reshape((1, groups, w.shape[0] // groups, rows)), (batch, groups, w.shape[0] // groups, rows)
    )
    return jnp.matmul(weights, columns, precision=lax.Precision.HIGHEST).reshape((batch, w.shape[0], *out))


def weight_gradient(
    x: Array, g: Array, kernel: Ints, stride: Ints, padding: Edges, dilation: Ints, groups: int
) -> Array:
    """The gradient by the weights of a convolution of ``x`` for gradients ``g`` of its result."""
    x = jnp.pad(x, ((0, 0), (0, 0), *padding))
    batch, channels = x.shape[:2]
    grouped = x.reshape((batch, groups, channels // groups, *x.shape[2:]))
    # Padding that nothing was read from may leave room for more positions than there were.
    size = g.shape[2:]
    used = tuple(d * (k - 1) + (n - 1) * s + 1 for d, k, n, s in zip(dilation, kernel, size, stride, strict=True))
    g = g.reshape((batch, groups, g.shape[1] // groups, *size))
    spatial = tuple(range(3, g.ndim))
    if channels == groups and set(stride) == {1}:
        # One position after the other: all at once, XLA would first make a shifted copy for each.
        positions = np.array(list(itertools.product(*map(range, kernel)))) * np.array(dilation)

        def at(start: Array) -> Array:
            part = lax.dynamic_slice(grouped, (0, 0, 0, *start), (*grouped.shape[:3], *size))
            return jnp.sum(part * g, (0, *spatial))

        found = lax.map(at, jnp.asarray(positions))  # (positions, groups, outputs a group)
        return jnp.moveaxis(found, 0, -1).reshape((groups * g.shape[2], 1, *kernel))
    parts = []
    for _, window in _windows(used, kernel, stride, dilation):
        part = grouped[(slice(None), slice(None), slice(None), *window)]
        if channels == groups:  # sums in two steps: over everything at once they take longer
            parts.append(jnp.sum(jnp.sum(part * g, spatial), 0)[:, :, None])
        else:
            parts.append(jnp.einsum("ngi...,ngo...->goi", part, g, precision=lax.Precision.HIGHEST))
    return jnp.stack(parts, -1).reshape((groups * g.shape[2], channels // groups, *kernel))


def transpose_convolve(
    x: Array, w: Array, stride: Ints, padding: Ints, output_padding: Ints, groups: int, dilation: Ints
) -> Array:
    """The transpose of a convolution, of (n, c, ...) with (c, o / groups, ...)."""
    if len(stride) == 3 and jnp.issubdtype(x.dtype, jnp.floating):
        return _transpose_in_planes(x, w, stride, padding, output_padding, groups, dilation)
    edges = tuple(
        (d * (k - 1) - p, d * (k - 1) - p + o)
        for d, k, p, o in zip(dilation, w.shape[2:], padding, output_padding, strict=True)
    )
    return _transposed(x, w, stride, edges, dilation, groups)


def depthwise_input_gradient(
    g: Array, w: Array, size: Ints, stride: Ints, padding: Edges, dilation: Ints, groups: int
) -> Array:
    """The gradient by an input of a spatial size of a convolution where each kernel reads one channel."""
    edges = []
    for n, k, m, s, d, (a, b) in zip(size, w.shape[2:], g.shape[2:], stride, dilation, padding, strict=True):
        left = n + a + b - ((m - 1) * s + d * (k - 1) + 1)
        edges.append((d * (k - 1) - a, d * (k - 1) - b + left))
    return _transposed(g, w, stride, tuple(edges), dilation, groups)


def is_depthwise(w: Array, groups: int) -> bool:
    """Whether each kernel reads one channel, and is small enough for shifted multiply-adds."""
    return bool(groups > 1 and w.shape[1] == 1 and math.prod(w.shape[2:]) <= _FEW)


def _transposed(x: Array, w: Array, stride: Ints, edges: Edges, dilation: Ints, groups: int) -> Array:
    """As a convolution: zeros between the inputs, the kernel turned around, its channels exchanged group by group."""
    dims, kernel = len(stride), w.shape[2:]
    turned = jnp.flip(w, tuple(range(2, w.ndim)))
    turned = turned.reshape((groups, w.shape[0] // groups, *w.shape[1:])).swapaxes(1, 2)
    turned = turned.reshape((w.shape[1] * groups, w.shape[0] // groups, *kernel))
    if not jnp.issubdtype(x.dtype, jnp.floating) or is_depthwise(turned, groups):
        spread = ((0, 0, 0), (0, 0, 0), *((a, b, s - 1) for (a, b), s in zip(edges, stride, strict=True)))
        wide = lax.pad(x, jnp.zeros((), x.dtype), spread)
        return _by_shifts(wide, turned, (1,) * dims, ((0, 0),) * dims, dilation, groups)
    return lax.conv_general_dilated(
        x,
        turned,
        (1,) * dims,
        edges,
        lhs_dilation=stride,
        rhs_dilation=dilation,
        dimension_numbers=_spatial(dims),
        feature_group_count=groups,
        precision=lax.Precision.HIGHEST,
    )


def _transpose_in_planes(
    x: Array, w: Array, stride: Ints, padding: Ints, output_padding: Ints, groups: int, dilation: Ints
) -> Array:
    """A 3-d transposed convolution as a sum of 2-d ones, one for every plane of the kernel."""
    batch, channels, depth, *plane = x.shape
    flat = x.swapaxes(1, 2).reshape((batch * depth, channels, *plane))
    reach = (depth - 1) * stride[0] + 1
    length = reach + dilation[0] * (w.shape[2] - 1) + max(output_padding[0], 0)
    total: Any = None
    for k in range(w.shape[2]):
        part = transpose_convolve(flat, w[:, :, k], stride[1:], padding[1:], output_padding[1:], groups, dilation[1:])
        part = part.reshape((batch, depth, *part.shape[1:]))
        start = k * dilation[0]
        along = [(0, 0, 0), (start, length - start - reach, stride[0] - 1)] + [(0, 0, 0)] * (part.ndim - 2)
        part = lax.pad(part, jnp.zeros((), part.dtype), along)
        total = part if total is None else total + part
    return lax.slice_in_dim(total, padding[0], length - padding[0], axis=1).swapaxes(1, 2)
