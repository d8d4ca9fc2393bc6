"""Singular values, and what is made of them: ranks and pseudoinverses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from torchlike import return_types
from torchlike._core.errors import check
from torchlike._core.op import Array, NoDerivative, composite, defvjp, op
from torchlike.linalg._common import (
    check_floating,
    check_matrix,
    check_tensors,
    conjugated,
    diagonal_of,
    divided,
    embed,
    give,
    give_all,
    lay_columns,
    mH,
    mm,
    needs_grad,
    not_finite,
    raise_errors,
)
from torchlike.ops._checks import COMPLEX, HALF, is_in, refuse

__all__ = ["svd", "svdvals"]

Tensor = Any


def svd_body(input: Array, full_matrices: bool, vectors: bool) -> tuple[Array, Array, Array]:
    """U, S and V^H; without vectors U and V^H are empty."""
    check_matrix(input, "linalg.svd")
    check_floating(input, "linalg.svd")
    refuse("linalg_svd_cpu", input, HALF)
    if vectors:
        U, S, Vh = jax.lax.linalg.svd(input, full_matrices=full_matrices)
        return U, S, Vh
    nothing = jnp.zeros((0,), input.dtype)
    k = min(input.shape[-2:])
    if input.size == 0:
        return nothing, jnp.zeros((*input.shape[:-2], k), input.real.dtype), nothing
    return nothing, jax.lax.linalg.svd(input, full_matrices=False, compute_uv=False), nothing


def svd_gradient(gU: Array, gS: Array, gVh: Array, U: Array, S: Array, Vh: Array) -> Array:
    """The gradient of singular values and vectors; of full matrices that of the first k vectors."""
    k = S.shape[-1]
    U, gU, Vh, gVh = U[..., :k], gU[..., :k], Vh[..., :k, :], gVh[..., :k, :]
    gV, V = mH(gVh), mH(Vh)
    eye = jnp.eye(k, dtype=bool)
    s = S.astype(U.dtype)
    square = s * s
    distance = jnp.where(eye, 1, square[..., None, :] - square[..., :, None])
    UhgU, VhgV = mm(mH(U), gU), mm(Vh, gV)
    skew_u, skew_v = UhgU - mH(UhgU), VhgV - mH(VhgV)
    inner = divided(skew_u, distance) * s[..., None, :] + s[..., :, None] * divided(skew_v, distance)
    across = gS.astype(U.dtype)
    if is_in(U, COMPLEX):
        across = across + 1j * divided(diagonal_of(UhgU).imag, S).astype(U.dtype)
    inner = jnp.where(eye, embed(across), inner)
    result = mm(U, inner, Vh)
    if U.shape[-2] > k:
        result = result + mm(divided(gU - mm(U, UhgU), jnp.broadcast_to(s[..., None, :], U.shape)), Vh)
    if Vh.shape[-1] > k:
        result = result + mm(U, divided(gVh - mm(mm(gVh, V), Vh), jnp.broadcast_to(s[..., :, None], Vh.shape)))
    return result


@op(method=False, node="LinalgSvdBackward0")
def _svd(input: Array, full_matrices: bool, vectors: bool) -> tuple[Array, Array, Array]:
    """Singular values and vectors."""
    return return_types.linalg_svd(*svd_body(input, full_matrices, vectors))


@defvjp(_svd)
@conjugated
def _(grad, inputs, outputs, full_matrices, vectors):
    if not vectors:
        raise NoDerivative("linalg.svd: the derivative of singular values depends on the singular vectors")
    return (svd_gradient(*grad, *outputs),)


def check_driver(driver: str | None) -> None:
    """Refuse a choice of algorithm: it is for GPUs only."""
    check(
        driver is None,
        "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.",
    )


def check_converged(values: Tensor) -> None:
    """Raise LinAlgError for singular values that are not finite."""
    failed = not_finite(values)
    if failed is not None:
        raise_errors(failed, "linalg.svd", "svd")


@composite
def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None) -> Any:
    """Return ``U``, the singular values ``S`` in descending order, and ``Vh`` with ``A = U diag(S) Vh``.

    With ``full_matrices=False`` only the first ``min(m, n)`` columns of U and rows of Vh. Singular vectors are given up
    to a common sign or phase, which may differ from PyTorch's. ``driver`` is refused on the CPU. Raises LinAlgError for
    matrices that are not finite.

    >>> torch.linalg.svd(torch.tensor([[3.0, 0.0], [0.0, 2.0]])).S
    tensor([3., 2.])
    """
    check_tensors("linalg_svd", A=A)
    check_driver(driver)
    result = _svd(A, full_matrices, True)
    check_converged(result.S)
    lay_columns(result.U, result.Vh)
    return give_all("linalg_svd", result, out)


@composite
def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """Return the singular values of matrices in descending order.

    >>> torch.linalg.svdvals(torch.tensor([[3.0, 0.0], [0.0, 2.0]]))
    tensor([3., 2.])
    """
    check_tensors("linalg_svdvals", A=A)
    check_driver(driver)
    values = _svd(A, False, needs_grad(A)).S
    check_converged(values)
    return give("linalg_svdvals", values, out)
