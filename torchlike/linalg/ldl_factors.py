"""LDL factors of symmetric and Hermitian matrices, by the pivoting of Bunch and Kaufman as LAPACK's sytrf does it.

XLA has no such routine; these loops follow LAPACK's conventions for what is stored: the columns of L below the diagonal
in product form, blocks of D of one or two rows, pivots from 1, negative and twice for a block of two rows.
"""

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
    check_square,
    check_tensors,
    conj,
    diagonal_of,
    embed,
    give,
    give_all,
    lay_columns,
    mT,
)
from torchlike.ops._bounds import host
from torchlike.ops._checks import COMPLEX, HALF, INTEGERS, is_in, refuse
from torchlike.ops._geometry import show
from torchlike.ops._keywords import answers_to

__all__ = ["ldl_factor", "ldl_factor_ex", "ldl_solve"]

Tensor = Any

_NODE = "torch::autograd::NotImplemented"
# Bunch and Kaufman's bound on the growth of elements.
_ALPHA = (1 + 17**0.5) / 8


def _size(x: Array) -> Array:
    """The size of numbers that LAPACK compares: for complex ones the sum of that of their parts."""
    return jnp.abs(x.real) + jnp.abs(x.imag) if is_in(x, COMPLEX) else jnp.abs(x)


def _swapped(W: Array, a: Array, b: Array, first: Array) -> Array:
    """Exchange two rows and columns of what is left from ``first`` on."""
    n = W.shape[-1]
    order = jnp.arange(n).at[a].set(b).at[b].set(a)
    moved = W[order][:, order]
    index = jnp.arange(n)
    return jnp.where((index[:, None] >= first) & (index[None, :] >= first), moved, W)


def _factor_one(A: Array, hermitian: bool) -> tuple[Array, Array, Array]:
    """The factors of one matrix, whose lower triangle is read."""
    n = A.shape[-1]
    index = jnp.arange(n)
    turn = conj if hermitian else lambda x: x
    low = jnp.tril(A, -1)
    diagonal = diagonal_of(A)
    if hermitian:
        diagonal = diagonal.real.astype(A.dtype)
    W = low + turn(mT(low)) + embed(diagonal)

    def column(W: Array, k: Array) -> Array:
        return lax.dynamic_index_in_dim(W, k, 1, keepdims=False)

    def one(W: Array, k: Array) -> Array:
        below = jnp.where(index > k, column(W, k), 0)
        L = below / W[k, k]
        rest = W - L[:, None] * turn(below)[None, :]
        inside = (index[:, None] > k) & (index[None, :] > k)
        return jnp.where(inside, rest, W).at[:, k].set(jnp.where(index > k, L, column(W, k)))

    def two(W: Array, k: Array) -> Array:
        k2 = jnp.minimum(k + 1, n - 1)
        C = jnp.where(index[:, None] > k + 1, jnp.stack([column(W, k), column(W, k2)], -1), 0)
        a, b, c, d = W[k, k], W[k, k2], W[k2, k], W[k2, k2]
        # The inverse of the block, scaled by its off-diagonal element as LAPACK scales it.
        ra, rd = a / c, d / b
        scale = 1 / (ra * rd - 1)
        inverse = jnp.stack([jnp.stack([rd / c, -1 / c]), jnp.stack([-1 / b, ra / b])]) * scale
        L = jnp.matmul(C, inverse, precision=lax.Precision.HIGHEST)
        rest = W - jnp.matmul(L, turn(mT(C)), precision=lax.Precision.HIGHEST)
        inside = (index[:, None] > k + 1) & (index[None, :] > k + 1)
        W = jnp.where(inside, rest, W)
        W = W.at[:, k].set(jnp.where(index > k + 1, L[:, 0], column(W, k)))
        return W.at[:, k2].set(jnp.where(index > k + 1, L[:, 1], column(W, k2)))

    def step(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        W, pivots, info, k = state
        sizes = jnp.where(index > k, _size(column(W, k)), 0)
        here = jnp.abs(W[k, k].real) if hermitian else _size(W[k, k])
        other = jnp.argmax(sizes)
        largest = sizes[other]
        nothing = (jnp.maximum(here, largest) == 0) | jnp.isnan(here)
        row = jnp.max(jnp.where((index >= k) & (index != other), _size(column(W, other)), 0))
        there = jnp.abs(W[other, other].real) if hermitian else _size(W[other, other])
        stay = nothing | (here >= _ALPHA * largest)
        stay = stay | (here * row >= _ALPHA * largest * largest)
        single = stay | (there >= _ALPHA * row)
        target = jnp.where(stay, k, other)
        source = jnp.where(single, k, jnp.minimum(k + 1, n - 1))
        W = _swapped(W, source, target, k)
        done = lax.cond(single, one, two, W, k)
        W = jnp.where(nothing, W, done)
        info = jnp.where(nothing & (info == 0), (k + 1).astype(jnp.int32), info)
        sign = jnp.where(single, 1, -1)
        number = (sign * (target + 1)).astype(jnp.int32)
        second = jnp.where(single, pivots, pivots.at[jnp.minimum(k + 1, n - 1)].set(number))
        pivots = second.at[k].set(number)
        return W, pivots, info, k + jnp.where(single, 1, 2)

    start = (W, jnp.zeros((n,), jnp.int32), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int64))
    W, pivots, info, _ = lax.while_loop(lambda s: s[3] < n, step, start)
    return jnp.tril(W), pivots, info


