"""Elementwise functions of one tensor: sign, rounding, powers, exponentials, logarithms, trigonometry."""

from __future__ import annotations

import builtins
import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core import dtype as dtypes
from torchlike._core.dispatch import call_inplace
from torchlike._core.op import (
    BOOL_TO_LONG,
    COMPLEX_TO_FLOAT,
    DEFAULT,
    INT_TO_FLOAT,
    NO_OPMATH,
    Array,
    alias,
    composite,
    defvjp,
    op,
)
from torchlike.ops._checks import (
    BARE,
    BOOL,
    COMPLEX,
    FLOAT8,
    FLOATS,
    INTEGERS,
    UNSIGNED,
    is_in,
    refuse,
    refuse_with,
    squared,
    stepwise,
)

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg2rad",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "floor",
    "frac",
    "log",
    "log1p",
    "log2",
    "log10",
    "nan_to_num",
    "neg",
    "negative",
    "positive",
    "rad2deg",
    "reciprocal",
    "relu",
    "round",
    "rsqrt",
    "sgn",
    "sigmoid",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
]


LN2 = math.log(2)
LN10 = math.log(10)


# Sign and magnitude --------------------------------------------------------------------------------------------------


@op(promote=DEFAULT, inplace="both")
def neg(input: Array) -> Array:
    """Return ``-input``; unsigned integers wrap around. Raises RuntimeError for bool.

    >>> torch.neg(torch.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    refuse_with(
        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
        "use the `~` or `logical_not()` operator instead.",
        input,
        BOOL,
    )
    refuse("neg_cpu", input, BARE)
    return -input


negative = alias(neg, "negative")


@op(promote=COMPLEX_TO_FLOAT)
def abs(input: Array) -> Array:
    """Return the absolute value; the modulus, a real number, of complex numbers.

    The gradient at 0 is 0.

    >>> torch.abs(torch.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])
    >>> torch.abs(torch.tensor([3 + 4j]))
    tensor([5.])
    """
    refuse("abs_cpu", input, BOOL, UNSIGNED)
    return input if input.dtype == jnp.uint8 else jnp.abs(input)


@defvjp(abs)
def _(grad, inputs, outputs):
    (input,) = inputs
    if is_in(input, COMPLEX):
        unit = _unit(input)
        return (lax.complex(grad * unit.real, -grad * unit.imag),)
    return (grad * _real_sign(input),)


absolute = alias(abs, "absolute")


@composite(name="abs_")
def abs_(self: Any) -> Any:
    """Take the absolute value in place. Raises RuntimeError for complex numbers."""
    if self.dtype.is_complex:
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return call_inplace(abs.op, (self,), ())


composite(abs_, name="absolute_", method="only")


def _real_sign(x: Array) -> Array:
    """The sign of real numbers: 0 for nan and for both zeros."""
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)


def _unit(z: Array) -> Array:
    """Z / |z|, and 0 for 0."""
    zero = z == 0
    modulus = jnp.abs(jnp.where(zero, 1, z))
    return lax.complex(jnp.where(zero, 0, z.real / modulus), jnp.where(zero, 0, z.imag / modulus))


@op(promote=DEFAULT, inplace=True)
def sign(input: Array) -> Array:
    """Return -1, 0 or 1 by the sign of each element; 0 for nan. Raises NotImplementedError for complex numbers.

    >>> torch.sign(torch.tensor([-3.0, 0.0, 2.5]))
    tensor([-1.,  0.,  1.])
    """
    refuse_with(
        "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.",
        input,
        COMPLEX,
        NotImplementedError,
    )
    refuse("sign_cpu", input, BARE)
    return input if is_in(input, BOOL) else _real_sign(input)


@op(promote=DEFAULT, inplace=True)
def sgn(input: Array) -> Array:
    """Return the sign of real numbers and ``z / abs(z)`` of complex ones (0 for 0).

    >>> torch.sgn(torch.tensor([3 + 4j, 0j]))
    tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    refuse("sign_cpu", input, BARE)
    if is_in(input, COMPLEX):
        return _unit(input)
    return input if is_in(input, BOOL) else _real_sign(input)


@composite
def positive(input: Any) -> Any:
    """Return the input itself. Raises RuntimeError for bool.

    >>> torch.positive(torch.tensor([-1, 2]))
    tensor([-1,  2])
    """
    if input.dtype is dtypes.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@op(promote=DEFAULT, inplace="both", out=False)
