"""Where index tensors point: positions in memory, from which gathers read and to which scatters write.

XLA's gathers and scatters are fastest over one dimension, so indices into several dimensions are folded into row-major
positions first. They are 32-bit where that suffices (measured on the CPU: up to a third less time).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array


def index_type(extent: int) -> Any:
    """The integer type for positions below ``extent``."""
    return jnp.int32 if extent < 2**31 else jnp.int64


def wrapped(index: Array, size: int, extent: int | None = None) -> Array:
    """Return the index with negative values counted from the end, in the type for positions below ``extent``."""
    index = index.astype(index_type(size if extent is None else extent))
    return jnp.where(index < 0, index + size, index)


def along(shape: Sequence[int], dim: int, index: Array) -> Array:
    """Return for each element of ``index`` its flat position in ``shape``: as itself, but ``index`` along ``dim``."""
    extent = math.prod(shape)
    kind = index_type(extent)
    positions = jnp.zeros((), kind)
    stride = 1
    for d in range(len(shape) - 1, -1, -1):
        step = index.astype(kind) if d == dim else lax.broadcasted_iota(kind, index.shape, d)
        positions = positions + step * stride
        stride *= shape[d]
    return jnp.broadcast_to(positions, index.shape)


def gather_flat(values: Array, positions: Array) -> Array:
    """Return the elements of ``values`` (any shape) at flat positions."""
    if positions.size == 0:
        return jnp.zeros(positions.shape, values.dtype)
    return jnp.take(values.reshape(-1), positions, mode="clip")


def check_same_type(name: str, input: Array, source: Array) -> None:
    """Refuse a source of another dtype."""
    check(
        input.dtype == source.dtype,
        f"{name}(): self ({scalar_type(input.dtype)}) and source ({scalar_type(source.dtype)}) must have the same"
        " scalar type",
    )


def put_at(input: Array, key: Any, values: Array, accumulate: bool) -> Array:
    """Return ``input`` with ``values`` written to, or added at, an index within its bounds."""
    place = input.at[key]
    if not accumulate:
        return place.set(values, mode="promise_in_bounds")
    if input.dtype == jnp.bool_:
        return place.max(values, mode="promise_in_bounds")
    return place.add(values, mode="promise_in_bounds")


def added(a: Array, b: Array) -> Array:
    """The sum; of bools, whether one holds."""
    return a | b if a.dtype == jnp.bool_ else a + b
