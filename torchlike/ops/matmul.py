"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch, errors
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.halves import rounded
from torchlike._core.kernels import in_place
from torchlike._core.op import DEFAULT, Array, Scalar, composite, defvjp, op, operands_given
from torchlike._core.promote import compute_and_result
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._arrays import widened
from torchlike.ops._checks import BARE, BOOL, FLOAT8, UNSIGNED, refuse
from torchlike.ops._geometry import expanded, of_shape, show

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bmm",
    "dot",
    "ger",
    "inner",
    "matmul",
    "mm",
    "mv",
    "outer",
    "vdot",
]

Tensor = Any

# What PyTorch's sentences about mm call the dtypes: the C++ types.
_CPP_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "uint16": "short unsigned int",
    "uint32": "unsigned int",
    "uint64": "long unsigned int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def cpp_name(dtype: Any) -> str:
    """The name of a dtype in C++, which some of PyTorch's sentences use."""
    name = np.dtype(dtype).name
    return _CPP_NAMES.get(name, f"c10::{scalar_type(dtype)}")


def product(a: Array, b: Array, contract: tuple[Any, Any], batch: tuple[Any, Any] = ((), ())) -> Array:
    """``lax.dot_general`` as PyTorch computes: in full precision, half types summed in float32 and rounded once."""
    kind = a.dtype
    if kind in (jnp.float16, jnp.bfloat16):
        a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    return lax.dot_general(a, b, (contract, batch), precision=lax.Precision.HIGHEST).astype(kind)


def _mm(a: Array, b: Array) -> Array:
    return product(a, b, ((1,), (0,)))


def _bmm(a: Array, b: Array) -> Array:
    return product(a, b, ((2,), (1,)), ((0,), (0,)))


def _scaled(input: Array, beta: Array, product: Array, alpha: Array, size: tuple[int, ...], blas: bool = True) -> Array:
    """``beta * input + alpha * product``, rounded once.

    A beta of 0 hides what is not finite in ``input``; an alpha of 0 does so for the product where PyTorch calls BLAS,
    which it does not for halves.
    """
    kind = product.dtype
    wide = jnp.float32 if kind in (jnp.float16, jnp.bfloat16) else kind
    alpha, beta = _number(alpha, wide), _number(beta, wide)
    input = jnp.broadcast_to(input, size)
    added = alpha * product.astype(wide)
    kept = beta * input.astype(wide)
    total = jnp.where(beta == 0, added, kept + added)
    if blas and input.dtype.itemsize > 2:
        total = jnp.where(alpha == 0, jnp.where(beta == 0, jnp.zeros((), wide), kept), total)
    return total.astype(kind)


def _check_target(input: Array, size: tuple[int, ...]) -> None:
    """The operand that a product is added to must broadcast to it, and be of its size to be written to."""
    check(
        not in_place() or input.shape == size,
        f"Bad in-place call: input tensor size {show(input.shape)} and output tensor size {show(size)} should match",
    )
    expanded(of_shape(input), size)


def _refuse_products(name: str, a: Array, b: Array, *groups: Any) -> None:
    """Refuse dtypes, except for products without terms, which PyTorch does not compute."""
    if a.size and b.size:
        refuse(name, a, *groups)


def _number(x: Array, dtype: Any) -> Array:
    """A Scalar in the type of the computation; a float given with integers loses its fraction, as in PyTorch."""
    x = jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating) and not jnp.issubdtype(dtype, jnp.complexfloating):
        x = x.real
    return x.astype(dtype)


def _check_matrices(a: Array, b: Array, first: str = "mat1", second: str = "mat2", got: bool = True) -> None:
    check(a.ndim == 2, f"{first} must be a matrix" + (f", got {a.ndim}-D tensor" if got else ""))
    check(b.ndim == 2, f"{second} must be a matrix" + (f", got {b.ndim}-D tensor" if got else ""))
    check(
        a.shape[1] == b.shape[0],
        f"mat1 and mat2 shapes cannot be multiplied ({a.shape[0]}x{a.shape[1]} and {b.shape[0]}x{b.shape[1]})",
    )


def _check_same(a: Array, b: Array) -> None:
    check(
        a.dtype == b.dtype,
        f"expected m1 and m2 to have the same dtype, but got: {cpp_name(a.dtype)} != {cpp_name(b.dtype)}",
    )


def _check_mm(a: Array, b: Array) -> None:
    _check_matrices(a, b, "self", "mat2", got=False)
    _check_same(a, b)
    _refuse_products("addmm_impl_cpu_", a, b, BOOL, UNSIGNED, FLOAT8)


