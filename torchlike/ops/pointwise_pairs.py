"""Elementwise functions of two tensors beyond arithmetic, and the parts of floating-point and complex numbers."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike import return_types
from torchlike._core import errors
from torchlike._core.dispatch import call_inplace
from torchlike._core.op import (
    COMPLEX_TO_FLOAT,
    DEFAULT,
    INT_TO_FLOAT,
    NO_OPMATH,
    Array,
    ArrayLike,
    NoDerivative,
    alias,
    composite,
    defvjp,
    op,
    operands_given,
    overloads,
)
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, FLOATS, INTEGERS, is_in, refuse, refuse_with, stepwise

__all__ = [
    "angle",
    "arctan2",
    "atan2",
    "conj_physical",
    "copysign",
    "frexp",
    "gcd",
    "heaviside",
    "hypot",
    "lcm",
    "ldexp",
    "logaddexp",
    "logaddexp2",
    "nextafter",
]


# Complex numbers -----------------------------------------------------------------------------------------------------


@op(promote=COMPLEX_TO_FLOAT, method=False, node="AngleBackward0")
def _angle(input: Array) -> Array:
    """The angle of complex or floating-point numbers."""
    refuse("angle_cpu", input, FLOAT8)
    return _angles(input)


def _angles(x: Array) -> Array:
    if is_in(x, COMPLEX):
        return lax.atan2(x.imag, x.real)
    return jnp.where(x < 0, jnp.asarray(math.pi, x.dtype), jnp.where(jnp.isnan(x), x, 0))


@op(promote=INT_TO_FLOAT, method=False, node="AngleBackward0")
def _angle_of_integers(input: Array) -> Array:
    """The angle of integers and bools."""
    return _angles(input)


@defvjp(_angle)
def _(grad, inputs, outputs):
    (input,) = inputs
    if not is_in(input, COMPLEX):
        return (jnp.zeros_like(grad),)
    size = input.real * input.real + input.imag * input.imag
    share = jnp.where(size == 0, 0, grad / jnp.where(size == 0, 1, size))
    return (lax.complex(-input.imag * share, -input.real * share),)


@composite
def angle(input: Any, *, out: Any = None) -> Any:
    """Return the angle in radians, from -pi to pi: of complex numbers, or 0 and pi by the sign of real ones.

    >>> torch.angle(torch.tensor([1 + 1j, -1 + 0j]))
    tensor([0.7854, 3.1416])
    """
    real = input.dtype.is_floating_point or input.dtype.is_complex
    return (_angle if real else _angle_of_integers)(input, out=out)


@op(promote=NO_OPMATH, inplace=True, method=False, node="ConjPhysicalBackward0")
def _conj_physical(input: Array) -> Array:
    """The complex conjugate."""
    refuse("conj_cpu", input, BARE)
    return lax.conj(input) if is_in(input, COMPLEX) else input


@composite
def conj_physical(input: Any, *, out: Any = None) -> Any:
    """Return the complex conjugate in memory of its own; real tensors are returned as they are.

    >>> torch.conj_physical(torch.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    if out is None and not input.dtype.is_complex:
        return input
    return _conj_physical(input, out=out)


@composite(name="conj_physical_")
def conj_physical_(self: Any) -> Any:
    """Conjugate in place; real tensors stay as they are."""
    return _conj_physical.op.inplace_function(self) if self.dtype.is_complex else self


@op(promote=INT_TO_FLOAT, inplace=True, node="Atan2Backward0")
def atan2(input: Array, other: Array) -> Array:
    """Return the angle, in radians, of the point ``(other, input)``, from -pi to pi, broadcast.

    >>> torch.atan2(torch.tensor([1.0, -1.0]), torch.tensor([1.0, -1.0]))
    tensor([ 0.7854, -2.3562])
    """
    refuse("atan2_cpu", input, FLOAT8, COMPLEX)
    return lax.atan2(input, other)


@defvjp(atan2)
def _(grad, inputs, outputs):
    input, other = inputs
    r = stepwise()
    norm = r(r(input * input) + r(other * other))
    inverse = jnp.where(norm == 0, 0, r(1 / jnp.where(norm == 0, 1, norm)))
    return r(grad * other) * inverse, r(grad * -input) * inverse


arctan2 = alias(atan2, "arctan2")


# Parts of floating-point numbers -------------------------------------------------------------------------------------


@op(
    promote=INT_TO_FLOAT,
    inplace=True,
    node=lambda pattern: "CopysignBackward0" if pattern[1] == "T" else "CopysignBackward1",
)
def copysign(input: Array, other: ArrayLike) -> Array:
    """Return the magnitude of ``input`` with the sign of ``other``, broadcast; -0.0 counts as negative.

    >>> torch.copysign(torch.tensor([1.0, -2.0]), torch.tensor([-0.0, 3.0]))
    tensor([-1.,  2.])
    """
    refuse("copysign_cpu", input, FLOAT8, COMPLEX)
    return jnp.copysign(input, other)


overloads(
    copysign,
    "(Tensor input, Tensor other, *, Tensor out = None)",
    "(Tensor input, Number other, *, Tensor out = None)",
)


@defvjp(copysign)
def _(grad, inputs, outputs):
    (input, _), (result,) = inputs, outputs
    return grad * jnp.where(input == 0, 0, result / jnp.where(input == 0, 1, input)), jnp.zeros_like(grad)


@op(promote=NO_OPMATH, inplace=True)
def nextafter(input: Array, other: Array) -> Array:
    """Return the next number that the dtype can hold after ``input`` towards ``other``, broadcast.

    >>> torch.nextafter(torch.tensor([1.0]), torch.tensor([2.0])) > 1
    tensor([True])
    """
    refuse("nextafter_cpu", input, BOOL, INTEGERS, COMPLEX, BARE)
    return lax.nextafter(input, other)


@defvjp(nextafter)
def _(grad, inputs, outputs):
    input, other = inputs
    return jnp.where(input == other, 0, grad), jnp.zeros_like(grad)


@op(promote=INT_TO_FLOAT)
def ldexp(input: Array, other: Array) -> Array:
    """Return ``input * 2**other``, broadcast.

    >>> torch.ldexp(torch.tensor([1.0, 3.0]), torch.tensor([2, -1]))
    tensor([4.0000, 1.5000])
    """
    refuse("pow", input, FLOAT8)
    return input * _power_of_two(other)


@composite(name="ldexp_")
def ldexp_(self: Any, other: Any) -> Any:
    """Multiply by ``2**other`` in place. Raises RuntimeError for integers and bools."""
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        raise RuntimeError(f"ldexp can't be cast to the desired output type {errors.scalar_type(self.dtype)}")
    return call_inplace(ldexp.op, (self, other), ())


def _power_of_two(exponent: Array) -> Array:
    return jnp.power(jnp.asarray(2, exponent.dtype), exponent)


@defvjp(ldexp)
def _(grad, inputs, outputs):
    input, other = inputs
    power = _power_of_two(other)
    return grad * power, grad * input * power * jnp.asarray(math.log(2), input.dtype)


@op
def frexp(input: Array) -> tuple[Array, Array]:
    """Return mantissas of magnitude in [0.5, 1) and int32 exponents, with ``input = mantissa * 2**exponent``.

    The result is a named tuple ``(mantissa, exponent)``. Raises RuntimeError for dtypes that are not floating point.

    >>> torch.frexp(torch.tensor([1.0, -3.0]))
    torch.return_types.frexp(
    mantissa=tensor([ 0.5000, -0.7500]),
    exponent=tensor([1, 2], dtype=torch.int32))
    """
    if not is_in(input, FLOATS):
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = jnp.frexp(input)
    usual = jnp.isfinite(input)
    return return_types.frexp(jnp.where(usual, mantissa, input), jnp.where(usual, exponent, 0).astype(jnp.int32))


@defvjp(frexp)
def _(grad, inputs, outputs):
    exponent = outputs[1]
    return (grad[0] / jnp.exp2(exponent.astype(grad[0].dtype)),)


@op(promote=DEFAULT, inplace=True, node="torch::autograd::NotImplemented")
def heaviside(input: Array, values: Array) -> Array:
    """Return 0 for negative elements, 1 for positive ones and ``values`` for zeros, broadcast.

    Both must have the same real dtype. It has no gradient.

    >>> torch.heaviside(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    refuse_with("heaviside is not yet implemented for complex tensors.", (input, values), COMPLEX)
    first, second = operands_given()
    if first is not None and second is not None and first[0] is not second[0]:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    refuse("heaviside_cpu", input, BARE)
    if is_in(input, BOOL):
        return input | values
    one = jnp.ones_like(input)
    return jnp.where(input == 0, values, jnp.where(input > 0, one, jnp.zeros_like(input)))


@defvjp(heaviside)
def _(grad, inputs, outputs):
    raise NoDerivative("derivative for aten::heaviside is not implemented")


# Lengths and logarithms ----------------------------------------------------------------------------------------------


@op(promote=DEFAULT, inplace=True)
def hypot(input: Array, other: Array) -> Array:
    """Return ``sqrt(input**2 + other**2)`` without overflow, broadcast.

    >>> torch.hypot(torch.tensor([3.0, 5.0]), torch.tensor([4.0, 12.0]))
    tensor([ 5., 13.])
    """
    refuse("hypot_cpu", input, BOOL, INTEGERS, COMPLEX, BARE)
    if input.dtype == jnp.float32:
        # jnp.hypot is an ulp off for as plain a case as (3, 4); in float64 squares of float32 are exact.
        x, y = input.astype(jnp.float64), other.astype(jnp.float64)
        infinite = jnp.isinf(input) | jnp.isinf(other)
        return jnp.where(infinite, jnp.inf, jnp.sqrt(x * x + y * y)).astype(jnp.float32)
    return jnp.hypot(input, other)


@defvjp(hypot)
def _(grad, inputs, outputs):
    (input, other), (result,) = inputs, outputs
    return grad * (input / result), grad * (other / result)


@op(promote=DEFAULT)
def logaddexp(input: Array, other: Array) -> Array:
    """Return ``log(exp(input) + exp(other))`` without overflow, broadcast.

    >>> torch.logaddexp(torch.tensor([-1.0, 1000.0]), torch.tensor([-1.0, 1000.0]))
    tensor([-3.0685e-01,  1.0007e+03])
    """
    refuse("logaddexp_cpu", input, BOOL, INTEGERS, BARE)
    if not is_in(input, COMPLEX):
        return jnp.logaddexp(input, other)
    # The imaginary part is that of the larger number and the little that the other adds, not brought into (-pi, pi].
    swapped = input.real < other.real
    larger, smaller = jnp.where(swapped, other, input), jnp.where(swapped, input, other)
    endless = jnp.isinf(smaller.real) & (smaller.real == larger.real)
    near = larger + jnp.log1p(jnp.exp(jnp.where(endless, 0, smaller - larger)))
    far = jnp.where(smaller.real < 0, smaller, jnp.log(jnp.exp(smaller) + jnp.exp(larger)))
    return jnp.where(endless, far, near)


@op(promote=DEFAULT, node="Logaddexp2Backward0")
def logaddexp2(input: Array, other: Array) -> Array:
    """Return ``log2(2**input + 2**other)`` without overflow, broadcast.

    >>> torch.logaddexp2(torch.tensor([3.0]), torch.tensor([3.0]))
    tensor([4.])
    """
    refuse("logaddexp2_cpu", input, BOOL, INTEGERS, COMPLEX, BARE)
    return jnp.logaddexp2(input, other)


# Integers ------------------------------------------------------------------------------------------------------------


def _check_integers(kernel: str, input: Array) -> None:
    refuse(kernel, input, BOOL, FLOATS, COMPLEX, BARE)


def _greatest_divisor(a: Array, b: Array) -> Array:
    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        a, b = state
        return jnp.where(b == 0, a, b), jnp.where(b == 0, 0, lax.rem(a, jnp.where(b == 0, 1, b)))

    return lax.while_loop(lambda state: jnp.any(state[1] != 0), step, (jnp.abs(a), jnp.abs(b)))[0]


@op(promote=NO_OPMATH, inplace="both")
def gcd(input: Array, other: Array) -> Array:
    """Return the greatest common divisor of integers, broadcast; ``gcd(0, 0)`` is 0.

    >>> torch.gcd(torch.tensor([12, -8]), torch.tensor([18, 0]))
    tensor([6, 8])
    """
    _check_integers("gcd_cpu", input)
    return _greatest_divisor(input, other)


@op(promote=NO_OPMATH, inplace="both")
def lcm(input: Array, other: Array) -> Array:
    """Return the least common multiple of integers, broadcast; 0 if one is 0.

    >>> torch.lcm(torch.tensor([12, -8]), torch.tensor([18, 6]))
    tensor([36, 24])
    """
    _check_integers("lcm_cpu", input)
    divisor = _greatest_divisor(input, other)
    return jnp.where(divisor == 0, 0, jnp.abs(lax.div(input, jnp.where(divisor == 0, 1, divisor)) * other))
