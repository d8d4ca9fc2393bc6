"""Least squares."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import (
    check_tensors,
    conjugated,
    give_all,
    lay_columns,
    mH,
    mm,
    sum_to,
    without_history,
)
from torchlike.linalg.inverses import default_tolerance
from torchlike.linalg.solvers import triangular
from torchlike.ops._bounds import host
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in
from torchlike.ops._keywords import answers_to

__all__ = ["lstsq"]

Tensor = Any


def _is_vector(A: tuple[int, ...], B: tuple[int, ...]) -> bool:
    return len(B) == 1 or (len(A) - 1 == len(B) and A[:-1] == B)


def _by_qr(A: Array, B: Array) -> Array:
    """The solution where A has full rank; of many solutions the shortest."""
    if A.shape[-2] >= A.shape[-1]:
        Q, R = jax.lax.linalg.qr(A, full_matrices=False)
        return triangular(R, mm(mH(Q), B), upper=True, left=True, unit=False)
    Q, R = jax.lax.linalg.qr(mH(A), full_matrices=False)
    return mm(Q, triangular(R, B, upper=True, left=True, unit=False, adjoint=True))


def _by_svd(A: Array, B: Array, rcond: float | None) -> tuple[Array, Array, Array]:
    """The shortest solution, the ranks and the singular values."""
    U, S, Vh = jax.lax.linalg.svd(A, full_matrices=False)
    share = default_tolerance(A.dtype, A.shape) if rcond is None else rcond
    if share < 0:  # LAPACK takes the machine's precision then
        share = float(jnp.finfo(A.dtype).eps)
    kept = share * S[..., :1] < S
    inverse = jnp.where(kept, 1 / jnp.where(kept, S, 1), 0).astype(A.dtype)
    X = mm(mH(Vh), inverse[..., None] * mm(mH(U), B))
    return X, jnp.sum(kept, -1).astype(jnp.int64), S


def pseudoinverse(A: Array) -> Array:
    """The pseudoinverse with PyTorch's default tolerance."""
    U, S, Vh = jax.lax.linalg.svd(A, full_matrices=False)
    kept = default_tolerance(A.dtype, A.shape) * S[..., :1] < S
    inverse = jnp.where(kept, 1 / jnp.where(kept, S, 1), 0).astype(A.dtype)
    return mm(mH(Vh) * inverse[..., None, :], mH(U))


def _residuals(A: Array, B: Array, X: Array) -> Array:
    difference = B - mm(A, X)
    squares = difference.real**2 + difference.imag**2 if is_in(A, COMPLEX) else difference**2
    return jnp.sum(squares, -2)


@op(method=False, node="LinalgLstsqBackward0")
def _lstsq(A: Array, B: Array, rcond: float | None, driver: str) -> tuple[Array, Array, Array, Array]:
    """The solution, the residuals, the ranks and the singular values."""
    vector = _is_vector(A.shape, B.shape)
    right = B[..., None] if vector else B
    batch = broadcast_shapes(A.shape[:-2], right.shape[:-2])
    m, n = A.shape[-2:]
    right = jnp.broadcast_to(right, (*batch, *right.shape[-2:]))
    k = min(m, n)
    rank = jnp.zeros(A.shape[:-2], jnp.int64)
    S = jnp.zeros((*A.shape[:-2], k), A.real.dtype)
    wide = jnp.broadcast_to(A, (*batch, m, n))
    if wide.size == 0 or right.size == 0:
        X = jnp.zeros((*batch, n, right.shape[-1]), A.dtype)
    elif driver == "gels":
        X = _by_qr(wide, right)
    else:
        X, rank, S = _by_svd(A, right, rcond)
    residuals = _residuals(wide, right, X)
    return (X[..., 0] if vector else X), residuals, rank, S


