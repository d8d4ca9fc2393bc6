"""TorchScript's decorators and questions, and futures."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import torchlike as torch
from torchlike import jit, nn
from torchlike.futures import Future, collect_all, wait_all


class Scaled(nn.Module):
    factor: float

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.factor = 3.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.helper(self.linear(x))

    def helper(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor

    @jit.export
    def shifted(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.factor


def double(x: torch.Tensor, times: int = 2) -> torch.Tensor:
    return x * times


def test_scripted_modules():
    module = Scaled()
    scripted = jit.script(module)
    assert repr(scripted) == (
        "RecursiveScriptModule(\n  original_name=Scaled\n  (linear): RecursiveScriptModule(original_name=Linear)\n)"
    )
    x = torch.ones(1, 2)
    torch.testing.assert_close(scripted(x), module(x))
    assert scripted.shifted(torch.ones(1)).item() == 4
    assert scripted.linear.weight is module.linear.weight
    assert list(scripted.state_dict()) == list(module.state_dict())
    scripted.eval()
    assert module.training
    assert not isinstance(scripted, Scaled)
    assert jit.script(scripted) is scripted
    assert len(jit.script(nn.Sequential(nn.ReLU(), nn.ReLU()))) == 2
    with pytest.raises(AttributeError, match="'RecursiveScriptModule' object has no attribute 'nope'"):
        _ = scripted.nope
    for left_out in ("graph", "code"):
        with pytest.raises(NotImplementedError, match="there is no TorchScript"):
            getattr(scripted, left_out)
    with pytest.raises(NotImplementedError, match=r"torch\.jit\.save"):
        jit.save(scripted, "file")


def test_traced_modules_and_functions():
    traced = jit.trace(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.ones(1, 2))
    assert repr(traced).startswith("Sequential(\n  original_name=Sequential\n  (0): Linear(original_name=Linear)")
    assert traced(torch.ones(4, 2)).shape == (4, 3)
    function = jit.trace(double, (torch.ones(1),))
    assert function(torch.ones(1)).item() == 2
    with pytest.raises(RuntimeError, match=r"^Only tensors, lists, tuples of tensors, or dictionary of tensors"):
        jit.trace(lambda x: 3, torch.ones(1))


def test_scripted_functions():
    scripted = jit.script(double)
    assert (scripted.name, scripted(torch.ones(1), times=3).item()) == ("double", 3.0)
    with pytest.raises(TypeError, match=r"^<class 'int'> is a built-in class$"):
        jit.script(3)
    with pytest.raises(RuntimeError, match=r"consider passing an instance instead$"):
        jit.script(Scaled)


def test_freezing():
    with pytest.raises(RuntimeError, match=r"^Freezing is currently only implemented for modules in eval mode"):
        jit.freeze(jit.script(Scaled()))
    with pytest.raises(RuntimeError, match=r"^Freezing expects a ScriptModule as input"):
        jit.freeze(Scaled())
    frozen = jit.freeze(jit.script(Scaled().eval()))
    assert jit.optimize_for_inference(frozen)(torch.ones(1, 2)).shape == (1, 2)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ([1, 2], list[int], True),
        ([1, "a"], list[int], False),
        ((1, "a"), tuple[int, str], True),
        ((1,), tuple[int, str], False),
        ({"a": 1}, dict[str, int], True),
        ({"a": "b"}, dict[str, int], False),
        (None, int | None, True),
        ("a", int | None, False),
        (1, (str, int), True),
    ],
)
def test_isinstance_looks_inside(value: Any, kind: Any, expected: bool):
    assert jit.isinstance(value, kind) is expected


def test_questions_and_decorators():
    assert not jit.is_scripting()
    assert not jit.is_tracing()
    assert jit.annotate(int, 3) == 3
    assert jit.ignore(drop=True)(len) is jit.unused(len) is jit.ignore(len) is len
    assert jit.script_if_tracing(double)(torch.ones(1)).item() == 2
    assert jit.wait(jit.fork(double, torch.ones(1), times=5)).item() == 5
    with pytest.raises(ZeroDivisionError):
        jit.wait(jit.fork(lambda: 1 // 0))


def test_futures():
    future: Future[int] = Future()
    assert not future.done()
    with pytest.raises(RuntimeError):
        future.value()
    later = future.then(lambda f: f.value() + 1).then(lambda f: f.value() * 10)
    seen: list[int] = []
    future.add_done_callback(lambda f: seen.append(f.value()))
    thread = threading.Thread(target=future.set_result, args=(1,))
    thread.start()
    assert later.wait() == 20
    thread.join()
    assert seen == [1]
    with pytest.raises(RuntimeError, match=r"^Attempting to mark a completed Future as complete again"):
        future.set_result(2)
    assert [f.value() for f in collect_all([future, later]).wait()] == [1, 20]
    assert collect_all([]).wait() == []


def test_futures_that_fail():
    future: Future[int] = Future()
    following = future.then(lambda f: f.value())
    future.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match=r"^no$"):
        wait_all([future])
    with pytest.raises(RuntimeError, match="Got the following error when running the callback: ValueError: no"):
        following.wait()
    with pytest.raises(AssertionError, match="is of type <class 'int'>, not an Exception"):
        Future().set_exception(3)  # type: ignore[arg-type]
