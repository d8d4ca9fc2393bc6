"""The outcomes that tests/test_transforms.py relies on are those of real PyTorch."""

from __future__ import annotations

import json

import pytest
from test_transforms import EXPECTED
from transforms.programs import ALL
from transforms.running import outcome, same

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def test_recorded_outcomes() -> None:
    stale = [name for name in ALL if not same(json.loads(json.dumps(outcome(torch, ALL[name]))), EXPECTED[name])]
    assert not stale, "run tests/record_transforms.py"