def relu(input: Array) -> Array:
    """Return ``max(input, 0)``; the gradient at 0 is 0.

    >>> torch.relu(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    refuse_with("Boolean inputs not supported for relu", input, BOOL)
    refuse_with("clamp is not supported for complex types", input, COMPLEX, NotImplementedError)
    refuse("clamp_min_scalar_cpu", input, BARE)
    return jnp.where(input < 0, 0, input)  # a maximum would make 0.0 of -0.0


@defvjp(relu)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (jnp.where(result <= 0, 0, grad),)


# Rounding ------------------------------------------------------------------------------------------------------------


def _check_rounding(name: str, input: Array) -> None:
    refuse_with(f"{name} is not supported for complex inputs", input, COMPLEX, NotImplementedError)
    refuse(f"{name}_vml_cpu", input, BOOL, FLOAT8)


@op(promote=DEFAULT, inplace="both")
def floor(input: Array) -> Array:
    """Return the largest integer not above each element; integers are returned as they are.

    >>> torch.floor(torch.tensor([-0.5, 1.7]))
    tensor([-1.,  1.])
    """
    _check_rounding("floor", input)
    return jnp.floor(input) if is_in(input, FLOATS) else input


@op(promote=DEFAULT, inplace="both")
def ceil(input: Array) -> Array:
    """Return the smallest integer not below each element; integers are returned as they are.

    >>> torch.ceil(torch.tensor([-0.5, 1.2]))
    tensor([-0., 2.])
    """
    _check_rounding("ceil", input)
    return jnp.ceil(input) if is_in(input, FLOATS) else input


@op(promote=DEFAULT, inplace="both")
def trunc(input: Array) -> Array:
    """Return each element without its fraction; integers are returned as they are.

    >>> torch.trunc(torch.tensor([-1.7, 1.7]))
    tensor([-1.,  1.])
    """
    _check_rounding("trunc", input)
    return jnp.trunc(input) if is_in(input, FLOATS) else input


fix = alias(trunc, "fix")


@op(promote=DEFAULT, inplace="both", node=lambda pattern, decimals: f"RoundBackward{int(decimals != 0)}")
def round(input: Array, *, decimals: int = 0) -> Array:
    """Return each element rounded to ``decimals`` digits after the point (before it, when negative), halves to even.

    Integers are returned as they are; with ``decimals`` they raise NotImplementedError.

    >>> torch.round(torch.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    >>> torch.round(torch.tensor([1.234, 5.678]), decimals=2)
    tensor([1.2300, 5.6800])
    """
    if decimals:
        refuse("round_cpu", input, INTEGERS, BOOL, BARE, COMPLEX)
        scale = jnp.asarray(10.0 ** builtins.abs(decimals), input.dtype)
        if decimals < 0:
            return lax.round(input / scale, lax.RoundingMethod.TO_NEAREST_EVEN) * scale
        return lax.round(input * scale, lax.RoundingMethod.TO_NEAREST_EVEN) / scale
    refuse("round_vml_cpu", input, BOOL, COMPLEX, FLOAT8)
    return lax.round(input, lax.RoundingMethod.TO_NEAREST_EVEN) if is_in(input, FLOATS) else input


@defvjp(round)
def _(grad, inputs, outputs, decimals):
    return (jnp.zeros_like(grad),)


@op(promote=DEFAULT, inplace="both")
def frac(input: Array) -> Array:
    """Return the fraction of each element, with its sign.

    >>> torch.frac(torch.tensor([1.25, -1.25]))
    tensor([ 0.2500, -0.2500])
    """
    refuse("frac_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    return input - jnp.trunc(input)


@op(promote=NO_OPMATH, inplace="both")
def nan_to_num(
    input: Array, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """Return the input with nan and the infinities replaced: by 0 and the dtype's largest and smallest finite numbers.

    Integers and bools are returned as they are.

    >>> torch.nan_to_num(torch.tensor([float("nan"), 1.0]), nan=-1.0)
    tensor([-1.,  1.])
    """
    refuse("nan_to_num", input, FLOAT8)
    if is_in(input, COMPLEX):
        return lax.complex(_replace(input.real, nan, posinf, neginf), _replace(input.imag, nan, posinf, neginf))
    return _replace(input, nan, posinf, neginf) if is_in(input, FLOATS) else input


def _replace(x: Array, nan: float | None, posinf: float | None, neginf: float | None) -> Array:
    limits = jnp.finfo(x.dtype)
    x = jnp.where(jnp.isnan(x), jnp.asarray(0.0 if nan is None else nan, x.dtype), x)
    x = jnp.where(x == jnp.inf, jnp.asarray(limits.max if posinf is None else posinf, x.dtype), x)
    return jnp.where(x == -jnp.inf, jnp.asarray(limits.min if neginf is None else neginf, x.dtype), x)


# Powers and roots ----------------------------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT, inplace="both")
def sqrt(input: Array) -> Array:
    """Return the square root; nan for negative real numbers.

    >>> torch.sqrt(torch.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    refuse("sqrt_vml_cpu", input, FLOAT8)
    return jnp.sqrt(input)


@defvjp(sqrt)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad / (2 * result),)


@op(promote=INT_TO_FLOAT, inplace="both")
def rsqrt(input: Array) -> Array:
    """Return ``1 / sqrt(input)``.

    >>> torch.rsqrt(torch.tensor([4.0, 16.0]))
    tensor([0.5000, 0.2500])
    """
    refuse("rsqrt_cpu", input, FLOAT8)
    # XLA's rsqrt is an approximation on some processors; PyTorch divides.
    return 1 / jnp.sqrt(input)


@defvjp(rsqrt)
def _(grad, inputs, outputs):
    (result,), r = outputs, stepwise()
    return (-0.5 * grad * r(r(result * result) * result),)


@op(promote=INT_TO_FLOAT, inplace="both")
def reciprocal(input: Array) -> Array:
    """Return ``1 / input``.

    >>> torch.reciprocal(torch.tensor([2.0, -4.0]))
    tensor([ 0.5000, -0.2500])
    """
    refuse("reciprocal_cpu", input, FLOAT8)
    return 1 / input


@defvjp(reciprocal)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (-grad * result * result,)


@op(promote=BOOL_TO_LONG, inplace="both", node="PowBackward0")
def square(input: Array) -> Array:
    """Return ``input * input``; int64 for bool.

    >>> torch.square(torch.tensor([-2.0, 3.0]))
    tensor([4., 9.])
    """
    refuse("pow", input, BARE)
    return input * input


@defvjp(square)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad * (2 * input),)


