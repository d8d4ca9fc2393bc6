"""The generalised Pareto distribution."""

from __future__ import annotations

import math
from numbers import Number
from typing import Any

from torchlike._core.size import Size
from torchlike.distributions import constraints
from torchlike.distributions.distribution import Distribution
from torchlike.distributions.utils import broadcast_all
from torchlike.ops import _public as ops

__all__ = ["GeneralizedPareto"]

Tensor = Any


class GeneralizedPareto(Distribution):
    """The generalised Pareto distribution: the tails beyond a high threshold.

    >>> torch.distributions.GeneralizedPareto(0.0, 1.0, 0.0).cdf(torch.tensor(1.0))
    tensor(0.6321)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}  # noqa: RUF012
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        numbers = all(isinstance(x, Number) for x in (loc, scale, concentration))
        super().__init__(Size() if numbers else self.loc.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new, shape = self._expanded(GeneralizedPareto, batch_shape, _instance, "loc", "scale", "concentration")
        return self._finish(GeneralizedPareto, new, shape)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:  # noqa: B008
        shape = self._extended_shape(sample_shape)
        return self.icdf(ops.rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def _shape(self) -> tuple[Tensor, Tensor]:
        """Where the concentration is 0, so that the law is an exponential one, and one to divide by."""
        zero = ops.isclose(self.concentration, ops.zeros_like(self.concentration))
        return zero, ops.where(zero, ops.ones_like(self.concentration), self.concentration)

    def _z(self, x: Tensor) -> Tensor:
        return (x - self.loc) / self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        z = self._z(value)
        zero, safe = self._shape()
        y = 1 / safe + ops.ones_like(z)
        powered = ops.where(y == 0, y, y * ops.log1p(safe * z))
        return -self.scale.log() - ops.where(zero, z, powered)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """Return ``log(1 - cdf(value))``, precise in the tail."""
        if self._validate_args:
            self._validate_sample(value)
        z = self._z(value)
        zero, safe = self._shape()
        return -ops.where(zero, z, ops.log1p(safe * z) / safe)

    def log_cdf(self, value: Tensor) -> Tensor:
        """Return ``log(cdf(value))``."""
        if self._validate_args:
            self._validate_sample(value)
        return ops.log1p(-ops.exp(self.log_survival_function(value)))

    def cdf(self, value: Tensor) -> Tensor:
        return ops.exp(self.log_cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        zero, safe = self._shape()
        logarithm = ops.log1p(-value)
        powered = self.loc + self.scale / safe * ops.expm1(-safe * logarithm)
        return ops.where(zero, self.loc - self.scale * logarithm, powered)

    @property
    def mean(self) -> Tensor:
        there = self.concentration < 1
        safe = ops.where(there, self.concentration, 0.5)
        result = self.loc + self.scale / (1 - safe)
        return ops.where(there, result, ops.full_like(result, math.nan))

    @property
    def variance(self) -> Tensor:
        there = self.concentration < 0.5
        safe = ops.where(there, self.concentration, 0.25)
        result = self.scale**2 / ((1 - safe) ** 2 * (1 - 2 * safe))
        return ops.where(there, result, ops.full_like(result, math.nan))

    def entropy(self) -> Tensor:
        return ops.broadcast_to(ops.log(self.scale) + self.concentration + 1, self._batch_shape)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        bounded = self.concentration < 0
        upper = ops.where(bounded, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, upper)
