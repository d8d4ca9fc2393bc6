"""Layers of distances and similarities."""

from __future__ import annotations

from typing import Any, ClassVar

from torchlike.nn import functional as F
from torchlike.nn.modules.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]

Tensor = Any


class PairwiseDistance(Module):
    """Return the p-norms of ``x1 - x2 + eps`` over the last dimension.

    >>> torch.nn.PairwiseDistance(eps=0.)(torch.tensor([[1., 2.]]), torch.tensor([[4., 6.]]))
    tensor([5.])
    """

    __constants__: ClassVar[list[str]] = ["norm", "eps", "keepdim"]

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Compute the distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """Return the cosine of the angle between vectors along ``dim``; lengths count as at least ``eps``.

    >>> torch.nn.CosineSimilarity(dim=0)(torch.tensor([1., 0.]), torch.tensor([3., 0.]))
    tensor(1.)
    """

    __constants__: ClassVar[list[str]] = ["dim", "eps"]

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Compute the similarities."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
