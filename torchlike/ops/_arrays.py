"""What the bodies of several families share: accumulation in wider numbers, reduced dimensions, mixed products."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from torchlike._core.op import Array
from torchlike.ops._checks import COMPLEX, is_in


def widened(x: Array) -> Array:
    """Half precision as float32, in which it is accumulated."""
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def spread(x: Array, shape: tuple[int, ...]) -> Array:
    """An array broadcast to a shape; the gradient of halves is summed in float32 and rounded once."""
    return jnp.broadcast_to(widened(x), shape).astype(x.dtype)


def expanded(x: Array, dims: tuple[int, ...], keepdim: bool) -> Array:
    """A reduced array with its reduced dimensions (of size one) in place."""
    return x if keepdim else jnp.expand_dims(x, dims)


def scaled(x: Array, factor: Array) -> Array:
    """The product of an array with a real factor, also of complex numbers, without their cross terms."""
    if is_in(x, COMPLEX):
        return lax.complex(x.real * factor, x.imag * factor)
    return x * factor


def conjugate(x: Array) -> Array:
    """The complex conjugate; a real array as it is."""
    return lax.conj(x) if is_in(x, COMPLEX) else x


def real_part(x: Array) -> Array:
    """The real part; a real array as it is."""
    return x.real if is_in(x, COMPLEX) else x
