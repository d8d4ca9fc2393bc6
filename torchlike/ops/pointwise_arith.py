"""Elementwise arithmetic of two or three tensors: sums, products, quotients, powers, bounds."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch, errors
from torchlike._core import dtype as dtypes
from torchlike._core.lifted import is_unknown
from torchlike._core.op import (
    DEFAULT,
    DEFAULT_WIDE,
    INT_TO_FLOAT_WIDE,
    Array,
    ArrayLike,
    NoDerivative,
    Scalar,
    alias,
    composite,
    defvjp,
    op,
    operands_given,
    overloads,
)
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, FLOATS, INTEGERS, UNSIGNED, is_in, refuse, stepwise

__all__ = [
    "add",
    "addcdiv",
    "addcmul",
    "div",
    "divide",
    "floor_divide",
    "fmod",
    "lerp",
    "mul",
    "multiply",
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


@op(
    promote=DEFAULT,
    method=False,
    out=False,
    node=lambda pattern: "RsubBackward0" if pattern[1] == "T" else "RsubBackward1",
)
def rsub(input: Array, other: ArrayLike, *, alpha: Scalar = 1) -> Array:
    """Return ``other - alpha * input``, broadcast. Raises RuntimeError for bools.

    >>> torch.rsub(torch.tensor([1, 2]), 10)
    tensor([9, 8])
    """
    return _subtract(other, input, alpha)


def _subtract(left: Array, right: Array, alpha: Array) -> Array:
    _check_bools([given is not None and given[0].np in BOOL for given in operands_given()[:2]])
    refuse("add_stub", left, BARE)
    return left - alpha * right


def check_subtraction(left: Array, right: Array) -> None:
    """Refuse to subtract arrays of these dtypes, as ``sub`` does."""
    _check_bools([is_in(left, BOOL), is_in(right, BOOL)])
    refuse("add_stub", left, BARE)


def _check_bools(bools: list[bool]) -> None:
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
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true"
            " division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value *"
            " torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 /"
            " tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value"
            " * tensor1 / tensor2), for all dtypes."
        )
    refuse("addcdiv_cpu_out", input, BARE)
    return input + value * tensor1 / tensor2


def _lerp_check(input: Any, end: Any, weight: Any) -> None:
    """The dtype is refused before anything else, a result that cannot be written included."""
    if isinstance(input, TensorBase) and isinstance(end, TensorBase):
        ours, theirs = dispatch.geometry_of(input).dtype, dispatch.geometry_of(end).dtype
        if ours is theirs and ours.np not in FLOATS | COMPLEX:
            errors.not_implemented(f"lerp_kernel_{'tensor' if isinstance(weight, TensorBase) else 'scalar'}", ours)


@op(
    promote=DEFAULT_WIDE,
    inplace=True,
    check=_lerp_check,
    node=lambda pattern: "LerpBackward1" if pattern[2] == "T" else "LerpBackward0",
)
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


def _quotient(input: Array, other: Array) -> Array:
    refuse("div_cpu", input, FLOAT8)
    given = operands_given()
    if len(given) == 2 and given[1] is not None and given[1][1] != "dim":
        # XLA would multiply by the reciprocal of a divisor that it sees broadcast, and so miss the last bit.
        other = lax.optimization_barrier(other)
    return input / other


@op(promote=INT_TO_FLOAT_WIDE, inplace=True, method=False, node="DivBackward0")
def _div(input: ArrayLike, other: ArrayLike) -> Array:
    """The quotient, not rounded."""
    return _quotient(input, other)


def _quotient_gradient(grad: Array, inputs: Any, outputs: Any) -> tuple[Array, Array]:
    input, other = inputs
    r = stepwise()
    return grad / other, -grad * r(r(input / other) / other)


defvjp(_div)(_quotient_gradient)


@op(promote=INT_TO_FLOAT_WIDE, inplace=True, node="DivBackward0")
def true_divide(input: ArrayLike, other: ArrayLike) -> Array:
    """Return ``input / other``, broadcast; floating point for integers.

    >>> torch.true_divide(torch.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
    """
    return _quotient(input, other)


defvjp(true_divide)(_quotient_gradient)


@op(promote=DEFAULT_WIDE, inplace=True, method=False, node="DivBackward2")
def _div_with_mode(input: ArrayLike, other: ArrayLike, rounding_mode: str) -> Array:
    """The quotient rounded down or towards zero."""
    refuse(f"div_{rounding_mode}_cpu", input, BOOL, BARE, COMPLEX)
    return _floor_quotient(input, other) if rounding_mode == "floor" else _trunc_quotient(input, other)


@defvjp(_div_with_mode)
def _(grad, inputs, outputs, rounding_mode):
    return jnp.zeros_like(grad), jnp.zeros_like(grad)


@op(promote=DEFAULT_WIDE, inplace=True, method=False, node="torch::autograd::NotImplemented")
def _floor_divide(input: ArrayLike, other: ArrayLike) -> Array:
    """The quotient rounded down."""
    refuse("div_floor_cpu", input, BOOL, BARE, COMPLEX)
    return _floor_quotient(input, other)


@defvjp(_floor_divide)
def _(grad, inputs, outputs):
    raise NoDerivative("derivative for aten::floor_divide is not implemented")


def _trunc_quotient(a: Array, b: Array) -> Array:
    return jnp.trunc(stepwise()(a / b)) if is_in(a, FLOATS) else lax.div(a, b)


def _floor_quotient(a: Array, b: Array) -> Array:
    remainder = lax.rem(a, b)
    off = (remainder != 0) & ((b < 0) != (remainder < 0))
    if not is_in(a, FLOATS):
        return lax.div(a, b) - off.astype(a.dtype)
    # Rounding down a / b itself would be wrong where the division rounds up to the next whole number.
    r = stepwise()
    quotient = r(r(a - remainder) / b)
    quotient = jnp.where(off, quotient - 1, quotient)
    floored = jnp.floor(quotient)
    floored = jnp.where(quotient - floored > 0.5, floored + 1, floored)
    floored = jnp.where(quotient != 0, floored, jnp.copysign(jnp.zeros_like(a), a / b))
    return jnp.where(b == 0, a / b, floored)


def _check_divisor(input: Any, other: Any, *, inplace: bool = False) -> None:
    """Refuse an integer division by zero, which XLA would answer with some number."""
    if _is_floating(input) or _is_floating(other) or (inplace and input.dtype is dtypes.bool):
        return
    if isinstance(other, TensorBase):
        array = dispatch.array_of(other)
        # On an accelerator neither library looks; while a function is traced there are no values to look at.
        zero = isinstance(array, jax.Array) and not _elsewhere(array) and not np.asarray(array).all()
    else:
        zero = isinstance(other, int) and other == 0
    if zero and not (isinstance(input, TensorBase) and 0 in dispatch.shape_of(input)):
        raise RuntimeError("ZeroDivisionError")


def _is_floating(x: Any) -> bool:
    if isinstance(x, TensorBase):
        return dispatch.geometry_of(x).dtype.np not in INTEGERS | BOOL
    return not isinstance(x, int | np.integer)


def _elsewhere(array: jax.Array) -> bool:
    return is_unknown(array) or any(d.platform != "cpu" for d in array.devices())


_DIVISIONS = (
    "(Tensor input, Tensor other, *, Tensor out = None)",
    "(Tensor input, Number other, *, Tensor out = None)",
)

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
        return _div(input, other, out=out)
    _check_rounding_mode(rounding_mode)
    _check_divisor(input, other)
    return _div_with_mode(input, other, rounding_mode, out=out)


@composite(method="only")
def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Divide in place; see :func:`div`."""
    if rounding_mode is None:
        return _div.op.inplace_function(self, other)
    _check_rounding_mode(rounding_mode)
    _check_divisor(self, other, inplace=True)
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
    _check_divisor(self, other, inplace=True)
    return _floor_divide.op.inplace_function(self, other)


def _remainder_node(pattern: tuple[Any, ...]) -> str:
    if pattern[0] != "T":
        return "torch::autograd::NotImplemented"
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
    first = operands_given()[0]
    if first is not None and first[1] == "number":
        raise NoDerivative("derivative for aten::remainder is not implemented")
    return grad, -grad * stepwise()(_floor_quotient(input, other))


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
    if out is not None and not isinstance(input, TensorBase):
        errors.invalid_combination("remainder", (input, other, out), *_DIVISIONS, "(Number self, Tensor other)")
    _check_divisor(input, other)
    return _remainder(input, other, out=out)


@composite(method="only")
def remainder_(self: Any, other: Any) -> Any:
    """Take the remainder in place; see :func:`remainder`."""
    _check_divisor(self, other, inplace=True)
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
    _check_divisor(self, other, inplace=True)
    return _fmod.op.inplace_function(self, other)


# What the TypeError for wrong arguments lists -------------------------------------------------------------------------

overloads(rsub, "(Tensor input, Tensor other, *, Number alpha = 1)", "(Tensor input, Number other, Number alpha = 1)")
overloads(true_divide, "(Tensor input, Tensor other, *, Tensor out = None)", "(Tensor input, Number other)")
overloads(_floor_divide, *_DIVISIONS)
overloads(_remainder, *_DIVISIONS, "(Number self, Tensor other)")
overloads(_fmod, *_DIVISIONS)
overloads(
    lerp,
    "(Tensor input, Tensor end, Tensor weight, *, Tensor out = None)",
    "(Tensor input, Tensor end, Number weight, *, Tensor out = None)",
)
