"""Distributions of all classes, and what is asked of each: run with either library, compared or recorded."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

Made = Callable[[], Any]


def cases(t: Any) -> Iterator[tuple[str, Made, Any]]:
    """A name, a function that makes the distribution, and a value of its support."""
    D = t.distributions

    def f(*numbers: float) -> Any:
        return t.tensor(numbers)

    d2 = t.tensor([[0.3, 0.6], [1.2, 2.0]])
    cov = t.tensor([[2.0, 0.5], [0.5, 1.0]])
    chain = [D.SigmoidTransform(), D.AffineTransform(1.0, -2.0)]
    yield "Bernoulli", lambda: D.Bernoulli(f(0.2, 0.7)), f(0.0, 1.0)
    yield "Bernoulli logits", lambda: D.Bernoulli(logits=f(0.2, -0.7)), f(0.0, 1.0)
    yield "Bernoulli num", lambda: D.Bernoulli(0.3), t.tensor(1.0)
    yield "Beta", lambda: D.Beta(f(0.5, 2.0), f(1.0, 3.0)), f(0.2, 0.7)
    yield "Beta num", lambda: D.Beta(0.5, 2.0), t.tensor(0.4)
    yield "Binomial", lambda: D.Binomial(5, f(0.2, 0.7)), f(2.0, 5.0)
    yield "Binomial logits", lambda: D.Binomial(f(5.0, 3.0), logits=f(0.2, 0.7)), f(2.0, 3.0)
    yield "Categorical", lambda: D.Categorical(d2), t.tensor([0, 1])
    yield "Categorical logits", lambda: D.Categorical(logits=d2), t.tensor([0, 1])
    yield "Cauchy", lambda: D.Cauchy(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, -4.0)
    yield "Chi2", lambda: D.Chi2(f(1.0, 3.0)), f(0.3, 4.0)
    yield "ContinuousBernoulli", lambda: D.ContinuousBernoulli(f(0.2, 0.5, 0.7)), f(0.3, 0.4, 0.9)
    yield "Dirichlet", lambda: D.Dirichlet(d2), t.tensor([[0.3, 0.7], [0.4, 0.6]])
    yield "Exponential", lambda: D.Exponential(f(0.2, 0.7)), f(0.3, 4.0)
    yield "FisherSnedecor", lambda: D.FisherSnedecor(f(3.0, 7.0), f(5.0, 6.0)), f(0.3, 4.0)
    yield "Gamma", lambda: D.Gamma(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, 4.0)
    yield (
        "GeneralizedPareto",
        lambda: D.GeneralizedPareto(f(0.0, 1.0, 0.0), f(1.0, 2.0, 1.0), f(0.2, -0.3, 0.0)),
        f(0.3, 4.0, 0.5),
    )
    yield "Geometric", lambda: D.Geometric(f(0.2, 0.7)), f(0.0, 4.0)
    yield "Geometric logits", lambda: D.Geometric(logits=f(0.2, 0.7)), f(0.0, 4.0)
    yield "Gumbel", lambda: D.Gumbel(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, -4.0)
    yield "Gumbel num", lambda: D.Gumbel(0.2, 2.0), t.tensor(0.3)
    yield "HalfCauchy", lambda: D.HalfCauchy(f(1.0, 2.0)), f(0.3, 4.0)
    yield "HalfNormal", lambda: D.HalfNormal(f(1.0, 2.0)), f(0.3, 4.0)
    yield "Independent", lambda: D.Independent(D.Normal(d2, 1.0), 1), d2 + 0.5
    yield "InverseGamma", lambda: D.InverseGamma(f(1.5, 2.7), f(1.0, 2.0)), f(0.3, 4.0)
    yield "Kumaraswamy", lambda: D.Kumaraswamy(f(1.5, 2.7), f(1.0, 2.0)), f(0.3, 0.4)
    yield "LKJCholesky", lambda: D.LKJCholesky(3, f(1.0, 0.5)), t.eye(3)
    yield "Laplace", lambda: D.Laplace(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, -4.0)
    yield "LogNormal", lambda: D.LogNormal(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, 4.0)
    yield "LogisticNormal", lambda: D.LogisticNormal(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, 0.5, 0.2)
    yield (
        "LowRank",
        lambda: D.LowRankMultivariateNormal(f(0.2, 0.7), t.tensor([[1.0], [0.5]]), f(0.5, 0.9)),
        f(0.3, 0.4),
    )
    yield (
        "Mixture",
        lambda: D.MixtureSameFamily(D.Categorical(f(0.3, 0.7)), D.Normal(f(0.0, 2.0), f(1.0, 0.5))),
        t.tensor(0.4),
    )
    yield (
        "Mixture mv",
        lambda: D.MixtureSameFamily(D.Categorical(f(0.3, 0.7)), D.Independent(D.Normal(d2, 1.0), 1)),
        f(0.4, 0.5),
    )
    yield "Multinomial", lambda: D.Multinomial(5, f(0.2, 0.3, 0.5)), f(2.0, 1.0, 2.0)
    yield "MVN cov", lambda: D.MultivariateNormal(f(0.2, 0.7), cov), f(0.3, 0.4)
    yield "MVN prec", lambda: D.MultivariateNormal(d2, precision_matrix=cov), f(0.3, 0.4)
    yield "MVN tril", lambda: D.MultivariateNormal(f(0.2, 0.7), scale_tril=t.linalg.cholesky(cov)), f(0.3, 0.4)
    yield "NegativeBinomial", lambda: D.NegativeBinomial(f(3.0, 5.0), f(0.2, 0.7)), f(2.0, 5.0)
    yield "Normal", lambda: D.Normal(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, -4.0)
    yield "OneHot", lambda: D.OneHotCategorical(d2), t.tensor([[0.0, 1.0], [1.0, 0.0]])
    yield "OneHotST", lambda: D.OneHotCategoricalStraightThrough(d2), t.tensor([[0.0, 1.0], [1.0, 0.0]])
    yield "Pareto", lambda: D.Pareto(f(0.2, 0.7), f(1.0, 2.5)), f(0.3, 4.0)
    yield "Poisson", lambda: D.Poisson(f(0.2, 3.7)), f(1.0, 4.0)
    yield "RelaxedBernoulli", lambda: D.RelaxedBernoulli(t.tensor(0.5), f(0.2, 0.7)), f(0.3, 0.4)
    yield "RelaxedOneHot", lambda: D.RelaxedOneHotCategorical(t.tensor(0.5), d2), t.tensor([[0.3, 0.7], [0.4, 0.6]])
    yield "StudentT", lambda: D.StudentT(f(1.5, 3.0), f(0.2, 0.7), 2.0), f(0.3, -4.0)
    yield "Transformed", lambda: D.TransformedDistribution(D.Normal(f(0.2, 0.7), 1.0), chain), f(-0.3, 0.4)
    yield "Uniform", lambda: D.Uniform(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, 0.9)
    yield "VonMises", lambda: D.VonMises(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, 0.9)
    yield "Weibull", lambda: D.Weibull(f(0.2, 0.7), f(1.0, 2.0)), f(0.3, 0.9)
    yield "Wishart", lambda: D.Wishart(t.tensor(3.5), cov), cov * 2


PROPERTIES = ("mean", "mode", "variance", "stddev", "logits", "probs", "covariance_matrix", "precision_matrix")


def plain(value: Any) -> Any:
    """A result as JSON holds it."""
    if hasattr(value, "detach"):
        value = value.detach()
        return {"dtype": str(value.dtype), "shape": list(value.shape), "values": value.reshape(-1).tolist()}
    return value if isinstance(value, str) else str(value)


def outcome(t: Any, make: Made, value: Any) -> dict[str, Any]:
    """What a distribution answers to everything, by question."""
    found: dict[str, Any] = {}

    def ask(question: str, function: Callable[[], Any]) -> None:
        t.manual_seed(3)
        try:
            found[question] = plain(function())
        except Exception as error:  # noqa: BLE001 - the refusal is the answer
            message = str(error).split("\n")[0].replace("torchlike", "torch")
            found[question] = {"error": type(error).__name__, "message": message}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        d = make()
        shape = tuple(d.batch_shape)
        ask("repr", lambda: repr(d))
        ask("support", lambda: repr(d.support))
        ask("shapes", lambda: f"{d.batch_shape} {d.event_shape} {d.has_rsample} {d.has_enumerate_support}")
        ask("sample", lambda: d.sample((4,)))
        ask("rsample", lambda: d.rsample())
        ask("log_prob", lambda: d.log_prob(value))
        ask("cdf", lambda: d.cdf(value))
        ask("icdf", lambda: d.icdf(t.full(shape, 0.3)))
        ask("entropy", lambda: d.entropy())
        ask("enumerate_support", lambda: d.enumerate_support(False))
        for name in PROPERTIES:
            ask(name, lambda: getattr(d, name))  # noqa: B023 - asked at once
        ask("expand", lambda: repr(d.expand((3, *shape))))
        ask("expand.log_prob", lambda: d.expand((3, *shape)).log_prob(value))
        ask("expand.sample", lambda: d.expand((3, *shape)).sample())
        ask("bad", lambda: d.log_prob(value * math.nan))
    return found


def differences(expected: Any, found: Any) -> list[str]:
    """The questions that are answered otherwise."""
    wrong = []
    for question in expected:
        e, f = expected[question], found.get(question)
        same = e == f
        if not same and isinstance(e, dict) and isinstance(f, dict) and "values" in e and "values" in f:
            same = (e["dtype"], e["shape"]) == (f["dtype"], f["shape"]) and all(
                (a != a and b != b) or a == b or math.isclose(a, b, rel_tol=1e-4, abs_tol=2e-5)
                for a, b in zip(e["values"], f["values"], strict=True)
            )
        if not same:
            wrong.append(f"{question}: expected {e}, found {f}")
    return wrong
