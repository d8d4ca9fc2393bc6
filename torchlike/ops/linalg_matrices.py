"""Functions of matrices that ``torch`` has under names of its own: determinants, powers, traces, covariances ..."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike import return_types
from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.warn import warn
from torchlike.linalg._common import check_floating, check_square, check_tensors, give
from torchlike.linalg.determinants import _det, _slogdet
from torchlike.linalg.inverses import inv, pinv
from torchlike.linalg.norms import matrix_norm
from torchlike.linalg.powers import _matrix_exp, power
from torchlike.linalg.products import _cross
from torchlike.ops._bounds import host
from torchlike.ops._checks import BARE, BOOL, INTEGERS, is_in, refuse
from torchlike.ops.create import complex as _complex
from torchlike.ops.masked import where
from torchlike.ops.norms import _vector_norm
from torchlike.ops.norms import norm as _norm
from torchlike.ops.reduce import sum as _sum
from torchlike.ops.reduce import widened

__all__ = [
    "corrcoef",
    "cov",
    "cross",
    "det",
    "frobenius_norm",
    "inverse",
    "logdet",
    "matrix_exp",
    "matrix_power",
    "norm_except_dim",
    "nuclear_norm",
    "pinverse",
    "slogdet",
    "trace",
]

Tensor = Any


@composite
def det(input: Tensor) -> Tensor:
    """Return the determinants of square matrices: :func:`torch.linalg.det`.

    >>> torch.det(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
    tensor(-4.)
    """
    check_tensors("det", input=input)
    return _det(input)[0]


@composite
def slogdet(input: Tensor) -> Any:
    """Return the signs and logarithms of the determinants of square matrices: :func:`torch.linalg.slogdet`.

    >>> torch.slogdet(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).logabsdet
    tensor(0.6931)
    """
    check_tensors("slogdet", input=input)
    sign, logabsdet, _, _ = _slogdet(input)
    return return_types.slogdet(sign, logabsdet)


@composite
def logdet(input: Tensor) -> Tensor:
    """Return the logarithms of the determinants of square matrices; nan for a negative one, -inf for zero.

    >>> torch.logdet(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor(0.6931)
    """
    check_tensors("logdet", input=input)
    check_square(dispatch.shaped(input), "logdet")
    check_floating(dispatch.shaped(input), "logdet", half=False)
    sign, logabsdet, _, _ = _slogdet(input)
    if input.is_complex():
        return sign.log() + logabsdet
    return where(sign == -1, float("nan"), logabsdet)


@composite
def inverse(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverses of square matrices: :func:`torch.linalg.inv`.

    >>> torch.inverse(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    check_tensors("inverse", input=input)
    return inv(input, out=out)


@composite
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Return the pseudoinverses of matrices: :func:`torch.linalg.pinv`.

    >>> torch.pinverse(torch.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    check_tensors("pinverse", input=input)
    return pinv(input, rcond)


@composite
def matrix_exp(input: Tensor) -> Tensor:
    """Return the exponentials of square matrices: :func:`torch.linalg.matrix_exp`.

    >>> torch.matrix_exp(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_tensors("matrix_exp", input=input)
    return _matrix_exp(input)


@composite
def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Return the n-th powers of square matrices: :func:`torch.linalg.matrix_power`.

    >>> torch.matrix_power(torch.tensor([[1, 1], [0, 1]]), 5)
    tensor([[1, 5],
            [0, 1]])
    """
    check_tensors("matrix_power", input=input)
    return give("matrix_power", power(input, n), out)


@composite
def cross(input: Tensor, other: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the cross products along ``dim``, by default the first dimension of size 3 in ``input``.

    See :func:`torch.linalg.cross`, whose default is the last dimension.

    >>> torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]), dim=0)
    tensor([0, 0, 1])
    """
    check_tensors("cross", input=input, other=other)
    if dim is None:
        shape = dispatch.shape_of(input)
        check(3 in shape, "no dimension of size 3 in input")
        dim = shape.index(3)
    return _cross(input, other, dim, out=out)


@op
def trace(input: Array) -> Array:
    """Return the sum of a matrix's diagonal, of integers in int64.

    >>> torch.trace(torch.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    check(input.ndim == 2, f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    refuse("trace", input, BOOL, BARE)
    wide = input.astype(jnp.int64) if is_in(input, INTEGERS) else widened(input)
    return jnp.sum(jnp.diagonal(wide)).astype(jnp.int64 if is_in(input, INTEGERS) else input.dtype)


@defvjp(trace)
def _(grad, inputs, outputs):
    (input,) = inputs
    return (grad * jnp.eye(input.shape[0], input.shape[1], dtype=grad.dtype),)


# ---------------------------------------------------------------------------------------------------------------------
# Norms


@composite(method=False)
def nuclear_norm(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the sum of the singular values of a matrix, or of the matrices in the two dimensions ``dim``.

    >>> torch.nuclear_norm(torch.tensor([[3.0, 0.0], [0.0, 2.0]]))
    tensor(5.)
    """
    check_tensors("nuclear_norm", input=input)
    return matrix_norm(input, "nuc", (-2, -1) if dim is None or isinstance(dim, bool) else dim, keepdim, out=out)


@composite(method=False)
def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the root of the sum of squared absolute values over one or two dimensions.

    >>> torch.frobenius_norm(torch.tensor([[3.0, 4.0]]), dim=(0, 1))
    tensor(5.)
    """
    check_tensors("frobenius_norm", input=input)
    check(
        input.is_floating_point() or input.is_complex(),
        f"norm(): input dtype should be either floating point or complex. Got {scalar_type(input.dtype)} instead.",
    )
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    check(len(dims) <= 2, f"Expected at most 2 dimensions, but got {len(dims)} dimensions instead.")
    return _vector_norm(input, 2.0, dims, keepdim, None, out=out)


@composite(method=False)
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """Return the ``pow``-norm over all dimensions but ``dim``, which are kept with size 1; -1 leaves none out.

    >>> torch.norm_except_dim(torch.tensor([[3.0, 4.0], [6.0, 8.0]]), 2, 0)
    tensor([[ 5.],
            [10.]])
    """
    check_tensors("norm_except_dim", v=v)
    if dim == -1:
        return _norm(v, pow)
    ndim = v.dim()
    if dim not in (0, ndim - 1):
        return norm_except_dim(v.transpose(0, dim), pow, 0).transpose(0, dim)
    if dim == 0:
        return _norm(v.contiguous().view(v.size(0), -1), pow, 1).view(v.size(0), *[1] * (ndim - 1))
    return _norm(v.contiguous().view(-1, v.size(-1)), pow, 0).view(*[1] * (ndim - 1), v.size(-1))


# ---------------------------------------------------------------------------------------------------------------------
# Covariances


def _check_weights(name: str, weights: Tensor, count: int, what: str) -> None:
    check(
        weights.dim() <= 1,
        f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights.dim()} dimensions",
    )
    right = weights.is_floating_point() if what == "floating point" else weights.dtype.np in INTEGERS
    check(
        right,
        f"cov(): expected {name} to have {what} dtype but got {name} with {scalar_type(weights.dtype)} dtype",
    )
    check(
        weights.numel() == count,
        f"cov(): expected {name} to have the same numel as there are observations in the input but got "
        f"{weights.numel()} != {count}",
    )
    values = host(weights)
    check(
        count == 0 or values is None or bool((values >= 0).all()),
        f"cov(): {name} cannot be negative",
    )


@composite
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Return the covariance matrix of variables (rows) from observations (columns).

    ``fweights`` (integers) repeat observations, ``aweights`` (floating point) weigh them; ``correction`` is taken from
    the number of observations. One variable may be a vector, and gives a number.

    >>> torch.cov(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    check_tensors("cov", input=input)
    check(
        input.dim() <= 2,
        f"cov(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions",
    )
    check(input.dtype is not dtypes.bool, "cov(): bool dtype is not supported for input")
    rows = input.view(1, -1) if input.dim() < 2 else input
    count = rows.size(1)
    weights = None
    if fweights is not None:
        _check_weights("fweights", fweights, count, "integral")
        weights = fweights
    if aweights is not None:
        _check_weights("aweights", aweights, count, "floating point")
        weights = aweights if fweights is None else fweights * aweights
    total = input.new_tensor(count, dtype=dtypes.int64) if weights is None else weights.sum()
    values = None if weights is None else host(total)
    check(
        weights is None or count == 0 or values is None or bool(values != 0),
        "cov(): weights sum to zero, can't be normalized",
    )
    kind = rows.dtype if rows.is_floating_point() or rows.is_complex() else dtypes.get_default_dtype()
    mean = rows.mean(1, dtype=kind) if weights is None else _sum(rows * weights, 1) / total
    if weights is None:
        scale: Any = count - correction
    elif aweights is None or correction == 0:
        scale = total - correction
    else:
        scale = total - correction * _sum(weights * aweights) / total
    known = scale if weights is None else host(scale)
    if known is not None and known <= 0:
        warn("cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.")
        scale = 0 if weights is None else scale * 0
    elif weights is not None:
        scale = scale.clamp(min=0)
    centred = rows - mean.unsqueeze(1)
    flow = centred if weights is None else centred * weights
    return (centred @ flow.t().conj()).div(scale).squeeze()


@composite
def corrcoef(input: Tensor) -> Tensor:
    """Return the correlation coefficients of variables (rows) from observations (columns); real parts are in [-1, 1].

    >>> torch.corrcoef(torch.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    check_tensors("corrcoef", input=input)
    check(
        input.dim() <= 2,
        f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions",
    )
    c = cov(input)
    if c.dim() == 0:
        return c / c
    d = c.diag()
    deviation = (d.real if d.is_complex() else d).sqrt()
    c = c / deviation.view(-1, 1)
    c = c / deviation.view(1, -1)
    if c.is_complex():
        return _complex(c.real.clamp(-1, 1), c.imag.clamp(-1, 1))
    return c.clamp(-1, 1)
