"""Schedules of learning rates on real PyTorch and on torchlike: the same floats, states, warnings and errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

Make = Callable[[Any, Any, Any], Any]  # of the library, its lr_scheduler and an optimizer


class Factor:
    """A function that is an object with a state."""

    def __init__(self, base: float) -> None:
        self.base = base

    def __call__(self, epoch: float) -> float:
        return float(self.base**epoch)


SCHEDULES: dict[str, Make] = {
    "lambda": lambda t, s, o: s.LambdaLR(o, [lambda e: 0.95**e, lambda e: 1 / (1 + e)]),
    "lambda object": lambda t, s, o: s.LambdaLR(o, Factor(0.7)),
    "multiplicative": lambda t, s, o: s.MultiplicativeLR(o, lambda e: 0.9),
    "step": lambda t, s, o: s.StepLR(o, 3, gamma=0.3),
    "multistep": lambda t, s, o: s.MultiStepLR(o, [2, 5, 5], gamma=0.3),
    "constant": lambda t, s, o: s.ConstantLR(o, 0.3, 4),
    "linear": lambda t, s, o: s.LinearLR(o, 0.3, 0.9, 4),
    "exponential": lambda t, s, o: s.ExponentialLR(o, 0.87),
    "polynomial": lambda t, s, o: s.PolynomialLR(o, 6, 1.7),
    "cosine": lambda t, s, o: s.CosineAnnealingLR(o, 4, 0.01),
    "restarts": lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 2, 2, 0.01),
    "cyclic": lambda t, s, o: s.CyclicLR(o, 0.01, 0.1, 3, 2),
    "cyclic 2": lambda t, s, o: s.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 2, mode="triangular2"),
    "cyclic exp": lambda t, s, o: s.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "cyclic own": lambda t, s, o: s.CyclicLR(o, 0.01, 0.1, 3, scale_fn=Factor(0.5), scale_mode="iterations"),
    "one cycle": lambda t, s, o: s.OneCycleLR(o, 0.3, total_steps=12),
    "one cycle 3": lambda t, s, o: s.OneCycleLR(o, [0.3, 0.5], epochs=4, steps_per_epoch=3, three_phase=True),
    "one cycle linear": lambda t, s, o: s.OneCycleLR(o, 0.3, 12, anneal_strategy="linear", pct_start=0.5),
    "chained": lambda t, s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9)], optimizer=o),
    "sequential": lambda t, s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, 1.0, 3), s.CosineAnnealingLR(o, 5), s.ExponentialLR(o, 0.5)], [3, 7]
    ),
    "nested": lambda t, s, o: s.ChainedScheduler(
        [s.SequentialLR(o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9)], [2]), s.StepLR(o, 3)]
    ),
    "swa": lambda t, s, o: t.optim.swa_utils.SWALR(o, [0.05, 0.02], 4),
    "swa linear": lambda t, s, o: t.optim.swa_utils.SWALR(o, 0.05, 0, "linear"),
}


def optimizer(library: Any, name: str = "SGD", rate: Callable[[Any, float], Any] = lambda t, x: x) -> Any:
    options = {"momentum": 0.9} if name == "SGD" else {}
    groups = [{"params": [library.zeros(1)]}, {"params": [library.zeros(1)], "lr": rate(library, 0.2)}]
    return getattr(library.optim, name)(groups, lr=rate(library, 0.1), **options)


def options(found: Any) -> list[Any]:
    return [
        (number(g["lr"]), g.get("momentum"), g.get("betas"), type(g["lr"]).__name__, sorted(g))
        for g in found.param_groups
    ]


def number(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def plain(state: Any) -> Any:
    """A state with its tensors as numbers and its functions as nothing."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [plain(value) for value in state]
    return "function" if callable(state) else number(state)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_the_same_floats_and_states(make: Make, name: str) -> None:
    found = []
    for library in (torch, torchlike):
        o = optimizer(library, name)
        schedule = make(library, library.optim.lr_scheduler, o)
        seen = [options(o)]
        for _ in range(11):
            o.step()
            schedule.step()
            seen.append((options(o), schedule.get_last_lr()))
        state = plain(schedule.state_dict())
        state.pop("anneal_func", None)
        found.append((seen, state))
    assert found[1][0] == found[0][0]
    assert found[1][1] == found[0][1]
    assert list(found[1][1]) == list(found[0][1])


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_rates_that_are_tensors(make: Make) -> None:
    found = []
    for library in (torch, torchlike):
        o = optimizer(library, rate=lambda t, x: t.tensor(x))
        first = [g["lr"] for g in o.param_groups]
        schedule = make(library, library.optim.lr_scheduler, o)
        for _ in range(5):
            o.step()
            schedule.step()
        assert [g["lr"] for g in o.param_groups] == first
        assert all(g["lr"] is rate for g, rate in zip(o.param_groups, first, strict=True))
        found.append([number(rate) for rate in schedule.get_last_lr()])
    assert found[1] == pytest.approx(found[0], rel=1e-6)


