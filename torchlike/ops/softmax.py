"""softmax, log_softmax and logsumexp."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core import dtype as dtypes
from torchlike._core import errors
from torchlike._core.dtype import dtype as Dtype
from torchlike._core.halves import rounded
from torchlike._core.kernels import cast
from torchlike._core.op import Array, defvjp, op
from torchlike.ops._arrays import real_part, widened
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, FLOATS, INTEGERS, is_in, refuse

__all__ = ["log_softmax", "logsumexp", "softmax"]


def _prepared(kernel: str, input: Array, dim: int, dtype: Dtype | None) -> tuple[Array, int, Array]:
    """The input in the dtype asked for and in that of the computation, and the dimension."""
    dim = errors.wrap_dim(dim, input.ndim)
    if dtype is not None:
        input = cast(input, dtype.np)
    if input.size:
        last = "_lastdim" if dim == max(input.ndim, 1) - 1 else ""
        refuse(f"{kernel}{last}_kernel_impl", input, BOOL, INTEGERS, BARE, COMPLEX)
    wide = input.astype(jnp.float32) if input.dtype in (jnp.float16, jnp.bfloat16) else input
    # A 0-dim tensor has one nominal dimension.
    return input, dim, wide if wide.ndim else wide[None]


def _shifted(x: Array, dim: int) -> Array:
    return x - lax.stop_gradient(jnp.max(x, dim, keepdims=True, initial=-jnp.inf))


@op(node="SoftmaxBackward0", out=True)
def softmax(input: Array, dim: int, dtype: Dtype | None = None) -> Array:
    """Return ``exp(input) / sum(exp(input))`` along ``dim``; with ``dtype`` the input is converted first.

    >>> torch.softmax(torch.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([0.0900, 0.2447, 0.6652])
    """
    input, dim, x = _prepared("softmax", input, dim, dtype)
    if not input.size:
        return input
    weights = jnp.exp(_shifted(x, dim))
    return (weights / jnp.sum(weights, dim, keepdims=True)).astype(input.dtype).reshape(input.shape)


def _opmath(*arrays: Array) -> tuple[Array, ...]:
    """Half precision in float32, and 0-dim arrays with one dimension."""
    wide = (a.astype(jnp.float32) if a.dtype in (jnp.float16, jnp.bfloat16) else a for a in arrays)
    return tuple(a if a.ndim else a[None] for a in wide)


@defvjp(softmax)
def _(grad, inputs, outputs, dim, dtype):
    (result,) = outputs
    g, y = _opmath(grad, result)
    weighted = g * y
    return ((weighted - y * jnp.sum(weighted, dim, keepdims=True)).reshape(result.shape),)


@op(node="LogSoftmaxBackward0", out=True)
def log_softmax(input: Array, dim: int, dtype: Dtype | None = None) -> Array:
    """Return ``log(softmax(input, dim))``, computed without overflow; with ``dtype`` the input is converted first.

    >>> torch.log_softmax(torch.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([-2.4076, -1.4076, -0.4076])
    """
    input, dim, x = _prepared("log_softmax", input, dim, dtype)
    if not input.size:
        return input
    return log_softmax_body(x, dim, input.dtype).astype(input.dtype).reshape(input.shape)


def log_softmax_body(x: Array, dim: int, kind: Any) -> Array:
    """The logarithm of the softmax of numbers in the dtype of the computation, rounded to ``kind``."""
    shifted = _shifted(x, dim)
    sums = jnp.sum(jnp.exp(shifted), dim, keepdims=True)
    # Of the last dimension PyTorch keeps sums and logarithms in the input's dtype.
    last = dim == x.ndim - 1
    total = rounded(jnp.log(rounded(sums, kind)), kind) if last else jnp.log(sums)
    return rounded(shifted - total, kind)


@defvjp(log_softmax)
def _(grad, inputs, outputs, dim, dtype):
    (result,) = outputs
    g, y = _opmath(grad, result)
    return ((g - jnp.exp(y) * jnp.sum(g, dim, keepdims=True)).reshape(result.shape),)


@op
def logsumexp(input: Array, dim: int | tuple[int, ...], keepdim: bool = False) -> Array:
    """Return ``log(sum(exp(input)))`` over the dimensions ``dim``, computed without overflow.

    Integers give the default dtype; nothing summed gives -inf.

    >>> torch.logsumexp(torch.tensor([[1.0, 2.0], [1000.0, 1000.0]]), 1)
    tensor([   2.3133, 1000.6932])
    """
    refuse("max_values_cpu", input, FLOAT8)
    if dim == () and input.ndim and input.size and not keepdim:
        # PyTorch takes no dimensions for all of them, but does not squeeze them away.
        ones = list((1,) * input.ndim)
        raise RuntimeError(f"output with shape [] doesn't match the broadcast shape {ones}")
    dims = errors.wrap_dims(dim, input.ndim)
    if not is_in(input, FLOATS | COMPLEX):
        input = input.astype(dtypes.get_default_dtype().np)
    x = widened(input)
    top = lax.stop_gradient(jnp.max(real_part(x), dims, keepdims=True, initial=-jnp.inf))
    top = jnp.where(jnp.isinf(top), 0, top).astype(x.dtype)
    result = jnp.log(jnp.sum(jnp.exp(x - top), dims, keepdims=True)) + top
    return (result if keepdim else jnp.squeeze(result, dims)).astype(input.dtype)


@defvjp(logsumexp)
def _(grad, inputs, outputs, dim, keepdim):
    (input,), (result,) = inputs, outputs
    dims = errors.wrap_dims(dim, input.ndim)
    if not keepdim:
        grad, result = jnp.expand_dims(grad, dims), jnp.expand_dims(result, dims)
    return (grad * jnp.exp(cast(input, result.dtype) - result),)
