"""Functions of probability and entropy: the normal distribution, scaled error functions, logarithms that bear zeros."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import jax.scipy.special as jsp
from jax import lax

from torchlike._core.op import INT_TO_FLOAT, Array, ArrayLike, NoDerivative, defvjp, op, overloads
from torchlike.ops import _series_tables as tables
from torchlike.ops._checks import COMPLEX, FLOAT8, as_given, refuse, refuse_numbers, stepwise
from torchlike.ops._series import horner, zeta_body
from torchlike.special._common import refuse_usual

__all__ = ["entr", "erfcx", "log_ndtr", "ndtr", "ndtri", "xlog1py", "zeta"]


# Error functions and the normal distribution -------------------------------------------------------------------------


def _erfcx(x: Array) -> Array:
    """From 0 on a polynomial in (x - 4) / (x + 4); below, by reflection."""
    size = jnp.abs(x)
    value = horner(tables.ERFCX, 1 - 8 / (size + 4)) / (1 + 2 * size)
    below = jnp.minimum(x, 0)
    return jnp.where(x < 0, 2 * jnp.exp(below * below) - value, value)


@op(promote=INT_TO_FLOAT)
def erfcx(input: Array) -> Array:
    """Return ``exp(input**2) * erfc(input)``, precise where erfc is too small for the dtype.

    >>> torch.special.erfcx(torch.tensor([0.0, 1.0, 100.0]))
    tensor([1.0000, 0.4276, 0.0056])
    """
    refuse_usual("erfcx", input)
    return _erfcx(input)


@defvjp(erfcx)
def _(grad, inputs, outputs):
    (x,), (result,) = inputs, outputs
    return (grad * (2 * x * result - 2 / math.sqrt(math.pi)),)


@op(promote=INT_TO_FLOAT, node="MulBackward1")
def ndtr(input: Array) -> Array:
    """Return the distribution function of the standard normal distribution.

    >>> torch.special.ndtr(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([0.1587, 0.5000, 0.8413])
    """
    refuse("erf_vml_cpu", input, COMPLEX)
    refuse("mul_cpu_reduced_float", input, FLOAT8)
    # In half precision PyTorch rounds after every step.
    return as_given(1 + as_given(lax.erf(as_given(input * math.sqrt(0.5))))) * 0.5


@defvjp(ndtr)
def _(grad, inputs, outputs):
    (x,) = inputs
    r = stepwise()
    y = r(x * math.sqrt(0.5))
    slope = r(2 / math.sqrt(math.pi) * r(jnp.exp(-r(y * y))))
    return (r(slope * r(grad * 0.5)) * math.sqrt(0.5),)


@op(promote=INT_TO_FLOAT)
def log_ndtr(input: Array) -> Array:
    """Return the logarithm of the distribution function of the standard normal distribution.

    >>> torch.special.log_ndtr(torch.tensor([-3.0, 0.0, 1.0]))
    tensor([-6.6077, -0.6931, -0.1728])
    """
    refuse_usual("log_ndtr", input)
    t = input * math.sqrt(0.5)
    left = jnp.log(_erfcx(-jnp.minimum(t, 0)) / 2) - t * t
    return jnp.where(input < -1, left, jnp.log1p(-lax.erfc(jnp.maximum(t, -1)) / 2))


@defvjp(log_ndtr)
def _(grad, inputs, outputs):
    (x,) = inputs
    return (grad / _erfcx(x * -math.sqrt(0.5)) * math.sqrt(2 / math.pi),)


@op(promote=INT_TO_FLOAT)
def ndtri(input: Array) -> Array:
    """Return the quantile function of the standard normal distribution: nan outside [0, 1].

    >>> torch.special.ndtri(torch.tensor([0.0, 0.5, 0.9]))
    tensor([  -inf, 0.0000, 1.2816])
    """
    refuse_usual("ndtri", input)
    return jsp.ndtri(input)


@defvjp(ndtri)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * math.sqrt(2 * math.pi) * jnp.exp(0.5 * result * result),)


# Entropies -----------------------------------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT)
def entr(input: Array) -> Array:
    """Return ``-input * log(input)``: 0 at 0, -inf below.

    >>> torch.special.entr(torch.tensor([-0.5, 0.0, 0.5]))
    tensor([  -inf, 0.0000, 0.3466])
    """
    refuse("entr_cpu", input, COMPLEX, FLOAT8)
    value = -input * stepwise()(jnp.log(jnp.where(input > 0, input, 1)))
    value = jnp.where(input > 0, value, jnp.where(input == 0, 0, -jnp.inf))
    return jnp.where(jnp.isnan(input), input, value)


@defvjp(entr)
def _(grad, inputs, outputs):
    (x,) = inputs
    r = stepwise()
    return (grad * -r(1 + r(jnp.log(x))),)


def _numbered(name: str) -> Any:
    """The node's name by which operand is a number."""

    def node(pattern: tuple[Any, ...]) -> str:
        if pattern[0] != "T":
            return f"{name}Backward1"
        return f"{name}Backward0" if pattern[1] == "T" else f"{name}Backward2"

    return node


_PAIRS = (
    "(Tensor input, Tensor other, *, Tensor out = None)",
    "(Number self, Tensor other, *, Tensor out = None)",
    "(Tensor input, Number other, *, Tensor out = None)",
)


@op(promote=INT_TO_FLOAT, node=_numbered("SpecialXlog1Py"))
def xlog1py(input: ArrayLike, other: ArrayLike) -> Array:
    """Return ``input * log(1 + other)``, broadcast: 0 where ``input`` is 0, nan where ``other`` is nan.

    >>> torch.special.xlog1py(torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    refuse_numbers("special_xlog1py", _PAIRS)
    refuse("xlog1py_cpu", input, COMPLEX, FLOAT8)
    zero = (input == 0) & ~jnp.isnan(other)
    return jnp.where(zero, 0, input * stepwise()(jnp.log1p(jnp.where(zero, 0, other))))


@defvjp(xlog1py)
def _(grad, inputs, outputs):
    input, other = inputs
    r = stepwise()
    flat = (input == 0) & (other <= -1)
    return grad * jnp.where(flat, 0, r(jnp.log1p(jnp.where(flat, 0, other)))), r(grad * input) / r(other + 1)


@op(promote=INT_TO_FLOAT, node=_numbered("SpecialZeta"))
def zeta(input: ArrayLike, other: ArrayLike) -> Array:
    """Return Hurwitz's zeta function, the sum of ``(k + other)**-input`` over ``k >= 0``, broadcast.

    It is inf for an ``input`` of 1 and nan below. Only ``other`` has a gradient; that of ``input`` raises
    NotImplementedError.

    >>> torch.special.zeta(torch.tensor([2.0, 4.0]), 1)
    tensor([1.6449, 1.0823])
    """
    refuse_numbers("special_zeta", _PAIRS)
    refuse_usual("zeta", input)
    return zeta_body(input, other)


class _Missing(NoDerivative, NotImplementedError):
    """The refusal of the derivative by the first argument."""


@defvjp(zeta)
def _(grad, inputs, outputs):
    s, q = inputs
    return _Missing("the derivative for 'zeta' is not implemented."), grad * -s * zeta_body(s + 1, q)


overloads(xlog1py, *_PAIRS)
overloads(zeta, *_PAIRS)
