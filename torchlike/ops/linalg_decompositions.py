"""The decompositions of matrices that ``torch`` has beside ``torch.linalg``: the older names and forms."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check, scalar_type
from torchlike._core.op import Array, NoDerivative, composite, defvjp, op
from torchlike.linalg._common import (
    check_matrix,
    check_square,
    check_tensors,
    conj,
    conjugated,
    eye_like,
    give,
    give_all,
    lay_columns,
    mH,
    mm,
    mT,
    needs_grad,
    raise_errors,
    sum_to,
    without_history,
)
from torchlike.linalg.cholesky_factors import factor, factor_gradient
from torchlike.linalg.lu_factors import (
    _lu_factor_ex,
    permutation_matrix,
    solve_with_factors,
    unpacked,
)
from torchlike.linalg.qr_factors import _qr, householder_product, reflected
from torchlike.linalg.singular import _svd, check_converged
from torchlike.linalg.solvers import triangular
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in, refuse
from torchlike.ops._keywords import answers_to

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
    "geqrf",
    "lu",
    "lu_solve",
    "lu_unpack",
    "orgqr",
    "ormqr",
    "qr",
    "svd",
    "triangular_solve",
]

Tensor = Any


class _Missing(NoDerivative, NotImplementedError):
    """Of an operator whose derivative PyTorch names as not implemented."""


# ---------------------------------------------------------------------------------------------------------------------
# Cholesky


@op(method=False, node="CholeskyBackward0")
def _cholesky(input: Array, upper: bool) -> tuple[Array, Array]:
    """The factors and infos."""
    check_square(input, "cholesky")
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("cholesky_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    L, info = factor(mH(input) if upper else input)
    return (mH(L) if upper else L), info


@defvjp(_cholesky)
@conjugated
def _(grad, inputs, outputs, upper):
    L, g = (mH(outputs[0]), mH(grad[0])) if upper else (outputs[0], grad[0])
    return (factor_gradient(g, L),)


@composite(method=False)
def cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the Cholesky factors of positive-definite matrices. Deprecated: see :func:`torch.linalg.cholesky`.

    >>> torch.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    check_tensors("cholesky", input=input)
    L, info = _cholesky(input, upper)
    raise_errors(info, "cholesky", "cholesky")
    lay_columns(L)
    return give("cholesky", L, out, columns=True)


def _with_factors(L: Array, B: Array, upper: bool) -> Array:
    """Solve ``A X = B`` for the Cholesky factors of A."""
    first = triangular(L, B, upper=upper, left=True, unit=False, adjoint=upper)
    return triangular(L, first, upper=upper, left=True, unit=False, adjoint=not upper)


@op(method=False, node="CholeskyInverseBackward0")
def _cholesky_inverse(input: Array, upper: bool) -> Array:
    """The inverses."""
    check_square(input, "cholesky_inverse")
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("cholesky_inverse_out_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    return _with_factors(input, eye_like(input), upper)


@defvjp(_cholesky_inverse)
@conjugated
def _(grad, inputs, outputs, upper):
    (L,), (X,) = inputs, outputs
    both = grad + mH(grad)
    middle = mm(X, both, X)
    return (-mm(L, middle) if upper else -mm(middle, L),)


@composite(method=False)
@answers_to(input="L")
def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the inverses of Hermitian matrices from their Cholesky factors.

    ``L`` is lower triangular, or upper triangular with ``upper=True``; the other triangle is not read.

    >>> torch.cholesky_inverse(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).abs()
    tensor([[0.2500, 0.0000],
            [0.0000, 1.0000]])
    """
    check_tensors("cholesky_inverse", input=L)
    result = _cholesky_inverse(L, upper)
    lay_columns(result)
    return give("cholesky_inverse", result, out, columns=True)


