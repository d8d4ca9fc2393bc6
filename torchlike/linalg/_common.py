"""What the files of ``torch.linalg`` share: checks of shapes and dtypes, errors found in values, strides of results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch, layout, tape
from torchlike._core.errors import check, scalar_type
from torchlike._core.kernels import cast
from torchlike._core.op import Array
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._bounds import host
from torchlike.ops._checks import COMPLEX, FLOATS, HALF, is_in

Tensor = Any


class _LinAlgError(RuntimeError):
    """A matrix for which an algorithm of linear algebra fails: singular, not positive-definite, not finite."""


_LinAlgError.__module__ = "torch._C"
LinAlgError = _LinAlgError


# ---------------------------------------------------------------------------------------------------------------------
# Arguments


_INEXACT: Final = FLOATS | COMPLEX


def check_tensors(function: str, **given: Any) -> None:
    """Raise the TypeError for the first of a function's leading arguments that is not a tensor."""
    for position, (name, value) in enumerate(given.items(), 1):
        if not isinstance(value, TensorBase):
            raise TypeError(
                f"{function}(): argument '{name}' (position {position}) must be Tensor, not {type(value).__name__}"
            )


def check_matrix(x: Any, function: str, name: str = "A") -> None:
    """Refuse what has fewer than two dimensions."""
    check(len(x.shape) >= 2, f"{function}: The input tensor {name} must have at least 2 dimensions.")


def check_square(x: Any, function: str, name: str = "A") -> None:
    """Refuse what is not a batch of square matrices."""
    check_matrix(x, function, name)
    m, n = x.shape[-2:]
    check(m == n, f"{function}: {name} must be batches of square matrices, but they are {m} by {n} matrices")


def check_floating(x: Any, function: str, *, half: bool = True) -> None:
    """Refuse integers and bools, and half precision as well where ``half`` is False."""
    # Not by `check`: eager calls come here, and the name of a dtype costs more than all the rest.
    if not is_in(x, _INEXACT):
        raise RuntimeError(
            f"{function}: Expected a floating point or complex tensor as input. Got {scalar_type(x.dtype)}"
        )
    if not half and is_in(x, HALF):
        raise RuntimeError(f"{function}: Low precision dtypes not supported. Got {scalar_type(x.dtype)}")


def check_same_dtype(function: str, a: Any, b: Any, first: str = "A", second: str = "B") -> None:
    """Refuse operands of two dtypes."""
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{function}: Expected {first} and {second} to have the same dtype, but found {first} of type "
            f"{scalar_type(a.dtype)} and {second} of type {scalar_type(b.dtype)} instead"
        )


def check_solvable(function: str, a: Any, b: Any, left: bool = True) -> None:
    """Refuse matrices whose equation ``AX = B`` (or ``XA = B``) has no shape."""
    m, n = a.shape[-2:]
    rows, columns = b.shape[-2:]
    check(
        n == (rows if left else columns),
        f"{function}: Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B "
        f"({m}x{n} and {rows}x{columns})",
    )


def needs_grad(*given: Tensor) -> bool:
    """Whether a result of these tensors would be recorded."""
    return tape.grad_enabled() and any(t.requires_grad for t in given)


# ---------------------------------------------------------------------------------------------------------------------
# Results


def lay_columns(*results: Tensor) -> None:
    """Give fresh results the strides that PyTorch's have here: each matrix column by column; no data moves."""
    for result in results:
        if not isinstance(result, TensorBase) or result._geometry is not None:
            continue
        storage = result._storage
        shape = tuple(storage.array.shape)
        if len(shape) >= 2 and math.prod(shape) > 1:
            stride = [1] * len(shape)
            stride[-1] = shape[-2]
            step = shape[-2] * shape[-1]
            for d in range(len(shape) - 3, -1, -1):
                stride[d] = step
                step *= shape[d]
            storage.replace(storage.array, tuple(stride))


def give(function: str, result: Tensor, out: Tensor | None, *, columns: bool = False) -> Tensor:
    """Return a composite's result, or write it into ``out``."""
    if out is None:
        return result
    if not isinstance(out, TensorBase):
        raise TypeError(f"{function}(): argument 'out' must be Tensor, not {type(out).__name__}")
    check(
        not result.requires_grad,
        f"{function}(): functions with out=... arguments don't support automatic differentiation, but one of the "
        "arguments requires grad.",
    )
    resized = dispatch.shape_of(out) != dispatch.shape_of(result)
    layout.write_out(out, dispatch.array_of(result), dispatch.write)
    if resized and columns:
        lay_columns(out)
    return out


