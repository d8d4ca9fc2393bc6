"""The small programs of ``tests/snippets`` on both libraries, side by side."""

from __future__ import annotations

import pytest
from known_differences import SNIPPETS
from snippets import FAMILIES, outcome, snippets

import torchlike

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("family", "name"), [(f, n) for f in FAMILIES for n in snippets(f)])
def test_snippet(family: str, name: str) -> None:
    if f"{family}: {name}" in SNIPPETS:
        pytest.xfail(SNIPPETS[f"{family}: {name}"])
    source = snippets(family)[name]
    assert outcome(torchlike, source) == outcome(torch, source)
