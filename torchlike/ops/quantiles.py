"""Quantiles and modes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike import return_types
from torchlike._core import dispatch, errors
from torchlike._core.errors import check
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._arrays import expanded
from torchlike.ops._checks import BARE, COMPLEX, refuse
from torchlike.ops._relay import into
from torchlike.ops.reduce import selected_gradient

__all__ = ["mode", "nanquantile", "quantile"]

Tensor = Any

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")
# PyTorch's sort limits how many elements a quantile may be taken of.
_LARGEST = 16_000_000


def _rows(input: Array, dim: int | None) -> Array:
    """The input with the dimension of the quantile last: all of it for None."""
    return input.reshape(-1) if dim is None or input.ndim == 0 else jnp.moveaxis(input, dim, -1)


def _ranks(rows: Array, q: Array, ignore_nan: bool) -> Array:
    """Where in the sorted rows the quantiles lie: of shape (..., quantiles)."""
    last = rows.shape[-1] - 1
    missing = jnp.isnan(rows)
    if ignore_nan:
        return jnp.maximum(q * (jnp.sum(~missing, -1, keepdims=True) - 1).astype(q.dtype), 0)
    # Where there is a nan the quantile is that nan, sorted to the end.
    return jnp.where(jnp.any(missing, -1, keepdims=True), last, q * jnp.asarray(last, q.dtype))


@op(method=False, out=False, node="SqueezeBackward4")
def _quantile(input: Array, q: Array, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool) -> Array:
    """The quantiles of the rows, those of one row last, then put in front where ``q`` has a dimension."""
    rows = jnp.sort(_rows(input, dim), -1)
    ranks = _ranks(rows, q.reshape(-1), ignore_nan)
    if interpolation == "lower":
        ranks = jnp.floor(ranks)
    elif interpolation == "higher":
        ranks = jnp.ceil(ranks)
    elif interpolation == "nearest":
        ranks = jnp.round(ranks)
    below = jnp.floor(ranks)
    values = jnp.take_along_axis(rows, below.astype(jnp.int64), -1)
    if interpolation in ("linear", "midpoint"):
        weight = jnp.full_like(ranks, 0.5) if interpolation == "midpoint" else ranks - below
        above = jnp.take_along_axis(rows, jnp.ceil(ranks).astype(jnp.int64), -1)
        gap = above - values
        values = jnp.where(weight < 0.5, values + weight * gap, above - gap * (1 - weight))
    if keepdim:
        ones = range(input.ndim) if dim is None else (errors.wrap_dim(dim, input.ndim),) if input.ndim else ()
        values = jnp.expand_dims(values, tuple(ones))
    return jnp.moveaxis(values, -1, 0) if q.ndim else jnp.squeeze(values, -1)


def _quantiles(
    function: str,
    input: Tensor,
    q: Any,
    dim: int | None,
    keepdim: bool,
    interpolation: str,
    out: Tensor | None,
    ignore_nan: bool,
) -> Tensor:
    if not isinstance(input, TensorBase) or not isinstance(q, TensorBase | float | int) or isinstance(q, bool):
        rest = "int dim = None, bool keepdim = False, *, str interpolation = 'linear', Tensor out = None)"
        errors.invalid_combination(
            function, (input, q), f"(Tensor input, Tensor q, {rest}", f"(Tensor input, float q, {rest}"
        )
    name = "quantile"  # in the messages of both
    geometry = dispatch.geometry_of(input)
    if not isinstance(q, TensorBase):
        check(0 <= q <= 1, f"{name}() q must be in the range [0, 1] but got {float(q):g}")
        q = dispatch.wrap_host(np.asarray(q, geometry.dtype.np), dispatch.device_of(input))
    places = dispatch.geometry_of(q)
    check(geometry.numel > 0, f"{name}() input tensor must be non-empty")
    check(len(places.size) < 2, f"{name}() q must be a scalar or 1D tensor")
    check(geometry.dtype.name in ("float32", "float64"), f"{name}() input tensor must be either float or double dtype")
    check(places.dtype is geometry.dtype, f"{name}() q tensor must be same dtype as the input tensor")
    check(
        interpolation in _INTERPOLATIONS,
        f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}",
    )
    if out is not None:
        check(
            dispatch.geometry_of(out).dtype is geometry.dtype,
            f"{name}() out tensor must be same dtype as the input tensor",
        )
    if dim is not None:
        dim = errors.wrap_dim(dim, len(geometry.size))
    if dispatch.device_of(q).type == "cpu":
        values = np.asarray(dispatch.array_of(q))
        check(bool(((values >= 0) & (values <= 1)).all()), f"{name}() q values must be in the range [0, 1]")
    rows = geometry.numel if dim is None or not geometry.size else geometry.size[dim]
    check(rows <= _LARGEST, f"{name}() input tensor is too large")
    result = _quantile(input, q, dim, keepdim, interpolation, ignore_nan)
    if places.size:
        # The quantiles of one row lie side by side, as PyTorch leaves them.
        shape = dispatch.shape_of(result)
        row = [places.size[0]]
        for size in reversed(shape[2:]):
            row.append(row[-1] * size)
        result._storage.replace(result._storage.array, (1, *reversed(row[: len(shape) - 1])))
    return result if out is None else into(out, result)


@composite
def quantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """Return the ``q``-th quantiles of all elements, or along ``dim``; nan where there is one.

    ``q`` is a number from 0 to 1 or a 1-d tensor of them, which puts a dimension in front. A quantile between two
    elements is taken by ``interpolation``: "linear", "lower", "higher", "midpoint" or "nearest". Raises RuntimeError
    for dtypes other than float32 and float64, and for an input without elements.

    >>> torch.quantile(torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([0.25, 0.5]))
    tensor([0.7500, 1.5000])
    """
    return _quantiles("quantile", input, q, dim, keepdim, interpolation, out, False)


@composite
def nanquantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """Return the quantiles of the elements that are not nan; nan where there is none. See :func:`torch.quantile`.

    >>> torch.nanquantile(torch.tensor([0.0, float("nan"), 2.0]), 0.5)
    tensor(1.)
    """
    return _quantiles("nanquantile", input, q, dim, keepdim, interpolation, out, True)


# Modes ---------------------------------------------------------------------------------------------------------------


@op
def mode(input: Array, dim: int = -1, keepdim: bool = False) -> tuple[Array, Array]:
    """Return the most frequent value along ``dim`` and the index of its last place: ``(values, indices)``.

    Of several values that are equally frequent it is the smallest. Raises NotImplementedError for complex numbers and
    IndexError when the dimension has no elements.

    >>> torch.mode(torch.tensor([2, 3, 3, 2, 1]))
    torch.return_types.mode(
    values=tensor(2),
    indices=tensor(3))
    """
    dim = errors.wrap_dim(dim, input.ndim)
    if input.ndim and input.shape[dim] == 0:
        raise IndexError(f"mode(): Expected reduction dim {dim} to have non-zero size.")
    if input.ndim == 0:
        return return_types.mode(input, jnp.zeros((), jnp.int64))
    if input.size:
        refuse("mode_cpu", input, BARE, COMPLEX)
    rows = jnp.moveaxis(input, dim, -1)
    places = lax.broadcasted_iota(jnp.int64, rows.shape, rows.ndim - 1)
    rows, order = lax.sort((rows, places), num_keys=1, is_stable=True)
    changes = rows[..., 1:] != rows[..., :-1]
    edge = jnp.ones((*rows.shape[:-1], 1), bool)
    starts = jnp.concatenate([edge, changes], -1)
    ends = jnp.concatenate([changes, edge], -1)
    first = lax.cummax(jnp.where(starts, places, 0), rows.ndim - 1)
    # Of the runs of equal values, the first among the longest.
    at = jnp.argmax(jnp.where(ends, places - first + 1, 0), -1)[..., None]
    values, indices = (jnp.take_along_axis(x, at, -1)[..., 0] for x in (rows, order))
    return return_types.mode(expanded(values, (dim,), not keepdim), expanded(indices, (dim,), not keepdim))


@defvjp(mode)
def _(grad, inputs, outputs, dim, keepdim):
    return (selected_gradient(grad[0], inputs[0], outputs[1], dim, keepdim),)
