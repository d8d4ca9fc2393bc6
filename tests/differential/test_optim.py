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
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adafactor", {"eps": (1e-10, 0.1), "d": 2.0, "maximize": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.5, "initial_accumulator_value": 0.1, "eps": 1e-6}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.01, "t0": 2, "lambd": 0.1}),
    ("NAdam", {"lr": 0.1, "momentum_decay": 6e-3, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "betas": (0.9, 0.5)}),
    ("RAdam", {"lr": 0.1, "betas": (0.9, 0.9999), "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (1e-3, 0.2)}),
]


def parameters(torch: Any) -> list[Any]:
    return [torch.nn.Parameter(torch.tensor([1.0, -2.0])), torch.nn.Parameter(torch.tensor([[0.5], [3.0]]))]


def train(torch: Any, params: list[Any], optimizer: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (params[0].square() * torch.tensor([1.0, 2.0])).sum() + (params[1] ** 3).sum()
        loss.backward()
        optimizer.step()


def train_complex(torch: Any, name: str, options: dict[str, Any]) -> list[float]:
    p = torch.nn.Parameter(torch.tensor([1 + 2j, -0.5j], dtype=torch.complex64))
    optimizer = getattr(torch.optim, name)([p], **options)
    for _ in range(3):
        optimizer.zero_grad()
        (p * torch.tensor([1.0, 2.0])).abs().square().sum().backward()
        optimizer.step()
    return torch.view_as_real(p.detach()).reshape(-1).tolist()


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
    assert found[1] == pytest.approx(found[0], rel=1e-5, abs=1e-6)
    assert keys[1] == keys[0]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_complex_parameters(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    if name == "Adafactor":
        pytest.skip("refuses complex parameters")
    assert train_complex(torchlike, name, options) == pytest.approx(train_complex(torch, name, options), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
        ("Adam", {"lr": 0.1}),
        ("Adadelta", {"weight_decay": 0.1}),
        ("Adagrad", {"lr": 0.1, "weight_decay": 0.1}),
        ("ASGD", {"lr": 0.1}),
        ("NAdam", {"lr": 0.1, "weight_decay": 0.1}),
        ("RAdam", {"lr": 0.1}),
        ("RMSprop", {"lr": 0.1, "weight_decay": 0.1}),
    ],
)
def test_gradients_through_steps(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, torchlike):
        w = library.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
        g = library.tensor([[0.5, -0.3], [0.2, 0.7]], requires_grad=True)
        p = w.clone()
        optimizer = getattr(library.optim, name)([p], differentiable=True, **options)
        for i in range(2):
            p.grad = g * (i + 1.5)
            optimizer.step()
        p.square().sum().backward()
        found.append([*w.grad.reshape(-1).tolist(), *g.grad.reshape(-1).tolist()])
    assert found[1] == pytest.approx(found[0], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}])
def test_muon(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    if "foreach" in options:
        for library in (torch, torchlike):
            with pytest.raises(TypeError, match="unexpected keyword argument 'foreach'"):
                library.optim.Muon([library.zeros(2, 2)], **options)
        return
    found = []
    for library in (torch, torchlike):
        params = [library.nn.Parameter(library.arange(6.0).reshape(3, 2) - 2.0) for _ in range(2)]
        optimizer = library.optim.Muon(params, lr=0.1, **options)
        for _ in range(3):
            optimizer.zero_grad()
            sum((p + i).square().sum() for i, p in enumerate(params)).backward()
            optimizer.step()
        found.append(values(params))
    # Newton-Schulz steps in bfloat16: three digits.
    assert found[1] == pytest.approx(found[0], rel=2e-2, abs=2e-3)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs(search: str | None) -> None:
    torch = pytest.importorskip("torch")
    found, states = [], []
    for library in (torch, torchlike):
        params = parameters(library)
        optimizer = library.optim.LBFGS(params, lr=0.3, max_iter=5, history_size=3, line_search_fn=search)

        def closure(library: Any = library, params: list[Any] = params, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (params[0].square() * library.tensor([1.0, 2.0])).sum() + (params[1] ** 4).sum() * 0.1
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(3)]
        found.append([*losses, *values(params)])
        state = optimizer.state_dict()["state"][0]
        states.append({k: type(v).__name__ for k, v in state.items()})
        assert optimizer.state_dict()["param_groups"] is not None
    assert found[1] == pytest.approx(found[0], rel=1e-4, abs=1e-5)
    assert states[1] == states[0]


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
    assert values(ours) == pytest.approx(values(theirs), rel=1e-5, abs=1e-6)


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
        lambda t: t.optim.Adadelta([t.zeros(1)], rho=1.1),
        lambda t: t.optim.Adafactor([t.zeros(1)], d=0.5),
        lambda t: t.optim.Adagrad([t.zeros(1)], lr_decay=-0.5),
        lambda t: t.optim.Adamax([t.zeros(1)], betas=(0.0, 1.0)),
        lambda t: t.optim.ASGD([t.zeros(1)], weight_decay=-0.5),
        lambda t: t.optim.Muon([t.zeros(1)]),
        lambda t: t.optim.NAdam([t.zeros(1)], momentum_decay=-0.2),
        lambda t: t.optim.RMSprop([t.zeros(1)], momentum=-1.0),
        lambda t: t.optim.Rprop([t.zeros(1)], etas=(1.0, 0.5)),
        lambda t: t.optim.SparseAdam([t.zeros(1, dtype=t.complex64)]),
        lambda t: t.optim.LBFGS([{"params": [t.zeros(1)]}, {"params": [t.zeros(1)]}]),
        lambda t: t.optim.Adam([t.zeros(1)], lr=t.tensor([0.1, 0.2])),
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
