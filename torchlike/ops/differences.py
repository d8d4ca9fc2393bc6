"""Differences between neighbours, and integrals and derivatives estimated from samples."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch, errors
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_ints, is_int
from torchlike._core.errors import check
from torchlike._core.op import composite
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._relay import into
from torchlike.ops.bitwise import logical_xor
from torchlike.ops.create import zeros
from torchlike.ops.join import cat
from torchlike.ops.scan import cumsum
from torchlike.ops.slicing import slice_view

__all__ = ["cumulative_trapezoid", "diff", "gradient", "trapezoid", "trapz"]

Tensor = Any


def _between(x: Tensor, dim: int, start: int, stop: int) -> Tensor:
    """The part of a dimension from ``start`` to ``stop``, 0 being the end."""
    return slice_view(x, dim, start, stop or None)


# Differences ---------------------------------------------------------------------------------------------------------


@composite
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the differences between neighbours along ``dim``, taken ``n`` times; of bools, whether they differ.

    ``prepend`` and ``append`` are put before and behind the input first. Raises RuntimeError for a 0-dim input, a
    negative ``n`` and tensors whose shapes do not fit.

    >>> torch.diff(torch.tensor([1, 3, 2]))
    tensor([ 2, -1])
    """
    shape = dispatch.shape_of(input)
    check(len(shape) >= 1, "diff expects input to be at least one-dimensional")
    d = errors.wrap_dim(dim, len(shape))
    for extra in (prepend, append):
        if extra is not None:
            _check_continuation(shape, dispatch.shape_of(extra), d)
    check(n >= 0, f"order must be non-negative but got {n}")
    parts = [x for x in (prepend, input, append) if x is not None]
    result = cat(parts, d) if len(parts) > 1 else input
    if n == 0:
        result = zeros(shape, dtype=input.dtype, device=input.device).copy_(input)
    # Not more often than there are elements, so that an empty result is reached by differences too.
    for _ in range(min(n, dispatch.shape_of(result)[d])):
        left, right = _between(result, d, 0, -1), _between(result, d, 1, 0)
        result = logical_xor(right, left) if dispatch.geometry_of(result).dtype is dtypes.bool else right - left
    return result if out is None else into(out, result)


def _check_continuation(shape: tuple[int, ...], extra: tuple[int, ...], dim: int) -> None:
    check(len(extra) == len(shape), "diff expects prepend or append to be the same dimension as input")
    for i, (ours, theirs) in enumerate(zip(shape, extra, strict=True)):
        check(
            i == dim or ours == theirs,
            "diff expects the shape of tensor to prepend or append to match that of input except along the"
            f" differencing dimension; input.size({i}) = {ours}, but got tensor.size({i}) = {theirs}",
        )


# Integrals -----------------------------------------------------------------------------------------------------------

_TRAPEZOID = ("(Tensor y, Tensor x, *, int dim = -1)", "(Tensor y, *, Number dx = 1, int dim = -1)")


def _widths(function: str, y: Tensor, x: Any, dx: Any, dim: int) -> Any:
    """The distances between the samples: a number, or a tensor that broadcasts against them."""
    if x is None:
        check(y.dtype is not dtypes.bool, f"{function}: received a bool input for `y`, but bool is not supported")
        return 1 if dx is None else dx
    if not isinstance(x, TensorBase) or dx is not None:
        errors.invalid_combination(function, (y, x), *_TRAPEZOID)
    check(
        dtypes.bool not in (y.dtype, dispatch.geometry_of(x).dtype),
        f"{function}: received a bool input for `x` or `y`, but bool is not supported",
    )
    ndim, size = y.dim(), dispatch.shape_of(x)
    places: Tensor = x
    if len(size) == 1:
        check(size[0] == y.shape[dim], f"{function}: There must be one `x` value for each sample point")
        places = places.reshape([size[0] if i == dim else 1 for i in range(ndim)])
    elif len(size) < ndim:
        places = places.reshape((1,) * (ndim - len(size)) + tuple(size))
    return _between(places, dim, 1, 0) - _between(places, dim, 0, -1)


@composite(method=False)
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """Return the integral along ``dim`` of samples ``y``, by trapezoids.

    The samples are at the places ``x`` (1-d, or of a shape that broadcasts), or ``dx`` (1 unless given) apart. Raises
    RuntimeError for bools.

    >>> torch.trapezoid(torch.tensor([1.0, 5.0, 10.0]), torch.tensor([1.0, 3.0, 6.0]))
    tensor(28.5000)
    """
    d = errors.wrap_dim(dim, y.dim(), scalar=False)
    if not y.shape[d]:
        return zeros([n for i, n in enumerate(y.shape) if i != d], dtype=y.dtype, device=y.device)
    width = _widths("trapezoid", y, x, dx, d)
    pairs = _between(y, d, 0, -1) + _between(y, d, 1, 0)
    return pairs.sum(d) * (width / 2.0) if x is None else (width * pairs).sum(d) / 2.0


