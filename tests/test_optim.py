"""Optimizers without PyTorch: one compiled call a step, nothing compiled again, memory that others hold left alone."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import pytest

import torchlike as torch
from torchlike.optim import adam as adam_file
from torchlike.optim import sgd as sgd_file
from torchlike.optim.rmsprop import rmsprop

NAMES = [
    "SGD",
    "Adam",
    "AdamW",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adamax",
    "ASGD",
    "Muon",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
]
OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.9},
}


def traces(optimizer: Any) -> int:
    """How often the functions of an optimizer's file were traced."""
    update = next(
        vars(sys.modules[cls.__module__])["_update"]
        for cls in type(optimizer).__mro__
        if "_update" in vars(sys.modules[cls.__module__])
    )
    return sum(kernel.epoch for pair in update.kernels.values() for kernel in pair)


def test_a_new_learning_rate_compiles_nothing() -> None:
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([w], lr=0.1)
    w.grad = torch.ones(3)
    optimizer.step()
    traced = sum(kernel.epoch for pair in adam_file._update.kernels.values() for kernel in pair)
    for rate in (0.2, 0.3, 0.4):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    assert sum(kernel.epoch for pair in adam_file._update.kernels.values() for kernel in pair) <= traced + 1
    assert optimizer.state[w]["step"].item() == 4


@pytest.mark.parametrize("name", NAMES)
def test_changing_options_compiles_nothing(name: str) -> None:
    w = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = getattr(torch.optim, name)([w], **OPTIONS.get(name, {}))
    counts = []
    for i in range(5):
        w.grad = torch.ones(2, 2) * (i + 1)
        optimizer.step()
        counts.append(traces(optimizer))
        group = optimizer.param_groups[0]
        for option, value in group.items():
            if type(value) is float and option != "ns_steps":
                group[option] = value * 0.9
            elif option == "betas":
                group[option] = tuple(beta * 0.9 for beta in value)
    assert counts[0] > 0
    assert counts[2:] == [counts[1]] * 3


def test_a_schedule_compiles_nothing() -> None:
    w = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([w], lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=8)
    counts = []
    for _ in range(6):
        w.grad = torch.ones(2)
        optimizer.step()
        schedule.step()
        counts.append(traces(optimizer))
    assert counts[2:] == [counts[1]] * 4
    assert schedule.get_last_lr() == [optimizer.param_groups[0]["lr"]]


def test_the_functional_form_is_the_step() -> None:
    from_class, from_function = torch.nn.Parameter(torch.ones(2)), torch.ones(2)
    from_class.grad = torch.tensor([1.0, 2.0])
    torch.optim.RMSprop([from_class], lr=0.1).step()
    square, step = torch.zeros(2), torch.zeros(())
    rmsprop(
        [from_function],
        [torch.tensor([1.0, 2.0])],
        [square],
        [],
        [],
        [step],
        lr=0.1,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
    )
    assert from_function.tolist() == from_class.tolist()
    assert step.item() == 1


def test_lbfgs_finds_the_minimum() -> None:
    w = torch.nn.Parameter(torch.tensor([-1.2, 1.0]))
    optimizer = torch.optim.LBFGS([w], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    assert w.tolist() == pytest.approx([1.0, 1.0], abs=1e-3)


def test_sparse_adam_refuses_dense_gradients() -> None:
    w = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SparseAdam([w])
    assert optimizer.step(lambda: 5) == 5
    w.grad = torch.ones(1)
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients, please consider Adam instead"):
        optimizer.step()


def test_optimizers_can_be_copied_and_pickled() -> None:
    w = torch.nn.Parameter(torch.ones(2))
    w.grad = torch.ones(2)
    optimizer = torch.optim.NAdam([w], lr=0.1)
    optimizer.step()
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (p,) = twin.param_groups[0]["params"]
        p.grad = torch.ones(2)
        twin.step()
        assert p is not w
        assert twin.state[p]["step"].item() == 2
        assert p.tolist() != w.tolist()


def test_a_step_counts_the_version_up_and_keeps_aliases() -> None:
    w = torch.nn.Parameter(torch.ones(2))
    alias, version = w.detach(), w._version
    w.grad = torch.ones(2)
    torch.optim.SGD([w], lr=0.5).step()
    assert w._version == version + 1
    assert alias.tolist() == w.tolist() == [0.5, 0.5]


def test_arrays_that_others_hold_are_not_overwritten() -> None:
    w = torch.nn.Parameter(torch.ones(2))
    held = w._storage.array
    w.grad = torch.ones(2)
    torch.optim.SGD([w], lr=0.5).step()
    assert held.tolist() == [1.0, 1.0]
    assert w.tolist() == [0.5, 0.5]
    assert sgd_file._update.kernels


def test_a_parameter_without_gradient_stays() -> None:
    moved, still = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    moved.grad = torch.ones(1)
    optimizer = torch.optim.Adam([moved, still], lr=0.1)
    optimizer.step()
    assert still.tolist() == [1.0]
    assert list(optimizer.state) == [moved]


def test_hooks_run_around_a_step() -> None:
    w = torch.nn.Parameter(torch.ones(1))
    w.grad = torch.ones(1)
    optimizer, seen = torch.optim.SGD([w], lr=1.0), []
    optimizer.register_step_pre_hook(lambda o, a, k: seen.append(w.item()))
    optimizer.register_step_post_hook(lambda o, a, k: seen.append(w.item()))
    optimizer.step()
    assert seen == [1.0, 0.0]


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_small_parameters_of_all_kinds_are_updated_in_one_function(name: str) -> None:
    params = [
        torch.nn.Parameter(torch.ones(3)),
        torch.nn.Parameter(torch.ones(2, 2, dtype=torch.bfloat16)),
        torch.nn.Parameter(torch.ones(2, dtype=torch.complex64)),
        torch.nn.Parameter(torch.ones(())),
    ]
    empty = torch.nn.Parameter(torch.ones(0, 3))
    for group in (params, [*params, empty]):
        for p in group:
            p.grad = torch.ones_like(p)
        optimizer = getattr(torch.optim, name)(group, lr=0.5)
        before = [p.detach().clone() for p in params]
        for _ in range(2):
            optimizer.step()
        for p, old in zip(params, before, strict=True):
            assert torch.allclose(p.detach(), old - 1, atol=1e-2)
