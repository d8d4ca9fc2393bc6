"""Distances between the rows of matrices."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import check_tensors, sum_to
from torchlike.ops._checks import FLOATS, HALF, is_in, refuse

__all__ = ["cdist", "pdist"]

Tensor = Any

_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
# From so many rows on PyTorch takes a matrix product for Euclidean distances.
_MANY = 25


def _norm(difference: Array, p: float) -> Array:
    """The p-norm over the last dimension."""
    size = jnp.abs(difference)
    if p == 0:
        return jnp.sum((difference != 0).astype(difference.dtype), -1)
    if p == 1:
        return jnp.sum(size, -1)
    if p == 2:
        return jnp.sqrt(jnp.sum(difference * difference, -1))
    if p == math.inf:
        return jnp.max(size, -1) if size.shape[-1] else jnp.zeros(size.shape[:-1], size.dtype)
    return jnp.power(jnp.sum(jnp.power(size, p), -1), 1 / p)


def _flow(difference: Array, distance: Array, grad: Array, p: float) -> Array:
    """The gradient of :func:`_norm` by the difference: 0 where the distance is."""
    distance, grad = distance[..., None], grad[..., None]
    nowhere = distance == 0
    safe = jnp.where(nowhere, 1, distance)
    size = jnp.abs(difference)
    if p == 0:
        return jnp.zeros_like(difference)
    if p == 1:
        return jnp.sign(difference) * grad
    if p == 2:
        return jnp.where(nowhere, 0, grad * difference / safe)
    if p == math.inf:
        return jnp.sign(difference) * jnp.where(size == distance, grad, 0)
    if p < 2:
        powered = jnp.where(size == 0, 0, jnp.power(jnp.where(size == 0, 1, size), p - 1))
    else:
        powered = jnp.power(size, p - 1)
    return jnp.where(nowhere, 0, jnp.sign(difference) * powered * grad / jnp.power(safe, p - 1))


def _differences(x1: Array, x2: Array) -> Array:
    return x1[..., :, None, :] - x2[..., None, :, :]


@op(method=False, node="CdistBackward0")
def _cdist(x1: Array, x2: Array, p: float) -> Array:
    """Distances, by the differences themselves."""
    refuse("cdist", x1, HALF)
    return _norm(_differences(x1, x2), p)


@defvjp(_cdist)
def _(grad, inputs, outputs, p):
    (x1, x2), (distance,) = inputs, outputs
    flow = _flow(_differences(x1, x2), distance, grad, p)
    return sum_to(jnp.sum(flow, -2), x1.shape), sum_to(-jnp.sum(flow, -3), x2.shape)


@op(method=False, node="ViewBackward0")
def _euclidean(x1: Array, x2: Array) -> Array:
    """Euclidean distances, by a matrix product: faster for many rows, and less exact for close ones."""
    refuse("cdist", x1, HALF)
    one, two = jnp.sum(x1 * x1, -1)[..., :, None], jnp.sum(x2 * x2, -1)[..., None, :]
    product = jnp.matmul(x1, jnp.swapaxes(x2, -1, -2), precision=lax.Precision.HIGHEST)
    return jnp.sqrt(jnp.maximum(one + two - 2 * product, 0))


@defvjp(_euclidean)
def _(grad, inputs, outputs):
    (x1, x2), (distance,) = inputs, outputs
    ratio = jnp.where(distance == 0, 0, grad / jnp.where(distance == 0, 1, distance))
    turned = jnp.swapaxes(ratio, -1, -2)
    precision = lax.Precision.HIGHEST
    g1 = x1 * jnp.sum(ratio, -1)[..., None] - jnp.matmul(ratio, x2, precision=precision)
    g2 = x2 * jnp.sum(ratio, -2)[..., None] - jnp.matmul(turned, x1, precision=precision)
    return sum_to(g1, x1.shape), sum_to(g2, x2.shape)


@composite(method=False)
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Return the p-norm distances between the rows of ``x1`` (*, P, M) and those of ``x2`` (*, R, M): (*, P, R).

    Takes float32 and float64. ``compute_mode`` says whether Euclidean distances come from a matrix product, by default
    with more than 25 rows. Where a distance is 0, so is its gradient.

    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    tensor([[5., 1.]])
    """
    check_tensors("cdist", x1=x1, x2=x2)
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    a, b = dispatch.shaped(x1), dispatch.shaped(x2)
    check(len(a.shape) >= 2, f"cdist only supports at least 2D tensors, X1 got: {len(a.shape)}D")
    check(len(b.shape) >= 2, f"cdist only supports at least 2D tensors, X2 got: {len(b.shape)}D")
    m, n = a.shape[-1], b.shape[-1]
    check(m == n, f"X1 and X2 must have the same number of columns. X1: {m} X2: {n}")
    for name, x in (("X1", x1), ("X2", x2)):
        check(
            x.is_floating_point(),
            f"cdist only supports floating-point dtypes, {name} got: {scalar_type(x.dtype)}",
        )
    check(p >= 0, "cdist only supports non-negative p values")
    check(
        x1.dtype is x2.dtype,
        f"expected scalar type {scalar_type(x1.dtype)} but found {scalar_type(x2.dtype)}",
    )
    broadcast_shapes(a.shape[:-2], b.shape[:-2])
    rows, others = a.shape[-2], b.shape[-2]
    by_product = compute_mode == _MODES[1] or (compute_mode == _MODES[0] and (rows > _MANY or others > _MANY))
    if p == 2 and by_product and rows and others and m:
        return _euclidean(x1, x2)
    return _cdist(x1, x2, float(p))


def _pairs(rows: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.triu_indices(rows, 1)


@op(method=False, node="PdistBackward0")
def _pdist(input: Array, p: float) -> Array:
    """Distances between all pairs of rows."""
    check(input.ndim == 2, f"pdist only supports 2D tensors, got: {input.ndim}D")
    check(is_in(input, FLOATS), "pdist only supports floating-point dtypes")
    check(p >= 0, "pdist only supports non-negative p values")
    refuse("pdist", input, HALF)
    first, second = _pairs(input.shape[0])
    return _norm(input[first] - input[second], p)


@defvjp(_pdist)
def _(grad, inputs, outputs, p):
    (input,), (distance,) = inputs, outputs
    first, second = _pairs(input.shape[0])
    flow = _flow(input[first] - input[second], distance, grad, p)
    return (jnp.zeros_like(input).at[first].add(flow).at[second].add(-flow),)


@composite(method=False)
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """Return the p-norm distances between all pairs of the N rows of a matrix: N (N - 1) / 2 numbers.

    They are in the order of the upper triangle of ``torch.cdist(input, input)``.

    >>> torch.pdist(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    check_tensors("pdist", input=input)
    return _pdist(input, float(p))
