"""What reparametrised weights are computed with."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike import ops
from torchlike._core.op import Array, op

Tensor = Any


@op(method=False, out=False, node="WeightNormInterfaceBackward0")
def _weight_norm_interface(v: Array, g: Array, dim: int) -> Array:
    """The directions ``v`` with the lengths ``g``; each index of ``dim``, the first or the last, has one."""
    axes = tuple(axis for axis in range(v.ndim) if axis != dim)
    wide = v.astype(jnp.float32) if v.dtype in (jnp.float16, jnp.bfloat16) else v
    length = jnp.sqrt(jnp.sum(wide * wide, axes, keepdims=True))
    return (wide * (g.astype(wide.dtype) / length)).astype(v.dtype)


def weight_norm_of(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """Return ``v`` with the lengths ``g`` over all dimensions but ``dim``; -1 means one length for all."""
    if v.dtype is g.dtype and dim in (0, v.dim() - 1):
        return _weight_norm_interface(v, g, dim)
    return v * (g / ops.norm_except_dim(v, 2, dim))


@op(method=False, out=False)
def _power_iterations(
    matrix: Array, u: Array, v: Array, count: int, eps: float, left_first: bool
) -> tuple[Array, Array]:
    """The singular vectors of the largest singular value, improved by so many steps."""

    def normalized(x: Array) -> Array:
        return x / jnp.maximum(jnp.sqrt(jnp.sum(jnp.real(x * jnp.conj(x)))), jnp.asarray(eps, jnp.finfo(x.dtype).dtype))

    for _ in range(count):
        if left_first:
            u = normalized(jnp.matmul(matrix, v, precision=lax.Precision.HIGHEST))
        v = normalized(jnp.matmul(jnp.conj(matrix).T, u, precision=lax.Precision.HIGHEST))
        if not left_first:
            u = normalized(jnp.matmul(matrix, v, precision=lax.Precision.HIGHEST))
    return u, v


def power_iterations(
    matrix: Tensor, u: Tensor, v: Tensor, count: int, eps: float, *, left_first: bool
) -> tuple[Tensor, Tensor]:
    """Return better singular vectors ``u`` and ``v``; ``left_first`` says whose turn comes first in a step."""
    return _power_iterations(matrix, u, v, count, float(eps), left_first)
