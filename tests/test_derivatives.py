"""The derivatives of every operator are those of its values: backward, forward mode, and both through the backward.

Left out is what real PyTorch was measured not to have, with its reason in tests/recorded/derivatives.json. Every eighth
operator runs by default; all of them where TORCHLIKE_ALL_OPERATORS is set, as in the last stage of .ci/run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import pytest
from documents import RECORDED
from opcases.case import OpCase, families, load
from transforms.derivatives import WAYS, Sample

import torchlike

CASES: dict[str, OpCase] = {case.name: case for family in families() for case in load(family)}
RECORDING: dict[str, Any] = json.loads((RECORDED / "derivatives.json").read_text())["cases"]
STEP = 1 if os.environ.get("TORCHLIKE_ALL_OPERATORS") else 8

# How PyTorch says that it has no derivative. Where its derivative is wrong, or gets in its own way, ours is checked. An
# IndexError is that of its check, which looks for tangents of saved statistics: neither library gives them any.
LACKS = re.compile(
    r"NotImplementedError|IndexError|RuntimeError: (the )?derivative for |.* does not support automatic differ"
)
# What the values themselves do not have, whatever the backward says.
WITHOUT = {
    "normal": "the gradient of random numbers is zero, in PyTorch too",
}


@pytest.fixture(autouse=True, scope="module")
def few_kernels() -> Iterator[Callable[[], None]]:
    """Kernels are let go now and then: a process may hold only so many of them (each takes maps of memory)."""
    made = 0

    def one_more() -> None:
        nonlocal made
        made += 1
        if made % 100 == 0:
            jax.clear_caches()

    yield one_more
    if STEP == 1:
        jax.clear_caches()


@pytest.mark.parametrize("name", sorted(RECORDING)[::STEP])
def test_derivatives(name: str, few_kernels: Callable[[], None]) -> None:
    few_kernels()
    case, _, dtype = name.rpartition("-")
    if case in WITHOUT:
        pytest.skip(WITHOUT[case])
    sample = Sample(torchlike, CASES[case], dtype)
    recorded = RECORDING[name]
    for way in WAYS:
        if not LACKS.match(recorded["missing"].get(way, "")):
            sample.check(way, recorded.get("inputs", sample.names))
