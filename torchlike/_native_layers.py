"""The kernels behind layers, under the names and with the positional arguments that the ``torch`` namespace has them.

`nn.functional` has the same with defaults and with more checks; the names of modes are numbers here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike._core.op import composite
from torchlike.nn import functional as F
from torchlike.nn.functional import normalization
from torchlike.ops.create import empty

__all__ = [
    "affine_grid_generator",
    "batch_norm_update_stats",
    "convolution",
    "embedding_renorm_",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "native_batch_norm",
    "native_group_norm",
    "native_layer_norm",
    "native_norm",
]

Tensor = Any

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


# Normalization -------------------------------------------------------------------------------------------------------


@composite(method=False)
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tensor normalized channel by channel (dimension 1), the means and the inverse deviations used.

    While ``training`` these are the batch's, one a channel, towards which the running statistics move by ``momentum``;
    else the running ones normalize and the other two results are empty. The statistics have the input's dtype, or
    float32 for a half beside float32 parameters. Raises RuntimeError for sizes and dtypes that do not fit.

    >>> torch.native_batch_norm(torch.tensor([[1.0], [3.0]]), None, None, None, None, True, 0.1, 0.0)
    (tensor([[-1.],
            [ 1.]]), tensor([2.]), tensor([1.]))
    """
    params = (weight, bias, running_mean, running_var)
    if training:
        result, mean, inverse = normalization.batch_norm_training(input, *params, momentum, eps)
        return result, mean.detach(), inverse.detach()
    result = F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    kind = normalization.kept_as(input.dtype, *params)
    return result, empty(0, dtype=kind, device=input.device), empty(0, dtype=kind, device=input.device)


@composite(method=False)
def batch_norm_update_stats(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, momentum: float
) -> tuple[Tensor, Tensor]:
    """Move the running statistics by ``momentum`` towards those of a batch; return its means and variances.

    Both have one value a channel (dimension 1); these variances are divided by the number of values.

    >>> torch.batch_norm_update_stats(torch.tensor([[1.0], [3.0]]), None, None, 0.1)
    (tensor([2.]), tensor([1.]))
    """
    return normalization.update_stats(input, running_mean, running_var, momentum)


@composite(method=False)
def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tensor normalized over its last dimensions, the means and the inverse deviations it was made with.

    These two have size 1 in the dimensions ``normalized_shape``. Raises RuntimeError for shapes that do not fit.

    >>> torch.native_layer_norm(torch.tensor([[1.0, 3.0]]), (2,), None, None, 0.0)
    (tensor([[-1.,  1.]]), tensor([[2.]]), tensor([[1.]]))
    """
    result, mean, inverse = normalization.layer_norm_with_statistics(input, tuple(normalized_shape), weight, bias, eps)
    return result, mean.detach(), inverse.detach()


@composite(method=False)
def native_group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return a tensor (``N``, ``C``, ...) normalized over ``group`` groups of channels, with means and deviations.

    The means and the inverse deviations are (``N``, ``group``); all three results are differentiable. ``HxW`` is the
    number of elements of a channel. Raises RuntimeError for sizes that do not fit.

    >>> torch.native_group_norm(torch.tensor([[1.0, 3.0]]), None, None, 1, 2, 1, 1, 0.0)
    (tensor([[-1.,  1.]]), tensor([[2.]]), tensor([[1.]]))
    """
    return normalization.group_norm_with_statistics(input, weight, bias, group, eps)


def native_norm(input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """Refuse: PyTorch has this norm for sparse tensors only, which do not exist here. Use :func:`torch.norm`.

    Raises NotImplementedError.
    """
    raise NotImplementedError(
        "Could not run 'aten::native_norm' with arguments from the 'CPU' backend. It is a norm of sparse tensors, which"
        " do not exist in torchlike."
    )


# Convolution ---------------------------------------------------------------------------------------------------------


@composite(method=False)
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Return the convolution of a batch, or its transpose, over the dimensions that the weight has after its first two.

    Raises RuntimeError for sizes that do not fit.

    >>> x, w = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 1.0]]])
    >>> torch.convolution(x, w, None, [1], [0], [1], True, [0], 1)
    tensor([[[1., 3., 2.]]])
    """
    check(all(d > 0 for d in dilation), "non-positive dilation is not supported")
    dims = len(dispatch.shape_of(weight)) - 2
    check(1 <= dims <= 3, f"convolution: expected a weight of 3, 4 or 5 dimensions, but got {dims + 2}")
    if transposed:
        function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[dims - 1]
        return function(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return (F.conv1d, F.conv2d, F.conv3d)[dims - 1](input, weight, bias, stride, padding, dilation, groups)


# Grids ---------------------------------------------------------------------------------------------------------------


def _mode(names: tuple[str, ...], number: int, what: str) -> str:
    check(0 <= number < len(names), f"grid_sampler: {what} must be one of the numbers 0 to {len(names) - 1}")
    return names[number]


@composite(method=False)
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Read images or volumes at the points of a grid; see ``F.grid_sample``.

    Modes are numbers: 0 bilinear, 1 nearest, 2 bicubic; outside 0 zeros, 1 the border, 2 the mirror image.

    >>> torch.grid_sampler(torch.tensor([[[[1.0, 3.0]]]]), torch.zeros(1, 1, 1, 2), 0, 0, True)
    tensor([[[[2.]]]])
    """
    mode = _mode(_MODES, interpolation_mode, "interpolation_mode")
    return F.grid_sample(input, grid, mode, _mode(_PADDINGS, padding_mode, "padding_mode"), align_corners)


@composite(method=False)
def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Read images (n, c, h, w) at the points of a grid (n, ho, wo, 2); see :func:`torch.grid_sampler`.

    >>> torch.grid_sampler_2d(torch.tensor([[[[1.0, 3.0]]]]), torch.zeros(1, 1, 1, 2), 0, 0, True)
    tensor([[[[2.]]]])
    """
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@composite(method=False)
def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Read volumes (n, c, d, h, w) at the points of a grid (n, do, ho, wo, 3); see :func:`torch.grid_sampler`.

    >>> torch.grid_sampler_3d(torch.tensor([[[[[1.0, 3.0]]]]]), torch.zeros(1, 1, 1, 1, 3), 0, 0, True)
    tensor([[[[[2.]]]]])
    """
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@composite(method=False)
def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Return the grid of points where affine maps send an output's pixels; see ``F.affine_grid``.

    >>> torch.affine_grid_generator(torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    return F.affine_grid(theta, list(size), align_corners)


# Lookup --------------------------------------------------------------------------------------------------------------


@composite(method=False)
def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Shrink in place the rows of a table at ``indices`` whose ``norm_type``-norm is above ``max_norm``; return it.

    >>> torch.embedding_renorm_(torch.tensor([[3.0, 4.0], [6.0, 8.0]]), torch.tensor([0]), 1.0, 2.0)
    tensor([[0.6000, 0.8000],
            [6.0000, 8.0000]])
    """
    check(
        indices.dtype in (dtypes.int64, dtypes.int32),
        "Expected tensor for argument #2 'indices' to have one of the following scalar types: Long, Int; but got"
        f" {indices.type()} instead (while checking arguments for embedding_renorm_)",
    )
    F.embedding(indices, input.detach(), None, max_norm, norm_type)
    return input
