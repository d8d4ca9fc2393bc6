"""Where values belong: positions in sorted boundaries, membership, and counts of values and of bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_int, as_ints
from torchlike._core.errors import check, invalid_combination, not_implemented, scalar_type
from torchlike._core.op import NO_OPMATH, Array, ArrayLike, composite, op, operands_given
from torchlike._core.promote import compute_and_result
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import contiguous_strides
from torchlike.ops._checks import BARE, BOOL, COMPLEX, refuse
from torchlike.ops._geometry import show
from torchlike.ops._relay import without_derivative
from torchlike.ops.matmul import cpp_name
from torchlike.ops.ranges import evenly_spaced

__all__ = ["bincount", "bucketize", "histc", "histogram", "histogramdd", "isin", "searchsorted", "unravel_index"]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Sorted boundaries


def _positions(boundaries: Array, values: Array, right: bool) -> Array:
    """Binary search of each value in the last dimension of the boundaries, step by step as PyTorch makes it.

    The steps decide what unsorted boundaries and nan give.
    """
    length = boundaries.shape[-1]
    if not length or not values.size:
        return jnp.zeros(values.shape, jnp.int64)
    flat = boundaries.reshape(-1, length)
    if boundaries.ndim == 1:
        wanted = values.reshape(1, -1)
    else:
        wanted = values.reshape(flat.shape[0], -1)
    start = jnp.zeros(wanted.shape, jnp.int64)
    end = jnp.full(wanted.shape, length, jnp.int64)
    for _ in range(length.bit_length()):
        middle = start + ((end - start) >> 1)
        there = jnp.take_along_axis(flat, jnp.minimum(middle, length - 1), -1, mode="promise_in_bounds")
        stop = (there > wanted) if right else (there >= wanted)
        open_ = start < end
        start, end = jnp.where(open_ & ~stop, middle + 1, start), jnp.where(open_ & stop, middle, end)
    return start.reshape(values.shape)


@op(method=False)
def _searchsorted(
    sorted_sequence: Array, input: ArrayLike, sorter: Array | None, out_int32: bool, right: bool
) -> Array:
    bounds, values = sorted_sequence, input
    given = operands_given()
    check(
        bounds.ndim > 0,
        f"torch.searchsorted(): boundaries tensor should have positive dimension, but got {bounds.ndim} dimension",
    )
    if values.ndim == 0:
        check(
            bounds.ndim == 1,
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got"
            f" boundaries tensor dim({bounds.ndim}) and input value's dim(0) numel(1)",
        )
    check(
        bounds.ndim == 1 or (bounds.shape[:-1] == values.shape[:-1] and bounds.ndim == values.ndim),
        "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of"
        " boundaries tensor and"
        f" input value tensor must match, but we got boundaries tensor {show(bounds.shape)} and input value tensor"
        f" {show(values.shape)}",
    )
    if sorter is not None:
        check(
            sorter.shape == bounds.shape,
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor"
            f" {show(bounds.shape)}and got sorter tensor {show(sorter.shape)}",
        )
        check(
            sorter.dtype == jnp.int64,
            f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {scalar_type(sorter.dtype)}",
        )
        bounds = jnp.take_along_axis(bounds, sorter, -1)
    common = compute_and_result(NO_OPMATH, [g for g in given[:2] if g is not None])[0]
    bounds, values = bounds.astype(common), values.astype(common)
    if values.size:
        refuse("searchsorted_out_cpu", bounds, BOOL, COMPLEX, BARE)
    found = _positions(bounds, values, right)
    return found.astype(jnp.int32) if out_int32 else found


@composite(method=False)
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return where the values would have to be put into the sorted last dimension of a tensor to keep it sorted.

    With ``right`` (or ``side="right"``) after equal elements, else before them. The boundaries have one dimension, or
    all but the last in common with the values. ``sorter`` gives the order of boundaries that are not sorted.

    >>> torch.searchsorted(torch.tensor([1, 3, 5, 7]), torch.tensor([3, 6, 9]))
    tensor([1, 3, 4])
    """
    check(side in (None, "left", "right"), f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    check(
        not (side == "left" and right),
        "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True",
    )
    if sorter is not None and dispatch.geometry_of(sorter).dtype is dtypes.int64:
        order = np.asarray(dispatch.array_of(sorter))
        last = dispatch.shape_of(sorted_sequence)[-1:]
        check(
            not order.size or (order.min() >= 0 and order.max() < (last or (0,))[0]) or order.shape[-1:] != last,
            "torch.searchsorted(): sorter index out of range",
        )
    return _searchsorted(sorted_sequence, input, sorter, out_int32, right or side == "right", out=out)


@composite(method=False)
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False, out: Tensor | None = None
) -> Tensor:
    """Return the number of the bucket between sorted 1-d boundaries that each value falls into.

    A value equal to a boundary belongs to the bucket below it, with ``right`` to the one above.

    >>> torch.bucketize(torch.tensor([3, 6, 9]), torch.tensor([1, 3, 5, 7, 9]))
    tensor([1, 3, 4])
    """
    ndim = len(dispatch.shape_of(boundaries))
    check(ndim == 1, f"boundaries tensor must be 1 dimension, but got dim({ndim})")
    return _searchsorted(boundaries, input, None, out_int32, right, out=out)


