"""The functions that the ``torch`` namespace shares with ``nn.functional`` but has with arguments of its own.

Those that are the same in both are imported from there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike._core.op import Array, Scalar, composite, op
from torchlike.nn import functional as F
from torchlike.nn.functional.activation import celu_, hardshrink, prelu, selu_, threshold_
from torchlike.nn.functional.adaptive import adaptive_avg_pool1d, adaptive_max_pool1d_with_indices
from torchlike.nn.functional.conv import (
    conv1d,
    conv2d,
    conv3d,
    conv_tbc,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from torchlike.nn.functional.distance import cosine_similarity, pairwise_distance
from torchlike.nn.functional.dropout import _mask as dropout_mask
from torchlike.nn.functional.linear import bilinear
from torchlike.nn.functional.normalization import (
    batch_norm_any,
    group_norm_with_statistics,
    instance_norm_training,
    rms_norm,
)
from torchlike.nn.functional.pooling import avg_pool1d, max_pool1d_with_indices
from torchlike.nn.functional.random_activation import rrelu_drawn
from torchlike.nn.functional.rearranging import (
    channel_shuffle,
    native_channel_shuffle,
    pixel_shuffle,
    pixel_unshuffle,
)
from torchlike.ops._laws import generator_argument
from torchlike.ops.create import ones

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "alpha_dropout",
    "alpha_dropout_",
    "avg_pool1d",
    "batch_norm",
    "bilinear",
    "celu",
    "celu_",
    "channel_shuffle",
    "constant_pad_nd",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_similarity",
    "dropout",
    "dropout_",
    "embedding",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "group_norm",
    "hardshrink",
    "instance_norm",
    "layer_norm",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool3d",
    "native_channel_shuffle",
    "native_dropout",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "prelu",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "threshold",
    "threshold_",
]

Tensor = Any

adaptive_max_pool1d = adaptive_max_pool1d_with_indices
composite(prelu, method="only", name="prelu")
composite(hardshrink, method="only", name="hardshrink")


# Activations ---------------------------------------------------------------------------------------------------------


def selu(input: Tensor) -> Tensor:
    """Return ``scale * (max(0, x) + min(0, alpha * (exp(x) - 1)))`` of each element; see ``torch.nn.SELU``.

    >>> torch.selu(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.0507])
    """
    return F.selu(input)


def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Return ``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`` of each element.

    >>> torch.celu(torch.tensor([-1.0, 1.0]))
    tensor([-0.6321,  1.0000])
    """
    return F.celu(input, alpha)


def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """Return the elements above ``threshold``, and ``value`` in place of the others.

    >>> torch.threshold(torch.tensor([0.1, 2.0]), 1, 20)
    tensor([20.,  2.])
    """
    return F.threshold(input, threshold, value)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, generator: Any = None
) -> Tensor:
    """Return positive elements as they are, and negative ones times a slope: random in training, else the mean one.

    >>> torch.rrelu(torch.tensor([-8.0, 1.0]), 0.25, 0.25)
    tensor([-2.,  1.])
    """
    return rrelu_drawn(input, lower, upper, training, False, generator_argument("rrelu", generator))


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, generator: Any = None
) -> Tensor:
    """Apply :func:`torch.rrelu` in place."""
    return rrelu_drawn(input, lower, upper, training, True, generator_argument("rrelu_", generator))


# Dropout -------------------------------------------------------------------------------------------------------------


