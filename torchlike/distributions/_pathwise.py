"""The derivative of Dirichlet samples by their concentrations.

Each entry of a sample is a beta variable; with F its distribution function and f its density, what moves the entry
along with its concentration a while F stays as it is, is ``-(dF / da) / f``. The integral in it is computed by
quadrature, on the side of the sample where the integrand is small.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core.op import Array, defvjp, op

Tensor = Any


def _nodes(count: int = 48) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Nodes and weights on (0, 1) of the tanh-sinh rule, which bears logarithms at the ends."""
    t = np.linspace(-3.2, 3.2, count)
    step = t[1] - t[0]
    inner = np.pi / 2 * np.sinh(t)
    u = 1 / (1 + np.exp(-2 * inner))
    return u, step * np.pi / 2 * np.cosh(t) * 2 * u * (1 - u)


_U, _WEIGHTS = _nodes()


def _beta_velocity(x: Array, a: Array, total: Array) -> Array:
    """The derivative of beta samples by their first parameter; ``total`` is the sum of both parameters."""
    given = x.dtype
    tiny = float(np.finfo(given).tiny)
    x, a, total = (jnp.asarray(v, jnp.float64) for v in (x, a, total))
    b = total - a
    shift = lax.digamma(a) - lax.digamma(total)
    x = jnp.clip(x, tiny, 1 - 1e-16)
    y = 1 - x
    left = x <= a / total
    low = jnp.zeros_like(x)
    high = jnp.zeros_like(x)
    for u, weight in zip(_U.tolist(), _WEIGHTS.tolist(), strict=True):
        log_t = jnp.log(x) + math.log(u) / a
        low = low + weight * jnp.exp((b - 1) * (jnp.log1p(-jnp.exp(log_t)) - jnp.log(y))) * (log_t - shift)
        log_s = jnp.log(y) + math.log(u) / b
        log_t = jnp.log1p(-jnp.exp(log_s))
        high = high + weight * jnp.exp((a - 1) * (log_t - jnp.log(x))) * (log_t - shift)
    return jnp.where(left, -x / a * low, y / b * high).astype(given)


@op(method=False, node="_DirichletBackward")
def _follow_concentration(input: Array, sample: Array) -> Array:
    """Dirichlet samples as a function of their concentrations; the samples are drawn already."""
    return sample + 0 * input


@defvjp(_follow_concentration)
def _(grad: Any, inputs: Any, outputs: Any) -> Any:
    concentration, sample = inputs
    total = jnp.broadcast_to(concentration.sum(-1, keepdims=True), concentration.shape)
    velocity = _beta_velocity(sample, concentration, total)
    return velocity * (grad - (sample * grad).sum(-1, keepdims=True)) / (1 - sample), None
