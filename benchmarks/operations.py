"""The cost of one operation on small tensors, where the way of the call is what counts."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from benchmarks.measure import Case, Run

GROUP = "operations"


def _pair(torch: ModuleType) -> tuple[Any, Any]:
    torch.manual_seed(0)
    return torch.rand(8, 8), torch.rand(8, 8)


def _add(torch: ModuleType) -> Run:
    a, b = _pair(torch)
    return lambda: torch.add(a, b)


def _add_operator(torch: ModuleType) -> Run:
    a, b = _pair(torch)
    return lambda: a + b


def _add_recorded(torch: ModuleType) -> Run:
    a, b = _pair(torch)
    a.requires_grad_()
    return lambda: torch.add(a, b)


def _mul_number(torch: ModuleType) -> Run:
    a, _ = _pair(torch)
    return lambda: torch.mul(a, 1.5)


def _mul(torch: ModuleType) -> Run:
    a, b = _pair(torch)
    return lambda: torch.mul(a, b)


def _matmul(torch: ModuleType) -> Run:
    a, b = _pair(torch)
    return lambda: torch.matmul(a, b)


def _view(torch: ModuleType) -> Run:
    a, _ = _pair(torch)
    return lambda: a.view(4, 16)


def _index(torch: ModuleType) -> Run:
    a, _ = _pair(torch)
    return lambda: a[1:5, 2]


def _add_in_place(torch: ModuleType) -> Run:
    a, b = _pair(torch)
    b.mul_(1e-6)
    return lambda: a.add_(b)


def _sum(torch: ModuleType) -> Run:
    a, _ = _pair(torch)
    return lambda: torch.sum(a)


def _softmax(torch: ModuleType) -> Run:
    a, _ = _pair(torch)
    return lambda: torch.softmax(a, 1)


def _backward(torch: ModuleType) -> Run:
    g, a = _pair(torch)
    a.requires_grad_()
    return lambda: (g * a).sum().backward()


CASES = [
    Case(GROUP, "torch.add(a, b)", _add),
    Case(GROUP, "a + b", _add_operator),
    Case(GROUP, "torch.add(a, b), a requires grad", _add_recorded),
    Case(GROUP, "torch.mul(a, b)", _mul),
    Case(GROUP, "torch.mul(a, 1.5)", _mul_number),
    Case(GROUP, "torch.matmul(a, b)", _matmul),
    Case(GROUP, "a.view(4, 16)", _view),
    Case(GROUP, "a[1:5, 2]", _index),
    Case(GROUP, "a.add_(b)", _add_in_place),
    Case(GROUP, "torch.sum(a)", _sum),
    Case(GROUP, "torch.softmax(a, 1)", _softmax),
    Case("backward", "(g * a).sum().backward()", _backward),
]