# Exponentials and logarithms -----------------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT, inplace="both")
def exp(input: Array) -> Array:
    """Return e to the power of each element.

    >>> torch.exp(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    refuse("exp_vml_cpu", input, FLOAT8)
    return jnp.exp(input)


@defvjp(exp)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * result,)


@op(promote=INT_TO_FLOAT, inplace="both")
def exp2(input: Array) -> Array:
    """Return 2 to the power of each element.

    >>> torch.exp2(torch.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    refuse("exp2", input, FLOAT8)
    return jnp.exp2(input)


@defvjp(exp2)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * result * jnp.asarray(LN2, result.dtype),)


@op(promote=INT_TO_FLOAT, inplace="both")
def expm1(input: Array) -> Array:
    """Return ``exp(input) - 1``, precise near 0.

    >>> torch.expm1(torch.tensor([0.0, 1e-10]))
    tensor([0.0000e+00, 1.0000e-10])
    """
    refuse("expm1_vml_cpu", input, FLOAT8)
    return jnp.expm1(input)


@defvjp(expm1)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * (result + 1),)


@op(promote=INT_TO_FLOAT, inplace="both")
def log(input: Array) -> Array:
    """Return the natural logarithm; -inf for 0, nan for negative real numbers.

    >>> torch.log(torch.tensor([1.0, 2.0]))
    tensor([0.0000, 0.6931])
    """
    refuse("log_vml_cpu", input, FLOAT8)
    return jnp.log(input)


