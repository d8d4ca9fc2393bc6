"""The special functions that ``torch`` itself has: error, gamma, Bessel and logistic functions."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax.numpy as jnp
import jax.scipy.special as jsp
from jax import lax

from torchlike._core import errors
from torchlike._core.op import (
    DEFAULT,
    INT_TO_FLOAT,
    Array,
    ArrayLike,
    NoDerivative,
    composite,
    defvjp,
    op,
    operands_given,
    overloads,
)
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, INTEGERS, as_given, refuse, refuse_numbers, stepwise
from torchlike.ops._incomplete_gamma import lower_gamma, upper_gamma
from torchlike.ops._series import erfinv_body, in_double, trigamma, trigamma32, zeta_body

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "i0",
    "igamma",
    "igammac",
    "lgamma",
    "logit",
    "mvlgamma",
    "polygamma",
    "xlogy",
]


# Error functions -----------------------------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT, inplace="both")
def erf(input: Array) -> Array:
    """Return the error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to each element.

    >>> torch.erf(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    refuse("erf_vml_cpu", input, COMPLEX, FLOAT8)
    return lax.erf(input)


@defvjp(erf)
def _(grad, inputs, outputs):
    (input,) = inputs
    r = stepwise()
    return (r(2 / math.sqrt(math.pi) * r(jnp.exp(-r(input * input)))) * grad,)


@op(promote=INT_TO_FLOAT, inplace="both")
def erfc(input: Array) -> Array:
    """Return ``1 - erf(input)``, precise where that is small.

    >>> torch.erfc(torch.tensor([0.0, 3.0]))
    tensor([1.0000e+00, 2.2090e-05])
    """
    refuse("erfc_vml_cpu", input, COMPLEX, FLOAT8)
    return lax.erfc(input)


@defvjp(erfc)
def _(grad, inputs, outputs):
    (input,) = inputs
    r = stepwise()
    return (r(-2 / math.sqrt(math.pi) * r(jnp.exp(-r(input * input)))) * grad,)


@op(promote=INT_TO_FLOAT, inplace=True)
def erfinv(input: Array) -> Array:
    """Return the number of which each element is the error function; infinite at -1 and 1, nan beyond.

    >>> torch.erfinv(torch.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])
    """
    refuse("erfinv_vml_cpu", input, COMPLEX, FLOAT8)
    return erfinv_body(input)


@defvjp(erfinv)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * (0.5 * math.sqrt(math.pi)) * jnp.exp(result * result),)


# Gamma functions -----------------------------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT, inplace=True)
def lgamma(input: Array) -> Array:
    """Return the logarithm of the absolute value of the gamma function.

    >>> torch.lgamma(torch.tensor([0.5, 5.0]))
    tensor([0.5724, 3.1781])
    """
    refuse("lgamma_vml_cpu", input, COMPLEX, FLOAT8)
    return in_double(lax.lgamma, input)


@defvjp(lgamma)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad * digamma_body(input),)


@op(promote=INT_TO_FLOAT, inplace=True)
def digamma(input: Array) -> Array:
    """Return the derivative of the logarithm of the gamma function.

    >>> torch.digamma(torch.tensor([0.5, 1.0]))
    tensor([-1.9635, -0.5772])
    """
    refuse("digamma", input, COMPLEX, FLOAT8)
    return digamma_body(input)


@defvjp(digamma)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad * _polygamma_as_given(1, input),)


def digamma_body(x: Array) -> Array:
    """Digamma with PyTorch's values at its poles: nan at negative integers, infinite at 0 by the sign of the zero."""
    pole = jnp.copysign(jnp.asarray(jnp.inf, x.dtype), -x)
    return jnp.where(x == 0, pole, lax.digamma(jnp.where(x == 0, 1, x)))


@op(promote=INT_TO_FLOAT, method=False, node="PolygammaBackward0")
def _polygamma(input: Array, n: int) -> Array:
    """The n-th derivative of digamma."""
    refuse({0: "digamma", 1: "trigamma"}.get(n, "polygamma"), input, COMPLEX, FLOAT8)
    return _polygamma_as_given(n, input)


