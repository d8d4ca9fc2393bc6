"""Modified Bessel functions, plain and scaled by an exponential (DLMF 10.31, 10.40)."""

from __future__ import annotations

import jax.numpy as jnp
import jax.scipy.special as jsp
from jax import lax

from torchlike._core.op import INT_TO_FLOAT, Array, defvjp, op
from torchlike.ops import _series_tables as tables
from torchlike.ops._checks import COMPLEX, FLOAT8, refuse, stepwise
from torchlike.ops._series import polynomial
from torchlike.special._common import no_gradient, refuse_usual

__all__ = [
    "i0e",
    "i1",
    "i1e",
    "modified_bessel_i0",
    "modified_bessel_i1",
    "modified_bessel_k0",
    "modified_bessel_k1",
    "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
]


# The first kind ------------------------------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT, node="SpecialI0EBackward0")
def i0e(input: Array) -> Array:
    """Return the modified Bessel function of the first kind of order 0 times ``exp(-abs(input))``.

    >>> torch.special.i0e(torch.tensor([0.0, 1.0, 100.0]))
    tensor([1.0000, 0.4658, 0.0399])
    """
    refuse("i0e_cpu", input, COMPLEX, FLOAT8)
    return lax.bessel_i0e(input)


@defvjp(i0e)
def _(grad, inputs, outputs):
    (x,), (result,) = inputs, outputs
    r = stepwise()
    return (grad * r(r(_i1e(x)) - r(jnp.sign(x) * result)),)


@op(promote=INT_TO_FLOAT)
def i1(input: Array) -> Array:
    """Return the modified Bessel function of the first kind of order 1.

    >>> torch.special.i1(torch.tensor([0.0, 1.0, -2.0]))
    tensor([ 0.0000,  0.5652, -1.5906])
    """
    refuse("i1_cpu", input, COMPLEX, FLOAT8)
    return _i1(input)


def _i0(x: Array) -> Array:
    return jnp.exp(jnp.abs(x)) * lax.bessel_i0e(x)


def _i1e(x: Array) -> Array:
    value = lax.bessel_i1e(jnp.abs(x))
    return jnp.where(x < 0, -value, value)  # a zero of either sign gives 0


def _i1(x: Array) -> Array:
    return jnp.exp(jnp.abs(x)) * _i1e(x)


def _by_argument(x: Array, value: Array) -> Array:
    """``value / x``, and what it tends to at 0."""
    return jnp.where(x == 0, 0.5, value / jnp.where(x == 0, 1, x))


@defvjp(i1)
def _(grad, inputs, outputs):
    (x,), (result,) = inputs, outputs
    return (grad * (_i0(x) - _by_argument(x, result)),)


@op(promote=INT_TO_FLOAT, node="SpecialI1EBackward0")
def i1e(input: Array) -> Array:
    """Return the modified Bessel function of the first kind of order 1 times ``exp(-abs(input))``.

    >>> torch.special.i1e(torch.tensor([0.0, 1.0, 100.0]))
    tensor([0.0000, 0.2079, 0.0397])
    """
    refuse("i1e_cpu", input, COMPLEX, FLOAT8)
    return _i1e(input)


@defvjp(i1e)
def _(grad, inputs, outputs):
    (x,), (result,) = inputs, outputs
    return (grad * (lax.bessel_i0e(x) - jnp.sign(x) * result - _by_argument(x, result)),)


@op(promote=INT_TO_FLOAT)
def modified_bessel_i0(input: Array) -> Array:
    """Return the modified Bessel function of the first kind of order 0. There is no gradient; :func:`i0` has one.

    >>> torch.special.modified_bessel_i0(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    refuse_usual("modified_bessel_i0", input)
    return _i0(input)


@op(promote=INT_TO_FLOAT)
def modified_bessel_i1(input: Array) -> Array:
    """Return the modified Bessel function of the first kind of order 1. There is no gradient; :func:`i1` has one.

    >>> torch.special.modified_bessel_i1(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.5652])
    """
    refuse_usual("modified_bessel_i1", input)
    return _i1(input)


# The second kind -----------------------------------------------------------------------------------------------------


def _k0(x: Array, *, scaled: bool) -> Array:
    near = jnp.where(x <= 2, x, 1)
    close = polynomial(tables.K0, near * near, 0, 4) - jnp.log(0.5 * near) * jsp.i0(near)
    return _decaying(x, close, tables.K0_SCALED, scaled=scaled)


def _k1(x: Array, *, scaled: bool) -> Array:
    near = jnp.where(x <= 2, x, 1)
    close = jnp.log(0.5 * near) * jsp.i1(near) + polynomial(tables.K1, near * near, 0, 4) / near
    return _decaying(x, close, tables.K1_SCALED, scaled=scaled)


def _decaying(x: Array, close: Array, table: tuple[float, ...], *, scaled: bool) -> Array:
    """The value from that for x <= 2 and the table for larger x."""
    far = jnp.where(x <= 2, 4, x)
    distant = polynomial(table, 2 / far, 0, 1) / jnp.sqrt(far)
    if scaled:
        close = close * jnp.exp(jnp.minimum(x, 2))
    else:
        distant = distant * jnp.exp(-far)
    value = jnp.where(x <= 2, close, distant)
    return jnp.where(x == 0, jnp.inf, jnp.where(x < 0, jnp.nan, value))


@op(promote=INT_TO_FLOAT)
def modified_bessel_k0(input: Array) -> Array:
    """Return the modified Bessel function of the second kind of order 0: nan below 0, inf at 0. There is no gradient.

    >>> torch.special.modified_bessel_k0(torch.tensor([0.0, 1.0]))
    tensor([   inf, 0.4210])
    """
    refuse_usual("modified_bessel_k0", input)
    return _k0(input, scaled=False)


@op(promote=INT_TO_FLOAT)
def modified_bessel_k1(input: Array) -> Array:
    """Return the modified Bessel function of the second kind of order 1: nan below 0, inf at 0. There is no gradient.

    >>> torch.special.modified_bessel_k1(torch.tensor([0.0, 1.0]))
    tensor([   inf, 0.6019])
    """
    refuse_usual("modified_bessel_k1", input)
    return _k1(input, scaled=False)


@op(promote=INT_TO_FLOAT)
def scaled_modified_bessel_k0(input: Array) -> Array:
    """Return the modified Bessel function of the second kind of order 0 times ``exp(input)``. There is no gradient.

    >>> torch.special.scaled_modified_bessel_k0(torch.tensor([1.0, 100.0]))
    tensor([1.1445, 0.1252])
    """
    refuse_usual("scaled_modified_bessel_k0", input)
    return _k0(input, scaled=True)


@op(promote=INT_TO_FLOAT)
def scaled_modified_bessel_k1(input: Array) -> Array:
    """Return the modified Bessel function of the second kind of order 1 times ``exp(input)``. There is no gradient.

    >>> torch.special.scaled_modified_bessel_k1(torch.tensor([1.0, 100.0]))
    tensor([1.6362, 0.1258])
    """
    refuse_usual("scaled_modified_bessel_k1", input)
    return _k1(input, scaled=True)


for _function in (
    modified_bessel_i0,
    modified_bessel_i1,
    modified_bessel_k0,
    modified_bessel_k1,
    scaled_modified_bessel_k0,
    scaled_modified_bessel_k1,
):
    defvjp(_function)(no_gradient)
