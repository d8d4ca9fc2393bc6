"""Losses of regression: differences between an input and a target, elementwise."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from torchlike import ops
from torchlike._core.dispatch import shape_of
from torchlike._core.errors import check
from torchlike._core.op import DEFAULT, Array, composite, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike._core.warn import warn
from torchlike.autograd import no_grad
from torchlike.nn.functional._shared import expect_tensor, known_reduction, reduced, reduced_tensor, reduction_name
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, refuse

__all__ = [
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]

Tensor = Any


def _size(tensor: Any) -> Any:
    return tensor.size()


def check_pair(input: Tensor, target: Tensor) -> None:
    """Refuse what is no tensor; warn of shapes that differ and are broadcast, since that is seldom meant."""
    if not (isinstance(input, TensorBase) and isinstance(target, TensorBase)):
        wrong = input if not isinstance(input, TensorBase) else target
        raise AttributeError(f"{type(wrong).__name__!r} object has no attribute 'size'")
    if shape_of(input) != shape_of(target):
        warn(
            f"Using a target size ({_size(target)}) that is different to the input size ({_size(input)}). This will"
            " likely lead to incorrect results due to broadcasting. Please ensure they have the same size."
        )


def weighted(values: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """Reduce losses that have one weight each."""
    if weight.size() != values.size():
        raise ValueError("Weights and input must have the same size.")
    values = values * weight
    if reduction == "none":
        return values
    return values.sum() if reduction == "sum" else values.sum() / weight.sum()


@op(promote=DEFAULT, method=False, node="MseLossBackward0")
def _squared_difference(input: Array, target: Array) -> Array:
    refuse("mse_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    difference = input - target
    return difference * difference


@op(promote=DEFAULT, method=False, node="MseLossBackward0")
def _mean_squared(input: Array, target: Array, reduction: str) -> Array:
    refuse("mse_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    difference = input - target
    total = jnp.sum(difference * difference)
    return total if reduction == "sum" else total / difference.size


@defvjp(_mean_squared)
def _(grad, inputs, outputs, reduction):
    input, target = inputs
    factor = 2.0 if reduction == "sum" else 2.0 / max(input.size, 1)
    by_input = (factor * grad) * (input - target)
    return by_input, -by_input


@composite
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the mean squared difference of ``input`` and ``target`` (or their sum, or each: "sum", "none").

    With ``weight`` each squared difference is scaled, and the mean is divided by the sum of the weights.

    >>> torch.nn.functional.mse_loss(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
    tensor(2.)
    """
    if size_average is not None or reduce is not None or reduction != "mean":
        reduction = reduction_name(reduction, size_average, reduce)
    check_pair(input, target)
    if weight is not None:
        return weighted(ops.pow(input - target, 2), weight, reduction)
    if reduction == "none":
        return _squared_difference(input, target)
    return _mean_squared(input, target, reduction)


