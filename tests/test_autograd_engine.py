"""The engine under load: long graphs, long loops, several threads, errors on the way."""

from __future__ import annotations

import copy
import gc
import threading
import time
from typing import Any

import jax
import pytest

import torchlike as torch


def _chain(x: torch.Tensor, length: int) -> torch.Tensor:
    for _ in range(length):
        x = x + 1
    return x


def test_a_long_graph_needs_no_recursion() -> None:
    x = torch.ones(2, requires_grad=True)
    y = _chain(x, 60_000)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del y
    gc.collect()


def test_a_long_graph_that_is_never_walked_is_dropped() -> None:
    x = torch.ones(2, requires_grad=True)
    y = _chain(x, 60_000) * 1.0
    del y
    gc.collect()
    assert (x * 2).sum().grad_fn is not None


def test_the_walk_takes_linear_time() -> None:
    def seconds(length: int) -> float:
        x = torch.ones(2, requires_grad=True)
        best = float("inf")
        for _ in range(3):
            y = _chain(x, length).sum()
            start = time.perf_counter()
            y.backward()
            best = min(best, time.perf_counter() - start)
        return best

    seconds(100)
    short, long = seconds(4_000), seconds(16_000)
    assert long < 16 * short, "four times the nodes take far more than four times as long"


def test_many_writes_in_place() -> None:
    w = torch.ones((), requires_grad=True)
    y = torch.zeros(3)
    for i in range(3_000):
        y[i % 3] += w
    y.sum().backward()
    assert w.grad.item() == 3_000.0


def _live() -> int:
    gc.collect()
    return len(jax.live_arrays())


def test_a_training_loop_keeps_nothing() -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    data = torch.ones(4, 3)

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            loss = torch.tanh(model(data)).square().mean()
            loss.backward()
            optimizer.step()

    steps(20)
    arrays, objects = _live(), len(gc.get_objects())
    steps(600)
    assert _live() <= arrays
    assert len(gc.get_objects()) < objects + 200


def test_a_graph_dies_by_reference_counts() -> None:
    x = torch.ones(1000, requires_grad=True)
    (x.exp() * x).sum()
    gc.collect()
    gc.disable()
    try:
        before = len(jax.live_arrays())
        for _ in range(5):
            (x.exp() * x).sum()
        assert len(jax.live_arrays()) <= before
    finally:
        gc.enable()


def _in_threads(count: int, work: Any) -> None:
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_threads_with_graphs_of_their_own() -> None:
    results: dict[int, float] = {}

    def work(number: int) -> None:
        x = torch.full((3,), float(number), requires_grad=True)
        for _ in range(20):
            (x * x).sum().backward()
        results[number] = x.grad[0].item()

    _in_threads(4, work)
    assert results == {n: 40.0 * n for n in range(4)}


def test_threads_that_add_to_one_leaf() -> None:
    x = torch.zeros(3, requires_grad=True)

    def work(_: int) -> None:
        for _ in range(25):
            (x * 2).sum().backward()

    _in_threads(4, work)
    assert x.grad.tolist() == [200.0] * 3


def test_grad_mode_belongs_to_a_thread() -> None:
    seen: list[bool] = []
    with torch.no_grad():
        _in_threads(1, lambda _: seen.append(torch.is_grad_enabled()))
        assert not torch.is_grad_enabled()
    assert seen == [True]


def test_a_backward_inside_a_backward() -> None:
    class Inner(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, depth: int) -> Any:
            ctx.depth = depth
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            if ctx.depth:
                with torch.enable_grad():
                    again = x.detach().requires_grad_()
                    Inner.apply(again, ctx.depth - 1).sum().backward()
                    return grad * again.grad, None
            return grad * 2, None

    x = torch.ones(2, requires_grad=True)
    Inner.apply(x, 100).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_an_error_in_a_hook_leaves_the_engine_usable() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 2

    def fail(grad: Any) -> None:
        raise ValueError("from the hook")

    handle = y.register_hook(fail)
    with pytest.raises(ValueError, match="from the hook"):
        y.sum().backward(retain_graph=True)
    assert torch.is_grad_enabled()
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_gradients_of_two_leaves_are_memory_of_their_own() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (x + y).sum().backward()
    x.grad.numpy()[0] = 7
    assert x.grad.tolist() == [7.0, 1.0]
    assert y.grad.tolist() == [1.0, 1.0]


def test_numpy_writes_reach_no_copy() -> None:
    x = torch.ones(2)
    copied = copy.deepcopy(x)
    y = x.clone()
    x.numpy()[0] = 7
    assert copied.tolist() == [1.0, 1.0]
    assert y.tolist() == [1.0, 1.0]