# ---------------------------------------------------------------------------------------------------------------------
# Membership and counts


@op(method=False)
def _isin(elements: ArrayLike, test_elements: ArrayLike, invert: bool) -> Array:
    for x in (elements, test_elements):
        kind = scalar_type(x.dtype)
        check(
            not jnp.issubdtype(x.dtype, jnp.complexfloating) and x.dtype != jnp.bool_,
            f"Unsupported input type encountered for isin(): {kind}",
        )
    common = compute_and_result(NO_OPMATH, [g for g in operands_given() if g is not None])[0]
    values, wanted = elements.astype(common), test_elements.astype(common).reshape(-1)
    if wanted.size <= 32:
        found = (values[..., None] == wanted).any(-1)
    else:
        ordered = jnp.sort(wanted)
        place = jnp.minimum(_positions(ordered, values, right=False), wanted.size - 1)
        found = ordered[place] == values
    return ~found if invert else found


@composite(method=False)
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False, out: Tensor | None = None
) -> Tensor:
    """Return for each element whether it is among ``test_elements``, or with ``invert`` whether it is not.

    >>> torch.isin(torch.tensor([[1, 2], [3, 4]]), torch.tensor([2, 3]))
    tensor([[False,  True],
            [ True, False]])
    """
    if not isinstance(elements, TensorBase) and not isinstance(test_elements, TensorBase):
        signatures = "(Tensor elements, Tensor test_elements, *, bool assume_unique, bool invert, Tensor out)"
        invalid_combination("isin", [elements, test_elements], signatures)
    return _isin(elements, test_elements, invert, out=out)


