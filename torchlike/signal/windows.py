"""Window functions with SciPy's names and conventions: symmetric unless ``sym=False``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core import layout as layouts
from torchlike.ops._fill import finished
from torchlike.ops.windows import bessel, cosine_sum

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]

Tensor = Any
_Array = np.ndarray[Any, Any]


def _made(
    name: str,
    M: int,
    sym: bool,
    formula: Callable[[_Array, int], _Array],
    dtype: Any,
    layout: Any,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    """A window from its formula, of the positions and the number of steps of a period."""
    wanted = dtypes.get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not layouts.strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if wanted not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {wanted}")
    values = np.ones(M) if M <= 1 else formula(np.arange(M, dtype=np.float64), M - 1 if sym else M)
    return finished(dispatch.wrap_host(values.astype(wanted.np), device), requires_grad)


def _sum(M: int, coefficients: tuple[float, ...], sym: bool, options: tuple[Any, ...]) -> Tensor:
    wanted = options[0] or dtypes.get_default_dtype()

    def formula(n: _Array, count: int) -> _Array:
        # Summed in the dtype of the window, as PyTorch does it: what cancels at the ends leaves the same rest.
        return cosine_sum((n * (2 * math.pi / count)).astype(wanted.np), *coefficients)

    return _made("general_cosine", M, sym, formula, *options)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``exp(-|n - center| / tau)``; the center is the middle, and may be another with ``sym=False`` only.

    >>> torch.signal.windows.exponential(3, tau=1.0)
    tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def formula(n: _Array, count: int) -> _Array:
        return np.exp(-np.abs(n - (count / 2 if center is None else center)) / tau)

    return _made("exponential", M, sym, formula, dtype, layout, device, requires_grad)


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return half a period of a sine: ``sin(pi (n + 0.5) / M)``.

    >>> torch.signal.windows.cosine(2)
    tensor([0.7071, 0.7071])
    """

    def formula(n: _Array, count: int) -> _Array:
        return np.sin(math.pi * (n + 0.5) / (count + 1))

    return _made("cosine", M, sym, formula, dtype, layout, device, requires_grad)


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a bell: ``exp(-((n - middle) / std)^2 / 2)``.

    >>> torch.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")

    def formula(n: _Array, count: int) -> _Array:
        return np.exp(-(((n - count / 2) / std) ** 2) / 2)

    return _made("gaussian", M, sym, formula, dtype, layout, device, requires_grad)


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return Kaiser's window: ``I0(beta sqrt(1 - (2 n / (M - 1) - 1)^2)) / I0(beta)``.

    >>> torch.signal.windows.kaiser(3, beta=0.0)
    tensor([1., 1., 1.])
    """
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def formula(n: _Array, count: int) -> _Array:
        x = n * (2 / count) - 1
        return bessel(beta * np.sqrt(np.maximum(1 - x * x, 0))) / bessel(np.asarray([beta]))

    return _made("kaiser", M, sym, formula, dtype, layout, device, requires_grad)


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return Hamming's window: ``0.54 - 0.46 cos(2 pi n / (M - 1))``.

    >>> torch.signal.windows.hamming(3)
    tensor([0.0800, 1.0000, 0.0800])
    """
    return _sum(M, (0.54, 0.46), sym, (dtype, layout, device, requires_grad))


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return Hann's window: ``0.5 - 0.5 cos(2 pi n / (M - 1))``.

    >>> torch.signal.windows.hann(3)
    tensor([0., 1., 0.])
    """
    return _sum(M, (0.5, 0.5), sym, (dtype, layout, device, requires_grad))


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return Blackman's window: ``0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))``.

    >>> torch.signal.windows.blackman(4)[1]
    tensor(0.6300)
    """
    return _sum(M, (0.42, 0.5, 0.08), sym, (dtype, layout, device, requires_grad))


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a triangle: ``1 - |2 n / (M - 1) - 1|``.

    >>> torch.signal.windows.bartlett(3)
    tensor([0., 1., 0.])
    """

    def formula(n: _Array, count: int) -> _Array:
        return 1 - np.abs(n * (2 / count) - 1)

    return _made("bartlett", M, sym, formula, dtype, layout, device, requires_grad)


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a sum of cosines with alternating signs: ``a[0] - a[1] cos(x) + a[2] cos(2 x) ...``, x from 0 to 2 pi.

    >>> torch.signal.windows.general_cosine(3, a=[0.5, 0.5])
    tensor([0., 1., 0.])
    """
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    coefficients = tuple(float(x) for x in a)
    if not coefficients:
        raise ValueError("Coefficients cannot be empty")
    return _sum(M, coefficients, sym, (dtype, layout, device, requires_grad))


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``alpha - (1 - alpha) cos(2 pi n / (M - 1))``.

    >>> torch.signal.windows.general_hamming(3, alpha=0.5)
    tensor([0., 1., 0.])
    """
    return _sum(M, (alpha, 1.0 - alpha), sym, (dtype, layout, device, requires_grad))


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = layouts.strided,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return Nuttall's window, a sum of four cosines.

    >>> torch.signal.windows.nuttall(3)[1].round()
    tensor(1.)
    """
    coefficients = (0.3635819, 0.4891775, 0.1365995, 0.0106411)
    return _sum(M, coefficients, sym, (dtype, layout, device, requires_grad))
