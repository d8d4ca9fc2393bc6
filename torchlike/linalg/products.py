"""Products of matrices and vectors, and matrices made of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch
from torchlike._core.errors import broadcast_shapes, check, scalar_type, wrap_dim
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import check_floating, check_same_dtype, check_tensors, give, sum_to
from torchlike.ops._checks import BARE, BOOL, COMPLEX, FLOATS, HALF, INTEGERS, is_in, refuse
from torchlike.ops.create import ones
from torchlike.ops.einsum import multi_dot as _multi_dot
from torchlike.ops.join import cat
from torchlike.ops.matmul import matmul as _matmul
from torchlike.ops.matmul import vdot
from torchlike.ops.reduce import sum as _sum
from torchlike.ops.scan import cumprod
from torchlike.ops.slicing import diagonal as _diagonal

__all__ = ["cross", "diagonal", "matmul", "multi_dot", "vander", "vecdot"]

Tensor = Any


def _turned(x: Array, dim: int, by: int) -> Array:
    return jnp.roll(x, by, dim)


def _cross_product(a: Array, b: Array, dim: int) -> Array:
    first = rounded(_turned(a, dim, -1) * _turned(b, dim, -2), a.dtype)
    return first - rounded(_turned(a, dim, -2) * _turned(b, dim, -1), a.dtype)


@op(method=False, node="LinalgCrossBackward0")
def _cross(input: Array, other: Array, dim: int) -> Array:
    """The cross product."""
    check(input.ndim == other.ndim, "linalg.cross: inputs must have the same number of dimensions.")
    given, dim = dim, wrap_dim(dim, input.ndim)
    a = input.shape[dim] if input.ndim else 1
    b = other.shape[dim] if other.ndim else 1
    check(a == 3 and b == 3, f"linalg.cross: inputs dimension {given} must have length 3. Got {a} and {b}")
    shape = broadcast_shapes(input.shape, other.shape)
    check(
        input.dtype == other.dtype,
        f"expected scalar type {scalar_type(input.dtype)} but found {scalar_type(other.dtype)}",
    )
    refuse("cross", input, BOOL, BARE)
    return _cross_product(jnp.broadcast_to(input, shape), jnp.broadcast_to(other, shape), dim)


@defvjp(_cross)
def _(grad, inputs, outputs, dim):
    a, b = inputs
    dim = wrap_dim(dim, a.ndim)
    return sum_to(_cross_product(b, grad, dim), a.shape), sum_to(_cross_product(grad, a, dim), b.shape)


@composite
def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the cross products of vectors of three elements along ``dim``; the other dimensions are broadcast.

    >>> torch.linalg.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    check_tensors("linalg_cross", input=input, other=other)
    return _cross(input, other, dim, out=out)


@composite
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return a view of the diagonals of matrices, as :func:`torch.diagonal` does for the last two dimensions.

    >>> torch.linalg.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    check_tensors("linalg_diagonal", A=A)
    return _diagonal(A, offset, dim1, dim2)


@composite
def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the matrix product, as :func:`torch.matmul` does.

    >>> torch.linalg.matmul(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 10]))
    tensor([21, 43])
    """
    check_tensors("linalg_matmul", input=input, other=other)
    return _matmul(input, other, out=out)


@composite
def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the product of two or more matrices, multiplied in the cheapest order; the first and last may be vectors.

    >>> torch.linalg.multi_dot([torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)])
    tensor([12., 12.])
    """
    if not isinstance(tensors, tuple | list):
        raise TypeError(
            "linalg_multi_dot(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    return _multi_dot(tensors, out)


@composite
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the dot products of vectors along ``dim``, the first conjugated; the other dimensions are broadcast.

    >>> torch.linalg.vecdot(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    check_tensors("linalg_vecdot", x=x, y=y)
    check_floating(dispatch.shaped(x), "linalg.vecdot")
    check_same_dtype("linalg.vecdot", dispatch.shaped(x), dispatch.shaped(y), "x", "y")
    if x.dim() == 1 and y.dim() == 1:
        wrap_dim(dim, 1)
        return vdot(x, y, out=out)
    return give("linalg_vecdot", _sum(x.conj() * y, dim), out)


@composite
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Return Vandermonde matrices: the powers 0 to ``N - 1`` (by default as many as elements) of the last dimension.

    >>> torch.linalg.vander(torch.tensor([2, 3]), N=3)
    tensor([[1, 2, 4],
            [1, 3, 9]])
    """
    check_tensors("linalg_vander", x=x)
    shaped = dispatch.shaped(x)
    check(
        is_in(shaped, (FLOATS | COMPLEX | INTEGERS) - HALF),
        f"linalg.vander supports floating point, complex, and integer tensors, but got {scalar_type(x.dtype)}",
    )
    n = N if N is not None else (shaped.shape[-1] if shaped.shape else 1)
    check(n > 1, "N must be greater than 1.")
    if not shaped.shape:
        x = x.unsqueeze(-1)
    column = x.unsqueeze(-1)
    powers = cumprod(column.expand(*column.shape[:-1], n - 1), -1, dtype=x.dtype)
    return cat((ones(column.shape, dtype=x.dtype, device=x.device), powers), -1)
