"""LU factors with partial pivoting, and what is solved with them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import (
    check_floating,
    check_matrix,
    check_same_dtype,
    check_solvable,
    check_square,
    check_tensors,
    conj,
    conjugated,
    diagonal_of,
    give,
    give_all,
    lay_columns,
    mH,
    mm,
    mT,
    raise_errors,
    without_history,
)
from torchlike.ops._bounds import host
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in, refuse
from torchlike.ops._geometry import show

__all__ = ["lu", "lu_factor", "lu_factor_ex", "lu_solve"]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Bodies


def factored(A: Array) -> tuple[Array, Array, Array]:
    """LU in one matrix, pivots counted from 1, and for each matrix 0 or the number of the first pivot that is zero."""
    LU, pivots, _ = jax.lax.linalg.lu(A)
    zero = diagonal_of(LU) == 0
    info = jnp.where(zero.any(-1), jnp.argmax(zero, -1) + 1, 0) if zero.shape[-1] else jnp.zeros(A.shape[:-2])
    return LU, (pivots + 1).astype(jnp.int32), info.astype(jnp.int32)


def permutation_of(pivots: Array, size: int) -> Array:
    """The order in which pivots put the rows."""
    if not pivots.shape[-1]:
        return jnp.broadcast_to(jnp.arange(size), (*pivots.shape[:-1], size))
    return jax.lax.linalg.lu_pivots_to_permutation(pivots.astype(jnp.int32) - 1, size)


def permutation_matrix(pivots: Array, size: int, dtype: Any) -> Array:
    """The matrix P of ``A = P L U``."""
    order = permutation_of(pivots, size)
    return mT(jax.nn.one_hot(order, size, dtype=dtype))


def unpacked(LU: Array) -> tuple[Array, Array]:
    """L with its diagonal of ones, and U."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    return jnp.tril(LU[..., :k], -1) + jnp.eye(m, k, dtype=LU.dtype), jnp.triu(LU[..., :k, :])


def lu_gradient(gL: Array, gU: Array, P: Array, L: Array, U: Array) -> Array:
    """The gradient of ``A = P L U`` from those of L (below its diagonal) and U."""
    m, n = L.shape[-2], U.shape[-1]
    k = min(m, n)
    if k == 0:
        return jnp.zeros((*L.shape[:-2], m, n), L.dtype)
    right = below = None
    if n > k:
        U2, gU2 = U[..., k:], gU[..., k:]
        right = _solve_lower(L, gU2)
        gL = gL - mm(right, mH(U2))
        U, gU = U[..., :k], gU[..., :k]
    if m > k:
        L2, gL2 = L[..., k:, :], gL[..., k:, :]
        below = _solve_upper(U, gL2)
        gU = gU - mm(mH(L2), below)
        L, gL = L[..., :k, :], gL[..., :k, :]
    inner = jnp.tril(mm(mH(L), jnp.tril(gL, -1)), -1) + jnp.triu(mm(jnp.triu(gU), mH(U)))
    result = _solve_upper(U, _solve_lower(L, inner))
    if right is not None:
        result = jnp.concatenate([result, right], -1)
    if below is not None:
        result = jnp.concatenate([result, below], -2)
    return mm(P, result)


def _solve_lower(L: Array, x: Array) -> Array:
    """``L^-H x`` of unit lower triangular matrices."""
    return jax.lax.linalg.triangular_solve(
        L, x, left_side=True, lower=True, transpose_a=True, conjugate_a=True, unit_diagonal=True
    )


def _solve_upper(U: Array, x: Array) -> Array:
    """``x U^-H`` of upper triangular matrices."""
    return jax.lax.linalg.triangular_solve(U, x, left_side=False, lower=False, transpose_a=True, conjugate_a=True)


def substituted(LU: Array, order: Array, B: Array, form: str) -> Array:
    """Solve with LU factors: ``A X = B`` (form "N"), ``A^T X = B`` ("T") or ``A^H X = B`` ("C")."""
    if not B.size:
        return B
    triangular = jax.lax.linalg.triangular_solve
    if form == "N":
        rows = jnp.take_along_axis(B, order[..., None], -2)
        Y = triangular(LU, rows, left_side=True, lower=True, unit_diagonal=True)
        return triangular(LU, Y, left_side=True, lower=False)
    turned = {"left_side": True, "transpose_a": True, "conjugate_a": form == "C"}
    Y = triangular(LU, B, lower=False, **turned)
    Y = triangular(LU, Y, lower=True, unit_diagonal=True, **turned)
    return jnp.take_along_axis(Y, jnp.argsort(order, -1)[..., None], -2)


