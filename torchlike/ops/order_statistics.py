"""Medians."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike import return_types
from torchlike._core import errors
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.ops._arrays import expanded
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOATS, is_in, refuse
from torchlike.ops.reduce import selected_gradient

__all__ = ["median", "nanmedian"]


def _median_place(x: Array, ignore_nan: bool) -> Array:
    """The index, along the last dimension, of the lower median: of a nan, if there is one and it counts."""
    order = jnp.argsort(x, axis=-1, stable=True)  # nan last
    count = x.shape[-1]
    middle = jnp.full(x.shape[:-1], (count - 1) // 2)
    if is_in(x, FLOATS):
        missing = jnp.isnan(x)
        numbers = count - jnp.sum(missing, -1)
        if ignore_nan:
            middle = jnp.maximum(numbers - 1, 0) // 2
        else:
            return jnp.where(numbers < count, jnp.argmax(missing, -1), _taken(order, middle))
    return _taken(order, middle)


def _taken(x: Array, places: Array) -> Array:
    return jnp.take_along_axis(x, places[..., None], -1)[..., 0]


def _medians(input: Array, dim: int, keepdim: bool, ignore_nan: bool) -> tuple[Array, Array]:
    dim = errors.wrap_dim(dim, input.ndim)
    if input.ndim and input.shape[dim] == 0:
        raise IndexError(f"median(): Expected reduction dim {dim} to have non-zero size.")
    refuse("median_out", input, BOOL, COMPLEX, BARE)
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)
    columns = jnp.moveaxis(input, dim, -1)
    places = _median_place(columns, ignore_nan)
    values = _taken(columns, places)
    dims = (dim,)
    return expanded(values, dims, not keepdim), expanded(places.astype(jnp.int64), dims, not keepdim)


@op(method=False, node="MedianBackward1")
def _median_over(input: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The medians along a dimension and where they are."""
    return return_types.median(*_medians(input, dim, keepdim, False))


@op(method=False, node="NanmedianBackward1")
def _nanmedian_over(input: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The medians of the numbers along a dimension and where they are."""
    return return_types.nanmedian(*_medians(input, dim, keepdim, True))


def _over_gradient(grad, inputs, outputs, dim, keepdim):
    return (selected_gradient(grad[0], inputs[0], outputs[1], dim, keepdim),)


defvjp(_median_over)(_over_gradient)
defvjp(_nanmedian_over)(_over_gradient)


def _median(input: Array, ignore_nan: bool) -> Array:
    refuse("median_cpu", input, BOOL, COMPLEX, BARE)
    flat = input.reshape(-1)
    if not flat.size:
        return jnp.full((), jnp.nan if is_in(input, FLOATS) else jnp.iinfo(input.dtype).min, input.dtype)
    return flat[_median_place(flat, ignore_nan)]


@op(method=False, out=False, node="MedianBackward0")
def _median_of_all(input: Array) -> Array:
    """The median of all elements."""
    return _median(input, False)


@op(method=False, out=False, node="NanmedianBackward0")
def _nanmedian_of_all(input: Array) -> Array:
    """The median of all elements that are numbers."""
    return _median(input, True)


def _all_gradient(grad, inputs, outputs):
    (input,), (result,) = inputs, outputs
    same = (input == result) | ((input != input) & (result != result))
    return (jnp.where(same, grad / jnp.maximum(jnp.sum(same), 1).astype(grad.dtype), 0),)


defvjp(_median_of_all)(_all_gradient)
defvjp(_nanmedian_of_all)(_all_gradient)


@composite
def median(input: Any, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the median (the lower of two) of all elements; over ``dim`` a named tuple ``(values, indices)``.

    nan if there is one. Raises NotImplementedError for bools and complex numbers.

    >>> torch.median(torch.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    return _median_of_all(input) if dim is None else _median_over(input, dim, keepdim, out=out)


@composite
def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """Return the median of all elements that are not nan; over ``dim`` a named tuple ``(values, indices)``.

    >>> torch.nanmedian(torch.tensor([4.0, float("nan"), 3.0, 2.0]))
    tensor(3.)
    """
    return _nanmedian_of_all(input) if dim is None else _nanmedian_over(input, dim, keepdim, out=out)
