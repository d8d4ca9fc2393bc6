"""Losses of classifiers: negative log likelihood, cross entropy, binary cross entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.nn.functional._shared import (
    expect_tensor,
    ndim,
    not_differentiable,
    reduced,
    reduction_name,
    seen_on_host,
)
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, refuse
from torchlike.ops._geometry import show
from torchlike.ops.softmax import log_softmax_body

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss"]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Class indices


def _check_classes(input: Array, target: Array, weight: Array | None) -> None:
    """The shapes and dtypes of log probabilities (n, classes, ...) and class indices (n, ...)."""
    check(
        target.dtype in (jnp.int64, jnp.uint8),
        f"expected target dtype to be Long or Byte, but got {scalar_type(target.dtype)}",
    )
    classes = input.shape[1] if input.ndim > 1 else input.shape[0]
    if input.ndim <= 2:
        check(target.ndim <= 1, "0D or 1D target tensor expected, multi-target not supported")
        if input.ndim == 1 and target.ndim == 1 and target.shape[0] != 1:
            raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {target.shape[0]}")
    elif input.ndim == 4:
        check(
            target.ndim == 3,
            f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {target.ndim}",
        )
        check(
            input.shape[2:] == target.shape[1:],
            f"size mismatch (got input: {show(input.shape)} , target: {show(target.shape)}",
        )
    else:
        wanted = (input.shape[0], *input.shape[2:])
        check(target.shape == wanted, f"Expected target size {show(wanted)}, got {show(target.shape)}")
    if weight is not None:
        check(
            weight.shape == (classes,),
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of"
            f" shape: {show(weight.shape)}",
        )
        check(
            weight.dtype == input.dtype,
            f"expected scalar type {scalar_type(input.dtype)} but found {scalar_type(weight.dtype)}",
        )


def _in_bounds(input: Any, target: Any, *rest: Any) -> None:
    """Refuse class indices that are none; on an accelerator nobody waits for the values to tell."""
    values = seen_on_host(target)
    if values is None or values.dtype not in (np.int64, np.uint8) or not values.size:
        return
    shape = dispatch.shape_of(input)
    classes = shape[1] if len(shape) > 1 else shape[0]
    ignore_index = next(r for r in rest if type(r) is int)
    low, high = int(values.min()), int(values.max())
    if low >= 0 and high < classes:
        return
    bad = values[((values < 0) | (values >= classes)) & (values != ignore_index)]
    if bad.size:
        raise IndexError(f"Target {int(bad.flat[0])} is out of bounds.")


def _class_axis(input: Array) -> int:
    return 1 if input.ndim > 1 else 0


def _opmath(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def _weights_of(target: Array, weight: Array | None, ignore_index: int, dtype: Any) -> tuple[Array, Array]:
    """The indices, safe to look up with, and the weight of every element's class; 0 for those ignored."""
    kept = (
        target != jnp.asarray(ignore_index).astype(target.dtype)
        if -1 < ignore_index < 256 or target.dtype != jnp.uint8
        else jnp.ones(target.shape, bool)
    )
    safe = jnp.where(kept, target, 0).astype(jnp.int32)
    of_class = jnp.ones((), dtype) if weight is None else _opmath(weight)[safe]
    return safe, jnp.where(kept, of_class, 0)


def _looked_up(x: Array, index: Array, axis: int) -> Array:
    """The element of ``x`` along the class axis that each index names."""
    if x.ndim == 1:
        return x[index]
    return jnp.squeeze(jnp.take_along_axis(x, jnp.expand_dims(index, axis), axis), axis)


def _summed(losses: Array, weights: Array, reduction: str) -> Array:
    if reduction == "none":
        return losses
    total = jnp.sum(losses)
    return total if reduction == "sum" else total / jnp.sum(weights)


def _spread(grad: Array, weights: Array, reduction: str) -> Array:
    """The gradient of every element's own loss, times its weight."""
    if reduction == "none":
        return _opmath(grad) * weights
    coefficient = _opmath(grad) if reduction == "sum" else _opmath(grad) / jnp.sum(weights)
    # All elements ignored: the mean is nan, and nothing flows.
    return jnp.where(weights == 0, 0, coefficient * weights)


