"""Powers and exponentials of square matrices."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from torchlike._core import dispatch
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.linalg._common import (
    check_floating,
    check_square,
    check_tensors,
    eye_like,
    give,
    mm,
    mT,
)
from torchlike.linalg.inverses import inv
from torchlike.ops._keywords import answers_to
from torchlike.ops.matmul import matmul
from torchlike.ops.reduce import widened

__all__ = ["matrix_exp", "matrix_power"]

Tensor = Any

# The terms of the series that are added up for matrices of norm at most 1: the next one is below double precision.
_TERMS = 18
_STRIDE = 4
# How often a matrix is squared at most where the squaring is differentiated: whose norm is beyond 2**64 is not finite.
_SQUARINGS = 64


def _series(A: Array) -> Array:
    """The sum of ``A^k / k!``, by Horner's rule on groups of four terms."""
    powers = [eye_like(A), A]
    for _ in range(_STRIDE - 1):
        powers.append(mm(powers[-1], A))
    factors = [1.0]
    for k in range(1, _TERMS + 1):
        factors.append(factors[-1] / k)
    total = None
    for start in range(_TERMS - _TERMS % _STRIDE, -1, -_STRIDE):
        group = sum(
            (factors[start + i] * powers[i] for i in range(min(_STRIDE, _TERMS + 1 - start))), jnp.zeros_like(A)
        )
        total = group if total is None else group + mm(powers[_STRIDE], total)
    assert total is not None
    return total


def _scaled(A: Array) -> tuple[Array, Array]:
    """The matrices over powers of two, of norm at most 1, and the exponents."""
    norm = jnp.max(jnp.sum(jnp.abs(A), -2), -1)
    finite = jnp.isfinite(norm)
    halvings = jnp.where(finite & (norm > 1), jnp.ceil(jnp.log2(jnp.where(finite, norm, 1))), 0).astype(jnp.int32)
    return A / jnp.exp2(halvings.astype(norm.dtype))[..., None, None].astype(A.dtype), halvings


@jax.custom_jvp
def exponential(A: Array) -> Array:
    """The exponential: the series of ``A / 2^s``, squared s times."""
    if not A.size:
        return A
    scaled, halvings = _scaled(A)

    def square(state: tuple[Array, Array]) -> tuple[Array, Array]:
        X, done = state
        return jnp.where((done < halvings)[..., None, None], mm(X, X), X), done + 1

    most = jnp.max(halvings)
    return lax.while_loop(lambda s: s[1] < most, square, (_series(scaled), jnp.zeros((), jnp.int32)))[0]


def _in_steps(A: Array) -> Array:
    """The same in a fixed number of steps, those that are not needed left out: every derivative of it exists."""
    scaled, halvings = _scaled(A)
    most = jnp.max(halvings)

    def square(X: Array, done: Array) -> tuple[Array, None]:
        active = (done < halvings)[..., None, None]
        # The inner choice keeps what is not finite in the unwanted square out of the derivative.
        squared = lax.cond(done < most, lambda Y: mm(Y, Y), lambda Y: Y, jnp.where(active, X, 0))
        return jnp.where(active, squared, X), None

    return lax.scan(square, _series(scaled), jnp.arange(_SQUARINGS, dtype=jnp.int32))[0]


@exponential.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (A,), (change,) = primals, tangents
    return exponential(A), jax.jvp(_in_steps, (A,), (change,))[1] if A.size else change


@op(method=False, node="LinalgMatrixExpBackward0")
def _matrix_exp(input: Array) -> Array:
    """The exponentials."""
    check_square(input, "linalg.matrix_exp")
    check_floating(input, "linalg.matrix_exp")
    return exponential(widened(input)).astype(input.dtype)


@defvjp(_matrix_exp)
def _(grad, inputs, outputs):
    (input,) = inputs
    if not input.size:
        return (grad,)
    # The derivative of the exponential is the upper right block of that of [[A, dA], [0, A]].
    n = input.shape[-1]
    A, g = mT(widened(input)), widened(grad)
    block = jnp.concatenate([jnp.concatenate([A, g], -1), jnp.concatenate([jnp.zeros_like(A), A], -1)], -2)
    return (exponential(block)[..., :n, n:].astype(input.dtype),)


@composite
@answers_to(input="A")
def matrix_exp(A: Tensor) -> Tensor:
    """Return the exponentials of square matrices: the sums of ``A^k / k!``.

    >>> torch.linalg.matrix_exp(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_tensors("linalg_matrix_exp", input=A)
    return _matrix_exp(A)


def power(A: Tensor, n: int) -> Tensor:
    """:func:`matrix_power` without ``out``."""
    shaped = dispatch.shaped(A)
    check_square(shaped, "linalg.matrix_power")
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}")
    n = int(n)
    if n == 0:
        return _identities(A)
    if n < 0:
        A, n = inv(A), -n
    if n == 1:
        return A.clone()
    result, square = None, A
    while n:
        n, odd = divmod(n, 2)
        if odd:
            result = square if result is None else matmul(result, square)
        if n:
            square = matmul(square, square)
    return result


@op(method=False, node="torch::autograd::CopyBackwards")
def _identities(input: Array) -> Array:
    """Identity matrices."""
    return eye_like(input)


@composite
@answers_to(input="A")
def matrix_power(A: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Return the n-th powers of square matrices; of a negative ``n`` those of the inverses.

    >>> torch.linalg.matrix_power(torch.tensor([[1, 1], [0, 1]]), 5)
    tensor([[1, 5],
            [0, 1]])
    """
    check_tensors("linalg_matrix_power", input=A)
    return give("linalg_matrix_power", power(A, n), out)