@defvjp(_lstsq)
@conjugated
def _(grad, inputs, outputs, rcond, driver):
    A, B = inputs
    vector = _is_vector(A.shape, B.shape)
    X, gX = outputs[0], grad[0]
    if vector:
        X, gX, right = X[..., None], gX[..., None], B[..., None]
    else:
        right = B
    P = pseudoinverse(A) if A.size else jnp.zeros_like(mH(A))
    gP = mm(gX, mH(right))
    Ph, gh = mH(P), mH(gP)
    one, two = mm(Ph, P, gh), mm(gh, P, Ph)
    gA = one - mm(one, P, A) + two - mm(A, P, two) - mm(Ph, gP, Ph)
    gB = mm(Ph, gX)
    # Of the residuals, the squares of A X - B, whose derivative by X is zero.
    off = 2 * (mm(A, X) - right) * grad[1][..., None, :].astype(A.dtype)
    gA = gA + mm(off, mH(X))
    gB = gB - off
    return sum_to(gA, A.shape), sum_to(gB[..., 0] if vector else gB, B.shape)


@composite
@answers_to(input="A", b="B")
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None, out: Any = None) -> Any:
    """Return the X for which the columns of ``A X - B`` are shortest.

    ``driver``: "gelsy" (default) and "gelsd"/"gelss" work for any rank and give the shortest X; singular values up to
    ``rcond`` times the largest count as zero (default: the dtype's epsilon times the larger size). "gels" takes A to
    have full rank. The result has ``solution``; ``residuals``, the squared lengths, with more rows than columns, full
    rank and another driver than "gelsy", else empty; ``rank``, empty for "gels"; ``singular_values``, empty unless the
    driver is "gelsd" or "gelss". All but "gels" are computed from singular values here.

    >>> A = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> torch.linalg.lstsq(A, torch.tensor([[1.0], [3.0], [5.0]])).solution
    tensor([[1.0000],
            [2.0000]])
    """
    check_tensors("linalg_lstsq", input=A, b=B)
    shape, other = dispatch.shape_of(A), dispatch.shape_of(B)
    _check(A, B, shape, other, driver)
    chosen = driver or "gelsy"
    X, residuals, rank, S = _lstsq(A, B, None if rcond is None else float(rcond), chosen)
    m, n = shape[-2:]
    ranks = host(rank)
    full = chosen == "gels" or ranks is None or bool(np.all(ranks == n))
    if m <= n or chosen == "gelsy" or not full:
        residuals = residuals.new_zeros(0) if not residuals.requires_grad else _emptied(residuals)
    if chosen == "gels":
        rank = rank.new_zeros(0)
    S = without_history(S) if chosen in ("gelsd", "gelss") else S.detach().new_zeros(0)
    if not _is_vector(shape, other):
        lay_columns(X)
    return give_all("linalg_lstsq", return_types.linalg_lstsq(X, residuals, rank, S), out)


@op(method=False, node="LinalgLstsqBackward0")
def _emptied(input: Array) -> Array:
    """No residuals."""
    return jnp.zeros((0,), input.dtype)


def _check(A: Tensor, B: Tensor, shape: tuple[int, ...], other: tuple[int, ...], driver: str | None) -> None:
    name = "torch.linalg.lstsq"
    check(len(shape) >= 2, f"{name}: input must have at least 2 dimensions.")
    check(len(other) >= 1, f"{name}: other must have at least 1 dimension.")
    check(
        A.dtype is B.dtype,
        f"{name}: Expected input and other to have the same dtype, but got input's dtype {scalar_type(A.dtype)} and "
        f"other's dtype {scalar_type(B.dtype)}",
    )
    difference = len(shape) - len(other)
    check(
        0 <= difference <= 1,
        f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1",
    )
    vector = _is_vector(shape, other)
    rows = other[-1] if vector or len(other) < 2 else other[-2]
    check(
        shape[-2] == rows, f"{name}: input.size(-2) should match other.size(-{1 if len(other) == 1 or vector else 2})"
    )
    check(
        is_in(dispatch.shaped(A), (FLOATS | COMPLEX) - HALF),
        "This function doesn't handle types other than float and double",
    )
    check(
        driver in (None, "gels", "gelsy", "gelsd", "gelss"),
        f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)",
    )
    broadcast_shapes(shape[:-2], other[:-1] if vector else other[:-2])
