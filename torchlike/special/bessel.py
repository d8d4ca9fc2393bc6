"""Bessel functions of the first and second kind, the spherical one of order 0, and Airy's function.

For small arguments these are polynomials beside the logarithmic part (DLMF 10.8), for large ones an amplitude and a
phase (DLMF 10.17, 9.7); tools/series.py computes the polynomials. The phase is rounded in the dtype of the argument, as
PyTorch's is.
"""

from __future__ import annotations

import math
from typing import Final

import jax.numpy as jnp

from torchlike._core.op import INT_TO_FLOAT, Array, defvjp, op
from torchlike.ops import _series_tables as tables
from torchlike.ops._series import polynomial
from torchlike.special._common import no_gradient, refuse_usual

__all__ = ["airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "spherical_bessel_j0"]

_J0_ZERO: Final = 2.404825557695773
_J0_ZERO_REST: Final = -1.176691651530894e-16
_J1_ZERO: Final = 3.8317059702075125
_J1_ZERO_REST: Final = -1.526918409008807e-16


def _near_zero(x: Array, zero: float, rest: float) -> Array:
    """``x**2`` less the square of a zero, precise beside it."""
    return ((x - zero) - rest) * (x + zero)


def _small_j0(x: Array) -> Array:
    return _near_zero(x, _J0_ZERO, _J0_ZERO_REST) * polynomial(tables.J0, x * x, 0, 25)


def _small_j1(x: Array) -> Array:
    return x * _near_zero(x, _J1_ZERO, _J1_ZERO_REST) * polynomial(tables.J1, x * x, 0, 25)


def _wave(x: Array, order: int) -> tuple[Array, Array]:
    """J and Y for x > 5."""
    squared = 25 / (x * x)
    p = polynomial(tables.P1 if order else tables.P0, squared, 0, 1)
    q = polynomial(tables.Q1 if order else tables.Q0, squared, 0, 1) * (5 / x)
    phase = x - jnp.asarray((0.75 if order else 0.25) * math.pi, x.dtype)
    sine, cosine = jnp.sin(phase), jnp.cos(phase)
    amplitude = math.sqrt(2 / math.pi) / jnp.sqrt(x)
    return (p * cosine - q * sine) * amplitude, (p * sine + q * cosine) * amplitude


def _parts(x: Array) -> tuple[Array, Array, Array]:
    """Whether the absolute value is small, and the values with which the two forms are evaluated."""
    size = jnp.abs(x)
    small = size <= 5
    return small, jnp.where(small, size, 1), jnp.where(small, 10, size)


@op(promote=INT_TO_FLOAT)
def bessel_j0(input: Array) -> Array:
    """Return the Bessel function of the first kind of order 0. There is no gradient.

    >>> torch.special.bessel_j0(torch.tensor([0.0, 1.0, 10.0]))
    tensor([ 1.0000,  0.7652, -0.2459])
    """
    refuse_usual("bessel_j0", input)
    small, near, far = _parts(input)
    value = jnp.where(small, _small_j0(near), _wave(far, 0)[0])
    return jnp.where(input == 0, 1, value)


@op(promote=INT_TO_FLOAT)
def bessel_j1(input: Array) -> Array:
    """Return the Bessel function of the first kind of order 1. There is no gradient.

    >>> torch.special.bessel_j1(torch.tensor([0.0, 1.0, 10.0]))
    tensor([0.0000, 0.4401, 0.0435])
    """
    refuse_usual("bessel_j1", input)
    small, near, far = _parts(input)
    # An odd function: the sign of the argument, of zero too, is that of the value.
    value = jnp.where(small, _small_j1(near), _wave(far, 1)[0])
    return jnp.where(jnp.signbit(input), -value, value)


@op(promote=INT_TO_FLOAT)
def bessel_y0(input: Array) -> Array:
    """Return the Bessel function of the second kind of order 0: nan below 0, -inf at 0. There is no gradient.

    >>> torch.special.bessel_y0(torch.tensor([0.0, 1.0, 10.0]))
    tensor([  -inf, 0.0883, 0.0557])
    """
    refuse_usual("bessel_y0", input)
    small, near, far = _parts(input)
    close = polynomial(tables.Y0, near * near, 0, 25) + 2 / math.pi * jnp.log(near) * _small_j0(near)
    return _second_kind(input, jnp.where(small, close, _wave(far, 0)[1]))


@op(promote=INT_TO_FLOAT)
def bessel_y1(input: Array) -> Array:
    """Return the Bessel function of the second kind of order 1: nan below 0, -inf at 0. There is no gradient.

    >>> torch.special.bessel_y1(torch.tensor([0.0, 1.0, 10.0]))
    tensor([   -inf, -0.7812,  0.2490])
    """
    refuse_usual("bessel_y1", input)
    small, near, far = _parts(input)
    logarithmic = _small_j1(near) * jnp.log(near) - 1 / near
    close = near * polynomial(tables.Y1, near * near, 0, 25) + 2 / math.pi * logarithmic
    return _second_kind(input, jnp.where(small, close, _wave(far, 1)[1]))


def _second_kind(x: Array, value: Array) -> Array:
    return jnp.where(x == 0, -jnp.inf, jnp.where(x < 0, jnp.nan, value))


@op(promote=INT_TO_FLOAT)
def spherical_bessel_j0(input: Array) -> Array:
    """Return the spherical Bessel function of the first kind of order 0, ``sin(input) / input``. There is no gradient.

    >>> torch.special.spherical_bessel_j0(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.8415])
    """
    refuse_usual("spherical_bessel_j0", input)
    x = input
    infinite = jnp.isinf(x)
    usual = jnp.where(infinite | (x == 0), 1, x)
    return jnp.where(infinite, 0, jnp.where(x == 0, 1, jnp.sin(usual) / usual))


@op(promote=INT_TO_FLOAT)
def airy_ai(input: Array) -> Array:
    """Return Airy's function Ai. There is no gradient.

    >>> torch.special.airy_ai(torch.tensor([-2.0, 0.0, 2.0]))
    tensor([0.2274, 0.3550, 0.0349])
    """
    refuse_usual("airy_ai", input)
    x = input
    centre = polynomial(tables.AIRY_CENTRE, jnp.clip(x, -1, 2), -1, 2)
    left = polynomial(tables.AIRY_LEFT, jnp.clip(x, -5, -1), -5, -1)
    value = jnp.where(x < 2, jnp.where(x < -1, jnp.where(x < -5, _airy_wave(x), left), centre), _airy_decay(x))
    return jnp.where(jnp.isinf(x) | jnp.isnan(x), jnp.nan, value)


def _airy_wave(x: Array) -> Array:
    size = -jnp.minimum(x, -5)
    root = jnp.sqrt(size)
    zeta = 2 * size * root / 3
    squared = 1 / (zeta * zeta)
    p = polynomial(tables.AIRY_P, squared, 0, 0.02)
    q = polynomial(tables.AIRY_Q, squared, 0, 0.02) / zeta
    theta = zeta + jnp.asarray(0.25 * math.pi, x.dtype)
    return (jnp.sin(theta) * p - jnp.cos(theta) * q) * (1 / math.sqrt(math.pi)) / jnp.sqrt(root)


def _airy_decay(x: Array) -> Array:
    size = jnp.clip(x, 2, 110)
    root = jnp.sqrt(size)
    zeta = 2 * size * root / 3
    value = polynomial(tables.AIRY_DECAY, 1 / zeta, 0, 0.5625)
    value = value * jnp.exp(-zeta) * (0.5 / math.sqrt(math.pi)) / jnp.sqrt(root)
    return jnp.where(x > 103.892, 0, value)


for _function in (airy_ai, bessel_j0, bessel_j1, bessel_y0, bessel_y1, spherical_bessel_j0):
    defvjp(_function)(no_gradient)
