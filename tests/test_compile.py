"""torch.compile: the same numbers as eager code, one program a combination of arguments, and never a stale value."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike import nn, optim
from torchlike._core import dispatch

Step = Callable[[], Any]


def seed_loop(optimizer: Callable[..., Any]) -> tuple[Step, Any, Any]:
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    opt = optimizer(model.parameters())
    loss_fn = nn.MSELoss()
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0]])

    def step() -> Any:
        opt.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        opt.step()
        return loss

    return step, model, opt


def mlp(optimizer: Callable[..., Any]) -> tuple[Step, Any, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    opt = optimizer(model.parameters())
    loss_fn = nn.CrossEntropyLoss()
    x, y = torch.randn(5, 6), torch.randint(0, 4, (5,))

    def step() -> Any:
        opt.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        opt.step()
        return loss

    return step, model, opt


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w_x = nn.Parameter(torch.randn(3, 4) * 0.3)
        self.w_h = nn.Parameter(torch.randn(4, 4) * 0.3)

    def forward(self, xs: Any) -> Any:
        h = torch.zeros(2, 4)
        for x in xs:
            h = torch.tanh(x @ self.w_x + h @ self.w_h)
        return h


def recurrent(optimizer: Callable[..., Any]) -> tuple[Step, Any, Any]:
    torch.manual_seed(0)
    model = Cell()
    opt = optimizer(model.parameters())
    xs = torch.randn(5, 2, 3)

    def step() -> Any:
        opt.zero_grad()
        loss = model(xs).pow(2).sum()
        loss.backward()
        opt.step()
        return loss

    return step, model, opt


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "SGD": lambda params: optim.SGD(params, lr=0.05),
    "SGD momentum": lambda params: optim.SGD(params, lr=0.05, momentum=0.9, weight_decay=0.01),
    "Adam": lambda params: optim.Adam(params, lr=0.01),
}


def state_of(opt: Any) -> list[np.ndarray[Any, Any]]:
    return [
        np.asarray(value.detach().numpy())
        for state in opt.state.values()
        for _, value in sorted(state.items())
        if isinstance(value, torch.Tensor)
    ]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("make", [seed_loop, mlp, recurrent])
def test_a_compiled_training_step_is_the_eager_one(make: Any, optimizer: str) -> None:
    step, model, opt = make(OPTIMIZERS[optimizer])
    expected = [step().item() for _ in range(10)]
    compiled_step, compiled_model, compiled_opt = make(OPTIMIZERS[optimizer])
    fast = torch.compile(compiled_step, fullgraph=True)
    actual = [fast().item() for _ in range(10)]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    for a, b in zip(compiled_model.parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-6)
        assert a._version == b._version
    for a, b in zip(state_of(compiled_opt), state_of(opt), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert fast._compiled.compilations == 1


def test_a_new_learning_rate_is_an_input() -> None:
    results = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, fullgraph=True)):
        step, _, opt = mlp(OPTIMIZERS["SGD momentum"])
        run = wrap(step)
        losses = []
        for i in range(8):
            opt.param_groups[0]["lr"] = 0.1 / (i + 1)
            losses.append(run().item())
        results.append(losses)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)
    assert run._compiled.compilations == 1


def test_other_options_compile_again() -> None:
    step, model, opt = mlp(OPTIMIZERS["SGD"])
    fast = torch.compile(step, fullgraph=True)
    for _ in range(3):
        fast()
    opt.param_groups[0]["weight_decay"] = 0.5
    before = model[0].weight.detach().clone()
    fast()
    reference, other_model, other = mlp(OPTIMIZERS["SGD"])
    with torch.no_grad():
        for a, b in zip(other_model.parameters(), model.parameters(), strict=True):
            a.copy_(b)
    other.param_groups[0]["weight_decay"] = 0.5
    for run in (fast, reference):
        run()
    np.testing.assert_allclose(model[0].weight.detach().numpy(), other_model[0].weight.detach().numpy(), rtol=1e-5)
    assert not np.allclose(before.numpy(), model[0].weight.detach().numpy())


def test_shapes_dtypes_and_grad_mode_have_programs_of_their_own() -> None:
    fast = torch.compile(lambda x: (x * 2).sum(0), fullgraph=True)
    for shape, dtype in (((2, 3), torch.float32), ((4,), torch.float32), ((4,), torch.int64)):
        x = torch.ones(shape, dtype=dtype)
        for _ in range(3):
            assert torch.equal(fast(x), (x * 2).sum(0))
    assert fast._compiled.compilations == 3
    with torch.no_grad():
        for _ in range(2):
            fast(torch.ones(4))
    assert fast._compiled.compilations == 4


def test_the_training_flag_compiles_again() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    fast = torch.compile(model, fullgraph=True)
    x = torch.ones(64, 4)
    with torch.no_grad():
        outputs = [fast(x) for _ in range(4)]
        assert (outputs[2] == 0).any()
        assert not torch.equal(outputs[2], outputs[3])
        model.eval()
        for _ in range(3):
            torch.testing.assert_close(fast(x), model[0](x)) if hasattr(torch, "testing") else None
            np.testing.assert_allclose(fast(x).numpy(), model[0](x).numpy(), rtol=1e-6)


def test_seeding_makes_compiled_randomness_repeat() -> None:
    model = nn.Dropout(0.5)
    fast = torch.compile(model, fullgraph=True)
    x = torch.ones(100)
    for _ in range(2):
        fast(x)
    torch.manual_seed(3)
    first = fast(x)
    second = fast(x)
    torch.manual_seed(3)
    assert torch.equal(fast(x), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("outer", ["leaf", "history"])
def test_gradients_flow_through_a_compiled_function(outer: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    fast = torch.compile(model, fullgraph=True)
    for _ in range(3):
        gradients = []
        for run in (model, fast):
            model.zero_grad()
            x = torch.arange(6.0).reshape(2, 3).requires_grad_()
            value = x if outer == "leaf" else x * 0.5
            run(value).pow(2).sum().backward()
            gradients.append([x.grad, *(p.grad for p in model.parameters())])
        for a, b in zip(*gradients, strict=True):
            np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-5, atol=1e-6)


def test_detached_parts_stay_detached() -> None:
    w = torch.tensor([2.0], requires_grad=True)
    fast = torch.compile(lambda x: (x * w).detach() * w, fullgraph=True)
    for _ in range(3):
        w.grad = None
        fast(torch.tensor([3.0])).sum().backward()
        assert w.grad.item() == 6.0


def test_a_graph_is_walked_once() -> None:
    w = torch.tensor([2.0], requires_grad=True)
    fast = torch.compile(lambda: (w * w).sum(), fullgraph=True)
    fast()
    out = fast()
    out.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        out.backward()


def test_state_written_in_place_is_written_back() -> None:
    counter = torch.zeros(3)
    fast = torch.compile(lambda x: counter.add_(x), fullgraph=True)
    for i in range(1, 5):
        result = fast(torch.ones(3))
        assert result is counter
        assert counter.tolist() == [float(i)] * 3
        assert counter._version == i


def test_an_argument_written_in_place_is_written_back() -> None:
    def double(x: Any) -> Any:
        x.mul_(2)
        return x.sum()

    fast = torch.compile(double, fullgraph=True)
    for _ in range(3):
        x = torch.ones(2)
        assert fast(x).item() == 4.0
        assert x.tolist() == [2.0, 2.0]
        assert x._version == 1


def test_an_array_held_elsewhere_survives_donation() -> None:
    state = torch.zeros(4)
    fast = torch.compile(lambda: state.add_(1), fullgraph=True)
    for _ in range(2):
        fast()
    held = dispatch.array_of(state)
    fast()
    assert held.tolist() == [2.0] * 4
    assert state.tolist() == [3.0] * 4


def test_replaced_memory_is_seen() -> None:
    p = nn.Parameter(torch.ones(2))
    fast = torch.compile(lambda: p * 2, fullgraph=True)
    with torch.no_grad():
        for _ in range(3):
            fast()
        p.data = torch.full((2,), 5.0)
        assert fast().tolist() == [10.0, 10.0]
        assert fast().tolist() == [10.0, 10.0]


SCALE = 3.0


def test_a_changed_global_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = torch.compile(lambda x: x * SCALE, fullgraph=True)
    for _ in range(3):
        assert fast(torch.ones(1)).item() == 3.0
    monkeypatch.setitem(globals(), "SCALE", 4.0)
    for _ in range(3):
        assert fast(torch.ones(1)).item() == 4.0


def test_a_changed_attribute_is_seen() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = 2.0
            self.settings = {"shift": 1.0}

        def forward(self, x: Any) -> Any:
            return x * self.scale + self.settings["shift"]

    module = Scaled()
    fast = torch.compile(module, fullgraph=True)
    for scale, shift in ((2.0, 1.0), (5.0, 1.0), (5.0, -1.0)):
        module.scale, module.settings["shift"] = scale, shift
        for _ in range(3):
            assert fast(torch.ones(1)).item() == scale + shift


def branch(x: Any) -> Any:
    if x.sum() > 0:  # the line that the warning names
        return x
    return -x


calls = [0]


def counts(x: Any) -> Any:
    calls[0] += 1
    return x + calls[0]


kept: list[Any] = []


def keeps(x: Any) -> Any:
    kept.append(x * 2)
    return x


UNCAPTURABLE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "values": (branch, "needed by Python"),
    "item": (lambda x: x * x.sum().item(), "needed by Python"),
    "state": (counts, "changes Python state"),
    "kept": (keeps, "changes Python state|keeps a tensor"),
    "numpy randomness": (lambda x: x * np.random.rand(), "draws random numbers on the host"),  # noqa: NPY002
    "clock": (lambda x: x * (time.perf_counter_ns() % 1_000_003), "compute different things"),
}


@pytest.mark.parametrize("name", UNCAPTURABLE)
def test_what_cannot_be_captured_runs_eagerly_with_a_warning(name: str) -> None:
    function, reason = UNCAPTURABLE[name]
    calls[0] = 0
    kept.clear()
    fast = torch.compile(function)
    x = torch.ones(2)
    fast(x)
    with pytest.warns(UserWarning, match=f"eagerly: .*({reason}).*{__file__}"):
        fast(x)
    fast(x)
    if name == "state":
        assert calls[0] == 3
    if name == "kept":
        assert [k.tolist() for k in kept] == [[2.0, 2.0]] * 3
    strict = torch.compile(function, fullgraph=True)
    strict(x)
    with pytest.raises(RuntimeError, match=reason):
        strict(x)


def test_the_warning_names_the_line() -> None:
    fast = torch.compile(branch)
    fast(torch.ones(2))
    line = branch.__code__.co_firstlineno + 1
    with pytest.warns(UserWarning, match=f"test_compile.py:{line}"):
        fast(torch.ones(2))


def test_disable_reset_and_is_compiling() -> None:
    seen = []

    def watch(x: Any) -> Any:
        seen.append(torch.compiler.is_compiling())
        return x

    fast = torch.compile(watch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fast(torch.ones(1))
        fast(torch.ones(1))
    assert True in seen or seen == [False, False]
    assert torch.compile(watch, disable=True) is watch
    inner = torch.compiler.disable(lambda x: x + 1)
    outer = torch.compile(lambda x: inner(x) * 2)
    outer(torch.ones(1))
    with pytest.warns(UserWarning, match="torch.compiler.disable excludes"):
        assert outer(torch.ones(1)).item() == 4.0
    torch.compiler.reset()


def test_a_compiled_module_is_a_module() -> None:
    model = nn.Linear(2, 3)
    fast = torch.compile(model)
    assert isinstance(fast, nn.Module)
    assert list(fast.state_dict()) == ["_orig_mod.weight", "_orig_mod.bias"]
    assert fast.in_features == 2
    assert [p is q for p, q in zip(fast.parameters(), model.parameters(), strict=True)] == [True, True]


def test_a_parameter_replaced_by_an_equal_one_is_noticed() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    compiled = torch.compile(lambda x: model(x).sum())
    x = torch.ones(1, 1)
    with torch.no_grad():
        for _ in range(3):
            compiled(x)
        model.weight = torch.nn.Parameter(model.weight.detach().clone())
        compiled(x)
        model.weight.fill_(3.0)
        assert compiled(x).item() == 3.0


def test_a_parameter_group_that_grows_and_a_new_hook_are_noticed() -> None:
    first, second = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([first], lr=0.5)
    called: list[int] = []

    @torch.compile
    def step() -> None:
        optimizer.zero_grad()
        (first + second).sum().backward()
        optimizer.step()

    for _ in range(3):
        step()
    optimizer.add_param_group({"params": [second]})
    for _ in range(3):
        step()
    assert (first.item(), second.item()) == (-2.0, -0.5)
    optimizer.register_step_post_hook(lambda *_: called.append(1))
    step()
    with pytest.warns(UserWarning, match="eagerly"):
        step()
    assert called


def test_a_learning_rate_that_changes_is_followed_and_compiles_nothing() -> None:
    w = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([w], lr=1.0)

    @torch.compile
    def step() -> None:
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    for _ in range(3):
        step()
    assert w.item() == -3.0
    for rate in (0.5, 0.25, 0.25, 0.25, 1.0):
        optimizer.param_groups[0]["lr"] = rate
        step()
    assert w.item() == -5.25
    assert step._compiled.compilations == 1
