"""The arithmetic of pooling windows: sizes, edges, and reading an array window position by window position."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jax import lax

from torchlike._core.errors import check

Array = Any
Ints = tuple[int, ...]


def ints(function: str, name: str, value: Any, count: int) -> Ints:
    """An int, or a list of as many as there are dimensions, as one int a dimension."""
    found = (int(value),) if not isinstance(value, tuple | list) else tuple(int(v) for v in value)
    words = {1: "one int", 2: "two ints", 3: "three ints"}[count]
    of = "a tuple of " + words if count > 1 else "a tuple of one int"
    check(len(found) in (1, count), f"{function}: {name} must either be a single int, or {of}")
    return found * count if len(found) == 1 else found


def output_size(n: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    """How many windows fit along a dimension; with ``ceil_mode`` the last may reach beyond the end."""
    span = n + 2 * p - d * (k - 1) - 1
    out = span // s + 1
    if ceil_mode and span % s:
        out += 1
    if ceil_mode and (out - 1) * s >= n + p:
        out -= 1
    return out


def edges(
    size: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> tuple[tuple[int, int], ...]:
    """The padding that every window lies within, before and after each dimension."""
    return tuple(
        (p, max(0, (o - 1) * s + d * (k - 1) + 1 - n - p))
        for n, o, k, s, p, d in zip(size, out, kernel, stride, padding, dilation, strict=True)
    )


def positions(kernel: Ints) -> Iterator[Ints]:
    """The positions in a window, the last dimension first."""
    return itertools.product(*map(range, kernel))


def strided(x: Array, position: Ints, out: Ints, stride: Ints, dilation: Ints) -> Array:
    """The element at one position of every window of the last dimensions of a padded array."""
    lead = x.ndim - len(out)
    starts = [p * d for p, d in zip(position, dilation, strict=True)]
    stops = [a + (n - 1) * s + 1 for a, n, s in zip(starts, out, stride, strict=True)]
    return lax.slice(x, (*(0,) * lead, *starts), (*x.shape[:lead], *stops), (*(1,) * lead, *stride))


def spread_back(g: Array, position: Ints, padded: Ints, stride: Ints, dilation: Ints) -> Array:
    """The transpose of `strided`: values put where one position of every window is, zeros elsewhere."""
    lead = g.ndim - len(padded)
    config = [(0, 0, 0)] * lead
    for n, p, d, s, size in zip(g.shape[lead:], position, dilation, stride, padded, strict=True):
        start = p * d
        config.append((start, size - start - ((n - 1) * s + 1), s - 1))
    return lax.pad(g, np.zeros((), g.dtype), config)


def flat_indices(
    size: Ints, position: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> np.ndarray[Any, Any]:
    """Where the elements at one position of every window lie in the flattened input."""
    total = np.zeros(out, np.int64)
    step = math.prod(size)
    for axis, (n, p, o, s, pad, d) in enumerate(zip(size, position, out, stride, padding, dilation, strict=True)):
        step //= max(n, 1)
        along = (np.arange(o) * s - pad + p * d) * step
        total = total + along.reshape([-1 if a == axis else 1 for a in range(len(out))])
    return total


def counts(size: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, include_pad: bool) -> np.ndarray[Any, Any]:
    """How many elements the average over each window divides by."""
    total = np.ones(out)
    for axis, (n, o, k, s, p) in enumerate(zip(size, out, kernel, stride, padding, strict=True)):
        start = np.arange(o) * s - p
        stop = np.minimum(start + k, n + p)
        if not include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, n)
        total = total * (stop - start).reshape([-1 if a == axis else 1 for a in range(len(out))])
    return total


def bins(n: int, out: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Where the bins of an adaptive pooling start and stop."""
    i = np.arange(out)
    return (i * n) // max(out, 1), -((-(i + 1) * n) // max(out, 1))
