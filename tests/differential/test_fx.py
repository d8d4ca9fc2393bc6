"""Traced programs have PyTorch's graphs and PyTorch's code."""

from __future__ import annotations

from typing import Any

import pytest

import torchlike
from tests.differential.fx_programs import PROGRAMS, module

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


def traced(library: Any, name: str) -> Any:
    make, concrete = PROGRAMS[name]
    return library.fx.symbolic_trace(make(library), concrete_args=concrete or None)


@pytest.mark.parametrize("name", PROGRAMS)
def test_code_and_graph(name: str):
    ours, theirs = traced(torchlike, name), traced(torch, name)
    assert ours.code == theirs.code
    assert str(ours.graph) == str(theirs.graph)
    assert [(n.op, n.name, list(map(str, n.users))) for n in ours.graph.nodes] == [
        (n.op, n.name, list(map(str, n.users))) for n in theirs.graph.nodes
    ]


def test_text_of_modules():
    assert str(traced(torchlike, "module")) == str(traced(torch, "module"))
    assert traced(torchlike, "module").print_readable(False) == traced(torch, "module").print_readable(False)


def changed(library: Any) -> tuple[str, str, str]:
    """A graph after moving, replacing and removing nodes, and after a pattern was replaced."""
    graph = library.fx.Graph()
    x = graph.placeholder("x")
    total = graph.call_function(library.add, (x, 1))
    graph.output(total)
    with graph.inserting_before(total):
        negative = graph.call_method("neg", (x,))
    total.replace_input_with(x, negative)
    graph.call_function(library.relu, (total,))
    graph.eliminate_dead_code()
    graph.lint()
    deep = type("Deep", (library.fx.Tracer,), {"is_leaf_module": lambda self, m, q: isinstance(m, library.nn.Linear)})
    flat = deep().trace(module(library))
    rewritten = library.fx.symbolic_trace(lambda x: library.relu(x).neg() + library.relu(x.t()).neg())
    library.fx.replace_pattern(rewritten, lambda x: library.relu(x).neg(), lambda x: library.sigmoid(x))
    return str(graph), str(flat), rewritten.code


def test_changes():
    assert changed(torchlike) == changed(torch)


def refusal(library: Any, program: Any) -> tuple[str, str]:
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        library.fx.symbolic_trace(program)
    return type(caught.value).__name__, str(caught.value)


@pytest.mark.parametrize(
    "program",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: [y for y in x],  # noqa: C416 - the loop is the point
        lambda x: len(x),
        lambda x: range(int(x.shape[0])),
    ],
    ids=["condition", "loop", "len", "int"],
)
def test_refusals(program: Any):
    assert refusal(torchlike, program) == refusal(torch, program)
