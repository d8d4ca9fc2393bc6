"""Optimizers without PyTorch: one compiled call a step, nothing compiled again, memory that others hold left alone."""

from __future__ import annotations

import torchlike as torch
from torchlike.optim import adam as adam_file
from torchlike.optim import sgd as sgd_file


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
