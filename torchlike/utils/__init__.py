"""Helpers around tensors and modules: hooks, data loading, checkpointing."""

from torchlike.utils import checkpoint, data, dlpack, hooks, serialization
