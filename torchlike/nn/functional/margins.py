"""Losses with a margin: what is far enough on the right side costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike import ops
from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import DEFAULT, Array, composite, op
from torchlike.nn.functional._shared import (
    expect_tensor,
    not_differentiable,
    reduced,
    reduced_tensor,
    reduction_name,
    seen_on_host,
)
from torchlike.nn.functional.activation import logsigmoid
from torchlike.nn.functional.distance import pairwise_distance
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, refuse
from torchlike.ops._geometry import show

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Pairs


@composite
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``max(0, -target * (input1 - input2) + margin)``: which of two should rank higher.

    ``target`` is 1 where it is the first, -1 where the second. Raises RuntimeError for different numbers of dimensions.

    >>> F = torch.nn.functional
    >>> F.margin_ranking_loss(torch.tensor([1., 2.]), torch.tensor([3., 1.]), torch.tensor([1., 1.]))
    tensor(1.)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1:"
            f" {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced_tensor((-target * (input1 - input2) + float(margin)).clamp_min(0), reduction)


@composite
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``input`` where ``target`` is 1 and of ``max(0, margin - input)`` where it is -1.

    >>> F = torch.nn.functional
    >>> F.hinge_embedding_loss(torch.tensor([0.3, 0.4]), torch.tensor([1, -1]), reduction="none")
    tensor([0.3000, 0.6000])
    """
    reduction = reduction_name(reduction, size_average, reduce)
    expect_tensor("hinge_embedding_loss", "input", 1, input)
    expect_tensor("hinge_embedding_loss", "target", 2, target)
    nothing = ops.zeros_like(input)
    if not input.is_floating_point():
        margin = int(margin)  # PyTorch makes a tensor of the input's dtype of it
    apart = ops.where(target != 1, (margin - input).clamp_min(0), nothing)
    return reduced_tensor(apart + ops.where(target != -1, input, nothing), reduction)


@composite
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``1 - cos`` where ``target`` is 1 and of ``max(0, cos - margin)`` where it is -1.

    Takes (n, d), (n, d) and (n), or (d), (d) and (). Raises RuntimeError for other shapes.

    >>> F = torch.nn.functional
    >>> x, y = torch.tensor([[1., 0.]]), torch.tensor([[0., 1.]])
    >>> F.cosine_embedding_loss(x, y, torch.tensor([1]))
    tensor(1.)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    dims = target.dim()
    check(dims in (0, 1), "0D or 1D target tensor expected, multi-target not supported")
    sizes = f"{show(input1.shape)} and {show(input2.shape)}."
    if dims == 1:
        check(input1.dim() == 2, f"1D target tensor expects 2D input tensors, but found inputs with sizes {sizes}")
    else:
        check(input1.dim() == 1, f"0D target tensor expects 1D input tensors, but found inputs with sizes {sizes}")
    product = (input1 * input2).sum(dims)
    size1, size2 = (input1 * input1).sum(dims) + 1e-12, (input2 * input2).sum(dims) + 1e-12
    cosine = product / (size1 * size2).sqrt()
    nothing = ops.zeros_like(cosine)
    alike = ops.where(target == 1, 1 - cosine, nothing)
    apart = ops.where(target == -1, (cosine - margin).clamp_min(0), nothing)
    return reduced_tensor(alike + apart, reduction)


@op(promote=DEFAULT, method=False, node="SoftMarginLossBackward0")
def _soft_margin_loss(input: Array, target: Array, reduction: str) -> Array:
    return reduced(jnp.log1p(jnp.exp(-target * input)), reduction)