def _chosen(input: Array, index: Array) -> Array:
    """Where an array of the input's shape stands for the class of its element."""
    axis = _class_axis(input)
    classes = jax.lax.broadcasted_iota(jnp.int32, input.shape, axis)
    return classes == (jnp.expand_dims(index, axis) if input.ndim > 1 else index)


@op(method=False, check=_in_bounds, node=lambda pattern, node, **_: node)
def _nll(input: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str, node: str) -> Array:
    """The negative log likelihood of classes, from log probabilities."""
    _check_classes(input, target, weight)
    refuse(
        "nll_loss_out_frame" if input.ndim <= 2 else "nll_loss2d_forward_out_frame",
        input,
        BOOL,
        INTEGERS,
        BARE,
        COMPLEX,
    )
    x = _opmath(input)
    index, weights = _weights_of(target, weight, ignore_index, x.dtype)
    losses = -_looked_up(x, index, _class_axis(input)) * weights
    # What is ignored counts as nothing, whatever the input is there.
    losses = jnp.where(weights == 0, 0, losses) if weight is None else losses
    return _summed(losses, weights, reduction).astype(input.dtype)


@defvjp(_nll)
def _(grad, inputs, outputs, ignore_index, reduction, node):
    input, target, weight = inputs
    index, weights = _weights_of(target, weight, ignore_index, _opmath(input).dtype)
    coefficient = -_spread(grad, weights, reduction)
    wide = jnp.expand_dims(coefficient, _class_axis(input)) if input.ndim > 1 else coefficient
    return jnp.where(_chosen(input, index), wide, 0), None, None


def _log_softmax(input: Array) -> Array:
    """As ``log_softmax`` over the classes: rounded to the input's type in between."""
    if input.ndim == 1 or input.ndim == 2:
        kernel = "log_softmax_lastdim_kernel_impl"
    else:
        kernel = "softmax_kernel_impl"
    refuse(kernel, input, BOOL, INTEGERS, BARE, COMPLEX)
    return log_softmax_body(_opmath(input), _class_axis(input), input.dtype)


@op(method=False, check=_in_bounds, node=lambda pattern, node, **_: node)
def _cross_entropy(
    input: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str, node: str
) -> Array:
    """The cross entropy of classes, from logits."""
    logs = _log_softmax(input)
    _check_classes(input, target, weight)
    index, weights = _weights_of(target, weight, ignore_index, logs.dtype)
    losses = jnp.where(weights == 0, 0, -_looked_up(logs, index, _class_axis(input)) * weights)
    return _summed(losses, weights, reduction).astype(input.dtype)


@defvjp(_cross_entropy)
def _(grad, inputs, outputs, ignore_index, reduction, node):
    input, target, weight = inputs
    logs = _log_softmax(input)
    index, weights = _weights_of(target, weight, ignore_index, logs.dtype)
    coefficient = rounded(_spread(grad, weights, reduction), input.dtype)
    wide = jnp.expand_dims(coefficient, _class_axis(input)) if input.ndim > 1 else coefficient
    return (jnp.exp(logs) - _chosen(input, index).astype(logs.dtype)) * wide, None, None


@op(method=False, check=_in_bounds, node="AddBackward0")
def _smoothed_cross_entropy(
    input: Array, target: Array, weight: Array | None, label_smoothing: float, ignore_index: int, reduction: str
) -> Array:
    """The cross entropy of classes mixed with that of the uniform distribution."""
    logs = _log_softmax(input)
    _check_classes(input, target, weight)
    axis = _class_axis(input)
    index, weights = _weights_of(target, weight, ignore_index, logs.dtype)
    hit = jnp.where(weights == 0, 0, -_looked_up(logs, index, axis) * weights)
    scale = jnp.ones((), logs.dtype) if weight is None else _along_classes(_opmath(weight), input)
    smooth = -jnp.sum(logs * scale, axis)
    kept = target != jnp.asarray(ignore_index).astype(target.dtype)
    smooth = jnp.where(kept, smooth, 0)
    if reduction == "mean":
        smooth = jnp.sum(smooth) / jnp.sum(weights)
    elif reduction == "sum":
        smooth = jnp.sum(smooth)
    share = label_smoothing / input.shape[axis]
    return ((1 - label_smoothing) * _summed(hit, weights, reduction) + share * smooth).astype(input.dtype)


