"""Rounding to a half precision in the middle of a computation in single precision."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

_SMALLEST = 2.0**-14  # the smallest normal float16; what lies below counts in steps of 2**-24
_STEPS = 2.0**24


def rounded(x: Any, kind: Any) -> Any:
    """Return float32 numbers rounded to what a half precision holds; for another dtype they stay as they are.

    Gradients are rounded on their way back. XLA optimises a conversion there and back away, not this.
    """
    if kind not in (jnp.float16, jnp.bfloat16):
        return x
    limits = jnp.finfo(kind)
    near = lax.reduce_precision(x, exponent_bits=limits.nexp, mantissa_bits=limits.nmant)
    if kind == jnp.bfloat16:
        return near
    # Subnormal numbers, which are common in float16, became 0.
    fixed = lax.stop_gradient(x)
    small = (jnp.abs(fixed) < _SMALLEST) & (fixed != 0)
    missing = jnp.round(fixed * _STEPS) / _STEPS - lax.stop_gradient(near)
    return near + jnp.where(small, missing, -0.0).astype(x.dtype)
