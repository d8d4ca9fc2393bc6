"""Linear and bilinear maps."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core.errors import check, scalar_type
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.nn.functional._shared import expect_tensor, ndim
from torchlike.ops._arrays import widened
from torchlike.ops._checks import BARE, BOOL, HALF, is_in, refuse
from torchlike.ops._geometry import expanded, of_shape
from torchlike.ops.matmul import cpp_name, matmul

__all__ = ["bilinear", "linear"]

Tensor = Any


def _affine(input: Array, weight: Array, bias: Array | None) -> Array:
    """``input @ weight.T + bias``, halves summed in float32 and rounded once."""
    kind = input.dtype
    rows = 1
    for n in input.shape[:-1]:
        rows *= n
    features, columns = weight.shape
    check(
        input.shape[-1] == columns,
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{input.shape[-1]} and {columns}x{features})",
    )
    if bias is None:
        check(
            kind == weight.dtype,
            f"expected m1 and m2 to have the same dtype, but got: {cpp_name(kind)} != {cpp_name(weight.dtype)}",
        )
    else:
        check(
            bias.dtype == weight.dtype,
            f"self and mat2 must have the same dtype, but got {scalar_type(bias.dtype)} and"
            f" {scalar_type(weight.dtype)}",
        )
        check(
            kind == weight.dtype,
            f"mat1 and mat2 must have the same dtype, but got {scalar_type(kind)} and {scalar_type(weight.dtype)}",
        )
    if rows:
        refuse("addmm_impl_cpu_", input, BOOL, BARE)
    if kind in (jnp.float16, jnp.bfloat16):
        input, weight = input.astype(jnp.float32), weight.astype(jnp.float32)
    contract = (((input.ndim - 1,), (1,)), ((), ()))
    result = lax.dot_general(input, weight, contract, precision=lax.Precision.HIGHEST)
    if bias is not None:
        size = expanded(of_shape(bias), (rows, features)).size if bias.ndim != 1 or bias.shape[0] != features else None
        added = bias.astype(result.dtype)
        result = result + (added if size is None else jnp.broadcast_to(added, size).reshape(result.shape))
    return result.astype(kind)


@op(method=False, node=lambda pattern: "MmBackward0" if pattern[2] is type(None) else "AddmmBackward0")
def _linear_matrix(input: Array, weight: Array, bias: Array | None) -> Array:
    """The linear map of the rows of a matrix."""
    return _affine(input, weight, bias)


def _batched_node(pattern: Any) -> str:
    return "UnsafeViewBackward0" if pattern[2] is type(None) else "ViewBackward0"


@op(method=False, node=_batched_node)
def _linear_batched(input: Array, weight: Array, bias: Array | None) -> Array:
    """The linear map of the last dimension of an array of three or more dimensions, or of a vector."""
    return _affine(input, weight, bias)


@op(method=False, node="SqueezeBackward4")
def _linear_vector(input: Array, weight: Array) -> Array:
    """The linear map of a vector."""
    return _affine(input, weight, None)


@composite
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return ``input @ weight.T + bias``: shapes (..., m), (n, m) and (n) give (..., n).

    A ``weight`` of shape (m) gives (...). All dtypes must be equal. Raises RuntimeError for shapes that do not fit.

    >>> F = torch.nn.functional
    >>> F.linear(torch.tensor([[1., 2.]]), torch.tensor([[3., 4.], [5., 6.]]), torch.tensor([0.5, 0.]))
    tensor([[11.5000, 17.0000]])
    """
    try:
        dims, of_weight = ndim(input), ndim(weight)
    except AttributeError:
        expect_tensor("linear", "input", 1, input)
        expect_tensor("linear", "weight", 2, weight)
        raise
    if dims == 2 and of_weight == 2:
        return _linear_matrix(input, weight, bias) if out is None else _linear_matrix(input, weight, bias, out=out)
    check(
        dims > 0 and of_weight > 0,
        f"both arguments to linear need to be at least 1D, but they are {dims}D and {of_weight}D",
    )
    check(of_weight <= 2, f"t() expects a tensor with <= 2 dimensions, but self is {of_weight}D")
    if of_weight == 1:
        check(bias is None, "mat2 must be a matrix, got 1-D tensor")
        return matmul(input, weight, out=out)
    if dims == 1 and bias is None:
        return _linear_vector(input, weight, out=out)
    return _linear_batched(input, weight, bias, out=out)


