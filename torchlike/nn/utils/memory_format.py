"""The memory format of convolutions' weights."""

from __future__ import annotations

from typing import Any

from torchlike.nn.modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from torchlike.nn.modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def _convert(module: Module, memory_format: Any, kinds: tuple[type[Any], ...]) -> Module:
    for found in module.modules():
        if isinstance(found, kinds):
            found.weight.data = found.weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Bring the weights of all 2-d convolutions in a module into a memory format; returns the module.

    >>> m = torch.nn.utils.convert_conv2d_weight_memory_format(torch.nn.Conv2d(8, 4, 3), torch.channels_last)
    >>> m.weight.stride()
    (72, 1, 24, 8)
    """
    return _convert(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Bring the weights of all 3-d convolutions in a module into a memory format; returns the module.

    >>> m = torch.nn.utils.convert_conv3d_weight_memory_format(torch.nn.Conv3d(2, 4, 3), torch.channels_last_3d)
    >>> m.weight.stride()
    (54, 1, 18, 6, 2)
    """
    return _convert(module, memory_format, (Conv3d, ConvTranspose3d))