@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_a_state_of_pytorch_goes_on_here(make: Make) -> None:
    theirs, ours = optimizer(torch), optimizer(torchlike)
    source = make(torch, torch.optim.lr_scheduler, theirs)
    target = make(torchlike, torchlike.optim.lr_scheduler, ours)
    for _ in range(4):
        theirs.step()
        source.step()
    target.load_state_dict(source.state_dict())
    for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
        mine.update({key: value for key, value in other.items() if key != "params"})
    for _ in range(5):
        theirs.step()
        source.step()
        ours.step()
        target.step()
    assert target.get_last_lr() == source.get_last_lr()


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name not in ("chained", "sequential", "nested")])
def test_closed_forms(name: str) -> None:
    found = []
    for library in (torch, torchlike):
        o = optimizer(library)
        schedule = SCHEDULES[name](library, library.optim.lr_scheduler, o)
        o.step()
        seen = []
        for epoch in (1, 3, 2, 5):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                schedule.step(epoch)
            seen.append((schedule.get_last_lr(), [str(w.message) for w in caught]))
        found.append(seen)
    assert found[1] == found[0]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode: str, threshold_mode: str) -> None:
    found = []
    for library in (torch, torchlike):
        o = optimizer(library)
        schedule = library.optim.lr_scheduler.ReduceLROnPlateau(
            o, mode, 0.5, 1, threshold=0.1, threshold_mode=threshold_mode, cooldown=1, min_lr=[0.001, 0.04]
        )
        seen = []
        for metric in (1.0, 0.95, 0.97, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 1.4, 1.3, 1.2, 1.1):
            schedule.step(library.tensor(metric))
            seen.append((schedule.get_last_lr(), schedule.num_bad_epochs, schedule.in_cooldown))
        found.append((seen, schedule.state_dict()))
    assert found[1] == found[0]


