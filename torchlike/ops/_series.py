"""Evaluation of the fitted polynomials, and the functions on which several operators are built."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from torchlike._core.op import NoDerivative
from torchlike.ops import _series_tables as tables

Array = jax.Array


def polynomial(coefficients: Sequence[float], x: Array, low: float, high: float) -> Array:
    """Evaluate a table of tools/series.py, made for the interval from ``low`` to ``high``."""
    return horner(coefficients, x * (2 / (high - low)) - (high + low) / (high - low))


def horner(coefficients: Sequence[float], t: Array) -> Array:
    """Evaluate a polynomial, highest power first."""
    total = jnp.full_like(t, coefficients[0])
    for c in coefficients[1:]:
        total = total * t + jnp.asarray(c, t.dtype)
    return total


def in_double(function: Callable[..., Array], *arguments: Array) -> Array:
    """A function evaluated in double precision, where the lowering for float32 is good for six digits only."""
    wide = [x.astype(jnp.float64) for x in arguments]
    return function(*wide).astype(arguments[0].dtype)


# The inverse of the error function -----------------------------------------------------------------------------------


def erfinv_body(x: Array) -> Array:
    """The inverse of erf: x times a function of w = -log(1 - x**2), or of its root where that is large."""
    rest = (1 - x) * (1 + x)
    w = -jnp.log(jnp.where(rest > 0, rest, 1))
    root = jnp.sqrt(w)
    centre = polynomial(tables.ERFINV_CENTRE, jnp.minimum(w, 6), 0, 6)
    middle = polynomial(tables.ERFINV_MIDDLE, jnp.clip(root, math.sqrt(6), 4), math.sqrt(6), 4)
    tail = polynomial(tables.ERFINV_TAIL, jnp.clip(root, 4, 6.125), 4, 6.125)
    factor = jnp.where(w < 6, centre, jnp.where(root < 4, middle, tail))
    size = jnp.abs(x)
    factor = jnp.where(size == 1, jnp.inf, jnp.where(size < 1, factor, jnp.nan))
    return x * factor


# The Hurwitz zeta function -------------------------------------------------------------------------------------------

# B(2k) / (2k)!, the coefficients of the Euler-Maclaurin formula (DLMF 25.11.5).
_BERNOULLI: Final = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
    -3617 / 10670622842880000,
    43867 / 5109094217170944000,
    -174611 / 802857662698291200000,
    77683 / 14101100039391805440000,
)
_DIRECT: Final = 10  # terms that are summed as they stand
_SHIFTED: Final = 500  # terms of negative base that are


def _hurwitz(s: Array, q: Array, before: Array | float = 0.0) -> Array:
    """The sum of ``(q + k)**-s`` over k >= 0 for s > 1 and q > 0, added to the terms ``before`` it."""
    total = before + q**-s
    for k in range(1, _DIRECT):
        total = total + (q + k) ** -s
    a = q + _DIRECT
    power = a**-s
    rest = power * (a / (s - 1) + 0.5)
    term = power * (s / a)
    for k, b in enumerate(_BERNOULLI):
        rest = rest + jnp.asarray(b, s.dtype) * term
        term = term * ((s + (2 * k + 1)) / a) * ((s + (2 * k + 2)) / a)
    return total + jnp.where(power > 0, rest, 0)


def _hurwitz_below(s: Array, q: Array) -> Array:
    """The same for negative q and whole s.

    The terms of negative base are added one after the other, for those of odd powers cancel exactly with later ones;
    those of base below -_SHIFTED are a difference of two sums.
    """
    count = jnp.ceil(-q)
    added = jnp.minimum(count, _SHIFTED)
    start = q + (count - added)
    sign = jnp.where(jnp.mod(s, 2) == 0, 1, -1).astype(s.dtype)
    distant = jnp.where(count > added, sign * (_hurwitz(s, 1 - start) - _hurwitz(s, 1 - q)), 0)

    def step(k: Array, total: Array) -> Array:
        return jnp.where(k < added, total + (start + k.astype(s.dtype)) ** -s, total)

    total = lax.fori_loop(0, jnp.max(added, initial=0).astype(jnp.int64), step, distant)
    return _hurwitz(s, start + added, total)


@jax.custom_jvp
def zeta_body(s: Array, q: Array) -> Array:
    """The Hurwitz zeta function with PyTorch's domain: s >= 1, and q below 0 for whole s."""
    usable = (s > 1) & (q > 0)
    plain = _hurwitz(jnp.where(usable, s, 2), jnp.where(usable, q, 1))

    def with_negative(plain: Array) -> Array:
        below = (s > 1) & (q < 0) & (q != jnp.floor(q)) & (s == jnp.floor(s))
        return jnp.where(below, _hurwitz_below(jnp.where(below, s, 2), jnp.where(below, q, -0.5)), plain)

    value = lax.cond(jnp.any(q < 0), with_negative, lambda plain: plain, plain)
    value = jnp.where((q <= 0) & (s != jnp.floor(s)), jnp.nan, value)
    value = jnp.where((q <= 0) & (q == jnp.floor(q)), jnp.inf, value)
    value = jnp.where(s == 1, jnp.inf, jnp.where((s < 1) | (q == jnp.inf), jnp.nan, value))
    return jnp.where(jnp.isnan(s) | jnp.isnan(q), jnp.nan, value)


def _zeta_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    s, q = primals
    if not isinstance(tangents[0], SymbolicZero):
        raise NoDerivative("the derivative for 'zeta' is not implemented.")
    value = zeta_body(s, q)
    if isinstance(tangents[1], SymbolicZero):
        return value, jnp.zeros_like(value)
    return value, tangents[1] * -s * zeta_body(s + 1, q)


zeta_body.defjvp(_zeta_jvp, symbolic_zeros=True)


def trigamma(x: Array) -> Array:
    """The derivative of digamma: by reflection below one half."""
    low = x < 0.5
    value = zeta_body(jnp.full_like(x, 2), jnp.where(low, 1 - x, x))
    value = jnp.where(jnp.isposinf(x), 0, value)
    return jnp.where(low, (math.pi / jnp.sin(math.pi * x)) ** 2 - value, value)


def trigamma32(x: Array) -> Array:
    """The derivative of digamma in single precision: moved up by six, then the asymptotic series.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 6.4.7 and 6.4.12.
    """
    pi = jnp.float32(math.pi)
    low = x < 0.5
    sine = jnp.sin(pi * x)
    value = jnp.where(low, -(pi * pi) / (sine * sine), 0)
    y = jnp.where(low, 1 - x, x)
    for _ in range(6):
        value = value + 1 / (y * y)
        y = y + 1
    z = 1 / (y * y)
    value = value + (1 + 1 / (2 * y) + z * (1 / 6 - z * (1 / 30 - z * (1 / 42)))) / y
    return jnp.where(low, -value, value)
