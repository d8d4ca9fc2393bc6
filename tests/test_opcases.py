"""Every operator against what real PyTorch was recorded to do with its case (see opcases/README.md)."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from known_differences import DIFFERENCES
from opcases import case as cases
from opcases import harness

import torchlike
from torchlike._core.op import registry


def _marks(name: str) -> Any:
    reason = DIFFERENCES.get(name)
    return () if reason is None else pytest.mark.xfail(strict=True, reason=reason)


CASES = [
    pytest.param(family, case, dtype, id=f"{case.name}-{dtype}", marks=_marks(f"{case.name}-{dtype}"))
    for family in cases.families()
    for case in cases.load(family)
    for dtype in case.dtype_names
]


@cache
def recording(family: str) -> dict[str, Any]:
    return harness.read_recording(family)["cases"]


@pytest.mark.parametrize(("family", "case", "dtype"), CASES)
def test_as_recorded(family: str, case: cases.OpCase, dtype: str) -> None:
    recorded = recording(family).get(case.name)
    assert recorded is not None, "no recording: run tests/record_opcases.py"
    assert (recorded["samples"], recorded["bad"]) == (list(case.samples), list(case.bad)), (
        "the case changed: run tests/record_opcases.py"
    )
    found = harness.run_case(torchlike, case, dtype)
    assert not (wrong := harness.differences(case, recorded["dtypes"][dtype], found)), "\n".join(wrong)


def covered_names() -> set[str]:
    return {n for f in cases.families() for c in cases.load(f) for n in (c.name, *c.aliases)}


def test_every_operator_has_a_case() -> None:
    covered = covered_names()
    missing = []
    for (namespace, name), entry in registry.items():
        if name.startswith("_") or name.endswith("_"):
            continue
        public = f"{namespace}.{name}" if namespace else name
        if public not in covered:
            missing.append(public)
        assert entry.function is not None
    assert not missing, f"operators without a case in tests/opcases: {', '.join(sorted(missing))}"


def test_no_operator_has_two_cases() -> None:
    names = [c.name for f in cases.families() for c in cases.load(f)]
    assert sorted(names) == sorted(set(names))
