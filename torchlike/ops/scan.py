"""Running sums, products and extremes along a dimension."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core import errors
from torchlike._core.dispatch import call_inplace
from torchlike._core.dtype import dtype as Dtype
from torchlike._core.kernels import cast
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.ops._arrays import widened
from torchlike.ops._checks import BOOL, FLOAT8, INTEGERS, UNSIGNED, is_in, refuse

__all__ = ["cumprod", "cumsum"]


def _accumulated(kernel: str, input: Array, dtype: Dtype | None) -> tuple[Array, Array]:
    """The input in the dtype of the result (int64 for integers and bools) and in that of the computation."""
    if dtype is not None:
        input = cast(input, dtype.np)
    elif is_in(input, BOOL | INTEGERS | UNSIGNED):
        input = input.astype(jnp.int64)
    refuse(kernel, input, FLOAT8)
    return input, widened(input)


@op
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


@op
def cumprod(input: Array, dim: int, *, dtype: Dtype | None = None) -> Array:
    """Return the running product along ``dim``; of integers and bools in int64. With ``dtype`` the input is converted.

    >>> torch.cumprod(torch.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 2., 6.])
    """
    dim = errors.wrap_dim(dim, input.ndim)
    result, x = _accumulated("cumprod_out_cpu", input, dtype)
    return lax.cumprod(x, dim).astype(result.dtype) if x.ndim else result


def _in_place(function: Any, self: Any, dim: int, dtype: Any) -> Any:
    if dtype is not None and dtype is not self.dtype:
        raise RuntimeError(
            f"Bad in-place call: input tensor dtype {errors.type_name(self.dtype)} and output tensor dtype "
            f"{errors.type_name(dtype)} should match"
        )
    if self.dtype.np in BOOL | UNSIGNED:
        errors.not_implemented(f"{function.__name__}_out_cpu", self.dtype)
    return call_inplace(function.op, (self,), (dim, self.dtype))


@composite(method="only")
def cumsum_(self: Any, dim: int, *, dtype: Dtype | None = None) -> Any:
    """Write the running sum into the tensor, in its own dtype; see :func:`cumsum`."""
    return _in_place(cumsum, self, dim, dtype)


@composite(method="only")
def cumprod_(self: Any, dim: int, *, dtype: Dtype | None = None) -> Any:
    """Write the running product into the tensor, in its own dtype; see :func:`cumprod`."""
    return _in_place(cumprod, self, dim, dtype)