@composite(method=False)
def trapz(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """Return the integral of samples by trapezoids; another name of :func:`torch.trapezoid`.

    >>> torch.trapz(torch.tensor([1.0, 2.0, 3.0]), dx=2)
    tensor(8.)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@composite(method=False)
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """Return the integrals along ``dim`` up to each sample but the first. See :func:`torch.trapezoid`.

    >>> torch.cumulative_trapezoid(torch.tensor([1.0, 5.0, 10.0]))
    tensor([ 3.0000, 10.5000])
    """
    check(y.dim() > 0, "slice() cannot be applied to a 0-dim tensor.", IndexError)
    d = errors.wrap_dim(dim, y.dim())
    width = _widths("cumulative_trapezoid", y, x, dx, d)
    pairs = _between(y, d, 0, -1) + _between(y, d, 1, 0)
    return cumsum(width / 2.0 * pairs, d) if x is None else cumsum(width * pairs, d) / 2.0


# Derivatives ---------------------------------------------------------------------------------------------------------

_GRADIENT = (
    "(Tensor input, *, Number spacing = None, int dim = None, int edge_order = 1)",
    "(Tensor input, *, tuple of Scalars spacing, int dim = None, int edge_order = 1)",
    "(Tensor input, *, tuple of Tensors spacing, int dim = None, int edge_order = 1)",
)


@composite(method=False)
def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Return the derivatives along each dimension (of ``dim``) of a function known by its samples.

    ``spacing`` is the distance of the samples, one for all dimensions or one each, or a sequence of 1-d tensors with
    their coordinates. Inside, the estimate is of second order; at the borders of order ``edge_order`` (1 or 2). Raises
    RuntimeError when a dimension has not more than ``edge_order`` samples.

    >>> torch.gradient(torch.tensor([1.0, 2.0, 4.0, 8.0]))
    (tensor([1.0000, 1.5000, 3.0000, 4.0000]),)
    """
    listed = isinstance(spacing, list | tuple)
    number = spacing is None or (isinstance(spacing, int | float | complex) and not isinstance(spacing, bool))
    if not ((listed and all(isinstance(s, TensorBase | int | float | complex) for s in spacing)) or number):
        errors.invalid_combination("gradient", (input, spacing), *_GRADIENT)
    ndim = input.dim()
    if dim is None:
        dims = tuple(range(ndim))
    else:
        dims = (dim,) if is_int(dim) else as_ints("gradient", "dim", 2, dim)
    check(input.dtype is not dtypes.uint8, "torch.gradient does not support uint8 input.")
    if listed and dim is None:
        check(
            len(spacing) == ndim,
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() ="
            f" {ndim}', since dim argument was not given, but got a list of length {len(spacing)}",
        )
    elif listed:
        check(
            len(spacing) == len(dims),
            "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the"
            f" same length, but got a spacing argument of length {len(spacing)} and a dim argument of length"
            f" {len(dims)}.",
        )
    check(edge_order in (1, 2), "torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = errors.wrap_dims(dims, ndim) if dims else ()
    for d in dims:
        check(
            input.shape[d] >= edge_order + 1,
            "torch.gradient expected each dimension size to be at least edge_order+1",
        )
    steps = spacing if listed else ((1 if spacing is None else spacing),) * len(dims)
    for step in steps:
        if isinstance(step, TensorBase):
            found = len(dispatch.shape_of(step))
            check(
                found == 1,
                "torch.gradient expected each element of spacing to have one dimension, but got an element with"
                f" {found} dimensions!",
            )
    return tuple(
        (_by_coordinates if isinstance(step, TensorBase) else _by_distance)(input, step, d, edge_order)
        for step, d in zip(steps, dims, strict=True)
    )


def _by_distance(x: Tensor, step: Any, d: int, edge_order: int) -> Tensor:
    last = x.shape[d]

    def at(place: int) -> Tensor:
        return x.narrow(d, place, 1)

    if edge_order == 1:
        first, final = (at(1) - at(0)) / step, (at(last - 1) - at(last - 2)) / step
    else:
        first = (at(0) * -1.5 + at(1) * 2 + at(2) * -0.5) / step
        final = (at(last - 3) * 0.5 + at(last - 2) * -2 + at(last - 1) * 1.5) / step
    middle = (_between(x, d, 2, 0) - _between(x, d, 0, -2)) / step / 2
    return cat((first, middle, final), d)


def _by_coordinates(x: Tensor, places: Tensor, d: int, edge_order: int) -> Tensor:
    last = x.shape[d]
    gaps = diff(places, 1, 0)

    def at(place: int) -> Tensor:
        return x.narrow(d, place, 1)

    shape = [-1 if i == d else 1 for i in range(x.dim())]
    before, after = (part.reshape(shape) for part in (_between(gaps, 0, 0, -1), _between(gaps, 0, 1, 0)))
    both = before + after
    middle = (
        -after / (before * both) * _between(x, d, 0, -2)
        + (after - before) / (before * after) * _between(x, d, 1, -1)
        + before / (after * both) * _between(x, d, 2, 0)
    )
    if edge_order == 1:
        first, final = (at(1) - at(0)) / gaps[0], (at(last - 1) - at(last - 2)) / gaps[-1]
    else:
        near, far = gaps[0], gaps[1]
        first = (
            -(2 * near + far) / (near * (near + far)) * at(0)
            + (near + far) / (near * far) * at(1)
            - near / (far * (near + far)) * at(2)
        )
        far, near = gaps[-2], gaps[-1]
        final = (
            near / (far * (near + far)) * at(last - 3)
            - (near + far) / (near * far) * at(last - 2)
            + (2 * near + far) / (near * (near + far)) * at(last - 1)
        )
    return cat((first, middle, final), d)
