"""Clipping and vectors of parameters on real PyTorch and on torchlike, side by side."""

from __future__ import annotations

import math
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch


def parameters(torch: Any) -> list[Any]:
    made = [torch.nn.Parameter(torch.tensor([1.0, 2.0])), torch.nn.Parameter(torch.tensor([[3.0]]))]
    made[0].grad = torch.tensor([3.0, -4.0])
    made[1].grad = torch.tensor([[12.0]])
    return made


@pytest.mark.parametrize("order", [2.0, 1.0, 3, 0.0, math.inf])
@pytest.mark.parametrize("limit", [1.0, 100.0])
def test_clip_grad_norm(order: float, limit: float) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, torchlike):
        params = parameters(library)
        total = library.nn.utils.clip_grad_norm_(params, limit, order)
        found.append([total.item(), *(x for p in params for x in p.grad.reshape(-1).tolist())])
    assert found[1] == pytest.approx(found[0], rel=1e-6)


def test_clip_grad_value_and_vectors() -> None:
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, torchlike):
        params = parameters(library)
        library.nn.utils.clip_grad_value_(params, 3.5)
        library.nn.utils.vector_to_parameters(library.tensor([7.0, 8.0, 9.0]), params)
        vector = library.nn.utils.parameters_to_vector(params)
        found.append([repr(params), repr(vector), repr([p.grad for p in params])])
    assert found[1] == found[0]


def test_a_norm_that_is_not_finite() -> None:
    torch = pytest.importorskip("torch")
    messages = []
    for library in (torch, torchlike):
        params = parameters(library)
        params[0].grad.fill_(math.nan)
        with pytest.raises(RuntimeError) as caught:
            library.nn.utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
        messages.append(str(caught.value))
    assert messages[1] == messages[0]
