"""Orthogonal polynomials of whole degree, by their recurrences (DLMF 18.9) and, for large degrees, closed forms.

The degree may be an array: the recurrence runs as often as the largest degree asks, and each element stops at its own.
Chebyshev polynomials of large degree on (-1, 1) are trigonometric (DLMF 18.5.1 to 18.5.4) from PyTorch's degrees on, so
that the rounding is PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from torchlike._core.op import INT_TO_FLOAT, Array, ArrayLike, defvjp, op, overloads
from torchlike.ops._checks import refuse_numbers
from torchlike.special._common import no_gradient, refuse_usual

__all__ = [
    "chebyshev_polynomial_t",
    "chebyshev_polynomial_u",
    "chebyshev_polynomial_v",
    "chebyshev_polynomial_w",
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
    "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w",
]

Step = Callable[[Array, Array, Array], Array]  # (degree, last value, the one before) -> value of that degree

_SIGNATURES = (
    "(Tensor x, Tensor n, *, Tensor out = None)",
    "(Number x, Tensor n, *, Tensor out = None)",
    "(Tensor x, Number n, *, Tensor out = None)",
)


def _degree(name: str, x: Array, n: Array) -> Array:
    """The degrees as integers; -1 where there is none."""
    refuse_numbers(f"special_{name}", _SIGNATURES)
    refuse_usual(name, x)
    whole = jnp.where(jnp.abs(n) < 2.0**62, n, -1)
    return whole.astype(jnp.int64)


def _recurrence(first: Array, n: Array, step: Step, done: Array | bool = False) -> Array:
    """The values of degree ``n``; those of negative degree are 0, those that are ``done`` are anything."""
    limit = jnp.max(jnp.where(done, 0, n), initial=0)

    def more(state: tuple[Array, Array, Array]) -> Array:
        return state[0] <= limit

    def advance(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        k, last, before = state
        going = (k <= n) & ~jnp.isnan(last)
        value = step(k.astype(first.dtype), last, before)
        return k + 1, jnp.where(going, value, last), jnp.where(going, last, before)

    start = (jnp.asarray(2, jnp.int64), first, jnp.ones_like(first))
    value = lax.while_loop(more, advance, start)[1]
    return jnp.where(n < 0, 0, jnp.where(n == 0, 1, value))


# Chebyshev's ---------------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """One of the four kinds, by the argument ``y`` on [-1, 1], its arc cosine, and the degree as a number."""

    first: Callable[[Array], Array]  # the value of degree 1
    closed: Callable[[Array, Array], Array]
    right: Callable[[Array], Array]  # the value at 1
    left: Callable[[Array], Array]  # the value at -1, but for its sign


_T = _Kind(lambda y: y, lambda n, t: jnp.cos(n * t), jnp.ones_like, jnp.ones_like)
_U = _Kind(lambda y: y + y, lambda n, t: jnp.sin((n + 1) * t) / jnp.sin(t), lambda n: n + 1, lambda n: n + 1)
_V = _Kind(
    lambda y: y + y - 1, lambda n, t: jnp.cos((n + 0.5) * t) / jnp.cos(t / 2), jnp.ones_like, lambda n: n + n + 1
)
_W = _Kind(
    lambda y: y + y + 1, lambda n, t: jnp.sin((n + 0.5) * t) / jnp.sin(t / 2), lambda n: n + n + 1, jnp.ones_like
)


def _arc(y: Array) -> Array:
    """The arc cosine, correctly rounded in float32: the degree multiplies its error."""
    return jnp.arccos(y.astype(jnp.float64)).astype(y.dtype)


def _chebyshev(kind: _Kind, name: str, x: Array, n: Array, large: int) -> Array:
    """A polynomial of the kind; the closed form serves degrees above ``large``."""
    degree = _degree(name, x, n)
    low, y = (0, x + x - 1) if name.startswith("shifted") else (-1, x)
    real = degree.astype(x.dtype)
    at_end = (x == low) | (x == 1)
    inside = (degree > large) & (jnp.abs(y) < 1)
    value = _recurrence(kind.first(y), degree, lambda k, last, before: (y + y) * last - before, at_end | inside)
    value = jnp.where(inside, kind.closed(real, _arc(jnp.where(inside, y, 0))), value)
    left = jnp.where(degree % 2 == 0, kind.left(real), -kind.left(real))
    value = jnp.where(x == 1, kind.right(real), jnp.where(x == low, left, value))
    return jnp.where(degree < 0, 0, value)


@op(promote=INT_TO_FLOAT)
def chebyshev_polynomial_t(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the first kind and degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 26.])
    """
    return _chebyshev(_T, "chebyshev_polynomial_t", input, n, 6)