def _dropped(function: Any, input: Tensor, p: float, train: bool, inplace: bool) -> Tensor:
    check(0 <= p <= 1, f"dropout probability has to be between 0 and 1, but got {p:g}")
    return function(input, p, train, inplace)


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return the tensor with elements zeroed with probability ``p`` and the others scaled up, if ``train``.

    >>> torch.dropout(torch.ones(2), 0.5, False)
    tensor([1., 1.])
    """
    return _dropped(F.dropout, input, p, train, False)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Apply :func:`torch.dropout` in place."""
    return _dropped(F.dropout, input, p, train, True)


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Return the tensor with dropout, unless ``train`` is False, and a mask of the elements that were kept.

    >>> torch.native_dropout(torch.ones(2), 0.5, False)
    (tensor([1., 1.]), tensor([True, True]))
    """
    check(0 <= p <= 1, f"dropout probability has to be between 0 and 1, but got {p:g}")
    kept = ones(dispatch.shape_of(input), dtype=dtypes.bool, device=input.device)
    if train is not False and p:
        kept = dropout_mask(input, p, False) if p < 1 else ~kept
    scale = 1.0 if train is False or p == 1 else 1 / (1 - p)
    return _native_dropout(input, kept, scale), kept


@op(method=False, out=False)
def _native_dropout(input: Array, mask: Array, scale: Scalar) -> Array:
    """The elements under a mask, scaled."""
    return input * (mask.astype(input.dtype) * scale.astype(input.dtype))


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return the tensor with dropout that keeps the mean and variance of SELU networks, if ``train``."""
    return _dropped(F.alpha_dropout, input, p, train, False)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Apply :func:`torch.alpha_dropout` in place."""
    return _dropped(F.alpha_dropout, input, p, train, True)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return the tensor with whole channels (of the first two dimensions) dropped, if ``train``.

    >>> torch.feature_dropout(torch.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
    """
    return _feature_dropout(input, p, train, False)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Apply :func:`torch.feature_dropout` in place."""
    return _feature_dropout(input, p, train, True)


def _feature_dropout(input: Tensor, p: float, train: bool, inplace: bool) -> Tensor:
    check(0 <= p <= 1, f"dropout probability has to be between 0 and 1, but got {p:g}")
    shape = dispatch.shape_of(input)
    if not train or p == 0 or not math.prod(shape):
        return input
    check(len(shape) >= 2, "Feature dropout requires at least 2 dimensions in the input")
    # The channels of (batch, channels, ...) are what dropout2d drops of four dimensions.
    wide = F.dropout2d(input.reshape(shape[0], shape[1], -1, 1), p, train, inplace)
    return input if inplace else wide.reshape(shape)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return the tensor with whole channels dropped as :func:`torch.alpha_dropout` drops elements, if ``train``."""
    return _dropped(F.feature_alpha_dropout, input, p, train, False)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Apply :func:`torch.feature_alpha_dropout` in place."""
    return _dropped(F.feature_alpha_dropout, input, p, train, True)


# Normalization -------------------------------------------------------------------------------------------------------


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
    cudnn_enable: bool = True,
) -> Tensor:
    """Return the tensor normalized over its last dimensions; ``cudnn_enable`` is accepted.

    >>> torch.layer_norm(torch.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Return the tensor normalized over groups of its channels; ``cudnn_enabled`` is accepted."""
    return group_norm_with_statistics(input, weight, bias, num_groups, eps)[0]


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Return the tensor normalized over its channels; ``cudnn_enabled`` is accepted. See ``F.batch_norm``."""
    if training:
        return batch_norm_any(input, weight, bias, running_mean, running_var, momentum, eps)
    return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Return the tensor normalized over each channel of each example; ``cudnn_enabled`` is accepted."""
    if use_input_stats:
        return instance_norm_training(input, weight, bias, running_mean, running_var, momentum, eps)
    return F.instance_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)


# Lookup, padding, pooling --------------------------------------------------------------------------------------------


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """Return the rows of ``weight`` at ``indices``; the row ``padding_idx`` gets no gradient.

    >>> torch.embedding(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1]))
    tensor([[3., 4.]])
    """
    rows = dispatch.shape_of(weight)[0]
    padding = padding_idx if 0 <= padding_idx < rows else None
    return F.embedding(indices, weight, padding, None, 2.0, scale_grad_by_freq, sparse)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: Any = 0) -> Tensor:
    """Return the tensor with a constant around it: pairs of numbers for the dimensions from the last on.

    >>> torch.constant_pad_nd(torch.tensor([1, 2]), (1, 1))
    tensor([0, 1, 2, 0])
    """
    return F.pad(input, pad, "constant", value)


def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Return the largest elements of windows of the last dimension; see ``F.max_pool1d``."""
    return F.max_pool1d(input, kernel_size, stride or None, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Return the largest elements of windows of the last two dimensions; see ``F.max_pool2d``."""
    return F.max_pool2d(input, kernel_size, stride or None, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Return the largest elements of windows of the last three dimensions; see ``F.max_pool3d``."""
    return F.max_pool3d(input, kernel_size, stride or None, padding, dilation, ceil_mode)
