"""Replacing parts of a graph by others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torchlike.fx._symbolic_trace import symbolic_trace
from torchlike.fx.graph import Graph
from torchlike.fx.graph_module import GraphModule
from torchlike.fx.node import Node

__all__ = ["Match", "replace_pattern"]


class Match(NamedTuple):
    """Where a pattern was found: the last node of the pattern, and which node of the graph stands for each of it."""

    anchor: Node
    nodes_map: dict[Node, Node]


class _Matcher:
    """Compares a pattern with the nodes that lead to one, backwards from the output."""

    def __init__(self, pattern: Graph) -> None:
        self.pattern = pattern
        output = pattern.output_node()
        self.output = output
        self.anchors = output.all_input_nodes

    def at(self, node: Node) -> dict[Node, Node] | None:
        if len(self.anchors) != 1 or self.output.args[0] is not self.anchors[0]:
            raise NotImplementedError("torch.fx.replace_pattern: patterns that return more than one value")
        found: dict[Node, Node] = {}
        if not self._matches(self.anchors[0], node, found):
            return None
        inner = {actual for mine, actual in found.items() if mine.op != "placeholder"}
        for actual in inner:
            # What others read from inside of the match would be lost.
            if actual is not node and any(user not in inner for user in actual.users):
                return None
        return found

    def _matches(self, mine: Node, actual: Any, found: dict[Node, Node]) -> bool:
        if mine in found:
            return found[mine] is actual
        if not isinstance(actual, Node):
            return False
        if mine.op != "placeholder":
            if mine.op != actual.op or mine.target != actual.target:
                return False
            found[mine] = actual
            return self._same(mine.args, actual.args, found) and self._same(mine.kwargs, actual.kwargs, found)
        found[mine] = actual
        return True

    def _same(self, mine: Any, actual: Any, found: dict[Node, Node]) -> bool:
        if isinstance(mine, Node):
            return self._matches(mine, actual, found)
        if isinstance(mine, (list, tuple)):
            return (
                isinstance(actual, (list, tuple))
                and len(mine) == len(actual)
                and all(self._same(a, b, found) for a, b in zip(mine, actual, strict=True))
            )
        if isinstance(mine, dict):
            return (
                isinstance(actual, dict)
                and mine.keys() == actual.keys()
                and all(self._same(mine[k], actual[k], found) for k in mine)
            )
        if isinstance(mine, slice):
            parts = (mine.start, mine.stop, mine.step)
            return isinstance(actual, slice) and self._same(parts, (actual.start, actual.stop, actual.step), found)
        return type(mine) is type(actual) and bool(mine == actual)


def _graph_of(what: Callable[..., Any] | GraphModule | Graph) -> Graph:
    if isinstance(what, GraphModule):
        return what.graph
    return what if isinstance(what, Graph) else symbolic_trace(what).graph


def replace_pattern(
    gm: GraphModule, pattern: Callable[..., Any] | GraphModule, replacement: Callable[..., Any] | GraphModule
) -> list[Match]:
    """Replace what matches a traced pattern by a replacement with the same inputs; returns the places.

    Matches that overlap one already replaced are left out.

    >>> traced = torch.fx.symbolic_trace(lambda x: torch.relu(x) + torch.relu(-x))
    >>> len(torch.fx.replace_pattern(traced, lambda x: torch.relu(x), lambda x: torch.abs(x)))
    2
    >>> traced(torch.tensor([-3.0]))
    tensor([6.])
    """
    wanted, given = _graph_of(pattern), _graph_of(replacement)
    matcher = _Matcher(wanted)
    inputs = [node for node in wanted.nodes if node.op == "placeholder"]
    replacement_inputs = [node for node in given.nodes if node.op == "placeholder"]
    matches: list[Match] = []
    taken: set[Node] = set()
    for node in gm.graph.nodes:
        if node.op in ("placeholder", "output"):
            continue
        found = matcher.at(node)
        if found is None:
            continue
        inner = {actual for mine, actual in found.items() if mine.op != "placeholder"}
        if inner & taken:
            continue
        taken |= inner
        matches.append(Match(matcher.anchors[0], found))
    replaced: dict[Node, Node] = {}
    for match in matches:
        last = match.nodes_map[match.anchor]
        values = {
            new: replaced.get(match.nodes_map[old], match.nodes_map[old])
            for new, old in zip(replacement_inputs, inputs, strict=True)
        }
        with gm.graph.inserting_before(min(last.users, default=last)):
            result = gm.graph.graph_copy(given, values)
        last.replace_all_uses_with(result)
        replaced[last] = result
        for mine in reversed(list(wanted.nodes)):
            actual = match.nodes_map.get(mine)
            if actual is not None and mine.op != "placeholder":
                gm.graph.erase_node(actual)
    gm.recompile()
    return matches
