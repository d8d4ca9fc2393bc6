"""Comparisons of elements, and the tests for nan, infinity and closeness."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch, errors
from torchlike._core import dtype as dtypes
from torchlike._core.kernels import cast
from torchlike._core.op import ALWAYS_BOOL, Array, ArrayLike, alias, composite, op, overloads
from torchlike._core.promote import promote_types
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, FLOATS, UNSIGNED, is_in, refuse, refuse_with

__all__ = [
    "allclose",
    "eq",
    "equal",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "le",
    "less",
    "less_equal",
    "lt",
    "ne",
    "not_equal",
    "signbit",
]


@op(promote=ALWAYS_BOOL, inplace=True)
def eq(input: Array, other: ArrayLike) -> Array:
    """Return where elements are equal, broadcast; nan equals nothing.

    >>> torch.eq(torch.tensor([1, 2, 3]), torch.tensor([1, 0, 3]))
    tensor([ True, False,  True])
    """
    return input == other


@op(promote=ALWAYS_BOOL, inplace=True)
def ne(input: Array, other: ArrayLike) -> Array:
    """Return where elements differ, broadcast; nan differs from everything.

    >>> torch.ne(torch.tensor([1, 2, 3]), torch.tensor([1, 0, 3]))
    tensor([False,  True, False])
    """
    return input != other


not_equal = alias(ne, "not_equal")


@op(promote=ALWAYS_BOOL, inplace=True)
def lt(input: Array, other: ArrayLike) -> Array:
    """Return where ``input < other``, broadcast. Raises NotImplementedError for complex numbers.

    >>> torch.lt(torch.tensor([1, 2, 3]), 2)
    tensor([ True, False, False])
    """
    refuse("lt_cpu", input, BARE, COMPLEX)
    return input < other


less = alias(lt, "less")


@op(promote=ALWAYS_BOOL, inplace=True)
def le(input: Array, other: ArrayLike) -> Array:
    """Return where ``input <= other``, broadcast. Raises NotImplementedError for complex numbers.

    >>> torch.le(torch.tensor([1, 2, 3]), 2)
    tensor([ True,  True, False])
    """
    refuse("le_cpu", input, BARE, COMPLEX)
    return input <= other


less_equal = alias(le, "less_equal")


@op(promote=ALWAYS_BOOL, inplace=True)
def gt(input: Array, other: ArrayLike) -> Array:
    """Return where ``input > other``, broadcast. Raises NotImplementedError for complex numbers.

    >>> torch.gt(torch.tensor([1, 2, 3]), 2)
    tensor([False, False,  True])
    """
    refuse("gt_cpu", input, BARE, COMPLEX)
    return input > other


greater = alias(gt, "greater")


@op(promote=ALWAYS_BOOL, inplace=True)
def ge(input: Array, other: ArrayLike) -> Array:
    """Return where ``input >= other``, broadcast. Raises NotImplementedError for complex numbers.

    >>> torch.ge(torch.tensor([1, 2, 3]), 2)
    tensor([False,  True,  True])
    """
    refuse("ge_cpu", input, BARE, COMPLEX)
    return input >= other


greater_equal = alias(ge, "greater_equal")


for _function in (eq, ne, lt, le, gt, ge):
    overloads(
        _function,
        "(Tensor input, Tensor other, *, Tensor out = None)",
        "(Tensor input, Number other, *, Tensor out = None)",
    )


@op(promote=ALWAYS_BOOL, out=False)
def isnan(input: Array) -> Array:
    """Return where elements are nan; a complex number is when one of its parts is.

    >>> torch.isnan(torch.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return input != input


@op(promote=ALWAYS_BOOL, out=False)
def isinf(input: Array) -> Array:
    """Return where elements are infinite; a complex number is when one of its parts is.

    >>> torch.isinf(torch.tensor([1.0, float("-inf")]))
    tensor([False,  True])
    """
    refuse("isinf", input, FLOAT8)
    return jnp.isinf(input)


@op(promote=ALWAYS_BOOL, out=False)
def isfinite(input: Array) -> Array:
    """Return where elements are neither nan nor infinite.

    >>> torch.isfinite(torch.tensor([1.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """
    refuse("isfinite", input, FLOAT8)
    return jnp.isfinite(input)


@op(promote=ALWAYS_BOOL)
def isposinf(input: Array) -> Array:
    """Return where elements are positive infinity. Raises RuntimeError for complex numbers.

    >>> torch.isposinf(torch.tensor([float("inf"), float("-inf")]))
    tensor([ True, False])
    """
    refuse_with("isposinf does not support complex inputs.", input, COMPLEX)
    refuse("isposinf_cpu", input, FLOAT8)
    return jnp.isposinf(input) if is_in(input, FLOATS) else jnp.zeros(input.shape, bool)


@op(promote=ALWAYS_BOOL)
def isneginf(input: Array) -> Array:
    """Return where elements are negative infinity. Raises RuntimeError for complex numbers.

    >>> torch.isneginf(torch.tensor([float("inf"), float("-inf")]))
    tensor([False,  True])
    """
    refuse_with("isneginf does not support complex inputs.", input, COMPLEX)
    refuse("isneginf_cpu", input, FLOAT8)
    return jnp.isneginf(input) if is_in(input, FLOATS) else jnp.zeros(input.shape, bool)


@op(promote=ALWAYS_BOOL, out=False)
def isreal(input: Array) -> Array:
    """Return where the imaginary part is zero: everywhere for real dtypes.

    >>> torch.isreal(torch.tensor([1 + 0j, 1j]))
    tensor([ True, False])
    """
    return input.imag == 0 if is_in(input, COMPLEX) else jnp.ones(input.shape, bool)


@op(promote=ALWAYS_BOOL)
def signbit(input: Array) -> Array:
    """Return where the sign bit is set: for negative numbers and for -0.0. Raises for complex numbers.

    >>> torch.signbit(torch.tensor([-0.0, 1.0]))
    tensor([ True, False])
    """
    refuse_with("signbit is not implemented for complex tensors.", input, COMPLEX, NotImplementedError)
    refuse("signbit_cpu", input, FLOAT8)
    if is_in(input, BOOL | UNSIGNED):
        return jnp.zeros(input.shape, bool)
    return jnp.signbit(input) if is_in(input, FLOATS) else input < 0


def _close(input: Array, other: Array, rtol: float, atol: float, equal_nan: bool) -> Array:
    if input.dtype != other.dtype:
        raise RuntimeError(f"{errors.scalar_type(input.dtype)} did not match {errors.scalar_type(other.dtype)}")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        errors.check(tolerance >= 0, f"{name} must be greater than or equal to zero, but got {tolerance}")
    refuse("mul_cpu_reduced_float", input, FLOAT8)
    errors.broadcast_shapes(input.shape, other.shape)
    close = input == other
    if equal_nan:
        close = close | ((input != input) & (other != other))
    if rtol == 0 and atol == 0:
        return close
    if not is_in(input, FLOATS | COMPLEX):
        # PyTorch compares integers in the default dtype.
        input, other = input.astype(jnp.float64), other.astype(jnp.float64)
    allowed = atol + jnp.abs(rtol * other)
    difference = jnp.abs(input - other)
    return close | (jnp.isfinite(difference) & (difference <= allowed))


@op(out=False)
def isclose(input: Array, other: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Array:
    """Return where ``abs(input - other) <= atol + rtol * abs(other)``, or both are the same infinity.

    Both must have the same dtype. With ``equal_nan`` nan is close to nan.

    >>> torch.isclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0 + 1e-10, 2.1]))
    tensor([ True, False])
    """
    return _close(input, other, rtol, atol, equal_nan)


@op(method=False, out=False)
def _allclose(input: Array, other: Array, rtol: float, atol: float, equal_nan: bool) -> Array:
    """Whether all elements are close."""
    return jnp.all(_close(input, other, rtol, atol, equal_nan))


@composite
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether all elements are close in the sense of :func:`isclose`, as a Python bool.

    >>> torch.allclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-10]))
    True
    """
    return bool(_allclose(input, other, rtol, atol, equal_nan))


@op(method=False, out=False)
def _equal(input: Array, other: Array) -> Array:
    """Whether all elements are equal."""
    refuse("equal_notnan_cpu", input, FLOAT8)
    wide = promote_types(dtypes.of(input.dtype), dtypes.of(other.dtype)).np
    return jnp.all(cast(input, wide) == cast(other, wide))


@composite
def equal(input: Any, other: Any) -> bool:
    """Return whether two tensors have the same shape and elements, as a Python bool; nan equals nothing.

    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    tensors = isinstance(input, TensorBase) and isinstance(other, TensorBase)
    if tensors and dispatch.shape_of(input) != dispatch.shape_of(other):
        return False
    return bool(_equal(input, other))
