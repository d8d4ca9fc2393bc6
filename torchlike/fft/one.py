"""Transforms over one dimension."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import composite
from torchlike.fft._transforms import (
    as_float,
    c2c,
    c2r,
    check_length,
    normalization_of,
    one_dim,
    one_length,
    r2c,
    resized,
)
from torchlike.linalg._common import check_tensors, give

__all__ = ["fft", "hfft", "ifft", "ihfft", "irfft", "rfft"]

Tensor = Any


def _check_out(function: str, out: Tensor | None, complex: bool) -> None:
    if out is not None and hasattr(out, "dtype"):
        right = out.dtype.is_complex if complex else out.dtype.is_floating_point
        wanted = "complex" if complex else "floating point"
        check(right, f"{function} expects a {wanted} output tensor, but got {scalar_type(out.dtype)}")


def _complex(
    function: str, input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool, out: Tensor | None
) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    length = one_length(n, name)
    if not input.is_complex():
        return _from_real(function, input, n, dim, norm, forward, False, out)
    _check_out(function, out, True)
    where = one_dim(input, dim, name)
    size = dispatch.shape_of(input)[where] if length is None else length
    check_length(size)
    x = input if length is None else resized(input, (where,), (size,))
    return give(name, c2c(x, (where,), normalization_of(norm, forward), forward), out)


def _from_real(
    function: str,
    input: Tensor,
    n: int | None,
    dim: int,
    norm: str | None,
    forward: bool,
    onesided: bool,
    out: Tensor | None,
) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    check(not input.is_complex(), f"{function} expects a real input tensor, but got {scalar_type(input.dtype)}")
    length = one_length(n, name)
    _check_out(function, out, True)
    input = as_float(input, complex=False)
    where = one_dim(input, dim, name)
    size = dispatch.shape_of(input)[where] if length is None else length
    check_length(size)
    x = input if length is None else resized(input, (where,), (size,))
    result = r2c(x, (where,), normalization_of(norm, forward), onesided)
    return give(name, result if forward else result.conj(), out)


def _to_real(
    function: str, input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool, out: Tensor | None
) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    length = one_length(n, name)
    _check_out(function, out, False)
    input = as_float(input, complex=True)
    where = one_dim(input, dim, name)
    size = 2 * (dispatch.shape_of(input)[where] - 1) if length is None else length
    check_length(size)
    x = input if length is None else resized(input, (where,), (size // 2 + 1,))
    if forward:
        x = x.conj()
    return give(name, c2r(x, (where,), normalization_of(norm, forward), size), out)


@composite
def fft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the discrete Fourier transform along ``dim``: ``sum_j x[j] exp(-2 pi i j k / n)``.

    The input is cut off or continued with zeros to ``n``. ``norm``: "backward" (default) does not scale, "ortho"
    divides by the root of n, "forward" by n. Takes real and complex numbers, integers as the default dtype; float16 and
    bfloat16 raise RuntimeError.

    >>> torch.fft.fft(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    tensor([ 1.+0.j,  0.-1.j, -1.+0.j,  0.+1.j])
    """
    return _complex("fft", input, n, dim, norm, True, out)


@composite
def ifft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse of :func:`fft` along ``dim``; "backward" divides by n, "forward" does not.

    >>> torch.fft.ifft(torch.tensor([4.0, 0.0, 0.0, 0.0], dtype=torch.complex64))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _complex("ifft", input, n, dim, norm, False, out)


@composite
def rfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the first ``n // 2 + 1`` numbers of the transform of real numbers; the others are their conjugates.

    >>> torch.fft.rfft(torch.tensor([1.0, 1.0, 1.0, 1.0]))
    tensor([4.+0.j, 0.+0.j, 0.+0.j])
    """
    return _from_real("rfft", input, n, dim, norm, True, True, out)


@composite
def irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse of :func:`rfft`: ``n`` real numbers, by default ``2 (size - 1)``.

    >>> torch.fft.irfft(torch.tensor([4.0 + 0j, 0j, 0j]))
    tensor([1., 1., 1., 1.])
    """
    return _to_real("irfft", input, n, dim, norm, False, out)


@composite
def hfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real transform of a Hermitian signal of which the first half is given; ``n`` is the output's length.

    >>> torch.fft.hfft(torch.tensor([1.0 + 0j, 0j, 0j]))
    tensor([1., 1., 1., 1.])
    """
    return _to_real("hfft", input, n, dim, norm, True, out)


@composite
def ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse of :func:`hfft`: the first half of the Hermitian inverse transform of real numbers.

    >>> torch.fft.ihfft(torch.tensor([1.0, 1.0, 1.0, 1.0]))
    tensor([1.-0.j, 0.-0.j, 0.-0.j])
    """
    return _from_real("ihfft", input, n, dim, norm, False, True, out)
