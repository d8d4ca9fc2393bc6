"""Normalisation over batches, instances, groups, layers and neighbouring channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike import ops
from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike._core.halves import rounded
from torchlike._core.op import Array, Scalar, composite, defvjp, op
from torchlike.nn.functional._shared import expect_tensor, ndim
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, refuse
from torchlike.ops._geometry import show

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]

Tensor = Any
_HALVES = (jnp.float16, jnp.bfloat16)
_LANES = 32
HALVES = frozenset(np.dtype(d) for d in _HALVES)


def _wide(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype in _HALVES else x


def _moments(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array]:
    """The mean over axes, which stay with size 1, and the inverse of the deviation from it."""
    mean = jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axes, keepdims=True)
    return mean, 1 / jnp.sqrt(variance + eps)


def _kept_as(input: Array, *params: Array | None) -> Any:
    """The dtype of the statistics that are kept for the backward: the input's, or float32 beside float32 parameters."""
    wide = input.dtype in _HALVES and any(p is not None and p.dtype == jnp.float32 for p in params)
    return jnp.float32 if wide else input.dtype


def _batch_moments(x: Array, axes: tuple[int, ...], kind: Any) -> tuple[Array, Array, Array]:
    """The mean over axes, which stay with size 1, the variance, and the variance without bias.

    In a half precision every step rounds, as it does in PyTorch; the numbers of elements do, too.
    """
    count = math.prod(x.shape[a] for a in axes)
    mean = jnp.mean(x, axes, keepdims=True)
    total = rounded(jnp.sum(jnp.square(x - mean), axes, keepdims=True), kind)
    mean = rounded(mean, kind)
    divisors: tuple[Any, ...] = (count, count - 1)
    if kind in _HALVES:
        divisors = tuple(float(np.asarray(d).astype(kind)) for d in divisors)
    variance, unbiased = (rounded(total / d, kind) for d in divisors)
    return mean, variance, unbiased


def _back(
    grad: Array,
    centred: Array,
    inverse: Array,
    sums: tuple[Array, Array],
    count: int,
    by_mean: Array,
    by_inverse: Array,
) -> Array:
    """The gradient of ``x`` through ``(x - mean) * inverse``, and through the statistics where they are used.

    ``sums`` are those of the gradient and of its product with ``centred``, over the ``count`` elements that were
    normalised together. They are computed once and serve the parameters, too: XLA fuses each sum with everything it is
    made from, and one more pass over the input costs more than all the rest.
    """
    # A number normalised alone is 0 whatever it was; the difference would be what a fused multiply-add leaves.
    direct = jnp.zeros_like(grad) if count == 1 else inverse * (grad - (sums[0] + centred * sums[1]) / count)
    return direct + by_mean / count - by_inverse * inverse * inverse * centred / count


# ---------------------------------------------------------------------------------------------------------------------
# Over the last dimensions


def _check_normalized(input: Array, shape: tuple[int, ...], weight: Array | None, bias: Array | None, gap: str) -> None:
    check(
        len(shape) >= 1,
        "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got"
        f" normalized_shape = {show(shape)}",
    )
    for name, value in (("weight", weight), ("bias", bias)):
        check(
            value is None or value.shape == shape,
            f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape"
            f" {show(() if value is None else value.shape)} and normalized_shape = {show(shape)}",
        )
    if input.ndim < len(shape) or input.shape[input.ndim - len(shape) :] != shape:
        wanted = ", ".join(map(str, shape))
        raise RuntimeError(
            f"Given normalized_shape={show(shape)}, expected input with shape [*{gap}{wanted}], but got input of size"
            f"{show(input.shape)}"
        )


def _check_mixed(input: Array, *params: Array | None) -> None:
    """Parameters have the input's type, or are float32 beside a half."""
    given = [p.dtype for p in params if p is not None]
    if any(kind != input.dtype for kind in given):
        check(input.dtype in _HALVES, "mixed dtype (CPU): all inputs must share same datatype.")
        alike = all(kind == jnp.float32 for kind in given)
        check(alike, "mixed dtype (CPU): expect parameter to have scalar type of Float")