@op(method=False, node="CholeskySolveBackward0")
def _cholesky_solve(input: Array, L: Array, upper: bool) -> Array:
    """The solution."""
    check(
        input.ndim >= 2,
        f"b should have at least 2 dimensions, but has {input.ndim} dimensions instead",
    )
    check(L.ndim >= 2, f"u should have at least 2 dimensions, but has {L.ndim} dimensions instead")
    _check_sizes("cholesky_solve", L, input)
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("cholesky_solve_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    broadcast_shapes(input.shape[:-2], L.shape[:-2])
    return _with_factors(L, input, upper)


def _check_sizes(name: str, A: Array, B: Array) -> None:
    check(
        A.dtype == B.dtype,
        f"Expected b and A to have the same dtype, but found b of type {scalar_type(B.dtype)} and A of type "
        f"{scalar_type(A.dtype)} instead.",
    )
    m, n = A.shape[-2:]
    check(m == n, f"A must be batches of square matrices, but they are {m} by {n} matrices")
    rows, columns = B.shape[-2:]
    check(
        n == rows,
        f"Incompatible matrix sizes for {name}: each A matrix is {m} by {m} but each b matrix is {rows} by {columns}",
    )


@defvjp(_cholesky_solve)
@conjugated
def _(grad, inputs, outputs, upper):
    (B, L), (X,) = inputs, outputs
    gB = _with_factors(L, grad, upper)
    common = mm(gB, mH(X))
    common = common + mH(common)
    gL = -mm(L, common) if upper else -mm(common, L)
    return sum_to(gB, B.shape), sum_to(gL, L.shape)


@composite(method=False)
@answers_to(input="B", input2="L")
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the X of ``A X = B`` from the Cholesky factors ``L`` of A (``U`` with ``upper=True``).

    >>> torch.cholesky_solve(torch.tensor([[4.0], [1.0]]), torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([[1.],
            [1.]])
    """
    check_tensors("cholesky_solve", input=B, input2=L)
    result = _cholesky_solve(B, L, upper)
    lay_columns(result)
    return give("cholesky_solve", result, out, columns=True)


# ---------------------------------------------------------------------------------------------------------------------
# QR


@composite
def qr(input: Tensor, some: bool = True, *, out: Any = None) -> Any:
    """Return Q and R with ``input = Q R``. Deprecated: see :func:`torch.linalg.qr`; ``some=False`` is "complete".

    >>> torch.qr(torch.tensor([[3.0], [4.0]])).R
    tensor([[-5.]])
    """
    check_tensors("qr", input=input)
    Q, R = _qr(input, "reduced" if some else "complete")
    lay_columns(Q, R)
    return give_all("qr", return_types.qr(Q, R), out)


@op(method=False, node="GeqrfBackward0")
def _geqrf(input: Array) -> tuple[Array, Array]:
    """Reflectors and their scales."""
    check(input.ndim >= 2, "torch.geqrf: input must have at least 2 dimensions.")
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("geqrf_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    if not input.size:
        return return_types.geqrf(input, jnp.zeros((*input.shape[:-2], min(input.shape[-2:])), input.dtype))
    turned, tau = jnp.linalg.qr(input, mode="raw")
    return return_types.geqrf(mT(turned), tau)


@defvjp(_geqrf)
def _(grad, inputs, outputs):
    raise _Missing("the derivative for 'geqrf' is not implemented.")


@composite(method=False)
def geqrf(input: Tensor, *, out: Any = None) -> Any:
    """Return a QR factorisation as LAPACK stores it: R above the Householder reflectors, and their scales ``tau``.

    See :func:`torch.linalg.householder_product` and :func:`torch.ormqr`. It has no gradient.

    >>> torch.geqrf(torch.tensor([[3.0], [4.0]])).a
    tensor([[-5.0000],
            [ 0.5000]])
    """
    check_tensors("geqrf", input=input)
    check(
        not (input.is_complex() and needs_grad(input)),
        "geqrf does not support automatic differentiation for outputs with complex dtype.",
    )
    result = _geqrf(input)
    lay_columns(result.a)
    return give_all("geqrf", result, out)


@composite(method=False)
@answers_to(input2="tau")
def orgqr(input: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the first columns of a product of Householder reflectors: :func:`torch.linalg.householder_product`.

    >>> a, tau = torch.geqrf(torch.tensor([[3.0], [4.0]]))
    >>> torch.orgqr(a, tau)
    tensor([[-0.6000],
            [-0.8000]])
    """
    return householder_product(input, tau, out=out)


def _ormqr_product(input: Array, tau: Array, other: Array, left: bool, transpose: bool) -> Array:
    target = other if left else mH(other)
    # (C Q)^H is Q^H C^H.
    adjoint = transpose if left else not transpose
    result = reflected(input, tau, target, backwards=not adjoint, adjoint=adjoint)
    return result if left else mH(result)


@op(method=False, node="OrmqrBackward0")
def _ormqr(input: Array, tau: Array, other: Array, left: bool, transpose: bool) -> Array:
    """The product."""
    check(input.ndim >= 2, "torch.ormqr: input must have at least 2 dimensions.")
    check(other.ndim >= 2, "torch.ormqr: other must have at least 2 dimensions.")
    size, which = (other.shape[-2], -2) if left else (other.shape[-1], -1)
    check(
        tau.shape[-1] == min(size, input.shape[-1]),
        f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{which}], input.shape[-1])",
    )
    check(size == input.shape[-2], f"torch.ormqr: other.shape[{which}] must be equal to input.shape[-2]")
    check(
        input.ndim - tau.ndim == 1,
        f"torch.ormqr: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.ndim} and "
        f"input.ndim is equal to {input.ndim}",
    )
    check(
        input.ndim == other.ndim,
        f"torch.ormqr: Expected other to have the same number of dimensions as input, but got other.ndim equal to "
        f"{other.ndim} and input.ndim is equal to {input.ndim}",
    )
    batch = list(input.shape[:-2])
    check(
        list(tau.shape[:-1]) == batch,
        "torch.ormqr: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
        f"{list(tau.shape[:-1])}",
    )
    check(
        list(other.shape[:-2]) == batch,
        "torch.ormqr: Expected batch dimensions of other to be equal to input.shape[:-2], but got "
        f"{list(other.shape[:-2])}",
    )
    for name, x in (("tau", tau), ("other", other)):
        check(
            x.dtype == input.dtype,
            f"torch.ormqr: Expected input and {name} to have the same dtype, but input has dtype"
            f"{scalar_type(input.dtype)} and {name} has dtype {scalar_type(x.dtype)}",
        )
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("ormqr_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    if not other.size or not tau.shape[-1]:
        return other
    return _ormqr_product(input, tau, other, left, transpose)


@composite(method=False)
@answers_to(input2="tau", input3="other")
def ormqr(
    input: Tensor,
    tau: Tensor,
    other: Tensor,
    left: bool = True,
    transpose: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``Q other`` (``other Q`` with ``left=False``) for the square Q of the reflectors that ``geqrf`` gives.

    ``transpose=True`` takes Q^H for Q.

    >>> a, tau = torch.geqrf(torch.tensor([[3.0], [4.0]]))
    >>> torch.ormqr(a, tau, torch.tensor([[3.0], [4.0]]), transpose=True)[0].round()
    tensor([-5.])
    """
    check_tensors("ormqr", input=input, tau=tau, other=other)
    result = _ormqr(input, tau, other, left, transpose)
    lay_columns(result)
    return give("ormqr", result, out, columns=True)


# ---------------------------------------------------------------------------------------------------------------------
# Singular values


@composite
def svd(input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """Return U, S and V with ``input = U diag(S) V^H``. Deprecated: see :func:`torch.linalg.svd`.

    ``some=False`` gives square U and V; ``compute_uv=False`` gives zeros in their place.

    >>> torch.svd(torch.tensor([[3.0, 0.0], [0.0, 2.0]])).S
    tensor([3., 2.])
    """
    check_tensors("svd", input=input)
    shape = dispatch.shape_of(input)
    if compute_uv:
        U, S, Vh = _svd(input, not some, True)
        check_converged(S)
        lay_columns(U, Vh)
        V = Vh.mH
    else:
        check_matrix(dispatch.shaped(input), "linalg.svd")
        _, S, _ = _svd(input, False, input.requires_grad)
        check_converged(S)
        m, n = shape[-2:]
        U, V = input.new_zeros((*shape[:-2], m, m)), input.new_zeros((*shape[:-2], n, n))
        lay_columns(V)
    return give_all("svd", return_types.svd(U, S, V), out)


# ---------------------------------------------------------------------------------------------------------------------
# LU


@composite(method=False)
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """Return the LU factors in one matrix and the pivots (and infos). Deprecated: see :func:`torch.linalg.lu_factor`.

    >>> torch.lu(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))[1]
    tensor([2, 2], dtype=torch.int32)
    """
    check_tensors("lu", A=A)
    LU, pivots, info = _lu_factor_ex(A, pivot)
    if not get_infos:
        raise_errors(info, "torch.linalg.lu_factor_ex", "lu")
    lay_columns(LU)
    results = (LU, pivots, info) if get_infos else (LU, pivots)
    return give_all("lu", results, out)


@composite(method="only", name="lu")
def _lu_method(self: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """Return the LU factors in one matrix and the pivots; see :func:`torch.lu`."""
    return lu(self, pivot, get_infos)


@composite(method=False)
@answers_to(input="b")
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the X of ``A X = b`` from LU factors. Deprecated: see :func:`torch.linalg.lu_solve`.

    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> torch.lu_solve(torch.tensor([[3.0], [8.0]]), LU, pivots)
    tensor([[1.],
            [1.]])
    """
    check_tensors("lu_solve", input=b, LU_data=LU_data, LU_pivots=LU_pivots)
    return give("lu_solve", solve_with_factors(LU_data, LU_pivots, b, True, False), out, columns=True)


@op(method=False, node="LuUnpackBackward0")
def _lu_unpack(LU: Array, pivots: Array, unpack_data: bool, unpack_pivots: bool) -> tuple[Array, Array, Array]:
    """P, L and U, each if it is wanted."""
    check(
        LU.ndim >= 2, f"torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: {list(LU.shape)} instead"
    )
    check(
        not unpack_pivots or jnp.dtype(pivots.dtype) == jnp.int32,
        "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
        "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor",
    )
    nothing = jnp.zeros((0,), LU.dtype)
    P = permutation_matrix(pivots, LU.shape[-2], LU.dtype) if unpack_pivots else nothing
    L, U = unpacked(LU) if unpack_data else (nothing, nothing)
    return return_types.lu_unpack(P, L, U)


@defvjp(_lu_unpack)
def _(grad, inputs, outputs, unpack_data, unpack_pivots):
    LU, _ = inputs
    if not unpack_data:
        return jnp.zeros_like(LU), None
    m, n = LU.shape[-2:]
    k = min(m, n)
    below = jnp.pad(jnp.tril(grad[1], -1), [(0, 0)] * (LU.ndim - 1) + [(0, n - k)])
    above = jnp.pad(jnp.triu(grad[2]), [(0, 0)] * (LU.ndim - 2) + [(0, m - k), (0, 0)])
    return below + above, None


@composite(method=False)
def lu_unpack(
    LU_data: Tensor,
    LU_pivots: Tensor,
    unpack_data: bool = True,
    unpack_pivots: bool = True,
    *,
    out: Any = None,
) -> Any:
    """Return P, L and U from LU factors in one matrix and their pivots; what is not unpacked is empty.

    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> torch.lu_unpack(LU, pivots).U
    tensor([[4., 4.],
            [0., 1.]])
    """
    check_tensors("lu_unpack", LU_data=LU_data, LU_pivots=LU_pivots)
    result = _lu_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots)
    without_history(result.P)
    return give_all("lu_unpack", result, out)


