"""Variance and standard deviation, medians, quantiles, modes."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from torchlike._core import errors
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.warn import warn
from torchlike.ops._arrays import conjugate, expanded, real_part, scaled, widened
from torchlike.ops._checks import COMPLEX, FLOAT8, FLOATS, is_in, refuse
from torchlike.ops._dims import TENSOR, Dims, reduced_dims

__all__ = ["std", "std_mean", "var", "var_mean"]


# Variance ------------------------------------------------------------------------------------------------------------


def _moments(name: str, input: Array, dim: Dims, correction: float, keepdim: bool) -> tuple[Array, Array]:
    """The variance and the mean over the dimensions, in the precision of the computation."""
    if not is_in(input, FLOATS | COMPLEX | FLOAT8):
        subject = f"{name} only" if name.endswith("_mean") else "std and var only"
        raise RuntimeError(f"{subject} support floating point and complex dtypes")
    refuse("std_cpu", input, FLOAT8)
    dims = reduced_dims(name, dim, input.ndim, overloaded=True)
    x = widened(input)
    count = math.prod(input.shape[d] for d in dims)
    freedom = count - correction
    outputs = math.prod(input.shape[d] for d in range(input.ndim) if d not in dims)
    if freedom <= 0 and (outputs > 0 or not dims):
        warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel)."
        )
    mean = jnp.mean(x, dims, keepdims=True)
    centred = x - mean
    squares = centred.real**2 + centred.imag**2 if is_in(x, COMPLEX) else centred * centred
    total = jnp.sum(squares, dims, keepdims=keepdim)
    variance = total / jnp.asarray(max(freedom, 0), total.dtype)
    return variance, mean if keepdim else jnp.squeeze(mean, dims)


def _deviation_gradient(grad: Array, input: Array, dims: tuple[int, ...], correction: float) -> Array:
    """The gradient of the variance: ``2 / (n - correction) * (input - mean) * grad``."""
    freedom = max(math.prod(input.shape[d] for d in dims) - correction, 0)
    x, kind = widened(input), input.dtype
    centred = rounded(x - rounded(jnp.mean(x, dims, keepdims=True), kind), kind)
    scale = jnp.asarray(2 / freedom if freedom else math.inf, real_part(x).dtype)
    return scaled(conjugate(centred), rounded(scale * widened(grad), kind))


def _std_scale(grad: Array, std: Array) -> Array:
    """The gradient of a standard deviation as that of the variance; none where the deviation is 0."""
    g, size = widened(grad), widened(std)
    return rounded(jnp.where(size == 0, 0, g / (2 * jnp.where(size == 0, 1, size))), std.dtype)


@op(method=False, node="VarBackward0")
def _var(input: Array, dim: Dims, correction: float, keepdim: bool) -> Array:
    """The variance."""
    return _moments("var", input, dim, correction, keepdim)[0].astype(real_part(input).dtype)


@defvjp(_var)
def _(grad, inputs, outputs, dim, correction, keepdim):
    (input,) = inputs
    dims = errors.wrap_dims(dim, input.ndim)
    return (_deviation_gradient(expanded(grad, dims, keepdim), input, dims, correction),)


@op(method=False, node="StdBackward0")
def _std(input: Array, dim: Dims, correction: float, keepdim: bool) -> Array:
    """The standard deviation."""
    return jnp.sqrt(_moments("std", input, dim, correction, keepdim)[0]).astype(real_part(input).dtype)


@defvjp(_std)
def _(grad, inputs, outputs, dim, correction, keepdim):
    (input,), (result,) = inputs, outputs
    dims = errors.wrap_dims(dim, input.ndim)
    grad = _std_scale(grad, result)
    return (_deviation_gradient(expanded(grad, dims, keepdim), input, dims, correction),)


def _mean_gradient(grad: Array, input: Array, dims: tuple[int, ...]) -> Array:
    return jnp.broadcast_to(widened(grad) / math.prod(input.shape[d] for d in dims), input.shape)


@op(method=False, node="VarMeanBackward0")
def _var_mean(input: Array, dim: Dims, correction: float, keepdim: bool) -> tuple[Array, Array]:
    """The variance and the mean."""
    variance, mean = _moments("var_mean", input, dim, correction, keepdim)
    return variance.astype(real_part(input).dtype), mean.astype(input.dtype)


@defvjp(_var_mean)
def _(grad, inputs, outputs, dim, correction, keepdim):
    (input,) = inputs
    dims = errors.wrap_dims(dim, input.ndim)
    to_var, to_mean = (expanded(g, dims, keepdim) for g in grad)
    return (_deviation_gradient(to_var, input, dims, correction) + _mean_gradient(to_mean, input, dims),)


@op(method=False, node="StdMeanBackward0")
def _std_mean(input: Array, dim: Dims, correction: float, keepdim: bool) -> tuple[Array, Array]:
    """The standard deviation and the mean."""
    variance, mean = _moments("std_mean", input, dim, correction, keepdim)
    return jnp.sqrt(variance).astype(real_part(input).dtype), mean.astype(input.dtype)


@defvjp(_std_mean)
def _(grad, inputs, outputs, dim, correction, keepdim):
    (input,) = inputs
    dims = errors.wrap_dims(dim, input.ndim)
    to_std = expanded(_std_scale(widened(grad[0]), widened(outputs[0])), dims, keepdim)
    to_mean = expanded(grad[1], dims, keepdim)
    return (_deviation_gradient(to_std, input, dims, correction) + _mean_gradient(to_mean, input, dims),)


_MISSING: Any = object()


def _variance_arguments(
    name: str, args: tuple[Any, ...], dim: Any, unbiased: Any, correction: Any, keepdim: Any
) -> tuple[Any, float, bool]:
    """Sort out the overloads ``(unbiased)``, ``(dim, unbiased, keepdim)`` and ``(dim, *, correction, keepdim)``."""
    if dim is not _MISSING and isinstance(dim, bool):
        dim, unbiased = None, dim
    elif dim is _MISSING:
        dim = None
    if args:
        unbiased = args[0]
    if len(args) > 1:
        keepdim = args[1]
    if (unbiased is not _MISSING and correction is not _MISSING) or len(args) > 2:
        errors.invalid_combination(
            name,
            (TENSOR, dim, *args),
            "(Tensor input, tuple of ints dim, bool unbiased = True, bool keepdim = False, *, Tensor out = None)",
            "(Tensor input, tuple of ints dim = None, *, Number correction = None, bool keepdim = False, "
            "Tensor out = None)",
            "(Tensor input, bool unbiased = True)",
            "(Tensor input, tuple of names dim, bool unbiased = True, bool keepdim = False, *, Tensor out = None)",
            "(Tensor input, tuple of names dim, *, Number correction = None, bool keepdim = False, Tensor out = None)",
        )
    if correction is _MISSING or correction is None:
        correction = 1 if unbiased is _MISSING or unbiased else 0
    return dim, correction, keepdim


@composite
def var(
    input: Any,
    dim: Any = _MISSING,
    *args: Any,
    unbiased: Any = _MISSING,
    correction: Any = _MISSING,
    keepdim: bool = False,
    out: Any = None,
) -> Any:
    """Return the variance of all elements, or over the dimensions ``dim``.

    The squared deviations are divided by their number minus ``correction`` (1; 0 with ``unbiased=False``).
    Warns when that is not positive. Raises RuntimeError for integers and bools.

    >>> torch.var(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), dim=0)
    tensor([2., 8.])
    """
    return _var(input, *_variance_arguments("var", args, dim, unbiased, correction, keepdim), out=out)


@composite
def std(
    input: Any,
    dim: Any = _MISSING,
    *args: Any,
    unbiased: Any = _MISSING,
    correction: Any = _MISSING,
    keepdim: bool = False,
    out: Any = None,
) -> Any:
    """Return the standard deviation of all elements, or over the dimensions ``dim``: the root of :func:`var`.

    >>> torch.std(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), dim=0)
    tensor([1.4142, 2.8284])
    """
    return _std(input, *_variance_arguments("std", args, dim, unbiased, correction, keepdim), out=out)


@composite(method=False)
def var_mean(
    input: Any,
    dim: Any = _MISSING,
    *args: Any,
    unbiased: Any = _MISSING,
    correction: Any = _MISSING,
    keepdim: bool = False,
) -> Any:
    """Return the variance and the mean, of all elements or over the dimensions ``dim``.

    >>> torch.var_mean(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), dim=0)
    (tensor([2., 8.]), tensor([2., 4.]))
    """
    return _var_mean(input, *_variance_arguments("var_mean", args, dim, unbiased, correction, keepdim))


@composite(method=False)
def std_mean(
    input: Any,
    dim: Any = _MISSING,
    *args: Any,
    unbiased: Any = _MISSING,
    correction: Any = _MISSING,
    keepdim: bool = False,
) -> Any:
    """Return the standard deviation and the mean, of all elements or over the dimensions ``dim``.

    >>> torch.std_mean(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), dim=0)
    (tensor([1.4142, 2.8284]), tensor([2., 4.]))
    """
    return _std_mean(input, *_variance_arguments("std_mean", args, dim, unbiased, correction, keepdim))
