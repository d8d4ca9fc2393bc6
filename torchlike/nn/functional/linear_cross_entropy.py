"""The cross entropy of a linear map, without all its logits at once where asked."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from torchlike._core.op import Array, composite, op
from torchlike._core.warn import warn
from torchlike.nn.functional._shared import seen_on_host
from torchlike.nn.functional.classification import cross_entropy
from torchlike.nn.functional.linear import linear

__all__ = ["linear_cross_entropy"]

Tensor = Any


def _classes_known(input: Any, linear_weight: Any, target: Any, *rest: Any) -> None:
    values = seen_on_host(target)
    if values is None:
        return
    classes, ignored = linear_weight.shape[0], next(r for r in rest if type(r) is int)
    bad = values[((values < 0) | (values >= classes)) & (values != ignored)]
    if bad.size:
        raise RuntimeError(f"index {int(bad.flat[0])} is out of bounds for dimension 1 with size {classes}")


@op(method=False, out=False, check=_classes_known)
def _linear_cross_entropy(
    input: Array,
    linear_weight: Array,
    target: Array,
    linear_bias: Array | None,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
    chunk: int,
) -> Array:
    """The losses, chunk of rows by chunk of rows; the backward makes the logits of each chunk again."""
    rows = input.shape[0]
    count = -(-rows // chunk)
    padded = jnp.pad(input, ((0, count * chunk - rows), (0, 0))).reshape(count, chunk, -1)
    classes = jnp.pad(target, (0, count * chunk - rows), constant_values=ignore_index).reshape(count, chunk)
    wide = jnp.float32 if input.dtype in (jnp.float16, jnp.bfloat16) else input.dtype

    @jax.checkpoint
    def of_chunk(x: Array, indices: Array) -> tuple[Array, Array]:
        logits = lax.dot_general(
            x, linear_weight, (((1,), (1,)), ((), ())), precision=lax.Precision.HIGHEST, preferred_element_type=wide
        )
        if linear_bias is not None:
            logits = logits + linear_bias.astype(wide)
        kept = indices != ignore_index
        safe = jnp.where(kept, indices, 0)
        own = jnp.take_along_axis(logits, safe[:, None], 1)[:, 0]
        share = jnp.ones((), wide) if weight is None else weight.astype(wide)[safe]
        share = jnp.where(kept, share, 0)
        return (jax.nn.logsumexp(logits, 1) - own) * share, share

    losses, shares = lax.map(lambda part: of_chunk(*part), (padded, classes))
    if reduction == "none":
        return losses.reshape(-1)[:rows].astype(input.dtype)
    total = jnp.sum(losses)
    return (total if reduction == "sum" else total / jnp.sum(shares)).astype(input.dtype)


@composite
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Return the cross entropy of ``input @ linear_weight.T + linear_bias``: ``linear``, then ``cross_entropy``.

    Shapes: (n, in) or (in), (classes, in) or (classes, d1, ..., in), and targets as ``cross_entropy`` takes them. With
    ``options`` (a ``LinearCrossEntropyOptions``) the rows are taken in chunks, and the logits of all rows are never
    there at once. Raises RuntimeError for shapes that do not fit.

    >>> F = torch.nn.functional
    >>> F.linear_cross_entropy(torch.tensor([[1., 0.]]), torch.eye(2), torch.tensor([0]))
    tensor(0.3133)
    """
    if not 1 <= input.dim() <= 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    batch, features = tuple(input.shape[:-1]), input.shape[-1]
    if features != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got"
            f" {features} and {linear_weight.shape[-1]}, respectively"
        )
    outer = tuple(linear_weight.shape[:-1])  # the classes, and the positions of a loss of several
    if linear_bias is not None and tuple(linear_bias.shape) != outer:
        raise RuntimeError(f"expected linear_bias shape {outer}, got {tuple(linear_bias.shape)}")
    if len(outer) > 1 and not batch:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input,"
            f" (N, {features}), got unbatched input with shape {tuple(input.shape)}"
        )
    if tuple(target.shape) == (*batch, *outer) and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    if options is not None:
        known = reduction in ("mean", "sum", "none")
        if known and label_smoothing == 0 and target.dtype.name == "int64" and len(outer) == 1:
            return _in_chunks(
                input, linear_weight, target, linear_bias, weight, ignored, reduction, options, unbatched=not batch
            )
        warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {'mean','sum','none'},"
            " label_smoothing == 0, target.dtype == int64, out_features == (). Got"
            f" reduction={reduction!r}, label_smoothing={label_smoothing}, target.dtype={target.dtype},"
            f" out_features={outer[1:]}, tracing=False,"
            f" linear_bias.shape={tuple(linear_bias.shape) if linear_bias is not None else None}."
        )
    if len(outer) > 1:
        linear_weight = linear_weight.reshape((math.prod(outer), features))
        if linear_bias is not None:
            linear_bias = linear_bias.reshape(math.prod(outer))
    logits = linear(input, linear_weight, linear_bias).reshape((*batch, *outer))
    return cross_entropy(
        logits,
        target,
        weight=weight,
        reduction=reduction,
        ignore_index=ignored,
        label_smoothing=label_smoothing,
    )


def _in_chunks(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    linear_bias: Tensor | None,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    options: Any,
    *,
    unbatched: bool,
) -> Tensor:
    if unbatched:
        input, target = input.unsqueeze(0), target.unsqueeze(0)
    chunk = options.rows_per_chunk(input.shape[0], input.shape[1], linear_weight.shape[0])
    result = _linear_cross_entropy(input, linear_weight, target, linear_bias, weight, ignore_index, reduction, chunk)
    return result.squeeze(0) if unbatched else result
