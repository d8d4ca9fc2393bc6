"""Random correlation matrices."""

from __future__ import annotations

import math
from typing import Any

from torchlike._core.dtype import finfo
from torchlike._core.size import Size
from torchlike.distributions import constraints
from torchlike.distributions.beta import Beta
from torchlike.distributions.distribution import Distribution
from torchlike.distributions.utils import broadcast_all
from torchlike.ops import _public as ops

__all__ = ["LKJCholesky"]

Tensor = Any


class LKJCholesky(Distribution):
    """Cholesky factors of correlation matrices of ``dim`` rows, with density ``det(M)**(concentration - 1)``.

    Lewandowski, Kurowicka and Joe (2009), by their onion method.

    >>> torch.distributions.LKJCholesky(2).event_shape
    torch.Size([2, 2])
    """

    arg_constraints = {"concentration": constraints.positive}  # noqa: RUF012
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        like = {"dtype": self.concentration.dtype, "device": self.concentration.device}
        marginal = self.concentration + 0.5 * (dim - 2)
        offset = ops.cat([ops.zeros((1,), **like), ops.arange(dim - 1, **like)])
        self._beta = Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)
        super().__init__(self.concentration.size(), Size((dim, dim)), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new, shape = self._expanded(LKJCholesky, batch_shape, _instance, "concentration")
        new.dim = self.dim
        new._beta = self._beta.expand(shape + (self.dim,))
        return self._finish(LKJCholesky, new, shape, self.event_shape)

    def sample(self, sample_shape: Any = Size()) -> Tensor:  # noqa: B008
        y = self._beta.sample(sample_shape).unsqueeze(-1)
        normal = ops.randn(self._extended_shape(sample_shape), dtype=y.dtype, device=y.device).tril(-1)
        sphere = normal / normal.norm(dim=-1, keepdim=True)
        sphere[..., 0, :].fill_(0.0)
        w = ops.sqrt(y) * sphere
        diagonal = ops.clamp(1 - ops.sum(w**2, dim=-1), min=finfo(w.dtype).tiny).sqrt()
        return w + ops.diag_embed(diagonal)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = ops.arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        unnormalized = ops.sum(order * diagonal.log(), dim=-1)
        less = self.dim - 1
        alpha = self.concentration + 0.5 * less
        numerator = ops.mvlgamma(alpha - 0.5, less)
        return unnormalized - (0.5 * less * math.log(math.pi) + numerator - ops.lgamma(alpha) * less)
