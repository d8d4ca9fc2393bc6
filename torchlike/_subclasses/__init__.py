"""The tensors without data that programs ask about; there are none here."""

from torchlike._subclasses.fake_tensor import FakeTensor, FakeTensorMode

__all__ = ["FakeTensor", "FakeTensorMode"]
