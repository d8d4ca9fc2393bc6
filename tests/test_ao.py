"""The marks of quantization in models, which do nothing until a model is prepared."""

from __future__ import annotations

import torchlike as torch
from torchlike.ao.quantization import DeQuantStub, QuantStub, QuantWrapper


def test_stubs_are_the_identity():
    x = torch.ones(2)
    assert QuantStub()(x) is x
    assert DeQuantStub(qconfig="mine").qconfig == "mine"
    wrapped = QuantWrapper(torch.nn.ReLU().eval())
    assert not wrapped.training
    assert wrapped(-x).tolist() == [0.0, 0.0]
    assert [name for name, _ in wrapped.named_children()] == ["quant", "dequant", "module"]