def _polygamma_as_given(n: int, x: Array) -> Array:
    # Near the poles of digamma and its derivative PyTorch's values are those of float32.
    if n == 0:
        return digamma_body(x)
    if n == 1 and x.dtype == jnp.float32:
        return trigamma32(x)
    return in_double(partial(polygamma_body, n), x)


def polygamma_body(n: int, x: Array) -> Array:
    """The n-th derivative of digamma."""
    if n == 0:
        return digamma_body(x)
    if n == 1:
        return trigamma(x)
    value = (math.gamma(n + 1) if n <= 170 else math.inf) * zeta_body(jnp.full_like(x, n + 1), x)
    return value if n % 2 else -value


@defvjp(_polygamma)
def _(grad, inputs, outputs, n):
    (input,) = inputs
    # Higher ones in the precision given, as PyTorch's: left of 0 one sees it.
    return (grad * (polygamma_body(n + 1, input) if n else _polygamma_as_given(1, input)),)


def _order(n: Any) -> int:
    n = int(n)
    errors.check(n >= 0, "polygamma(n, x) does not support negative n.")
    return n


@composite(method=False)
def polygamma(n: int, input: Any, *, out: Any = None) -> Any:
    """Return the ``n``-th derivative of the digamma function. Raises RuntimeError for a negative ``n``.

    >>> torch.polygamma(1, torch.tensor([1.0, 2.0]))
    tensor([1.6449, 0.6449])
    """
    return _polygamma(input, _order(n), out=out)


@composite(name="polygamma", method="only")
def _polygamma_method(self: Any, n: int) -> Any:
    """Return the ``n``-th derivative of the digamma function; see :func:`torch.polygamma`."""
    return _polygamma(self, _order(n))


@composite(method="only")
def polygamma_(self: Any, n: int) -> Any:
    """Write the ``n``-th derivative of the digamma function into the tensor."""
    return self.copy_(_polygamma(self, _order(n)))


@op(promote=INT_TO_FLOAT)
def mvlgamma(input: Array, p: int) -> Array:
    """Return the logarithm of the multivariate gamma function of dimension ``p``.

    >>> torch.mvlgamma(torch.tensor([2.0, 3.0]), 2)
    tensor([0.4516, 1.5502])
    """
    given = operands_given()[0]
    errors.check(given is None or given[0].np not in BOOL, "The input tensor may not be a boolean tensor.")
    errors.check(p >= 1, "p has to be greater than or equal to 1")
    refuse("arange_cpu", input, COMPLEX, FLOAT8)
    terms = [in_double(lax.lgamma, input - 0.5 * i) for i in range(p)]
    return sum(terms[1:], terms[0]) + p * (p - 1) / 4 * math.log(math.pi)


@defvjp(mvlgamma)
def _(grad, inputs, outputs, p):
    (input,) = inputs
    terms = [lax.digamma(input - 0.5 * i) for i in range(p)]
    return (grad * sum(terms[1:], terms[0]),)


@composite(method="only")
def mvlgamma_(self: Any, p: int) -> Any:
    """Write the logarithm of the multivariate gamma function into the tensor; see :func:`mvlgamma`."""
    result = mvlgamma(self, p)
    errors.check(
        self.dtype.is_floating_point,
        f"mvlgamma: result type {errors.scalar_type(self.dtype)} can't be cast to the desired output type "
        f"{errors.scalar_type(result.dtype)}",
    )
    return self.copy_(result)


def _check_igamma(kernel: str, input: Array) -> None:
    refuse(kernel, input, BOOL, INTEGERS, COMPLEX, BARE)


@op(promote=DEFAULT, inplace=True)
def igamma(input: Array, other: Array) -> Array:
    """Return the regularised lower incomplete gamma function of ``input`` at ``other``, broadcast.

    >>> torch.igamma(torch.tensor([2.0]), torch.tensor([1.0]))
    tensor([0.2642])
    """
    _check_igamma("igamma_cpu", input)
    return lower_gamma(input, other)


