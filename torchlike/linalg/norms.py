"""Norms, condition numbers and ranks."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type, wrap_dim
from torchlike._core.op import composite
from torchlike._core.promote import promote_types
from torchlike._core.tensor_state import TensorBase
from torchlike.linalg._common import (
    LinAlgError,
    check_floating,
    check_matrix,
    check_square,
    check_tensors,
    give,
)
from torchlike.linalg.eigen import eigvalsh
from torchlike.linalg.inverses import check_tolerances, default_tolerance, inv
from torchlike.linalg.singular import svdvals
from torchlike.ops._checks import COMPLEX, is_in
from torchlike.ops._keywords import answers_to
from torchlike.ops.norms import _vector_norm
from torchlike.ops.pointwise_bounds import maximum
from torchlike.ops.pointwise_unary import nan_to_num
from torchlike.ops.reduce import amax, amin
from torchlike.ops.reduce import sum as _sum
from torchlike.ops.shape import movedim

__all__ = ["cond", "matrix_norm", "matrix_rank", "norm", "vector_norm"]

Tensor = Any
_NUMBERS = (bool, int, float, complex)


def _order(function: str, ord: Any) -> float:
    if isinstance(ord, str) or (not isinstance(ord, (*_NUMBERS, TensorBase)) and not hasattr(ord, "__float__")):
        raise TypeError(f"{function}(): argument 'ord' (position 2) must be Number, not {type(ord).__name__}")
    return float(ord)


def _dims(dim: Any) -> tuple[int, ...] | None:
    return dim if dim is None else (int(dim),) if hasattr(dim, "__index__") else tuple(int(d) for d in dim)


@composite
@answers_to(input="x")
def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the vector norm of all elements or over the dimensions ``dim``: ``(sum |x|^ord)^(1/ord)``.

    ``inf`` and ``-inf`` give the largest and smallest absolute value, 0 the number of elements that are not zero. The
    result of complex numbers is real; ``dtype`` converts the input first.

    >>> torch.linalg.vector_norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    >>> torch.linalg.vector_norm(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), ord=1, dim=1)
    tensor([7., 1.])
    """
    check_tensors("linalg_vector_norm", x=x)
    return _vector_norm(x, _order("linalg_vector_norm", ord), _dims(dim), keepdim, dtype, out=out)


# ---------------------------------------------------------------------------------------------------------------------
# Matrices


def _check_dtype(name: str, A: Tensor, dtype: Any) -> None:
    if dtype is None:
        return
    check(
        dtype.is_floating_point or dtype.is_complex,
        f"{name}: dtype should be floating point or complex, but got {scalar_type(dtype)}",
    )
    kind = "complex" if A.is_complex() else "real"
    check(
        A.is_complex() == dtype.is_complex,
        f"{name}: dtype should be {kind} for {kind} inputs, but got {scalar_type(dtype)}",
    )
    check(
        promote_types(A.dtype, dtype) is dtype,
        f"{name}: the dtype of the input ({scalar_type(A.dtype)}) should be convertible without narrowing to the "
        f"specified dtype ({scalar_type(dtype)})",
    )


