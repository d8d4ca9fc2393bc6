"""Floating point to integers: numbers beyond the type keep their low bits, as on the processors of PyTorch."""

from __future__ import annotations

import math

import pytest

import torchlike as torch

VALUES = [-3.0, -200.0, 300.0, 70000.0, 3e9, -3e9, 1e20, math.inf, -math.inf, math.nan, 255.5, -0.9]
LEAST32, LEAST64 = -(2**31), -(2**63)
EXPECTED: dict[str, list[int]] = {
    "uint8": [253, 56, 44, 112, 0, 0, 0, 0, 0, 0, 255, 0],
    "int8": [-3, 56, 44, 112, 0, 0, 0, 0, 0, 0, -1, 0],
    "int16": [-3, -200, 300, 4464, 0, 0, 0, 0, 0, 0, 255, 0],
    "int32": [-3, -200, 300, 70000, *[LEAST32] * 6, 255, 0],
    "int64": [-3, -200, 300, 70000, 3000000000, -3000000000, *[LEAST64] * 4, 255, 0],
    "uint16": [65533, 65336, 300, 4464, 0, 0, 0, 0, 0, 0, 255, 0],
    "uint32": [4294967293, 4294967096, 300, 70000, 3000000000, 2147483648, 0, 0, 2147483648, 2147483648, 255, 0],
}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_conversions(name: str, source: str):
    given = torch.tensor(VALUES, dtype=getattr(torch, source))
    assert given.to(getattr(torch, name)).tolist() == EXPECTED[name]
    written = torch.zeros(len(VALUES), dtype=getattr(torch, name))
    written.copy_(given)
    assert written.tolist() == EXPECTED[name]


@pytest.mark.parametrize("value", [-0.5, 256.0, math.nan, math.inf])
def test_numbers_are_checked(value: float):
    with pytest.raises(RuntimeError, match=r"^value cannot be converted to type uint8 without overflow$"):
        torch.tensor([value], dtype=torch.uint8)
    for make in (lambda: torch.zeros(1).byte().fill_(value), lambda: torch.linspace(value, 1, 2, dtype=torch.uint8)):
        with pytest.raises(RuntimeError, match=r"^value cannot be converted to type uint8_t without overflow$"):
            make()


def test_integers_wrap_around_once():
    assert torch.tensor([-3, -255], dtype=torch.uint8).tolist() == [253, 1]
    with pytest.raises(RuntimeError, match=r"^value cannot be converted to type int8 without overflow$"):
        torch.tensor([-255], dtype=torch.int8)
