"""Reductions and normalisations of the elements that a mask keeps: ``torch.masked``.

A mask is True where an element counts, and is broadcast to the input. What it leaves out has the operator's identity: 0
for sums, -inf for maxima. Where it leaves nothing, results are the identity, or nan where there is none (means).
"""

from __future__ import annotations

import math
from typing import Any

from torchlike import linalg
from torchlike._core import dtype as dtypes
from torchlike.masked._masks import Dim, canonical, count, filled, greatest, least, summed_dtype
from torchlike.ops import _public as ops

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]

Tensor = Any


def sum(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the sums of the kept elements over dimensions, all of them if none is named.

    >>> x = torch.tensor([[-3, -2, -1], [0, 1, 2]])
    >>> torch.masked.sum(x, 1, mask=torch.tensor([[True, False, True], [False, False, False]]))
    tensor([-4,  0])
    """
    dims = canonical(dim, input.dim())
    given = filled(input, mask, 0)
    kind = summed_dtype(input, dtype)
    return ops.sum(given, dims, bool(keepdim), dtype=kind) if dims else ops.sum(given, dtype=kind)


def prod(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the products of the kept elements over dimensions, all of them if none is named.

    >>> torch.masked.prod(torch.tensor([2.0, 3.0, 4.0]), mask=torch.tensor([True, False, True]))
    tensor(8.)
    """
    result = filled(input, mask, 1)
    kind = summed_dtype(input, dtype)
    for d in reversed(canonical(dim, input.dim())):
        result = ops.prod(result, d, bool(keepdim))
    return result.to(kind)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the running sums of the kept elements along a dimension.

    >>> torch.masked.cumsum(torch.tensor([1, 2, 3]), 0, mask=torch.tensor([True, False, True]))
    tensor([1, 1, 4])
    """
    (d,) = canonical(dim, input.dim()) or (0,)
    return ops.cumsum(filled(input, mask, 0), d, dtype=input.dtype if dtype is None else dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the running products of the kept elements along a dimension.

    >>> torch.masked.cumprod(torch.tensor([2, 5, 3]), 0, mask=torch.tensor([True, False, True]))
    tensor([2, 2, 6])
    """
    (d,) = canonical(dim, input.dim()) or (0,)
    return ops.cumprod(filled(input, mask, 1), d, dtype=input.dtype if dtype is None else dtype)


def _identity(name: str, input: Tensor, value: Any) -> float | int:
    if input.dtype is dtypes.bool:
        raise NotImplementedError(f"identity of {name} on {input.dtype} input")
    number: float | int = value(input.dtype)
    return number


def amax(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the greatest of the kept elements over dimensions.

    Where nothing is kept the result is -inf, for integers the least value.

    >>> torch.masked.amax(torch.tensor([1.0, 5.0, 3.0]), mask=torch.tensor([True, False, True]))
    tensor(3.)
    """
    given = input if mask is None else filled(input, mask, _identity("amax", input, least))
    result = ops.amax(given, canonical(dim, input.dim()), bool(keepdim))
    return result if dtype is None else result.to(dtype)


def amin(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the least of the kept elements over dimensions.

    Where nothing is kept the result is inf, for integers the greatest value.

    >>> torch.masked.amin(torch.tensor([1.0, 5.0, 3.0]), mask=torch.tensor([False, True, True]))
    tensor(3.)
    """
    given = input if mask is None else filled(input, mask, _identity("amin", input, greatest))
    result = ops.amin(given, canonical(dim, input.dim()), bool(keepdim))
    return result if dtype is None else result.to(dtype)


def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return where the greatest of the kept elements is along a dimension, in the flat input without one.

    The positions have the type of the input, unless another is asked for, as PyTorch gives them.

    >>> torch.masked.argmax(torch.tensor([1.0, 5.0, 3.0]), mask=torch.tensor([True, False, True]))
    tensor(2.)
    """
    given = input if mask is None else filled(input, mask, _identity("argmax", input, least))
    return ops.argmax(given, dim, bool(keepdim)).to(input.dtype if dtype is None else dtype)


def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return where the least of the kept elements is along a dimension, in the flat input without one.

    The positions have the type of the input, unless another is asked for, as PyTorch gives them.

    >>> torch.masked.argmin(torch.tensor([1.0, 5.0, 3.0]), mask=torch.tensor([False, True, True]))
    tensor(2.)
    """
    given = input if mask is None else filled(input, mask, _identity("argmin", input, greatest))
    return ops.argmin(given, dim, bool(keepdim)).to(input.dtype if dtype is None else dtype)


def mean(
    input: Tensor, dim: Dim = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the means of the kept elements over dimensions; nan where nothing is kept.

    >>> torch.masked.mean(torch.tensor([1.0, 5.0, 3.0]), mask=torch.tensor([True, False, True]))
    tensor(2.)
    """
    if dtype is None and not (input.is_floating_point() or input.is_complex()):
        raise ValueError(
            "mean(): Could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got:"
            f" {input.dtype}"
        )
    dims = canonical(dim, input.dim())
    if mask is None:
        return ops.mean(input, dims, bool(keepdim), dtype=dtype)
    total = sum(input, dims, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / count(input, dims, bool(keepdim), mask)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the medians of the kept elements along a dimension; nan where nothing is kept.

    Raises ValueError where something that is not floating point has nothing kept.

    >>> torch.masked.median(torch.tensor([1.0, 5.0, 3.0, 9.0]), mask=torch.tensor([True, True, True, False]))
    tensor(3.)
    """
    (d,) = canonical(dim, input.dim()) or (0,)
    real = input.is_floating_point()
    given = input if real else input.to(dtypes.float32)
    result = ops.nanmedian(filled(given, mask, math.nan), d, keepdim).values
    if real:
        return result
    if bool(ops.isnan(result).any()):
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return result.to(input.dtype if dtype is None else dtype)


def logsumexp(
    input: Tensor, dim: Dim = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the logarithm of the sums of exponentials of the kept elements; -inf where nothing is kept.

    >>> torch.masked.logsumexp(torch.zeros(3), mask=torch.tensor([True, False, True]))
    tensor(0.6931)
    """
    dims = canonical(dim, input.dim())
    given = (
        input
        if mask is None
        else filled(input, mask, -math.inf if input.is_complex() else _identity("logsumexp", input, least))
    )
    return ops.logsumexp(given, dims, bool(keepdim)).to(input.dtype if dtype is None else dtype)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: Any = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """Return ``log(exp(input) + exp(other))`` of the kept elements; -inf where both are left out.

    >>> torch.masked.logaddexp(torch.zeros(2), torch.zeros(2), other_mask=torch.tensor([True, False]))
    tensor([0.6931, 0.0000])
    """
    first = input if dtype is None else input.to(dtype)
    second = other if dtype is None else other.to(dtype)
    return ops.logaddexp(filled(first, input_mask, -math.inf), filled(second, other_mask, -math.inf))


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dim = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the vector norms of the kept elements over dimensions.

    Where nothing is kept the result is 0, inf for the orders below 0.

    >>> torch.masked.norm(torch.tensor([3.0, 9.0, 4.0]), 2, mask=torch.tensor([True, False, True]))
    tensor(5.)
    """
    real = input.is_floating_point() or input.is_complex()
    given = filled(input, mask, math.inf if real and ord is not None and ord < 0 else 0)
    return linalg.vector_norm(given, ord, canonical(dim, input.dim()), bool(keepdim), dtype=dtype)


def _spread(
    input: Tensor,
    dim: Dim,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool | None,
    dtype: Any,
    mask: Tensor | None,
    root: bool,
) -> Tensor:
    if unbiased is not None and correction is not None:
        raise ValueError("Only one of unbiased and correction may be given")
    dims = canonical(dim, input.dim())
    correct = 1.0 if unbiased is None or unbiased else 0.0
    correct = correct if correction is None else float(correction)
    kind = dtype
    if kind is None:
        real = input.is_floating_point() or input.is_complex()
        kind = input.dtype if real else dtypes.float32
    narrow = kind in (dtypes.float16, dtypes.bfloat16)
    compute = dtypes.float32 if narrow else kind
    number = count(input, dims, True, mask)
    total = sum(input, dims, keepdim=True, dtype=dtype, mask=mask)
    distance = input - total / number
    square = distance * distance.conj() if distance.is_complex() else distance * distance
    result = sum(square.to(compute), dims, keepdim=keepdim, dtype=compute, mask=mask)
    if not keepdim:
        number = number.reshape(result.shape)
    left = number - correct if correct else number
    result = result / ops.maximum(left, ops.zeros_like(left))
    if root:
        result = ops.sqrt(result)
    return result.to(kind)


def var(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the variances of the kept elements over dimensions; nan where too few are kept.

    >>> torch.masked.var(torch.tensor([1.0, 9.0, 3.0]), mask=torch.tensor([True, False, True]))
    tensor(2.)
    """
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask, root=False)


def std(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool | None = None,
    *,
    correction: int | None = None,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the standard deviations of the kept elements over dimensions; nan where too few are kept.

    >>> torch.masked.std(torch.tensor([1.0, 9.0, 3.0]), mask=torch.tensor([True, False, True]))
    tensor(1.4142)
    """
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask, root=True)


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the exponentials of the kept elements, divided by their sum along a dimension; nan where none is kept.

    >>> torch.masked.softmax(torch.zeros(3), 0, mask=torch.tensor([True, False, True]))
    tensor([0.5000, 0.0000, 0.5000])
    """
    (d,) = canonical(dim, input.dim()) or (0,)
    return ops.softmax(_lowered("amax", input, mask, least), d, dtype=dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the logarithms of `softmax`.

    >>> torch.masked.log_softmax(torch.zeros(3), 0, mask=torch.tensor([True, False, True]))
    tensor([-0.6931,    -inf, -0.6931])
    """
    (d,) = canonical(dim, input.dim()) or (0,)
    return ops.log_softmax(_lowered("amax", input, mask, least), d, dtype=dtype)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return `softmax` of the negated input.

    >>> torch.masked.softmin(torch.zeros(3), 0, mask=torch.tensor([True, False, True]))
    tensor([0.5000, 0.0000, 0.5000])
    """
    (d,) = canonical(dim, input.dim()) or (0,)
    return ops.softmax(-_lowered("amin", input, mask, greatest), d, dtype=dtype)


def _lowered(name: str, input: Tensor, mask: Tensor | None, value: Any) -> Tensor:
    return input if mask is None else filled(input, mask, _identity(name, input, value))


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the input over its norm along a dimension, or over ``eps`` where that is more; 0 where it is left out.

    >>> torch.masked.normalize(torch.tensor([3.0, 9.0, 4.0]), 2.0, 0, mask=torch.tensor([True, False, True]))
    tensor([0.6000, 0.0000, 0.8000])
    """
    (d,) = canonical(dim, input.dim()) or (0,)
    length = norm(input, ord, d, keepdim=True, dtype=dtype, mask=mask)
    bound = ops.maximum(length, ops.full((), eps, dtype=length.dtype, device=length.device))
    return filled(input, mask, 0) / bound