@op(promote=INT_TO_FLOAT)
def chebyshev_polynomial_u(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the second kind and degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 56.])
    """
    return _chebyshev(_U, "chebyshev_polynomial_u", input, n, 8)


@op(promote=INT_TO_FLOAT)
def chebyshev_polynomial_v(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the third kind and degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 41.])
    """
    return _chebyshev(_V, "chebyshev_polynomial_v", input, n, 8)


@op(promote=INT_TO_FLOAT)
def chebyshev_polynomial_w(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the fourth kind and degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 71.])
    """
    return _chebyshev(_W, "chebyshev_polynomial_w", input, n, 8)


@op(promote=INT_TO_FLOAT)
def shifted_chebyshev_polynomial_t(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the first kind and degree ``n``, shifted to [0, 1], at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.shifted_chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-0., 99.])
    """
    return _chebyshev(_T, "shifted_chebyshev_polynomial_t", input, n, 6)


@op(promote=INT_TO_FLOAT)
def shifted_chebyshev_polynomial_u(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the second kind and degree ``n``, shifted to [0, 1], at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.shifted_chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([ -0., 204.])
    """
    return _chebyshev(_U, "shifted_chebyshev_polynomial_u", input, n, 6)


@op(promote=INT_TO_FLOAT)
def shifted_chebyshev_polynomial_v(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the third kind and degree ``n``, shifted to [0, 1], at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.shifted_chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([  1., 169.])
    """
    return _chebyshev(_V, "shifted_chebyshev_polynomial_v", input, n, 6)


@op(promote=INT_TO_FLOAT)
def shifted_chebyshev_polynomial_w(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Chebyshev polynomial of the fourth kind and degree ``n``, shifted to [0, 1], at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.shifted_chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([ -1., 239.])
    """
    return _chebyshev(_W, "shifted_chebyshev_polynomial_w", input, n, 4)


# Of Hermite, Laguerre and Legendre -----------------------------------------------------------------------------------


# Above these degrees PyTorch answers nan to a Hermite polynomial.
_HERMITE_LIMITS = {4: 128, 8: 512}


def _bounded(x: Array, n: Array, value: Array) -> Array:
    return jnp.where(n > _HERMITE_LIMITS[x.dtype.itemsize], jnp.nan, value)


@op(promote=INT_TO_FLOAT)
def hermite_polynomial_h(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the physicist's Hermite polynomial of degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.hermite_polynomial_h(torch.tensor([0.5, 2.0]), 3)
    tensor([-5., 40.])
    """
    x, degree = input, _degree("hermite_polynomial_h", input, n)
    # The step for degree k uses 2 (k - 1).
    value = _recurrence(x + x, degree, lambda k, last, before: (x + x) * last - (k + k - 2) * before)
    return _bounded(x, degree, value)


@op(promote=INT_TO_FLOAT)
def hermite_polynomial_he(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the probabilist's Hermite polynomial of degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.hermite_polynomial_he(torch.tensor([0.5, 2.0]), 3)
    tensor([-1.3750,  2.0000])
    """
    x, degree = input, _degree("hermite_polynomial_he", input, n)
    value = _recurrence(x, degree, lambda k, last, before: x * last - (k - 1) * before)
    return _bounded(x, degree, value)


@op(promote=INT_TO_FLOAT)
def laguerre_polynomial_l(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Laguerre polynomial of degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.laguerre_polynomial_l(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.1458, -0.3333])
    """
    x, degree = input, _degree("laguerre_polynomial_l", input, n)
    value = _recurrence(
        1 - x, degree, lambda k, last, before: ((k + k - 2 + (1 - x)) * last - (k - 1) * before) / k, x == 0
    )
    return jnp.where((x == 0) & (degree >= 0), 1, value)


@op(promote=INT_TO_FLOAT)
def legendre_polynomial_p(input: ArrayLike, n: ArrayLike) -> Array:
    """Return the Legendre polynomial of degree ``n`` at ``input``, broadcast.

    A degree is cut to a whole number, and the value for a negative one is 0. There is no gradient.

    >>> torch.special.legendre_polynomial_p(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.4375, 17.0000])
    """
    x, degree = input, _degree("legendre_polynomial_p", input, n)
    at_end = jnp.abs(x) == 1
    value = _recurrence(x, degree, lambda k, last, before: ((k + k - 1) * x * last - (k - 1) * before) / k, at_end)
    end = jnp.where((x > 0) | (degree % 2 == 0), 1, -1).astype(x.dtype)
    return jnp.where(at_end & (degree >= 0), end, value)


for _function in (
    chebyshev_polynomial_t,
    chebyshev_polynomial_u,
    chebyshev_polynomial_v,
    chebyshev_polynomial_w,
    hermite_polynomial_h,
    hermite_polynomial_he,
    laguerre_polynomial_l,
    legendre_polynomial_p,
    shifted_chebyshev_polynomial_t,
    shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v,
    shifted_chebyshev_polynomial_w,
):
    defvjp(_function)(no_gradient)
    overloads(_function, *_SIGNATURES)
