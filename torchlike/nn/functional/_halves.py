"""Sums of halves in the order and with the roundings of PyTorch's kernels, which add up in halves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core.halves import rounded

Array = Any
Numbers = np.ndarray[Any, Any]


class Places(NamedTuple):
    """For each result along an axis where its terms stand: (terms, results), and which of these there are."""

    at: Numbers
    valid: Numbers


def ranges(start: Numbers, stop: Numbers) -> Places:
    """The terms from ``start`` to before ``stop``."""
    steps = np.arange(max(int((stop - start).max(initial=0)), 1))[:, None]
    valid = steps < stop - start
    return Places(np.where(valid, start + steps, 0), valid)


def sources(places: Numbers, count: int) -> Places:
    """The places that hold each of the numbers below ``count``, in ascending order."""
    order = np.argsort(places, kind="stable")
    low, high = (np.searchsorted(places[order], np.arange(count), side) for side in ("left", "right"))
    found = ranges(low, high)
    return Places(np.where(found.valid, order[found.at], 0), found.valid)


def added_in_turn(x: Array, axes: Sequence[Places], kind: Any) -> Array:
    """Sums over the last axes, one term after the other, the last axis running fastest, each rounded to ``kind``."""
    dims = len(axes)
    index, valid = [], []
    for axis, places in enumerate(axes):
        along = (-1, *(places.at.shape[1] if d == axis else 1 for d in range(dims)))
        index.append(jnp.asarray(places.at.reshape(along)))
        valid.append(jnp.asarray(places.valid.reshape(along)))
    turns = np.array(list(itertools.product(*(range(len(a.at)) for a in axes))))

    def step(total: Array, turn: Array) -> tuple[Array, None]:
        inside: Any = True
        for i, there in enumerate(valid):
            inside = inside & there[turn[i]]
        term = x[(..., *(at[turn[i]] for i, at in enumerate(index)))]
        return jnp.where(inside, rounded(total + term, kind), total), None

    start = jnp.zeros((*x.shape[: x.ndim - dims], *(a.at.shape[1] for a in axes)), x.dtype)
    total, _ = lax.scan(step, start, jnp.asarray(turns))
    return total
