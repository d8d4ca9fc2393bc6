"""Vector norms: ``torch.norm``, ``dist``, ``renorm``; the bodies that ``torch.linalg`` shares."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from torchlike._core import dtype as dtypes
from torchlike._core import errors
from torchlike._core.dtype import dtype as Dtype
from torchlike._core.halves import rounded
from torchlike._core.kernels import cast
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.promote import promote_types
from torchlike.ops._arrays import conjugate, expanded, real_part, scaled, widened
from torchlike.ops._checks import COMPLEX, FLOAT8, FLOATS, is_in, refuse
from torchlike.ops._dims import Dims
from torchlike.ops.pointwise_arith import check_subtraction

__all__ = ["dist", "norm", "renorm"]


def vector_norm_body(input: Array, ord: float, dim: Dims, keepdim: bool, dtype: Dtype | None) -> Array:
    """The ``ord``-norm over the dimensions ``dim``, in real numbers; computed in ``dtype``, if given."""
    if not is_in(input, FLOATS | COMPLEX | FLOAT8):
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. "
            f"Got {errors.scalar_type(input.dtype)}"
        )
    refuse("norm_cpu", input, FLOAT8)
    if dtype is not None:
        _check_norm_dtype("linalg.vector_norm", input, dtype)
        input = cast(input, dtype.np)
    dims = errors.wrap_dims(dim, input.ndim)
    if ord < 0 or ord == math.inf:
        _check_identity(input, ord, dim, dims)
    x = widened(input)
    size = jnp.abs(x)
    if ord == 0:
        result = jnp.sum((x != 0).astype(size.dtype), dims, keepdims=keepdim)
    elif ord == math.inf:
        result = jnp.max(size, dims, keepdims=keepdim)
    elif ord == -math.inf:
        result = jnp.min(size, dims, keepdims=keepdim)
    elif ord == 1:
        result = jnp.sum(size, dims, keepdims=keepdim)
    elif ord == 2:
        squares = x.real * x.real + x.imag * x.imag if is_in(x, COMPLEX) else x * x
        result = jnp.sqrt(jnp.sum(squares, dims, keepdims=keepdim))
    else:
        result = jnp.power(jnp.sum(jnp.power(size, ord), dims, keepdims=keepdim), 1 / ord)
    return result.astype(real_part(input).dtype)


def _check_norm_dtype(name: str, input: Array, dtype: Dtype) -> None:
    errors.check(
        dtype.is_floating_point or dtype.is_complex,
        f"{name}: dtype should be floating point or complex, but got {errors.scalar_type(dtype)}",
    )
    errors.check(
        is_in(input, COMPLEX) == dtype.is_complex,
        f"{name}: dtype should be {'complex' if is_in(input, COMPLEX) else 'real'} for "
        f"{'complex' if is_in(input, COMPLEX) else 'real'} inputs, but got {errors.scalar_type(dtype)}",
    )
    errors.check(
        promote_types(dtypes.of(input.dtype), dtype) is dtype,
        f"{name}: the dtype of the input ({errors.scalar_type(input.dtype)}) should be convertible without narrowing "
        f"to the specified dtype ({errors.scalar_type(dtype)})",
    )


def _check_identity(input: Array, ord: float, dim: Dims, dims: tuple[int, ...]) -> None:
    """Refuse to take an extreme of nothing."""
    if input.size:
        return
    order = "inf" if ord == math.inf else "-inf" if ord == -math.inf else f"{ord:g}"
    errors.check(
        dim is not None and dim != (),
        f"linalg.vector_norm cannot compute the {order} norm on an empty tensor because the operation does not have an "
        "identity",
    )
    for d in dims:
        errors.check(
            not input.ndim or input.shape[d] != 0,
            f"linalg.vector_norm cannot compute the {order} norm on the dimension {d}because this dimension is empty "
            "and the operation does not have an identity",
        )


def vector_norm_gradient(grad: Array, input: Array, result: Array, ord: float, dim: Dims, keepdim: bool) -> Array:
    """The gradient of :func:`vector_norm_body`: 0 where the norm is 0, shared among the ties of an infinite norm."""
    dims = errors.wrap_dims(dim, input.ndim)
    x, out = widened(input), widened(expanded(result, dims, keepdim))
    g = widened(expanded(grad, dims, keepdim))
    size = jnp.abs(x)
    unit = conjugate(_direction(x))
    if ord == 0:
        return jnp.zeros_like(x)
    if ord == 1:
        return scaled(unit, g)
    if ord == 2 and not is_in(x, COMPLEX):
        return g * rounded(jnp.where(out == 0, 0, x / jnp.where(out == 0, 1, out)), grad.dtype)
    if ord == 2:
        return scaled(conjugate(x), jnp.where(out == 0, 0, g / jnp.where(out == 0, 1, out)))
    if math.isinf(ord):
        ties = (size == out) | (jnp.isnan(size) & jnp.isnan(out))
        return scaled(unit, jnp.where(ties, g / jnp.sum(ties, dims, keepdims=True).astype(g.dtype), 0))
    safe = jnp.where(size == 0, 1, size)
    nonzero = jnp.where(out == 0, 1, out)
    if ord < 1:
        weight = jnp.where(size == 0, 0, jnp.power(safe, ord - 1)) * jnp.power(out, 1 - ord)
    elif ord < 2:
        weight = jnp.power(size / nonzero, ord - 1)
    else:
        weight = jnp.power(size, ord - 1) / jnp.power(nonzero, ord - 1)
    return scaled(unit, jnp.where(out == 0, 0, weight) * g)


def _direction(x: Array) -> Array:
    """``x / abs(x)``, and 0 for 0."""
    if not is_in(x, COMPLEX):
        return jnp.sign(x)
    size = jnp.abs(x)
    return scaled(x, jnp.where(size == 0, 0, 1 / jnp.where(size == 0, 1, size)))


@op(method=False, node="LinalgVectorNormBackward0")
def _vector_norm(input: Array, ord: float, dim: Dims, keepdim: bool, dtype: Dtype | None) -> Array:
    """The norm of vectors."""
    return vector_norm_body(input, ord, dim, keepdim, dtype)


@defvjp(_vector_norm)
def _(grad, inputs, outputs, ord, dim, keepdim, dtype):
    (input,), (result,) = inputs, outputs
    if dtype is not None:
        input = cast(input, dtype.np)
    return (vector_norm_gradient(grad, input, result, ord, dim, keepdim),)


@op(method=False, node="SumBackward1")
def _nuclear_norm(input: Array, dim: tuple[int, ...], keepdim: bool) -> Array:
    """The sum of the singular values of matrices."""
    errors.check(
        is_in(input, FLOATS | COMPLEX),
        "linalg.matrix_norm: Expected a floating point or complex tensor as input. "
        f"Got {errors.scalar_type(input.dtype)}",
    )
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    dims = errors.wrap_dims(dim, input.ndim)
    values = jnp.linalg.svd(jnp.moveaxis(input, dims, (-2, -1)), compute_uv=False)
    result = jnp.sum(values, -1)
    return jnp.expand_dims(result, sorted(dims)) if keepdim else result


@composite
def norm(
    input: Any,
    p: float | str | None = "fro",
    dim: Any = None,
    keepdim: bool = False,
    out: Any = None,
    dtype: Any = None,
) -> Any:
    """Return the ``p``-norm of all elements, or over the dimensions ``dim``.

    ``p`` is a number, ``inf``, ``-inf``, ``"fro"`` (2) or ``"nuc"`` (the sum of the singular values of matrices).

    >>> torch.norm(torch.tensor([[3.0, 4.0], [6.0, 8.0]]))
    tensor(11.1803)
    >>> torch.norm(torch.tensor([[3.0, 4.0], [6.0, 8.0]]), p=1, dim=1)
    tensor([ 7., 14.])
    """
    dims = (dim,) if isinstance(dim, int) else dim
    if isinstance(p, str):
        if p == "nuc":
            result = _nuclear_norm(input, tuple(range(input.dim())) if dims is None else tuple(dims), keepdim)
            return result if out is None else out.copy_(result)
        if p != "fro":
            raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
        if dims is not None and len(dims) > 2:
            raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
        p = 2.0
    return _vector_norm(input, 2.0 if p is None else p, dims, keepdim, dtype, out=out)


def _difference(input: Array, other: Array) -> Array:
    check_subtraction(input, other)
    wide = promote_types(dtypes.of(input.dtype), dtypes.of(other.dtype)).np
    shape = errors.broadcast_shapes(input.shape, other.shape)
    return jnp.broadcast_to(cast(input, wide) - cast(other, wide), shape)


@op(method=False, node="DistBackward0")
def _dist(input: Array, other: Array, p: float) -> Array:
    """The norm of a difference."""
    difference = _difference(input, other)
    if not is_in(difference, FLOATS | COMPLEX):
        raise RuntimeError(
            "norm(): input dtype should be either floating point or complex. "
            f"Got {errors.scalar_type(difference.dtype)} instead."
        )
    return vector_norm_body(difference, p, None, False, None)


@defvjp(_dist)
def _(grad, inputs, outputs, p):
    input, other = inputs

    value, pullback = jax.vjp(_difference, input, other)
    return pullback(vector_norm_gradient(grad, value, outputs[0], p, None, False).astype(value.dtype))


@composite
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """Return the ``p``-norm of ``input - other``, broadcast.

    >>> torch.dist(torch.tensor([1.0, 2.0]), torch.tensor([4.0, 6.0]))
    tensor(5.)
    """
    return _dist(input, other, float(p))


@op(inplace=True)
def renorm(input: Array, p: float, dim: int, maxnorm: float) -> Array:
    """Return the input with each slice along ``dim`` scaled down to a ``p``-norm of at most ``maxnorm``.

    >>> torch.renorm(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    errors.check(p > 0, "renorm: non-positive-norm not supported")
    errors.check(maxnorm >= 0, f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    errors.check(input.ndim > 1, f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    dim = errors.wrap_dim(dim, input.ndim)
    others = tuple(d for d in range(input.ndim) if d != dim)
    x = widened(input)
    norms = vector_norm_body(x, p, others, True, None)
    # The small constant is PyTorch's.
    factor = jnp.where(norms > maxnorm, maxnorm / (norms + 1e-7), 1)
    return scaled(x, factor.astype(norms.dtype)).astype(input.dtype)