@op
def mm(input: Array, mat2: Array) -> Array:
    """Return the product of two matrices of the same dtype; shapes (n, m) and (m, p) give (n, p).

    Raises RuntimeError for other shapes and for bool.

    >>> torch.mm(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1], [10]]))
    tensor([[21],
            [43]])
    """
    _check_mm(input, mat2)
    return _mm(input, mat2)


def _check_bmm(a: Array, b: Array) -> None:
    check(a.ndim == 3, "batch1 must be a 3D tensor")
    check(b.ndim == 3, "batch2 must be a 3D tensor")
    wanted = (a.shape[0], a.shape[2])
    check(
        tuple(b.shape[:2]) == wanted,
        f"Expected size for first two dimensions of batch2 tensor to be: {show(wanted)} but got: {show(b.shape[:2])}.",
    )


def _check_scalar_type(a: Array, b: Array) -> None:
    check(a.dtype == b.dtype, f"expected scalar type {scalar_type(a.dtype)} but found {scalar_type(b.dtype)}")


@op
def bmm(input: Array, mat2: Array) -> Array:
    """Return the products of the matrices of two batches: (b, n, m) and (b, m, p) give (b, n, p).

    >>> torch.bmm(torch.ones(2, 1, 3), torch.ones(2, 3, 1))
    tensor([[[3.]],
    <BLANKLINE>
            [[3.]]])
    """
    _check_bmm(input, mat2)
    _check_scalar_type(input, mat2)
    _refuse_products("bmm", input, mat2, BOOL, BARE)
    return _bmm(input, mat2)


def _check_mv(bias: Array, mat: Array, vec: Array) -> None:
    _check_shapes_mv(bias, mat, vec)
    _refuse_products("addmv_impl_cpu", mat, vec, BOOL, BARE)


def _check_shapes_mv(bias: Array, mat: Array, vec: Array) -> None:
    check(
        mat.ndim == 2 and vec.ndim == 1 and bias.ndim <= 1,
        f"vector + matrix @ vector expected, got {bias.ndim}, {mat.ndim}, {vec.ndim}",
    )
    numel = bias.shape[0] if bias.ndim else 1
    check(
        mat.shape[1] == vec.shape[0] and (numel in (1, mat.shape[0])),
        f"size mismatch, got input ({numel}), mat ({mat.shape[0]}x{mat.shape[1]}), vec ({vec.shape[0]})",
    )
    check(
        bias.dtype == mat.dtype == vec.dtype,
        "addmv input tensors must have the same dtype, but got"
        f" {scalar_type(bias.dtype)}, {scalar_type(mat.dtype)}, and {scalar_type(vec.dtype)}",
    )


@op
def mv(input: Array, vec: Array) -> Array:
    """Return the product of a matrix (n, m) and a vector (m,).

    >>> torch.mv(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 10]))
    tensor([21, 43])
    """
    rows = input.shape[0] if input.ndim else 0
    _check_mv(jnp.zeros((rows,), vec.dtype), input, vec)
    return product(input, vec, ((1,), (0,)))


