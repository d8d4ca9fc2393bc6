"""Graphs of programs: tracing, changing and running them."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import pytest

import torchlike as torch
from torchlike import fx, nn


@fx.wrap
def doubled(x: Any) -> Any:
    return x * 2 if isinstance(x, torch.Tensor) else pytest.fail("traced through")


fx.wrap("len")


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.scale = torch.full((2,), 3.0)

    def forward(self, x: Any, shift: float = 1.0) -> Any:
        return torch.relu(self.linear(x)) * self.scale + shift


def test_a_traced_module_computes_and_trains_the_same_parameters():
    block = Block()
    traced = fx.symbolic_trace(block)
    x = torch.ones(3, 2)
    torch.testing.assert_close(traced(x), block(x))
    torch.testing.assert_close(traced(x, 2.0), block(x, 2.0))
    traced(x).sum().backward()
    assert block.linear.weight.grad is traced.linear.weight.grad is not None
    assert list(traced.state_dict()) == ["scale", "linear.weight", "linear.bias"]


def test_wrapped_functions_are_one_node():
    traced = fx.symbolic_trace(lambda x: doubled(x) + math.floor(len(x)))
    assert [n.op for n in traced.graph.nodes].count("call_function") == 4
    assert "doubled(x)" in traced.code
    assert traced(torch.ones(3)).tolist() == [5.0, 5.0, 5.0]


def test_concrete_arguments_are_checked():
    def program(x: Any, flag: bool) -> Any:
        return x + 1 if flag else x - 1

    traced = fx.symbolic_trace(program, concrete_args={"flag": True})
    assert traced(torch.zeros(1), True).item() == 1
    with pytest.raises(AssertionError, match="flag has been specialized to have value True but got another value"):
        traced(torch.zeros(1), False)


def test_copies_and_checkpoints():
    traced = fx.symbolic_trace(Block())
    copied = copy.deepcopy(traced)
    assert copied.code == traced.code
    assert copied.linear.weight is not traced.linear.weight
    file = io.BytesIO()
    torch.save(traced, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert loaded.code == traced.code
    torch.testing.assert_close(loaded(torch.ones(1, 2)), traced(torch.ones(1, 2)))


def test_editing():
    traced = fx.symbolic_trace(Block())
    (relu,) = traced.graph.find_nodes(op="call_function", target=torch.relu)
    with pytest.raises(RuntimeError, match=r"^Tried to erase Node relu but it still had 1 users in the graph"):
        traced.graph.erase_node(relu)
    with traced.graph.inserting_after(relu):
        tanh = traced.graph.call_function(torch.tanh, relu.args)
    relu.replace_all_uses_with(tanh)
    traced.graph.erase_node(relu)
    traced.recompile()
    assert "torch.tanh" in traced.code
    assert "relu" not in traced.code
    with pytest.raises(TypeError, match="'immutable_list' object does not support mutation"):
        fx.symbolic_trace(lambda x: torch.cat([x, x])).graph.find_nodes(op="call_function", target=torch.cat)[0].args[
            0
        ].append(1)
    with pytest.raises(AttributeError, match="has no attribute `nope`"):
        traced.graph.call_module("nope")


def test_submodules_come_and_go():
    traced = fx.symbolic_trace(Block())
    assert traced.add_submodule("a.b", nn.ReLU())
    assert isinstance(traced.get_submodule("a.b"), nn.ReLU)
    traced.delete_all_unused_submodules()
    assert [name for name, _ in traced.named_modules()] == ["", "linear"]
    assert not traced.delete_submodule("a.b")


def test_interpreters_and_transformers():
    traced = fx.symbolic_trace(Block())
    seen = []

    class Watching(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            seen.append(n.name)
            return super().run_node(n)

    x = torch.ones(1, 2)
    torch.testing.assert_close(Watching(traced).run(x), traced(x))
    assert seen == [n.name for n in traced.graph.nodes]

    class Smooth(fx.Transformer):
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            return super().call_function(torch.sigmoid if target is torch.relu else target, args, kwargs)

    smooth = Smooth(traced).transform()
    torch.testing.assert_close(smooth(x), torch.sigmoid(traced.linear(x)) * 3 + 1)
    with pytest.raises(RuntimeError, match="While executing"):
        fx.Interpreter(traced).run(torch.ones(1, 5))


def test_shapes_are_noted():
    traced = fx.symbolic_trace(Block())
    fx.passes.shape_prop.ShapeProp(traced).propagate(torch.ones(4, 2))
    noted = {n.name: n.meta["tensor_meta"] for n in traced.graph.nodes if "tensor_meta" in n.meta}
    assert tuple(noted["linear"].shape) == (4, 2)
    assert noted["linear"].requires_grad
    assert noted["x"].memory_format is torch.contiguous_format
    assert 'relu: "f32[4, 2]"' in traced.print_readable(print_output=False)


def test_patterns_inside_of_which_others_read_stay():
    traced = fx.symbolic_trace(lambda x: (torch.relu(x).neg(), torch.relu(x)))
    assert len(fx.replace_pattern(traced, lambda x: torch.relu(x).neg(), lambda x: torch.sigmoid(x))) == 1
    shared = fx.symbolic_trace(lambda x: [(y := torch.relu(x)).neg(), y])
    assert fx.replace_pattern(shared, lambda x: torch.relu(x).neg(), lambda x: torch.sigmoid(x)) == []


def test_graphs_are_linted():
    graph = fx.Graph()
    x = graph.placeholder("x")
    y = graph.call_function(torch.relu, (x,))
    graph.output(y)
    x.prepend(y)
    with pytest.raises(RuntimeError, match="was used before it has been defined"):
        graph.lint()