def _along_classes(values: Array, input: Array) -> Array:
    """One value a class, in a shape that broadcasts with the input."""
    return values.reshape((-1,) + (1,) * (input.ndim - 2)) if input.ndim > 1 else values


@op(method=False, node=lambda pattern, reduction, **_: "DivBackward1" if reduction == "mean" else "NegBackward0")
def _cross_entropy_of_probabilities(
    input: Array, target: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Array:
    """The cross entropy of distributions over the classes, from logits."""
    check(
        jnp.issubdtype(target.dtype, jnp.floating),
        f"Expected floating point type for target with class probabilities, got {scalar_type(target.dtype)}",
    )
    axis = _class_axis(input)
    classes = input.shape[axis] if input.ndim else 1
    check(
        weight is None or weight.shape == (classes,),
        "cross_entropy: weight tensor should be defined either for all "
        f"{classes} classes or no classes but got weight tensor of shape:"
        f" {show(() if weight is None else weight.shape)}",
    )
    logs = _log_softmax(input)
    kind = jnp.promote_types(input.dtype, target.dtype)
    wanted = _opmath(target)
    if label_smoothing > 0:
        wanted = wanted * (1 - label_smoothing) + label_smoothing / classes
    wide = jnp.promote_types(logs.dtype, wanted.dtype)
    terms = rounded(logs.astype(wide) * wanted.astype(wide), kind)
    if weight is not None:
        terms = rounded(terms * _along_classes(_opmath(weight), input).astype(wide), kind)
    if reduction == "none":
        return -jnp.sum(terms, axis).astype(kind)
    total = -jnp.sum(terms)
    return (total if reduction == "sum" else total / max(input.size // classes, 1)).astype(kind)


def _node(dims: int, reduction: str) -> str:
    """The node PyTorch leaves: for more than one spatial layout it reshapes."""
    if dims <= 2:
        return "NllLossBackward0"
    return "ViewBackward0" if reduction == "none" and dims != 4 else "NllLoss2DBackward0"


def _check_batch(input: Tensor, target: Tensor) -> None:
    dims = ndim(input)
    if dims < 1:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if dims > 1:
        batch = input.size(0)
        given = target.size(0) if ndim(target) else 0
        if batch != given:
            raise ValueError(f"Expected input batch_size ({batch}) to match target batch_size ({given}).")


def _check_weight(input: Tensor, weight: Tensor | None) -> None:
    if weight is not None:
        not_differentiable("nll_loss_forward" if ndim(input) <= 2 else "nll_loss2d_forward", weight=weight)


@composite
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log likelihood ``-weight[target] * input[target]`` of classes, from log probabilities.

    Shapes: ``input`` (c), (n, c) or (n, c, d1, ...), ``target`` () , (n) or (n, d1, ...) of class indices. The mean is
    weighted. Targets equal to ``ignore_index`` count for nothing. Raises ValueError, RuntimeError and IndexError as
    PyTorch does for shapes, dtypes and indices that do not fit.

    >>> F = torch.nn.functional
    >>> F.nll_loss(torch.tensor([[-0.5, -1.], [-2., -0.1]]), torch.tensor([0, 1]))
    tensor(0.3000)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    expect_tensor("nll_loss_nd", "self", 1, input)
    _check_batch(input, target)
    _check_weight(input, weight)
    return _nll(input, target, weight, ignore_index, reduction, _node(ndim(input), reduction))


@composite
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of logits (classes in dimension 1, or 0 for a vector) and targets.

    Targets are class indices (int64 or uint8; the input's shape without the classes) or, in the input's own shape,
    probabilities. ``weight`` holds one factor a class; ``ignore_index`` and ``label_smoothing`` as in PyTorch. Raises
    as PyTorch does for shapes, dtypes and indices that do not fit.

    >>> F = torch.nn.functional
    >>> F.cross_entropy(torch.tensor([[1., 2.], [3., 0.]]), torch.tensor([1, 0]))
    tensor(0.1809)
    """
    if size_average is not None or reduce is not None or reduction != "mean":
        reduction = reduction_name(reduction, size_average, reduce)
    expect_tensor("cross_entropy_loss", "input", 1, input)
    expect_tensor("cross_entropy_loss", "target", 2, target)
    if dispatch.shape_of(input) == dispatch.shape_of(target):
        check(ignore_index < 0, "ignore_index is not supported for floating point target")
        _check_smoothing(label_smoothing)
        return _cross_entropy_of_probabilities(input, target, weight, label_smoothing, reduction)
    if label_smoothing:
        _check_smoothing(label_smoothing)
        _check_batch(input, target)
        _check_weight(input, weight)
        return _smoothed_cross_entropy(input, target, weight, label_smoothing, ignore_index, reduction)
    _check_batch(input, target)
    _check_weight(input, weight)
    return _cross_entropy(input, target, weight, ignore_index, reduction, _node(ndim(input), reduction))


def _check_smoothing(value: float) -> None:
    check(0.0 <= value <= 1.0, f"label_smoothing must be between 0.0 and 1.0. Got: {value:g}")


# ---------------------------------------------------------------------------------------------------------------------
# Yes or no


def _probabilities_only(input: Any, *rest: Any) -> None:
    """Refuse an input outside [0, 1], where its values can be seen."""
    host = seen_on_host(input)
    if host is not None and host.dtype.kind in "fV" and host.size:
        check(not bool(((host < 0) | (host > 1)).any()), "all elements of input should be between 0 and 1")


@op(method=False, check=_probabilities_only, node="BinaryCrossEntropyBackward0")
def _binary_cross_entropy(input: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """The cross entropy of probabilities; its logarithms are at least -100."""
    refuse("binary_cross_entropy", input, BOOL, INTEGERS, BARE, COMPLEX)
    check(
        target.dtype == input.dtype,
        f"Found dtype {scalar_type(target.dtype)} but expected {scalar_type(input.dtype)}",
    )
    x, y, r = _opmath(input), _opmath(target), _stepwise(input)
    losses = r(r(y - 1) * jnp.maximum(r(jnp.log1p(-x)), -100)) - r(y * jnp.maximum(r(jnp.log(x)), -100))
    if weight is not None:
        losses = r(losses) * weight.astype(losses.dtype)
    return reduced(r(losses), reduction).astype(input.dtype)


def _stepwise(like: Array) -> Callable[[Array], Array]:
    """What rounds between steps where a half is given: PyTorch computes such losses operator by operator."""
    return lambda x: rounded(x, like.dtype)


@defvjp(_binary_cross_entropy)
def _(grad, inputs, outputs, reduction):
    input, target, weight = inputs
    x, y, g = _opmath(input), _opmath(target), _opmath(grad)
    scale = g if weight is None else g * weight.astype(g.dtype)
    if reduction == "mean":
        scale = scale / x.size
    r = _stepwise(input)
    by_input = r(g * r(x - y)) / jnp.maximum(r(r(1 - x) * x), 1e-12)
    by_input = (by_input if weight is None else r(by_input) * weight.astype(g.dtype)) / (
        x.size if reduction == "mean" else 1
    )
    by_target = scale * (jnp.log1p(-x) - jnp.log(x))
    return jnp.broadcast_to(by_input, x.shape), jnp.broadcast_to(by_target, x.shape), None


@composite
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``-(target * log(input) + (1 - target) * log(1 - input))`` of probabilities, the logarithms at least -100.

    Raises ValueError for different shapes, RuntimeError for inputs outside [0, 1].

    >>> F = torch.nn.functional
    >>> F.binary_cross_entropy(torch.tensor([0.5, 0.9]), torch.tensor([1., 0.]))
    tensor(1.4979)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    expect_tensor("binary_cross_entropy", "input", 1, input)
    expect_tensor("binary_cross_entropy", "target", 2, target)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is deprecated."
            " Please ensure they have the same size."
        )
    if weight is not None:
        weight = _expanded(weight, input)
    return _binary_cross_entropy(input, target, weight, reduction)


def _expanded(weight: Tensor, input: Tensor) -> Tensor:
    have, want = dispatch.shape_of(weight), dispatch.shape_of(input)
    for back, n in enumerate(reversed(have), 1):
        if back > len(want) or (n != 1 and n != want[-back] and want[-back] != 1):
            raise RuntimeError(
                f"Attempting to broadcast a dimension of length {n} at -{back}! Mismatching argument at index 1 had"
                f" {weight.size()}; but expected shape should be broadcastable to {show(want)}"
            )
    return weight.expand(want)


@op(method=False, node="BinaryCrossEntropyWithLogitsBackward0")
def _binary_cross_entropy_with_logits(
    input: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """The cross entropy of logits, computed without overflow."""
    result = jnp.result_type(input.dtype, target.dtype) if jnp.issubdtype(target.dtype, jnp.inexact) else input.dtype
    check(
        jnp.issubdtype(target.dtype, jnp.inexact),
        f"result type {scalar_type(result)} can't be cast to the desired output type {scalar_type(target.dtype)}",
    )
    refuse("log_sigmoid_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    x, y = _opmath(input), _opmath(target).astype(_opmath(input).dtype)
    r = _stepwise(input)
    log_sigmoid = r(jnp.minimum(x, 0) - jnp.log1p(jnp.exp(-jnp.abs(x))))
    if pos_weight is None:
        losses = r(r(1 - y) * x) - log_sigmoid
    else:
        factor = r(r(r(pos_weight.astype(x.dtype) - 1) * y) + 1)
        losses = r(r(1 - y) * x) - r(factor * log_sigmoid)
    if weight is not None:
        losses = r(losses) * weight.astype(losses.dtype)
    return reduced(r(losses), reduction).astype(input.dtype)


@defvjp(_binary_cross_entropy_with_logits)
def _(grad, inputs, outputs, reduction):
    input, target, weight, pos_weight = inputs
    x, g, r = _opmath(input), _opmath(grad), _stepwise(input)
    y = _opmath(target).astype(x.dtype)
    gate = r(jax.nn.sigmoid(x))
    if pos_weight is None:
        by_input, by_target = r(r(gate - y) * g), r(-g * x)
    else:
        factor = pos_weight.astype(x.dtype)
        positive = r(factor * y)
        by_input = r(r(r(r(r(positive + 1) - y) * gate) - positive) * g)
        sides = r(jax.nn.log_sigmoid(-x)), r(r(jax.nn.log_sigmoid(x)) * factor)
        by_target = r(r(sides[0] - sides[1]) * g)
    if weight is not None:
        by_input, by_target = (r(a * weight.astype(a.dtype)) for a in (by_input, by_target))
    count = x.size if reduction == "mean" else 1
    return by_input / count, by_target / count, None, None


@composite
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return `binary_cross_entropy` of ``sigmoid(input)``, computed without overflow.

    ``pos_weight`` scales the part of the positive targets; it broadcasts. Raises ValueError for different shapes.

    >>> F = torch.nn.functional
    >>> F.binary_cross_entropy_with_logits(torch.tensor([0., 100.]), torch.tensor([1., 0.]))
    tensor(50.3466)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    expect_tensor("binary_cross_entropy_with_logits", "input", 1, input)
    expect_tensor("binary_cross_entropy_with_logits", "target", 2, target)
    if target.size() != input.size():
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    not_differentiable("binary_cross_entropy_with_logits", weight=weight, pos_weight=pos_weight)
    return _binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)
