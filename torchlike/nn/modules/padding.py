"""Layers that pad."""

from __future__ import annotations

from typing import Any, ClassVar

from torchlike.nn import functional as F
from torchlike.nn.modules._tuples import _ntuple
from torchlike.nn.modules.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]

Tensor = Any


class _Pad(Module):
    """A padding that continues the input; ``padding`` starts with the last dimension."""

    __constants__: ClassVar[list[str]] = ["padding"]
    _dims: ClassVar[int]
    _mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._dims)(padding)

    def forward(self, input: Tensor) -> Tensor:
        """Pad."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """The padding, as ``repr`` shows it."""
        return f"{self.padding}"


class _CircularPadNd(_Pad):
    _mode = "circular"

    def _check_input_dim(self, input: Tensor) -> None:
        low = self._dims + 1
        if input.dim() not in (low, low + 1):
            raise ValueError(f"expected {low}D or {low + 1}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """Pad."""
        self._check_input_dim(input)
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Pad (n, c, l) or (c, l) with what comes at the other end; an int pads both ends.

    >>> torch.nn.CircularPad1d((2, 1))(torch.tensor([[1., 2., 3.]]))
    tensor([[2., 3., 1., 2., 3., 1.]])
    """

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Pad (n, c, h, w) or (c, h, w) with what comes at the other end: (left, right, top, bottom)."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Pad (n, c, d, h, w) or (c, d, h, w) with what comes at the other end."""

    _dims = 3


class _ConstantPadNd(Module):
    __constants__: ClassVar[list[str]] = ["padding", "value"]
    _dims: ClassVar[int]

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._dims)(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Pad."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """The options, as ``repr`` shows them."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pad the last dimension with ``value``; an int pads both ends, negative numbers cut.

    >>> torch.nn.ConstantPad1d((1, 2), 9.)(torch.tensor([[1., 2.]]))
    tensor([[9., 1., 2., 9., 9.]])
    """

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """Pad the last two dimensions with ``value``: (left, right, top, bottom)."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """Pad the last three dimensions with ``value``: (left, right, top, bottom, front, back)."""

    _dims = 3


class ReflectionPad1d(_Pad):
    """Pad (n, c, l) or (c, l) with its mirror image, the edge not repeated.

    >>> torch.nn.ReflectionPad1d(2)(torch.tensor([[1., 2., 3.]]))
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    _dims, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Pad (n, c, h, w) or (c, h, w) with its mirror image: (left, right, top, bottom)."""

    _dims, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Pad (n, c, d, h, w) or (c, d, h, w) with its mirror image."""

    _dims, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Pad (n, c, l) or (c, l) with its edge values.

    >>> torch.nn.ReplicationPad1d(2)(torch.tensor([[1., 2., 3.]]))
    tensor([[1., 1., 1., 2., 3., 3., 3.]])
    """

    _dims, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Pad (n, c, h, w) or (c, h, w) with its edge values: (left, right, top, bottom)."""

    _dims, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Pad (n, c, d, h, w) or (c, d, h, w) with its edge values."""

    _dims, _mode = 3, "replicate"


class ZeroPad1d(ConstantPad1d):
    """Pad the last dimension with zeros.

    >>> torch.nn.ZeroPad1d(1)(torch.tensor([[1., 2.]]))
    tensor([[0., 1., 2., 0.]])
    """

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The padding, as ``repr`` shows it."""
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Pad the last two dimensions with zeros: (left, right, top, bottom)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The padding, as ``repr`` shows it."""
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Pad the last three dimensions with zeros: (left, right, top, bottom, front, back)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The padding, as ``repr`` shows it."""
        return f"{self.padding}"
