"""Linear equations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check
from torchlike._core.kernels import cast
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import (
    check_floating,
    check_matrix,
    check_same_dtype,
    check_solvable,
    check_square,
    check_tensors,
    conjugated,
    give,
    give_all,
    lay_columns,
    mH,
    mm,
    mT,
    raise_errors,
    sum_to,
)
from torchlike.linalg.lu_factors import factored, factored_solve
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in, refuse
from torchlike.ops._keywords import answers_to
from torchlike.ops.shape import movedim, reshape

__all__ = ["solve", "solve_ex", "solve_triangular", "tensorsolve"]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# General matrices


def _is_vector(A: tuple[int, ...], B: tuple[int, ...]) -> bool:
    """Whether B counts as a batch of vectors: PyTorch looks at the shapes only."""
    return len(B) == 1 or (len(A) - 1 == len(B) and A[:-1] == B)


@op(method=False, node="LinalgSolveExBackward0")
def _solve_ex(A: Array, B: Array, left: bool) -> tuple[Array, Array, Array, Array]:
    """The solution, the factors and the infos."""
    check_square(A, "linalg.solve")
    check_floating(A, "linalg.solve")
    check_same_dtype("linalg.solve", A, B)
    vector = _is_vector(A.shape, B.shape)
    matrix = B[..., None] if vector else B
    check_matrix(matrix, "linalg.solve", "B")
    check_solvable("linalg.solve", A, matrix, left)
    check(
        left or not vector,
        "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case"
        " linalg.solve is equivalent to B / A.squeeze(-1)",
    )
    broadcast_shapes(matrix.shape[:-2], A.shape[:-2])
    refuse("lu_cpu", A, HALF)
    LU, pivots, info = factored(A if left else mT(A))
    return _solution(A, LU, pivots, B, left), LU, pivots, info


def _solution(A: Array, LU: Array, pivots: Array, B: Array, left: bool) -> Array:
    vector = _is_vector(A.shape, B.shape)
    if left:
        X = factored_solve(A, LU, pivots, B[..., None] if vector else B)
        return X[..., 0] if vector else X
    return mT(factored_solve(mT(A), LU, pivots, mT(B)))


@defvjp(_solve_ex)
@conjugated
def _(grad, inputs, outputs, left):
    (A, B), (X, LU, pivots, _) = inputs, outputs
    vector = _is_vector(A.shape, B.shape)
    g = grad[0]
    if vector:
        g, X = g[..., None], X[..., None]
    if left:
        gB = factored_solve(A, LU, pivots, g, adjoint=True)
        gA = -mm(gB, mH(X))
    else:
        gB = mT(factored_solve(mT(A), LU, pivots, mT(g), adjoint=True))
        gA = -mm(mH(X), gB)
    if vector:
        gB = gB[..., 0]
    return sum_to(gA, A.shape), sum_to(gB, B.shape)


@composite
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """Return the solution of ``A X = B`` and, for each A, an ``info``: 0, or the number of a pivot that is zero.

    >>> torch.linalg.solve_ex(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([2.0, 4.0])).result
    tensor([1., 1.])
    """
    check_tensors("linalg_solve_ex", A=A, B=B)
    X, _, _, info = _solve_ex(A, B, left)
    if check_errors:
        raise_errors(info, "torch.linalg.solve_ex", "solve")
    if left:
        lay_columns(X)
    return give_all("linalg_solve_ex", return_types.linalg_solve_ex(X, info), out)


@composite
def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """Return the X of ``A X = B`` (``X A = B`` with ``left=False``) for square matrices.

    B may be a vector, or a batch of vectors if its shape is that of A without the last dimension; batches are
    broadcast. Raises LinAlgError for a singular matrix.

    >>> torch.linalg.solve(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([2.0, 4.0]))
    tensor([1., 1.])
    """
    check_tensors("linalg_solve", A=A, B=B)
    X, _, _, info = _solve_ex(A, B, left)
    raise_errors(info, "torch.linalg.solve", "solve")
    if left:
        lay_columns(X)
    return give("linalg_solve", X, out, columns=left)


# ---------------------------------------------------------------------------------------------------------------------
# Triangular matrices


def triangular(A: Array, B: Array, *, upper: bool, left: bool, unit: bool, adjoint: bool = False) -> Array:
    """Solve with triangular matrices, batches broadcast."""
    batch = broadcast_shapes(A.shape[:-2], B.shape[:-2])
    A = jnp.broadcast_to(A, (*batch, *A.shape[-2:]))
    B = jnp.broadcast_to(B, (*batch, *B.shape[-2:]))
    if not B.size:
        return B
    return jax.lax.linalg.triangular_solve(
        A,
        B,
        left_side=left,
        lower=not upper,
        unit_diagonal=unit,
        transpose_a=adjoint,
        conjugate_a=adjoint and is_in(A, COMPLEX),
    )


@op(method=False, node="LinalgSolveTriangularBackward0")
def _solve_triangular(input: Array, B: Array, upper: bool, left: bool, unitriangular: bool) -> Array:
    """The solution."""
    check_square(input, "linalg.solve_triangular")
    check_matrix(B, "linalg.solve_triangular", "B")
    check_solvable("linalg.solve_triangular", input, B, left)
    broadcast_shapes(input.shape[:-2], B.shape[:-2])
    if not is_in(B, (FLOATS | COMPLEX) - HALF):
        refuse("triangular_solve_cpu", B, frozenset({jnp.dtype(B.dtype)}))
    # PyTorch does not ask for one dtype; the result has that of the matrices.
    return triangular(input, cast(B, input.dtype), upper=upper, left=left, unit=unitriangular)


@defvjp(_solve_triangular)
@conjugated
def _(grad, inputs, outputs, upper, left, unitriangular):
    (A, B), (X,) = inputs, outputs
    gB = triangular(A, grad, upper=upper, left=left, unit=unitriangular, adjoint=True)
    gA = -mm(gB, mH(X)) if left else -mm(mH(X), gB)
    diagonal = 1 if unitriangular else 0
    gA = jnp.triu(gA, diagonal) if upper else jnp.tril(gA, -diagonal)
    return sum_to(gA, A.shape), sum_to(gB, B.shape)


@composite
@answers_to(input="A")
def solve_triangular(
    A: Tensor,
    B: Tensor,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return the X of ``A X = B`` (``X A = B`` with ``left=False``) for triangular A, of which one triangle is read.

    With ``unitriangular=True`` the diagonal counts as ones. A singular A raises nothing: the result is not finite.

    >>> A = torch.tensor([[2.0, 1.0], [0.0, 4.0]])
    >>> torch.linalg.solve_triangular(A, torch.tensor([[4.0], [8.0]]), upper=True)
    tensor([[1.],
            [2.]])
    """
    check_tensors("linalg_solve_triangular", input=A, B=B)
    X = _solve_triangular(A, B, upper, left, unitriangular)
    lay_columns(X)
    return give("linalg_solve_triangular", X, out, columns=True)


# ---------------------------------------------------------------------------------------------------------------------
# Tensors


@composite
@answers_to(input="A", other="B")
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the X of ``tensordot(A, X, X.ndim) = B``; ``dims`` of A are moved to its end first.

    The product of A's first sizes, as many as B has, must equal that of the others.

    >>> torch.linalg.tensorsolve(torch.eye(6).reshape(2, 3, 6), torch.ones(2, 3))
    tensor([1., 1., 1., 1., 1., 1.])
    """
    check_tensors("linalg_tensorsolve", input=A, other=B)
    if dims is not None:
        given = (dims,) if isinstance(dims, int) else tuple(dims)
        A = movedim(A, given, tuple(range(-len(given), 0)))
    shape, ndim = dispatch.shape_of(A), len(dispatch.shape_of(B))
    tail = shape[ndim:]
    columns, rows = math.prod(tail), math.prod(shape[:ndim])
    check(
        columns == rows,
        "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but"
        f" got {columns} != {rows}",
    )
    X = solve(reshape(A, (columns, columns)), reshape(B, (columns,)))
    return give("linalg_tensorsolve", reshape(X, tail), out)
