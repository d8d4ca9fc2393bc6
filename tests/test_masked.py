"""Reductions and normalisations of the elements that a mask keeps; the expectations are PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import pytest

import torchlike as torch

X = [[-3.0, -2.0, -1.0], [0.0, 1.0, 2.0]]
MASK = [[True, False, True], [False, False, False]]
NAN = math.nan

REDUCTIONS: dict[str, tuple[list[Any], list[float], float]] = {
    # arguments before dim, over the rows, over all
    "sum": ([], [-4.0, 0.0], -4.0),
    "prod": ([], [3.0, 1.0], 3.0),
    "amax": ([], [-1.0, -math.inf], -1.0),
    "amin": ([], [-3.0, math.inf], -3.0),
    "mean": ([], [-2.0, NAN], -2.0),
    "norm": ([2.0], [10**0.5, 0.0], 10**0.5),
    "var": ([], [2.0, NAN], 2.0),
    "std": ([], [2**0.5, NAN], 2**0.5),
    "logsumexp": ([], [-0.8730720, -math.inf], -0.8730720),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str):
    before, rows, total = REDUCTIONS[name]
    function, x, mask = getattr(torch.masked, name), torch.tensor(X), torch.tensor(MASK)
    assert function(x, *before, 1, mask=mask).tolist() == pytest.approx(rows, nan_ok=True)
    assert function(x, *before, (0, 1), mask=mask).item() == pytest.approx(total)
    assert function(x, *before, mask=mask, keepdim=True).shape == (1, 1)
    row = function(x, *before, 1, mask=torch.tensor([True, True, True]))
    torch.testing.assert_close(row, function(x, *before, 1))


def test_what_is_left_out_gets_no_gradient():
    x = torch.tensor(X, requires_grad=True)
    torch.masked.softmax(x, 1, mask=torch.tensor(MASK))[0, 0].backward()
    assert x.grad is not None
    p = 1 / (1 + math.exp(2))
    assert x.grad[0].tolist() == pytest.approx([p * (1 - p), 0.0, -p * (1 - p)], abs=1e-6)


def test_types_of_results():
    x = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8)
    mask = torch.tensor([[True, False], [True, True]])
    assert torch.masked.sum(x, 0, mask=mask).dtype is torch.int64
    assert torch.masked.cumsum(x, 0, mask=mask).dtype is torch.uint8
    assert torch.masked.argmax(x, 0, mask=mask).tolist() == [1, 1]
    assert torch.masked.median(x, 1, mask=mask).tolist() == [1, 3]
    assert torch.masked.amax(x, 1, dtype=torch.float64, mask=mask).dtype is torch.float64


def test_the_other_normalisations():
    x, mask = torch.tensor([3.0, 9.0, 4.0]), torch.tensor([True, False, True])
    assert torch.masked.normalize(x, 2.0, 0, mask=mask).tolist() == pytest.approx([0.6, 0.0, 0.8])
    assert torch.masked.log_softmax(x, 0, mask=mask).tolist() == pytest.approx([-1.3132617, -math.inf, -0.3132617])
    assert torch.masked.softmin(x, 0, mask=mask).tolist() == pytest.approx([0.7310586, 0.0, 0.2689414])
    both = torch.masked.logaddexp(x, x, input_mask=mask, other_mask=torch.tensor([True, True, False]))
    assert both.tolist() == pytest.approx([3.0 + math.log(2), 9.0, 4.0])
    assert torch.masked.cumprod(x, 0, mask=mask).tolist() == [3.0, 3.0, 12.0]


def test_refusals():
    x = torch.tensor(X)
    with pytest.raises(IndexError, match="_input_mask expected broadcastable mask"):
        torch.masked.sum(x, 0, mask=torch.ones(1, 2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"^mean\(\): Could not infer output dtype"):
        torch.masked.mean(x.long(), 0)
    with pytest.raises(ValueError, match="masked median expects no fully masked out rows"):
        torch.masked.median(x.long(), 1, mask=torch.tensor(MASK))
    with pytest.raises(NotImplementedError, match=r"^identity of amax on torch\.bool input$"):
        torch.masked.amax(x.bool(), 1, mask=torch.tensor(MASK))
    with pytest.raises(ValueError, match="Only one of unbiased and correction may be given"):
        torch.masked.var(x, 0, True, correction=1)
    with pytest.raises(RuntimeError, match=r"^dim=0 appears multiple times in the list of dims"):
        torch.masked.sum(x, (0, 0))