@op(promote=INT_TO_FLOAT, inplace="both")
def log2(input: Array) -> Array:
    """Return the logarithm to base 2.

    >>> torch.log2(torch.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    refuse("log2_vml_cpu", input, FLOAT8)
    return _log_base(input, LN2)


@defvjp(log2)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad / (input * jnp.asarray(LN2, input.dtype)),)


@op(promote=INT_TO_FLOAT, inplace="both")
def log10(input: Array) -> Array:
    """Return the logarithm to base 10.

    >>> torch.log10(torch.tensor([1.0, 1000.0]))
    tensor([0., 3.])
    """
    refuse("log10_vml_cpu", input, FLOAT8)
    return _log_base(input, LN10)


@defvjp(log10)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad / (input * jnp.asarray(LN10, input.dtype)),)


def _log_base(x: Array, ln_base: float) -> Array:
    # A quotient of two rounded logarithms misses the whole numbers (log10(1000) = 2.9999998): use twice the precision.
    if x.dtype == jnp.float32:
        return (jnp.log(x.astype(jnp.float64)) / ln_base).astype(jnp.float32)
    if x.dtype == jnp.float64:
        # Correct the quotient by one Newton step against the power of the base that it is nearest to.
        quotient = jnp.log(x) / ln_base
        whole = jnp.round(quotient)
        return jnp.where(x == jnp.exp2(whole * (ln_base / LN2)), whole, quotient)
    log = jnp.log(x)
    return lax.complex(log.real / ln_base, log.imag / ln_base)


@op(promote=INT_TO_FLOAT, inplace="both", node="Log1PBackward0")
def log1p(input: Array) -> Array:
    """Return ``log(1 + input)``, precise near 0.

    >>> torch.log1p(torch.tensor([0.0, 1e-10]))
    tensor([0.0000e+00, 1.0000e-10])
    """
    refuse("log1p_vml_cpu", input, FLOAT8)
    return jnp.log1p(input)


@defvjp(log1p)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad / (input + 1),)


@op(promote=INT_TO_FLOAT, inplace="both")
def sigmoid(input: Array) -> Array:
    """Return ``1 / (1 + exp(-input))``.

    >>> torch.sigmoid(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    refuse("sigmoid_cpu_reduced_float", input, FLOAT8)
    return 1 / (1 + jnp.exp(-input))


@defvjp(sigmoid)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * ((1 - result) * result),)


# Trigonometric and hyperbolic functions ------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT, inplace="both")
def sin(input: Array) -> Array:
    """Return the sine of angles in radians.

    >>> torch.sin(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])
    """
    refuse("sin_vml_cpu", input, FLOAT8)
    return jnp.sin(input)


@op(promote=INT_TO_FLOAT, inplace="both")
def cos(input: Array) -> Array:
    """Return the cosine of angles in radians.

    >>> torch.cos(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """
    refuse("cos_vml_cpu", input, FLOAT8)
    return jnp.cos(input)