@op(method=False, node="NativeLayerNormBackward0")
def _layer_norm(
    input: Array, weight: Array | None, bias: Array | None, normalized_shape: tuple[int, ...], eps: float
) -> tuple[Array, Array, Array]:
    _check_normalized(input, normalized_shape, weight, bias, ", ")
    refuse("LayerNormKernelImpl", input, BOOL, INTEGERS, BARE, COMPLEX)
    _check_mixed(input, weight, bias)
    x = _wide(input)
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    mean, inverse = _moments(x, axes, eps)
    result = (x - mean) * inverse
    if weight is not None:
        result = result * _wide(weight)
    if bias is not None:
        result = result + _wide(bias)
    kind = _kept_as(input, weight, bias)
    return result.astype(input.dtype), mean.astype(kind), inverse.astype(kind)


@defvjp(_layer_norm)
def _(grad, inputs, outputs, normalized_shape, eps):
    input, weight, bias = inputs
    x, g, mean, inverse = (_wide(a) for a in (input, grad[0], *outputs[1:]))
    by_mean, by_inverse = (_wide(a) for a in grad[1:])
    count = math.prod(normalized_shape)
    # As matrices, and the sums as products with vectors: four fused reductions of one array take four times as long.
    rows = math.prod(x.shape[: x.ndim - len(normalized_shape)])
    x, g, mean, inverse, by_mean, by_inverse = [
        a.reshape(rows, count if a is x or a is g else 1) for a in (x, g, mean, inverse, by_mean, by_inverse)
    ]
    factor = jnp.ones(count, x.dtype) if weight is None else _wide(weight).reshape(count)
    centred = (x - mean) * inverse
    product = g * centred
    by_weight = None if weight is None else jnp.matmul(jnp.ones(rows, x.dtype), product, precision="highest")
    by_bias = None if bias is None else jnp.sum(g, 0)
    first, second = (jnp.matmul(a, factor, precision="highest")[:, None] for a in (g, product))
    by_input = _back(g * factor, centred, inverse, (first, second), count, by_mean, by_inverse)
    return (
        by_input.reshape(input.shape),
        None if by_weight is None else by_weight.reshape(weight.shape),
        None if by_bias is None else by_bias.reshape(bias.shape),
    )


