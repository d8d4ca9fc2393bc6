"""Powers: ``pow`` and ``float_power``."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import errors
from torchlike._core.op import DEFAULT, Array, ArrayLike, composite, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, is_in, refuse, stepwise

__all__ = ["float_power", "pow"]

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
    r = stepwise()
    product = x
    for _ in range(int(abs(exponent)) - 1):
        product = r(product * x)
    return product if exponent > 0 else 1 / product


def _check_power(input: Array, exponent: float | None) -> None:
    if exponent not in (0.0, 1.0):  # which copy or fill
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
    r = stepwise()
    return grad * r(special * r(power)), None


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
        power = jnp.where(exponent == 0, 1, jnp.power(base, exponent))
        return jnp.where((base == 0) & (exponent.real > 0), 0, power)
    return lax.pow(base, exponent)


def _power_gradients(grad: Array, base: Array, exponent: Array, result: Array) -> tuple[Array, Array]:
    r = stepwise()
    to_base = jnp.where(exponent == 0, 0, grad * r(exponent * r(_float_power(base, r(exponent - 1)))))
    if is_in(exponent, COMPLEX):
        flat = (base == 0) & (exponent.imag == 0) & (exponent.real >= 0)
    else:
        flat = (base == 0) & (exponent >= 0)
    to_exponent = grad * jnp.where(flat, 0, r(result * r(jnp.log(jnp.where(flat, 1, base)))))
    return to_base, to_exponent


@defvjp(_pow)
def _(grad, inputs, outputs):
    base, exponent = inputs
    return _power_gradients(grad, base, exponent, outputs[0])


@defvjp(_pow_negative)
def _(grad, inputs, outputs):
    base, exponent = inputs
    return _power_gradients(grad, base, exponent, outputs[0])


def _power(function: str, base: Any, exponent: Any) -> tuple[Any, tuple[Any, ...]]:
    """The operator for a pair of arguments, and the static values it takes."""
    if isinstance(exponent, TensorBase):
        return _pow, ()
    if isinstance(exponent, int | float | np.number) and isinstance(base, TensorBase):
        if exponent in _SPECIAL:
            return _pow_special, (float(exponent),)
        return (_pow_negative, ()) if isinstance(exponent, int | np.integer) and exponent < 0 else (_pow, ())
    if not (isinstance(exponent, complex) and isinstance(base, TensorBase)):
        errors.invalid_combination(
            function,
            (base, exponent),
            "(Tensor input, Tensor exponent, *, Tensor out = None)",
            "(Number self, Tensor exponent, *, Tensor out = None)",
            "(Tensor input, Number exponent, *, Tensor out = None)",
        )
    return _pow, ()


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
