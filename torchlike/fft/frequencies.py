"""Frequencies, and the order they are put in."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, wrap_dims
from torchlike._core.layout import strided
from torchlike._core.op import composite
from torchlike.linalg._common import check_tensors, give
from torchlike.ops._fill import check_options
from torchlike.ops.ranges import arange
from torchlike.ops.rearrange import roll

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]

Tensor = Any


def _dtype(function: str, dtype: Any) -> Any:
    kind = dtypes.get_default_dtype() if dtype is None else dtype
    check(kind.is_floating_point or kind.is_complex, f"{function} requires a floating point or complex dtype")
    return kind


def _length(function: str, n: Any) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"fft_{function}(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    n = int(n)
    check(n >= 0, f"Trying to create tensor with negative dimension {n}: [{n}]")
    return n


def _finished(function: str, result: Tensor, scale: float, out: Tensor | None, requires_grad: bool) -> Tensor:
    result = result * scale
    return give(f"fft_{function}", result, out) if out is not None else result.requires_grad_(requires_grad)


def _reciprocal(x: float) -> float:
    return 1 / x if x else float("inf")


@composite
def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies of a transform of ``n`` samples ``d`` apart: ``[0, 1 ..., -n/2 ..., -1] / (d n)``.

    >>> torch.fft.fftfreq(5)
    tensor([ 0.0000,  0.2000,  0.4000, -0.4000, -0.2000])
    """
    check_options(layout, pin_memory, "fft_fftfreq")
    n = _length("fftfreq", n)
    kind = _dtype("fftfreq", dtype if out is None else out.dtype)
    result = arange(n, dtype=kind, device=device)
    if n:
        half = (n + 1) // 2
        result.narrow(0, half, n - half).sub_(n)
    return _finished("fftfreq", result, _reciprocal(n * d), out, requires_grad)


@composite
def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies of :func:`rfft` of ``n`` samples ``d`` apart: ``[0, 1 ..., n // 2] / (d n)``.

    >>> torch.fft.rfftfreq(5)
    tensor([0.0000, 0.2000, 0.4000])
    """
    check_options(layout, pin_memory, "fft_rfftfreq")
    n = _length("rfftfreq", n)
    kind = _dtype("rfftfreq", dtype if out is None else out.dtype)
    return _finished("rfftfreq", arange(n // 2 + 1, dtype=kind, device=device), _reciprocal(n * d), out, requires_grad)


def _shifted(function: str, input: Tensor, dim: Any, inverse: bool) -> Tensor:
    check_tensors(f"fft_{function}", input=input)
    shape = dispatch.shape_of(input)
    if dim is None:
        dims = tuple(range(len(shape)))
    else:
        dims = wrap_dims(int(dim) if hasattr(dim, "__index__") else tuple(dim), len(shape))
    shifts = tuple((shape[d] + 1) // 2 if inverse else shape[d] // 2 for d in dims)
    return roll(input, shifts, dims)


@composite
def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Return the numbers of a transform with the frequency zero in the middle, over ``dim`` (default: all dimensions).

    >>> torch.fft.fftshift(torch.tensor([0, 1, 2, -2, -1]))
    tensor([-2, -1,  0,  1,  2])
    """
    return _shifted("fftshift", input, dim, False)


@composite
def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Return the inverse of :func:`fftshift`.

    >>> torch.fft.ifftshift(torch.tensor([-2, -1, 0, 1, 2]))
    tensor([ 0,  1,  2, -2, -1])
    """
    return _shifted("ifftshift", input, dim, True)
