"""Copies of a module on several devices, whose gradients come back to the module itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchlike.nn.modules.module import Module
from torchlike.nn.parallel.scatter_gather import place

__all__ = ["replicate"]


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Any]:
    """Return a copy of a module for each device; with ``detach`` no gradients flow back from the copies.

    The copies' parameters are tensors computed from the module's, and no longer parameters.

    >>> copies = torch.nn.parallel.replicate(torch.nn.Linear(2, 1), ["cpu", "cpu"])
    >>> copies[1].weight.is_leaf
    False
    """
    return [_replica(network, place(device), detach) for device in devices]


def _replica(network: Module, device: Any, detach: bool) -> Any:
    copies: dict[int, Any] = {}

    def moved(tensor: Any, with_history: bool) -> Any:
        found = copies.get(id(tensor))
        if found is None:
            # A fresh tensor also where the device is the same.
            source = tensor if with_history else tensor.detach()
            found = copies[id(tensor)] = source.to(device, copy=True)
        return found

    replicas: dict[int, Any] = {}
    for module in network.modules():
        replica = module._replicate_for_data_parallel()
        replica._former_parameters = {}
        replicas[id(module)] = replica
    for module in network.modules():
        replica = replicas[id(module)]
        for name, child in module._modules.items():
            replica._modules[name] = None if child is None else replicas[id(child)]
        for name, param in module._parameters.items():
            if param is None:
                replica._parameters[name] = None
                continue
            value = moved(param, not detach)
            object.__setattr__(replica, name, value)
            replica._former_parameters[name] = value
        for name, buffer in module._buffers.items():
            replica._buffers[name] = None if buffer is None else moved(buffer, buffer.requires_grad and not detach)
    return replicas[id(network)]
