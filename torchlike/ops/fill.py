"""Filling tensors with one value: ``fill``, ``fill_``, ``zero_``."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch
from torchlike._core.errors import check, invalid_combination
from torchlike._core.kernels import cast
from torchlike._core.op import Array, Scalar, composite, op
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._bounds import check_number
from torchlike.ops._relay import lay_like

__all__ = ["fill", "fill_", "zero_"]


def _filled(input: Array, value: Array) -> Array:
    """``value`` in the shape and type of ``input``."""
    value = jnp.asarray(value)
    check(
        value.ndim == 0,
        f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.",
    )
    return jnp.full(input.shape, cast(value, input.dtype))


# PyTorch's four: with a number and with a tensor, each as a function and in place.
@op(method=False, out=False, node="FillBackward0")
def _fill_number(input: Array, value: Scalar) -> Array:
    return _filled(input, value)


@op(method=False, out=False, node="FillBackward1")
def _fill_tensor(input: Array, value: Array) -> Array:
    return _filled(input, value)


@op(method=False, out=False, inplace=True, node="FillBackward2")
def _fill_with_number(input: Array, value: Scalar) -> Array:
    return _filled(input, value)


@op(method=False, out=False, inplace=True, node="FillBackward3")
def _fill_with_tensor(input: Array, value: Array) -> Array:
    return _filled(input, value)


@op(method=False, out=False, inplace=True, node="ZeroBackward0")
def _zero(input: Array) -> Array:
    """Zeros in the shape and type of ``input``."""
    return jnp.zeros(input.shape, input.dtype)


def _check_value(name: str, given: tuple[Any, ...]) -> None:
    if not isinstance(given[-1], bool | int | float | complex | np.generic):
        own = "" if len(given) == 1 else "Tensor input, "
        invalid_combination(name, given, f"({own}Tensor value)", f"({own}Number value)")


@composite(method=False)
def fill(input: Any, value: Any) -> Any:
    """Return a tensor like ``input`` with every element ``value`` (a number or a 0-dim tensor).

    >>> torch.fill(torch.zeros(2), 3)
    tensor([3., 3.])
    """
    if isinstance(value, TensorBase):
        return lay_like(_fill_tensor(input, value), input)
    _check_value("fill", (input, value))
    check_number(value, dispatch.geometry_of(input).dtype.np)
    return lay_like(_fill_number(input, value), input)


@composite
def fill_(input: Any, value: Any) -> Any:
    """Set every element to ``value`` in place. Raises RuntimeError for a number that the dtype cannot hold.

    >>> torch.zeros(2).fill_(3)
    tensor([3., 3.])
    """
    if isinstance(value, TensorBase):
        return _fill_with_tensor.op.inplace_function(input, value)
    _check_value("fill_", (value,))
    check_number(value, dispatch.geometry_of(input).dtype.np)
    return _fill_with_number.op.inplace_function(input, value)


@composite
def zero_(input: Any) -> Any:
    """Set every element to zero in place.

    >>> torch.ones(2).zero_()
    tensor([0., 0.])
    """
    return _zero.op.inplace_function(input)
