"""The distinct elements of a tensor. How many there are depends on the values, so they are found on the host."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from torchlike._core import dispatch, layout
from torchlike._core.errors import check, not_implemented, wrap_dim
from torchlike._core.op import composite
from torchlike._core.views import contiguous_strides
from torchlike.ops._checks import COMPLEX, FLOAT8, is_in
from torchlike.ops._relay import without_derivative

__all__ = ["unique", "unique_consecutive"]

Tensor = Any
_Host = np.ndarray[Any, Any]


_CALLED = {"Unique2": "_unique2", "UniqueDim": "unique_dim", "UniqueConsecutive": "unique_consecutive"}


def _finish(
    input: Tensor,
    name: str,
    dim: int | None,
    found: tuple[_Host, _Host, _Host],
    return_inverse: bool,
    return_counts: bool,
) -> Any:
    values, inverse, counts = found
    place = dispatch.device_of(input)
    if dim:  # the rows lie in memory one after the other, as they were compared
        values = np.moveaxis(values, 0, dim)
        order = sorted(range(values.ndim), key=lambda d: (d != dim, d))
        stride = contiguous_strides([values.shape[d] for d in order])
        result = dispatch.wrap(layout.put(values, place), tuple([stride[order.index(d)] for d in range(values.ndim)]))
    else:
        result = dispatch.wrap_host(np.array(values, order="C"), place)
    if input.requires_grad:
        missing = f"the derivative for '{_CALLED[name]}' is not implemented."
        result = without_derivative(input, result, f"{name}Backward0", missing)
    extra = [
        dispatch.wrap_host(np.array(x, np.int64, order="C"), place)
        for x, wanted in ((inverse, return_inverse), (counts, return_counts))
        if wanted
    ]
    return (result, *extra) if extra else result


def _runs(changed: _Host) -> tuple[_Host, _Host, _Host]:
    """Where runs of equal elements start, the number of the run of each element, and how long the runs are."""
    first = np.concatenate([np.ones(min(len(changed) + 1, 1), bool), changed]) if len(changed) else np.ones(1, bool)
    starts = np.flatnonzero(first)
    return starts, np.cumsum(first) - 1, np.diff(np.append(starts, len(first)))


def _differ(rows: _Host) -> _Host:
    """Whether each row differs from the one before it."""
    unequal = rows[1:] != rows[:-1]
    return np.asarray(unequal.any(axis=tuple(range(1, rows.ndim)))) if rows.ndim > 1 else unequal


def _along(host: _Host, dim: int) -> _Host:
    check(
        all(n for d, n in enumerate(host.shape) if d != dim),
        "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
    )
    return np.moveaxis(host, dim, 0)


def _lexicographic(rows: _Host) -> _Host:
    """The order of rows as of words, stable."""
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    return np.lexsort(flat.T[::-1]) if flat.shape[1] else np.arange(len(rows))


def _empty(host: _Host) -> tuple[_Host, _Host, _Host]:
    none = np.zeros(0, np.int64)
    return host, none, none


@composite
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the distinct elements in ascending order, or the distinct indices of a dimension.

    With ``return_inverse`` also where each element of the input went, with ``return_counts`` also how often each
    occurs. nan differs from itself. Raises NotImplementedError for complex numbers.

    >>> torch.unique(torch.tensor([1, 3, 2, 3]), return_counts=True)
    (tensor([1, 2, 3]), tensor([1, 1, 2]))
    """
    array = dispatch.array_of(input)
    if is_in(array, COMPLEX | FLOAT8):
        not_implemented("unique", array.dtype)
    host = np.asarray(array)
    if dim is None:
        flat = host.reshape(-1)
        order = np.argsort(flat, kind="stable")
        rows, shape, name = flat, host.shape, "Unique2"
    else:
        dim = wrap_dim(dim, host.ndim)
        rows = _along(host, dim) if host.ndim else host.reshape(1)
        order = _lexicographic(rows)
        shape, name = (len(rows),), "UniqueDim"
    if len(rows) == 0:
        found = _empty(rows)
    else:
        starts, runs, counts = _runs(_differ(rows[order]))
        inverse = np.empty(len(rows), np.int64)
        inverse[order] = runs
        found = rows[order][starts], inverse.reshape(shape), counts
    return _finish(input, name, dim, found, return_inverse, return_counts)


@composite
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the elements without those equal to the one before, or the indices of a dimension likewise.

    >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 2, 1]), return_counts=True)
    (tensor([1, 2, 1]), tensor([2, 2, 1]))
    """
    array = dispatch.array_of(input)
    if is_in(array, COMPLEX | FLOAT8):
        not_implemented("unique", array.dtype)
    host = np.asarray(array)
    if dim is None:
        rows, shape = host.reshape(-1), host.shape
    else:
        dim = wrap_dim(dim, host.ndim)
        rows = _along(host, dim) if host.ndim else host.reshape(1)
        shape = (len(rows),)
    if len(rows) == 0:
        found = _empty(rows)
    else:
        starts, runs, counts = _runs(_differ(rows))
        found = rows[starts], runs.reshape(shape), counts
    return _finish(input, "UniqueConsecutive", dim, found, return_inverse, return_counts)
