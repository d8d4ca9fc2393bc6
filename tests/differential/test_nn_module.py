"""Modules and containers on real PyTorch and on torchlike: text, errors, state, hooks."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch


def both(program: Callable[[Any], Any]) -> None:
    """Run a program on both libraries and compare what it returns, or the error it ends with."""
    torch = pytest.importorskip("torch")
    outcomes = []
    for library in (torch, torchlike):
        library.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcomes.append(program(library))
            except Exception as error:  # noqa: BLE001 - the error is the outcome
                outcomes.append((type(error).__name__, str(error).split("\n")[0]))
    assert outcomes[1] == outcomes[0]


TEXTS = {
    "linear": lambda t: t.nn.Linear(2, 3, bias=False),
    "sequential": lambda t: t.nn.Sequential(t.nn.Linear(2, 3), t.nn.Sequential(t.nn.ReLU(True), t.nn.Dropout(0.2))),
    "list": lambda t: t.nn.ModuleList([t.nn.ReLU(), t.nn.ReLU(), t.nn.Linear(1, 1)]),
    "dict": lambda t: t.nn.ModuleDict({"a": t.nn.Tanh(), "b": t.nn.Softmax(dim=1)}),
    "parameters": lambda t: t.nn.ParameterList([t.zeros(2, 3), 5]),
    "parameter dict": lambda t: t.nn.ParameterDict({"b": t.zeros(2), "a": t.zeros(())}),
    "norms": lambda t: t.nn.Sequential(
        t.nn.LayerNorm((2, 3)), t.nn.BatchNorm1d(3), t.nn.GroupNorm(2, 4), t.nn.RMSNorm(3)
    ),
    "embedding": lambda t: t.nn.Embedding(5, 3, padding_idx=1, max_norm=2.0),
    "parameter": lambda t: t.nn.Parameter(t.tensor([1.0, 2.0])),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text(name: str) -> None:
    both(lambda t: repr(TEXTS[name](t)))


ERRORS: dict[str, Callable[[Any], Any]] = {
    "no forward": lambda t: t.nn.Module()(1),
    "arguments": lambda t: t.nn.Linear(1),
    "parameter is a number": lambda t: t.nn.Linear(1, 1).register_parameter("x", 5),
    "name with a dot": lambda t: t.nn.Linear(1, 1).register_parameter("a.b", None),
    "name taken": lambda t: t.nn.Linear(1, 1).register_buffer("forward", None),
    "assign a number": lambda t: setattr(t.nn.Linear(1, 1), "weight", 5),
    "child is a number": lambda t: t.nn.Linear(1, 1).add_module("x", 5),
    "no such attribute": lambda t: t.nn.Linear(1, 1).foo,
    "no such submodule": lambda t: t.nn.Sequential(t.nn.ReLU()).get_submodule("0.x"),
    "integers": lambda t: t.nn.Linear(1, 1).to(t.int64),
    "missing keys": lambda t: t.nn.Linear(1, 1).load_state_dict({}),
    "unexpected keys": lambda t: t.nn.ReLU().load_state_dict({"x": t.zeros(1)}),
    "no mapping": lambda t: t.nn.ReLU().load_state_dict([]),
    "training mode": lambda t: t.nn.ReLU().train(3),
    "sequential index": lambda t: t.nn.Sequential(t.nn.ReLU())[3],
    "sequential of a list": lambda t: t.nn.Sequential([t.nn.ReLU()]),
    "dropout": lambda t: t.nn.Dropout(2),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str) -> None:
    both(ERRORS[name])


def test_size_mismatch_lists_everything() -> None:
    def program(t: Any) -> str:
        with pytest.raises(RuntimeError) as caught:
            t.nn.Linear(2, 1).load_state_dict({"weight": t.ones(2), "x": 1, "bias": 5})
        return str(caught.value)

    both(program)


def test_first_weights_and_losses() -> None:
    def program(t: Any) -> list[str]:
        model = t.nn.Sequential(t.nn.Linear(4, 8), t.nn.ReLU(), t.nn.Dropout(0.3), t.nn.Linear(8, 3))
        optimizer = t.optim.SGD(model.parameters(), lr=0.1)
        x, y = t.randn(5, 4), t.tensor([0, 1, 2, 1, 0])
        texts = [repr(model[0].weight)]
        for _ in range(5):
            optimizer.zero_grad()
            loss = t.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            texts.append(repr(loss))
        return texts

    both(program)


def test_hooks_in_order() -> None:
    def program(t: Any) -> list[Any]:
        layer, seen = t.nn.Linear(2, 2), []
        layer.register_forward_pre_hook(lambda m, a: seen.append("pre"))
        layer.register_forward_hook(lambda m, a, out: seen.append("forward"))
        layer.register_forward_hook(lambda m, a, k, out: seen.append(sorted(k)), with_kwargs=True, prepend=True)
        layer.register_full_backward_pre_hook(lambda m, g: seen.append([tuple(x.shape) for x in g]))
        layer.register_full_backward_hook(lambda m, gi, go: seen.append([tuple(x.shape) for x in (*gi, *go)]))
        layer(t.ones(3, 2, requires_grad=True)).sum().backward()
        return seen

    both(program)


def test_deep_copies() -> None:
    def program(t: Any) -> list[Any]:
        layer = t.nn.Linear(2, 2)
        copied = copy.deepcopy(layer)
        shared = copied.weight.data_ptr() == layer.weight.data_ptr()
        return [repr(m.state_dict()) for m in (layer, copied)] + [type(copied.weight) is t.nn.Parameter, shared]

    both(program)


def test_pickles() -> None:
    def program(t: Any) -> list[Any]:
        layer = t.nn.Linear(2, 2)
        loaded = pickle.loads(pickle.dumps(layer))
        return [repr(m.state_dict()) for m in (layer, loaded)]

    both(program)


def test_buffers() -> None:
    def program(t: Any) -> list[Any]:
        module = t.nn.Module()
        module.register_buffer("kept", t.zeros(1))
        module.register_buffer("passing", t.ones(1), persistent=False)
        module.assigned = t.nn.Buffer(t.ones(2))
        return [list(module.state_dict()), [n for n, _ in module.named_buffers()]]

    both(program)