@op(method=False, node=_NODE)
def _ldl_factor_ex(input: Array, hermitian: bool) -> tuple[Array, Array, Array]:
    """The factors, pivots and infos."""
    check_square(input, "torch.linalg.ldl_factor_ex")
    check_floating(input, "torch.linalg.ldl_factor_ex")
    refuse("ldl_factor_kernel_cpu", input, HALF)
    n, batch = input.shape[-1], input.shape[:-2]
    if input.size == 0:
        return return_types.linalg_ldl_factor_ex(input, jnp.zeros((*batch, n), jnp.int32), jnp.zeros(batch, jnp.int32))
    many = hermitian and is_in(input, COMPLEX)
    LD, pivots, info = jax.vmap(lambda A: _factor_one(A, many))(input.reshape(-1, n, n))
    return return_types.linalg_ldl_factor_ex(LD.reshape(input.shape), pivots.reshape(*batch, n), info.reshape(batch))


@defvjp(_ldl_factor_ex)
def _(grad, inputs, outputs, hermitian):
    raise NoDerivative("derivative for aten::linalg_ldl_factor_ex is not implemented")


def _raise_zero_blocks(info: Tensor, function: str) -> None:
    values = host(info)
    if values is None or not values.any():
        return
    first = int(values[values != 0].flat[0])
    raise RuntimeError(f"{function}: the block of D that begins in row {first} is zero, and so is D's determinant.")


@composite
@answers_to(input="A")
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """Return the LDL factors in one matrix, the pivots, and for each matrix an ``info``.

    ``info`` is 0, or the number of the first row of a block of D that is zero. See :func:`ldl_factor`.

    >>> torch.linalg.ldl_factor_ex(torch.tensor([[4.0, 2.0], [2.0, 3.0]])).info
    tensor(0, dtype=torch.int32)
    """
    check_tensors("linalg_ldl_factor_ex", input=A)
    result = _ldl_factor_ex(A, hermitian)
    if check_errors:
        _raise_zero_blocks(result.info, "torch.linalg.ldl_factor_ex")
    lay_columns(result.LD)
    return give_all("linalg_ldl_factor_ex", result, out)


@composite
@answers_to(input="A")
def ldl_factor(A: Tensor, *, hermitian: bool = False, out: Any = None) -> Any:
    """Return the factors of ``A = L D L^T`` (``L D L^H`` with ``hermitian=True``) in one matrix, and the pivots.

    The lower triangle of A is read. The result is for :func:`ldl_solve`; it has no gradient. Raises RuntimeError where
    a block of D is zero.

    >>> LD, pivots = torch.linalg.ldl_factor(torch.tensor([[4.0, 2.0], [2.0, 3.0]]))
    >>> LD
    tensor([[4.0000, 0.0000],
            [0.5000, 2.0000]])
    """
    check_tensors("linalg_ldl_factor", input=A)
    LD, pivots, info = _ldl_factor_ex(A, hermitian)
    _raise_zero_blocks(info, "torch.linalg.ldl_factor")
    lay_columns(LD)
    return give_all("linalg_ldl_factor", return_types.linalg_ldl_factor(LD, pivots), out)


# ---------------------------------------------------------------------------------------------------------------------
# Solving