@composite
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the mean absolute difference of ``input`` and ``target`` (or their sum, or each: "sum", "none").

    With ``weight`` each difference is scaled, and the mean is divided by the sum of the weights.

    >>> torch.nn.functional.l1_loss(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
    tensor(1.)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    check_pair(input, target)
    if weight is not None:
        return weighted(ops.abs(input - target), weight, reduction)
    losses = ops.abs(input - target)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


# ---------------------------------------------------------------------------------------------------------------------
# Squares near zero, absolute values further out


@op(promote=DEFAULT, method=False, node="SmoothL1LossBackward0")
def _smooth_l1_loss(input: Array, target: Array, beta: float, reduction: str) -> Array:
    refuse("smooth_l1_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    size = jnp.abs(input - target)
    edge = jnp.asarray(beta, size.dtype)
    return reduced(jnp.where(size < edge, 0.5 * size * size / edge, size - 0.5 * edge), reduction)


@op(promote=DEFAULT, method=False, node="HuberLossBackward0")
def _huber_loss(input: Array, target: Array, delta: float, reduction: str) -> Array:
    refuse("huber_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    size = jnp.abs(input - target)
    edge = jnp.asarray(delta, size.dtype)
    return reduced(jnp.where(size <= edge, 0.5 * size * size, edge * (size - 0.5 * edge)), reduction)


@composite
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return the mean of ``0.5 * d**2 / beta`` for differences ``d`` below ``beta``, ``|d| - 0.5 * beta`` for others.

    With ``beta=0`` it is `l1_loss`. Raises RuntimeError for a negative ``beta``.

    >>> torch.nn.functional.smooth_l1_loss(torch.tensor([1., 2.]), torch.tensor([1.5, 4.]), reduction="none")
    tensor([0.1250, 1.5000])
    """
    check_pair(input, target)
    reduction = reduction_name(reduction, size_average, reduce)
    check(beta >= 0, "smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced_tensor(ops.abs(input - target), reduction)
    return _smooth_l1_loss(input, target, float(beta), reduction)


@composite
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Return the mean of ``0.5 * d**2`` for differences ``d`` up to ``delta``, ``delta * (|d| - 0.5 * delta)`` beyond.

    ``weight`` scales each one. Raises RuntimeError unless ``delta`` is positive.

    >>> torch.nn.functional.huber_loss(torch.tensor([1., 2.]), torch.tensor([1.5, 4.]), reduction="none")
    tensor([0.1250, 1.5000])
    """
    check_pair(input, target)
    if weight is not None and weight.size() != input.size():
        raise ValueError("Weights and input must have the same size.")
    if weight is None:
        known_reduction(reduction)
    check(delta > 0, "huber_loss does not support non-positive values for delta.")
    if weight is None:
        return _huber_loss(input, target, float(delta), reduction)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")
    return reduced_tensor(_huber_loss(input, target, float(delta), "none") * weight, reduction)


# ---------------------------------------------------------------------------------------------------------------------
# Likelihoods of distributions


@composite
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return the divergence ``target * (log(target) - input)`` of log probabilities ``input`` from ``target``.

    ``log_target`` says that ``target`` holds log probabilities too. "batchmean" divides the sum by the size of the
    first dimension, as the definition does; "mean", which divides by all sizes, warns.

    >>> input = torch.tensor([[0.5, 0.5]]).log()
    >>> torch.nn.functional.kl_div(input, torch.tensor([[1., 0.]]), reduction="batchmean")
    tensor(0.6931)
    """
    expect_tensor("kl_div", "input", 1, input)
    expect_tensor("kl_div", "target", 2, target)
    if size_average is not None or reduce is not None:
        mode = reduction_name(reduction, size_average, reduce)
    else:
        if reduction == "mean":
            warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean'"
                " divides only by the batch size, and aligns with the KL div math definition.'mean' will be changed to"
                " behave the same as 'batchmean' in the next major release.",
            )
        mode = "sum" if reduction == "batchmean" else reduction_name(reduction, None, None)
    check(not (input.is_complex() or target.is_complex()), "kl_div: Complex inputs not supported.")
    if log_target:
        losses = ops.exp(target) * (target - input)
    else:
        losses = ops.xlogy(target, target) - target * input
    result = reduced_tensor(losses, mode)
    return result / input.size(0) if reduction == "batchmean" and input.dim() else result


@composite
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log likelihood of counts under Poisson distributions.

    It is ``exp(input) - target * input``; without ``log_input``, ``input - target * log(input + eps)``. ``full`` adds
    Stirling's approximation of the constant term where the target is above 1.

    >>> torch.nn.functional.poisson_nll_loss(torch.tensor([0., 1.]), torch.tensor([1., 2.]))
    tensor(0.8591)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    losses = ops.exp(input) - target * input if log_input else input - target * ops.log(input + eps)
    if full:
        stirling = target * ops.log(target) - target + 0.5 * ops.log(2 * math.pi * target)
        losses = losses + stirling.masked_fill(target <= 1, 0)
    return reduced_tensor(losses, reduction)


@composite
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Return the negative log likelihood of targets under normal distributions of mean ``input`` and variance ``var``.

    ``var`` has the shape of ``input``, or one variance for its last dimension, or is a number; it counts as at least
    ``eps``. ``full`` adds the constant term. Raises ValueError for negative variances and shapes that do not fit.

    >>> torch.nn.functional.gaussian_nll_loss(torch.tensor([1., 2.]), torch.tensor([1., 4.]), torch.ones(2))
    tensor(1.)
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * ops.ones_like(input)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    have, want = shape_of(var), shape_of(input)
    if have != want:
        if want[:-1] == have:
            var = var.unsqueeze(-1)
        elif len(have) != len(want) or sum(h for w, h in zip(want, have, strict=True) if w != h) != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    losses = 0.5 * (ops.log(var) + (input - target) ** 2 / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced_tensor(losses, reduction)
