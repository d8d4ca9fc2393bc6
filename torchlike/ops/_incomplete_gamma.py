"""The regularised incomplete gamma functions, with PyTorch's limits.

Series and continued fraction are jax's; where the two arguments are large and of one size, Temme's uniform expansion
(DLMF 8.12.7) is, whose error does not grow with them.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from torchlike.ops import _series_tables as tables
from torchlike.ops._series import horner

Array = jax.Array


def lower_gamma(a: Array, x: Array) -> Array:
    """The lower one."""
    return _gamma(a, x)[0]


def upper_gamma(a: Array, x: Array) -> Array:
    """The upper one."""
    return _gamma(a, x)[1]


def _gamma(a: Array, x: Array) -> tuple[Array, Array]:
    usual = (a > 0) & (x > 0) & jnp.isfinite(a) & jnp.isfinite(x)
    mu = (x - a) / jnp.where(usual, a, 1)
    alike = usual & (a > 20) & (jnp.abs(mu) < 0.55)
    others = usual & ~alike
    plain_a, plain_x = jnp.where(others, a, 1), jnp.where(others, x, 1)
    like_lower, like_upper = _temme(jnp.where(alike, a, 30), jnp.where(alike, mu, 0))
    lower = jnp.where(alike, like_lower, lax.igamma(plain_a, plain_x))
    upper = jnp.where(alike, like_upper, lax.igammac(plain_a, plain_x))
    # In the order in which PyTorch asks.
    limit = jnp.where(jnp.isinf(x), 1.0, jnp.nan)
    limit = jnp.where(jnp.isinf(a), jnp.where(jnp.isinf(x), jnp.nan, 0.0), limit)
    limit = jnp.where(x == 0, 0.0, limit)
    limit = jnp.where(a == 0, jnp.where(x > 0, 1.0, jnp.nan), limit)
    limit = jnp.where((a < 0) | (x < 0), jnp.nan, limit).astype(a.dtype)
    return jnp.where(usual, lower, limit), jnp.where(usual, upper, 1 - limit)


def _temme(a: Array, mu: Array) -> tuple[Array, Array]:
    # Half the square of eta, mu - log(1 + mu), without the cancellation: the logarithm is 2 artanh(y).
    y = mu / (mu + 2)
    square = y * y
    tail = jnp.zeros_like(y)
    for k in range(21, 0, -1):
        tail = tail * square + 1 / (2 * k + 1)
    half = 2 * square / (1 - y) - 2 * y * square * tail
    eta = jnp.sign(mu) * jnp.sqrt(2 * half)
    total = jnp.zeros_like(a)
    for row in reversed(tables.TEMME):
        total = total / a + horner(row, eta)
    rest = jnp.exp(-a * half) / jnp.sqrt(2 * math.pi * a) * total
    scaled = eta * jnp.sqrt(a / 2)
    return 0.5 * lax.erfc(-scaled) - rest, 0.5 * lax.erfc(scaled) + rest