@op(promote=DEFAULT, inplace=True)
def igammac(input: Array, other: Array) -> Array:
    """Return the regularised upper incomplete gamma function of ``input`` at ``other``, broadcast.

    >>> torch.igammac(torch.tensor([2.0]), torch.tensor([1.0]))
    tensor([0.7358])
    """
    _check_igamma("igammac_cpu", input)
    return upper_gamma(input, other)


def _igamma_density(grad: Array, a: Array, x: Array) -> Array:
    return grad * jnp.exp((a - 1) * jnp.log(x) - x - lax.lgamma(a))


def _no_gradient_in_first(name: str) -> Any:
    missing = NoDerivative(f"the derivative for '{name}: input' is not implemented.")

    def formula(grad, inputs, outputs):
        a, x = inputs
        sign = 1 if name == "igamma" else -1
        return missing, sign * _igamma_density(grad, a, x)

    return formula


defvjp(igamma)(_no_gradient_in_first("igamma"))
defvjp(igammac)(_no_gradient_in_first("igammac"))


# Bessel, logistic and entropy functions ------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT, inplace="both", node="I0Backward0")
def i0(input: Array) -> Array:
    """Return the modified Bessel function of the first kind of order 0.

    >>> torch.i0(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    refuse("i0_vml_cpu", input, COMPLEX, FLOAT8)
    return jsp.i0(input)


@defvjp(i0)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad * jsp.i1(input),)


@op(promote=INT_TO_FLOAT, inplace="both")
def logit(input: Array, eps: float | None = None) -> Array:
    """Return ``log(input / (1 - input))``; with ``eps`` the input is first bounded by ``eps`` and ``1 - eps``.

    >>> torch.logit(torch.tensor([0.5, 0.8]))
    tensor([0.0000, 1.3863])
    """
    refuse("logit_cpu", input, COMPLEX, FLOAT8)
    x = input if eps is None else jnp.where(input < eps, eps, jnp.where(input > 1 - eps, 1 - eps, input))
    # In half precision PyTorch rounds after every step.
    return jnp.log(as_given(x / as_given(1 - x)))


@defvjp(logit)
def _(grad, inputs, outputs, eps):
    (x,) = inputs
    slope = grad / (x * (1 - x))
    if eps is None:
        return (jnp.where((x < 0) | (x > 1), jnp.nan, slope),)
    return (jnp.where((x < eps) | (x > 1 - eps), 0, slope),)


_XLOGY = (
    "(Tensor input, Tensor other, *, Tensor out = None)",
    "(Number self, Tensor other, *, Tensor out = None)",
    "(Tensor input, Number other, *, Tensor out = None)",
)


def _xlogy_node(pattern: tuple[Any, ...]) -> str:
    if pattern[0] != "T":
        return "XlogyBackward1"
    return "XlogyBackward0" if pattern[1] == "T" else "XlogyBackward2"


@op(promote=INT_TO_FLOAT, inplace="both", node=_xlogy_node)
def xlogy(input: ArrayLike, other: ArrayLike) -> Array:
    """Return ``input * log(other)``, broadcast: 0 where ``input`` is 0, nan where ``other`` is nan.

    >>> torch.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 3.0]))
    tensor([0.0000, 2.1972])
    """
    refuse_numbers("xlogy", _XLOGY)
    refuse("xlogy_cpu", input, COMPLEX, FLOAT8)
    zero = (input == 0) & ~jnp.isnan(other)
    return jnp.where(zero, 0, input * stepwise()(jnp.log(jnp.where(zero, 1, other))))


@defvjp(xlogy)
def _(grad, inputs, outputs):
    input, other = inputs
    r = stepwise()
    flat = (input == 0) & (other <= 0)
    return grad * jnp.where(flat, 0, r(jnp.log(jnp.where(flat, 1, other)))), r(grad * input) / other


overloads(xlogy, *_XLOGY)
