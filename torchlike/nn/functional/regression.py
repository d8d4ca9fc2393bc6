"""Losses of regression: differences between an input and a target, elementwise."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike import ops
from torchlike._core.dispatch import shape_of
from torchlike._core.op import DEFAULT, Array, composite, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike._core.warn import warn
from torchlike.nn.functional._shared import reduction_name
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, refuse

__all__ = ["l1_loss", "mse_loss"]

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
