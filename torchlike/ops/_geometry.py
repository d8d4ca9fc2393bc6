"""The arithmetic of view operators: PyTorch's sizes, strides and offsets of results, as plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, cpp_type, wrap_dim
from torchlike._core.views import Geometry, contiguous_strides

Ints = Sequence[int]


def of_shape(x: Any) -> Geometry:
    """The geometry of a row-major tensor with the shape and dtype of an array."""
    return Geometry(tuple(x.shape), contiguous_strides(x.shape), 0, dtypes.of(x.dtype), False, False)


def show(size: Ints) -> str:
    """A shape as PyTorch's messages print it: [2, 3]."""
    return "[" + ", ".join(map(str, size)) + "]"


def infer_size(size: Ints, numel: int) -> tuple[int, ...]:
    """Fill in the one -1 of a requested shape, or raise PyTorch's sentence if ``numel`` elements cannot have it."""
    unknown = None
    known = 1
    for d, s in enumerate(size):
        if s == -1:
            check(unknown is None, "only one dimension can be inferred")
            unknown = d
        else:
            check(s >= 0, f"invalid shape dimension {s} at index {d} of shape {show(size)}")
            known *= s
    if unknown is None:
        check(known == numel, f"shape '{show(size)}' is invalid for input of size {numel}")
        return tuple(size)
    check(
        known != 0 or numel != 0,
        f"cannot reshape tensor of 0 elements into shape {show(size)} because the unspecified dimension size -1 can be"
        " any value and is ambiguous",
    )
    check(known != 0 and numel % known == 0, f"shape '{show(size)}' is invalid for input of size {numel}")
    return (*size[:unknown], numel // known, *size[unknown + 1 :])


def view_strides(old_size: Ints, old_stride: Ints, size: Ints) -> tuple[int, ...] | None:
    """Return the strides of the same memory seen with another shape, None if there are none.

    The old dimensions are merged, from the fastest, into runs whose strides follow from each other; each run must be
    cut up by new dimensions exactly.
    """
    if math.prod(old_size) == 0:
        return tuple(old_stride) if tuple(old_size) == tuple(size) else contiguous_strides(size)
    strides = [0] * len(size)
    new = len(size) - 1
    run, base = 1, old_stride[-1] if old_stride else 1
    for old in range(len(old_size) - 1, -1, -1):
        run *= old_size[old]
        goes_on = old > 0 and (old_size[old - 1] == 1 or old_stride[old - 1] == run * base)
        if goes_on:
            continue
        cut = 1
        while new >= 0 and (cut < run or size[new] == 1):
            strides[new] = cut * base
            cut *= size[new]
            new -= 1
        if cut != run:
            return None
        if old > 0:
            run, base = 1, old_stride[old - 1]
    while new >= 0 and not old_size:
        strides[new] = 1
        new -= 1
    return tuple(strides) if new < 0 else None


def viewed(g: Geometry, size: Ints) -> Geometry | None:
    """The geometry with another shape, None when that takes a copy."""
    size = infer_size(size, g.numel)
    strides = view_strides(g.size, g.stride, size)
    return None if strides is None else g._replace(size=size, stride=strides)


def permuted(g: Geometry, dims: Ints) -> Geometry:
    """The geometry with its dimensions in another order."""
    return g._replace(size=tuple([g.size[d] for d in dims]), stride=tuple([g.stride[d] for d in dims]))


def expanded(g: Geometry, size: Ints) -> Geometry:
    """The geometry with dimensions of size 1 (and new ones in front) repeated by a stride of 0."""
    ndim, new = len(g.size), len(size)
    check(
        new >= ndim,
        f"expand({cpp_type(g.dtype)}{{{show(g.size)}}}, size={show(size)}): the number of sizes provided"
        f" ({new}) must be greater or equal to the number of dimensions in the tensor ({ndim})",
    )
    sizes: list[int] = [0] * new
    strides: list[int] = [0] * new
    for d in range(new - 1, -1, -1):
        old = d - (new - ndim)
        wanted = size[d]
        have = g.size[old] if old >= 0 else 1
        step = g.stride[old] if old >= 0 else (sizes[d + 1] * strides[d + 1] if d + 1 < new else 1)
        if wanted == -1 and (ndim or new > 1):
            check(
                old >= 0,
                f"The expanded size of the tensor ({wanted}) isn't allowed in a leading, non-existing dimension {d}",
            )
            wanted = have
        elif wanted != have:
            check(
                have == 1,
                f"The expanded size of the tensor ({wanted}) must match the existing size ({have}) at non-singleton"
                f" dimension {d}.  Target sizes: {show(size)}.  Tensor sizes: {show(g.size)}",
            )
            step = 0
        check(wanted >= 0, "numel: integer multiplication overflow")
        sizes[d], strides[d] = wanted, step
    return g._replace(size=tuple(sizes), stride=tuple(strides))


def selected(g: Geometry, dim: int, index: int) -> Geometry:
    """The geometry of one index of a dimension."""
    check(bool(g.size), "select() cannot be applied to a 0-dim tensor.", IndexError)
    d = wrap_dim(dim, len(g.size))
    size = g.size[d]
    check(
        -size <= index < size,
        f"select(): index {index} out of range for tensor of size {show(g.size)} at dimension {d}",
        IndexError,
    )
    index += size if index < 0 else 0
    return g._replace(
        size=g.size[:d] + g.size[d + 1 :],
        stride=g.stride[:d] + g.stride[d + 1 :],
        offset=g.offset + index * g.stride[d],
    )


def sliced(g: Geometry, dim: int, start: int | None, end: int | None, step: int) -> Geometry:
    """The geometry of every ``step``-th index from ``start`` to ``end``, both clamped as in Python."""
    check(bool(g.size), "slice() cannot be applied to a 0-dim tensor.")
    d = wrap_dim(dim, len(g.size))
    check(step > 0, "slice step must be positive")
    start, length = span(g.size[d], start, end, step)
    return g._replace(
        size=(*g.size[:d], length, *g.size[d + 1 :]),
        stride=(*g.stride[:d], g.stride[d] * step, *g.stride[d + 1 :]),
        offset=g.offset + start * g.stride[d],
    )


def span(size: int, start: int | None, end: int | None, step: int = 1) -> tuple[int, int]:
    """The first index and the number of indices of a slice."""
    start = 0 if start is None else start
    end = size if end is None else end
    start += size if start < 0 else 0
    end += size if end < 0 else 0
    start = min(max(start, 0), size)
    end = min(max(end, start), size)
    return start, (end - start + step - 1) // step
