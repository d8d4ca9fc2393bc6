"""Determinants and their logarithms."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike import return_types
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import (
    check_floating,
    check_square,
    check_tensors,
    conj,
    conjugated,
    diagonal_of,
    eye_like,
    give,
    give_all,
)
from torchlike.linalg.lu_factors import factored, factored_solve
from torchlike.ops._checks import COMPLEX, HALF, is_in, refuse

__all__ = ["det", "slogdet"]

Tensor = Any


def _parity(pivots: Array, dtype: Any) -> Array:
    """The sign of the permutation that pivots describe."""
    swaps = pivots != jnp.arange(1, pivots.shape[-1] + 1, dtype=pivots.dtype)
    return (1 - 2 * (swaps.sum(-1) % 2)).astype(dtype)


@op(method=False, node="LinalgDetBackward0")
def _det(A: Array) -> tuple[Array, Array, Array]:
    """The determinants and the factors."""
    check_square(A, "linalg.det")
    check_floating(A, "linalg.det")
    refuse("lu_cpu", A, HALF)
    LU, pivots, _ = factored(A)
    return _parity(pivots, A.dtype) * jnp.prod(diagonal_of(LU), -1), LU, pivots


@defvjp(_det)
@conjugated
def _(grad, inputs, outputs):
    (A,), (value, LU, pivots) = inputs, outputs
    # As PyTorch's, 0 for singular matrices: the identity stands in for one so that nothing is divided by zero.
    singular = (value == 0)[..., None, None]
    A = jnp.where(singular, eye_like(A), A)
    LU = jnp.where(singular, eye_like(A), LU)
    flow = (grad[0] * conj(value))[..., None, None] * eye_like(A)
    return (factored_solve(A, LU, pivots, flow, adjoint=True),)


@composite
def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the determinants of square matrices; 1 for matrices without rows.

    >>> torch.linalg.det(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
    tensor(-4.)
    """
    check_tensors("linalg_det", A=A)
    return give("linalg_det", _det(A)[0], out)


@op(method=False, node="LinalgSlogdetBackward0")
def _slogdet(A: Array) -> tuple[Array, Array, Array, Array]:
    """The signs, the logarithms and the factors."""
    check_square(A, "linalg.slogdet")
    check_floating(A, "linalg.slogdet", half=False)
    LU, pivots, _ = factored(A)
    diagonal = diagonal_of(LU)
    sizes = jnp.abs(diagonal)
    safe = jnp.where(sizes == 0, 1, sizes).astype(A.dtype)
    units = jnp.where(sizes == 0, 0, diagonal / safe) if is_in(A, COMPLEX) else jnp.sign(diagonal)
    sign = _parity(pivots, A.dtype) * jnp.prod(units, -1)
    return sign, jnp.sum(jnp.log(sizes), -1), LU, pivots


@defvjp(_slogdet)
@conjugated
def _(grad, inputs, outputs):
    (A,), (sign, _, LU, pivots) = inputs, outputs
    flow = grad[1].astype(A.dtype)
    if is_in(A, COMPLEX):
        flow = flow - 1j * (conj(grad[0]) * sign).imag.astype(A.dtype)
    return (factored_solve(A, LU, pivots, flow[..., None, None] * eye_like(A), adjoint=True),)


@composite
def slogdet(A: Tensor, *, out: Any = None) -> Any:
    """Return the signs of the determinants of square matrices and the logarithms of their absolute values.

    The sign of a complex determinant is a number of absolute value 1. A singular matrix has the sign 0 and the
    logarithm -inf.

    >>> torch.linalg.slogdet(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
    torch.return_types.linalg_slogdet(
    sign=tensor(-1.),
    logabsdet=tensor(1.3863))
    """
    check_tensors("linalg_slogdet", A=A)
    sign, logabsdet, _, _ = _slogdet(A)
    return give_all("linalg_slogdet", return_types.linalg_slogdet(sign, logabsdet), out)
