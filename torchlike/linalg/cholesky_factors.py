"""Cholesky factors of positive-definite matrices."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from torchlike import return_types
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import (
    check_floating,
    check_square,
    check_tensors,
    conj,
    conjugated,
    diagonal_of,
    embed,
    give,
    give_all,
    lay_columns,
    mH,
    raise_errors,
)
from torchlike.ops._checks import HALF, refuse
from torchlike.ops._keywords import answers_to

__all__ = ["cholesky", "cholesky_ex"]

Tensor = Any


def _first_bad_minor(A: Array) -> tuple[Array, Array]:
    """Factor one matrix column by column: what is done of the factor, and the order of the minor that stopped it."""
    n = A.shape[-1]
    rows = jnp.arange(n)

    def column(j: Any, state: tuple[Array, Array]) -> tuple[Array, Array]:
        L, info = state
        before = jnp.where(rows < j, L[j], 0)
        rest = A[:, j] - L @ conj(before)
        pivot = rest[j].real
        fine = pivot > 0
        root = jnp.sqrt(jnp.where(fine, pivot, 1)).astype(A.dtype)
        done = jnp.where(rows > j, rest / root, jnp.where(rows == j, root, L[:, j]))
        stopped = L[:, j].at[j].set(pivot.astype(A.dtype))
        going = info == 0
        L = L.at[:, j].set(jnp.where(going, jnp.where(fine, done, stopped), L[:, j]))
        return L, jnp.where(going & ~fine, j + 1, info).astype(jnp.int32)

    return lax.fori_loop(0, n, column, (jnp.tril(A), jnp.zeros((), jnp.int32)))


def factor(A: Array) -> tuple[Array, Array]:
    """The lower Cholesky factors, and for each matrix 0 or the order of the first minor that is not positive."""
    n, batch = A.shape[-1], A.shape[:-2]
    if A.size == 0:
        return A, jnp.zeros(batch, jnp.int32)
    L = jax.lax.linalg.cholesky(A, symmetrize_input=False)
    failed = jnp.isnan(diagonal_of(L).real).any(-1)

    def slowly(A: Array, L: Array) -> tuple[Array, Array]:
        partial, info = jax.vmap(_first_bad_minor)(A.reshape(-1, n, n))
        partial, info = partial.reshape(A.shape), info.reshape(batch)
        return jnp.where(failed[..., None, None], partial, L), jnp.where(failed, info, 0)

    # Why a factorization failed is worked out again, more slowly, only when one did.
    return lax.cond(failed.any(), slowly, lambda A, L: (L, jnp.zeros(batch, jnp.int32)), A, L)


@op(method=False, node="LinalgCholeskyExBackward0")
def _cholesky_ex(input: Array, upper: bool) -> tuple[Array, Array]:
    """The factors and their infos."""
    check_square(input, "linalg.cholesky")
    check_floating(input, "linalg.cholesky")
    refuse("cholesky_cpu", input, HALF)
    L, info = factor(mH(input) if upper else input)
    return return_types.linalg_cholesky_ex(mH(L) if upper else L, info)


def factor_gradient(g: Array, L: Array) -> Array:
    """The gradient of a lower Cholesky factor."""
    phi = jnp.matmul(mH(L), g, precision=lax.Precision.HIGHEST)
    below = jnp.tril(phi, -1)
    phi = below + mH(below) + embed(diagonal_of(phi))
    if L.size == 0:
        return phi
    left = jax.lax.linalg.triangular_solve(L, phi, left_side=True, lower=True, transpose_a=True, conjugate_a=True)
    return jax.lax.linalg.triangular_solve(L, left, left_side=False, lower=True) / 2


@defvjp(_cholesky_ex)
@conjugated
def _(grad, inputs, outputs, upper):
    L, g = (mH(outputs[0]), mH(grad[0])) if upper else (outputs[0], grad[0])
    return (factor_gradient(g, L),)


@composite
@answers_to(input="A")
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """Return the Cholesky factors of Hermitian matrices and, for each, an ``info`` instead of an error.

    ``info`` (int32) is 0 where the factor was found, else the order of the first leading minor that is not
    positive-definite; the factor is then unfinished. ``check_errors=True`` raises as :func:`cholesky` does.

    >>> torch.linalg.cholesky_ex(torch.tensor([[4.0, 2.0], [2.0, 5.0]])).L
    tensor([[2., 0.],
            [1., 2.]])
    """
    check_tensors("linalg_cholesky_ex", input=A)
    result = _cholesky_ex(A, upper)
    if check_errors:
        raise_errors(result.info, "linalg.cholesky_ex", "cholesky")
    lay_columns(result.L)
    return give_all("linalg_cholesky_ex", result, out)


@composite
@answers_to(input="A")
def cholesky(A: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """Return the lower triangular ``L`` with ``A = L L^H`` of positive-definite matrices.

    The lower triangle of A is read. With ``upper=True`` the upper triangle is read and ``U`` with ``A = U^H U``
    returned. Takes batches of float32,
    float64, complex64 or complex128. Raises LinAlgError where a matrix is not positive-definite.

    >>> torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    check_tensors("linalg_cholesky", input=A)
    L, info = _cholesky_ex(A, upper)
    raise_errors(info, "linalg.cholesky", "cholesky")
    lay_columns(L)
    return give("linalg_cholesky", L, out, columns=True)
