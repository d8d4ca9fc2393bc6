"""Running sums, products and extremes along a dimension."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from torchlike._core import errors
from torchlike._core.dtype import dtype as Dtype
from torchlike._core.kernels import cast
from torchlike._core.op import Array, defvjp, op
from torchlike.ops._checks import BOOL, FLOAT8, INTEGERS, UNSIGNED, is_in, refuse
from torchlike.ops.reduce import widened

__all__ = ["cumprod", "cumsum"]


def _accumulated(kernel: str, input: Array, dtype: Dtype | None) -> tuple[Array, Array]:
    """The input in the dtype of the result (int64 for integers and bools) and in that of the computation."""
    if dtype is not None:
        input = cast(input, dtype.np)
    elif is_in(input, BOOL | INTEGERS | UNSIGNED):
        input = input.astype(jnp.int64)
    refuse(kernel, input, FLOAT8)
    return input, widened(input)


@op(inplace=True)
def cumsum(input: Array, dim: int, *, dtype: Dtype | None = None) -> Array:
    """Return the running sum along ``dim``; of integers and bools in int64. With ``dtype`` the input is converted.

    >>> torch.cumsum(torch.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 3., 6.])
    """
    dim = errors.wrap_dim(dim, input.ndim)
    result, x = _accumulated("cumsum_out_cpu", input, dtype)
    return _running_sum(x, dim).astype(result.dtype) if x.ndim else result


def _running_sum(x: Array, dim: int) -> Array:
    return lax.cumsum(x, dim)


@defvjp(cumsum)
def _(grad, inputs, outputs, dim, dtype):
    if grad.ndim == 0:
        return (grad,)
    dim = errors.wrap_dim(dim, grad.ndim)
    wide = widened(grad)
    return (jnp.flip(_running_sum(jnp.flip(wide, dim), dim), dim),)


@op(inplace=True)
def cumprod(input: Array, dim: int, *, dtype: Dtype | None = None) -> Array:
    """Return the running product along ``dim``; of integers and bools in int64. With ``dtype`` the input is converted.

    >>> torch.cumprod(torch.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 2., 6.])
    """
    dim = errors.wrap_dim(dim, input.ndim)
    result, x = _accumulated("cumprod_out_cpu", input, dtype)
    return lax.cumprod(x, dim).astype(result.dtype) if x.ndim else result