@op(node=lambda pattern: "ViewBackward0" if pattern[3] is type(None) else "AddBackward0")
def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``input1 @ weight[k] @ input2 + bias[k]`` for every k: (..., m), (..., l), (n, m, l), (n) give (..., n).

    Raises RuntimeError for shapes that do not fit.

    >>> F = torch.nn.functional
    >>> F.bilinear(torch.tensor([1., 2.]), torch.tensor([3.]), torch.ones(1, 2, 1))
    tensor([9.])
    """
    given = {"input1": input1, "input2": input2, "weight": weight} | ({} if bias is None else {"bias": bias})
    check(
        len({x.dtype for x in given.values()}) == 1,
        "All tensors must have the same dtype, got " + ", ".join(f"{n}: {cpp_name(x.dtype)}" for n, x in given.items()),
    )
    check(
        input1.ndim == input2.ndim,
        f"bilinear(): input dimensions do not match: got {input1.ndim} and {input2.ndim}",
    )
    for i, (a, b) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=True)):
        check(a == b, f"bilinear(): input batch dimensions do not match at dim {i}: got {a} and {b}")
    check(
        input1.shape[-1] == weight.shape[1],
        f"bilinear(): input1 size does not match weight size: got {input1.shape[-1]} but expected {weight.shape[1]}",
    )
    check(
        input2.shape[-1] == weight.shape[2],
        f"bilinear(): input2 size does not match weight size: got {input2.shape[-1]} but expected {weight.shape[2]}",
    )
    check(
        bias is None or bias.shape[0] == weight.shape[0],
        f"bilinear(): bias size does not match weight size: got {0 if bias is None else bias.shape[0]} but expected"
        f" {weight.shape[0]}",
    )
    kind = input1.dtype
    input1, input2, weight = (widened(x) for x in (input1, input2, weight))
    if is_in(given["input1"], HALF):
        half = rounded(_einsum("...m,nml->...nl", input1, weight), kind)
        result = rounded(_einsum("...nl,...l->...n", half, input2), kind)
    else:
        result = _einsum("...m,nml,...l->...n", input1, weight, input2)
    return (result if bias is None else result + bias.astype(result.dtype)).astype(kind)


def _einsum(equation: str, *operands: Array) -> Array:
    return jnp.einsum(equation, *operands, precision=lax.Precision.HIGHEST)


@defvjp(bilinear)
def _(grad, inputs, outputs):
    input1, input2, weight, bias = inputs
    kind = grad.dtype
    rows = [widened(x).reshape(-1, x.shape[-1]) for x in (grad, input1, input2)]
    g, x, y, w = *rows, widened(weight)
    by_bias = None if bias is None else jnp.sum(g, 0)
    if not is_in(grad, HALF):
        by_input1, by_input2 = _einsum("rn,nml,rl->rm", g, w, y), _einsum("rn,nml,rm->rl", g, w, x)
        return (
            by_input1.reshape(input1.shape),
            by_input2.reshape(input2.shape),
            _einsum("rn,rm,rl->nml", g, x, y),
            by_bias,
        )

    # Output by output, each step rounded, as PyTorch adds up the gradients of halves.
    def step(sums: tuple[Array, Array], of_one: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        column, matrix = of_one
        spread = rounded(column[:, None, None] * matrix, kind)
        first = rounded(_einsum("rml,rl->rm", spread, y), kind)
        second = rounded(rounded(_einsum("rm,ml->rl", x, matrix), kind) * column[:, None], kind)
        by_matrix = _einsum("rm,rl->ml", rounded(x * column[:, None], kind), y)
        return (rounded(sums[0] + first, kind), rounded(sums[1] + second, kind)), by_matrix

    start = (jnp.zeros_like(x), jnp.zeros_like(y))
    (by_input1, by_input2), by_weight = lax.scan(step, start, (g.T, w))
    return by_input1.reshape(input1.shape), by_input2.reshape(input2.shape), by_weight, by_bias
