"""Python's operators and what the operators' cases cannot say."""

from __future__ import annotations

import math

import pytest

import torchlike as torch


@pytest.mark.parametrize("expression", ["x // 0", "x % 0", "0 // x", "torch.fmod(x, 0)", "x // torch.tensor([1, 0])"])
def test_integers_divided_by_zero(expression: str) -> None:
    x = torch.tensor([7, 0])
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        eval(expression, {"x": x, "torch": torch})


def test_floats_divided_by_zero() -> None:
    assert (torch.tensor([1.0, -1.0]) // 0).tolist() == [math.inf, -math.inf]
    assert (torch.tensor([True, False]) / 0).tolist()[0] == math.inf


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "//", "%", "&", "|", "^"])
def test_operators_leave_other_classes_to_themselves(symbol: str) -> None:
    x = torch.tensor([1, 2])
    with pytest.raises(TypeError, match="unsupported operand type"):
        eval(f"x {symbol} None", {"x": x})
    with pytest.raises(TypeError, match="unsupported operand type"):
        eval(f"None {symbol} x", {"x": x})


def test_comparison_with_something_else_is_identity() -> None:
    x = torch.tensor([1.0])
    assert (x == None) is False  # noqa: E711 - the operator is what is tested
    assert (x != "a") is True


def test_reflected_operators() -> None:
    x = torch.tensor([1, 2, 4])
    assert (10 - x).tolist() == [9, 8, 6]
    assert (2**x).tolist() == [2, 4, 16]
    assert (1 / x).tolist() == [1.0, 0.5, 0.25]
    assert (9 // x).tolist() == [9, 4, 2]
    assert (9 % x).tolist() == [0, 1, 1]
    assert (1 << x).tolist() == [2, 4, 16]


def test_inplace_operators_keep_the_tensor() -> None:
    x = y = torch.tensor([1.0, 2.0])
    x += 1
    x *= 2
    x -= 1
    x /= 3
    assert x is y
    assert x.tolist() == [1.0, pytest.approx(5 / 3)]


def test_running_sum_of_float32_accumulates_in_float64() -> None:
    x = torch.full((10000,), 0.1)
    assert x.cumsum(0)[-1].item() == pytest.approx(1000.0, abs=1e-4)


def test_special_names() -> None:
    x = torch.tensor([0.25, 0.5])
    assert torch.special.expit(x).tolist() == torch.sigmoid(x).tolist()
    assert torch.special.gammaln(x).tolist() == torch.lgamma(x).tolist()


def test_named_results() -> None:
    result = torch.max(torch.tensor([[1.0, 3.0], [5.0, 2.0]]), 1)
    assert result.values.tolist() == [3.0, 5.0]
    assert repr(result) == "torch.return_types.max(\nvalues=tensor([3., 5.]),\nindices=tensor([1, 0]))"
