"""Transforms, forward mode and what is built on them give what PyTorch gave when the programs were recorded."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from documents import RECORDED
from transforms.programs import ALL
from transforms.running import outcome, same

import torchlike

with gzip.open(RECORDED / "transforms.json.gz") as _file:
    EXPECTED: dict[str, Any] = json.load(_file)["outcomes"]


def test_all_programs_are_recorded() -> None:
    assert sorted(EXPECTED) == sorted(ALL), "run tests/record_transforms.py"


@pytest.mark.parametrize("name", sorted(ALL))
def test_program(name: str) -> None:
    found = json.loads(json.dumps(outcome(torchlike, ALL[name])))
    assert same(found, EXPECTED[name]), f"{found}\n{EXPECTED[name]}"