def _check_dot(a: Array, b: Array) -> None:
    check(a.ndim == 1 and b.ndim == 1, f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    check(
        a.dtype == b.dtype,
        f"dot : expected both vectors to have same dtype, but found {scalar_type(a.dtype)} and {scalar_type(b.dtype)}",
    )
    n, m = a.shape[0], b.shape[0]
    check(
        n == m,
        f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements,"
        f" but got {n} and"
        f" {m} elements respectively",
    )
    refuse("dot", a, BOOL, BARE)


@op
def dot(input: Array, tensor: Array) -> Array:
    """Return the sum of the products of two vectors' elements.

    >>> torch.dot(torch.tensor([2, 3]), torch.tensor([2, 1]))
    tensor(7)
    """
    _check_dot(input, tensor)
    return product(input, tensor, ((0,), (0,)))


@op
def vdot(input: Array, other: Array) -> Array:
    """Return the dot product of two vectors, the first one conjugated.

    >>> torch.vdot(torch.tensor([1 + 2j, 3 - 1j]), torch.tensor([2 + 1j, 4 - 0j]))
    tensor(16.+1.j)
    """
    _check_dot(input, other)
    return product(jnp.conj(input), other, ((0,), (0,)))


@op(method=False, node="SqueezeBackward4")
def _vector_matrix(input: Array, other: Array) -> Array:
    _check_mm(input[None], other)
    return product(input, other, ((0,), (0,)))


@op(method=False, node="UnsafeViewBackward0")
def _matmul(input: Array, other: Array) -> Array:
    return _products(input, other)


@op(method=False, node="CloneBackward0")
def _matrix_batch(input: Array, other: Array) -> Array:
    return _products(input, other)


def _products(input: Array, other: Array) -> Array:
    """The products with a batch of matrices on either side."""
    a, b = input, other
    # One matrix against a batch is one product of tall matrices in PyTorch, whose sentences are then those of mm and
    # mv.
    if b.ndim <= 2:
        rows = int(np.prod(a.shape[:-1]))
        flat = jnp.zeros((rows, a.shape[-1]), a.dtype)
        if b.ndim == 1:
            _check_mv(jnp.zeros((rows,), b.dtype), flat, b)
        else:
            _check_mm(flat, b)
        return product(a, b, ((a.ndim - 1,), (0,)))
    batch = errors.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    count = int(np.prod(batch))
    wanted, given = (count, a.shape[-1]), (count, b.shape[-2])
    check(
        wanted == given,
        f"Expected size for first two dimensions of batch2 tensor to be: {show(wanted)} but got: {show(given)}.",
    )
    _check_scalar_type(a, b)
    _refuse_products("bmm", a, b, BOOL, BARE)
    if a.ndim <= 2:
        out = product(a, b, ((a.ndim - 1,), (b.ndim - 2,)))
        return out if a.ndim == 1 else jnp.moveaxis(out, 0, -2)
    a = jnp.broadcast_to(a, (*batch, *a.shape[-2:]))
    b = jnp.broadcast_to(b, (*batch, *b.shape[-2:]))
    dims = tuple(range(len(batch)))
    return product(a, b, ((a.ndim - 1,), (b.ndim - 2,)), (dims, dims))


@composite
def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the matrix product; what it is depends on the dimensions.

    Two vectors give their dot product, a matrix and a vector the usual products; with more than two dimensions the last
    two are matrices and the others are broadcast. Both dtypes must be equal. Raises RuntimeError for 0-d tensors and
    for
    shapes that do not fit.

    >>> torch.matmul(torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 10]))
    tensor([21, 43])
    >>> torch.matmul(torch.ones(10, 3, 4), torch.ones(4, 5)).shape
    torch.Size([10, 3, 5])
    """
    try:
        kinds = dispatch.dim_of(input), dispatch.dim_of(other)
    except AttributeError:
        return _matmul(input, other, out=out)  # says which argument is no tensor
    chosen = _BY_DIMENSIONS.get(kinds)
    if chosen is not None:
        return chosen(input, other, out=out)
    check(
        min(kinds) > 0,
        f"both arguments to matmul need to be at least 1D, but they are {kinds[0]}D and {kinds[1]}D",
    )
    if kinds[0] == 2 and input.requires_grad:
        return _matrix_batch(input, other, out=out)  # PyTorch turns it round to multiply one tall matrix
    return _matmul(input, other, out=out)


def _matmul_operator(self: Tensor, other: Any) -> Any:
    """``self @ other``."""
    return matmul(self, other) if isinstance(other, TensorBase) else NotImplemented


setattr(TensorBase, "__matmul__", _matmul_operator)  # noqa: B010 - TensorBase declares state only


_BY_DIMENSIONS = {(1, 1): dot, (2, 1): mv, (1, 2): _vector_matrix, (2, 2): mm}


# ---------------------------------------------------------------------------------------------------------------------
# Products that are added to something


def _check_added(input: Array, mat: Array) -> None:
    check(
        input.dtype == mat.dtype,
        f"self and mat2 must have the same dtype, but got {scalar_type(input.dtype)} and {scalar_type(mat.dtype)}",
    )


@op(inplace=True)
def addmm(input: Array, mat1: Array, mat2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """Return ``beta * input + alpha * (mat1 @ mat2)``; ``input`` is broadcast, and not read when ``beta`` is 0.

    All dtypes must be equal. Raises RuntimeError for shapes that do not fit and for bool.

    >>> torch.addmm(torch.tensor([1, 2]), torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 0], [0, 1]]))
    tensor([[2, 4],
            [4, 6]])
    """
    check(mat1.ndim == 2, f"mat1 must be a matrix, got {mat1.ndim}-D tensor")
    check(mat2.ndim == 2, f"mat2 must be a matrix, got {mat2.ndim}-D tensor")
    _check_matrices(mat1, mat2)
    _check_added(input, mat2)
    check(
        mat1.dtype == mat2.dtype,
        f"mat1 and mat2 must have the same dtype, but got {scalar_type(mat1.dtype)} and {scalar_type(mat2.dtype)}",
    )
    size = (mat1.shape[0], mat2.shape[1])
    _check_target(input, size)
    if 0 not in size:
        refuse("addmm_impl_cpu_", mat1, BOOL, UNSIGNED, FLOAT8)
    return _scaled(input, beta, _wide(_mm, mat1, mat2), alpha, size).astype(mat1.dtype)


def _wide(multiply: Any, a: Array, b: Array) -> Array:
    """A product of half types left in float32, for what is added before rounding."""
    if a.dtype in (jnp.float16, jnp.bfloat16):
        a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    out: Array = multiply(a, b)
    return out


@op(inplace=True)
def addmv(input: Array, mat: Array, vec: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """Return ``beta * input + alpha * (mat @ vec)``; ``input`` is not read when ``beta`` is 0.

    >>> torch.addmv(torch.tensor([1, 2]), torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 10]))
    tensor([22, 45])
    """
    _check_shapes_mv(input, mat, vec)
    _check_target(input, (mat.shape[0],))
    refuse("addmv_impl_cpu", mat, BOOL, BARE)
    found = _wide(lambda a, b: product(a, b, ((1,), (0,))), mat, vec)
    return _scaled(input, beta, found, alpha, (mat.shape[0],)).astype(mat.dtype)


def _check_factor(name: str, kind: Any, result: dtypes.dtype) -> None:
    if kind is None or kind[1] != "number":
        return
    if kind[0] is dtypes.bool:
        check(result is dtypes.bool, f"Boolean {name} only supported for Boolean results.")
    elif not (result.is_floating_point or result.is_complex) and kind[0].is_floating_point:
        raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
    elif not result.is_complex:
        check(not kind[0].is_complex, f"For non-complex input tensors, argument {name} must not be a complex number.")


@op(inplace=True)
def addr(input: Array, vec1: Array, vec2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """Return ``beta * input + alpha * outer(vec1, vec2)``; ``input`` is broadcast, and not read when ``beta`` is 0.

    >>> torch.addr(torch.zeros(2, 2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    for name, x in (("vec1", vec1), ("vec2", vec2)):
        check(x.ndim == 1, f"addr: Expected 1-D argument {name}, but got {x.ndim}-D")
    check(not in_place() or input.ndim == 2, f"2D tensor expected, got {input.ndim}D tensor for input")
    given = operands_given()
    operands = [g for g in given[:3] if g is not None]
    compute, result = compute_and_result(DEFAULT, operands)
    _check_factor("beta", given[3], dtypes.of(result))
    _check_factor("alpha", given[4], dtypes.of(result))
    size = (vec1.shape[0], vec2.shape[0])
    expanded(of_shape(input), size)
    input = jnp.broadcast_to(input, size)
    if any(np.dtype(result) in group for group in (BARE,)):
        errors.not_implemented("addr_cpu", result)
    input, vec1, vec2 = (x.astype(compute) for x in (input, vec1, vec2))
    if result == np.bool_:
        kept = jnp.where(jnp.asarray(beta) != 0, input, False)
        return kept | (vec1[:, None] & vec2 & (jnp.asarray(alpha) != 0))
    alpha, beta = (rounded(_number(x, compute), result) for x in (alpha, beta))
    added = rounded(rounded(alpha * vec1, result)[:, None] * vec2, result)
    return jnp.where(beta == 0, added, rounded(beta * input, result) + added).astype(result)


@op(inplace=True)
def addbmm(input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """Return ``beta * input + alpha *`` the sum over the batch of ``batch1 @ batch2``.

    >>> torch.addbmm(torch.ones(1, 1), torch.ones(2, 1, 3), torch.ones(2, 3, 1))
    tensor([[7.]])
    """
    if batch2.ndim < 3:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-(batch2.ndim or 1)},"
            f" {(batch2.ndim or 1) - 1}], but got 2)"
        )
    size = (batch1.shape[-2] if batch1.ndim > 2 else batch1.shape[1], batch2.shape[2])
    expanded(of_shape(input), size)
    check(batch1.ndim == 3, "batch1 must be a 3D tensor")
    check(batch2.ndim == 3, "batch2 must be a 3D tensor")
    check(
        batch1.shape[0] == batch2.shape[0],
        f"batch1 and batch2 must have same number of batches, got {batch1.shape[0]} and {batch2.shape[0]}",
    )
    check(
        batch1.shape[2] == batch2.shape[1],
        f"Incompatible matrix sizes for bmm ({batch1.shape[1]}x{batch1.shape[2]} and"
        f" {batch2.shape[1]}x{batch2.shape[2]})",
    )
    _check_added(input, batch2)
    _check_added(batch1, batch2)
    refuse("addmm_impl_cpu_", batch1, BOOL, UNSIGNED, FLOAT8)
    found = _wide(lambda a, b: product(a, b, ((0, 2), (0, 1))), batch1, batch2)
    return _scaled(input, beta, found, alpha, size).astype(batch1.dtype)


@op(inplace=True)
def baddbmm(input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """Return ``beta * input + alpha * (batch1 @ batch2)``, matrix by matrix; ``input`` is broadcast.

    >>> torch.baddbmm(torch.ones(1, 1, 1), torch.ones(2, 1, 3), torch.ones(2, 3, 1)).shape
    torch.Size([2, 1, 1])
    """
    if batch2.ndim < 3:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-(batch2.ndim or 1)},"
            f" {(batch2.ndim or 1) - 1}], but got 2)"
        )
    size = (batch1.shape[0], batch1.shape[1], batch2.shape[2])
    _check_target(input, size)
    _check_bmm(batch1, batch2)
    check(
        input.dtype == batch1.dtype,
        f"Input dtypes must be the same, got: input {cpp_name(input.dtype)}, batch1: {cpp_name(batch1.dtype)}, batch2:"
        f" {cpp_name(batch2.dtype)}",
    )
    _check_scalar_type(batch1, batch2)
    refuse("baddbmm", batch1, BOOL, BARE)
    # PyTorch leaves small products to a loop of its own.
    blas = batch1.shape[2] * size[1] * size[2] >= 400
    return _scaled(input, beta, _wide(_bmm, batch1, batch2), alpha, size, blas).astype(batch1.dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Vectors


@op(node="MulBackward0")
def outer(input: Array, vec2: Array) -> Array:
    """Return the matrix of all products of the elements of two vectors, in their common dtype.

    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([1, 10]))
    tensor([[ 1, 10],
            [ 2, 20]])
    """
    check(input.ndim == 1, f"outer: Expected 1-D argument self, but got {input.ndim}-D")
    check(vec2.ndim == 1, f"outer: Expected 1-D argument vec2, but got {vec2.ndim}-D")
    compute, result = compute_and_result(DEFAULT, [g for g in operands_given() if g is not None])
    a, b = input.astype(compute), vec2.astype(compute)
    return ((a[:, None] & b) if result == np.bool_ else a[:, None] * b).astype(result)


@defvjp(outer)
def _(grad, inputs, outputs):
    input, vec2 = inputs
    g = widened(grad)
    # Products are rounded, as those of mul are, before they are summed.
    products = (rounded(g * other.astype(g.dtype), grad.dtype) for other in (vec2, input[:, None]))
    return tuple(jnp.sum(p, 1 - i) for i, p in enumerate(products))


@composite
def ger(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the outer product of two vectors; another name of :func:`torch.outer`.

    >>> torch.ger(torch.tensor([1, 2]), torch.tensor([1, 10]))
    tensor([[ 1, 10],
            [ 2, 20]])
    """
    return outer(input, vec2, out=out)


@op(method=False, node="ViewBackward0")
def _inner(input: Array, other: Array) -> Array:
    check(input.dtype == other.dtype, "both inputs should have same dtype")
    check(
        input.shape[-1] == other.shape[-1],
        "inner() the last dimension must match on both input tensors but got shapes"
        f" {show(input.shape)} and {show(other.shape)}",
    )
    refuse_contraction(input, input.ndim == 1 and other.ndim == 1)
    return product(input, other, ((input.ndim - 1,), (other.ndim - 1,)))


def refuse_contraction(x: Array, whole: bool) -> None:
    """Refuse the dtypes of a sum of products, which is a dot product where all dimensions are summed over."""
    if whole:
        refuse("dot", x, BOOL, BARE)
    else:
        refuse("addmm_impl_cpu_", x, BOOL, UNSIGNED, FLOAT8)


@composite
def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the sums of products over the last dimensions of both; with a 0-d tensor, the plain product.

    >>> torch.inner(torch.tensor([1, 2, 3]), torch.tensor([0, 2, 1]))
    tensor(7)
    """
    given = isinstance(input, TensorBase) and isinstance(other, TensorBase)
    if given and not (dispatch.shape_of(input) and dispatch.shape_of(other)):
        left: Any = input
        found = left * other
        return found if out is None else out.copy_(found)
    return _inner(input, other, out=out)
