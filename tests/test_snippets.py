"""The small programs of ``tests/snippets``, against what real PyTorch showed."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from known_differences import SNIPPETS
from snippets import FAMILIES, outcome, snippets

import torchlike as torch

RECORDED = Path(__file__).parent / "recorded"
CASES = [(family, name) for family in FAMILIES for name in snippets(family)]


@functools.cache
def _recorded(family: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((RECORDED / f"snippets_{family}.json").read_text())["outcomes"]
    return found


def _case(family: str, name: str) -> object:
    reason = SNIPPETS.get(f"{family}: {name}")
    marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
    return pytest.param(family, name, marks=marks, id=f"{family}-{name}")


@pytest.mark.parametrize(("family", "name"), [_case(family, name) for family, name in CASES])
def test_snippet(family: str, name: str) -> None:
    assert outcome(torch, snippets(family)[name]) == _recorded(family)[name]


@pytest.mark.parametrize("family", FAMILIES)
def test_recordings_are_up_to_date(family: str) -> None:
    assert list(_recorded(family)) == list(snippets(family))
