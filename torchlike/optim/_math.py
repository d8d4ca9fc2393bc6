"""The arithmetic of PyTorch's in-place operators on arrays: scalars in the operands' type, halves rounded once."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

Array = Any
_HALVES = (jnp.float16, jnp.bfloat16)


def wide(x: Array) -> Array:
    """An array in the type that PyTorch computes with."""
    return x.astype(jnp.float32) if x.dtype in _HALVES else x


def scalar(value: Any, like: Array) -> Array:
    """A hyperparameter in the type that PyTorch computes with."""
    return jnp.asarray(value).astype(jnp.float32 if like.dtype in _HALVES else like.dtype)


def add(a: Array, b: Array, alpha: Any = None) -> Array:
    """``a.add(b, alpha=alpha)``."""
    other = wide(b) if alpha is None else scalar(alpha, a) * wide(b)
    return (wide(a) + other).astype(a.dtype)


def mul(a: Array, value: Any) -> Array:
    """``a.mul(value)`` by a number."""
    return (wide(a) * scalar(value, a)).astype(a.dtype)


def div(a: Array, value: Any) -> Array:
    """``a.div(value)`` by a number."""
    return (wide(a) / scalar(value, a)).astype(a.dtype)


def shift(a: Array, value: Any) -> Array:
    """``a.add(value)`` of a number."""
    return (wide(a) + scalar(value, a)).astype(a.dtype)


def sqrt(a: Array) -> Array:
    """``a.sqrt()``."""
    return jnp.sqrt(wide(a)).astype(a.dtype)


def lerp(a: Array, b: Array, weight: Any) -> Array:
    """``a.lerp(b, weight)``, from the end that is nearer."""
    x, y, w = wide(a), wide(b), scalar(weight, a)
    return jnp.where(jnp.abs(w) < 0.5, x + w * (y - x), y - (y - x) * (1 - w)).astype(a.dtype)


def addcmul(a: Array, b: Array, c: Array, value: Any) -> Array:
    """``a.addcmul(b, c, value=value)``."""
    return (wide(a) + scalar(value, a) * wide(b) * wide(c)).astype(a.dtype)


def addcdiv(a: Array, b: Array, c: Array, value: Any) -> Array:
    """``a.addcdiv(b, c, value=value)``."""
    return (wide(a) + scalar(value, a) * wide(b) / wide(c)).astype(a.dtype)


def absolute(a: Array) -> Array:
    """``a.abs()``."""
    return jnp.abs(a)


def product(a: Array, b: Array) -> Array:
    """``a * b`` of two tensors."""
    return (wide(a) * wide(b)).astype(a.dtype)


def quotient(a: Array, b: Array) -> Array:
    """``a / b`` of two tensors."""
    return (wide(a) / wide(b)).astype(a.dtype)
