"""The operations on lists of tensors."""

from __future__ import annotations

import pytest

import torchlike as torch
from torchlike import _foreach


def lists() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    return [torch.full((2, 3), 0.3), torch.full((4,), 0.7)], [torch.full((2, 3), 2.0), torch.full((4,), 0.5)]


@pytest.mark.parametrize("name", [n for n in _foreach.__all__ if n.endswith("_") and n != "_foreach_copy_"])
def test_in_place_is_the_function_written_back(name: str):
    tensors, others = lists()
    operands = {"addcmul": 2, "addcdiv": 2, "lerp": 2}
    short = name.removeprefix("_foreach_").rstrip("_")
    taking = ("add", "sub", "mul", "div", "clamp_min", "clamp_max", "maximum", "minimum", "pow", *operands)
    args = [others] * operands.get(short, 1) if short in taking else []
    expected = getattr(torch, name.rstrip("_"))(tensors, *args) if short != "zero" else [t * 0 for t in tensors]
    result = getattr(torch, name)(tensors, *args)
    assert result is tensors
    for ours, wanted in zip(tensors, expected, strict=True):
        torch.testing.assert_close(ours, wanted)


def test_numbers_lists_of_numbers_and_tensors():
    tensors, others = lists()
    assert [t[0].tolist() for t in torch._foreach_mul(tensors[1:], [2.0])] == [pytest.approx(1.4)]
    assert torch._foreach_add(tensors, others, alpha=2)[1][0].item() == pytest.approx(1.7)
    assert torch._foreach_addcmul(tensors, others, others, torch.tensor([1.0, 2.0]))[1][0].item() == pytest.approx(1.2)
    assert torch._foreach_pow(2.0, others)[0][0, 0].item() == 4.0
    assert [n.item() for n in torch._foreach_norm(others, float("inf"))] == [2.0, 0.5]
    assert torch._foreach_maximum(tensors, 0.5)[0][0, 0].item() == 0.5


def test_gradients_flow():
    leaf = torch.ones(2, requires_grad=True)
    (product,) = torch._foreach_mul([leaf], 3.0)
    product.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [3.0, 3.0]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        torch._foreach_add_([leaf], 1)


def test_bad_input():
    tensors, others = lists()
    with pytest.raises(RuntimeError, match=r"^Tensor list must have at least one tensor\.$"):
        torch._foreach_add([], 1)
    with pytest.raises(RuntimeError, match=r"^Tensor lists must have the same number of tensors, got 2 and 1$"):
        torch._foreach_add(tensors, others[:1])
    with pytest.raises(RuntimeError, match=r"^Tensor list must have same number of elements as scalar list\.$"):
        torch._foreach_add(tensors, [1.0])
    with pytest.raises(
        TypeError, match=r"^_foreach_add\(\) received an invalid combination of arguments - got \(list, str\)"
    ):
        torch._foreach_add(tensors, "x")
    with pytest.raises(TypeError, match=r"argument 'src' \(position 2\) must be tuple of Tensors, not float"):
        torch._foreach_copy_(tensors, 2.0)
