"""Window functions: ``torch.hann_window`` and its kin; others are in ``torchlike.signal``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from torchlike._core import dispatch, layout
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike._core.layout import strided
from torchlike._core.op import composite
from torchlike.ops._fill import check_options, dtype_argument, finished

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]

Tensor = Any
_Array = np.ndarray[Any, Any]
_CPP_TYPES = {
    "float32": "float",
    "float64": "double",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
}


def cosine_sum(index: _Array, *coefficients: float) -> _Array:
    """``a0 - a1 cos(x) + a2 cos(2x) ...`` of angles."""
    total = np.zeros_like(index)
    for k, a in enumerate(coefficients):
        total = total + index.dtype.type((-1) ** k * a) * np.cos(index * index.dtype.type(k))
    return total


def bessel(x: _Array) -> _Array:
    """The modified Bessel function of order 0."""
    return np.i0(x.astype(np.float64)).reshape(x.shape)


def _made(
    name: str,
    length: Any,
    periodic: bool,
    formula: Callable[[_Array, int], _Array],
    out: Tensor | None,
    dtype: Any,
    place: tuple[Any, Any, bool, bool],
) -> Tensor:
    """A window from its formula, of the positions and their number less one."""
    where, device, pin_memory, requires_grad = place
    if isinstance(length, bool) or not hasattr(length, "__index__"):
        raise TypeError(f"{name}(): argument 'window_length' (position 1) must be int, not {type(length).__name__}")
    length = int(length)
    wanted = dtype_argument(name, dtype) or (dtypes.get_default_dtype() if out is None else out.dtype)
    shown = f"got: TensorOptions(dtype={_CPP_TYPES.get(wanted.np.name, wanted.np.name)}, device=cpu, layout="
    if where is not None and where is not layout.strided:
        check(
            False,
            f"{name} is not implemented for sparse types, {shown}Sparse, "
            "requires_grad=false (default), pinned_memory=false, memory_format=(nullopt))",
        )
    check_options(where, pin_memory, name)
    check(
        wanted.is_floating_point or wanted.is_complex,
        f"{name} expects floating point dtypes, {shown}Strided (default), requires_grad=false (default), "
        "pinned_memory=false, memory_format=(nullopt))",
    )
    check(length >= 0, f"{name} requires non-negative window_length, got window_length={length}")
    if wanted.is_complex and length > 1:
        kind = "ComplexFloat" if wanted.itemsize == 8 else "ComplexDouble"
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{kind}'")
    # PyTorch computes those of bfloat16 in bfloat16, and those of float16 in float32.
    compute = np.dtype(np.float32) if wanted is dtypes.float16 else wanted.np
    if length <= 1:
        values = np.ones(length, compute)
    else:
        count = length if periodic else length - 1
        values = formula(np.arange(length, dtype=compute), count)
    array = values.astype(wanted.np)
    if out is None:
        return finished(dispatch.wrap_host(array, device), requires_grad)
    layout.write_out(out, layout.put(array, dispatch.device_of(out)), dispatch.write)
    return out


def _angles(index: _Array, count: int) -> _Array:
    return index * index.dtype.type(2 * math.pi / count)


@composite(method=False)
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a triangle: ``1 - |2 n / (N - 1) - 1|``. A periodic window is one of ``N + 1`` without its last element.

    >>> torch.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """

    def formula(n: _Array, count: int) -> _Array:
        return 1 - np.abs(n * n.dtype.type(2 / count) - 1)

    place = (layout, device, pin_memory, requires_grad)
    return _made("bartlett_window", window_length, periodic, formula, out, dtype, place)


@composite(method=False)
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return Blackman's window: ``0.42 - 0.5 cos(2 pi n / (N - 1)) + 0.08 cos(4 pi n / (N - 1))``.

    >>> torch.blackman_window(4, periodic=False)[1:3]
    tensor([0.6300, 0.6300])
    """

    def formula(n: _Array, count: int) -> _Array:
        return cosine_sum(_angles(n, count), 0.42, 0.5, 0.08)

    place = (layout, device, pin_memory, requires_grad)
    return _made("blackman_window", window_length, periodic, formula, out, dtype, place)


@composite(method=False)
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return Hamming's window: ``alpha - beta cos(2 pi n / (N - 1))``.

    >>> torch.hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """

    def formula(n: _Array, count: int) -> _Array:
        return cosine_sum(_angles(n, count), alpha, beta)

    place = (layout, device, pin_memory, requires_grad)
    return _made("hamming_window", window_length, periodic, formula, out, dtype, place)


@composite(method=False)
def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return Hann's window: ``0.5 - 0.5 cos(2 pi n / (N - 1))``.

    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """

    def formula(n: _Array, count: int) -> _Array:
        return cosine_sum(_angles(n, count), 0.5, 0.5)

    place = (layout, device, pin_memory, requires_grad)
    return _made("hann_window", window_length, periodic, formula, out, dtype, place)


@composite(method=False)
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return Kaiser's window: ``I0(beta sqrt(1 - (2 n / (N - 1) - 1)^2)) / I0(beta)``.

    >>> torch.kaiser_window(4, False, 0.0)
    tensor([1., 1., 1., 1.])
    """

    def formula(n: _Array, count: int) -> _Array:
        x = n.astype(np.float64) * (2 / count) - 1
        return bessel(beta * np.sqrt(np.maximum(1 - x * x, 0))) / bessel(np.asarray([beta]))

    place = (layout, device, pin_memory, requires_grad)
    return _made("kaiser_window", window_length, periodic, formula, out, dtype, place)
