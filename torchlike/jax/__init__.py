"""PyTorch-style code and jax in one program: the same arrays, gradients across the border, modules as functions.

``import torchlike.jax as tj``. PyTorch has nothing like it; ``docs/jax.md`` shows it at work.
"""

from torchlike.jax.arrays import arrays, from_array, tensors, to_array
from torchlike.jax.calls import from_jax
from torchlike.jax.modules import functional, load

__all__ = ["arrays", "from_array", "from_jax", "functional", "load", "tensors", "to_array"]
