"""Dropout of elements and of channels. The masks are those that PyTorch's CPU generator gives for the same seed."""

from __future__ import annotations

import math
from typing import Any

from torchlike._core import dispatch, keyed, samplers
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import NO_OPMATH, Array, Scalar, composite, op
from torchlike._core.warn import warn
from torchlike.nn.functional._shared import ndim
from torchlike.ops._laws import Law, draw

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

Tensor = Any

# -scale * alpha of SELU: what alpha dropout puts in place of the elements it drops.
_ALPHA = 1.7580993408473766


@op(promote=NO_OPMATH, method=False, inplace=True, out=False, node="MulBackward0")
def _masked(input: Array, mask: Array, scale: Scalar) -> Array:
    """The elements under a mask scaled, the others multiplied by 0."""
    return input * (mask * scale)


@op(promote=NO_OPMATH, method=False, inplace=True, out=False, node="AddBackward0")
def _alpha_masked(input: Array, mask: Array, scale: Scalar, dropped: Scalar, kept: Scalar) -> Array:
    """The elements under a mask scaled and shifted, a constant in place of the others."""
    return input * (mask * scale) + ((mask - 1) * dropped + kept)


def _check_p(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _mask(input: Tensor, p: float, features: bool) -> Tensor:
    """A tensor that is true where an element (or with ``features`` a channel) is kept."""
    geometry = dispatch.geometry_of(input)
    size = tuple(geometry.size)
    stride = None if features or geometry.is_contiguous else geometry.stride
    if features:
        check(len(size) >= 2, "Feature dropout requires at least 2 dimensions in the input")
        size = size[:2] + (1,) * (len(size) - 2)
    check(
        geometry.dtype.is_floating_point or geometry.dtype.is_complex,
        f"result type Float can't be cast to the desired output type {scalar_type(geometry.dtype)}",
    )
    return keep_mask(size, p, dispatch.device_of(input), stride)


def keep_mask(size: tuple[int, ...], p: float, device: Any, stride: tuple[int, ...] | None = None) -> Tensor:
    """Draw a tensor that is true with probability ``1 - p``."""
    keep = 1 - p
    law = Law(lambda g, n, d, contiguous: samplers.bernoulli(g, n, keep), keyed.bernoulli, (keep,))
    return dispatch.wrap(draw(law, None, device, size, dtypes.bool, stride))


def _drop(input: Tensor, p: float, training: bool, inplace: bool, features: bool = False) -> Tensor:
    if p == 0 or not training or not dispatch.geometry_of(input).numel:
        return input
    mask = _mask(input, p, features)
    scale = 1 / (1 - p) if p < 1 else 0.0
    return _masked.op.inplace_function(input, mask, scale) if inplace else _masked(input, mask, scale)


def _drop_alpha(input: Tensor, p: float, training: bool, inplace: bool, features: bool = False) -> Tensor:
    if p == 0 or not training or not dispatch.geometry_of(input).numel:
        return input
    mask = _mask(input, p, features)
    if p == 1:
        return _masked.op.inplace_function(input, mask, 0.0) if inplace else _masked(input, mask, 0.0)
    a = 1 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    numbers = (a, _ALPHA * a, _ALPHA * a * p)
    function = _alpha_masked.op.inplace_function if inplace else _alpha_masked
    return function(input, mask, *numbers)


@composite
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to 0 with probability ``p`` and divide the others by ``1 - p``; without ``training`` do nothing.

    Raises ValueError for a probability outside [0, 1].

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.functional.dropout(torch.ones(5))
    tensor([0., 0., 2., 0., 0.])
    """
    _check_p(p)
    return _drop(input, p, training, inplace)


@composite
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Drop elements so that the mean and variance of what SELU gives are kept.

    >>> torch.nn.functional.alpha_dropout(torch.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    _check_p(p)
    return _drop_alpha(input, p, training, inplace)


@composite
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Drop whole channels (dimension 1) as `alpha_dropout` drops elements.

    >>> torch.nn.functional.feature_alpha_dropout(torch.ones(1, 2), training=False)
    tensor([[1., 1.]])
    """
    _check_p(p)
    return _drop_alpha(input, p, training, inplace, features=True)


@composite
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (n, c, l) or (c, l) to 0 with probability ``p`` and divide the others by ``1 - p``.

    Raises RuntimeError for other numbers of dimensions.

    >>> torch.nn.functional.dropout1d(torch.ones(1, 2, 2), training=False).sum()
    tensor(4.)
    """
    _check_p(p)
    dims = ndim(input)
    if dims not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {dims}D input. Note that dropout1d exists to provide"
            " channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch"
            " dimension (i.e. 2D or 3D inputs)."
        )
    return _drop_features(input, p, training, inplace, batched=dims == 3)


@composite
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (n, c, h, w) to 0 with probability ``p`` and divide the others by ``1 - p``.

    Dimension 1 is taken as the channels whatever the number of dimensions, with a warning unless it is 3 or 4.

    >>> torch.nn.functional.dropout2d(torch.ones(1, 2, 2, 2), training=False).sum()
    tensor(8.)
    """
    _check_p(p)
    dims = ndim(input)
    if dims not in (3, 4):
        warn(
            f"dropout2d: Received a {dims}-D input to dropout2d, which is deprecated and will result in an error in a"
            " future release. To retain the behavior and silence this warning, please use dropout instead. Note that"
            " dropout2d exists to provide channel-wise dropout on inputs with 2 spatial dimensions, a channel"
            " dimension, and an optional batch dimension (i.e. 3D or 4D inputs)."
        )
    if dims == 3:
        warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired"
            " - input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a"
            " future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain"
            " the 1D channel-wise dropout behavior, please switch to using dropout1d instead."
        )
    return _drop(input, p, training, inplace, features=True)


@composite
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (n, c, d, h, w) or (c, d, h, w) to 0 with probability ``p``, divide others by ``1 - p``.

    >>> torch.nn.functional.dropout3d(torch.ones(1, 2, 1, 1, 1), training=False).sum()
    tensor(2.)
    """
    _check_p(p)
    dims = ndim(input)
    if dims not in (4, 5):
        warn(
            f"dropout3d: Received a {dims}-D input to dropout3d, which is deprecated and will result in an error in a"
            " future release. To retain the behavior and silence this warning, please use dropout instead. Note that"
            " dropout3d exists to provide channel-wise dropout on inputs with 3 spatial dimensions, a channel"
            " dimension, and an optional batch dimension (i.e. 4D or 5D inputs)."
        )
    return _drop_features(input, p, training, inplace, batched=dims == 5)


def _drop_features(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    if batched:
        return _drop(input, p, training, inplace, features=True)
    wide = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
    result = _drop(wide, p, training, inplace, features=True)
    return result.squeeze_(0) if inplace else result.squeeze(0)
