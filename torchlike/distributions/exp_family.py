"""Exponential families."""

from __future__ import annotations

from typing import Any

from torchlike.autograd import grad
from torchlike.distributions.distribution import Distribution

__all__ = ["ExponentialFamily"]

Tensor = Any


class ExponentialFamily(Distribution):
    """A distribution with density ``exp(<t(x), theta> - F(theta) + k(x))``.

    ``_natural_params`` are theta, ``_log_normalizer`` is F; the entropy follows from the gradient of F.

    >>> isinstance(torch.distributions.Normal(0.0, 1.0), torch.distributions.ExponentialFamily)
    True
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        """The expected value of k(x)."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        result = -self._mean_carrier_measure
        parameters = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*parameters)
        gradients = grad(normalizer.sum(), parameters, create_graph=True)
        result += normalizer
        for parameter, gradient in zip(parameters, gradients, strict=True):
            result -= (parameter * gradient).reshape((*self._batch_shape, -1)).sum(-1)
        return result
