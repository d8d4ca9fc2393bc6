"""Optimizers on real PyTorch and on torchlike: steps, state, errors; states that change sides."""

from __future__ import annotations

from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch

OPTIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "maximize": True}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-6}),
    ("AdamW", {"lr": 0.1, "maximize": True}),
]


def parameters(torch: Any) -> list[Any]:
    return [torch.nn.Parameter(torch.tensor([1.0, -2.0])), torch.nn.Parameter(torch.tensor([[0.5], [3.0]]))]


def train(torch: Any, params: list[Any], optimizer: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (params[0].square() * torch.tensor([1.0, 2.0])).sum() + (params[1] ** 3).sum()
        loss.backward()
        optimizer.step()


def values(params: list[Any]) -> list[float]:
    return [x for p in params for x in p.detach().reshape(-1).tolist()]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_steps_and_state(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    found, keys = [], []
    for library in (torch, torchlike):
        params = parameters(library)
        optimizer = getattr(library.optim, name)(params, **options)
        train(library, params, optimizer, 5)
        found.append(values(params))
        state = optimizer.state_dict()
        keys.append(({k: list(v) for k, v in state["state"].items()}, state["param_groups"], repr(optimizer)))
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    assert keys[1] == keys[0]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_state_of_pytorch_goes_on_here(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    theirs = parameters(torch)
    source = getattr(torch.optim, name)(theirs, **options)
    train(torch, theirs, source, 3)
    state = source.state_dict()
    ours = [torchlike.nn.Parameter(torchlike.tensor(p.tolist())) for p in theirs]
    target = getattr(torchlike.optim, name)(ours, **options)
    moved = {
        number: {k: torchlike.tensor(v.tolist()) for k, v in entry.items()} for number, entry in state["state"].items()
    }
    target.load_state_dict({"state": moved, "param_groups": state["param_groups"]})
    train(torch, theirs, source, 3)
    train(torchlike, ours, target, 3)
    assert values(ours) == pytest.approx(values(theirs), rel=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.optim.SGD([], lr=0.1),
        lambda t: t.optim.SGD(t.zeros(1), lr=0.1),
        lambda t: t.optim.SGD([t.zeros(1)], lr=-1.0),
        lambda t: t.optim.SGD([t.zeros(1)], lr=0.1, nesterov=True),
        lambda t: t.optim.SGD([5], lr=0.1),
        lambda t: t.optim.SGD([t.zeros(1, requires_grad=True) * 2], lr=0.1),
        lambda t: t.optim.Adam([t.zeros(1)], betas=(1.0, 0.9)),
        lambda t: t.optim.Adam([t.zeros(1)], eps=-1.0),
    ],
)
def test_errors(make: Any) -> None:
    torch = pytest.importorskip("torch")
    errors = []
    for library in (torch, torchlike):
        with pytest.raises((TypeError, ValueError)) as caught:
            make(library)
        errors.append((caught.type, str(caught.value)))
    assert errors[1] == errors[0]
