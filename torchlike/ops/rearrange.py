"""Elements in other places: flipped, rolled, rotated, triangles, diagonals, and products of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_ints, given_ints
from torchlike._core.errors import check, wrap_dim, wrap_dims
from torchlike._core.op import DEFAULT, Array, composite, op, operands_given
from torchlike._core.promote import compute_and_result, promote_types
from torchlike.ops._checks import BARE, refuse
from torchlike.ops._relay import lay_like
from torchlike.ops.slicing import diagonal

__all__ = [
    "diag",
    "diag_embed",
    "diagflat",
    "flip",
    "fliplr",
    "flipud",
    "kron",
    "roll",
    "rot90",
    "tril",
    "triu",
    "vander",
]

Tensor = Any


@op(method=False, node="RollBackward0")
def _roll(input: Array, shifts: Any, dims: Any) -> Array:
    check(len(shifts) > 0, "`shifts` required")
    if not dims and len(shifts) == 1:
        return jnp.roll(input.reshape(-1), shifts[0]).reshape(input.shape)
    check(
        len(shifts) == len(dims),
        f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}",
    )
    return jnp.roll(input, shifts, tuple([wrap_dim(d, input.ndim, scalar=False) for d in dims]))


@composite
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """Return the tensor with its elements moved by ``shifts`` along ``dims``.

    What leaves at one end comes in at the other. Without ``dims`` the tensor is rolled as if it were flat.

    >>> torch.roll(torch.tensor([[1, 2], [3, 4], [5, 6]]), 1, 0)
    tensor([[5, 6],
            [1, 2],
            [3, 4]])
    """
    by = (shifts,) if isinstance(shifts, int) else as_ints("roll", "shifts", 2, shifts)
    along = (dims,) if isinstance(dims, int) else as_ints("roll", "dims", 3, () if dims is None else dims)
    return _roll(input, by, along)


@op(method=False, out=False, node="FlipBackward0")
def _flip(input: Array, dims: Any) -> Array:
    wrapped = wrap_dims(dims, input.ndim) if dims else ()
    _refuse_flip(input, wrapped)
    return lax.rev(input, wrapped)


def _refuse_flip(input: Array, dims: Sequence[int]) -> None:
    """Rows are moved as memory; only what is turned within a row needs a kernel for the dtype."""
    if input.ndim - 1 in dims:
        refuse("flip_cpu", input, BARE)


@composite(method=False)
def flip(input: Tensor, dims: Any) -> Tensor:
    """Return a copy with the order of the elements reversed along ``dims``.

    >>> torch.flip(torch.tensor([[0, 1], [2, 3]]), (0, 1))
    tensor([[3, 2],
            [1, 0]])
    """
    return lay_like(_flip(input, as_ints("flip", "dims", 2, dims)), input)


@composite(method="only", name="flip")
def _flip_method(self: Tensor, *dims: Any, **named: Any) -> Tensor:
    """Return a copy with the order of the elements reversed along ``dims``; see :func:`torch.flip`."""
    return flip(self, given_ints("flip", "dims", dims, named))


@composite
def fliplr(input: Tensor) -> Tensor:
    """Return a copy with the order of the columns (the second dimension) reversed.

    >>> torch.fliplr(torch.tensor([[0, 1], [2, 3]]))
    tensor([[1, 0],
            [3, 2]])
    """
    check(len(dispatch.shape_of(input)) >= 2, "Input must be >= 2-d.")
    return flip(input, (1,))


@composite
def flipud(input: Tensor) -> Tensor:
    """Return a copy with the order of the rows (the first dimension) reversed.

    >>> torch.flipud(torch.tensor([[0, 1], [2, 3]]))
    tensor([[2, 3],
            [0, 1]])
    """
    check(len(dispatch.shape_of(input)) >= 1, "Input must be >= 1-d.")
    return flip(input, (0,))


@op(method=False, out=False, node="Rot90Backward0")
def _rot90(input: Array, k: int, dims: Any) -> Array:
    _refuse_flip(input, ((), dims[1:], dims, dims[:1])[k % 4])
    return jnp.rot90(input, k, dims)


@composite
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Return a copy turned by ``k`` quarter turns from the first of two dimensions towards the second.

    >>> torch.rot90(torch.tensor([[0, 1], [2, 3]]), 1, (0, 1))
    tensor([[1, 3],
            [0, 2]])
    """
    plane = as_ints("rot90", "dims", 3, dims)
    ndim = len(dispatch.shape_of(input))
    check(len(plane) == 2, f"expected total rotation dims == 2, but got dims = {len(plane)}")
    check(ndim >= 2, f"expected total dims >= 2, but got total dims = {ndim}")
    wrapped = tuple([wrap_dim(d, ndim) for d in plane])
    check(
        wrapped[0] != wrapped[1],
        f"expected rotation dims to be different, but got dim0 = {plane[0]} and dim1 = {plane[1]}",
    )
    turned = _rot90(input, k, wrapped)
    # A quarter turn is a flip that is then transposed as a view, hence laid out across.
    return lay_like(turned, input.transpose(*wrapped) if k % 2 else input)


