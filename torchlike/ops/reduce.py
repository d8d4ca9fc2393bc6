"""Reductions: sums, products, extremes, truth values and counts over dimensions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike import return_types
from torchlike._core import dtype as dtypes
from torchlike._core import errors
from torchlike._core.arguments import is_int
from torchlike._core.dtype import dtype as Dtype
from torchlike._core.kernels import cast
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._arrays import expanded, widened
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOAT8, FLOATS, INTEGERS, UNSIGNED, is_in, refuse, refuse_with
from torchlike.ops._dims import TENSOR, Dims, reduced_dim, reduced_dims
from torchlike.ops.pointwise_bounds import maximum, minimum

__all__ = [
    "all",
    "amax",
    "amin",
    "aminmax",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "max",
    "mean",
    "min",
    "nanmean",
    "nansum",
    "prod",
    "sum",
]


# Sums and products ---------------------------------------------------------------------------------------------------


def _accumulated(kernel: str, input: Array, dtype: Dtype | None) -> tuple[Array, Any]:
    """The input in the dtype of accumulation, and the dtype of the result: int64 for integers and bools."""
    refuse(kernel, input, FLOAT8)
    if dtype is not None:
        return widened(cast(input, dtype.np)), dtype.np
    if is_in(input, BOOL | INTEGERS | UNSIGNED):
        return input.astype(jnp.int64), jnp.int64
    return widened(input), input.dtype


def _summed(x: Array, result: Any, dims: tuple[int, ...], keepdim: bool) -> Array:
    if x.dtype == jnp.bool_:
        return jnp.any(x, dims, keepdims=keepdim)
    return jnp.sum(x, dims, keepdims=keepdim, dtype=x.dtype).astype(result)


@op(node=lambda pattern, dim, **_: "SumBackward0" if dim is None else "SumBackward1")
def sum(input: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Array:
    """Return the sum of all elements, or over the dimensions ``dim``; with ``dtype`` the input is converted first.

    Integers and bools are summed in int64.

    >>> torch.sum(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(10.)
    >>> torch.sum(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([3., 7.])
    """
    dims = reduced_dims("sum", dim, input.ndim, overloaded=True)
    x, result = _accumulated("sum_cpu", input, dtype)
    return _summed(x, result, dims, keepdim)


@op
def nansum(input: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Array:
    """Return the sum over ``dim`` with nan taken for 0. Raises RuntimeError for complex numbers.

    >>> torch.nansum(torch.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    dims = reduced_dims("nansum", dim, input.ndim)
    refuse_with("nansum on CPU does not support complex inputs", input, COMPLEX)
    x, result = _accumulated("nansum_cpu", input, dtype)
    if is_in(x, FLOATS):
        x = jnp.where(jnp.isnan(x), 0, x)
    return _summed(x, result, dims, keepdim)


def _count(shape: tuple[int, ...], dims: tuple[int, ...]) -> int:
    count = 1
    for dim in dims:
        count *= shape[dim]
    return count


@op(node=lambda pattern, dim, **_: "MeanBackward0" if dim is None else "MeanBackward1")
def mean(input: Array, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Array:
    """Return the mean of all elements, or over the dimensions ``dim``; nan for none.

    Raises RuntimeError for dtypes that are neither floating point nor complex; ``dtype`` converts the input first.

    >>> torch.mean(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([2., 3.])
    """
    reduced_dims("mean", dim if isinstance(dim, str) else None, input.ndim, overloaded=True)
    target = input.dtype if dtype is None else dtype.np
    if dtype is None and not is_in(input, FLOATS | COMPLEX | FLOAT8):
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {errors.scalar_type(target)}"
        )
    if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(
            "mean(): could not infer output dtype. Optional dtype must be either a floating point or complex dtype. "
            f"Got: {errors.scalar_type(target)}"
        )
    dims = reduced_dims("mean", dim, input.ndim, overloaded=True)
    x, result = _accumulated("sum_cpu", input, dtype or dtypes.of(input.dtype))
    return (_summed(x, x.dtype, dims, keepdim) / _count(input.shape, dims)).astype(result)


@composite
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    """Return the mean over ``dim`` of the elements that are not nan; nan for none.

    >>> torch.nanmean(torch.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5000)
    """
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{errors.scalar_type(input.dtype)}"
        )
    reduced_dims("nanmean", tuple(dim) if isinstance(dim, list) else dim, input.dim())
    factor = sum(~(input != input).detach(), dim, keepdim)
    result = nansum(input, dim, keepdim, dtype=dtype)
    return result / factor if out is None else out.copy_(result / factor)


@op(node=lambda pattern, dim, **_: "ProdBackward0" if dim is None else "ProdBackward1")
def prod(input: Array, dim: int | None = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Array:
    """Return the product of all elements, or over one dimension; with ``dtype`` the input is converted first.

    Integers and bools are multiplied in int64.

    >>> torch.prod(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([ 2., 12.])
    """
    if isinstance(dim, tuple):
        errors.invalid_combination(
            "prod",
            (TENSOR, dim),
            "(Tensor input, *, torch.dtype dtype = None)",
            "(Tensor input, int dim, bool keepdim = False, *, torch.dtype dtype = None, Tensor out = None)",
        )
    x, result = _accumulated("prod_out_cpu", input, dtype)
    dims = errors.wrap_dims(dim, input.ndim)
    if x.dtype == jnp.bool_:
        return jnp.all(x, dims, keepdims=keepdim)
    return jnp.prod(x, dims, keepdims=keepdim, dtype=x.dtype).astype(result)


# Truth values and counts ---------------------------------------------------------------------------------------------


def _truth(x: Array) -> Array:
    return x if is_in(x, BOOL) else x != 0


def _truth_dims(name: str, dim: Dims, ndim: int) -> tuple[int, ...]:
    # Unlike the other reductions, no dimensions mean none.
    return () if dim == () else reduced_dims(name, dim, ndim, overloaded=True)


@op
def any(input: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    """Return whether any element is nonzero, of all or over ``dim``; uint8 for uint8, else bool.

    >>> torch.any(torch.tensor([[0, 1], [0, 0]]), 1)
    tensor([ True, False])
    """
    result = jnp.any(_truth(input), _truth_dims("any", dim, input.ndim), keepdims=keepdim)
    return result.astype(jnp.uint8) if input.dtype == jnp.uint8 else result


@op
def all(input: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    """Return whether every element is nonzero, of all or over ``dim``; uint8 for uint8, else bool.

    >>> torch.all(torch.tensor([[0, 1], [2, 3]]), 1)
    tensor([False,  True])
    """
    result = jnp.all(_truth(input), _truth_dims("all", dim, input.ndim), keepdims=keepdim)
    return result.astype(jnp.uint8) if input.dtype == jnp.uint8 else result


@op(out=False)
def count_nonzero(input: Array, dim: Dims = None) -> Array:
    """Return the number of nonzero elements, of all or over ``dim``.

    >>> torch.count_nonzero(torch.tensor([[0, 1], [2, 3]]), 0)
    tensor([1, 2])
    """
    if dim is None:
        refuse("nonzero_count_cpu", input, BARE)
    return jnp.sum(_truth(input), errors.wrap_dims(dim, input.ndim), dtype=jnp.int64)


# Extremes ------------------------------------------------------------------------------------------------------------


def _check_not_empty(
    name: str, input: Array, dims: tuple[int, ...], given: bool, exception: type = RuntimeError
) -> None:
    if input.size:
        return
    if not given:
        hint = "" if exception is IndexError else " Specify the reduction dim with the 'dim' argument."
        raise exception(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.{hint}")
    for dim in dims:
        if input.ndim and input.shape[dim] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def _extreme(x: Array, dims: tuple[int, ...], keepdim: bool, largest: bool) -> Array:
    return (jnp.max if largest else jnp.min)(x, dims, keepdims=keepdim)


def _position(x: Array, dim: int, largest: bool) -> Array:
    """The first position of the extreme (of a nan, if there is one) along a dimension, which is kept.

    Two plain reductions, which XLA vectorises on the CPU as it does not its argmax.
    """
    best = _extreme(x, (dim,), True, largest)
    hit = (x == best) | (x != x) if is_in(x, FLOATS) else x == best
    narrow = jnp.int32 if x.shape[dim] < 2**31 else jnp.int64
    places = lax.broadcasted_iota(narrow, x.shape, dim)
    return jnp.min(jnp.where(hit, places, x.shape[dim]), dim, keepdims=True).astype(jnp.int64)


def _shared_gradient(grad: Array, input: Array, result: Array) -> Array:
    """The gradient divided evenly among the elements that equal the result."""
    ties = (input == result) | ((input != input) & (result != result))
    return jnp.where(ties, grad / jnp.sum(ties, tuple(_reduced(input, result)), keepdims=True).astype(grad.dtype), 0)


def _reduced(input: Array, result: Array) -> list[int]:
    return [i for i in range(input.ndim) if result.shape[i] == 1]


@op
def amax(input: Array, dim: Dims = (), keepdim: bool = False) -> Array:
    """Return the largest element, of all or over the dimensions ``dim``; nan if there is one.

    Elements that tie share the gradient evenly (``max`` over a dimension gives it to one of them).

    >>> torch.amax(torch.tensor([[1, 5], [3, 2]]), 1)
    tensor([5, 3])
    """
    return _amaxmin("amax", "max_values_cpu", input, dim, keepdim, largest=True)


@op
def amin(input: Array, dim: Dims = (), keepdim: bool = False) -> Array:
    """Return the smallest element, of all or over the dimensions ``dim``; nan if there is one.

    Elements that tie share the gradient evenly (``min`` over a dimension gives it to one of them).

    >>> torch.amin(torch.tensor([[1, 5], [3, 2]]), 1)
    tensor([1, 2])
    """
    return _amaxmin("amin", "min_values_cpu", input, dim, keepdim, largest=False)


def _amaxmin(name: str, kernel: str, input: Array, dim: Dims, keepdim: bool, largest: bool) -> Array:
    dims = reduced_dims(name, dim, input.ndim)
    _check_not_empty(name, input, dims, given=dim is not None and dim != ())
    if input.size:
        refuse(kernel, input, BARE, COMPLEX)
        return _extreme(input, dims, keepdim, largest)
    return jnp.zeros(_reduced_shape(input, dims, keepdim), input.dtype)


def _reduced_shape(x: Array, dims: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    return tuple(1 if i in dims else n for i, n in enumerate(x.shape) if keepdim or i not in dims)


def _amax_gradient(grad, inputs, outputs, dim, keepdim):
    (input,), (result,) = inputs, outputs
    dims = errors.wrap_dims(dim, input.ndim)
    return (_shared_gradient(expanded(grad, dims, keepdim), input, expanded(result, dims, keepdim)),)


defvjp(amax)(_amax_gradient)
defvjp(amin)(_amax_gradient)


@op
def aminmax(input: Array, *, dim: int | None = None, keepdim: bool = False) -> tuple[Array, Array]:
    """Return the smallest and the largest element, of all or over one dimension, as a named tuple ``(min, max)``.

    >>> torch.aminmax(torch.tensor([3, 1, 2]))
    torch.return_types.aminmax(
    min=tensor(1),
    max=tensor(3))
    """
    dims = errors.wrap_dims(dim, input.ndim)
    if not input.size:
        errors.check(
            dim is not None,
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.",
        )
        for d in dims:
            if input.ndim and input.shape[d] == 0:
                raise IndexError(f"aminmax: Expected reduction dim {d} to have non-zero size.")
    refuse("aminmax_cpu", input, BARE, COMPLEX)
    return return_types.aminmax(_extreme(input, dims, keepdim, False), _extreme(input, dims, keepdim, True))


@defvjp(aminmax)
def _(grad, inputs, outputs, dim, keepdim):
    (input,) = inputs
    dims = errors.wrap_dims(dim, input.ndim)
    parts = [
        _shared_gradient(expanded(g, dims, keepdim), input, expanded(result, dims, keepdim))
        for g, result in zip(grad, outputs, strict=True)
    ]
    return (parts[0] + parts[1],)


def _argextreme(name: str, input: Array, dim: int | None, keepdim: bool, largest: bool) -> Array:
    if dim is not None and not is_int(dim):
        reduced_dim(name, dim, input.ndim)
    refuse_with(f"{name}(): does not support bool input", input, BOOL)
    refuse_with(f"{name}(): does not support complex input", input, COMPLEX)
    given = dim is not None
    dims = reduced_dim(name, dim, input.ndim)
    _check_not_empty(name, input, dims, given, IndexError)
    refuse(f"{name}_cpu", input, BARE)
    if input.ndim == 0:
        return jnp.zeros((), jnp.int64)
    if not given:
        flat = _position(input.reshape(-1), 0, largest)
        return flat.reshape((1,) * input.ndim if keepdim else ())
    result = _position(input, dims[0], largest)
    return result if keepdim else jnp.squeeze(result, dims)


@op
def argmax(input: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Return the index of the largest element: in the flattened input, or along ``dim``. Ties give the first.

    >>> torch.argmax(torch.tensor([[1, 5], [3, 2]]), 1)
    tensor([1, 0])
    """
    return _argextreme("argmax", input, dim, keepdim, True)


@op
def argmin(input: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Return the index of the smallest element: in the flattened input, or along ``dim``. Ties give the first.

    >>> torch.argmin(torch.tensor([[1, 5], [3, 2]]), 1)
    tensor([0, 1])
    """
    return _argextreme("argmin", input, dim, keepdim, False)


def _extreme_with_index(name: str, input: Array, dim: int, keepdim: bool, largest: bool) -> tuple[Array, Array]:
    dim = errors.wrap_dim(dim, input.ndim)
    _check_not_empty(name, input, (dim,), given=True)
    refuse_with(f"{name}(): does not support complex input", input, COMPLEX)
    refuse(f"{name}_cpu", input, BARE)
    if input.ndim == 0:
        return input, jnp.zeros((), jnp.int64)
    values = _extreme(input, (dim,), keepdim, largest)
    indices = _position(input, dim, largest)
    return values, indices if keepdim else jnp.squeeze(indices, dim)


@op(method=False, node="MaxBackward0")
def _max_over(input: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The largest elements along a dimension and where they are."""
    return return_types.max(*_extreme_with_index("max", input, dim, keepdim, True))


@op(method=False, node="MinBackward0")
def _min_over(input: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The smallest elements along a dimension and where they are."""
    return return_types.min(*_extreme_with_index("min", input, dim, keepdim, False))


def selected_gradient(grad: Array, input: Array, indices: Array, dim: int, keepdim: bool) -> Array:
    """The gradient of values selected along a dimension: all of it to the index."""
    if input.ndim == 0:
        return grad
    dim = errors.wrap_dim(dim, input.ndim)
    grad, indices = expanded(grad, (dim,), keepdim), expanded(indices, (dim,), keepdim)
    return jnp.where(lax.broadcasted_iota(indices.dtype, input.shape, dim) == indices, grad, 0)


def _selection_vjp(grad, inputs, outputs, dim, keepdim):
    return (selected_gradient(grad[0], inputs[0], outputs[1], dim, keepdim),)


defvjp(_max_over)(_selection_vjp)
defvjp(_min_over)(_selection_vjp)


def _extreme_of_all(name: str, input: Array, largest: bool) -> Array:
    _check_not_empty(name, input, (), given=False)
    refuse(f"{name}_all", input, BARE, COMPLEX)
    return _extreme(input, tuple(range(input.ndim)), False, largest)


@op(method=False, node="MaxBackward1")
def _max_of_all(input: Array) -> Array:
    """The largest element."""
    return _extreme_of_all("max", input, True)


@op(method=False, node="MinBackward1")
def _min_of_all(input: Array) -> Array:
    """The smallest element."""
    return _extreme_of_all("min", input, False)


def _all_gradient(grad, inputs, outputs):
    return _amax_gradient(grad, inputs, outputs, None, False)


defvjp(_max_of_all)(_all_gradient)
defvjp(_min_of_all)(_all_gradient)

_MISSING: Any = object()


def _overloads(name: str, given: tuple[Any, ...]) -> None:
    errors.invalid_combination(
        name,
        given,
        "(Tensor input, *, Tensor out = None)",
        "(Tensor input, Tensor other, *, Tensor out = None)",
        "(Tensor input, int dim, bool keepdim = False, *, tuple of Tensors out = None)",
    )


def _is_index(x: Any) -> bool:
    return hasattr(x, "__index__") and not isinstance(x, bool) and not isinstance(x, TensorBase)


@composite
def max(input: Any, dim: Any = _MISSING, keepdim: bool = False, *, other: Any = _MISSING, out: Any = None) -> Any:
    """Return the largest element; over ``dim`` the largest elements and their indices; of two tensors the larger.

    Over a dimension the result is a named tuple ``(values, indices)``. Without one, elements that tie share the
    gradient evenly. Raises RuntimeError for an empty tensor.

    >>> torch.max(torch.tensor([1.0, 3.0, 2.0]))
    tensor(3.)
    >>> torch.max(torch.tensor([[1.0, 3.0], [5.0, 2.0]]), dim=1)
    torch.return_types.max(
    values=tensor([3., 5.]),
    indices=tensor([1, 0]))
    """
    if other is not _MISSING:
        return maximum(input, other, out=out)
    if dim is _MISSING:
        return _max_of_all(input, out=out)
    if isinstance(dim, TensorBase):
        return maximum(input, dim, out=out)
    if not _is_index(dim):
        _overloads("max", (input, dim))
    return _max_over(input, dim, keepdim, out=out)


@composite
def min(input: Any, dim: Any = _MISSING, keepdim: bool = False, *, other: Any = _MISSING, out: Any = None) -> Any:
    """Return the smallest element; over ``dim`` the smallest elements and their indices; of two tensors the smaller.

    Over a dimension the result is a named tuple ``(values, indices)``. Without one, elements that tie share the
    gradient evenly. Raises RuntimeError for an empty tensor.

    >>> torch.min(torch.tensor([1.0, 3.0, 2.0]))
    tensor(1.)
    >>> torch.min(torch.tensor([[1.0, 3.0], [5.0, 2.0]]), dim=1)
    torch.return_types.min(
    values=tensor([1., 2.]),
    indices=tensor([0, 1]))
    """
    if other is not _MISSING:
        return minimum(input, other, out=out)
    if dim is _MISSING:
        return _min_of_all(input, out=out)
    if isinstance(dim, TensorBase):
        return minimum(input, dim, out=out)
    if not _is_index(dim):
        _overloads("min", (input, dim))
    return _min_over(input, dim, keepdim, out=out)