# ---------------------------------------------------------------------------------------------------------------------
# Triangular matrices


@op(method=False, node="TriangularSolveBackward0")
def _triangular_solve(input: Array, A: Array, upper: bool, transpose: bool, unitriangular: bool) -> tuple[Array, Array]:
    """The solution and a copy of the matrices."""
    check(
        input.ndim >= 2,
        f"torch.triangular_solve: Expected b to have at least 2 dimensions, but it has {input.ndim} dimensions instead",
    )
    check(
        A.ndim >= 2,
        f"torch.triangular_solve: Expected A to have at least 2 dimensions, but it has {A.ndim} dimensions instead",
    )
    _check_sizes("triangular_solve", A, input)
    batch = broadcast_shapes(input.shape[:-2], A.shape[:-2])
    if not is_in(input, (FLOATS | COMPLEX) - HALF):
        refuse("triangular_solve_cpu", input, frozenset({jnp.dtype(input.dtype)}))
    copy = jnp.broadcast_to(A, (*batch, *A.shape[-2:]))
    return return_types.triangular_solve(_substituted(A, input, upper, transpose, unitriangular), copy)


def _substituted(A: Array, B: Array, upper: bool, transpose: bool, unit: bool) -> Array:
    M = mT(A) if transpose else A
    return triangular(M, B, upper=upper != transpose, left=True, unit=unit)