def give_all(function: str, results: Sequence[Tensor], out: Any) -> Any:
    """:func:`give` for several results."""
    if out is None:
        return results
    if not isinstance(out, tuple | list):
        raise TypeError(f"{function}(): argument 'out' must be tuple of Tensors, not {type(out).__name__}")
    written = [give(function, result, target, columns=True) for result, target in zip(results, out, strict=True)]
    return type(results)(*written) if hasattr(results, "_fields") else tuple(written)


def without_history(result: Tensor) -> Tensor:
    """Take a fresh result out of the graph: PyTorch does not differentiate permutations."""
    result._grad_fn = None
    result._requires_grad = False
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Errors that only values tell


_CAUSES = {
    "cholesky": (
        "The factorization could not be completed because the input is not positive-definite (the leading minor of"
        " order {info} is not positive-definite)."
    ),
    "inv": (
        "The diagonal element {info} is zero, the inversion could not be completed because the input matrix is"
        " singular."
    ),
    "solve": "The solver failed because the input matrix is singular.",
    "svd": "The algorithm failed to converge because the input matrix contained non-finite values.",
    "eig": (
        "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated"
        " eigenvalues (error code: {info})."
    ),
}


def raise_errors(info: Tensor | np.ndarray[Any, Any], function: str, cause: str) -> None:
    """Raise LinAlgError if an ``info``, one number a matrix, is not zero everywhere.

    What is being traced has no values: such an error is not found under ``torch.compile``.
    """
    values = host(info)
    if values is None or not values.any():
        return
    first = int(np.flatnonzero(values)[0])
    where = f"(Batch element {first}): " if values.ndim else ""
    code = int(values.flat[first])
    if cause == "lu":
        raise RuntimeError(
            f"{function}: {where}U[{code},{code}] is zero and using it on lu_solve would result in a division by zero."
            " If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or"
            " linalg.lu_factor_ex(A, pivot)"
        )
    raise _LinAlgError(f"{function}: {where}{_CAUSES[cause].format(info=code)}")


def not_finite(values: Tensor) -> np.ndarray[Any, Any] | None:
    """For each row of ``values`` whether it holds a nan or an infinity; None where values are not known yet."""
    found = host(values)
    return None if found is None else np.asarray(~np.isfinite(found).all(-1))


# ---------------------------------------------------------------------------------------------------------------------
# Arrays


def mT(x: Array) -> Array:
    """The transposed matrices."""
    return jnp.swapaxes(x, -1, -2)


def mH(x: Array) -> Array:
    """The conjugate transposed matrices."""
    return lax.conj(mT(x)) if is_in(x, COMPLEX) else mT(x)


def conj(x: Array) -> Array:
    """The conjugate of complex numbers; real ones as they are."""
    return lax.conj(x) if is_in(x, COMPLEX) else x


def mm(*factors: Array) -> Array:
    """The product of matrices in full precision, from the left."""
    result = factors[0]
    for factor in factors[1:]:
        result = jnp.matmul(result, factor, precision=lax.Precision.HIGHEST)
    return result


def diagonal_of(x: Array) -> Array:
    """The main diagonals of matrices."""
    return jnp.diagonal(x, axis1=-2, axis2=-1)


def eye_like(x: Array) -> Array:
    """Identity matrices of the dtype and the shape of the square ``x``."""
    return jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)


def embed(values: Array) -> Array:
    """Matrices with the given diagonals."""
    return values[..., None] * jnp.eye(values.shape[-1], dtype=values.dtype)


def sum_to(x: Array, shape: Sequence[int]) -> Array:
    """Add up what broadcasting from ``shape`` repeated."""
    extra = x.ndim - len(shape)
    axes = (*range(extra), *(extra + d for d, n in enumerate(shape) if n == 1 and x.shape[extra + d] != 1))
    return jnp.sum(x, axes, keepdims=True).reshape(shape) if axes else x


def divided(numerator: Array, denominator: Array) -> Array:
    """A quotient in which 0 / 0 is 0: what is not asked for does not suffer from equal eigenvalues."""
    nothing = (denominator == 0) & (numerator == 0)
    return numerator / jnp.where(nothing, 1, denominator)


def conjugated(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a gradient formula in PyTorch's convention, where adjoints are what they are on paper, into jax's."""

    def vjp(grad: Any, inputs: Any, outputs: Any, **statics: Any) -> tuple[Any, ...]:
        flow = tuple(None if g is None else conj(g) for g in grad) if isinstance(grad, tuple) else conj(grad)
        found = formula(flow, inputs, outputs, **statics)
        return tuple(None if c is None else conj(c) for c in found)

    return vjp


def real_of(x: Array, like: Array) -> Array:
    """A gradient in the dtype of what it belongs to."""
    return cast(x, like.dtype)
