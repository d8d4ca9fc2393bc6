"""The operations on lists of tensors, next to PyTorch's, over every form of their arguments."""

from __future__ import annotations

from typing import Any

import pytest

import torchlike
from torchlike import _foreach

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

LIST, TENSOR, SCALAR_FIRST = "list", "tensor", "scalar first"
FORMS: list[list[Any]] = [
    *([], [2], [[1.5, 2.5]], [[1.0]], [LIST], [LIST, LIST], [LIST, 0.5]),
    *([LIST, LIST, 2.0], [LIST, LIST, [1.0, 2.0]], [TENSOR], [SCALAR_FIRST], ["text"]),
]


def outcome(module: Any, name: str, form: list[Any]) -> Any:
    first = [module.full((2, 3), 0.3), module.full((4,), 0.7)]
    second = [module.full((2, 3), 2.0), module.full((4,), 0.5)]
    args: list[Any] = [second if x is LIST else module.tensor(2.0) if x is TENSOR else x for x in form]
    if form == [SCALAR_FIRST]:
        first, args = 2.0, [second]  # type: ignore[assignment]
    try:
        result = getattr(module, name)(first, *args)
    except (RuntimeError, TypeError) as error:
        return type(error).__name__, str(error).split("\n")[0] if isinstance(error, RuntimeError) else ""
    values = [[pytest.approx(v, rel=1e-5) for v in x.flatten().tolist()] for x in result]
    return type(result).__name__, result is first, values


def test_the_names_are_pytorchs():
    assert sorted(_foreach.__all__) == [name for name in dir(torch) if name.startswith("_foreach")]


@pytest.mark.parametrize("name", [n for n in _foreach.__all__ if n != "_foreach_mm"])
def test_outcomes(name: str):
    for form in FORMS:
        assert outcome(torchlike, name, form) == outcome(torch, name, form), form