@op(promote=INT_TO_FLOAT, inplace="both")
def tan(input: Array) -> Array:
    """Return the tangent of angles in radians.

    >>> torch.tan(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    refuse("tan_vml_cpu", input, FLOAT8)
    return jnp.tan(input)


@defvjp(tan)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * (1 + result * result),)


@op(promote=INT_TO_FLOAT, inplace="both")
def asin(input: Array) -> Array:
    """Return the angle, in radians, of which each element is the sine; nan outside [-1, 1].

    >>> torch.asin(torch.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5236])
    """
    refuse("asin_vml_cpu", input, FLOAT8)
    return jnp.arcsin(input)


@defvjp(asin)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad / jnp.sqrt(1 - squared(input)),)


arcsin = alias(asin, "arcsin")


@op(promote=INT_TO_FLOAT, inplace="both")
def acos(input: Array) -> Array:
    """Return the angle, in radians, of which each element is the cosine; nan outside [-1, 1].

    >>> torch.acos(torch.tensor([0.0, 0.5]))
    tensor([1.5708, 1.0472])
    """
    refuse("acos_vml_cpu", input, FLOAT8)
    return jnp.arccos(input)


@defvjp(acos)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (-grad / jnp.sqrt(1 - squared(input)),)


arccos = alias(acos, "arccos")


@op(promote=INT_TO_FLOAT, inplace="both")
def atan(input: Array) -> Array:
    """Return the angle, in radians, of which each element is the tangent.

    >>> torch.atan(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """
    refuse("atan_vml_cpu", input, FLOAT8)
    return jnp.arctan(input)


@defvjp(atan)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad / (input * input + 1),)


arctan = alias(atan, "arctan")


@op(promote=INT_TO_FLOAT, inplace="both")
def sinh(input: Array) -> Array:
    """Return the hyperbolic sine.

    >>> torch.sinh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """
    refuse("sinh_cpu", input, FLOAT8)
    return jnp.sinh(input)


@op(promote=INT_TO_FLOAT, inplace="both")
def cosh(input: Array) -> Array:
    """Return the hyperbolic cosine.

    >>> torch.cosh(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """
    refuse("cosh_cpu", input, FLOAT8)
    return jnp.cosh(input)


@op(promote=INT_TO_FLOAT, inplace="both")
def tanh(input: Array) -> Array:
    """Return the hyperbolic tangent.

    >>> torch.tanh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    refuse("tanh_vml_cpu", input, FLOAT8)
    return jnp.tanh(input)


@defvjp(tanh)
def _(grad, inputs, outputs):
    (result,) = outputs
    return (grad * (1 - result * result),)


@op(promote=INT_TO_FLOAT, inplace="both")
def asinh(input: Array) -> Array:
    """Return the inverse hyperbolic sine.

    >>> torch.asinh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """
    refuse("asinh_cpu", input, FLOAT8)
    return jnp.arcsinh(input)


@defvjp(asinh)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad / jnp.sqrt(input * input + 1),)


arcsinh = alias(asinh, "arcsinh")


@op(promote=INT_TO_FLOAT, inplace="both")
def acosh(input: Array) -> Array:
    """Return the inverse hyperbolic cosine; nan below 1.

    >>> torch.acosh(torch.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """
    refuse("acosh_cpu", input, FLOAT8)
    return jnp.arccosh(input)


@defvjp(acosh)
def _(grad, inputs, outputs):
    (input,) = inputs
    if is_in(input, COMPLEX):
        return (grad / (jnp.sqrt(input - 1) * jnp.sqrt(input + 1)),)
    return (grad / jnp.sqrt(input * input - 1),)


arccosh = alias(acosh, "arccosh")


@op(promote=INT_TO_FLOAT, inplace="both")
def atanh(input: Array) -> Array:
    """Return the inverse hyperbolic tangent; infinite at -1 and 1, nan beyond.

    >>> torch.atanh(torch.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """
    refuse("atanh_cpu", input, FLOAT8)
    return jnp.arctanh(input)


@defvjp(atanh)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad / (1 - squared(input)),)


arctanh = alias(atanh, "arctanh")


@op(promote=INT_TO_FLOAT, inplace="both")
def sinc(input: Array) -> Array:
    """Return ``sin(pi x) / (pi x)``, and 1 at 0.

    >>> torch.sinc(torch.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    refuse("sinc_cpu", input, FLOAT8)
    zero = input == 0
    scaled = jnp.asarray(math.pi, input.dtype) * jnp.where(zero, 1, input)
    return jnp.where(zero, 1, jnp.sin(scaled) / scaled)


@defvjp(sinc)
def _(grad, inputs, outputs):
    (x,), r = inputs, stepwise()
    scaled, square = r(x * math.pi), r(r(x * x) * math.pi)
    slope = r(r(scaled * r(jnp.cos(scaled))) - r(jnp.sin(scaled)))
    zero = square == 0
    return (jnp.where(zero, 0, grad * r(slope / jnp.where(zero, 1, square))),)


@op(promote=INT_TO_FLOAT, inplace="both", node="Deg2RadBackward0")
def deg2rad(input: Array) -> Array:
    """Return angles given in degrees in radians. Raises RuntimeError for complex numbers.

    >>> torch.deg2rad(torch.tensor([180.0, 90.0]))
    tensor([3.1416, 1.5708])
    """
    refuse_with("deg2rad is not supported for complex tensors.", input, COMPLEX)
    refuse("mul_cpu_reduced_float", input, FLOAT8)
    return input * (math.pi / 180)


@op(promote=INT_TO_FLOAT, inplace="both", node="Rad2DegBackward0")
def rad2deg(input: Array) -> Array:
    """Return angles given in radians in degrees. Raises RuntimeError for complex numbers.

    >>> torch.rad2deg(torch.tensor([1.0, 0.5]))
    tensor([57.2958, 28.6479])
    """
    refuse_with("rad2deg is not supported for complex tensors.", input, COMPLEX)
    refuse("mul_cpu_reduced_float", input, FLOAT8)
    return input * (180 / math.pi)
