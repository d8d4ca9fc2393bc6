"""Reductions over segments of a dimension, hashes of bits, and the places of nonzero elements in a fixed number."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch, errors
from torchlike._core.errors import check, not_implemented, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.ops import _bounds
from torchlike.ops._arrays import widened
from torchlike.ops._checks import BARE, COMPLEX, FLOATS, is_in, refuse
from torchlike.ops._dims import Dims, reduced_dims
from torchlike.ops._relay import into
from torchlike.ops.masked import nonzero

__all__ = ["hash_tensor", "nonzero_static", "segment_reduce"]

Tensor = Any

_START = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
_REDUCTIONS = {"amax": "max", "amin": "min"}


def _by_segment(function: Any, data: Array, ids: Array, count: int) -> Array:
    """Apply a segment reduction to each row of ``data`` (rows, elements, rest); ids out of range are left out."""
    return jax.vmap(lambda d, i: function(d, i, count))(data, ids)


def _ids(offsets: Array, length: int) -> Array:
    """The segment of each element; those before the first offset and behind the last get one that does not exist."""
    places = jnp.arange(length)
    found = jax.vmap(lambda o: jnp.searchsorted(o, places, side="right"))(offsets) - 1
    return jnp.where(found < 0, offsets.shape[1] - 1, found)


def _in_rows(data: Array, offsets: Array) -> tuple[Array, Array]:
    axis = offsets.ndim - 1
    rows = math.prod(data.shape[:axis])
    length = data.shape[axis]
    flat = widened(data).reshape(rows, length, math.prod(data.shape[axis + 1 :]))
    return flat, _ids(offsets.reshape(rows, offsets.shape[-1]), length)


@op(method=False, out=False, node="SegmentReduceBackward0")
def _segment_reduce(data: Array, offsets: Array, reduce: str, initial: float | None) -> Array:
    """The reductions of the segments between neighbouring ``offsets`` (..., segments + 1)."""
    rows, ids = _in_rows(data, offsets)
    axis, count = offsets.ndim - 1, offsets.shape[-1] - 1
    start = jnp.asarray(_START[reduce] if initial is None else initial, rows.dtype)
    lengths = jnp.diff(offsets, axis=-1).reshape(rows.shape[0], count, 1)
    if reduce in ("sum", "mean"):
        result = _by_segment(jax.ops.segment_sum, rows, ids, count) + start
        if reduce == "mean":
            mean = result / lengths.astype(rows.dtype)
            result = mean if initial is None else jnp.where(lengths == 0, start, mean)
    elif reduce == "prod":
        result = _by_segment(jax.ops.segment_prod, rows, ids, count) * start
    elif reduce == "max":
        result = jnp.maximum(_by_segment(jax.ops.segment_max, rows, ids, count), start)
    else:
        result = jnp.minimum(_by_segment(jax.ops.segment_min, rows, ids, count), start)
    return result.reshape((*data.shape[:axis], count, *data.shape[axis + 1 :])).astype(data.dtype)


@defvjp(_segment_reduce)
def _(grad, inputs, outputs, reduce, initial):
    data, offsets = inputs
    rows, ids = _in_rows(data, offsets)
    count = offsets.shape[-1] - 1
    shape = (rows.shape[0], count, rows.shape[2])
    spread = jax.vmap(
        lambda x, i: x[jnp.minimum(i, count - 1)] if count else jnp.zeros((len(i), *x.shape[1:]), x.dtype)
    )
    inside = (ids < count)[..., None]
    g = spread(widened(grad).reshape(shape), ids)
    result = spread(widened(outputs[0]).reshape(shape), ids)
    if reduce == "mean":
        lengths = jnp.diff(offsets, axis=-1).reshape(rows.shape[0], count, 1)
        g = g / spread(lengths.astype(rows.dtype), ids)
    elif reduce in ("max", "min"):
        chosen = ((rows == result) | (jnp.isnan(rows) & jnp.isnan(result))) & inside
        many = _by_segment(jax.ops.segment_sum, chosen.astype(rows.dtype), ids, count)
        g = jnp.where(chosen, g / jnp.maximum(spread(many, ids), 1), 0)
    elif reduce == "prod":
        zero = rows == 0
        zeros = spread(_by_segment(jax.ops.segment_sum, zero.astype(jnp.int32), ids, count), ids)
        rest = spread(_by_segment(jax.ops.segment_prod, jnp.where(zero, 1, rows), ids, count), ids)
        others = jnp.where(zero, jnp.where(zeros > 1, 0, rest), result / jnp.where(zero, 1, rows))
        g = g * others
    return jnp.where(inside, g, 0).reshape(data.shape).astype(data.dtype), None


@composite(method=False)
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Tensor:
    """Reduce the segments that ``axis`` is cut into: their "sum", "mean", "prod", "max" or "min".

    ``lengths`` (or ``offsets``, one more) has the segments along its last dimension, which is ``axis``. ``initial``
    takes part in each segment. Raises RuntimeError for lengths that do not add up, unless ``unsafe``.

    >>> torch.segment_reduce(torch.tensor([1.0, 2.0, 3.0]), "sum", lengths=torch.tensor([1, 2]))
    tensor([1., 5.])
    """
    geometry = dispatch.geometry_of(data)
    axis = errors.wrap_dim(axis, len(geometry.size))
    check(indices is None, "segment_reduce(): indices based reduction is not supported yet.")
    parts = offsets if lengths is None else lengths
    if parts is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    name = _REDUCTIONS.get(reduce, reduce)
    check(name in _START, f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    found = dispatch.geometry_of(parts)
    kind = "offsets" if lengths is None else "lengths"
    check(
        len(geometry.size) >= len(found.size),
        f"Expected data.dim() >= {kind}_value.dim() to be true, but got false. "
        " (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    )
    check(
        axis == len(found.size) - 1,
        f"segment_reduce(): Expected axis to be the last dimension of {kind} but got {axis}.",
    )
    if found.dtype.name not in ("int32", "int64"):
        not_implemented(f"_segment_reduce_{kind}_cpu_kernel1", found.dtype)
    if not geometry.dtype.is_floating_point:
        not_implemented("_segment_reduce_cpu", geometry.dtype)
    if lengths is not None:
        values = _bounds.host(lengths)
        if not unsafe and values is not None:
            check(bool((values >= 0).all()), "lengths contains negative value!")
            check(
                bool((values.sum(-1) == geometry.size[axis]).all()),
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when"
                " !unsafe.",
            )
        parts = _offsets_of(lengths)
    return _segment_reduce(data, parts, name, None if initial is None else float(initial))


@op(method=False, out=False)
def _offsets_of(lengths: Array) -> Array:
    """Where the segments begin, and where the last one ends."""
    return jnp.pad(jnp.cumsum(lengths, -1, dtype=jnp.int64), [(0, 0)] * (lengths.ndim - 1) + [(1, 0)])


@op
def hash_tensor(input: Array, dim: Dims = (), *, keepdim: bool = False, mode: int = 0) -> Array:
    """Return the exclusive or of the elements' 64 bits (floats as float64), of all or over ``dim``: a uint64.

    Raises RuntimeError for an unknown ``mode`` and when there are no elements to hash.

    >>> torch.hash_tensor(torch.tensor([1, 2, 4]))
    tensor(7, dtype=torch.uint64)
    """
    check(mode == 0, f"Unknown hash_tensor mode: {mode}")
    dims = reduced_dims("hash_tensor", dim, input.ndim)
    if not input.size:
        check(
            dim != () and dim is not None,
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with"
            " the 'dim' argument.",
        )
        for d in dims:
            check(input.shape[d] > 0, f"hash_tensor: Expected reduction dim {d} to have non-zero size.", IndexError)
    if input.size:
        refuse("xor_sum_cpu", input, COMPLEX, BARE)
    wide = input.astype(jnp.float64) if is_in(input, FLOATS) else input.astype(jnp.int64)
    bits = lax.bitcast_convert_type(wide, jnp.uint64)
    result = lax.reduce(bits, np.uint64(0), lax.bitwise_xor, dims)
    return jnp.expand_dims(result, dims) if keepdim else result


@composite
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the indices of the first ``size`` elements that are not zero, one a row; rows that are left get a value.

    >>> torch.nonzero_static(torch.tensor([0, 7, 8]), size=3)
    tensor([[ 1],
            [ 2],
            [-1]])
    """
    check(size >= 0, "nonzero_static: 'size' must be an non-negative integer")
    if out is not None:
        have = dispatch.geometry_of(out).dtype
        check(
            have.name == "int64",
            f"nonzero_static: Expected out tensor to have scalar type Long but got scalar type{scalar_type(have)}",
        )
    found = np.asarray(dispatch.array_of(nonzero(input)))
    rows = np.full((size, found.shape[1]), fill_value, np.int64)
    count = min(size, len(found))
    rows[:count] = found[:count]
    result = dispatch.wrap_host(rows, dispatch.device_of(input))
    return result if out is None else into(out, result)