WRONG: list[Make] = [
    lambda t, s, o: s.StepLR(5, 3),
    lambda t, s, o: s.StepLR(o, 3, last_epoch=2),
    lambda t, s, o: s.LambdaLR(o, [lambda e: e]),
    lambda t, s, o: s.MultiplicativeLR(o, 5),
    lambda t, s, o: s.ConstantLR(o, 1.5),
    lambda t, s, o: s.LinearLR(o, 0.0),
    lambda t, s, o: s.LinearLR(o, 0.5, 2.0),
    lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 2, 0.5),
    lambda t, s, o: s.CosineAnnealingWarmRestarts(o, 2).step(-1),
    lambda t, s, o: s.CyclicLR(o, 0.1, 0.2, mode="square"),
    lambda t, s, o: s.CyclicLR(o, [0.1], 0.2),
    lambda t, s, o: s.CyclicLR(t.optim.Adagrad([t.zeros(1)]), 0.1, 0.2),
    lambda t, s, o: s.OneCycleLR(o, 0.1),
    lambda t, s, o: s.OneCycleLR(o, 0.1, total_steps=-1),
    lambda t, s, o: s.OneCycleLR(o, 0.1, total_steps=5, pct_start=2.0),
    lambda t, s, o: s.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="no"),
    lambda t, s, o: [s.OneCycleLR(o, 0.1, epochs=1, steps_per_epoch=1.5)],
    lambda t, s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda t, s, o: s.ReduceLROnPlateau(o, mode="no"),
    lambda t, s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    lambda t, s, o: s.SequentialLR(o, [], []),
    lambda t, s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]),
    lambda t, s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []),
    lambda t, s, o: s.ChainedScheduler([]),
    lambda t, s, o: s.ChainedScheduler([5], optimizer=o),
    lambda t, s, o: t.optim.swa_utils.SWALR(o, 0.1, -1),
    lambda t, s, o: t.optim.swa_utils.SWALR(o, 0.1, anneal_strategy="no"),
    lambda t, s, o: t.optim.swa_utils.get_ema_avg_fn(2.0),
]


@pytest.mark.parametrize("make", WRONG)
def test_errors(make: Make) -> None:
    found = []
    for library in (torch, torchlike):
        with pytest.raises((TypeError, ValueError, KeyError)) as caught:
            make(library, library.optim.lr_scheduler, optimizer(library))
        found.append((caught.type, str(caught.value)))
    assert found[1] == found[0]


def test_warnings_of_the_order_of_calls() -> None:
    found = []
    for library in (torch, torchlike):
        o = optimizer(library)
        schedule = library.optim.lr_scheduler.StepLR(o, 1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            schedule.step()
            schedule.get_lr()
        other = optimizer(library)
        replaced = library.optim.lr_scheduler.StepLR(other, 1)
        other.step = lambda: None
        with warnings.catch_warnings(record=True) as more:
            warnings.simplefilter("always")
            replaced.step()
        found.append([(w.category, str(w.message)) for w in [*caught, *more]])
    assert len(found[0]) == 3
    assert found[1] == found[0]


@pytest.mark.parametrize("rule", ["default", "swa", "ema", "multi swa", "multi ema"])
@pytest.mark.parametrize("use_buffers", [False, True])
def test_averaged_model(rule: str, use_buffers: bool) -> None:
    found = []
    for library in (torch, torchlike):
        library.manual_seed(0)
        utils = library.optim.swa_utils
        given = {
            "default": {},
            "swa": {"avg_fn": utils.get_swa_avg_fn()},
            "ema": {"avg_fn": utils.get_ema_avg_fn(0.8)},
            "multi swa": {"multi_avg_fn": utils.get_swa_multi_avg_fn()},
            "multi ema": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.8)},
        }[rule]
        model = library.nn.Sequential(library.nn.Linear(3, 2), library.nn.BatchNorm1d(2))
        average = utils.AveragedModel(model, use_buffers=use_buffers, **given)
        for i in range(3):
            with library.no_grad():
                for p in model.parameters():
                    p.add_(i + 1.0)
            model(library.arange(6.0).reshape(2, 3))
            if use_buffers and rule == "multi swa" and i > 0:
                with pytest.raises(RuntimeError, match="Integer division with addcdiv is no longer supported"):
                    average.update_parameters(model)
                break
            average.update_parameters(model)
        utils.update_bn([library.arange(12.0).reshape(4, 3).sin(), [library.arange(6.0).reshape(2, 3)]], average)
        if not (use_buffers and rule == "multi swa"):
            found.append({key: value.tolist() for key, value in average.state_dict().items()})
    if not found:
        return
    assert list(found[1]) == list(found[0])
    for key, value in found[0].items():
        assert torch.tensor(found[1][key]).numpy() == pytest.approx(torch.tensor(value).numpy(), rel=1e-5, abs=1e-6)
