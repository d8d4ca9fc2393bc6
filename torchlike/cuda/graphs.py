"""Recorded sequences of kernels: ``torch.compile`` and ``jax.jit`` serve instead."""

from __future__ import annotations

from typing import Any

from torchlike.cuda.streams import refuse

__all__ = ["CUDAGraph", "graph", "is_current_stream_capturing"]


class CUDAGraph:
    """A recorded sequence of kernels: RuntimeError without a GPU, NotImplementedError with one."""

    def __init__(self, keep_graph: bool = False) -> None:
        refuse("CUDAGraph", "Tried to instantiate dummy base class CUDAGraph")


class graph:
    """A block that is recorded into a graph: as `CUDAGraph`."""

    def __init__(self, cuda_graph: Any, pool: Any = None, stream: Any = None, **kwargs: Any) -> None:
        refuse("graph", "Tried to instantiate dummy base class CUDAGraph")


def is_current_stream_capturing() -> bool:
    """Return False: no sequence of kernels is being recorded."""
    return False
