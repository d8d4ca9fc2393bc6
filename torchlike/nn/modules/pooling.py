"""Pooling layers."""

from __future__ import annotations

from typing import Any, ClassVar

from torchlike.nn import functional as F
from torchlike.nn.modules._tuples import _ntuple, _single
from torchlike.nn.modules.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

Tensor = Any


class _Pool(Module):
    """A pooling of one, two or three dimensions, which names its options in ``repr``."""

    _dims: ClassVar[int]
    _shown: ClassVar[tuple[str, ...]]

    def extra_repr(self) -> str:
        """The options, as ``repr`` shows them."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)


# ---------------------------------------------------------------------------------------------------------------------
# Maxima


class _MaxPoolNd(_Pool):
    __constants__: ClassVar[list[str]] = [
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "return_indices",
        "ceil_mode",
    ]
    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    _pool: ClassVar[Any]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        """Take the maxima."""
        return self._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class MaxPool1d(_MaxPoolNd):
    """Return the maxima of (n, c, l) or (c, l) over windows; with ``return_indices`` also where they lie.

    >>> torch.nn.MaxPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[3., 2.]])
    """

    _pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd):
    """Return the maxima of (n, c, h, w) or (c, h, w) over windows; ``stride`` is by default ``kernel_size``.

    >>> torch.nn.MaxPool2d(3, stride=2)(torch.zeros(1, 2, 7, 9)).shape
    torch.Size([1, 2, 3, 4])
    """

    _pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """Return the maxima of (n, c, d, h, w) or (c, d, h, w) over windows.

    >>> torch.nn.MaxPool3d(2)(torch.zeros(1, 4, 4, 4)).shape
    torch.Size([1, 2, 2, 2])
    """

    _pool = staticmethod(F.max_pool3d)


class _MaxUnpoolNd(_Pool):
    _shown = ("kernel_size", "stride", "padding")
    _unpool: ClassVar[Any]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        tuple_of = _ntuple(self._dims)
        self.kernel_size = tuple_of(kernel_size)
        self.stride = tuple_of(stride if stride is not None else kernel_size)
        self.padding = tuple_of(padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """Put the maxima back; ``output_size`` picks one of the sizes that the windows leave open."""
        return self._unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpoolNd):
    """Put the maxima that a `MaxPool1d` found back where they were; zeros elsewhere.

    >>> pool = torch.nn.MaxPool1d(2, return_indices=True)
    >>> torch.nn.MaxUnpool1d(2)(*pool(torch.tensor([[1., 3., 2., 0.]])))
    tensor([[0., 3., 2., 0.]])
    """

    _dims = 1
    _unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """Put the maxima that a `MaxPool2d` found back where they were; zeros elsewhere."""

    _dims = 2
    _unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """Put the maxima that a `MaxPool3d` found back where they were; zeros elsewhere."""

    _dims = 3
    _unpool = staticmethod(F.max_unpool3d)


class _FractionalMaxPoolNd(_Pool):
    __constants__: ClassVar[list[str]] = ["kernel_size", "return_indices", "output_size", "output_ratio"]
    _shown = ()
    _pool: ClassVar[Any]

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        tuple_of, kind = _ntuple(self._dims), f"FractionalMaxPool{self._dims}d"
        self.kernel_size = tuple_of(kernel_size)
        if self._dims == 3 and not all(k > 0 for k in self.kernel_size):
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = tuple_of(output_size) if output_size is not None else None
        self.output_ratio = tuple_of(output_ratio) if output_ratio is not None else None
        if output_size is None and output_ratio is None:
            raise ValueError(f"{kind} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        """Take the maxima over windows at random places."""
        return self._pool(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Return maxima over windows at random places: ``output_size`` of them, or ``output_ratio`` of the input's size.

    Takes (n, c, h, w) or (c, h, w). Raises ValueError unless exactly one of the two is given.

    >>> torch.nn.FractionalMaxPool2d(2, output_ratio=0.5)(torch.zeros(1, 6, 8)).shape
    torch.Size([1, 3, 4])
    """

    _dims = 2
    _pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Return maxima over windows at random places of (n, c, d, h, w) or (c, d, h, w)."""

    _dims = 3
    _pool = staticmethod(F.fractional_max_pool3d)


# ---------------------------------------------------------------------------------------------------------------------
# Averages and norms


class _AvgPoolNd(_Pool):
    __constants__: ClassVar[list[str]] = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]
    _shown = ("kernel_size", "stride", "padding")


class AvgPool1d(_AvgPoolNd):
    """Return averages of (n, c, l) or (c, l) over windows; ``stride`` is by default ``kernel_size``.

    >>> torch.nn.AvgPool1d(2)(torch.tensor([[1., 3., 2., 0.]]))
    tensor([[2., 1.]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _single(kernel_size)
        self.stride = _single(stride if stride is not None else kernel_size)
        self.padding = _single(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Take the averages."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPoolOfMany(_AvgPoolNd):
    __constants__: ClassVar[list[str]] = [*_AvgPoolNd.__constants__, "divisor_override"]
    _pool: ClassVar[Any]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Take the averages."""
        return self._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPoolOfMany):
    """Return averages of (n, c, h, w) or (c, h, w) over windows; ``divisor_override`` replaces their sizes.

    >>> torch.nn.AvgPool2d(2)(torch.tensor([[[1., 2.], [3., 4.]]]))
    tensor([[[2.5000]]])
    """

    _pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolOfMany):
    """Return averages of (n, c, d, h, w) or (c, d, h, w) over windows."""

    _pool = staticmethod(F.avg_pool3d)


class _LPPoolNd(_Pool):
    __constants__: ClassVar[list[str]] = ["norm_type", "kernel_size", "stride", "ceil_mode"]
    _shown = ("norm_type", "kernel_size", "stride", "ceil_mode")
    _pool: ClassVar[Any]

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Take the norms."""
        return self._pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool1d(_LPPoolNd):
    """Return the p-norms of (n, c, l) or (c, l) over windows, p being ``norm_type``.

    >>> torch.nn.LPPool1d(2, 2)(torch.tensor([[3., 4., 0., 2.]]))
    tensor([[5., 2.]])
    """

    _pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """Return the p-norms of (n, c, h, w) or (c, h, w) over windows."""

    _pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """Return the p-norms of (n, c, d, h, w) or (c, d, h, w) over windows."""

    _pool = staticmethod(F.lp_pool3d)


# ---------------------------------------------------------------------------------------------------------------------
# A given number of windows


class _AdaptiveMaxPoolNd(_Pool):
    __constants__: ClassVar[list[str]] = ["output_size", "return_indices"]
    _shown = ("output_size",)
    _pool: ClassVar[Any]

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """Take the maxima."""
        return self._pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Return the maxima of (n, c, l) or (c, l) over ``output_size`` bins of nearly equal size.

    >>> torch.nn.AdaptiveMaxPool1d(2)(torch.tensor([[1., 3., 2.]]))
    tensor([[3., 3.]])
    """

    _pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Return the maxima of (n, c, h, w) or (c, h, w) over bins; a size of None keeps that of the input."""

    _pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Return the maxima of (n, c, d, h, w) or (c, d, h, w) over bins."""

    _pool = staticmethod(F.adaptive_max_pool3d)


class _AdaptiveAvgPoolNd(_Pool):
    __constants__: ClassVar[list[str]] = ["output_size"]
    _shown = ("output_size",)
    _pool: ClassVar[Any]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Take the averages."""
        return self._pool(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Return averages of (n, c, l) or (c, l) over ``output_size`` bins of nearly equal size.

    >>> torch.nn.AdaptiveAvgPool1d(2)(torch.tensor([[1., 2., 3.]]))
    tensor([[1.5000, 2.5000]])
    """

    _pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Return averages of (n, c, h, w) or (c, h, w) over bins; a size of None keeps that of the input.

    >>> torch.nn.AdaptiveAvgPool2d((1, None))(torch.ones(2, 3, 4, 5)).shape
    torch.Size([2, 3, 1, 5])
    """

    _pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Return averages of (n, c, d, h, w) or (c, d, h, w) over bins."""

    _pool = staticmethod(F.adaptive_avg_pool3d)
