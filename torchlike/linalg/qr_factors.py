"""QR factors, and the products of Householder reflectors behind them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from torchlike import return_types
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, NoDerivative, composite, defvjp, op
from torchlike.linalg._common import (
    check_floating,
    check_matrix,
    check_tensors,
    conj,
    conjugated,
    diagonal_of,
    embed,
    give,
    give_all,
    lay_columns,
    mH,
    mm,
)
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in, refuse
from torchlike.ops._geometry import show
from torchlike.ops._keywords import answers_to

__all__ = ["householder_product", "qr"]

Tensor = Any


def qr_body(input: Array, mode: str) -> tuple[Array, Array]:
    """Q and R; of mode "r" an empty Q."""
    check_matrix(input, "linalg.qr")
    check(
        mode in ("reduced", "r", "complete"),
        f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'",
    )
    check_floating(input, "linalg.qr")
    refuse("geqrf_cpu", input, HALF)
    Q, R = jax.lax.linalg.qr(input, full_matrices=mode == "complete")
    return jnp.zeros((0,), input.dtype) if mode == "r" else Q, jnp.triu(R)


def qr_gradient(gQ: Array, gR: Array, Q: Array, R: Array, mode: str) -> Array:
    """The gradient of QR factors."""
    if mode == "r":
        raise NoDerivative(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
        )
    m, n = Q.shape[-2], R.shape[-1]
    if mode == "complete" and m > n:
        raise NoDerivative("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    gR = jnp.triu(gR)
    rest = None
    if m < n:
        # A = [X, Y], R = [U, V] with X = Q U and Y = Q V.
        V, gV = R[..., m:], gR[..., m:]
        rest = mm(Q, gV)
        gQ = gQ + mm(Q, V, mH(gV))
        R, gR = R[..., :m], gR[..., :m]
    inner = jnp.triu(mm(gR, mH(R)) - mm(mH(Q), gQ))
    inner = inner + mH(inner)
    inner = inner - embed((diagonal_of(inner) / 2).astype(inner.dtype))
    flow = gQ + mm(Q, inner)
    if flow.size:
        flow = jax.lax.linalg.triangular_solve(
            R, flow, left_side=False, lower=False, transpose_a=True, conjugate_a=True
        )
    return flow if rest is None else jnp.concatenate([flow, rest], -1)


@op(method=False, node="LinalgQrBackward0")
def _qr(input: Array, mode: str) -> tuple[Array, Array]:
    """The factors."""
    return return_types.linalg_qr(*qr_body(input, mode))


@defvjp(_qr)
@conjugated
def _(grad, inputs, outputs, mode):
    (gQ, gR), (Q, R) = grad, outputs
    return (qr_gradient(gQ, gR, Q, R, mode),)


@composite
def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> Any:
    """Return ``Q`` with orthonormal columns and the upper triangular ``R`` with ``A = Q R``.

    ``mode``: "reduced" (Q is m x k, R is k x n with ``k = min(m, n)``), "complete" (Q is m x m) or "r" (only R; Q is
    empty and there is no gradient). The signs are LAPACK's: the diagonal of R may be negative.

    >>> Q, R = torch.linalg.qr(torch.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> R
    tensor([[-5.0000, -2.2000],
            [ 0.0000,  0.4000]])
    """
    check_tensors("linalg_qr", A=A)
    result = _qr(A, mode)
    lay_columns(*result)
    return give_all("linalg_qr", result, out)


# ---------------------------------------------------------------------------------------------------------------------
# Householder reflectors


def check_reflectors(function: str, input: Array, tau: Array) -> None:
    """Refuse reflectors whose numbers do not fit."""
    check(input.ndim >= 2, f"{function}: input must have at least 2 dimensions.")
    check(
        input.shape[-2] >= input.shape[-1],
        f"{function}: input.shape[-2] must be greater than or equal to input.shape[-1]",
    )
    check(
        input.shape[-1] >= tau.shape[-1],
        f"{function}: input.shape[-1] must be greater than or equal to tau.shape[-1]",
    )
    check(
        input.ndim - tau.ndim == 1,
        f"{function}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.ndim} and "
        f"input.ndim is equal to {input.ndim}",
    )
    if input.ndim > 2:
        check(
            input.shape[:-2] == tau.shape[:-1],
            f"{function}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{show(tau.shape[:-1])}",
        )
    check(
        tau.dtype == input.dtype,
        f"{function}: tau dtype {scalar_type(tau.dtype)} does not match input dtype {scalar_type(input.dtype)}",
    )


def reflected(input: Array, tau: Array, target: Array, *, backwards: bool, adjoint: bool) -> Array:
    """Apply the reflectors in the columns of ``input`` to ``target`` from the left, one after the other.

    The first reflector acts last if ``backwards`` (which makes their product ``H1 H2 ... Hk``).
    """
    m, k = input.shape[-2], tau.shape[-1]
    rows = jnp.arange(m)[:, None]
    columns = jnp.arange(k)[None, :]
    V = jnp.where(rows > columns, input[..., :k], 0) + (rows == columns).astype(input.dtype)
    t = conj(tau) if adjoint else tau

    def step(carry: Array, one: tuple[Array, Array]) -> tuple[Array, None]:
        v, s = one
        weights = jnp.einsum("...m,...mn->...n", conj(v), carry, precision=lax.Precision.HIGHEST)
        return carry - s[..., None, None] * v[..., :, None] * weights[..., None, :], None

    order = (jnp.moveaxis(V, -1, 0), jnp.moveaxis(t, -1, 0))
    return lax.scan(step, target, order, reverse=backwards)[0]


def _product(input: Array, tau: Array) -> Array:
    unit = jnp.broadcast_to(jnp.eye(input.shape[-2], input.shape[-1], dtype=input.dtype), input.shape)
    return reflected(input, tau, unit, backwards=True, adjoint=False)


@op(method=False, node="LinalgHouseholderProductBackward0")
def _householder_product(input: Array, tau: Array) -> Array:
    """The product of reflectors."""
    check_reflectors("torch.linalg.householder_product", input, tau)
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("orgqr_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    return jax.lax.linalg.householder_product(input, tau) if input.size else input


@defvjp(_householder_product)
def _(grad, inputs, outputs):
    # LAPACK's product has no derivative of its own; that of the same product, reflector by reflector, is taken.
    return jax.vjp(_product, *inputs)[1](grad)


@composite
@answers_to(input="A")
def householder_product(A: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the first n columns of the product of Householder reflectors, as ``torch.geqrf`` gives them.

    ``A`` (*, m, n) holds the reflectors below its diagonal, ``tau`` (*, k) their scales.

    >>> a, tau = torch.geqrf(torch.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> torch.linalg.householder_product(a, tau)
    tensor([[-0.6000, -0.8000],
            [-0.8000,  0.6000]])
    """
    check_tensors("linalg_householder_product", input=A, tau=tau)
    result = _householder_product(A, tau)
    lay_columns(result)
    return give("linalg_householder_product", result, out, columns=True)
