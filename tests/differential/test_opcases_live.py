"""The operators' cases on real PyTorch and on torchlike, side by side."""

from __future__ import annotations

import pytest
from known_differences import DIFFERENCES
from opcases import case as cases
from opcases import harness

import torchlike

CASES = [
    pytest.param(
        case,
        dtype,
        id=f"{case.name}-{dtype}",
        marks=[pytest.mark.xfail(strict=True, reason=DIFFERENCES[name])]
        if (name := f"{case.name}-{dtype}") in DIFFERENCES
        else [],
    )
    for family in cases.families()
    for case in cases.load(family)
    for dtype in case.dtype_names
]


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_as_pytorch(case: cases.OpCase, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    expected = harness.run_case(torch, case, dtype)
    found = harness.run_case(torchlike, case, dtype)
    assert not (wrong := harness.differences(case, expected, found)), "\n".join(wrong)
