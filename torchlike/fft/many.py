"""Transforms over several dimensions."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import composite
from torchlike.fft._transforms import as_float, c2c, c2r, check_length, many_dims, normalization_of, r2c, resized
from torchlike.fft.one import _check_out
from torchlike.linalg._common import check_tensors, give

__all__ = [
    "fft2",
    "fftn",
    "hfft2",
    "hfftn",
    "ifft2",
    "ifftn",
    "ihfft2",
    "ihfftn",
    "irfft2",
    "irfftn",
    "rfft2",
    "rfftn",
]

Tensor = Any


def _complex(function: str, input: Tensor, s: Any, dim: Any, norm: str | None, forward: bool, out: Any) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    lengths, dims = many_dims(input, s, dim)
    _check_out(function, out, True)
    x = resized(as_float(input, complex=True), dims, lengths)
    return give(name, c2c(x, dims, normalization_of(norm, forward), forward), out)


def _check_some(function: str, dims: tuple[int, ...]) -> None:
    check(len(dims) > 0, f"{function[:-1]}n must transform at least one axis")


def _from_real(function: str, input: Tensor, s: Any, dim: Any, norm: str | None, out: Any) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    check(
        not input.is_complex(),
        f"rfftn expects a real-valued input tensor, but got {scalar_type(input.dtype)}",
    )
    lengths, dims = many_dims(input, s, dim)
    _check_out(function, out, True)
    input = as_float(input, complex=False)
    _check_some(function, dims)
    x = resized(input, dims, lengths)
    return give(name, r2c(x, dims, normalization_of(norm, True), True), out)


def _halved(input: Tensor, function: str, s: Any, dim: Any) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """The lengths of the input, the dimensions, and the length of the output's last one."""
    lengths, dims = many_dims(input, s, dim)
    _check_some(function, dims)
    given = None if s is None else int(s) if hasattr(s, "__index__") else int(tuple(s)[-1])
    shape = dispatch.shape_of(input)
    last = 2 * (shape[dims[-1]] - 1) if given is None or given == -1 else lengths[-1]
    check_length(last)
    return (*lengths[:-1], last // 2 + 1), dims, last


def _to_real(function: str, input: Tensor, s: Any, dim: Any, norm: str | None, out: Any) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    lengths, dims, last = _halved(input, function, s, dim)
    _check_out(function, out, False)
    x = resized(as_float(input, complex=True), dims, lengths)
    return give(name, c2r(x, dims, normalization_of(norm, False), last), out)


def _hermitian(function: str, input: Tensor, s: Any, dim: Any, norm: str | None, out: Any) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    lengths, dims, last = _halved(input, function, s, dim)
    _check_out(function, out, False)
    x = resized(as_float(input, complex=True), dims, lengths)
    scale = normalization_of(norm, True)
    if len(dims) > 1:
        x = c2c(x, dims[:-1], scale, True)
    return give(name, c2r(x.conj(), dims[-1:], scale, last), out)


def _inverse_hermitian(function: str, input: Tensor, s: Any, dim: Any, norm: str | None, out: Any) -> Tensor:
    name = f"fft_{function}"
    check_tensors(name, input=input)
    lengths, dims = many_dims(input, s, dim)
    _check_some(function, dims)
    _check_out(function, out, True)
    input = as_float(input, complex=False)
    check(
        not input.is_complex(),
        f"Only supports floating-point dtypes, but found: {scalar_type(input.dtype)}",
    )
    x = resized(input, dims, lengths)
    scale = normalization_of(norm, False)
    half = r2c(x, dims[-1:], scale, True).conj()
    return give(name, half if len(dims) == 1 else c2c(half, dims[:-1], scale, False), out)


@composite
def fftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the transform over the dimensions ``dim``: by default all, or as many of the last as ``s`` has lengths.

    Each is cut off or continued with zeros to its length in ``s`` (-1: as it is). ``norm`` as of :func:`fft`, n being
    the product of the lengths.

    >>> torch.fft.fftn(torch.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _complex("fftn", input, s, dim, norm, True, out)


@composite
def ifftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse of :func:`fftn`.

    >>> torch.fft.ifftn(torch.ones(2, 2))
    tensor([[1.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _complex("ifftn", input, s, dim, norm, False, out)


@composite
def rfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the transform of real numbers over dimensions, the last of them by its first ``n // 2 + 1`` numbers.

    >>> torch.fft.rfftn(torch.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _from_real("rfftn", input, s, dim, norm, out)


@composite
def irfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse of :func:`rfftn`; the last length is by default ``2 (size - 1)``.

    >>> torch.fft.irfftn(torch.ones(2, 2))
    tensor([[1., 0.],
            [0., 0.]])
    """
    return _to_real("irfftn", input, s, dim, norm, out)


@composite
def hfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the real transform of a Hermitian signal over dimensions, the last of them given by half.

    >>> torch.fft.hfftn(torch.ones(2, 2))
    tensor([[4., 0.],
            [0., 0.]])
    """
    return _hermitian("hfftn", input, s, dim, norm, out)


@composite
def ihfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the inverse of :func:`hfftn`: the Hermitian inverse transform of real numbers, the last dimension by half.

    >>> torch.fft.ihfftn(torch.ones(2, 2)).real
    tensor([[1., 0.],
            [0., 0.]])
    """
    return _inverse_hermitian("ihfftn", input, s, dim, norm, out)


@composite
def fft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return :func:`fftn` over two dimensions, by default the last.

    >>> torch.fft.fft2(torch.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _complex("fft2", input, s, dim, norm, True, out)


@composite
def ifft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return :func:`ifftn` over two dimensions, by default the last.

    >>> torch.fft.ifft2(torch.ones(2, 2))
    tensor([[1.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _complex("ifft2", input, s, dim, norm, False, out)


@composite
def rfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return :func:`rfftn` over two dimensions, by default the last.

    >>> torch.fft.rfft2(torch.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _from_real("rfft2", input, s, dim, norm, out)


@composite
def irfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return :func:`irfftn` over two dimensions, by default the last.

    >>> torch.fft.irfft2(torch.ones(2, 2))
    tensor([[1., 0.],
            [0., 0.]])
    """
    return _to_real("irfft2", input, s, dim, norm, out)


@composite
def hfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return :func:`hfftn` over two dimensions, by default the last.

    >>> torch.fft.hfft2(torch.ones(2, 2))
    tensor([[4., 0.],
            [0., 0.]])
    """
    return _hermitian("hfft2", input, s, dim, norm, out)


@composite
def ihfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return :func:`ihfftn` over two dimensions, by default the last.

    >>> torch.fft.ihfft2(torch.ones(2, 2)).real
    tensor([[1., 0.],
            [0., 0.]])
    """
    return _inverse_hermitian("ihfft2", input, s, dim, norm, out)