@defvjp(_triangular_solve)
@conjugated
def _(grad, inputs, outputs, upper, transpose, unitriangular):
    (B, A), (X, _) = inputs, outputs
    gB = _substituted(conj(A), grad[0], upper, not transpose, unitriangular)
    gA = -mm(conj(X), mT(gB)) if transpose else -mm(gB, mH(X))
    diagonal = 1 if unitriangular else 0
    gA = (jnp.triu(gA, diagonal) if upper else jnp.tril(gA, -diagonal)) + grad[1]
    return sum_to(gB, B.shape), sum_to(gA, A.shape)


@composite
@answers_to(input="b")
def triangular_solve(
    b: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Any = None,
) -> Any:
    """Return the X of ``A X = b`` for triangular A. Deprecated: see :func:`torch.linalg.solve_triangular`.

    >>> torch.triangular_solve(torch.tensor([[4.0], [8.0]]), torch.tensor([[2.0, 1.0], [0.0, 4.0]])).solution
    tensor([[1.],
            [2.]])
    """
    check_tensors("triangular_solve", input=b, A=A)
    result = _triangular_solve(b, A, upper, transpose, unitriangular)
    lay_columns(*result)
    return give_all("triangular_solve", result, out)


# ---------------------------------------------------------------------------------------------------------------------
# Methods, whose arguments have other names and which take no out=


