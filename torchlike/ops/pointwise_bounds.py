"""Bounds: the larger and the smaller of two tensors, and ``clamp``."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike._core.op import DEFAULT, Array, ArrayLike, alias, defvjp, op, operands_given, overloads
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, is_in, refuse, refuse_with

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "fmax", "fmin", "maximum", "minimum"]


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
    return _shared(grad, other, input)


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
    if max is None:
        _check_clamp("clamp", "maximum_cpu", "clamp_min_scalar_cpu", input)
    elif min is None:
        _check_clamp("clamp", "minimum_cpu", "clamp_max_scalar_cpu", input)
    else:
        _check_clamp("clamp", "clamp_cpu", "clamp_scalar_cpu", input)
    result = input if min is None else _at_least(input, min)
    return result if max is None else _at_most(result, max)


def _check_clamp(name: str, of_tensors: str, of_numbers: str, input: Array) -> None:
    numbers = all(given is None or given[1] == "number" for given in operands_given()[1:])
    if numbers or name == "clamp":
        refuse_with("clamp is not supported for complex types", input, COMPLEX, NotImplementedError)
    if numbers:
        refuse(of_numbers, input, BARE)
    else:
        refuse(of_tensors, input, BARE, COMPLEX, BOOL if of_tensors == "clamp_cpu" else frozenset())


def _at_least(x: Array, low: Array) -> Array:
    # Of 0.0 and -0.0 the input stays, which jnp.maximum does not promise; nan wins on either side.
    return jnp.where((x < low) | (low != low), low, x)


def _at_most(x: Array, high: Array) -> Array:
    return jnp.where((x > high) | (high != high), high, x)


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
    _check_clamp("clamp_min", "maximum_cpu", "clamp_min_scalar_cpu", input)
    return _at_least(input, min)


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
    _check_clamp("clamp_max", "minimum_cpu", "clamp_max_scalar_cpu", input)
    return _at_most(input, max)


@defvjp(clamp_max)
def _(grad, inputs, outputs):
    input, high = inputs
    return jnp.where(input <= high, grad, 0), jnp.where(input > high, grad, 0)


overloads(
    clamp,
    "(Tensor input, Tensor min = None, Tensor max = None, *, Tensor out = None)",
    "(Tensor input, Number min = None, Number max = None, *, Tensor out = None)",
)
overloads(
    clamp_min, "(Tensor input, Tensor min, *, Tensor out = None)", "(Tensor input, Number min, *, Tensor out = None)"
)
overloads(
    clamp_max, "(Tensor input, Tensor max, *, Tensor out = None)", "(Tensor input, Number max, *, Tensor out = None)"
)
