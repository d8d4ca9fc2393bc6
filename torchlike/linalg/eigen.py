"""Eigenvalues and eigenvectors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import (
    check_square,
    check_tensors,
    conj,
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
from torchlike.ops._bounds import host
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in, refuse
from torchlike.ops._keywords import answers_to

__all__ = ["eig", "eigh", "eigvals", "eigvalsh"]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Hermitian matrices


@op(method=False, node="LinalgEighBackward0")
def _eigh(input: Array, UPLO: str, vectors: bool) -> tuple[Array, Array]:
    """Eigenvalues in ascending order, and eigenvectors unless they are not wanted."""
    check_square(input, "linalg.eigh")
    check(UPLO in ("L", "U", "l", "u"), f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("linalg_eigh_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    if input.size == 0:
        return return_types.linalg_eigh(jnp.zeros(input.shape[:-1], input.real.dtype), input)
    lower = UPLO in ("L", "l")
    if not vectors:
        return return_types.linalg_eigh(_eigvalsh(input, lower), jnp.zeros((0,), input.dtype))
    V, L = jax.lax.linalg.eigh(input, lower=lower, symmetrize_input=False)
    return return_types.linalg_eigh(L, V)


def _eigvalsh(input: Array, lower: bool) -> Array:
    half = jnp.tril(input) if lower else jnp.triu(input)
    whole = half + mH(half) - embed(diagonal_of(input)).astype(input.dtype)
    return jnp.linalg.eigvalsh(whole, symmetrize_input=False)


@defvjp(_eigh)
@conjugated
def _(grad, inputs, outputs, UPLO, vectors):
    gL, gV = grad
    L, V = outputs
    flow = mm(mH(V), gV)
    # Along the unitary matrices, where a step is V times an antihermitian matrix.
    inner = (flow - mH(flow)) / 2
    distance = L[..., None, :] - L[..., :, None]
    n = L.shape[-1]
    off = divided(inner, jnp.where(jnp.eye(n, dtype=bool), 1, distance).astype(V.dtype))
    inner = jnp.where(jnp.eye(n, dtype=bool), embed(gL).astype(V.dtype), off)
    return (mm(V, inner, mH(V)),)


def _check_converged(values: Tensor, function: str, code: int) -> None:
    failed = not_finite(values)
    if failed is not None:
        raise_errors(np.where(failed, code, 0), function, "eig")


@composite
@answers_to(input="A")
def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Any:
    """Return the eigenvalues, in ascending order, and orthonormal eigenvectors of Hermitian matrices.

    The lower (``UPLO="L"``) or upper ("U") triangle is read. Eigenvalues are real. Eigenvectors (the columns) are given
    up to their sign or phase, which may differ from PyTorch's. Raises LinAlgError where the algorithm fails: for nan.

    >>> L, V = torch.linalg.eigh(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
    >>> L
    tensor([1., 3.])
    """
    check_tensors("linalg_eigh", input=A)
    result = _eigh(A, UPLO, True)
    _check_converged(result.eigenvalues, "linalg.eigh", max(A.shape[-1] - 1, 1))
    lay_columns(result.eigenvectors)
    return give_all("linalg_eigh", result, out)


@composite
@answers_to(input="A")
def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Return the eigenvalues of Hermitian matrices, in ascending order.

    >>> torch.linalg.eigvalsh(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
    tensor([1., 3.])
    """
    check_tensors("linalg_eigvalsh", input=A)
    values = _eigh(A, UPLO, needs_grad(A)).eigenvalues
    _check_converged(values, "linalg.eigh", 1)
    return give("linalg_eigvalsh", values, out)


# ---------------------------------------------------------------------------------------------------------------------
# General matrices


def _check_general(input: Array, function: str) -> None:
    check(
        is_in(input, FLOATS | COMPLEX),
        f"Unknown Complex ScalarType for {scalar_type(input.dtype)}",
    )
    check_square(input, function)
    refuse("linalg_eig_out_cpu", input, HALF)


def _complex(x: Array) -> Any:
    return jnp.complex128 if x.dtype in (jnp.float64, jnp.complex128) else jnp.complex64


@jax.custom_jvp
def _decomposed(A: Array) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of norm 1."""
    L, V = jax.lax.linalg.eig(A, compute_left_eigenvectors=False)
    return L, V


@_decomposed.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    (A,), (change,) = primals, tangents
    L, V = _decomposed(A)
    eye = jnp.eye(L.shape[-1], dtype=bool)
    inner = jnp.linalg.solve(V, mm(change.astype(V.dtype), V))
    distance = L[..., None, :] - L[..., :, None]
    moved = mm(V, jnp.where(eye, 0, divided(inner, jnp.where(eye, 1, distance))))
    # The eigenvectors stay of norm 1.
    moved = moved - V * diagonal_of(mm(mH(V), moved)).real.astype(V.dtype)[..., None, :]
    return (L, V), (diagonal_of(inner), moved)


@jax.custom_jvp
def _values(A: Array) -> Array:
    """Eigenvalues alone."""
    (L,) = jax.lax.linalg.eig(A, compute_left_eigenvectors=False, compute_right_eigenvectors=False)
    return L


@_values.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (L, _), (moved, _) = jax.jvp(_decomposed, primals, tangents)
    return L, moved


@op(method=False, node="LinalgEigBackward0")
def _eig(input: Array, name: str) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors."""
    _check_general(input, name)
    if input.size == 0:
        return return_types.linalg_eig(
            jnp.zeros(input.shape[:-1], _complex(input)), jnp.zeros(input.shape, _complex(input))
        )
    return return_types.linalg_eig(*_decomposed(input))


@defvjp(_eig)
@conjugated
def _(grad, inputs, outputs, name):
    gL, gV = grad
    L, V = outputs
    n = L.shape[-1]
    eye = jnp.eye(n, dtype=bool)
    VhgV = mm(mH(V), gV)
    # LAPACK's eigenvectors have norm 1: what would change their length is taken away.
    inner = VhgV - mm(mH(V), V * diagonal_of(VhgV).real.astype(V.dtype)[..., None, :])
    distance = conj(L[..., None, :] - L[..., :, None])
    inner = jnp.where(eye, embed(gL), divided(inner, jnp.where(eye, 1, distance)))
    if not inner.size:
        return (inner,)
    return (jnp.linalg.solve(mH(V), mm(inner, mH(V))),)


@op(method=False)
def _eigvals(input: Array) -> Array:
    """Eigenvalues alone."""
    _check_general(input, "linalg.eigvals")
    if input.size == 0:
        return jnp.zeros(input.shape[:-1], _complex(input))
    return _values(input)


def _check_finite(A: Tensor) -> None:
    values = host(A) if A.is_floating_point() or A.is_complex() else None
    check(
        values is None or bool(np.isfinite(values.astype(np.complex128)).all()),
        "torch.linalg.eig: input tensor should not contain infs or NaNs.",
    )


@composite
@answers_to(input="A")
def eig(A: Tensor, *, out: Any = None) -> Any:
    """Return the complex eigenvalues and the eigenvectors (columns of norm 1) of square matrices.

    Their order is LAPACK's, and the phase of an eigenvector may differ from PyTorch's. Raises RuntimeError for nan and
    infinity.

    >>> torch.linalg.eig(torch.tensor([[0.0, -1.0], [1.0, 0.0]])).eigenvalues
    tensor([0.+1.j, 0.-1.j])
    """
    check_tensors("linalg_eig", input=A)
    if len(dispatch.shape_of(A)) >= 2:
        _check_finite(A)
    if out is not None:
        _check_out(A, out, "torch.linalg.eig", "eigenvalues", "eigenvectors")
    result = _eig(A, "linalg.eig")
    lay_columns(result.eigenvectors)
    return give_all("linalg_eig", result, out)


@composite
@answers_to(input="A")
def eigvals(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the complex eigenvalues of square matrices, in LAPACK's order.

    >>> torch.linalg.eigvals(torch.tensor([[0.0, -1.0], [1.0, 0.0]]))
    tensor([0.+1.j, 0.-1.j])
    """
    check_tensors("linalg_eigvals", input=A)
    if len(dispatch.shape_of(A)) >= 2:
        _check_finite(A)
    if out is not None:
        _check_out(A, (out,), "torch.linalg.eigvals", "eigenvalues")
    values = _eig(A, "linalg.eigvals").eigenvalues if needs_grad(A) else _eigvals(A)
    return give("linalg_eigvals", values, out)


def _check_out(A: Tensor, out: Any, function: str, *names: str) -> None:
    for name, target in zip(names, out, strict=False):
        if not target.is_complex() and (A.is_floating_point() or A.is_complex()):
            wanted = "ComplexDouble" if A.dtype.itemsize == (16 if A.is_complex() else 8) else "ComplexFloat"
            raise RuntimeError(
                f"{function}: Expected {name} to be safely castable from {wanted} dtype, but got {name} with dtype "
                f"{scalar_type(target.dtype)}"
            )
