"""Whole training steps, eager: forward, backward, optimizer."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from benchmarks.measure import Case

Step = Callable[[], Any]


def seed_loop(torch: ModuleType) -> Step:
    """The loop of the seed document: Linear(2, 1) on one sample."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_fn = torch.nn.MSELoss()
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0]])

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def mlp(torch: ModuleType) -> Step:
    """A perceptron 784-512-512-10 on a batch of 128."""
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    x, y = torch.rand(128, 784), torch.randint(0, 10, (128,))

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def recurrent(torch: ModuleType) -> Step:
    """A recurrent cell written by hand: hidden size 64, batch 16, twenty steps in a Python loop."""
    torch.manual_seed(0)
    w_x, w_h = (torch.nn.Parameter(torch.randn(64, 64) * 0.1) for _ in range(2))
    bias = torch.nn.Parameter(torch.zeros(64))
    w_o = torch.nn.Parameter(torch.randn(64, 10) * 0.1)
    optimizer = torch.optim.SGD([w_x, w_h, bias, w_o], lr=0.01)
    loss_fn = torch.nn.CrossEntropyLoss()
    xs, y = torch.randn(20, 16, 64), torch.randint(0, 10, (16,))

    def step() -> Any:
        optimizer.zero_grad()
        h = torch.zeros(16, 64)
        for x in xs:
            h = torch.tanh(x @ w_x + h @ w_h + bias)
        loss = loss_fn(h @ w_o, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


STEPS: dict[str, Callable[[ModuleType], Step]] = {
    "seed document's loop": seed_loop,
    "MLP 784-512-512-10, batch 128": mlp,
    "recurrent cell, 20 steps": recurrent,
}


CASES = [Case("training", name, make) for name, make in STEPS.items()]
