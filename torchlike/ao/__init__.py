"""``torch.ao`` for models that mark where they would be quantized; there are no quantized types."""

from torchlike.ao import quantization

__all__ = ["quantization"]