def factored_solve(A: Array, LU: Array, pivots: Array, B: Array, *, adjoint: bool = False) -> Array:
    """Solve ``A X = B`` or ``A^H X = B`` with the factors of A; derivatives are those with respect to A and B alone."""
    order = permutation_of(pivots, A.shape[-1])
    LU = lax.stop_gradient(LU)
    batch = broadcast_shapes(A.shape[:-2], B.shape[:-2])
    B = jnp.broadcast_to(B, (*batch, *B.shape[-2:]))
    LU = jnp.broadcast_to(LU, (*batch, *LU.shape[-2:]))
    order = jnp.broadcast_to(order, (*batch, order.shape[-1]))
    M = mH(A) if adjoint else A

    def solve(_: Any, b: Array) -> Array:
        return substituted(LU, order, b, "C" if adjoint else "N")

    def transpose_solve(_: Any, b: Array) -> Array:
        return conj(substituted(LU, order, conj(b), "N")) if adjoint else substituted(LU, order, b, "T")

    return lax.custom_linear_solve(lambda x: mm(M, x), B, solve, transpose_solve)


def _check_factor(input: Array, function: str, pivot: bool) -> None:
    check(
        input.ndim >= 2,
        f"{function}: Expected tensor with 2 or more dimensions. Got size: {show(input.shape)} instead",
    )
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("lu_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    check(pivot, "linalg.lu_factor: LU without pivoting is not implemented on the CPU")


# ---------------------------------------------------------------------------------------------------------------------
# Factors


@op(method=False, node="LinalgLuFactorExBackward0")
def _lu_factor_ex(input: Array, pivot: bool) -> tuple[Array, Array, Array]:
    """LU in one matrix, pivots and infos."""
    _check_factor(input, "torch.lu_factor", pivot)
    return return_types.linalg_lu_factor_ex(*factored(input))


@defvjp(_lu_factor_ex)
@conjugated
def _(grad, inputs, outputs, pivot):
    LU, pivots, _ = outputs
    L, U = unpacked(LU)
    k = L.shape[-1]
    P = permutation_matrix(pivots, L.shape[-2], LU.dtype)
    return (lu_gradient(jnp.tril(grad[0][..., :k], -1), jnp.triu(grad[0][..., :k, :]), P, L, U),)


@op(method=False, node="LinalgLuBackward0")
def _lu(input: Array, pivot: bool) -> tuple[Array, Array, Array]:
    """P, L and U."""
    _check_factor(input, "linalg.lu", pivot)
    LU, pivots, _ = factored(input)
    return return_types.linalg_lu(permutation_matrix(pivots, input.shape[-2], input.dtype), *unpacked(LU))


@defvjp(_lu)
@conjugated
def _(grad, inputs, outputs, pivot):
    return (lu_gradient(jnp.tril(grad[1], -1), jnp.triu(grad[2]), *outputs),)


@composite
def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """Return the permutation P, the unit lower triangular L and the upper triangular U with ``A = P L U``.

    ``pivot=False`` is refused on the CPU, as by PyTorch.

    >>> P, L, U = torch.linalg.lu(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> L
    tensor([[1.0000, 0.0000],
            [0.2500, 1.0000]])
    """
    check_tensors("linalg_lu", A=A)
    result = _lu(A, pivot)
    without_history(result.P)
    return give_all("linalg_lu", result, out)


@composite
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """Return the LU factors in one matrix, the pivots (int32, from 1), and an ``info`` for each matrix.

    ``info`` is 0, or the number of the first diagonal element of U that is zero.

    >>> torch.linalg.lu_factor_ex(torch.tensor([[1.0, 2.0], [4.0, 4.0]])).pivots
    tensor([2, 2], dtype=torch.int32)
    """
    check_tensors("linalg_lu_factor_ex", A=A)
    result = _lu_factor_ex(A, pivot)
    if check_errors:
        raise_errors(result.info, "torch.linalg.lu_factor_ex", "lu")
    lay_columns(result.LU)
    return give_all("linalg_lu_factor_ex", result, out)


@composite
def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """Return the LU factors in one matrix and the pivots (int32, from 1), for :func:`lu_solve`.

    Raises RuntimeError where U has a zero on its diagonal.

    >>> torch.linalg.lu_factor(torch.tensor([[1.0, 2.0], [4.0, 4.0]])).LU
    tensor([[4.0000, 4.0000],
            [0.2500, 1.0000]])
    """
    check_tensors("linalg_lu_factor", A=A)
    LU, pivots, info = _lu_factor_ex(A, pivot)
    raise_errors(info, "torch.linalg.lu_factor", "lu")
    lay_columns(LU)
    return give_all("linalg_lu_factor", return_types.linalg_lu_factor(LU, pivots), out)


# ---------------------------------------------------------------------------------------------------------------------
# Solving


def check_factors(LU: Any, pivots: Any, B: Any) -> None:
    """Refuse factors and right sides that do not fit."""
    check(
        jnp.dtype(pivots.dtype) == jnp.int32,
        "linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32",
    )
    check_floating(LU, "torch.linalg.lu_solve")
    check_same_dtype("linalg.lu_solve", LU, B, "LU", "B")
    check_square(LU, "torch.linalg.lu_solve")
    check_matrix(B, "linalg.lu_solve", "B")
    check(
        pivots.ndim >= 1 and pivots.shape[-1] == LU.shape[-1],
        "linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix",
    )
    check(
        tuple(LU.shape[:-1]) == tuple(pivots.shape),
        f"linalg.lu_solve: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
        f"{show(pivots.shape)} instead",
    )


@op(method=False, node="LinalgLuSolveBackward0")
def _lu_solve(LU: Array, pivots: Array, B: Array, left: bool, adjoint: bool) -> Array:
    """X of ``A X = B`` for given factors."""
    check_factors(LU, pivots, B)
    check_solvable("linalg.lu_solve", LU, B, left)
    refuse("linalg.lu_solve_cpu", LU, HALF)
    batch = broadcast_shapes(LU.shape[:-2], B.shape[:-2])
    order = jnp.broadcast_to(permutation_of(pivots, LU.shape[-1]), (*batch, LU.shape[-1]))
    LU = jnp.broadcast_to(LU, (*batch, *LU.shape[-2:]))
    B = jnp.broadcast_to(B, (*batch, *B.shape[-2:]))
    if left:
        return substituted(LU, order, B, "C" if adjoint else "N")
    # X A = B is A^H X^H = B^H, and X A^H = B is A X^H = B^H.
    return mH(substituted(LU, order, mH(B), "N" if adjoint else "C"))


def check_pivots(LU: Tensor, pivots: Tensor) -> None:
    """Refuse pivots that name no row."""
    shape = dispatch.shape_of(LU)
    values = host(pivots)
    if values is not None and values.size and len(shape) >= 2 and shape[-1] == shape[-2]:
        check(
            int(values.max()) <= shape[-2],
            "Pivots given to lu_solve must all be smaller or equal to LU.size(-2). Did you properly pass the result of"
            " lu_factor?",
        )
        check(
            int(values.min()) >= 1,
            "Pivots given to lu_solve must all be greater or equal to 1. Did you properly pass the result of"
            " lu_factor?",
        )


def solve_with_factors(LU: Tensor, pivots: Tensor, B: Tensor, left: bool, adjoint: bool) -> Tensor:
    """:func:`lu_solve` without ``out``."""
    if pivots.dtype.itemsize == 4 and not pivots.is_floating_point():
        check_pivots(LU, pivots)
    result = _lu_solve(LU, pivots, B, left, adjoint)
    if left:
        lay_columns(result)
    return result


@composite
def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False, out: Tensor | None = None
) -> Tensor:
    """Return the X of ``A X = B`` for the factors that :func:`lu_factor` gives of A.

    ``left=False`` solves ``X A = B``, ``adjoint=True`` has A^H in the place of A. Batches are broadcast.

    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> torch.linalg.lu_solve(LU, pivots, torch.tensor([[3.0], [8.0]]))
    tensor([[1.],
            [1.]])
    """
    check_tensors("linalg_lu_solve", LU=LU, pivots=pivots, B=B)
    return give("linalg_lu_solve", solve_with_factors(LU, pivots, B, left, adjoint), out, columns=left)
