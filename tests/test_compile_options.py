"""``torch.compile``: what it is told beside the function, compiled modules, stances, and higher derivatives."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import torchlike as torch


@pytest.fixture(autouse=True)
def usual_stance() -> Iterator[None]:
    yield
    torch.compiler.set_stance("default")
    torch.compiler.set_default_backend(None)


def double(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backend": "nope"}, RuntimeError, "Invalid backend: 'nope'"),
        ({"mode": "nope"}, RuntimeError, "Unrecognized mode=nope, should be one of: default, lite, reduce-overhead"),
        ({"mode": "default", "options": {"debug": True}}, RuntimeError, "Either mode or options can be specified"),
        ({"dynamic": "a"}, AssertionError, "Expected enable to be a bool"),
        ({"backend": lambda graph, inputs: graph}, NotImplementedError, "torch.fx"),
    ],
)
def test_refused_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        torch.compile(double, **options)


def test_refused_functions() -> None:
    with pytest.raises(AssertionError, match="A callable function is expected"):
        torch.compile(1)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="Model can't be None"):
        torch.compile()(None)


@pytest.mark.parametrize(
    "options",
    [{"mode": "max-autotune"}, {"options": {"epilogue_fusion": True}}, {"dynamic": True}, {"backend": "cudagraphs"}],
)
def test_accepted_options(options: dict[str, Any]) -> None:
    fast = torch.compile(double, **options)
    for _ in range(3):
        assert fast(torch.ones(2)).tolist() == [2.0, 2.0]
    assert fast._compiled.compilations == 1


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_backends_that_compile_nothing(backend: str) -> None:
    fast = torch.compile(double, backend=backend)
    for _ in range(3):
        assert fast(torch.ones(2)).tolist() == [2.0, 2.0]
    assert fast._compiled.compilations == 0
    assert fast.__wrapped__ is double


def test_default_backend() -> None:
    assert torch.compiler.get_default_backend() == "inductor"
    torch.compiler.set_default_backend("eager")
    assert torch.compiler.get_default_backend() == "eager"
    assert torch.compile(double)._compiled.eager


def test_compiled_module() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Dropout(0.5))
    fast = torch.compile(module)
    assert fast._orig_mod is module
    assert list(fast.state_dict()) == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    assert [name for name, _ in fast.named_parameters()] == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    fast.note = 3
    assert module.note == 3
    del fast.note
    assert not hasattr(module, "note")
    assert len(fast) == 2
    assert fast.eval().training is False
    assert module.training is False
    assert type(copy.deepcopy(fast)) is type(fast)
    assert type(pickle.loads(pickle.dumps(fast))) is type(fast)
    x = torch.ones(1, 2)
    expected = module(x)
    for _ in range(3):
        assert torch.allclose(fast(x), expected)


def test_module_compile() -> None:
    module = torch.nn.Linear(2, 1)
    expected = module(torch.ones(1, 2))
    module.compile()
    for _ in range(3):
        assert torch.allclose(module(torch.ones(1, 2)), expected)
    assert module._compiled_call_impl._compiled.compilations == 1
    assert list(module.state_dict()) == ["weight", "bias"]
    assert pickle.loads(pickle.dumps(module))._compiled_call_impl is None


def test_stances() -> None:
    fast = torch.compile(double)
    with torch.compiler.set_stance("force_eager"):
        for _ in range(3):
            assert fast(torch.ones(2)).tolist() == [2.0, 2.0]
    assert fast._compiled.compilations == 0
    for _ in range(3):
        fast(torch.ones(2))
    assert fast._compiled.compilations == 1
    with torch.compiler.set_stance("fail_on_recompile"):
        assert fast(torch.ones(2)).tolist() == [2.0, 2.0]
        with pytest.raises(RuntimeError, match=r"Detected recompile when torch.compile stance is 'fail_on_recompile'"):
            fast(torch.ones(3))
    with torch.compiler.set_stance("eager_on_recompile"):
        for _ in range(3):
            assert fast(torch.ones(4)).tolist() == [2.0] * 4
    assert fast._compiled.compilations == 1

    @torch.compiler.set_stance("force_eager")
    def decorated(x: torch.Tensor) -> Any:
        return torch.compile(double)(x)

    assert decorated(torch.ones(1)).item() == 2.0
    with pytest.raises(RuntimeError, match=r"invalid torch.compile stance"):
        torch.compiler.set_stance("nope")
    with pytest.raises(RuntimeError, match="non-default stance cannot have force_backend set"):
        torch.compiler.set_stance("force_eager", force_backend="eager")


def test_wrap_numpy() -> None:
    wrapped = torch.compiler.wrap_numpy(lambda a, b: [a + b, a.sum()])
    total, part = wrapped(torch.ones(2), b=torch.ones(2))
    assert total.tolist() == [2.0, 2.0]
    assert part == 2.0


def test_higher_derivatives() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)

    def f(a: torch.Tensor) -> torch.Tensor:
        return ((torch.tanh(a @ w) * x) ** 3).sum()

    def derivatives(function: Any) -> list[torch.Tensor]:
        a = torch.tensor([0.3, 0.4], requires_grad=True)
        first = torch.autograd.grad(function(a), [a, x, w], create_graph=True)
        second = torch.autograd.grad(sum((t**2).sum() for t in first), [a, x, w], create_graph=True)
        third = torch.autograd.grad(sum((t**2).sum() for t in second), [a, x, w])
        return [t.detach() for t in (*first, *second, *third)]

    fast = torch.compile(f, fullgraph=True)
    expected = derivatives(f)
    for _ in range(3):
        found = derivatives(fast)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-4)
    assert fast._compiled.compilations == 1


def test_second_derivative_by_a_shared_tensor_is_refused() -> None:
    base = torch.ones(4)
    part = base[1:3].requires_grad_()
    fast = torch.compile(lambda: (part**3).sum(), fullgraph=True)
    fast()
    assert torch.autograd.grad(fast(), part)[0].tolist() == [3.0, 3.0]
    with pytest.raises(NotImplementedError, match="shares its memory"):
        torch.autograd.grad(fast(), part, create_graph=True)
