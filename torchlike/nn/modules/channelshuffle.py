"""The layer that mixes groups of channels."""

from __future__ import annotations

from typing import Any, ClassVar

from torchlike.nn import functional as F
from torchlike.nn.modules.module import Module

__all__ = ["ChannelShuffle"]

Tensor = Any


class ChannelShuffle(Module):
    """Take one channel of each group in turn: the channels (dimension 1) seen as (groups, c / groups), transposed.

    >>> torch.nn.ChannelShuffle(2)(torch.arange(4.).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    __constants__: ClassVar[list[str]] = ["groups"]

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Shuffle."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """The option, as ``repr`` shows it."""
        return f"groups={self.groups}"
