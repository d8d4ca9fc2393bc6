"""Bits and truth values: bitwise operators, shifts, logical operators."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from torchlike._core.op import ALWAYS_BOOL, NO_OPMATH, Array, ArrayLike, op, overloads
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, FLOATS, is_in, refuse, refuse_numbers

__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
]


_SIGNATURES = (
    "(Tensor input, Tensor other, *, Tensor out = None)",
    "(Number self, Tensor other)",
    "(Tensor input, Number other, *, Tensor out = None)",
)


@op(promote=NO_OPMATH, inplace=True)
def bitwise_not(input: Array) -> Array:
    """Return the integers with every bit flipped; the logical not of bools.

    >>> torch.bitwise_not(torch.tensor([0, 1, -1]))
    tensor([-1, -2,  0])
    """
    refuse("bitwise_not_cpu", input, FLOATS, COMPLEX, BARE)
    return ~input


@op(promote=NO_OPMATH, inplace=True)
def bitwise_and(input: ArrayLike, other: ArrayLike) -> Array:
    """Return the bits set in both integers, broadcast; the logical and of bools.

    >>> torch.bitwise_and(torch.tensor([5, 6]), 4)
    tensor([4, 4])
    """
    refuse_numbers("bitwise_and", _SIGNATURES)
    refuse("bitwise_and_cpu", input, FLOATS, COMPLEX, FLOAT8)
    return input & other


@op(promote=NO_OPMATH, inplace=True)
def bitwise_or(input: ArrayLike, other: ArrayLike) -> Array:
    """Return the bits set in either integer, broadcast; the logical or of bools.

    >>> torch.bitwise_or(torch.tensor([5, 6]), 8)
    tensor([13, 14])
    """
    refuse_numbers("bitwise_or", _SIGNATURES)
    refuse("bitwise_or_cpu", input, FLOATS, COMPLEX, FLOAT8)
    return input | other


@op(promote=NO_OPMATH, inplace=True)
def bitwise_xor(input: ArrayLike, other: ArrayLike) -> Array:
    """Return the bits set in one integer only, broadcast; the exclusive or of bools.

    >>> torch.bitwise_xor(torch.tensor([5, 6]), 4)
    tensor([1, 2])
    """
    refuse_numbers("bitwise_xor", _SIGNATURES)
    refuse("bitwise_xor_cpu", input, FLOATS, COMPLEX, FLOAT8)
    return input ^ other


@op(promote=NO_OPMATH, inplace=True)
def bitwise_left_shift(input: ArrayLike, other: ArrayLike) -> Array:
    """Return integers shifted left; 0 when the shift is negative or as wide as the dtype.

    >>> torch.bitwise_left_shift(torch.tensor([1, 3]), 2)
    tensor([ 4, 12])
    """
    refuse_numbers("bitwise_left_shift", _SIGNATURES)
    refuse("lshift_cpu", input, FLOATS, COMPLEX, BOOL, BARE)
    outside = (other < 0) | (other >= jnp.iinfo(input.dtype).bits)
    return jnp.where(outside, 0, lax.shift_left(input, jnp.where(outside, 0, other)))


@op(promote=NO_OPMATH, inplace=True)
def bitwise_right_shift(input: ArrayLike, other: ArrayLike) -> Array:
    """Return integers shifted right, keeping the sign; all sign when the shift is negative or too wide.

    >>> torch.bitwise_right_shift(torch.tensor([8, -8]), 2)
    tensor([ 2, -2])
    """
    refuse_numbers("bitwise_right_shift", _SIGNATURES)
    refuse("rshift_cpu", input, FLOATS, COMPLEX, BOOL, BARE)
    limits = jnp.iinfo(input.dtype)
    widest = limits.bits - (1 if limits.min < 0 else 0)
    outside = (other < 0) | (other >= widest)
    if limits.min < 0:
        return lax.shift_right_arithmetic(input, jnp.where(outside, widest, other))
    return jnp.where(outside, 0, lax.shift_right_logical(input, jnp.where(outside, 0, other)))


for _function in (bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift):
    overloads(_function, *_SIGNATURES)


def _truth(operator: str, x: Array) -> Array:
    refuse(operator, x, BARE)
    return x if is_in(x, BOOL) else x != 0


@op(promote=ALWAYS_BOOL, inplace=True)
def logical_not(input: Array) -> Array:
    """Return where elements are zero.

    >>> torch.logical_not(torch.tensor([0, 1, -10]))
    tensor([ True, False, False])
    """
    return ~_truth("logical_not_cpu", input)


@op(promote=ALWAYS_BOOL, inplace=True)
def logical_and(input: Array, other: Array) -> Array:
    """Return where both elements are nonzero, broadcast.

    >>> torch.logical_and(torch.tensor([0, 1, 2]), torch.tensor([1, 1, 0]))
    tensor([False,  True, False])
    """
    return _truth("logical_and_cpu", input) & _truth("logical_and_cpu", other)


@op(promote=ALWAYS_BOOL, inplace=True)
def logical_or(input: Array, other: Array) -> Array:
    """Return where at least one of two elements is nonzero, broadcast.

    >>> torch.logical_or(torch.tensor([0, 1, 0]), torch.tensor([1, 1, 0]))
    tensor([ True,  True, False])
    """
    return _truth("logical_or_cpu", input) | _truth("logical_or_cpu", other)


@op(promote=ALWAYS_BOOL, inplace=True)
def logical_xor(input: Array, other: Array) -> Array:
    """Return where exactly one of two elements is nonzero, broadcast.

    >>> torch.logical_xor(torch.tensor([0, 1, 0]), torch.tensor([1, 1, 0]))
    tensor([ True, False, False])
    """
    return _truth("logical_xor_cpu", input) ^ _truth("logical_xor_cpu", other)
