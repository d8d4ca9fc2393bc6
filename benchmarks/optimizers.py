"""One step of an optimizer over twenty small tensors."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from benchmarks.measure import Case, Run

GROUP = "optimizers"


def _step(torch: ModuleType, name: str, **options: Any) -> Run:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.rand(32, 32) if i % 2 else torch.rand(32)) for i in range(20)]
    for parameter in parameters:
        parameter.grad = torch.rand_like(parameter) * 1e-3
    optimizer = getattr(torch.optim, name)(parameters, **options)
    step: Run = optimizer.step
    return step


def _sgd(torch: ModuleType) -> Run:
    return _step(torch, "SGD", lr=1e-3)


def _sgd_momentum(torch: ModuleType) -> Run:
    return _step(torch, "SGD", lr=1e-3, momentum=0.9)


def _adam(torch: ModuleType) -> Run:
    return _step(torch, "Adam", lr=1e-3)


CASES = [
    Case(GROUP, "SGD.step()", _sgd),
    Case(GROUP, "SGD.step(), momentum", _sgd_momentum),
    Case(GROUP, "Adam.step()", _adam),
]
