"""Inverses and pseudoinverses."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.tensor_state import TensorBase
from torchlike.linalg._common import (
    check_floating,
    check_square,
    check_tensors,
    conjugated,
    eye_like,
    give,
    give_all,
    lay_columns,
    mH,
    mm,
    raise_errors,
)
from torchlike.linalg.lu_factors import factored, permutation_of, substituted
from torchlike.linalg.singular import check_converged
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in
from torchlike.ops._keywords import answers_to
from torchlike.ops.shape import reshape

__all__ = ["inv", "inv_ex", "pinv", "tensorinv"]

Tensor = Any


@op(method=False, node="LinalgInvExBackward0")
def _inv_ex(input: Array) -> tuple[Array, Array]:
    """The inverses and infos."""
    check_square(input, "linalg.inv")
    check_floating(input, "linalg.inv", half=False)
    LU, pivots, info = factored(input)
    order = permutation_of(pivots, input.shape[-1])
    return return_types.linalg_inv_ex(substituted(LU, order, eye_like(input), "N"), info)


@defvjp(_inv_ex)
@conjugated
def _(grad, inputs, outputs):
    X = mH(outputs[0])
    return (-mm(X, grad[0], X),)


@composite
def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> Any:
    """Return the inverses of square matrices and, for each, an ``info``: 0, or the number of a pivot that is zero.

    >>> torch.linalg.inv_ex(torch.tensor([[2.0, 0.0], [0.0, 4.0]])).inverse
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    check_tensors("linalg_inv_ex", A=A)
    result = _inv_ex(A)
    if check_errors:
        raise_errors(result.info, "linalg.inv_ex", "inv")
    lay_columns(result.inverse)
    return give_all("linalg_inv_ex", result, out)


@composite
def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverses of square matrices. Raises LinAlgError for a singular one.

    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    check_tensors("linalg_inv", A=A)
    X, info = _inv_ex(A)
    raise_errors(info, "linalg.inv", "inv")
    lay_columns(X)
    return give("linalg_inv", X, out, columns=True)


@composite
@answers_to(input="A")
def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """Return the X for which ``tensordot(X, A, ind)`` is the identity on the last ``A.ndim - ind`` dimensions.

    The product of the first ``ind`` sizes must equal that of the others.

    >>> torch.linalg.tensorinv(torch.eye(6).reshape(2, 3, 6), ind=2).shape
    torch.Size([6, 2, 3])
    """
    check_tensors("linalg_tensorinv", input=A)
    check(ind > 0, f"Expected a strictly positive integer for 'ind', but got {ind}")
    shape = dispatch.shape_of(A)
    check(ind <= len(shape), f"ArrayRef: invalid slice, N = {ind}; size = {len(shape)}")
    head, tail = shape[:ind], shape[ind:]
    rows, columns = math.prod(head), math.prod(tail)
    check(
        rows == columns,
        "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got"
        f" {columns} != {rows}",
    )
    result = reshape(inv(reshape(A, (columns, columns))), (*tail, *head))
    return give("linalg_tensorinv", result, out)


# ---------------------------------------------------------------------------------------------------------------------
# Pseudoinverses


def default_tolerance(dtype: Any, shape: tuple[int, ...]) -> float:
    """The share of the largest singular value below which PyTorch takes one for zero."""
    return float(jnp.finfo(dtype).eps) * max(shape[-2:])


def thresholds(S: Array, atol: Array | None, rtol: Array | None, default: float) -> Array:
    """What singular values must exceed: ``max(atol, rtol * largest)``; the default rtol is 0 if atol is above 0."""
    absolute = jnp.zeros((), S.dtype) if atol is None else atol.astype(S.dtype)
    if rtol is None:
        relative = jnp.full((), default, S.dtype)
        if atol is not None:
            relative = jnp.where(absolute > 0, 0, relative)
    else:
        relative = rtol.astype(S.dtype)
    largest = S.max(-1) if S.shape[-1] else jnp.zeros(S.shape[:-1], S.dtype)
    return jnp.maximum(absolute, relative * largest)


def check_tolerances(function: str, **tolerances: Any) -> None:
    """Refuse complex tolerances."""
    for name, value in tolerances.items():
        if isinstance(value, TensorBase):
            kind = dispatch.shaped(value).dtype
            check(
                kind not in COMPLEX,
                f"torch.linalg.{function}: {name} tensor of complex type is not supported. Got {scalar_type(kind)}",
            )


@op(method=False, node="LinalgPinvBackward0")
def _pinv(input: Array, atol: Array | None, rtol: Array | None, hermitian: bool) -> tuple[Array, Array]:
    """The pseudoinverses, and the singular values, in which a failure of the algorithm shows."""
    default = default_tolerance(input.dtype, input.shape)
    if input.size == 0:
        shape = (*input.shape[:-2], input.shape[-1], input.shape[-2])
        return jnp.zeros(shape, input.dtype), jnp.zeros((*input.shape[:-2], 0), input.real.dtype)
    if hermitian:
        V, L = jax.lax.linalg.eigh(input, symmetrize_input=False)
        size = jnp.abs(L)
        U, Vh, signed = V, mH(V), L
    else:
        U, size, Vh = jax.lax.linalg.svd(input, full_matrices=False)
        signed = size
    kept = size > thresholds(size, atol, rtol, default)[..., None]
    inverse = jnp.where(kept, 1 / jnp.where(kept, signed, 1), 0).astype(input.dtype)
    return mm(mH(Vh) * inverse[..., None, :], mH(U)), size


@defvjp(_pinv)
@conjugated
def _(grad, inputs, outputs, hermitian):
    A, *tolerances = inputs
    P, g = outputs[0], grad[0]
    Ph, gh = mH(P), mH(g)
    right = mm(Ph, P, gh)
    left = mm(gh, P, Ph)
    result = right - mm(right, P, A) + left - mm(A, P, left) - mm(Ph, g, Ph)
    return (result, *(None for _ in tolerances))


def _as_tensor(value: Any, like: Tensor) -> Tensor | None:
    """A tolerance as a tensor: a number is one for all matrices."""
    if value is None or isinstance(value, TensorBase):
        return value
    return dispatch.wrap_host(np.asarray(float(value)), dispatch.device_of(like))


@composite
@answers_to(input="A")
def pinv(
    A: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the Moore-Penrose pseudoinverses of matrices.

    Singular values up to ``max(atol, rtol * largest)`` count as zero; ``rtol`` (also given as ``rcond``) is by default
    the dtype's epsilon times the larger size. Tolerances are numbers or tensors, one for each matrix. With
    ``hermitian=True`` eigenvalues take the place of singular values and only the lower triangle is read.

    >>> torch.linalg.pinv(torch.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    check_tensors("linalg_pinv", input=A)
    shape = dispatch.shape_of(A)
    check(
        len(shape) >= 2 and is_in(dispatch.shaped(A), (FLOATS | COMPLEX) - HALF),
        f"linalg.pinv({scalar_type(A.dtype)}{{[{', '.join(map(str, shape))}]}}): expected a tensor with 2 or more "
        "dimensions of float, double, cfloat or cdouble types",
    )
    if rcond is not None:
        rtol = rcond
    check_tolerances("pinv", atol=atol, rtol=rtol)
    if hermitian:
        check_square(dispatch.shaped(A), "linalg.eigh")
    result, sizes = _pinv(A, _as_tensor(atol, A), _as_tensor(rtol, A), hermitian)
    check_converged(sizes)
    return give("linalg_pinv", result, out)
