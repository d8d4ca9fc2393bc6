"""Distances and similarities of vectors."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check, scalar_type, wrap_dim
from torchlike._core.op import DEFAULT, Array, composite, defvjp, op
from torchlike._core.promote import result_type
from torchlike.linalg._common import check_tensors
from torchlike.ops._checks import as_given, stepwise
from torchlike.ops.distances import pdist
from torchlike.ops.norms import vector_norm_body, vector_norm_gradient

__all__ = ["cosine_similarity", "pairwise_distance", "pdist"]

Tensor = Any


@op(method=False, out=False, node="NormBackward1")
def _norm(input: Array, p: float, dim: int, keepdim: bool) -> Array:
    return vector_norm_body(input, p, (dim,), keepdim, None)


@defvjp(_norm)
def _(grad, inputs, outputs, p, dim, keepdim):
    (input,), (result,) = inputs, outputs
    return (vector_norm_gradient(grad, input, result, p, (dim,), keepdim),)


@composite
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Return the p-norms of ``x1 - x2 + eps`` over the last dimension; the inputs broadcast.

    >>> torch.nn.functional.pairwise_distance(torch.tensor([[1., 2.]]), torch.tensor([[1., 5.]]), eps=0.0)
    tensor([3.])
    """
    check_tensors("pairwise_distance", x1=x1, x2=x2)
    last = max(len(dispatch.shape_of(x1)), len(dispatch.shape_of(x2))) - 1
    return _norm(x1 - x2 + float(eps), float(p), last, keepdim)


def _lengths(x: Array, dim: int, eps: float) -> tuple[Array, Array]:
    """The lengths along a dimension, and the same at least ``eps``."""
    length = as_given(jnp.sqrt(jnp.sum(x * x, dim, keepdims=True)))
    return length, jnp.maximum(length, as_given(jnp.asarray(eps, x.dtype)))


@op(promote=DEFAULT, method=False, out=False, node="SumBackward1")
def _cosine_similarity(x1: Array, x2: Array, dim: int, eps: float) -> Array:
    one, two = (as_given(x / _lengths(x, dim, eps)[1]) for x in (x1, x2))
    return jnp.sum(as_given(one * two), dim)


@defvjp(_cosine_similarity)
def _(grad, inputs, outputs, dim, eps):
    x1, x2 = inputs
    g = jnp.expand_dims(grad, dim)
    (raw1, n1), (raw2, n2) = _lengths(x1, dim, eps), _lengths(x2, dim, eps)
    r = stepwise()
    one, two = r(x1 / n1), r(x2 / n2)

    def by(own: Array, other: Array, x: Array, raw: Array, n: Array) -> Array:
        # A length that was raised to eps flows on as if it had not been; where it is 0 nothing does.
        share = r(g * other)
        by_length = r(jnp.sum(r(-share * r(own / n)), dim, keepdims=True))
        slope = r(jnp.where(raw == 0, 0, x / jnp.where(raw == 0, 1, raw)))
        return r(share / n) + r(by_length * slope)

    return by(one, two, x1, raw1, n1), by(two, one, x2, raw2, n2)


@composite
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between vectors along ``dim``; the inputs broadcast.

    Lengths count as at least ``eps``. Raises RuntimeError unless the common dtype is a floating point one.

    >>> torch.nn.functional.cosine_similarity(torch.tensor([[3., 4.]]), torch.tensor([[4., 3.]]))
    tensor([0.9600])
    """
    check_tensors("cosine_similarity", x1=x1, x2=x2)
    kind = result_type(x1, x2)
    check(
        kind.is_floating_point,
        f"expected common dtype to be floating point, yet common dtype is {scalar_type(kind)}",
    )
    shape = broadcast_shapes(dispatch.shape_of(x1), dispatch.shape_of(x2))
    return _cosine_similarity(x1, x2, wrap_dim(dim, len(shape)), float(eps))
