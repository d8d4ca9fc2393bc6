"""Maximum and average pooling over windows."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core.errors import check
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.nn.functional import _halves as halves
from torchlike.nn.functional import _windows as windows
from torchlike.nn.functional._shared import expect_tensor
from torchlike.ops._checks import BARE, BOOL, COMPLEX, HALF, INTEGERS, is_in, refuse
from torchlike.ops._geometry import show

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
]

Tensor = Any
Ints = tuple[int, ...]

# Windows of more elements than this are summed by XLA's own reduction; smaller ones as shifted additions, which fuse.
_FEW = 64
_SMALL_INTEGERS = frozenset(np.dtype(d) for d in ("int8", "int16", "int32", "uint8"))


def _opmath(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def _lowest(dtype: Any) -> Any:
    return np.array(-np.inf, dtype) if jnp.issubdtype(dtype, jnp.floating) else np.array(np.iinfo(dtype).min, dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Checks


def _check_window(dims: int, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> None:
    letters = "THW"[3 - dims :]
    shown = " ".join(f"k{c}: {k}" for c, k in zip(letters, kernel, strict=True))
    check(all(k > 0 for k in kernel), f"kernel size should be greater than zero, but got {shown}")
    shown = " ".join(f"d{c}: {s}" for c, s in zip(letters, stride, strict=True))
    check(all(s > 0 for s in stride), f"stride should be greater than zero, but got {shown}")
    shown = " ".join(f"dilation{c}: {d}" for c, d in zip(letters, dilation, strict=True))
    check(all(d > 0 for d in dilation), f"dilation should be greater than zero, but got {shown}")
    check(all(p >= 0 for p in padding), "negative padding is not supported")
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        check(
            p <= (d * (k - 1) + 1) / 2,
            f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={d}",
        )


def _check_sizes(size: Ints, dims: int, out: Ints) -> None:
    body = size[1:] if len(size) == dims + 2 else size
    check(
        all(n > 0 for n in body),
        f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for input, but"
        f" got:{show(size)}",
    )
    channels = size[-dims - 1]
    given = "x".join(map(str, (channels, *size[-dims:])))
    found = "x".join(map(str, (channels, *out)))
    check(
        all(o >= 1 for o in out),
        f"Given input size: ({given}). Calculated output size: ({found}). Output size is too small",
    )


def _nonzero(stride: Ints) -> None:
    check(all(s != 0 for s in stride), "stride should not be zero")


def _strides(function: str, stride: Any, kernel: Ints) -> Ints:
    if stride is None or (isinstance(stride, tuple | list) and not stride):
        return kernel
    return windows.ints(function, "stride", stride, len(kernel))


# ---------------------------------------------------------------------------------------------------------------------
# Maxima


@op(method=False, out=False, node=lambda pattern, node, **_: node)
def _max_pool(
    input: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool, node: str
) -> tuple[Array, Array]:
    """The maxima over windows, and where each first one lies in the flattened spatial dimensions."""
    dims = len(kernel)
    size = input.shape[-dims:]
    out = tuple(
        windows.output_size(*args, ceil_mode) for args in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    _check_sizes(input.shape, dims, out)
    refuse("max_pool3d_with_indices_cpu" if dims == 3 else "max_pool2d", input, BOOL, BARE, COMPLEX)
    edges = windows.edges(size, out, kernel, stride, padding, dilation)
    lead = input.ndim - dims
    padded = jnp.pad(input, ((0, 0),) * lead + edges, constant_values=_lowest(input.dtype))
    best: Any = None
    index: Any = None
    for position in windows.positions(kernel):
        part = windows.strided(padded, position, out, stride, dilation)
        where = jnp.asarray(windows.flat_indices(size, position, out, stride, padding, dilation).astype(np.int32))
        if best is None:
            best, index = part, jnp.broadcast_to(where, part.shape)
            continue
        better = (part > best) | jnp.isnan(part) if jnp.issubdtype(part.dtype, jnp.floating) else part > best
        # The padding is no candidate, even where everything is -inf.
        best = jnp.where(better, part, best)
        index = jnp.where(better, where, index)
    return best, _inside(index, size, kernel, stride, padding, dilation, out).astype(jnp.int64)


def _inside(index: Array, size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> Array:
    """Where a window's first position is padding and nothing was larger (all -inf), the first real position instead."""
    if not any(padding):
        return index
    first = [
        np.maximum(0, -(-(np.maximum(p - np.arange(o) * s, 0)) // d))
        for p, o, s, d in zip(padding, out, stride, dilation, strict=True)
    ]
    step, start = math.prod(size), np.zeros(out, np.int64)
    for axis, (n, f, o, s, p, d) in enumerate(zip(size, first, out, stride, padding, dilation, strict=True)):
        step //= n
        along = (np.arange(o) * s - p + f * d) * step
        start = start + along.reshape([-1 if a == axis else 1 for a in range(len(out))])
    outside = np.zeros(out, bool)
    for axis, f in enumerate(first):
        outside = outside | (f > 0).reshape([-1 if a == axis else 1 for a in range(len(out))])
    initial = windows.flat_indices(size, (0,) * len(out), out, stride, padding, dilation)
    untouched = jnp.asarray(outside) & (index == jnp.asarray(initial.astype(np.int32)))
    return jnp.where(untouched, jnp.asarray(start.astype(np.int32)), index)


@defvjp(_max_pool)
def _(grad, inputs, outputs, kernel, stride, padding, dilation, ceil_mode, node):
    (input,) = inputs
    index = outputs[1].astype(jnp.int32)
    dims = len(kernel)
    size, out = input.shape[-dims:], index.shape[-dims:]
    edges = windows.edges(size, out, kernel, stride, padding, dilation)
    padded = tuple(n + a + b for n, (a, b) in zip(size, edges, strict=True))
    g = _opmath(grad[0])
    total = jnp.zeros((*input.shape[:-dims], *padded), g.dtype)
    # Backwards, since what comes last in a window comes from the first of the windows, with which PyTorch begins.
    for position in list(windows.positions(kernel))[::-1]:
        where = jnp.asarray(windows.flat_indices(size, position, out, stride, padding, dilation).astype(np.int32))
        part = windows.spread_back(jnp.where(index == where, g, 0), position, padded, stride, dilation)
        total = rounded(total + part, input.dtype)
    cut = tuple(slice(a, a + n) for n, (a, _) in zip(size, edges, strict=True))
    return (total[(..., *cut)],)


def _pool_max(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool = True,
) -> tuple[Tensor, Tensor]:
    name = f"max_pool{dims}d"
    expect_tensor(name, "self", 1, input)
    size = dispatch.shape_of(input)
    kernel = windows.ints(name, "kernel_size", kernel_size, dims)
    strides = _strides(name, stride, kernel)
    pads = windows.ints(name, "padding", padding, dims)
    dilations = windows.ints(name, "dilation", dilation, dims)
    if dims == 1:
        return _pool_max_1d(input, size, kernel, strides, pads, dilations, ceil_mode, return_indices)
    _nonzero(strides)
    _check_window(dims, kernel, strides, pads, dilations)
    if len(size) not in (dims + 1, dims + 2):
        raise RuntimeError(f"non-empty {dims + 1}D or {dims + 2}D (batch mode) tensor expected for input")
    node = f"MaxPool{dims}DWithIndicesBackward0"
    return _max_pool(input, kernel, strides, pads, dilations, bool(ceil_mode), node)


def _pool_max_1d(
    input: Tensor,
    size: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
    return_indices: bool,
) -> tuple[Tensor, Tensor]:
    (k,), (s,), (p,), (d,) = kernel, stride, padding, dilation
    check(
        len(size) in (2, 3) and all(size[-2:]),
        "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but"
        f" got:{show(size)}",
    )
    check(k > 0, f"max_pool1d() kernel_size must be greater than zero, but got {k}")
    check(s > 0, f"max_pool1d() stride must be greater than zero, but got {s}")
    check(p >= 0, f"max_pool1d() padding must be non-negative, but got {p}")
    check(
        p <= k / 2,
        f"max_pool1d() padding should be at most half of kernel size, but got padding={p} and kernel_size={k}",
    )
    check(d > 0, f"max_pool1d() dilation must be greater than zero, but got {d}")
    out = windows.output_size(size[-1], k, s, p, d, ceil_mode)
    check(out > 0, f"max_pool1d() Invalid computed output size: {out}")
    if not return_indices:
        refuse("max_pool1d_impl", dispatch.shaped(input), BOOL, INTEGERS, BARE)
    return _max_pool(input, kernel, stride, padding, dilation, bool(ceil_mode), "SqueezeBackward1")


@composite
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `max_pool1d`, and where they lie along the last dimension.

    >>> torch.nn.functional.max_pool1d_with_indices(torch.tensor([[1., 5., 3.]]), 3)[1]
    tensor([[1]])
    """
    return _pool_max(1, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite
def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `max_pool2d`, and where they lie in the last two dimensions, flattened.

    >>> torch.nn.functional.max_pool2d_with_indices(torch.tensor([[[1., 5.], [3., 4.]]]), 2)[1]
    tensor([[[1]]])
    """
    return _pool_max(2, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite
def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the maxima of `max_pool3d`, and where they lie in the last three dimensions, flattened.

    >>> torch.nn.functional.max_pool3d_with_indices(torch.ones(1, 2, 2, 2), 2)[1]
    tensor([[[[0]]]])
    """
    return _pool_max(3, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite
def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the maxima over windows of (n, c, l) or (c, l); with ``return_indices`` also where they lie.

    ``stride`` defaults to ``kernel_size``; with ``ceil_mode`` the last window may reach beyond the end.

    >>> torch.nn.functional.max_pool1d(torch.tensor([[1., 5., 3., 4.]]), 2)
    tensor([[5., 4.]])
    """
    both = _pool_max(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    return both if return_indices else both[0]


@composite
def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the maxima over windows of (n, c, h, w) or (c, h, w); with ``return_indices`` also where they lie.

    >>> torch.nn.functional.max_pool2d(torch.tensor([[[1., 5.], [3., 4.]]]), 2)
    tensor([[[5.]]])
    """
    both = _pool_max(2, input, kernel_size, stride, padding, dilation, ceil_mode)
    return both if return_indices else both[0]


@composite
def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the maxima over windows of (n, c, d, h, w) or (c, d, h, w); with ``return_indices`` also where they lie.

    >>> torch.nn.functional.max_pool3d(torch.ones(1, 2, 2, 2), 2)
    tensor([[[[1.]]]])
    """
    both = _pool_max(3, input, kernel_size, stride, padding, dilation, ceil_mode)
    return both if return_indices else both[0]


# ---------------------------------------------------------------------------------------------------------------------
# Averages


@op(method=False, node=lambda pattern, node, **_: node)
def _avg_pool(
    input: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
    node: str,
) -> Array:
    """The averages over windows."""
    dims = len(kernel)
    size = input.shape[-dims:]
    ones = (1,) * dims
    out = tuple(windows.output_size(*args, ceil_mode) for args in zip(size, kernel, stride, padding, ones, strict=True))
    _check_sizes(input.shape, dims, out)
    refuse("avg_pool3d_out_frame" if dims == 3 else "avg_pool2d", input, BOOL, BARE, COMPLEX, _SMALL_INTEGERS)
    x = _opmath(input)
    edges = windows.edges(size, out, kernel, stride, padding, ones)
    padded = jnp.pad(x, ((0, 0),) * (x.ndim - dims) + edges)
    total: Array
    if math.prod(kernel) <= _FEW:
        parts = [windows.strided(padded, p, out, stride, ones) for p in windows.positions(kernel)]
        total = sum(parts[1:], parts[0])
    else:
        lead = (1,) * (x.ndim - dims)
        total = lax.reduce_window(padded, np.zeros((), x.dtype), lax.add, (*lead, *kernel), (*lead, *stride), "valid")
        total = total[(..., *(slice(0, o) for o in out))]
    by = np.full(out, divisor) if divisor else windows.counts(size, out, kernel, stride, padding, count_include_pad)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return lax.div(total, jnp.broadcast_to(jnp.asarray(by.astype(x.dtype)), total.shape))
    return (total / jnp.asarray(by.astype(x.dtype))).astype(input.dtype)


@defvjp(_avg_pool)
def _(grad, inputs, outputs, kernel, stride, padding, ceil_mode, count_include_pad, divisor, node):
    (input,) = inputs
    if not (is_in(grad, HALF) and grad.size and input.size):
        body = _avg_pool.op.body
        like = jnp.zeros(input.shape, grad.dtype)
        return jax.vjp(lambda x: body(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor, node), like)[
            1
        ](grad)
    size, out = input.shape[-len(kernel) :], grad.shape[-len(kernel) :]
    by = np.full(out, divisor) if divisor else windows.counts(size, out, kernel, stride, padding, count_include_pad)
    g = rounded(_opmath(grad) / by.astype(np.float32), grad.dtype)
    axes = []
    for n, o, k, s, p in zip(size, out, kernel, stride, padding, strict=True):
        start, place = np.arange(o) * s - p, np.arange(n)
        axes.append(halves.ranges(np.searchsorted(start + k, place, "right"), np.searchsorted(start, place, "right")))
    return (halves.added_in_turn(g, axes, grad.dtype),)


def _pool_avg(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    out: Tensor | None = None,
) -> Tensor:
    name = f"avg_pool{dims}d"
    expect_tensor(name, "self", 1, input)
    size = dispatch.shape_of(input)
    kernel = windows.ints(name, "kernel_size", kernel_size, dims)
    strides = _strides(name, stride, kernel)
    pads = windows.ints(name, "padding", padding, dims)
    if dims == 1 and len(size) not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {len(size)}-dimensional tensor for argument #1 'self' (while"
            " checking arguments"
            " for avg_pool1d)"
        )
    _nonzero(strides)
    check(divisor_override is None or divisor_override != 0, "divisor must be not zero")
    if dims == 2 and len(size) < 3:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [-{len(size)}, {len(size) - 1}], but got -3)"
        )
    check(
        len(size) in (dims + 1, dims + 2),
        f"non-empty {dims + 1}D or {dims + 2}D (batch mode) tensor expected for input",
    )
    _check_window(dims, kernel, strides, pads, (1,) * dims)
    node = "SqueezeBackward1" if dims == 1 else f"AvgPool{dims}DBackward0"
    flags = (bool(ceil_mode), bool(count_include_pad), divisor_override, node)
    return _avg_pool(input, kernel, strides, pads, *flags, out=out)


@composite
def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the averages over windows of (n, c, l) or (c, l); ``stride`` defaults to ``kernel_size``.

    >>> torch.nn.functional.avg_pool1d(torch.tensor([[1., 5., 3., 4.]]), 2)
    tensor([[3.0000, 3.5000]])
    """
    return _pool_avg(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@composite
def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the averages over windows of (n, c, h, w) or (c, h, w).

    ``count_include_pad`` says whether the padding counts; ``divisor_override`` divides by another number.

    >>> torch.nn.functional.avg_pool2d(torch.tensor([[[1., 5.], [3., 4.]]]), 2)
    tensor([[[3.2500]]])
    """
    return _pool_avg(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out)


@composite
def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the averages over windows of (n, c, d, h, w) or (c, d, h, w).

    >>> torch.nn.functional.avg_pool3d(torch.ones(1, 2, 2, 2), 2)
    tensor([[[[1.]]]])
    """
    return _pool_avg(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out)


# ---------------------------------------------------------------------------------------------------------------------
# Power averages


def _finish_lp(pooled: Tensor, count: int, norm_type: float) -> Tensor:
    return (pooled.sign() * pooled.abs().relu()).mul(count).pow(1.0 / norm_type)


@composite
def lp_pool1d(input: Tensor, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """Return ``sum(x ** p) ** (1 / p)`` over windows of (n, c, l) or (c, l), p being ``norm_type``.

    >>> torch.nn.functional.lp_pool1d(torch.tensor([[3., 4.]]), 2, 2)
    tensor([[5.]])
    """
    pooled = avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _finish_lp(pooled, kernel_size, norm_type)


@composite
def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """Return ``sum(x ** p) ** (1 / p)`` over windows of (n, c, h, w) or (c, h, w), p being ``norm_type``.

    >>> torch.nn.functional.lp_pool2d(torch.ones(1, 2, 2), 2, 2)
    tensor([[[2.]]])
    """
    pooled = avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _finish_lp(pooled, math.prod(windows.ints("lp_pool2d", "kernel_size", kernel_size, 2)), norm_type)


@composite
def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """Return ``sum(x ** p) ** (1 / p)`` over windows of (n, c, d, h, w) or (c, d, h, w), p being ``norm_type``.

    >>> torch.nn.functional.lp_pool3d(torch.ones(1, 1, 2, 2), 2, (1, 2, 2))
    tensor([[[[2.]]]])
    """
    pooled = avg_pool3d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return _finish_lp(pooled, math.prod(windows.ints("lp_pool3d", "kernel_size", kernel_size, 3)), norm_type)