def _checked_matrices(A: Tensor, dim: Any, dtype: Any) -> tuple[int, int]:
    """The two dimensions of a matrix norm, counted from the front."""
    name = "linalg.matrix_norm"
    shaped = dispatch.shaped(A)
    check_matrix(shaped, name)
    check_floating(shaped, name)
    dims = _dims(dim) or ()
    check(len(dims) == 2, f"{name}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    first, second = (wrap_dim(d, len(shaped.shape)) for d in dims)
    check(first != second, f"{name}: dims must be different. Got ({dims[0]}, {dims[1]})")
    _check_dtype(name, A, dtype)
    return first, second


def matrix_norm_of(A: Tensor, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> Tensor:
    """:func:`matrix_norm` without ``out``."""
    check(
        ord in ("fro", "nuc") if isinstance(ord, str) else abs(ord) in (1, 2, math.inf),
        f"linalg.matrix_norm: Order {ord if isinstance(ord, str) else _shown(ord)} not supported.",
    )
    rows, columns = _checked_matrices(A, dim, dtype)
    if ord == "fro":
        return _vector_norm(A, 2.0, (rows, columns), keepdim, dtype)
    spectral = ord == "nuc" or abs(ord) == 2
    if spectral:
        check_floating(dispatch.shaped(A), "linalg.matrix_norm", half=False)
        A = A if dtype is None else A.to(dtype)
        values = svdvals(movedim(A, (rows, columns), (-2, -1)))
        result = _sum(values, -1, keepdim) if ord == "nuc" else _extreme(values, -1, keepdim, ord)
        if keepdim:
            result = movedim(result.unsqueeze(-1), (-2, -1), (rows, columns))
        return result
    along, across = (columns, rows) if abs(ord) == math.inf else (rows, columns)
    if not keepdim and along < across:
        across -= 1
    sums = _vector_norm(A, 1.0, (along,), keepdim, dtype)
    return _extreme(sums, across, keepdim, ord)


def _extreme(values: Tensor, dim: int, keepdim: bool, ord: float) -> Tensor:
    """The largest of the values along a dimension, the smallest for negative orders; the largest of nothing is 0."""
    shape = list(dispatch.shape_of(values))
    if shape[dim]:
        return amax(values, dim, keepdim) if ord > 0 else amin(values, dim, keepdim)
    if ord < 0:
        raise IndexError(f"amin(): Expected reduction dim {dim} to have non-zero size.")
    shape[dim : len(shape) if dim == -1 else dim + 1] = [1] if keepdim else []
    return values.new_zeros(shape)


def _shown(number: Any) -> str:
    return "inf" if number == math.inf else "-inf" if number == -math.inf else f"{number:g}"


@composite
@answers_to(input="A")
def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the norms of matrices, whose rows and columns are the dimensions ``dim``.

    ``ord``: "fro" (root of the sum of squares), "nuc" (sum of the singular values), 2 and -2 (largest and smallest
    singular value), 1 and -1 (largest and smallest column sum of absolute values), inf and -inf (row sums).

    >>> torch.linalg.matrix_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(5.)
    >>> torch.linalg.matrix_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), ord="nuc")
    tensor(7.)
    """
    check_tensors("linalg_matrix_norm", input=A)
    if not isinstance(ord, str):
        ord = _order("linalg_matrix_norm", ord)
    return give("linalg_matrix_norm", matrix_norm_of(A, ord, dim, keepdim, dtype), out)


@composite
@answers_to(A="input")
def norm(
    input: Tensor,
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
) -> Tensor:
    """Return a vector norm or a matrix norm.

    With one dimension in ``dim`` that of vectors, with two that of matrices (:func:`matrix_norm`). Without ``dim`` and
    ``ord`` the 2-norm of all elements; without ``dim`` the input must have one or two dimensions.

    >>> torch.linalg.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    >>> torch.linalg.norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), 2)
    tensor(4.)
    """
    check_tensors("linalg_norm", input=input)
    ndim = len(dispatch.shape_of(input))
    dims = _dims(dim)
    if isinstance(ord, str):
        check(
            dims is None or len(dims) in (1, 2),
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims or ())}",
        )
        check(
            dims is not None or ndim in (1, 2),
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {ndim}D.",
        )
        return give("linalg_norm", matrix_norm_of(input, ord, dims or (-2, -1), keepdim, dtype), out)
    if ord is not None:
        ord = _order("linalg_norm", ord)
    if dims is not None and not dims:
        dims = None
    if dims is not None:
        check(
            len(dims) in (1, 2),
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}",
        )
    elif ord is not None:
        check(
            ndim in (1, 2),
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {ndim}D.",
        )
    if ord is not None and ((dims is not None and len(dims) == 2) or (dims is None and ndim == 2)):
        return give("linalg_norm", matrix_norm_of(input, ord, dims or (0, 1), keepdim, dtype), out)
    return _vector_norm(input, 2.0 if ord is None else ord, dims, keepdim, dtype, out=out)


# ---------------------------------------------------------------------------------------------------------------------
# Condition numbers


def _by_inverse(A: Tensor, p: Any) -> Tensor:
    """The norm of A times that of its inverse; infinite where there is none."""
    try:
        other = inv(A)
    except LinAlgError:
        check(len(dispatch.shape_of(A)) == 2, "linalg.cond: a batch with a singular matrix needs p=2")
        return A.new_full((), math.inf, dtype=_real(A))
    product = matrix_norm_of(A, p, (-2, -1), False, None) * matrix_norm_of(other, p, (-2, -1), False, None)
    return nan_to_num(product, math.inf, math.inf, -math.inf)


def _real(A: Tensor) -> Any:
    return dtypes.of(jnp.zeros((), A.dtype.np).real.dtype)


@composite
@answers_to(input="A")
def cond(A: Tensor, p: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Return the condition numbers of matrices in the norm ``p``: by default the ratio of the extreme singular values.

    ``p`` is one of "fro", "nuc", inf, -inf, 1, -1, 2, -2; all but 2 and -2 need square matrices. A singular matrix has
    an infinite one.

    >>> torch.linalg.cond(torch.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    check_tensors("linalg_cond", input=A)
    shaped = dispatch.shaped(A)
    check(len(shaped.shape) >= 2, "linalg.cond: The input tensor must have at least 2 dimensions.")
    if p is not None and not isinstance(p, str):
        p = float(p)
    valid = p is None or (p in ("fro", "nuc") if isinstance(p, str) else abs(p) in (1, 2, math.inf))
    check(valid, f"linalg.cond got an invalid norm type: {p if isinstance(p, str) or p is None else _shown(p)}")
    if not math.prod(shaped.shape):
        if not (p is None or abs(p) == 2 if not isinstance(p, str) else False):
            _check_square(shaped, p)
        return give("linalg_cond", A.new_zeros(shaped.shape[:-2], dtype=_real(A)), out)
    if p is None or (not isinstance(p, str) and abs(p) == 2):
        values = svdvals(A)
        largest, smallest = values.narrow(-1, 0, 1), values.narrow(-1, -1, 1)
        ratio = smallest / largest if p is not None and p < 0 else largest / smallest
        return give("linalg_cond", ratio.squeeze(-1), out)
    _check_square(shaped, p)
    if p == "nuc":
        values = svdvals(A)
        return give("linalg_cond", _sum(values, -1) * _sum(values.reciprocal(), -1), out)
    return give("linalg_cond", _by_inverse(A, p), out)


def _check_square(shaped: Any, p: Any) -> None:
    check_square(shaped, f"linalg.cond(ord={p if isinstance(p, str) else _shown(p)})")


# ---------------------------------------------------------------------------------------------------------------------
# Ranks


@composite
@answers_to(input="A")
def matrix_rank(
    A: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the numbers of singular values above ``max(atol, rtol * largest)``.

    ``tol`` stands for ``atol`` with ``rtol=0``. ``rtol`` is by default the dtype's epsilon times the larger size, or 0
    where ``atol`` is above 0. Tolerances are numbers or tensors. With ``hermitian=True`` eigenvalues are taken.

    >>> torch.linalg.matrix_rank(torch.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1)
    """
    check_tensors("linalg_matrix_rank", input=A)
    shaped = dispatch.shaped(A)
    if tol is not None:
        atol, rtol = tol, 0.0
    check_matrix(shaped, "torch.linalg.matrix_rank", "input")
    check_tolerances("matrix_rank", atol=atol, rtol=rtol)
    check(
        tol is not None or is_in(shaped, COMPLEX) or (A.dtype.itemsize >= 4 and A.is_floating_point()),
        "This function doesn't handle types other than float and double",
    )
    if hermitian:
        check_square(shaped, "linalg.eigh")
    A = A.detach()
    if not math.prod(shaped.shape):
        return give("linalg_matrix_rank", A.new_zeros(shaped.shape[:-2], dtype=dtypes.int64), out)
    values = eigvalsh(A).abs() if hermitian else svdvals(A)
    share: Any = rtol
    if rtol is None:
        share = default_tolerance(A.dtype.np, shaped.shape)
        if atol is not None and isinstance(atol, TensorBase):
            given: Tensor = atol
            share = share * (given <= 0).to(values.dtype)
        elif atol is not None and atol > 0:
            share = 0.0
    bound = amax(values, -1) * share
    if atol is not None:
        least = atol if isinstance(atol, TensorBase) else values.new_full((), float(atol))
        bound = maximum(least, bound)
    return give("linalg_matrix_rank", _sum(values > bound.unsqueeze(-1), -1), out)
