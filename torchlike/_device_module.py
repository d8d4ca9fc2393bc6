"""``torch.get_device_module``: the module of a kind of device."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torchlike import accelerator, cpu, cuda, mps, xpu
from torchlike._core.device import device as Device

__all__ = ["get_device_module"]

_MODULES: dict[str, ModuleType] = {"cpu": cpu, "cuda": cuda, "mps": mps, "xpu": xpu}


def get_device_module(device: Any = None) -> ModuleType:
    """Return the module of a kind of device, ``torch.cuda`` for ``"cuda"``; that of the accelerator without one named.

    Raises RuntimeError for what is no device, and for kinds that have no module.

    >>> torch.get_device_module("cpu") is torch.cpu
    True
    """
    if device is None:
        kind = (accelerator.current_accelerator() or Device("cpu")).type
    elif isinstance(device, (str, Device)):
        kind = Device(device).type
    else:
        raise RuntimeError(f"Invalid value of device '{device}', expect torch.device, str, or None")
    module = _MODULES.get(kind)
    if module is None:
        raise RuntimeError(f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'.")
    return module
