"""Convolutions and transposed convolutions over one, two and three dimensions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.nn.functional import _lowering as lowering
from torchlike.nn.functional._lowering import opmath as _opmath
from torchlike.nn.functional._shared import expect_tensor
from torchlike.ops._checks import BARE, BOOL, refuse
from torchlike.ops._geometry import show
from torchlike.ops.matmul import cpp_name

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]

Tensor = Any
Ints = tuple[int, ...]

_NARROW = frozenset(np.dtype(d) for d in ("uint8", "int8", "int16", "int32"))


# ---------------------------------------------------------------------------------------------------------------------
# Checks


def _ints(value: Any, count: int, name: str) -> Ints:
    """A single int or a list of them as one int a dimension."""
    found = (value,) if isinstance(value, int) else tuple(int(v) for v in value)
    if len(found) == 1:
        found = found * count
    check(
        len(found) == count,
        f"expected {name} to be a single integer value or a list of {count} values to match the convolution"
        " dimensions, but got"
        f" {name}={show(found)}",
    )
    return found


def _check_input(function: str, size: Ints, dims: int) -> None:
    check(
        len(size) in (dims + 1, dims + 2),
        f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {function}, but got input of size:"
        f" {show(size)}",
    )


def _check_numbers(stride: Ints, padding: Ints, dilation: Ints, groups: int, output_padding: Ints = ()) -> None:
    check(all(p >= 0 for p in padding), "negative padding is not supported")
    check(all(p >= 0 for p in output_padding), "negative output_padding is not supported")
    check(all(s > 0 for s in stride), "non-positive stride is not supported")
    check(all(d > 0 for d in dilation), f"dilation should be greater than zero, but got {show(dilation)}")
    check(groups > 0, "non-positive groups is not supported")


def _check_weight(input: Array, weight: Array, groups: int) -> None:
    size = show(weight.shape)
    check(
        weight.ndim == input.ndim,
        f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight {size}, but got"
        f" {input.ndim}-dimensional"
        f" input of size {show(input.shape)} instead",
    )
    check(
        weight.shape[0] >= groups,
        f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size"
        f" {size} instead",
    )
    check(
        weight.shape[0] % groups == 0,
        f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size"
        f" [{size}]"
        " instead",
    )


def _check_dtypes(input: Array, weight: Array, bias: Array | None) -> None:
    check(
        input.dtype == weight.dtype,
        f"expected scalar type {scalar_type(input.dtype)} but found {scalar_type(weight.dtype)}",
    )
    check(
        bias is None or bias.dtype == input.dtype,
        f"Input type ({cpp_name(input.dtype)}) and bias type"
        f" ({cpp_name(input.dtype if bias is None else bias.dtype)}) should be"
        " the same",
    )


def _check_bias(bias: Array | None, channels: int, start: str, size: str) -> None:
    check(
        bias is None or bias.shape == (channels,),
        f"Given {start}weight of size {size}, expected bias to be 1-dimensional with {channels} elements, but got"
        " bias of size"
        f" {show(() if bias is None else bias.shape)} instead",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Operators


@op(method=False, node=lambda pattern, node, **_: node)
def _convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: tuple[tuple[int, int], ...],
    dilation: Ints,
    groups: int,
    node: str,
) -> Array:
    """A convolution of (n, c, ...) or (c, ...)."""
    unbatched = input.ndim == len(stride) + 1
    x = input[None] if unbatched else input
    _check_weight(x, weight, groups)
    size = show(weight.shape)
    check(
        x.shape[1] == weight.shape[1] * groups,
        f"Given groups={groups}, weight of size {size}, expected input{show(x.shape)} to have"
        f" {weight.shape[1] * groups}"
        f" channels, but got {x.shape[1]} channels instead",
    )
    _check_bias(bias, weight.shape[0], "", size)
    padded = tuple(n + a + b for n, (a, b) in zip(x.shape[2:], padding, strict=True))
    kernel = tuple(d * (k - 1) + 1 for k, d in zip(weight.shape[2:], dilation, strict=True))
    check(
        all(n >= k for n, k in zip(padded, kernel, strict=True)),
        f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size:"
        f" ({' x '.join(map(str, kernel))}). Kernel size can't be greater than actual input size",
    )
    _check_dtypes(x, weight, bias)
    if x.size:
        if any(d > 1 for d in dilation):
            refuse("slow_conv_dilated<>", x, BOOL, BARE, _NARROW)
        refuse(f"slow_conv{'3d' if len(stride) == 3 else '2d'}_cpu", x, BOOL, BARE)
    if x.size and weight.size:
        result = lowering.convolve(_opmath(x), _opmath(weight), stride, padding, dilation, groups)
    else:
        out = lowering.output_size(padded, weight.shape[2:], stride, (0,) * len(stride), dilation)
        empty = x.shape[1] == 0
        result = jnp.zeros((x.shape[0], 0 if empty else weight.shape[0], *out), _opmath(x).dtype)
    if bias is not None and result.shape[1] == bias.shape[0]:
        result = result + _opmath(bias).reshape((-1,) + (1,) * len(stride))
    return (result[0] if unbatched else result).astype(input.dtype)


@op(method=False, node=lambda pattern, node, **_: node)
def _transposed_convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
    node: str,
) -> Array:
    """The transpose of a convolution, of (n, c, ...) or (c, ...); the weight is (c, o / groups, ...)."""
    dims = len(stride)
    unbatched = input.ndim == dims + 1
    x = input[None] if unbatched else input
    _check_weight(x, weight, groups)
    size = show(weight.shape)
    check(
        x.shape[1] == weight.shape[0],
        f"Given transposed=1, weight of size {size}, expected input{show(x.shape)} to have {weight.shape[0]}"
        " channels, but got"
        f" {x.shape[1]} channels instead",
    )
    _check_bias(bias, weight.shape[1] * groups, "transposed=1, ", size)
    _check_dtypes(x, weight, bias)
    kernel = weight.shape[2:]
    out = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + o + 1
        for n, s, p, d, k, o in zip(x.shape[2:], stride, padding, dilation, kernel, output_padding, strict=True)
    )
    per_channel = " x ".join(map(str, x.shape[2:]))
    check(
        all(n > 0 for n in out),
        f"Given input size per channel: ({per_channel}). Calculated output size per channel:"
        f" ({' x '.join(map(str, out))}). Output size is too small",
    )
    _check_output_padding(output_padding, stride, dilation)
    refuse(f"slow_conv_transpose{'3d' if dims == 3 else '2d'}_out_cpu", x, BOOL, BARE, _NARROW)
    x_, w = _opmath(x), _opmath(weight)
    channels = w.shape[1] * groups
    if not (x_.size and w.size):
        result = jnp.zeros((x.shape[0], channels, *out), x_.dtype)
    else:
        result = lowering.transpose_convolve(x_, w, stride, padding, output_padding, groups, dilation)
    if bias is not None:
        result = result + _opmath(bias).reshape((-1,) + (1,) * dims)
    return (result[0] if unbatched else result).astype(input.dtype)


@defvjp(_convolution)
def _(grad, inputs, outputs, stride, padding, dilation, groups, node):
    input, weight, bias = inputs
    dims = len(stride)
    unbatched = input.ndim == dims + 1
    x, g = _opmath(input[None] if unbatched else input), _opmath(grad[None] if unbatched else grad)
    w = _opmath(weight)
    by_bias = None if bias is None else _bias_gradient(g, bias)
    if not (x.size and w.size and g.size):
        return jnp.zeros_like(input), jnp.zeros_like(weight), by_bias
    if lowering.is_depthwise(w, groups) and w.shape[0] == groups:
        by_input = lowering.depthwise_input_gradient(g, w, x.shape[2:], stride, padding, dilation, groups)
    else:
        by_input = jax.vjp(lambda a: lowering.convolve(a, w, stride, padding, dilation, groups), x)[1](g)[0]
    if groups > 1:
        by_weight = lowering.weight_gradient(x, g, w.shape[2:], stride, padding, dilation, groups)
    else:
        by_weight = jax.vjp(lambda b: lowering.convolve(x, b, stride, padding, dilation, groups), w)[1](g)[0]
    return by_input.reshape(input.shape).astype(input.dtype), by_weight.astype(weight.dtype), by_bias


def _bias_gradient(g: Array, bias: Array) -> Array:
    return jnp.sum(g, (0, *range(2, g.ndim))).astype(bias.dtype) if g.shape[1] == bias.size else jnp.zeros_like(bias)


@defvjp(_transposed_convolution)
def _(grad, inputs, outputs, stride, padding, output_padding, groups, dilation, node):
    input, weight, bias = inputs
    dims = len(stride)
    unbatched = input.ndim == dims + 1
    x, g = _opmath(input[None] if unbatched else input), _opmath(grad[None] if unbatched else grad)
    w = _opmath(weight)
    by_bias = None if bias is None else _bias_gradient(g, bias)
    if not (x.size and w.size):
        return jnp.zeros_like(input), jnp.zeros_like(weight), by_bias
    # The transpose of a transposed convolution is the convolution; where it fits once more, that is cut off.
    edges = tuple((p, p) for p in padding)
    by_input = lowering.convolve(g, w, stride, edges, dilation, groups)
    by_input = by_input[(slice(None), slice(None), *(slice(0, n) for n in x.shape[2:]))]
    by_weight = lowering.weight_gradient(g, x, w.shape[2:], stride, edges, dilation, groups)
    return by_input.reshape(input.shape).astype(input.dtype), by_weight.astype(weight.dtype), by_bias


def _check_output_padding(output_padding: Ints, stride: Ints, dilation: Ints) -> None:
    names = ("depth", "height", "width")[3 - max(len(stride), 2) :]
    # One dimension is treated as two.
    lists = [((0, *output_padding), "output_padding"), ((1, *stride), "stride"), ((1, *dilation), "dilation")]
    if len(stride) > 1:
        lists = [(values[1:], name) for values, name in lists]
    fits = all(o < s or o < d for o, s, d in zip(*(values for values, _ in lists), strict=True))
    shown = " ".join(f"{name}_{n}: {v}" for values, name in lists for n, v in zip(names, values, strict=True))
    check(fits, f"output padding must be smaller than either stride or dilation, but got {shown}")


# ---------------------------------------------------------------------------------------------------------------------
# Public functions


def _conv(
    function: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    expect_tensor(function, "input", 1, input)
    expect_tensor(function, "weight", 2, weight)
    size, kernel = dispatch.shape_of(input), dispatch.shape_of(weight)
    _check_input(function, size, dims)
    count = len(kernel) - 2
    strides = _ints(stride, count, "stride")
    dilations = _ints(dilation, count, "dilation")
    check(
        count == dims or not isinstance(stride, int),
        f"expected stride to be a single integer value or a list of {count} values to match the convolution"
        " dimensions, but got"
        f" stride={show((stride,) * dims if isinstance(stride, int) else stride)}",
    )
    if isinstance(padding, str):
        edges = _edges_of(padding, kernel[2:], strides, dilations)
        _check_numbers(strides, (), dilations, groups)
    else:
        paddings = _ints(padding, count, "padding")
        _check_numbers(strides, paddings, dilations, groups)
        edges = tuple((p, p) for p in paddings)
    node = "ConvolutionBackward0" if len(size) == dims + 2 else "SqueezeBackward1"
    return _convolution(input, weight, bias, strides, edges, dilations, groups, node)


def _edges_of(padding: str, kernel: Ints, stride: Ints, dilation: Ints) -> tuple[tuple[int, int], ...]:
    """The padding at both ends for "same" and "valid"."""
    check(padding in ("same", "valid"), f"Invalid padding string: '{padding}'")
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    check(all(s == 1 for s in stride), "padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _conv_transpose(
    function: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    expect_tensor(function, "input", 1, input)
    expect_tensor(function, "weight", 2, weight)
    size, kernel = dispatch.shape_of(input), dispatch.shape_of(weight)
    _check_input(function, size, dims)
    count = len(kernel) - 2
    strides = _ints(stride, count, "stride")
    paddings = _ints(padding, count, "padding")
    outer = _ints(output_padding, count, "output_padding")
    dilations = _ints(dilation, count, "dilation")
    _check_numbers(strides, paddings, dilations, groups, outer)
    node = "ConvolutionBackward0" if len(size) == dims + 2 else "SqueezeBackward1"
    return _transposed_convolution(input, weight, bias, strides, paddings, outer, groups, dilations, node)


@composite
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of (n, c, l) or (c, l) with kernels (o, c / groups, k), plus ``bias`` (o).

    ``padding`` is a number of zeros at both ends, "same" or "valid". Raises RuntimeError for what does not fit.

    >>> torch.nn.functional.conv1d(torch.tensor([[1., 2., 3.]]), torch.tensor([[[1., 1.]]]))
    tensor([[3., 5.]])
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@composite
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of (n, c, h, w) or (c, h, w) with kernels (o, c / groups, kh, kw), plus a bias.

    ``padding`` is a number of zeros at both ends, "same" or "valid". Raises RuntimeError for what does not fit.

    >>> torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2)).shape
    torch.Size([1, 1, 2, 2])
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@composite
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of (n, c, d, h, w) or (c, d, h, w) with kernels (o, c / groups, kd, kh, kw).

    >>> torch.nn.functional.conv3d(torch.ones(1, 1, 3, 3, 3), torch.ones(1, 1, 2, 2, 2)).shape
    torch.Size([1, 1, 2, 2, 2])
    """
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@composite
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transpose of `conv1d` applied to (n, c, l) or (c, l); the weight is (c, o / groups, k).

    >>> torch.nn.functional.conv_transpose1d(torch.tensor([[1., 2.]]), torch.tensor([[[1., 1.]]]))
    tensor([[1., 3., 2.]])
    """
    return _conv_transpose(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@composite
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transpose of `conv2d` applied to (n, c, h, w) or (c, h, w); the weight is (c, o / groups, kh, kw).

    >>> torch.nn.functional.conv_transpose2d(torch.ones(1, 1, 3, 3), torch.ones(1, 2, 2, 2), stride=2).shape
    torch.Size([1, 2, 6, 6])
    """
    return _conv_transpose(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@composite
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transpose of `conv3d` applied to (n, c, d, h, w) or (c, d, h, w).

    >>> torch.nn.functional.conv_transpose3d(torch.ones(1, 1, 2, 2, 2), torch.ones(1, 1, 2, 2, 2)).shape
    torch.Size([1, 1, 3, 3, 3])
    """
    return _conv_transpose(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@op(method=False, out=False, node="ConvTbcBackward0")
def conv_tbc(input: Array, weight: Array, bias: Array, pad: int = 0) -> Array:
    """Return the convolution of (time, batch, c) with kernels (k, c, o), plus ``bias`` (o).

    >>> torch.nn.functional.conv_tbc(torch.ones(3, 1, 2), torch.ones(2, 2, 1), torch.zeros(1)).shape
    torch.Size([2, 1, 1])
    """
    check(input.ndim == 3, "Input must have 3 dims: time, batch, in_channel")
    check(weight.ndim == 3, "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    check(bias.ndim == 1, "Bias must be 1-D")
    check(input.shape[2] == weight.shape[1], "Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    check(weight.shape[2] == bias.shape[0], "Bias size must equal dim 2 in the weight tensor (output channels).")
    x, w = _opmath(input), _opmath(weight)
    numbers = ("WNC", "WIO", "WNC")
    result = lax.conv_general_dilated(
        x, w, (1,), ((pad, pad),), dimension_numbers=numbers, precision=lax.Precision.HIGHEST
    )
    return (result + _opmath(bias)).astype(input.dtype)
