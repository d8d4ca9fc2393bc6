"""Modules that say where a model's numbers would be quantized, and back."""

from __future__ import annotations

from typing import Any

from torchlike.nn.modules.module import Module

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper"]


class _Stub(Module):
    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """Return the input as it is."""
        return x


class QuantStub(_Stub):
    """Marks where a tensor would be quantized; returns it as it is.

    >>> torch.ao.quantization.QuantStub()(torch.ones(1))
    tensor([1.])
    """


class DeQuantStub(_Stub):
    """Marks where a tensor would be turned back from a quantized one; returns it as it is.

    >>> torch.ao.quantization.DeQuantStub()(torch.ones(1))
    tensor([1.])
    """


class QuantWrapper(Module):
    """A module between a `QuantStub` and a `DeQuantStub`."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.quant = QuantStub()
        self.dequant = DeQuantStub()
        self.add_module("module", module)
        self.train(module.training)

    def forward(self, X: Any) -> Any:
        """Run the module."""
        return self.dequant(self.module(self.quant(X)))
