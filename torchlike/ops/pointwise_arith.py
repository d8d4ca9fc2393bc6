"""Elementwise arithmetic of two or three tensors: sums, products, quotients, powers, bounds."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch, errors
from torchlike._core.op import (
    DEFAULT,
    DEFAULT_WIDE,
    INT_TO_FLOAT,
    INT_TO_FLOAT_WIDE,
    Array,
    ArrayLike,
    Scalar,
    alias,
    composite,
    defvjp,
    op,
    operands_given,
)
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, FLOATS, INTEGERS, UNSIGNED, is_in, refuse, refuse_with

__all__ = [
    "add",
    "addcdiv",
    "addcmul",
    "arctan2",
    "atan2",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "div",
    "divide",
    "float_power",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "lerp",
    "maximum",
    "minimum",
    "mul",
    "multiply",
    "pow",
    "remainder",
    "rsub",
    "sub",
    "subtract",
    "true_divide",
]


# Sums and products ---------------------------------------------------------------------------------------------------


@op(promote=DEFAULT, inplace=True)
def add(input: ArrayLike, other: ArrayLike, *, alpha: Scalar = 1) -> Array:
    """Return ``input + alpha * other``, broadcast; the logical or of bools.

    Raises RuntimeError when ``alpha`` is a float and the operands are integers.

    >>> torch.add(torch.tensor([1.0, 2.0]), 10, alpha=2)
    tensor([21., 22.])
    """
    refuse("add_stub", input, BARE)
    if is_in(input, BOOL):
        return input | (alpha & other)
    return input + alpha * other


@op(promote=DEFAULT, inplace=True)
def sub(input: ArrayLike, other: ArrayLike, *, alpha: Scalar = 1) -> Array:
    """Return ``input - alpha * other``, broadcast. Raises RuntimeError for bools.

    >>> torch.sub(torch.tensor([1, 2]), torch.tensor([3, 4]), alpha=2)
    tensor([-5, -6])
    """
    return _subtract(input, other, alpha)


subtract = alias(sub, "subtract")


@op(promote=DEFAULT, node=lambda pattern: "RsubBackward0" if pattern[1] == "T" else "RsubBackward1")
def rsub(input: Array, other: ArrayLike, *, alpha: Scalar = 1) -> Array:
    """Return ``other - alpha * input``, broadcast. Raises RuntimeError for bools.

    >>> torch.rsub(torch.tensor([1, 2]), 10)
    tensor([9, 8])
    """
    return _subtract(other, input, alpha)


def _subtract(left: Array, right: Array, alpha: Array) -> Array:
    bools = [given is not None and given[0].np in BOOL for given in operands_given()[:2]]
    if all(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead."
        )
    if any(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
    refuse("add_stub", left, BARE)
    return left - alpha * right


@op(promote=DEFAULT_WIDE, inplace=True)
def mul(input: ArrayLike, other: ArrayLike) -> Array:
    """Return ``input * other``, broadcast; the logical and of bools.

    >>> torch.mul(torch.tensor([1.0, 2.0]), torch.tensor([[3.0], [4.0]]))
    tensor([[3., 6.],
            [4., 8.]])
    """
    return input & other if is_in(input, BOOL) else input * other


multiply = alias(mul, "multiply")


@op(promote=DEFAULT, inplace=True)
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Array:
    """Return ``input + value * tensor1 * tensor2``, broadcast.

    >>> torch.addcmul(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([5.0, 6.0]), value=0.5)
    tensor([ 8.5000, 14.0000])
    """
    refuse("addcmul_cpu_out", input, BOOL, BARE)
    return input + value * tensor1 * tensor2


@op(promote=DEFAULT, inplace=True)
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Array:
    """Return ``input + value * tensor1 / tensor2``, broadcast. Raises RuntimeError when both tensors are integers.

    >>> torch.addcdiv(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([4.0, 8.0]))
    tensor([1.7500, 2.5000])
    """
    given = operands_given()
    if all(g is not None and g[0].np in BOOL | INTEGERS | UNSIGNED for g in given[1:3]):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
            "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
            "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value "
            "* tensor1 / tensor2), for all dtypes."
        )
    refuse("addcdiv_cpu_out", input, BARE)
    return input + value * tensor1 / tensor2


@op(promote=DEFAULT, inplace=True, node=lambda pattern: "LerpBackward1" if pattern[2] == "T" else "LerpBackward0")
def lerp(input: Array, end: Array, weight: ArrayLike) -> Array:
    """Return ``input + weight * (end - input)``, broadcast. ``end`` must have the dtype of ``input``.

    >>> torch.lerp(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 6.0]), 0.5)
    tensor([2., 4.])
    """
    first, second, third = operands_given()
    if first is not None and second is not None and first[0] is not second[0]:
        raise RuntimeError(
            f"expected dtype {errors.type_name(first[0])} for `end` but got dtype {errors.type_name(second[0])}"
        )
    kernel = "lerp_kernel_scalar" if third is not None and third[1] == "number" else "lerp_kernel_tensor"
    if first is not None and first[0].np not in FLOATS | COMPLEX:
        errors.not_implemented(kernel, first[0])
    # Exact at both ends: from the nearer one.
    near = jnp.abs(weight) < 0.5
    return jnp.where(near, input + weight * (end - input), end - (end - input) * (1 - weight))


@defvjp(lerp)
def _(grad, inputs, outputs):
    input, end, weight = inputs
    return grad * (1 - weight), grad * weight, grad * (end - input)


# Quotients -----------------------------------------------------------------------------------------------------------


@op(promote=INT_TO_FLOAT_WIDE, inplace=True, node="DivBackward0")
def true_divide(input: ArrayLike, other: ArrayLike) -> Array:
    """Return ``input / other``, broadcast; floating point for integers.

    >>> torch.true_divide(torch.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
    """
    refuse("div_cpu", input, FLOAT8)
    return input / other


@op(promote=DEFAULT_WIDE, inplace=True, method=False, node="DivBackward2")
def _div_with_mode(input: ArrayLike, other: ArrayLike, rounding_mode: str) -> Array:
    """The quotient rounded down or towards zero."""
    refuse(f"div_{rounding_mode}_cpu", input, BOOL, BARE, COMPLEX)
    return _floor_quotient(input, other) if rounding_mode == "floor" else _trunc_quotient(input, other)


@op(promote=DEFAULT_WIDE, inplace=True, method=False, node="NotImplemented")
def _floor_divide(input: ArrayLike, other: ArrayLike) -> Array:
    """The quotient rounded down."""
    refuse("div_floor_cpu", input, BOOL, BARE, COMPLEX)
    return lax.stop_gradient(_floor_quotient(input, other))


def _trunc_quotient(a: Array, b: Array) -> Array:
    return jnp.trunc(a / b) if is_in(a, FLOATS) else lax.div(a, b)


def _floor_quotient(a: Array, b: Array) -> Array:
    remainder = lax.rem(a, b)
    off = (remainder != 0) & ((b < 0) != (remainder < 0))
    if not is_in(a, FLOATS):
        return lax.div(a, b) - off.astype(a.dtype)
    # Rounding down a / b itself would be wrong where the division rounds up to the next whole number.
    quotient = (a - remainder) / b
    quotient = jnp.where(off, quotient - 1, quotient)
    floored = jnp.floor(quotient)
    floored = jnp.where(quotient - floored > 0.5, floored + 1, floored)
    floored = jnp.where(quotient != 0, floored, jnp.copysign(jnp.zeros_like(a), a / b))
    return jnp.where(b == 0, a / b, floored)


def _check_divisor(input: Any, other: Any) -> None:
    """Refuse an integer division by zero, which XLA would answer with some number."""
    if _is_floating(input) or _is_floating(other):
        return
    if isinstance(other, TensorBase):
        array = dispatch.array_of(other)
        # On an accelerator neither library looks; while a function is traced there are no values to look at.
        zero = isinstance(array, jax.Array) and not _elsewhere(array) and not np.asarray(array).all()
    else:
        zero = isinstance(other, int) and other == 0
    if zero and not (isinstance(input, TensorBase) and input.numel() == 0):
        raise RuntimeError("ZeroDivisionError")


def _is_floating(x: Any) -> bool:
    if isinstance(x, TensorBase):
        return not (x.dtype.np in INTEGERS or x.dtype.np in BOOL)
    return not isinstance(x, int | np.integer)


def _elsewhere(array: jax.Array) -> bool:
    return isinstance(array, jax.core.Tracer) or any(d.platform != "cpu" for d in array.devices())


_ROUNDING_MODES = ("trunc", "floor")


def _check_rounding_mode(mode: Any) -> None:
    if mode not in _ROUNDING_MODES:
        raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode}'")


@composite
def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """Return ``input / other``, broadcast; rounded down for ``"floor"``, towards zero for ``"trunc"``.

    Without a mode integers give floating point; with one they stay integers, and a zero divisor raises RuntimeError.

    >>> torch.div(torch.tensor([7, -7]), 2)
    tensor([ 3.5000, -3.5000])
    >>> torch.div(torch.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    if rounding_mode is None:
        return true_divide(input, other, out=out)
    _check_rounding_mode(rounding_mode)
    _check_divisor(input, other)
    return _div_with_mode(input, other, rounding_mode, out=out)


@composite(method="only")
def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Divide in place; see :func:`div`."""
    if rounding_mode is None:
        return true_divide.op.inplace_function(self, other)
    _check_rounding_mode(rounding_mode)
    _check_divisor(self, other)
    return _div_with_mode.op.inplace_function(self, other, rounding_mode)


divide = composite(div, name="divide")
composite(div_, name="divide_", method="only")


@composite
def floor_divide(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return ``input / other`` rounded down, broadcast. Raises RuntimeError for integers divided by zero.

    >>> torch.floor_divide(torch.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """
    _check_divisor(input, other)
    return _floor_divide(input, other, out=out)


@composite(method="only")
def floor_divide_(self: Any, other: Any) -> Any:
    """Divide in place, rounding down; see :func:`floor_divide`."""
    _check_divisor(self, other)
    return _floor_divide.op.inplace_function(self, other)


def _remainder_node(pattern: tuple[Any, ...]) -> str:
    if pattern[0] != "T":
        return "NotImplemented"
    return "RemainderBackward1" if pattern[1] == "T" else "RemainderBackward0"


@op(promote=DEFAULT, inplace=True, method=False, node=_remainder_node)
def _remainder(input: ArrayLike, other: ArrayLike) -> Array:
    """The remainder with the sign of the divisor."""
    refuse("remainder_cpu", input, BOOL, BARE, COMPLEX)
    rest = lax.rem(input, other)
    return jnp.where((rest != 0) & ((rest < 0) != (other < 0)), rest + other, rest)


@defvjp(_remainder)
def _(grad, inputs, outputs):
    input, other = inputs
    return grad, -grad * _floor_quotient(input, other)


@op(
    promote=DEFAULT,
    inplace=True,
    method=False,
    node=lambda pattern: "FmodBackward1" if pattern[1] == "T" else "FmodBackward0",
)
def _fmod(input: Array, other: ArrayLike) -> Array:
    """The remainder with the sign of the dividend."""
    refuse("fmod_cpu", input, BOOL, BARE, COMPLEX)
    return lax.rem(input, other)


@defvjp(_fmod)
def _(grad, inputs, outputs):
    input, other = inputs
    return grad, -grad * _trunc_quotient(input, other)


@composite
def remainder(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the remainder of ``input / other`` with the sign of ``other`` (Python's ``%``), broadcast.

    Raises RuntimeError for integers divided by zero.

    >>> torch.remainder(torch.tensor([7, -7]), 3)
    tensor([1, 2])
    """
    _check_divisor(input, other)
    return _remainder(input, other, out=out)


@composite(method="only")
def remainder_(self: Any, other: Any) -> Any:
    """Take the remainder in place; see :func:`remainder`."""
    _check_divisor(self, other)
    return _remainder.op.inplace_function(self, other)


@composite
def fmod(input: Any, other: Any, *, out: Any = None) -> Any:
    """Return the remainder of ``input / other`` with the sign of ``input`` (C's ``fmod``), broadcast.

    Raises RuntimeError for integers divided by zero.

    >>> torch.fmod(torch.tensor([7, -7]), 3)
    tensor([ 1, -1])
    """
    _check_divisor(input, other)
    return _fmod(input, other, out=out)


@composite(method="only")
def fmod_(self: Any, other: Any) -> Any:
    """Take the remainder in place; see :func:`fmod`."""
    _check_divisor(self, other)
    return _fmod.op.inplace_function(self, other)


# Powers --------------------------------------------------------------------------------------------------------------

# Exponents for which a general power would be slower and less precise than the products and roots that they stand for.
_SPECIAL = frozenset({-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0})


@op(promote=DEFAULT, inplace=True, method=False, node="PowBackward0")
def _pow_special(input: Array, exponent: ArrayLike, special: float) -> Array:
    """A power by one of a few exponents; ``exponent`` only takes part in promotion."""
    _check_power(input, special)
    return _special_power(input, special)


def _special_power(x: Array, exponent: float) -> Array:
    if exponent == 0.0:
        return jnp.ones_like(x)
    if exponent in (0.5, -0.5):
        return jnp.sqrt(x) if exponent > 0 else 1 / jnp.sqrt(x)
    product = x
    for _ in range(int(abs(exponent)) - 1):
        product = product * x
    return product if exponent > 0 else 1 / product


def _check_power(input: Array, exponent: float | None) -> None:
    refuse("pow", input, BOOL, BARE)
    if exponent is not None and exponent < 0 and is_in(input, INTEGERS):
        raise RuntimeError("Integers to negative integer powers are not allowed.")


@defvjp(_pow_special)
def _(grad, inputs, outputs, special):
    input, _ = inputs
    if special == 0.0:
        return jnp.zeros_like(grad), None
    lower = special - 1
    power = _special_power(input, lower) if lower in _SPECIAL else lax.pow(input, jnp.asarray(lower, input.dtype))
    return grad * (special * power), None


@op(promote=DEFAULT, inplace=True, method=False, node="PowBackward0")
def _pow_negative(input: Array, exponent: ArrayLike) -> Array:
    """A power by a negative Python integer, which integer tensors refuse."""
    _check_power(input, -1.0)
    return lax.pow(input, exponent)


def _pow_node(pattern: tuple[Any, ...]) -> str:
    if pattern[0] != "T":
        return "PowBackward2"
    return "PowBackward1" if pattern[1] == "T" else "PowBackward0"


@op(promote=DEFAULT, inplace=True, method=False, node=_pow_node)
def _pow(input: ArrayLike, exponent: ArrayLike) -> Array:
    """A power by any exponent."""
    _check_power(input, None)
    return _integer_power(input, exponent) if is_in(input, INTEGERS) else _float_power(input, exponent)


def _integer_power(base: Array, exponent: Array) -> Array:
    """Powers by repeated squaring, wrapping around; a negative exponent gives the whole part of the true result."""
    unit = jnp.where(exponent % 2 == 0, jnp.ones_like(base), base)

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        result, square, rest = state
        return jnp.where(rest & 1 != 0, result * square, result), square * square, rest >> 1

    start = (jnp.ones_like(base), base, jnp.maximum(exponent, 0))
    positive = lax.while_loop(lambda state: jnp.any(state[2] > 0), step, start)[0]
    if base.dtype == jnp.uint8:
        return positive
    negative = jnp.where(base == 1, 1, jnp.where(base == -1, unit, 0)).astype(base.dtype)
    return jnp.where(exponent < 0, negative, positive)


def _float_power(base: Array, exponent: Array) -> Array:
    if is_in(base, COMPLEX):
        return jnp.where(exponent == 0, 1, jnp.power(base, exponent))
    return lax.pow(base, exponent)


def _power_gradients(grad: Array, base: Array, exponent: Array, result: Array) -> tuple[Array, Array]:
    to_base = jnp.where(exponent == 0, 0, grad * (exponent * _float_power(base, exponent - 1)))
    if is_in(exponent, COMPLEX):
        flat = (base == 0) & (exponent.real >= 0)
    else:
        flat = (base == 0) & (exponent >= 0)
    to_exponent = jnp.where(flat, 0, grad * (result * jnp.log(jnp.where(flat, 1, base))))
    return to_base, to_exponent


@defvjp(_pow)
def _(grad, inputs, outputs):
    return _power_gradients(grad, *inputs, outputs[0])


@defvjp(_pow_negative)
def _(grad, inputs, outputs):
    return _power_gradients(grad, *inputs, outputs[0])


def _power(function: str, base: Any, exponent: Any) -> tuple[Any, tuple[Any, ...]]:
    """The operator for a pair of arguments, and the static values it takes."""
    if isinstance(exponent, TensorBase):
        return _pow, ()
    if isinstance(exponent, int | float | np.number) and isinstance(base, TensorBase):
        if exponent in _SPECIAL:
            return _pow_special, (float(exponent),)
        return (_pow_negative, ()) if isinstance(exponent, int | np.integer) and exponent < 0 else (_pow, ())
    if isinstance(exponent, complex) and isinstance(base, TensorBase):
        return _pow, ()
    errors.invalid_combination(
        function,
        (base, exponent),
        "(Tensor input, Tensor exponent, *, Tensor out = None)",
        "(Number self, Tensor exponent, *, Tensor out = None)",
        "(Tensor input, Number exponent, *, Tensor out = None)",
    )


@composite
def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """Return ``input`` to the power of ``exponent``, broadcast; one of the two may be a number.

    Integer powers wrap around. Raises RuntimeError for an integer tensor and a negative integer number.

    >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    >>> torch.pow(2, torch.tensor([1, 2, 3]))
    tensor([2, 4, 8])
    """
    function, statics = _power("pow", input, exponent)
    return function(input, exponent, *statics, out=out)


@composite(method="only")
def pow_(self: Any, exponent: Any) -> Any:
    """Raise to a power in place; see :func:`pow`."""
    function, statics = _power("pow_", self, exponent)
    return function.op.inplace_function(self, exponent, *statics)


@op(promote=None, method=False, node=_pow_node)
def _pow_double(input: ArrayLike, exponent: ArrayLike) -> Array:
    """A power computed in double precision."""
    wide = jnp.complex128 if any(is_in(x, COMPLEX) for x in map(jnp.asarray, (input, exponent))) else jnp.float64
    return _float_power(*jnp.broadcast_arrays(jnp.asarray(input).astype(wide), jnp.asarray(exponent).astype(wide)))


@composite
def float_power(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """Return ``input`` to the power of ``exponent`` in float64, or complex128 when one of them is complex.

    >>> torch.float_power(torch.tensor([1, 2]), -1)
    tensor([1.0000, 0.5000], dtype=torch.float64)
    """
    _power("float_power", input, exponent)
    return _pow_double(input, exponent, out=out)


@composite(method="only")
def float_power_(self: Any, exponent: Any) -> Any:
    """Raise to a power in place; the tensor must have the dtype of the result, float64 or complex128."""
    result = float_power(self, exponent)
    if result.dtype is not self.dtype:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {errors.scalar_type(self.dtype)} "
            f"but the operation's result requires dtype {errors.scalar_type(result.dtype)}"
        )
    return self.copy_(result)


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
    norm = input * input + other * other
    share = jnp.where(norm == 0, 0, grad / jnp.where(norm == 0, 1, norm))
    return share * other, -share * input


arctan2 = alias(atan2, "arctan2")


# Bounds --------------------------------------------------------------------------------------------------------------


def _check_bounds(name: str, kernel: str, x: Array) -> None:
    refuse_with(f"{name} not implemented for complex tensors.", x, COMPLEX)
    refuse(kernel, x, BARE)


@op(promote=DEFAULT)
def maximum(input: Array, other: Array) -> Array:
    """Return the larger of two elements, broadcast; nan if one is nan. Ties share the gradient.

    >>> torch.maximum(torch.tensor([1, 5]), torch.tensor([3, 2]))
    tensor([3, 5])
    """
    _check_bounds("maximum", "maximum_cpu", input)
    return jnp.maximum(input, other)


@op(promote=DEFAULT)
def minimum(input: Array, other: Array) -> Array:
    """Return the smaller of two elements, broadcast; nan if one is nan. Ties share the gradient.

    >>> torch.minimum(torch.tensor([1, 5]), torch.tensor([3, 2]))
    tensor([1, 2])
    """
    _check_bounds("minimum", "minimum_cpu", input)
    return jnp.minimum(input, other)


def _shared(grad: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """The gradient for the first where ``first > second``, for the second where less, half for each where equal."""
    half = jnp.where(first == second, grad / 2, grad)
    return jnp.where(first < second, 0, half), jnp.where(first > second, 0, half)


@defvjp(maximum)
def _(grad, inputs, outputs):
    return _shared(grad, *inputs)


@defvjp(minimum)
def _(grad, inputs, outputs):
    input, other = inputs
    return _shared(grad, other, input)[::-1]


@op(promote=DEFAULT)
def fmax(input: Array, other: Array) -> Array:
    """Return the larger of two elements, broadcast; if one is nan, the other.

    >>> torch.fmax(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    _check_bounds("fmax", "fmax_cpu" if is_in(input, FLOAT8) else "maximum_cpu", input)
    return jnp.fmax(input, other)


@op(promote=DEFAULT)
def fmin(input: Array, other: Array) -> Array:
    """Return the smaller of two elements, broadcast; if one is nan, the other.

    >>> torch.fmin(torch.tensor([1.0, float("nan")]), torch.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    _check_bounds("fmin", "fmin_cpu" if is_in(input, FLOAT8) else "minimum_cpu", input)
    return jnp.fmin(input, other)


@defvjp(fmax)
def _(grad, inputs, outputs):
    input, other = inputs
    first = (input >= other) | jnp.isnan(other)
    return jnp.where(first, grad, 0), jnp.where(first, 0, grad)


@defvjp(fmin)
def _(grad, inputs, outputs):
    input, other = inputs
    first = (input <= other) | jnp.isnan(other)
    return jnp.where(first, grad, 0), jnp.where(first, 0, grad)


def _clamp_node(pattern: tuple[Any, ...]) -> str:
    return "ClampBackward0" if "T" in pattern[1:] else "ClampBackward1"


@op(promote=DEFAULT, inplace="both", node=_clamp_node)
def clamp(input: Array, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """Return the input bounded below by ``min`` and above by ``max`` (``max`` where they cross), broadcast.

    The gradient passes where the input lies within the bounds, the bounds themselves included.
    Raises RuntimeError when both bounds are None.

    >>> torch.clamp(torch.tensor([-1.0, 0.5, 2.0]), min=0, max=1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    refuse_with("clamp is not supported for complex types", input, COMPLEX, NotImplementedError)
    lower_only, upper_only = max is None, min is None
    tensors = any(g is not None and g[1] != "number" for g in operands_given()[1:])
    if tensors:
        refuse("maximum_cpu" if lower_only else "minimum_cpu" if upper_only else "clamp_cpu", input, BARE)
    else:
        refuse(
            "clamp_min_scalar_cpu" if lower_only else "clamp_max_scalar_cpu" if upper_only else "clamp_scalar_cpu",
            input,
            BARE,
        )
    result = input if min is None else jnp.maximum(input, min)
    return result if max is None else jnp.minimum(result, max)


@defvjp(clamp)
def _(grad, inputs, outputs):
    input, low, high = inputs
    if low is None:
        return jnp.where(input <= high, grad, 0), None, jnp.where(input > high, grad, 0)
    if high is None:
        return jnp.where(input >= low, grad, 0), jnp.where(input < low, grad, 0), None
    inside = (input >= low) & (input <= high)
    to_low = jnp.where((input < low) & (low < high), grad, 0)
    return jnp.where(inside, grad, 0), to_low, jnp.where((input > high) | (high < low), grad, 0)


clip = alias(clamp, "clip")


@op(
    promote=DEFAULT,
    inplace="both",
    node=lambda pattern: "ClampMinBackward1" if pattern[1] == "T" else "ClampMinBackward0",
)
def clamp_min(input: Array, min: ArrayLike) -> Array:
    """Return the input bounded below by ``min``, broadcast.

    >>> torch.clamp_min(torch.tensor([-1.0, 0.5]), 0)
    tensor([0.0000, 0.5000])
    """
    refuse("maximum_cpu", input, BARE, COMPLEX)
    return jnp.maximum(input, min)


@defvjp(clamp_min)
def _(grad, inputs, outputs):
    input, low = inputs
    return jnp.where(input >= low, grad, 0), jnp.where(input < low, grad, 0)


@op(
    promote=DEFAULT,
    inplace="both",
    node=lambda pattern: "ClampMaxBackward1" if pattern[1] == "T" else "ClampMaxBackward0",
)
def clamp_max(input: Array, max: ArrayLike) -> Array:
    """Return the input bounded above by ``max``, broadcast.

    >>> torch.clamp_max(torch.tensor([-1.0, 0.5]), 0)
    tensor([-1.,  0.])
    """
    refuse("minimum_cpu", input, BARE, COMPLEX)
    return jnp.minimum(input, max)


@defvjp(clamp_max)
def _(grad, inputs, outputs):
    input, high = inputs
    return jnp.where(input <= high, grad, 0), jnp.where(input > high, grad, 0)