def _solve_one(LD: Array, pivots: Array, B: Array, hermitian: bool) -> Array:
    n = LD.shape[-1]
    index = jnp.arange(n)
    turn = conj if hermitian else lambda x: x

    def roles(second: Array, pivot: Array) -> tuple[Array, Array]:
        """Whether the row is the second of a block of two; whether the next one is."""
        return (pivot < 0) & ~second, second

    _, second = lax.scan(roles, jnp.zeros((), bool), pivots)
    first = (pivots < 0) & ~second
    target = jnp.abs(pivots).astype(jnp.int64) - 1

    def swapped(X: Array, a: Array, b: Array) -> Array:
        return X[index.at[a].set(b).at[b].set(a)]

    def forward(k: Any, X: Array) -> Array:
        pair = jnp.minimum(k + 1, n - 1)
        moved = swapped(X, jnp.where(first[k], pair, k), target[k])
        X = jnp.where(second[k], X, moved)
        # The columns of a block of two act on the rows below both.
        begin = jnp.where(first[k], k + 1, k)
        column = jnp.where(index > begin, LD[:, k], 0)
        return X - column[:, None] * X[k][None, :]

    X = lax.fori_loop(0, n, forward, B)

    def divide(k: Any, X: Array) -> Array:
        pair = jnp.minimum(k + 1, n - 1)
        a, c, d = LD[k, k], LD[pair, k], LD[pair, pair]
        b = turn(c)
        if hermitian:
            a, d = a.real.astype(LD.dtype), d.real.astype(LD.dtype)
        safe_b, safe_c = jnp.where(first[k], b, 1), jnp.where(first[k], c, 1)
        ra, rd = a / safe_c, d / safe_b
        scale = 1 / jnp.where(first[k], ra * rd - 1, 1)
        x, y = X[k], X[pair]
        upper = (rd * x / safe_c - y / safe_c) * scale
        lower = (ra * y / safe_b - x / safe_b) * scale
        block = X.at[k].set(upper).at[pair].set(lower)
        single = X.at[k].set(x / jnp.where(first[k] | second[k], 1, a))
        return jnp.where(first[k], block, jnp.where(second[k], X, single))

    X = lax.fori_loop(0, n, divide, X)

    def backward(i: Any, X: Array) -> Array:
        k = n - 1 - i
        begin = jnp.where(first[k], k + 1, k)
        column = turn(jnp.where(index > begin, LD[:, k], 0))
        X = X.at[k].add(-jnp.einsum("i,ij->j", column, X, precision=lax.Precision.HIGHEST))
        # Both columns of a block have acted when its first is through.
        pair = jnp.minimum(k + 1, n - 1)
        moved = swapped(X, jnp.where(first[k], pair, k), target[k])
        return jnp.where(second[k], X, moved)

    return lax.fori_loop(0, n, backward, X)


@op(method=False, node=_NODE)
def _ldl_solve(LD: Array, pivots: Array, B: Array, hermitian: bool) -> Array:
    """The solution."""
    check_square(LD, "torch.linalg.ldl_solve")
    check_floating(LD, "torch.linalg.ldl_solve")
    m, n = B.shape[-2:]
    check(
        LD.shape[-1] == m,
        f"Incompatible matrix sizes for torch.linalg.ldl_solve: each A matrix is {LD.shape[-1]} by {LD.shape[-1]} but "
        f"each b matrix is {m} by {n}",
    )
    check(
        LD.dtype == B.dtype,
        f"Expected b and A to have the same dtype, but found b of type {scalar_type(B.dtype)} and A of type "
        f"{scalar_type(LD.dtype)} instead.",
    )
    check(
        tuple(LD.shape[:-1]) == tuple(pivots.shape),
        "torch.linalg.ldl_solve: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
        f"{show(pivots.shape)} instead",
    )
    check(
        is_in(pivots, INTEGERS),
        f"torch.linalg.ldl_solve: Expected pivots to be integers. Got {scalar_type(pivots.dtype)}",
    )
    refuse("ldl_solve_kernel_cpu", LD, HALF)
    batch = jnp.broadcast_shapes(LD.shape[:-2], B.shape[:-2])
    size = LD.shape[-1]
    if not B.size:
        return jnp.broadcast_to(B, (*batch, m, n))
    LD = jnp.broadcast_to(LD, (*batch, size, size)).reshape(-1, size, size)
    pivots = jnp.broadcast_to(pivots, (*batch, size)).reshape(-1, size)
    right = jnp.broadcast_to(B, (*batch, m, n)).reshape(-1, m, n)
    many = hermitian and is_in(LD, COMPLEX)
    return jax.vmap(lambda a, p, b: _solve_one(a, p, b, many))(LD, pivots, right).reshape(*batch, m, n)


@defvjp(_ldl_solve)
def _(grad, inputs, outputs, hermitian):
    raise NoDerivative("derivative for aten::linalg_ldl_solve is not implemented")


@composite
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Tensor | None = None) -> Tensor:
    """Return the X of ``A X = B`` for the factors that :func:`ldl_factor` gives of A. It has no gradient.

    >>> LD, pivots = torch.linalg.ldl_factor(torch.tensor([[4.0, 2.0], [2.0, 3.0]]))
    >>> torch.linalg.ldl_solve(LD, pivots, torch.tensor([[6.0], [5.0]]))
    tensor([[1.],
            [1.]])
    """
    check_tensors("linalg_ldl_solve", LD=LD, pivots=pivots, B=B)
    ndim = B.dim()
    if ndim < 2:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-max(ndim, 1)}, {max(ndim, 1) - 1}], but got -2)"
        )
    result = _ldl_solve(LD, pivots, B, hermitian)
    lay_columns(result)
    return give("linalg_ldl_solve", result, out, columns=True)