@composite(method="only", name="cholesky")
def _cholesky_method(self: Tensor, upper: bool = False) -> Tensor:
    """Return the Cholesky factors of positive-definite matrices; see :func:`torch.linalg.cholesky`."""
    return cholesky(self, upper)


@composite(method="only", name="cholesky_inverse")
def _cholesky_inverse_method(self: Tensor, upper: bool = False) -> Tensor:
    """Return the inverses of Hermitian matrices from their Cholesky factors; see :func:`torch.cholesky_inverse`."""
    return cholesky_inverse(self, upper)


@composite(method="only", name="cholesky_solve")
def _cholesky_solve_method(self: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    """Return the X of ``A X = self`` from Cholesky factors of A; see :func:`torch.cholesky_solve`."""
    return cholesky_solve(self, input2, upper)


@composite(method="only", name="geqrf")
def _geqrf_method(self: Tensor) -> Any:
    """Return a QR factorisation as LAPACK stores it; see :func:`torch.geqrf`."""
    return geqrf(self)


@composite(method="only", name="orgqr")
def _orgqr_method(self: Tensor, input2: Tensor) -> Tensor:
    """Return the first columns of a product of Householder reflectors; see :func:`torch.orgqr`."""
    return orgqr(self, input2)


@composite(method="only", name="ormqr")
def _ormqr_method(self: Tensor, input2: Tensor, input3: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """Return a product with the square Q of Householder reflectors; see :func:`torch.ormqr`."""
    return ormqr(self, input2, input3, left, transpose)


@composite(method="only", name="lu_solve")
def _lu_solve_method(self: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """Return the X of ``A X = self`` from LU factors; see :func:`torch.linalg.lu_solve`."""
    return lu_solve(self, LU_data, LU_pivots)
