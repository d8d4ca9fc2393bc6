"""The marks of quantization in models: until a model is prepared, which is not possible here, they do nothing."""

from torchlike.ao.quantization._stubs import DeQuantStub, QuantStub, QuantWrapper

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper"]