@composite
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``log(1 + exp(-target * input))``, targets being 1 or -1.

    >>> torch.nn.functional.soft_margin_loss(torch.tensor([0., 2.]), torch.tensor([1., -1.]), reduction="none")
    tensor([0.6931, 2.1269])
    """
    reduction = reduction_name(reduction, size_average, reduce)
    expect_tensor("soft_margin_loss", "self", 1, input)
    expect_tensor("soft_margin_loss", "target", 2, target)
    not_differentiable("soft_margin_loss", target=target)
    kind = dispatch.geometry_of(input).dtype
    check(
        kind.is_floating_point or kind.is_complex,
        f"result type Float can't be cast to the desired output type {scalar_type(kind)}",
    )
    return _soft_margin_loss(input, target, reduction)


# ---------------------------------------------------------------------------------------------------------------------
# Classes


def _check_matrix(size: tuple[int, ...]) -> None:
    check(
        len(size) == 0 or (len(size) <= 2 and size[-1] != 0),
        f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {show(size)}",
    )


def _known(input: Any, target: Any, low: int) -> bool:
    """Whether indices are those of classes, or nobody can tell."""
    values = seen_on_host(target)
    size = dispatch.shape_of(input)
    if values is None or not values.size or values.dtype != np.int64 or len(size) > 2:
        return True
    return bool((values >= low).all() and (values < (size[-1] if size else 1)).all())


def _class_known(input: Any, target: Any, *rest: Any) -> None:
    check(_known(input, target, 0), "target out of range")


def _labels_known(input: Any, target: Any, *rest: Any) -> None:
    same = dispatch.shape_of(input) == dispatch.shape_of(target)
    check(not same or _known(input, target, -1), "argument #2 'target' is out of range")


@op(method=False, check=_class_known, node="MultiMarginLossBackward0")
def _multi_margin_loss(
    input: Array, target: Array, weight: Array | None, p: int, margin: float, reduction: str
) -> Array:
    _check_matrix(input.shape)
    frames = input.shape[0] if input.ndim == 2 else 1
    classes = input.shape[-1] if input.ndim else 1
    check(
        target.ndim <= 1 and target.size == frames,
        "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size)."
        f" Expected target size [{frames}], but got {show(target.shape)}. Input has shape {show(input.shape)}.",
    )
    check(
        weight is None or weight.size == classes,
        f"inconsistent weight size, expected {classes} but got {show(() if weight is None else weight.shape)}",
    )
    refuse("multi_margin_loss_cpu_kernel", input, BOOL, INTEGERS, BARE, COMPLEX)
    check(
        target.dtype == jnp.int64,
        f"expected scalar type Long but found {scalar_type(target.dtype)}",
    )
    x = (input.astype(jnp.float32) if input.dtype in (jnp.float16, jnp.bfloat16) else input).reshape(frames, classes)
    right = target.reshape(frames)
    z = margin - jnp.take_along_axis(x, right[:, None], 1) + x
    z = jnp.where((z > 0) & (jnp.arange(classes) != right[:, None]), z, 0)
    if p == 2:
        z = z * z
    if weight is not None:
        z = z * weight.reshape(classes)[right][:, None].astype(z.dtype)
    losses = jnp.sum(z, 1) / classes
    return reduced(losses.reshape(target.shape), reduction).astype(input.dtype)


@composite
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over classes of ``max(0, margin - x[y] + x[i])**p``: how near others come to the right one.

    Takes scores (n, c) or (c) and class indices (n) or (); ``p`` is 1 or 2, ``weight`` holds a factor a class. Raises
    ValueError and RuntimeError for what does not fit.

    >>> torch.nn.functional.multi_margin_loss(torch.tensor([[0.1, 0.2, 0.4, 0.8]]), torch.tensor([3]))
    tensor(0.3250)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    expect_tensor("multi_margin_loss", "self", 1, input)
    expect_tensor("multi_margin_loss", "target", 2, target)
    not_differentiable("multi_margin_loss", weight=weight)
    return _multi_margin_loss(input, target, weight, int(p), float(margin), reduction)


@op(method=False, check=_labels_known, node="MultilabelMarginLossBackward0")
def _multilabel_margin_loss(input: Array, target: Array, reduction: str) -> Array:
    _check_matrix(input.shape)
    check(
        target.shape == input.shape,
        f"inconsistent target size: {show(target.shape)} for input of size: {show(input.shape)}",
    )
    refuse("multilabel_margin_loss_forward_out_frame", input, BOOL, INTEGERS, BARE, COMPLEX)
    check(target.dtype == jnp.int64, f"expected scalar type Long but found {scalar_type(target.dtype)}")
    frames = input.shape[0] if input.ndim == 2 else 1
    classes = input.shape[-1] if input.ndim else 1
    x = (input.astype(jnp.float32) if input.dtype in (jnp.float16, jnp.bfloat16) else input).reshape(frames, classes)
    labels = target.reshape(frames, classes)
    listed = jnp.cumsum((labels < 0).astype(jnp.int32), 1) == 0
    at = jnp.where(listed, labels, classes)
    is_target = jnp.zeros((frames, classes + 1), bool).at[jnp.arange(frames)[:, None], at].set(True)[:, :classes]
    wanted = jnp.take_along_axis(x, jnp.where(listed, labels, 0), 1)
    z = 1 - wanted[:, :, None] + x[:, None, :]
    counts = (z > 0) & listed[:, :, None] & ~is_target[:, None, :]
    losses = jnp.sum(jnp.where(counts, z, 0), (1, 2)) / classes
    return reduced(losses.reshape(input.shape[:-1]), reduction).astype(input.dtype)


@composite
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return how far other classes come within 1 of the right ones: ``max(0, 1 - (x[y] - x[i]))``, averaged.

    Takes scores (n, c) or (c) and in the same shape class indices, which end at the first -1.

    >>> F = torch.nn.functional
    >>> F.multilabel_margin_loss(torch.tensor([0.1, 0.2, 0.4, 0.8]), torch.tensor([3, 0, -1, 1]))
    tensor(0.8500)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    expect_tensor("multilabel_margin_loss", "self", 1, input)
    expect_tensor("multilabel_margin_loss", "target", 2, target)
    return _multilabel_margin_loss(input, target, reduction)


@composite
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the binary cross entropy of logits, averaged over the classes (the last dimension) and then over the rest.

    >>> F = torch.nn.functional
    >>> F.multilabel_soft_margin_loss(torch.tensor([[0., 2.]]), torch.tensor([[1., 0.]]))
    tensor(1.4100)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_name(reduction, size_average, reduce)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    axis = input.dim() - 1
    losses = losses.sum(dim=axis) / input.size(axis)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    return reduced_tensor(losses, reduction)


# ---------------------------------------------------------------------------------------------------------------------
# Triplets


def _check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor) -> None:
    a, p, n = anchor.dim(), positive.dim(), negative.dim()
    check(
        a == p == n,
        "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got:"
        f" anchor {a}D, positive {p}D, and negative {n}D inputs",
    )


@composite
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``max(0, margin + d(anchor, positive) - d(anchor, negative))``, d being `pairwise_distance`.

    With ``swap`` the negative is taken from the positive or from the anchor, whichever is nearer. Raises ValueError
    unless ``margin`` is positive, RuntimeError for different numbers of dimensions.

    >>> F = torch.nn.functional
    >>> F.triplet_margin_loss(torch.tensor([[0.]]), torch.tensor([[2.]]), torch.tensor([[1.]]))
    tensor(2.)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    _check_triplet(anchor, positive, negative)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = ops.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced_tensor((margin + near - far).clamp_min(0), reduction)


@composite
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return `triplet_margin_loss` with a distance of one's own.

    >>> F = torch.nn.functional
    >>> x, y, z = torch.tensor([[0.]]), torch.tensor([[2.]]), torch.tensor([[1.]])
    >>> F.triplet_margin_with_distance_loss(x, y, z, distance_function=lambda a, b: (a - b).abs().sum(-1))
    tensor(2.)
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    _check_triplet(anchor, positive, negative)
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return reduced_tensor((margin + near - far).clamp_min(0), reduction)
