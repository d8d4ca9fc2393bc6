"""Helpers around tensors and modules: hooks, data loading, checkpointing."""

from torchlike.utils import _pytree, checkpoint, data, dlpack, hooks, serialization
from torchlike.utils._swap import swap_tensors
