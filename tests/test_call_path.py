"""What a call costs in structure: Python calls crossed, kernels traced and compiled, memory kept alive."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import torchlike as torch
from torchlike._core import dispatch, tape

PACKAGE = str(Path(torch.__file__).parent)


def python_calls(function: Callable[[], Any]) -> list[str]:
    """The files of the package's Python calls that ``function`` crosses, in order."""
    crossed: list[str] = []

    def note(frame: Any, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if event == "call" and (name.startswith((PACKAGE, "<torchlike"))):
            crossed.append(name)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return crossed


class Counter:
    """How often jax traced or compiled something."""

    def __init__(self) -> None:
        self.events: list[str] = []


@contextmanager
def compilations() -> Iterator[Counter]:
    counter = Counter()

    def listen(event: str, *_: Any, **__: Any) -> None:
        if "compile" in event or "trace" in event:
            counter.events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield counter
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_add_crosses_at_most_six_python_calls_in_four_files() -> None:
    a, b = torch.ones(3), torch.ones(3)
    torch.add(a, b)
    crossed = python_calls(lambda: torch.add(a, b))
    assert 1 <= len(crossed) <= 6
    assert len(set(crossed)) <= 4


def test_add_with_gradient_stays_within_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where a process has ever made inference tensors, one call more looks out for them.
    monkeypatch.setattr(tape.watching, "alert", False)
    a, b = torch.ones(3, requires_grad=True), torch.ones(3)
    torch.add(a, b)
    assert len(python_calls(lambda: torch.add(a, b))) <= 13


PROGRAMS: dict[str, Callable[[], Any]] = {
    "arithmetic": lambda: torch.ones(3) + 2.5 * torch.ones(3) - 1,
    "matmul": lambda: torch.ones(2, 3) @ torch.ones(3, 2),
    "reduction": lambda: torch.ones(2, 3).sum(dim=1, keepdim=True),
    "views": lambda: torch.ones(2, 3).t().reshape(6)[1:4] + 1,
    "in-place": lambda: torch.zeros(3).add_(1).mul_(torch.ones(3)),
    "view write": lambda: torch.zeros(3, 3)[1].fill_(4),
    "index": lambda: torch.arange(6)[torch.tensor([1, 2])],
    "backward": lambda: (torch.ones(3, requires_grad=True) * torch.ones(3)).exp().sum().backward(),
    "double backward": lambda: torch.autograd.grad(
        torch.autograd.grad((x := torch.ones(3, requires_grad=True)).pow(3).sum(), x, create_graph=True)[0].sum(), x
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_repeated_call_traces_and_compiles_nothing(name: str) -> None:
    program = PROGRAMS[name]
    program()
    program()
    with compilations() as counter:
        program()
    assert counter.events == []


def test_the_counter_counts() -> None:
    with compilations() as counter:
        jax.jit(lambda x: x * 3.25 + 17)(np.float32(1))
    assert counter.events


def test_a_changing_index_or_scalar_compiles_nothing() -> None:
    x = torch.ones(8, 3)
    for i in range(2):
        (x[i] * (i + 1.5)).sum()
    with compilations() as counter:
        for i in range(2, 8):
            (x[i] * (i + 1.5)).sum()
    assert counter.events == []


def held(array: Any) -> weakref.ref[Any]:
    return weakref.ref(array)


@pytest.mark.parametrize(
    ("name", "keeps"),
    [
        ("add", False),
        ("sub", False),
        ("sum", False),
        ("neg", False),
        ("mul", True),
        ("matmul", True),
        ("exp", False),
        ("relu", False),
    ],
)
def test_an_operator_keeps_its_input_only_if_its_gradient_reads_it(name: str, keeps: bool) -> None:
    weight = torch.ones(2, 2, requires_grad=True)
    middle = weight + 1
    reference = held(dispatch.array_of(middle))
    binary = name in ("add", "sub", "mul", "matmul")
    result = getattr(torch, name)(middle, weight) if binary else getattr(torch, name)(middle)
    assert result.requires_grad
    gc.disable()
    try:
        del middle
        assert (reference() is not None) == keeps
    finally:
        gc.enable()


def test_a_graph_dies_with_its_last_tensor_without_the_garbage_collector() -> None:
    x = torch.ones(2, requires_grad=True)
    gc.disable()
    try:
        y = (x * 2).exp()
        reference = weakref.ref(y.grad_fn)
        del y
        assert reference() is None
    finally:
        gc.enable()


def test_backward_frees_what_the_graph_saved() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    z = y * y
    reference = held(dispatch.array_of(y))
    out = z.sum()
    del y, z
    assert reference() is not None
    out.backward()
    assert reference() is None


def test_a_changing_index_compiles_nothing_in_the_backward() -> None:
    x = torch.ones(8, 3, requires_grad=True)
    for i in range(2):
        (x[i] * 2).sum().backward()
    with compilations() as counter:
        for i in range(2, 8):
            (x[i] * 2).sum().backward()
    assert counter.events == []


def test_in_place_writes_where_the_values_lie() -> None:
    x, other = torch.ones(1000), torch.ones(1000)
    x.add_(other)
    place = x.data_ptr()
    x.add_(other)
    x.mul_(2)
    assert x.data_ptr() == place
    assert x.tolist() == [6.0] * 1000


def test_in_place_leaves_alone_what_others_hold() -> None:
    x = torch.ones(3, requires_grad=True)
    y = torch.ones(3) * 2
    product = x * y  # keeps y for its gradient
    kept = dispatch.array_of(y)
    y.detach().add_(1)
    assert kept.tolist() == [2.0] * 3
    assert y.tolist() == [3.0] * 3
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


def test_gradients_that_an_operator_passes_on_have_memory_of_their_own() -> None:
    a, b = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    (a + b).sum().backward()
    given = torch.ones(3)
    first, second = torch.autograd.grad(a + b, (a, b), given)
    a.backward(given)
    assert len({t.data_ptr() for t in (a.grad, b.grad, first, second, given)}) == 5
    a.grad.numpy()[0] = 5
    assert a.grad.tolist() == [5.0, 2.0, 2.0]
    assert b.grad.tolist() == given.tolist() == [1.0, 1.0, 1.0]


def test_the_gradient_of_a_sum_of_two_runs_no_kernel() -> None:
    a, b = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    node = (a * 1 + b * 1).grad_fn
    (a * 1 + b * 1).sum().backward()
    kernel = node.plan.backward(node.metas, (0,), ())
    assert kernel.passing.places == (0, 0)
    assert kernel.passing.rest is None


def test_a_write_through_a_view_happens_where_the_values_lie() -> None:
    base = torch.zeros(4, 3)
    matrix, row, column = base.view(3, 4), base[1], base.t()[2]
    other = torch.arange(12.0)
    for _ in range(2):
        place = base.data_ptr()
        row.add_(1)
        column.mul_(2).add_(1)
        matrix.index_add_(0, torch.tensor([0]), torch.ones(1, 4))
        matrix.flatten().add_(other)
        assert base.data_ptr() == place
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        row.add_(torch.ones(2, 3))
    expected = np.zeros((4, 3), np.float32)
    for _ in range(2):
        expected[1] += 1
        expected[:, 2] = expected[:, 2] * 2 + 1
        expected.reshape(3, 4)[0] += 1
        expected.reshape(-1)[:] += np.arange(12, dtype=np.float32)
    assert base.tolist() == expected.tolist()


def test_zeroing_needs_no_new_memory() -> None:
    x = torch.ones(1000)
    x.fill_(2)
    place = x.data_ptr()
    x.zero_()
    x.fill_(3)
    assert x.data_ptr() == place
    assert x.tolist() == [3.0] * 1000
