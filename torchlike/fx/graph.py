"""A graph: nodes in order, ways to add, move and remove them, and the code that they amount to."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torchlike._core import warn
from torchlike.fx._codegen import CodeGen, Namespace, PythonCode, snake_case
from torchlike.fx.node import Argument, Node, Target, map_arg

__all__ = ["CodeGen", "Graph", "PythonCode"]

_NO_DEFAULT = object()


class _node_list:
    """The nodes of a graph in order; they may be moved or erased while they are gone through."""

    def __init__(self, graph: Graph, direction: str = "_next") -> None:
        self.graph = graph
        self.direction = direction

    def __len__(self) -> int:
        return self.graph._len

    def __iter__(self) -> Iterator[Node]:
        root = self.graph._root
        current = getattr(root, self.direction)
        while current is not root:
            if not current._erased:
                yield current
            current = getattr(current, self.direction)

    def __reversed__(self) -> _node_list:
        return _node_list(self.graph, "_prev" if self.direction == "_next" else "_next")


class _InsertPoint:
    """A context in which new nodes go to a place."""

    def __init__(self, graph: Graph, insert: Callable[[Node], None]) -> None:
        self.graph = graph
        self.before, graph._insert = graph._insert, insert

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self.graph._insert = self.before


class Graph:
    """A program as a list of nodes.

    >>> graph = torch.fx.Graph()
    >>> x = graph.placeholder("x")
    >>> y = graph.call_function(torch.relu, (x,))
    >>> _ = graph.output(y)
    >>> print(graph)
    graph():
        %x : [num_users=1] = placeholder[target=x]
        %relu : [num_users=1] = call_function[target=torch.relu](args = (%x,), kwargs = {})
        return relu
    """

    def __init__(
        self,
        owning_module: Any | None = None,
        tracer_cls: type | None = None,
        tracer_extras: dict[str, Any] | None = None,
    ) -> None:
        self._root = Node(self, "", "root", "", (), {})
        self._len = 0
        self._insert: Callable[[Node], None] = self._root.prepend
        self._graph_namespace = Namespace()
        self._owning_module = owning_module
        self._tracer_cls = tracer_cls
        self._tracer_extras = tracer_extras
        self._codegen = CodeGen()

    @property
    def owning_module(self) -> Any | None:
        """The module that runs the graph."""
        return self._owning_module

    @owning_module.setter
    def owning_module(self, module: Any | None) -> None:
        self._owning_module = module

    @property
    def nodes(self) -> _node_list:
        """The nodes in order."""
        return _node_list(self)

    def _position(self, node: Node) -> int:
        return next(i for i, x in enumerate(self.nodes) if x is node)

    def output_node(self) -> Node:
        """Return the output."""
        return next(node for node in reversed(self.nodes) if node.op == "output")

    def find_nodes(self, *, op: str, target: Target | None = None, sort: bool = True) -> list[Node]:
        """Return the nodes of a kind, and with a target where one is given."""
        if op == "call_function" and target is None:
            raise AssertionError("target is required for call_function")
        return [node for node in self.nodes if node.op == op and (target is None or node.target == target)]

    def graph_copy(self, g: Graph, val_map: dict[Node, Node], return_output_node: bool = False) -> Any:
        """Append the nodes of another graph, and return what its output is here."""
        for node in g.nodes:
            if node in val_map:
                continue
            if node.op == "output":
                result = map_arg(node.args[0], lambda n: val_map[n])
                return (result, node) if return_output_node else result
            val_map[node] = self.node_copy(node, lambda n: val_map[n])
        return None

    def create_node(
        self,
        op: str,
        target: Target,
        args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None,
        name: str | None = None,
        type_expr: Any | None = None,
    ) -> Node:
        """Put a node at the place where nodes go now, the end at first."""
        args, kwargs = () if args is None else args, {} if kwargs is None else kwargs
        if not isinstance(args, tuple):
            raise AssertionError("args must be a tuple")
        if not isinstance(kwargs, dict):
            raise AssertionError("kwargs must be a dict")
        unique = self._graph_namespace.create_name(name or snake_case(self._target_to_str(target)), None)
        node = Node(self, unique, op, target, args, kwargs, type_expr)
        self._graph_namespace.associate(unique, node)
        self._insert(node)
        self._len += 1
        return node

    def process_inputs(self, *args: Any) -> Any:
        """Turn the arguments of the module into values of the placeholders."""
        return self._codegen.process_inputs(*args)

    def process_outputs(self, out: Any) -> Any:
        """Turn the value of the output into what the module returns."""
        return self._codegen.process_outputs(out)

    def erase_node(self, to_erase: Node) -> None:
        """Remove a node that nothing uses; RuntimeError where something does."""
        if to_erase.users:
            raise RuntimeError(
                f"Tried to erase Node {to_erase} but it still had {len(to_erase.users)} users in the graph:"
                f" {to_erase.users}!"
            )
        if to_erase.graph is not self:
            raise RuntimeError(f"Attempting to remove {to_erase} from wrong graph!")
        if to_erase._erased:
            return
        to_erase._unlink()
        to_erase._erased = True
        self._len -= 1
        to_erase._set_arguments((), {})

    def inserting_before(self, n: Node | None = None) -> _InsertPoint:
        """Return a context in which new nodes go before one; without one, to the beginning."""
        if n is None:
            return self.inserting_after(self._root)
        if n.graph is not self:
            raise AssertionError("Node to insert before is not in graph.")
        return _InsertPoint(self, n.prepend)

    def inserting_after(self, n: Node | None = None) -> _InsertPoint:
        """Return a context in which new nodes go after one; without one, to the end."""
        if n is None:
            return self.inserting_before(self._root)
        if n.graph is not self:
            raise AssertionError("Node to insert after is not in graph.")
        last = [n]

        def insert(node: Node) -> None:
            last[0].append(node)
            last[0] = node

        return _InsertPoint(self, insert)

    def placeholder(self, name: str, type_expr: Any | None = None, default_value: Any = _NO_DEFAULT) -> Node:
        """Add an input."""
        args = () if default_value is _NO_DEFAULT else (default_value,)
        return self.create_node("placeholder", name, args, type_expr=type_expr)

    def get_attr(self, qualified_name: str, type_expr: Any | None = None) -> Node:
        """Add the value of an attribute of the module, which should have it."""
        if self.owning_module is not None and not _has(self.owning_module, qualified_name):
            warn.warn(
                "Attempted to insert a get_attr Node with no underlying reference in the owning GraphModule! Call"
                " GraphModule.add_submodule to add the necessary submodule, GraphModule.add_parameter to add the"
                " necessary Parameter, or nn.Module.register_buffer to add the necessary buffer"
            )
        return self.create_node("get_attr", qualified_name, type_expr=type_expr)

    def call_module(
        self,
        module_name: str,
        args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None,
        type_expr: Any | None = None,
    ) -> Node:
        """Add the call of a submodule; AttributeError where the module that owns the graph has none of that name."""
        if self.owning_module is not None:
            self.owning_module.get_submodule(module_name)
        return self.create_node("call_module", module_name, args, kwargs, type_expr=type_expr)

    def call_method(
        self,
        method_name: str,
        args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None,
        type_expr: Any | None = None,
    ) -> Node:
        """Add the call of a method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs, type_expr=type_expr)

    def call_function(
        self,
        the_function: Callable[..., Any],
        args: tuple[Argument, ...] | None = None,
        kwargs: dict[str, Argument] | None = None,
        type_expr: Any | None = None,
        name: str | None = None,
    ) -> Node:
        """Add the call of a function."""
        return self.create_node("call_function", the_function, args, kwargs, name=name, type_expr=type_expr)

    def node_copy(self, node: Node, arg_transform: Callable[[Node], Argument] = lambda x: x) -> Node:
        """Add a copy of a node, perhaps of another graph, with its arguments changed."""
        args, kwargs = map_arg(node.args, arg_transform), map_arg(node.kwargs, arg_transform)
        copied = self.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        copied.meta = copy.copy(node.meta)
        return copied

    def output(self, result: Argument, type_expr: Any | None = None) -> Node:
        """Add the output."""
        return self.create_node("output", "output", (result,), type_expr=type_expr)

    def _target_to_str(self, target: Target | None) -> str:
        if callable(target):
            return target.__name__
        name = str(target)
        special = name.startswith("__") and name.endswith("__")
        return name[2:-2] if special else name

    def python_code(self, root_module: str, *, verbose: bool = False) -> PythonCode:
        """Return the code of the graph; ``root_module`` is the name of what holds the modules, ``self`` mostly."""
        names = Namespace()
        for node in self.nodes:
            names.associate(node.name, node)
        module = sys.modules[__name__.partition(".")[0]]
        return self._codegen.generate(self.nodes, root_module, names, module, verbose=verbose)

    def __str__(self) -> str:
        return "graph():" + "".join(f"\n    {node.format_node()}" for node in self.nodes)

    def print_tabular(self) -> None:
        """Print the nodes as a table; needs the package ``tabulate``."""
        try:
            from tabulate import tabulate  # type: ignore[import-untyped] # noqa: PLC0415 - optional
        except ImportError:
            sys.stdout.write(
                "`print_tabular` relies on the library `tabulate`, which could not be found on this machine. Run `pip"
                " install tabulate` to install the library.\n"
            )
            raise
        rows = [[n.op, n.name, n.target, n.args, n.kwargs] for n in self.nodes]
        sys.stdout.write(tabulate(rows, headers=["opcode", "name", "target", "args", "kwargs"]) + "\n")

    def lint(self) -> None:
        """Raise RuntimeError or ValueError where the graph is not well formed."""
        names: set[str] = set()
        values: set[Node] = set()
        for node in self.nodes:
            if node.graph is not self:
                raise RuntimeError(f"Node '{node}' does not belong to this Graph!")
            for used in node.all_input_nodes:
                if used.graph is not self:
                    raise RuntimeError(f"Argument '{used}' of Node '{node}' does not belong to this Graph!")
                if used not in values:
                    raise RuntimeError(
                        f"Argument '{used}' of Node '{node}' was used before it has been defined! Please check that"
                        f" Nodes in the graph are topologically ordered\n{self}"
                    )
            values.add(node)
            if node.name in names:
                raise RuntimeError(f"Node redefined name {node.name}!")
            names.add(node.name)
        if self.owning_module is not None:
            for node in self.nodes:
                if node.op in ("get_attr", "call_module"):
                    self._lint_target(node)

    def _lint_target(self, node: Node) -> None:
        owner: Any = self.owning_module
        assert isinstance(node.target, str)
        parts = node.target.split(".")
        for i, part in enumerate(parts):
            if not hasattr(owner, part):
                raise RuntimeError(
                    f"Node {node} target {node.target} references nonexistent attribute {'.'.join(parts[: i + 1])}"
                )
            owner = getattr(owner, part)

    def eliminate_dead_code(self, is_impure_node: Callable[[Node], bool] | None = None) -> bool:
        """Remove the nodes that nothing uses and that do nothing else; returns whether there were any."""
        self.lint()
        impure = is_impure_node or (lambda node: node.is_impure())
        before = self._len
        for node in reversed(self.nodes):
            if not node.users and not impure(node):
                self.erase_node(node)
        return self._len < before

    def set_codegen(self, codegen: CodeGen) -> None:
        """Let other code be written around the graph."""
        self._codegen = codegen

    @contextmanager
    def on_generate_code(self, make_transformer: Callable[[Any], Any]) -> Iterator[None]:
        """Change the lines of generated code; not here."""
        raise NotImplementedError("torch.fx.Graph.on_generate_code")
        yield

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Graph:
        memo = {} if memo is None else memo
        copied = Graph(tracer_cls=self._tracer_cls)
        copied._codegen = copy.copy(self._codegen)
        values: dict[Node, Node] = {}
        found = copied.graph_copy(self, values, return_output_node=True)
        if found is not None:
            result, old = found
            output = copied.output(result, type_expr=old.type)
            output.meta = copy.copy(old.meta)
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        raise TypeError("a torch.fx.Graph is pickled with its GraphModule")


def _has(owner: Any, path: str) -> bool:
    for part in path.split("."):
        if not hasattr(owner, part):
            return False
        owner = getattr(owner, part)
    return True
