"""Compiled programs of a few numbers, whose state goes from call to call as one array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike._compile.packing import PATIENCE
from torchlike._core.storage import PackedStorage


def close(ours: Any, other: Any) -> None:
    """Compare values without sharing memory, as ``numpy()`` would."""
    assert np.allclose(np.array(ours.tolist()), np.array(other if isinstance(other, list) else other.tolist()), 1e-5)


class Loop:
    """A small training step, and the same one eager, on parameters of its own."""

    def __init__(self, momentum: float = 0.0) -> None:
        self.models = []
        for _ in range(2):
            torch.manual_seed(0)
            self.models.append(torch.nn.Linear(2, 1))
        self.optimizers = [torch.optim.SGD(m.parameters(), lr=0.05, momentum=momentum) for m in self.models]
        self.x, self.y = torch.tensor([[1.0, 2.0], [0.5, -1.0]]), torch.tensor([[5.0], [1.0]])
        self.steps = [torch.compile(self._make(0)), self._make(1)]

    def _make(self, number: int) -> Callable[[], Any]:
        model, optimizer = self.models[number], self.optimizers[number]
        x, y = self.x, self.y

        def step() -> Any:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    def run(self, times: int) -> None:
        for _ in range(times):
            self.losses = [step() for step in self.steps]

    @property
    def packed(self) -> bool:
        return type(self.models[0].weight._storage) is PackedStorage

    def check(self) -> None:
        """Compare everything that can be seen."""
        (a, b), (first, second) = self.models, self.optimizers
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            close(p, q)
            close(p.grad, q.grad)
            assert p._version == q._version
            if first.state:
                close(first.state[p]["momentum_buffer"], second.state[q]["momentum_buffer"])
        close(*self.losses)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_small_program_is_packed_and_computes_the_same(momentum: float) -> None:
    loop = Loop(momentum)
    loop.run(PATIENCE + 5)
    assert loop.packed
    loop.check()
    assert not loop.packed
    loop.run(3)
    assert loop.packed
    loop.check()


def test_writes_from_outside_are_seen() -> None:
    loop = Loop()
    loop.run(PATIENCE + 5)
    for number in range(2):
        with torch.no_grad():
            loop.models[number].bias.fill_(3.0)
    loop.run(4)
    loop.check()
    for number in range(2):
        loop.models[number].weight.grad = None
    loop.run(2)
    loop.check()
    for group in (o.param_groups[0] for o in loop.optimizers):
        group["lr"] = 0.01
    loop.run(4)
    loop.check()


def test_a_gradient_that_somebody_holds_stays_what_it_is() -> None:
    loop = Loop()
    loop.run(PATIENCE + 5)
    assert loop.packed
    grad = loop.models[0].weight.grad
    expected = loop.models[1].weight.grad.tolist()
    view = loop.models[0].bias.grad.view(1, 1)
    expected_view = loop.models[1].bias.grad.tolist()
    loop.run(3)
    close(grad, expected)
    close(view, [expected_view])
    assert loop.models[0].weight.grad is not grad
    loop.check()


def test_results_keep_their_values() -> None:
    loop = Loop()
    kept = []
    for _ in range(PATIENCE + 8):
        loop.run(1)
        kept.append(loop.losses)
    for ours, eager in kept:
        close(ours, eager)


def test_a_program_whose_state_is_read_all_the_time_is_not_packed() -> None:
    loop = Loop()
    loop.run(PATIENCE + 2)
    for _ in range(8):
        loop.run(1)
        loop.models[0].weight.sum()
    assert not loop.packed
    loop.run(5)
    assert not loop.packed
    loop.check()


def test_two_programs_share_state() -> None:
    loop = Loop()
    loop.run(PATIENCE + 5)
    other = torch.compile(lambda: loop.models[0](loop.x).sum())
    for _ in range(4):
        loop.run(1)
        with torch.no_grad():
            close(other(), loop.models[1](loop.x).sum())
    loop.check()


def test_data_that_changes_between_calls_is_read_anew() -> None:
    loop = Loop()
    loop.run(PATIENCE + 5)
    for number in range(12):
        loop.x.fill_(0.1 * number)
        loop.run(1)
        loop.check()
    loop.x.copy_(torch.tensor([[1.0, 2.0], [0.5, -1.0]]))
    loop.run(3)
    loop.check()
