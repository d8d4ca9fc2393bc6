"""Random programs of views, in-place writes and gradients agree with real PyTorch after every statement."""

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import torchlike
from tests.differential import program_actions, programs
from tests.differential.programs import Step

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

# Thousands on demand; a modest number, always the same, where the suite runs.
EXAMPLES = int(os.environ.get("TORCHLIKE_PROGRAMS", "120"))

_number = st.integers(0, 7)
_modes = st.sampled_from(["grad"] * 8 + ["no_grad", "inference"])
_steps = st.builds(Step, st.sampled_from(sorted(program_actions.actions)), _number, _number, _number, _modes)


@settings(max_examples=EXAMPLES, derandomize=EXAMPLES <= 120, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(_steps, min_size=2, max_size=10))
def test_random_programs(steps: list[Step]) -> None:
    programs.run(torch, torchlike, steps)


# What random programs found, each reduced to what matters.
FOUND: dict[str, list[tuple[Any, ...]]] = {
    "a copy into itself": [("write_tensor", 0, 0, 2)],
    "a setitem of a leaf by itself": [("setitem", 0, 0, 1)],
    "data in inference mode": [("data", 0, 0, 0, "inference")],
    "bits in inference mode": [("bits", 0, 0, 0, "inference")],
    "bits of data in inference mode": [("data", 0, 0, 0), ("bits", 2, 0, 0, "inference")],
    "bits of a copy made in inference mode": [("copied", 0, 0, 0, "inference"), ("bits", 2)],
    "out= of a leaf without grad": [("write_out", 0, 0, 0, "no_grad")],
    "out= of a leaf": [("write_out", 0, 1, 0)],
    "set_ of a tensor with a graph": [("reshape",), ("set_memory",), ("backward", 3, 0, 1)],
    "set_ in inference mode": [("reshape",), ("arithmetic",), ("set_memory", 3, 0, 0, "inference")],
    "set_ of an expanded tensor": [("expand", 0, 0, 0, "no_grad"), ("set_memory", 2)],
    "an error of inference comes after the write": [("matmul", 0, 0, 0, "inference"), ("masked_write", 2)],
    "a view of a view made in inference mode": [("chunk", 0, 0, 0, "inference"), ("unfold", 2)],
    "a split whose base was set_": [("chunk",), ("set_memory",)],
    "a function that returns its argument, without grad": [("custom", 0, 0, 1, "no_grad")],
    "a function that writes, in inference mode": [("custom", 0, 0, 2, "inference")],
    "a function that returns a view, without grad": [("custom", 0, 0, 3, "no_grad")],
    "a function that writes to a view of a leaf": [("reshape",), ("custom", 2, 0, 2)],
    "detach_ in inference mode": [("cut", 0, 0, 0, "inference")],
    "detach_ of a view in inference mode": [("select",), ("cut", 2, 0, 0, "inference")],
    "detach of an inference tensor": [("join", 0, 0, 0, "inference"), ("detach", 2, 0, 0, "no_grad")],
    "unbind into one and into two": [("unbind", 0), ("chunk",), ("unbind", 3)],
    "resize_ of a base keeps its views": [("unfold", 1), ("resize", 2), ("resize", 0, 1, 1)],
    "a view of a view made without grad": [("integers",), ("chunk", 0, 0, 0, "no_grad"), ("setitem", 3)],
    "backward of a view made without grad": [("diagonal", 0, 0, 0, "no_grad"), ("backward", 2)],
    "grad of a view made without grad": [("diagonal", 0, 0, 0, "no_grad"), ("grad", 0, 2)],
    "backward into a view made without grad": [("chunk", 0, 0, 0, "no_grad"), ("backward_inputs", 0, 2)],
    "fill_ with a graph": [("arithmetic", 0, 0, 3), ("write_number", 2, 2)],
    "complex bits of too little memory": [("resize", 1, 1, 1), ("pairs", 1)],
    "an expanded tensor copied into itself": [("expand", 1), ("write_tensor", 2, 0, 2)],
    "a write to memory that a copy was made of": [("copied",), ("write_bytes",)],
    "in-place transposition of a view of a leaf": [("slice_",), ("shape_in_place", 2)],
    "in-place transposition has a node of its own": [("arithmetic", 0, 0, 3), ("shape_in_place", 2)],
    "out= keeps memory that others look at": [("bits",), ("many_outputs", 0, 3), ("more_out", 0, 3, 0, "no_grad")],
    "a smaller out= keeps its storage": [("more_out", 0, 7, 0, "no_grad"), ("set_storage",)],
    "pieces that count their own versions": [("parts", 0, 4), ("operators", 1)],
    "set_ with a size is outside the graph": [("data",), ("set_strided",)],
    "set_ counts for the detached tensor": [("function", 0, 4), ("set_strided", 0, 2), ("grad", 2)],
    "an inference tensor that requires grad": [("copied", 0, 0, 0, "inference"), ("differentiated", 2)],
    "a view of a tensor whose data was exchanged": [
        ("squeeze",),
        ("swap_data", 2),
        ("movedim", 5),
        ("write_data", 0, 0, 0, "no_grad"),
    ],
    "a copy keeps the stride of a dimension of size 1": [("more_views", 0, 7), ("swap_data", 5)],
    "a copy of a conjugate": [("complex_leaf",), ("conj", 2), ("copied", 3)],
    "a hook after accumulation returns something": [("after_hook", 0, 5), ("backward_inputs",)],
    "a slice from the end": [("more_views", 0, 2, 3), ("more_views", 2, 5, 5)],
    "a bool of a view made without grad": [("expand",), ("parts", 0, 0, 0, "no_grad"), ("convert", 3, 4)],
    "out= that is expanded": [("expand",), ("more_out", 2, 0, 0, "no_grad")],
    "data of an inference tensor": [("custom", 0, 0, 0, "inference"), ("set_data", 0, 1)],
}


@pytest.mark.parametrize("name", sorted(FOUND))
def test_programs_that_once_differed(name: str) -> None:
    programs.run(torch, torchlike, [Step(*step) for step in FOUND[name]])