def _triangle(name: str, input: Array, diagonal: int, keep: Any) -> Array:
    check(input.ndim >= 2, f"{name}: input tensor must have at least 2 dimensions")
    rows, columns = input.shape[-2:]
    refuse(name, input, BARE)
    below = lax.broadcasted_iota(jnp.int32, (rows, columns), 1) - lax.broadcasted_iota(jnp.int32, (rows, columns), 0)
    return jnp.where(keep(below, diagonal), input, jnp.zeros((), input.dtype))


@op(inplace=True)
def tril(input: Array, diagonal: int = 0) -> Array:
    """Return the lower triangles of the matrices in the last two dimensions: zeros above the ``diagonal``-th diagonal.

    >>> torch.tril(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return _triangle("tril", input, diagonal, lambda below, d: below <= d)


@op(inplace=True)
def triu(input: Array, diagonal: int = 0) -> Array:
    """Return the upper triangles of the matrices in the last two dimensions: zeros below the ``diagonal``-th diagonal.

    >>> torch.triu(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 2],
            [0, 4]])
    """
    return _triangle("triu", input, diagonal, lambda below, d: below >= d)


# ---------------------------------------------------------------------------------------------------------------------
# Diagonals


@op(out=False)
def diag_embed(input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Array:
    """Return matrices of zeros, in ``dim1`` and ``dim2``, with the last dimension of ``input`` on a diagonal.

    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = input.ndim + 1
    d1, d2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    check(d1 != d2, f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    side = input.shape[-1] + abs(offset)
    steps = np.arange(input.shape[-1])
    matrix = jnp.zeros((*input.shape[:-1], side, side), input.dtype)
    matrix = matrix.at[..., steps + max(-offset, 0), steps + max(offset, 0)].set(input, unique_indices=True)
    return jnp.moveaxis(matrix, (-2, -1), (d1, d2))


@composite
def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return the matrix with a vector on its diagonal, or a copy of a matrix's diagonal.

    >>> torch.diag(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    >>> torch.diag(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    ndim = len(dispatch.shape_of(input))
    check(ndim in (1, 2), f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    if ndim == 2:
        return _diagonal_copy(input, diagonal, out=out)
    result = diag_embed(input, diagonal)
    return result if out is None else out.copy_(result)


@op(method=False, node="DiagonalBackward0_copy")
def _diagonal_copy(input: Array, offset: int) -> Array:
    return diagonal.op.body(input, offset)


@composite
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return the matrix with all elements of ``input``, in order, on a diagonal.

    >>> torch.diagflat(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag(input.contiguous().view(-1), offset)


@composite(method=False)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the matrix of the powers of a vector's elements, from the highest (``N - 1``) down to 0 or upwards.

    >>> torch.vander(torch.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    size = dispatch.shape_of(x)
    check(len(size) == 1, "x must be a one-dimensional tensor.")
    count = size[0] if N is None else N
    check(count >= 0, "N must be non-negative.")
    powers = _powers(x, count)
    return powers if increasing else flip(powers, (1,))


@op(method=False, out=False, node="StackBackward0")
def _powers(x: Array, count: int) -> Array:
    kind = promote_types(dtypes.of(x.dtype), dtypes.int64).np
    first = jnp.ones((x.shape[0], min(count, 1)), kind)
    if count < 2:
        return first
    columns = jnp.broadcast_to(x.astype(kind)[:, None], (x.shape[0], count - 1))
    return jnp.concatenate([first, jnp.cumprod(columns, 1, dtype=kind)], 1)


@op(node="UnsafeViewBackward0")
def kron(input: Array, other: Array) -> Array:
    """Return the Kronecker product: the tensor of blocks that are each an element of ``input`` times ``other``.

    >>> torch.kron(torch.eye(2), torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2., 0., 0.],
            [0., 0., 1., 2.]])
    """
    compute, result = compute_and_result(DEFAULT, [g for g in operands_given() if g is not None])
    ndim = max(input.ndim, other.ndim)
    a = input.reshape((1,) * (ndim - input.ndim) + input.shape).astype(compute)
    b = other.reshape((1,) * (ndim - other.ndim) + other.shape).astype(compute)
    a_spread = a.reshape([x for n in a.shape for x in (n, 1)])
    b_spread = b.reshape([x for n in b.shape for x in (1, n)])
    product = (a_spread & b_spread) if result == np.bool_ else a_spread * b_spread
    return product.reshape([n * m for n, m in zip(a.shape, b.shape, strict=True)]).astype(result)