@composite(method=False)
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Return the coordinates, in a tensor of the given shape, of numbers that count its elements row by row.

    Numbers out of range wrap around. Raises TypeError for indices of a floating-point dtype.

    >>> torch.unravel_index(torch.tensor([4, 1]), (3, 2))
    (tensor([2, 0]), tensor([0, 1]))
    """
    g = dispatch.geometry_of(indices)
    if g.dtype.is_floating_point or g.dtype.is_complex or g.dtype is dtypes.bool:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {g.dtype}")
    sizes = (shape,) if isinstance(shape, int) else as_ints("unravel_index", "shape", 2, shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    steps = np.asarray(contiguous_strides(sizes), np.int64)
    place = dispatch.device_of(indices)
    steps_, sizes_ = (dispatch.wrap_host(np.asarray(x, np.int64), place) for x in (steps, sizes))
    coordinates = indices.unsqueeze(-1).div(steps_, rounding_mode="floor").remainder(sizes_)
    return coordinates.unbind(-1)


@composite
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Return how often each number from 0 on occurs in a 1-d integer tensor, or the sum of the weights where it does.

    The result has at least ``minlength`` elements; it is int64, with weights float64 (float32 for weights of float32).

    >>> torch.bincount(torch.tensor([0, 1, 1, 3]))
    tensor([1, 2, 0, 1])
    """
    array = dispatch.array_of(input)
    refuse("bincount_cpu", array, BOOL, COMPLEX, BARE)
    if jnp.issubdtype(array.dtype, jnp.floating):
        not_implemented("bincount_cpu", array.dtype)
    minlength = as_int("bincount", "minlength", 3, minlength)
    check(minlength >= 0, "minlength should be >= 0")
    numbers = np.asarray(array)
    if numbers.ndim == 1 and numbers.size == 0:
        return dispatch.wrap_host(np.zeros(minlength, np.int64), dispatch.device_of(input))
    check(numbers.ndim == 1 and bool((numbers >= 0).all()), "bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        counts = np.bincount(numbers, minlength=minlength).astype(np.int64)
        return dispatch.wrap_host(counts, dispatch.device_of(input))
    check(
        dispatch.shape_of(weights) == numbers.shape,
        "weights should be 1-d and have the same length as input",
    )
    given = np.asarray(dispatch.array_of(weights))
    kind = np.float32 if given.dtype == np.float32 else np.float64
    sums = np.bincount(numbers, given.astype(np.float64), minlength).astype(kind)
    return _unknown(weights, dispatch.wrap_host(sums, dispatch.device_of(input)), "bincount")


def _unknown(input: Tensor, values: Tensor, name: str) -> Tensor:
    missing = f"derivative for aten::{name} is not implemented"
    return without_derivative(input, values, "torch::autograd::NotImplemented", missing)


# ---------------------------------------------------------------------------------------------------------------------
# Histograms


def _histc_check(input: Tensor, bins: int = 100, min: Any = 0, max: Any = 0) -> None:
    if not isinstance(input, TensorBase):
        return
    check(min <= max, "torch.histc: max must be larger than min")
    check(
        not isinstance(bins, int) or bins > 0,
        f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0",
    )
    array = dispatch.array_of(input)
    if min == max and array.size and jnp.issubdtype(array.dtype, jnp.floating):
        host = np.asarray(array, dtype=np.float64)
        low, high = host.min(), host.max()
        shown = [f"{x:g}" if not math.isnan(x) else "-nan" for x in (low, high)]
        check(bool(np.isfinite([low, high]).all()), f"torch.histc: range of [{shown[0]}, {shown[1]}] is not finite")
    check(math.isfinite(min) and math.isfinite(max), f"torch.histc: range of [{min:g}, {max:g}] is not finite")


@composite
def histc(input: Tensor, bins: int = 100, min: Any = 0, max: Any = 0, *, out: Tensor | None = None) -> Tensor:
    """Return how many elements lie in each of ``bins`` equal parts of the range from ``min`` to ``max``.

    With both 0 the range is that of the elements. Elements outside it, and nan, are not counted.

    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    given: Any = input
    return _histc(given.detach() if isinstance(input, TensorBase) else given, bins, min, max, out=out)


@op(check=_histc_check, method=False)
def _histc(input: Array, bins: int, min: Any, max: Any) -> Array:
    if input.dtype == jnp.bool_:
        not_implemented("linspace_cpu", input.dtype)
    if min == max:
        refuse("aminmax_cpu", input, COMPLEX)
    if not jnp.issubdtype(input.dtype, jnp.floating):
        not_implemented("histogram_cpu", input.dtype)
    refuse("histogram_cpu", input, BARE)
    x = input.reshape(-1)
    wide = jnp.float32 if x.dtype.itemsize < 4 else x.dtype
    x = x.astype(wide)
    if min != max:
        low, high = jnp.asarray(min, wide), jnp.asarray(max, wide)
    elif x.size:
        low, high = x.min(), x.max()
    else:
        low, high = jnp.asarray(min, wide), jnp.asarray(max, wide)
    same = low == high
    low, high = jnp.where(same, low - 1, low), jnp.where(same, high + 1, high)
    place = jnp.minimum(((x - low) * bins / (high - low)).astype(jnp.int64), bins - 1)
    inside = (x >= low) & (x <= high)
    counts = jnp.zeros(bins, wide).at[jnp.where(inside, place, bins)].add(jnp.ones((), wide), mode="drop")
    return counts.astype(input.dtype)


def _edges(values: np.ndarray[Any, Any], bins: int, dim: int, given: Any) -> np.ndarray[Any, Any]:
    """Evenly spaced bin edges over the given range, or that of the values."""
    check(bins > 0, f"torch.histogram(): bins must be > 0, but got {bins} for dimension {dim}")
    if given is not None:
        low, high = float(given[0]), float(given[1])
    elif values.size:
        low, high = float(values.min()), float(values.max())
    else:
        low, high = 0.0, 1.0
    check(
        math.isfinite(low) and math.isfinite(high),
        f"torch.histogramdd: dimension {dim}'s range [{low:g}, {high:g}] is not finite",
    )
    check(
        low <= high,
        f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {dim}",
    )
    if low == high:
        low, high = low - 0.5, high + 0.5
    return evenly_spaced(low, high, bins + 1, dtypes.of(values.dtype))


def _histogram(
    input: Tensor, bins: Any, ranges: Any, weight: Tensor | None, density: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    g = dispatch.geometry_of(input)
    place = dispatch.device_of(input)
    check(len(g.size) >= 2, "torch.histogramdd: input tensor should have at least 2 dimensions")
    width = g.size[-1]
    if isinstance(bins, int):
        bins = [bins] * width
    check(
        len(bins) == width,
        "histogramdd: The size of bins must be equal to the innermost dimension of the input.",
    )
    if ranges is not None:
        check(
            len(ranges) == 2 * width,
            f"torch.histogramdd: for a {width}-dimensional histogram range should have {2 * width} elements, but got"
            f" {len(ranges)}",
        )
    host = np.asarray(dispatch.array_of(input)).reshape(-1, width)
    for d, b in enumerate(bins):
        if isinstance(b, TensorBase):
            kind = dispatch.geometry_of(b).dtype
            check(
                kind is g.dtype,
                "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype"
                f" {cpp_name(g.dtype.np)} and bins for dimension {d} with dtype {cpp_name(kind.np)}",
            )
    weights = None
    if weight is not None:
        shape, kind = dispatch.shape_of(weight), dispatch.geometry_of(weight).dtype
        check(
            kind is g.dtype,
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the"
            " same dtype, but got"
            f" input(dtype={cpp_name(g.dtype.np)}), weight(dtype={cpp_name(kind.np)})",
        )
        check(
            shape == g.size[:-1],
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor"
            " excluding its"
            f" innermost dimension, but got input with shape {show(g.size)} and weight with shape {show(shape)}",
        )
        weights = np.asarray(dispatch.array_of(weight)).reshape(-1)
    if ranges is None and host.size and any(isinstance(b, int) for b in bins):
        if g.dtype not in (dtypes.float32, dtypes.float64):
            not_implemented("histogramdd", g.dtype)
    elif not g.dtype.is_floating_point:
        not_implemented("histogram_cpu", g.dtype)
    edges = []
    for d, b in enumerate(bins):
        if isinstance(b, TensorBase):
            edges.append(np.asarray(dispatch.array_of(b)))
            check(
                edges[-1].ndim == 1,
                f"torch.histogramdd: bins tensor should have one dimension, but got {edges[-1].ndim}",
            )
        else:
            edges.append(_edges(host[:, d], b, d, None if ranges is None else ranges[2 * d : 2 * d + 2]))
    numbers = np.zeros(len(host), np.int64)
    inside = np.ones(len(host), bool)
    for d, e in enumerate(edges):
        count = len(e) - 1
        where = np.searchsorted(e, host[:, d], side="right") - 1
        where = np.where(host[:, d] == e[-1], count - 1, where)
        inside &= (where >= 0) & (where < count)
        numbers = numbers * count + where
    shape = tuple([len(e) - 1 for e in edges])
    total = np.bincount(
        numbers[inside], None if weights is None else weights[inside].astype(np.float64), math.prod(shape)
    )
    hist = total.reshape(shape).astype(g.dtype.np)
    if density:
        volume = np.ones(shape, np.float64)
        for d, e in enumerate(edges):
            volume *= np.diff(e.astype(np.float64)).reshape([-1 if i == d else 1 for i in range(width)])
        hist = (hist / volume / hist.sum()).astype(g.dtype.np)
    counts = _unknown(input, dispatch.wrap_host(hist, place), "_histogramdd_from_bin_cts")
    return counts, tuple([dispatch.wrap_host(e, place) for e in edges])


@composite
def histogram(
    input: Tensor,
    bins: Any = 100,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
    out: Any = None,
) -> Any:
    """Return how many elements (or how much weight) each bin holds, and the edges of the bins.

    ``bins`` is a number of equal bins over ``range`` (by default that of the elements) or a tensor of edges; the
    last bin holds
    its right edge, too. With ``density`` the result is scaled to an integral of 1.

    >>> torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=2, range=(0.0, 3.0))
    torch.return_types.histogram(
    hist=tensor([2., 1.]),
    bin_edges=tensor([0.0000, 1.5000, 3.0000]))
    """
    flat = input.reshape(-1, 1)
    weights = weight if weight is None or dispatch.shape_of(weight) != dispatch.shape_of(input) else weight.reshape(-1)
    hist, edges = _histogram(flat, [bins], range, weights, density)
    found = return_types.histogram(hist, edges[0])
    return found if out is None else return_types.histogram(*[o.copy_(f) for o, f in zip(out, found, strict=True)])


@composite(method=False)
def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return how many points each cell of a grid holds, and the edges along each dimension.

    The last dimension of ``input`` holds the coordinates of a point; ``bins`` is a number, or one number or tensor
    of edges for
    each coordinate; ``range`` holds two ends for each.

    >>> torch.histogramdd(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), bins=[2, 2]).hist
    tensor([[0., 1.],
            [1., 0.]])
    """
    hist, edges = _histogram(input, bins, range, weight, density)
    return return_types.histogramdd(hist, edges)
