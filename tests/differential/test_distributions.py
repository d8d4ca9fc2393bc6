"""Divergences and gradients of distributions on both libraries side by side; the rest is compared with recordings."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import torchlike

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def pool(t: Any) -> list[Any]:
    """One of each class that has a divergence from another."""
    D = t.distributions

    def f(*numbers: float) -> Any:
        return t.tensor(numbers)

    cov = t.tensor([[2.0, 0.5], [0.5, 1.0]])
    return [
        D.Bernoulli(f(0.2, 0.7)),
        D.Beta(f(0.5, 2.0), f(1.0, 3.0)),
        D.Binomial(5, f(0.2, 0.7)),
        D.Cauchy(f(0.2, 0.7), 2.0),
        D.Categorical(f(0.2, 0.8)),
        D.ContinuousBernoulli(f(0.2, 0.5)),
        D.Dirichlet(f(0.3, 0.6)),
        D.Exponential(f(0.2, 0.7)),
        D.Gamma(f(0.2, 0.7), f(1.0, 2.0)),
        D.Geometric(f(0.2, 0.7)),
        D.Gumbel(f(0.2, 0.7), f(1.0, 2.0)),
        D.HalfNormal(f(1.0, 2.0)),
        D.Laplace(f(0.2, 0.7), f(1.0, 2.0)),
        D.LowRankMultivariateNormal(f(0.2, 0.7), t.tensor([[1.0], [0.5]]), f(0.5, 0.9)),
        D.MultivariateNormal(f(0.2, 0.7), cov),
        D.Normal(f(0.2, 0.7), f(1.0, 2.0)),
        D.Pareto(f(0.2, 0.7), f(1.0, 2.5)),
        D.Poisson(f(0.2, 3.7)),
        D.Uniform(f(0.2, 0.7), f(1.0, 2.0)),
        D.Wishart(t.tensor(3.5), cov),
    ]


def divergence(t: Any, p: Any, q: Any) -> Any:
    try:
        return t.distributions.kl_divergence(p, q).tolist()
    except NotImplementedError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore:Low df values")
def test_divergences() -> None:
    pairs = itertools.product(zip(pool(torch), pool(torchlike), strict=True), repeat=2)
    for (p, ours_p), (q, ours_q) in pairs:
        expected, found = divergence(torch, p, q), divergence(torchlike, ours_p, ours_q)
        if isinstance(expected, str):
            assert found == expected, (p, q)
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=f"{p} {q}")


@pytest.mark.parametrize(
    "name", ["Normal", "Gamma", "Beta", "Laplace", "Gumbel", "StudentT", "Weibull", "FisherSnedecor"]
)
def test_gradients_of_samples_and_densities(name: str) -> None:
    found = []
    for t in (torch, torchlike):
        parameters = [t.tensor([1.5, 2.5], requires_grad=True), t.tensor([0.7, 2.0], requires_grad=True)]
        t.manual_seed(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            d = getattr(t.distributions, name)(*parameters)
            x = d.rsample((2,))
            (x.sum() + d.log_prob(x.detach()).sum()).backward()
        found.append([[] if p.grad is None else p.grad.tolist() for p in parameters])
    # PyTorch's derivative of gamma and beta samples is an approximation of about three digits.
    np.testing.assert_allclose(found[1], found[0], rtol=5e-3, atol=1e-3)