@composite
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return the input with mean 0 and variance 1 over its last dimensions ``normalized_shape``, scaled and shifted.

    ``weight`` and ``bias`` have that shape. Raises RuntimeError for shapes that do not fit.

    >>> torch.nn.functional.layer_norm(torch.tensor([[1., 3.]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    expect_tensor("layer_norm", "input", 1, input)
    return _layer_norm(input, weight, bias, _sizes("layer_norm", normalized_shape), eps)[0]


def layer_norm_with_statistics(
    input: Tensor, shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The normalised input, and the means and inverse deviations over its last dimensions."""
    expect_tensor("native_layer_norm", "input", 1, input)
    result: tuple[Tensor, Tensor, Tensor] = _layer_norm(input, weight, bias, shape, eps)
    return result


def _sizes(function: str, shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple | list):
        raise TypeError(
            f"{function}(): argument 'normalized_shape' (position 2) must be tuple of ints, not {type(shape).__name__}"
        )
    return tuple(shape)


@op(method=False, node=lambda pattern, **_: "MulBackward0")
def _rms_norm(input: Array, weight: Array | None, normalized_shape: tuple[int, ...], eps: float | None) -> Array:
    _check_normalized(input, normalized_shape, weight, None, "")
    refuse("rms_norm", input, BOOL, INTEGERS, BARE)
    x = _wide(input)
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    small = jnp.finfo(x.dtype).eps if eps is None else eps
    result = x * (1 / jnp.sqrt(jnp.mean(x * x, axes, keepdims=True) + small))
    if weight is not None:
        result = result * weight.astype(result.dtype)
    return result.astype(input.dtype)


@composite
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Return the input divided by its root mean square over its last dimensions ``normalized_shape``.

    The result is scaled by ``weight``; ``eps`` defaults to that of the dtype. Raises RuntimeError for shapes that do
    not fit.

    >>> torch.nn.functional.rms_norm(torch.tensor([[3., 4.]]), (2,))
    tensor([[0.8485, 1.1314]])
    """
    expect_tensor("rms_norm", "input", 1, input)
    return _rms_norm(input, weight, _sizes("rms_norm", normalized_shape), eps)


# ---------------------------------------------------------------------------------------------------------------------
# Over groups of channels


@op(method=False, node="NativeGroupNormBackward0")
def _group_norm(
    input: Array, weight: Array | None, bias: Array | None, num_groups: int, eps: float
) -> tuple[Array, Array, Array]:
    refuse("GroupNormKernelImpl", input, BOOL, INTEGERS, BARE, COMPLEX)
    channels = input.shape[1]
    for name, value in (("weight", weight), ("bias", bias)):
        check(
            value is None or value.shape == (channels,),
            f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape"
            f" {show(() if value is None else value.shape)} and input of shape {show(input.shape)}",
        )
    _check_mixed(input, weight, bias)
    x = _wide(input)
    batch, each = x.shape[0], channels // num_groups
    count = x.size // max(batch * num_groups, 1)
    # A row is summed in lanes: XLA adds up the last dimension one number after the other.
    lanes = _LANES if count % _LANES == 0 else 1
    grouped = x.reshape((batch, num_groups, count // lanes, lanes))
    mean = (jnp.sum(jnp.sum(grouped, 2), 2) / count)[:, :, None]
    off = jnp.square(grouped - mean[..., None])
    inverse = 1 / jnp.sqrt(jnp.sum(jnp.sum(off, 2), 2)[:, :, None] / count + eps)
    factor = inverse if weight is None else inverse * _wide(weight).reshape(num_groups, each)
    centre, factor = (
        jnp.broadcast_to(a, (batch, num_groups, each)).reshape((batch, channels) + (1,) * (x.ndim - 2))
        for a in (mean, factor)
    )
    result = (x - centre) * factor
    if bias is not None:
        result = result + _by_channel(bias, x.ndim)
    kind = _kept_as(input, weight, bias)
    return result.astype(input.dtype), mean[..., 0].astype(kind), inverse[..., 0].astype(kind)


@defvjp(_group_norm)
def _(grad, inputs, outputs, num_groups, eps):
    input, weight, bias = inputs
    x, g, mean, inverse = (_wide(a) for a in (input, grad[0], *outputs[1:]))
    by_mean, by_inverse = (_wide(a) for a in grad[1:])
    batch, channels = x.shape[:2]
    # The sums of each channel are made first; those of a group and those of the batch are made of them.
    shape = (batch, num_groups, channels // num_groups, x.size // max(batch * channels, 1))
    x, g, mean, inverse, by_mean, by_inverse = [
        a.reshape(shape if a is x or a is g else (batch, num_groups, 1, 1))
        for a in (x, g, mean, inverse, by_mean, by_inverse)
    ]
    centred = (x - mean) * inverse
    sums = (jnp.sum(g, 3, keepdims=True), jnp.sum(g * centred, 3, keepdims=True))
    by_bias = None if bias is None else jnp.sum(sums[0], (0, 3)).reshape(channels)
    by_weight = None if weight is None else jnp.sum(sums[1], (0, 3)).reshape(channels)
    factor = 1 if weight is None else _wide(weight).reshape(1, num_groups, -1, 1)
    totals = (jnp.sum(sums[0] * factor, 2, keepdims=True), jnp.sum(sums[1] * factor, 2, keepdims=True))
    by_input = _back(g * factor, centred, inverse, totals, shape[2] * shape[3], by_mean, by_inverse)
    return by_input.reshape(input.shape), by_weight, by_bias


def _by_channel(values: Array, dims: int) -> Array:
    """One value a channel, in the shape and type that go with the input."""
    return _wide(values).reshape((1, -1) + (1,) * (dims - 2))


@composite
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Return the input with mean 0 and variance 1 over each of ``num_groups`` groups of channels, scaled and shifted.

    ``weight`` and ``bias`` hold one value a channel (dimension 1). Raises RuntimeError for sizes that do not fit.

    >>> torch.nn.functional.group_norm(torch.tensor([[1., 3., 5., 5.]]), 2)
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """
    expect_tensor("group_norm", "input", 1, input)
    dims = ndim(input)
    check(dims >= 2, f"Expected at least 2 dimensions for input tensor but received {dims}")
    size = input.size()
    if size[0] * size[1] // num_groups * math.prod(size[2:]) == 1:
        shown = [size[0] * size[1] // num_groups, num_groups, *size[2:]]
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {shown}")
    return group_norm_with_statistics(input, weight, bias, num_groups, eps)[0]


def group_norm_with_statistics(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, num_groups: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The normalised input, and the means and inverse deviations (n, groups)."""
    expect_tensor("native_group_norm", "input", 1, input)
    size = input.size()
    check(num_groups > 0, f"num_groups {num_groups} should be greater than 0")
    check(
        size[1] % num_groups == 0,
        "Expected number of channels in input to be divisible by num_groups, but got input of shape"
        f" {show(size)} and num_groups={num_groups}",
    )
    result: tuple[Tensor, Tensor, Tensor] = _group_norm(input, weight, bias, num_groups, eps)
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Over batches


def _check_batch_norm(input: Array, *params: tuple[str, Array | None], operator: str = "batch_norm") -> None:
    refuse(operator, input, BOOL, INTEGERS, BARE, COMPLEX)
    channels = input.shape[1] if input.ndim > 1 else 0
    for name, value in params:
        if value is None:
            continue
        check(value.size == channels, f"{name} should contain {channels} elements not {value.size}")
    _check_mixed(input, *(value for _, value in params))


@op(method=False, node="NativeBatchNormBackward0")
def _batch_norm_training(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: Scalar,
    eps: float,
) -> tuple[Array, ...]:
    """The normalised input, the statistics of the batch, and the running statistics moved towards them."""
    _check_batch_norm(
        input, ("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)
    )
    x = _wide(input)
    axes = (0, *range(2, x.ndim))
    kind = _kept_as(input, weight, bias, running_mean, running_var)
    mean, variance, unbiased = _batch_moments(x, axes, kind)
    inverse = rounded(1 / jnp.sqrt(variance + eps), kind)
    result = (x - mean) * inverse
    if weight is not None:
        result = result * _by_channel(weight, x.ndim)
    if bias is not None:
        result = result + _by_channel(bias, x.ndim)
    outs = [result.astype(input.dtype), mean.reshape(-1).astype(kind), inverse.reshape(-1).astype(kind)]
    outs += _all_moved(running_mean, running_var, mean, unbiased, momentum)
    return tuple(outs)


def _all_moved(
    running_mean: Array | None, running_var: Array | None, mean: Array, unbiased: Array, momentum: Array
) -> list[Array]:
    given = ((running_mean, mean), (running_var, unbiased))
    return [_moved(running, found.reshape(-1), momentum) for running, found in given if running is not None]


def _moved(running: Array, found: Array, momentum: Array) -> Array:
    kind = running.dtype
    share = jnp.asarray(momentum).astype(found.dtype)
    new, old = (
        rounded(rounded(a, kind) * b, kind) for a, b in ((share, found), (1 - share, running.astype(found.dtype)))
    )
    return (new + old).astype(kind)


@op(method=False, out=False)
def _update_stats(
    input: Array, running_mean: Array | None, running_var: Array | None, momentum: Scalar
) -> tuple[Array, ...]:
    """The means and variances of a batch, and the running statistics moved towards them."""
    given = (("running_mean", running_mean), ("running_var", running_var))
    _check_batch_norm(input, *given, operator="batch_norm_update_stats_cpu")
    x = _wide(input)
    kind = _kept_as(input, running_mean, running_var)
    mean, variance, unbiased = _batch_moments(x, (0, *range(2, x.ndim)), kind)
    moved = _all_moved(running_mean, running_var, mean, unbiased, momentum)
    return mean.reshape(-1).astype(kind), variance.reshape(-1).astype(kind), *moved


def update_stats(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, momentum: float
) -> tuple[Tensor, Tensor]:
    """The means and variances of a batch, towards which the running ones move."""
    expect_tensor("batch_norm_update_stats", "input", 1, input)
    mean, variance, *moved = _update_stats(input.detach(), running_mean, running_var, momentum)
    _write_running(moved, running_mean, running_var)
    return mean, variance


@defvjp(_batch_norm_training)
def _(grad, inputs, outputs, eps):
    input, weight, bias = inputs[:3]
    x, g = _wide(input), _wide(grad[0])
    axes = (0, *range(2, x.ndim))
    mean, inverse, by_mean, by_inverse = (_by_channel(a, x.ndim) for a in (*outputs[1:3], *grad[1:3]))
    centred = (x - mean) * inverse
    sums = (jnp.sum(g, axes, keepdims=True), jnp.sum(g * centred, axes, keepdims=True))
    factor = 1 if weight is None else _by_channel(weight, x.ndim)
    count = x.size // max(x.shape[1], 1)
    by_input = _back(g * factor, centred, inverse, (sums[0] * factor, sums[1] * factor), count, by_mean, by_inverse)
    by_weight, by_bias = (None if p is None else s.reshape(-1) for p, s in ((weight, sums[1]), (bias, sums[0])))
    return by_input, by_weight, by_bias, None, None, None


@op(method=False, node="NativeBatchNormBackward0")
def _batch_norm_with(
    input: Array, weight: Array | None, bias: Array | None, mean: Array, variance: Array, eps: float
) -> Array:
    """The input normalised by given statistics."""
    _check_batch_norm(input, ("running_mean", mean), ("running_var", variance), ("weight", weight), ("bias", bias))
    x = _wide(input)
    scale = 1 / jnp.sqrt(_wide(variance) + eps)
    if weight is not None:
        scale = scale * _wide(weight)
    result = (x - _by_channel(_wide(mean), x.ndim)) * _by_channel(scale, x.ndim)
    if bias is not None:
        result = result + _by_channel(bias, x.ndim)
    return result.astype(input.dtype)


@composite
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return the input normalised channel by channel (dimension 1), scaled and shifted.

    With ``training`` by the mean and variance of the batch, towards which the running statistics then move by
    ``momentum``; without, by the running statistics. Raises as PyTorch does for sizes and dtypes that do not fit.

    >>> F = torch.nn.functional
    >>> F.batch_norm(torch.tensor([[1.], [3.]]), torch.tensor([1.]), torch.tensor([4.]))
    tensor([[0.0000],
            [1.0000]])
    """
    expect_tensor("batch_norm", "input", 1, input)
    if not training:
        check(running_mean is not None, "running_mean must be defined in evaluation mode")
        check(running_var is not None, "running_var must be defined in evaluation mode")
        return _batch_norm_with(input, weight, bias, running_mean, running_var, eps)
    size = input.size()
    values = size[0] * math.prod(size[2:])
    if values == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")
    return batch_norm_any(input, weight, bias, running_mean, running_var, momentum, eps)


def batch_norm_any(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """The input, of any size, normalised by its own statistics."""
    if not dispatch.geometry_of(input).numel:
        return ops.clone(input)
    return batch_norm_training(input, weight, bias, running_mean, running_var, momentum, eps)[0]


def batch_norm_training(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The input normalised by its own statistics, and these: means and inverse deviations. Moves the running ones."""
    expect_tensor("native_batch_norm", "input", 1, input)
    geometry = dispatch.geometry_of(input)
    check(
        geometry.numel > 0,
        f"input tensor must have at least one element, but got input_sizes = {show(geometry.size)}",
    )
    result, mean, inverse, *moved = _batch_norm_training(input, weight, bias, running_mean, running_var, momentum, eps)
    _write_running(moved, running_mean, running_var)
    return result, mean, inverse


def kept_as(kind: dtypes.dtype, *params: Tensor | None) -> dtypes.dtype:
    """The dtype of the statistics of an input: its own, or float32 for a half beside float32 parameters."""
    wide = kind.is_floating_point and kind.itemsize < 4
    return dtypes.float32 if wide and any(p is not None and p.dtype is dtypes.float32 for p in params) else kind


def _write_running(moved: list[Tensor], *running: Tensor | None) -> None:
    """Give the running statistics their new values, outside any graph."""
    given = iter(moved)
    for tensor in running:
        if tensor is not None:
            dispatch.write(tensor, dispatch.array_of(next(given)))


# ---------------------------------------------------------------------------------------------------------------------
# Over instances


@op(method=False, node="ViewBackward0")
def _instance_norm(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: Scalar,
    eps: float,
) -> tuple[Array, ...]:
    """The input normalised channel by channel and instance by instance, and the running statistics moved."""
    _check_batch_norm(
        input, ("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)
    )
    x = _wide(input)
    axes = tuple(range(2, x.ndim))
    kind = _kept_as(input, weight, bias, running_mean, running_var)
    mean, variance, unbiased = _batch_moments(x, axes, kind)
    inverse = rounded(1 / jnp.sqrt(variance + eps), kind)
    result = (x - mean) * inverse
    if weight is not None:
        result = result * _by_channel(weight, x.ndim)
    if bias is not None:
        result = result + _by_channel(bias, x.ndim)
    outs = [result.astype(input.dtype), mean.astype(kind), inverse.astype(kind)]
    for running, found in ((running_mean, mean), (running_var, unbiased)):
        if running is not None:
            # Each instance moves statistics of its own; their mean is what stays.
            each = _moved(running, found.reshape(x.shape[:2]), momentum)
            outs.append(jnp.mean(each.astype(found.dtype), 0).astype(running.dtype))
    return tuple(outs)


@defvjp(_instance_norm)
def _(grad, inputs, outputs, eps):
    input, weight, bias = inputs[:3]
    x, g, mean, inverse = (_wide(a) for a in (input, grad[0], *outputs[1:3]))
    by_mean, by_inverse = (_wide(a) for a in grad[1:3])
    axes = tuple(range(2, x.ndim))
    centred = (x - mean) * inverse
    sums = (jnp.sum(g, axes, keepdims=True), jnp.sum(g * centred, axes, keepdims=True))
    factor = 1 if weight is None else _by_channel(weight, x.ndim)
    count = math.prod(x.shape[2:])
    by_input = _back(g * factor, centred, inverse, (sums[0] * factor, sums[1] * factor), count, by_mean, by_inverse)
    by_weight, by_bias = (
        None if p is None else jnp.sum(rounded(s, p.dtype), 0).reshape(-1)
        for p, s in ((weight, sums[1]), (bias, sums[0]))
    )
    return by_input, by_weight, by_bias, None, None, None


@composite
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return the input normalised channel by channel in each instance, scaled and shifted.

    Without ``use_input_stats`` the running statistics are used; with it, they move towards those of the input. Raises
    ValueError where there is only one value a channel.

    >>> torch.nn.functional.instance_norm(torch.tensor([[[1., 3.]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    expect_tensor("instance_norm", "input", 1, input)
    if not use_input_stats:
        check(
            running_mean is not None and running_var is not None,
            "Expected running_mean and running_var to be defined when use_input_stats is false",
        )
        return _batch_norm_with(input, weight, bias, running_mean, running_var, eps)
    size = input.size()
    if math.prod(size[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {size}")
    return instance_norm_training(input, weight, bias, running_mean, running_var, momentum, eps)


def instance_norm_training(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """The input, of any size, normalised by the statistics of its instances. Moves the running ones."""
    result, _, _, *moved = _instance_norm(input, weight, bias, running_mean, running_var, momentum, eps)
    _write_running(moved, running_mean, running_var)
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Others


@op(method=False, node="DivBackward0")
def _local_response_norm(input: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    refuse("avg_pool3d_out_frame", input, BOOL, INTEGERS, BARE, COMPLEX, HALVES)
    x = input
    padding = ((0, 0), (size // 2, (size - 1) // 2)) + ((0, 0),) * (x.ndim - 2)
    padded = jnp.pad(x * x, padding)
    channels = x.shape[1]
    sums = sum(padded[:, i : i + channels] for i in range(size))
    return (x / (sums / size * alpha + k) ** beta).astype(input.dtype)


@composite
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Return ``input / (k + alpha * mean) ** beta``, the mean being of the squares in ``size`` neighbouring channels.

    Raises ValueError for fewer than three dimensions.

    >>> torch.nn.functional.local_response_norm(torch.ones(1, 1, 1), 1, alpha=3., beta=0.5)
    tensor([[[0.5000]]])
    """
    expect_tensor("local_response_norm", "input", 1, input)
    dims = ndim(input)
    if dims < 3:
        raise ValueError(f"Expected 3D or higher dimensionality                          input (got {dims} dimensions)")
    if not dispatch.geometry_of(input).numel:
        return input
    return _local_response_norm(input, size, alpha, beta, k)


def _band(channels: int, low: int, high: int) -> np.ndarray[Any, Any]:
    """Ones where column minus row lies between two offsets."""
    offset = np.arange(channels)[None, :] - np.arange(channels)[:, None]
    return ((offset >= low) & (offset <= high)).astype(float)


def _cross_map_scale(x: Array, size: int, alpha: float, k: float) -> Array:
    """The sums of squares over neighbouring channels; in PyTorch's the first channel never leaves the window."""
    reach = int((size - 1) / 2 + 1)
    window = _band(x.shape[1], 1 - reach, reach - 1)
    window[:, :1] = 1.0
    sums = jnp.einsum("dc,nchw->ndhw", jnp.asarray(window, x.dtype), x * x, precision=lax.Precision.HIGHEST)
    return sums * (alpha / size) + k


@op(method=False, out=False, node="CrossMapLRN2dBackward")
def _cross_map_lrn2d(input: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    if input.ndim != 4:
        raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.ndim}D instead.")
    return jnp.power(_cross_map_scale(input, size, alpha, k), -beta) * input


@defvjp(_cross_map_lrn2d)
def _(grad, inputs, outputs, size, alpha, beta, k):
    (input,), (output,) = inputs, outputs
    scale = _cross_map_scale(input, size, alpha, k)
    ahead = int(size - (size - 1) / 2)
    window = jnp.asarray(_band(input.shape[1], -ahead, size - 1 - ahead), input.dtype)
    ratio = jnp.einsum("dc,nchw->ndhw", window, grad * output / scale, precision=lax.Precision.HIGHEST)
    return (jnp.power(scale, -beta) * grad - (2 * alpha * beta / size) * input * ratio,)


def cross_map_lrn2d(input: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Divide images by a power of the sums of squares over neighbouring channels, as ``nn.CrossMapLRN2d`` does."""
    return _cross_map_lrn2d(input, size, float(alpha), float(beta), float(k))


@composite
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """Return the input divided by its ``p``-norm along ``dim``, which counts as at least ``eps``.

    >>> torch.nn.functional.normalize(torch.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    length = input.norm(p, dim, keepdim=True)
    if out is None:
        return input / length.clamp_min(eps).expand_as(input)
    return ops.div(input, length.clamp_min_(eps).expand_as(input), out=out)
