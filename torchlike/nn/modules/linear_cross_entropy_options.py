"""How the cross entropy of a linear map is cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torchlike._core import dtype as dtypes

__all__ = ["LinearCrossEntropyOptions"]


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How many rows ``linear_cross_entropy`` takes at once, so that never all logits are in memory.

    ``batch_chunk_size`` is that number; or ``chunking_method`` "aspect_ratio" makes the logits of a chunk as large as
    the input, "aspect_ratio:N" an N-th of that ("auto" is one of these). The other fields are accepted: products are
    always accumulated in at least float32, and the backward computes a chunk's logits again, so that the graph can
    always be retained. Raises ValueError for values that PyTorch does not know.

    >>> torch.nn.LinearCrossEntropyOptions(batch_chunk_size=64).batch_chunk_size
    64
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        if self.acc_policy not in ("auto", "accurate", "balanced", "compact"):
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto") and self._parts(self.chunking_method) < 1:
            raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype not in (None, dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64):
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, torch.float64}, got"
                f" {self.acc_dtype!r}. Pass acc_dtype=None to let the op pick automatically."
            )

    @staticmethod
    def _parts(method: str | None) -> int:
        """The N of "aspect_ratio:N"; 0 for what is no such method."""
        name, colon, number = str(method).partition(":")
        if name != "aspect_ratio" or (colon and not number.isdigit()):
            return 0
        return int(number) if colon else 1

    def rows_per_chunk(self, num_batches: int, in_features: int, num_classes: int) -> int:
        """Return how many rows are taken at once.

        Raises ValueError where the size and the method say different numbers.
        """
        method = self.chunking_method
        if method == "auto":
            method = None if self.batch_chunk_size is not None else "aspect_ratio:2"
        if method is None:
            return max(1, min(self.batch_chunk_size or num_batches, num_batches))
        rows = -(-num_batches // -(-num_classes // max(in_features, 1)))
        found = min((1 << (rows - 1).bit_length()) // self._parts(method), num_batches)
        if self.batch_chunk_size not in (None, found):
            raise ValueError(
                f"batch_chunk_size (={self.batch_chunk_size}) and chunking_method ('{method}') give different chunk"
                f" sizes ({self.batch_chunk_size} vs {found}); pass only one."
            )
        return max(1, found)
