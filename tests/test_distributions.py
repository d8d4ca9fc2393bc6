"""torch.distributions against what real PyTorch was recorded to answer, and what the base classes promise."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import distribution_cases
import pytest
from documents import RECORDED

import torchlike as torch

D = torch.distributions


@cache
def recorded() -> dict[str, Any]:
    return json.loads((RECORDED / "distributions.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize(
    ("name", "make", "value"), [pytest.param(*case, id=case[0]) for case in distribution_cases.cases(torch)]
)
def test_as_recorded(name: str, make: Any, value: Any) -> None:
    wrong = distribution_cases.differences(recorded()[name], distribution_cases.outcome(torch, make, value))
    assert not wrong, "\n".join(wrong)


def test_divergences() -> None:
    assert D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 2.0)).item() == pytest.approx(0.4431471824645996)
    assert D.kl_divergence(D.Gumbel(0.0, 1.0), D.Exponential(1.0)).item() == math.inf
    p, q = D.Gamma(2.0, 3.0), D.Gumbel(0.5, 2.0)
    torch.manual_seed(0)
    x = p.sample((20000,))
    assert D.kl_divergence(p, q).item() == pytest.approx((p.log_prob(x) - q.log_prob(x)).mean().item(), abs=0.02)
    with pytest.raises(NotImplementedError, match="No KL"):
        D.kl_divergence(D.StudentT(2.0), D.Normal(0.0, 1.0))


def test_gradients_of_samples() -> None:
    for make in (
        lambda a: D.Normal(a, 1.0),
        lambda a: D.Gamma(a, 1.0),
        lambda a: D.Beta(a, 1.0),
        lambda a: D.Dirichlet(torch.stack((a, a * 0 + 2.0))),
        lambda a: D.StudentT(a),
    ):
        a = torch.tensor(1.5, requires_grad=True)
        torch.manual_seed(0)
        make(a).rsample().sum().backward()
        assert a.grad is not None
        assert math.isfinite(a.grad.item())


def test_beta_samples_follow_their_first_parameter() -> None:
    # For the second parameter 1 the quantiles are u ** (1 / a), whose derivative is known.
    a = torch.full((5,), 2.5, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    x = D.Beta(a, 1.0).rsample()
    x.sum().backward()
    expected = -(x * torch.log(x) / a).detach()
    assert a.grad is not None
    assert a.grad.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


@pytest.mark.parametrize(
    "constraint",
    [
        D.constraints.real,
        D.constraints.positive,
        D.constraints.greater_than(2.0),
        D.constraints.less_than(2.0),
        D.constraints.interval(-1.0, 3.0),
        D.constraints.unit_interval,
        D.constraints.simplex,
        D.constraints.corr_cholesky,
        D.constraints.stack([D.constraints.positive, D.constraints.real], 0),
    ],
    ids=repr,
)
def test_transforms_lead_to_their_constraint_and_back(constraint: Any) -> None:
    transform = D.biject_to(constraint)
    x = torch.tensor([[0.3], [-0.7]]) if "Stack" in repr(constraint) else torch.tensor([0.3, -0.7, 1.2])
    y = transform(x)
    assert constraint.check(y).all()
    assert transform.inv(y).tolist() == pytest.approx(x.tolist(), abs=1e-5) if x.dim() == 1 else True
    assert math.isfinite(transform.log_abs_det_jacobian(x, y).sum().item())


def test_the_cache_of_a_transform_returns_the_same_tensor() -> None:
    transform = D.ExpTransform(cache_size=1)
    x = torch.tensor(0.3)
    assert transform.inv(transform(x)) is x


def test_validation_can_be_switched_off() -> None:
    with pytest.raises(ValueError, match="Expected parameter scale"):
        D.Normal(0.0, -1.0)
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)


class _NearP(D.Normal):
    pass


class _NearQ(D.Normal):
    pass


def test_ambiguous_divergences_are_named(monkeypatch: pytest.MonkeyPatch):
    from torchlike.distributions import kl

    monkeypatch.setattr(kl, "_KL_REGISTRY", dict(kl._KL_REGISTRY))
    D.register_kl(_NearP, D.Normal)(lambda p, q: 1)
    D.register_kl(D.Normal, _NearQ)(lambda p, q: 2)
    with pytest.warns(
        RuntimeWarning, match=r"^Ambiguous kl_divergence\(_NearP, _NearQ\)\. Please register_kl\(_NearP, _NearQ\)$"
    ):
        assert D.kl_divergence(_NearP(0.0, 1.0), _NearQ(0.0, 1.0)) == 1
    with pytest.raises(TypeError, match="issubclass"):
        D.register_kl(3, D.Normal)  # type: ignore[arg-type]
