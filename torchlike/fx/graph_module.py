"""A module that runs a graph, by code written from it."""

from __future__ import annotations

import copy
import linecache
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torchlike._tensor import Tensor
from torchlike.fx._codegen import ALWAYS, PythonCode
from torchlike.fx.graph import Graph
from torchlike.fx.node import Node
from torchlike.nn.modules.module import Module
from torchlike.nn.parameter import Parameter

__all__ = ["GraphModule", "reduce_graph_module"]

_USER_PRESERVED_ATTRIBUTES_KEY = "_user_preserved_attributes"
_COUNT = iter(range(1 << 62))


def _forward_from(source: str, scope: dict[str, Any]) -> Any:
    """Run generated code, and keep its lines where tracebacks look for them."""
    name = f"<eval_with_key>.{next(_COUNT)}"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec", dont_inherit=True), scope)  # noqa: S102 - this is what a graph module is
    return scope["forward"]


def _copy_attr(source: Module, target: Module, path: str) -> None:
    """Give a module the attribute that another has, with empty modules on the way."""
    *prefix, name = path.split(".")
    for part in prefix:
        found = getattr(source, part)
        inner = getattr(target, part, None)
        if found is inner:
            return
        if inner is None:
            inner = Module()
            setattr(target, part, inner)
        source, target = found, inner
    value = getattr(source, name)
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        target.register_buffer(name, value)
    else:
        setattr(target, name, value)


def _set_attribute(value: Any, target: Module, path: str) -> None:
    *prefix, name = path.split(".")
    for part in prefix:
        inner = getattr(target, part, None)
        if inner is None:
            inner = Module()
            setattr(target, part, inner)
        target = inner
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        target.register_buffer(name, value)
    else:
        setattr(target, name, value)


class GraphModule(Module):
    """A module made of a graph and of the modules, parameters and buffers that the graph names.

    ``code`` is the Python that it runs; after changes to the graph call ``recompile``.

    >>> graph = torch.fx.Graph()
    >>> _ = graph.output(graph.call_method("neg", (graph.placeholder("x"),)))
    >>> torch.fx.GraphModule(torch.nn.Module(), graph)(torch.ones(1))
    tensor([-1.])
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> GraphModule:
        # Each instance has a class of its own, since ``forward`` is one of the class.
        base = next(base for base in cls.__mro__ if not base.__qualname__.endswith("GraphModuleImpl"))

        class GraphModuleImpl(base):  # type: ignore[valid-type, misc]
            pass

        return super().__new__(GraphModuleImpl)

    def __init__(self, root: Module | dict[str, Any], graph: Graph, class_name: str = "GraphModule") -> None:
        super().__init__()
        self.__class__.__name__ = class_name
        if isinstance(root, Module):
            if hasattr(root, "training"):
                self.training = root.training
            for node in graph.nodes:
                if node.op in ("get_attr", "call_module"):
                    _copy_attr(root, self, node.target)  # type: ignore[arg-type]
        elif isinstance(root, dict):
            needed = [node.target for node in graph.nodes if node.op in ("get_attr", "call_module")]
            for target in needed:
                if target not in root:
                    raise RuntimeError(
                        f"Node {target} referenced target {target} but that target was not provided in ``root``!"
                    )
            for target in sorted(needed, key=lambda t: t.count(".")):  # type: ignore[union-attr]
                _set_attribute(root[target], self, target)  # type: ignore[index, arg-type]
        else:
            raise RuntimeError(f"Unsupported type {root} passed for root!")
        self.graph = graph
        self.meta: dict[str, Any] = {}

    @property
    def graph(self) -> Graph:
        """The graph; assigning one compiles it."""
        return self._graph

    @graph.setter
    def graph(self, graph: Graph) -> None:
        if not isinstance(graph, Graph):
            raise AssertionError(f"Expected a Graph instance, but got {type(graph)}")
        self._graph = graph
        graph.owning_module = self
        self.recompile()

    def recompile(self) -> PythonCode:
        """Write ``forward`` from the graph again."""
        python = self._graph.python_code("self")
        self._code = python.src
        forward = _forward_from(self._code, dict(python.globals))
        setattr(self.__class__, "forward", forward)  # noqa: B010 - of the class that this instance alone has
        return python

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if type(self._graph._codegen).process_inputs is _PLAIN.process_inputs:
            return super().__call__(*args, **kwargs)
        given = self._graph.process_inputs(*args, **kwargs)
        return self._graph.process_outputs(super().__call__(*given))

    @property
    def code(self) -> str:
        """The Python code of the module."""
        return self._code

    def add_submodule(self, target: str, m: Module) -> bool:
        """Put a module at a path, with empty modules on the way; returns False where a part is no module."""
        *prefix, name = target.split(".")
        owner: Module = self
        for part in prefix:
            inner = getattr(owner, part, None)
            if inner is None:
                inner = Module()
                setattr(owner, part, inner)
            if not isinstance(inner, Module):
                return False
            owner = inner
        owner.add_module(name, m)
        return True

    def delete_submodule(self, target: str) -> bool:
        """Remove the module at a path; returns whether there was one."""
        *prefix, name = target.split(".")
        owner: Any = self
        for part in prefix:
            owner = getattr(owner, part, None)
            if not isinstance(owner, Module):
                return False
        if not isinstance(getattr(owner, name, None), Module):
            return False
        delattr(owner, name)
        return True

    def delete_all_unused_submodules(self) -> None:
        """Remove the modules that no node calls and no attribute node is in."""
        used: set[str] = set()
        for node in self.graph.nodes:
            if node.op in ("call_module", "get_attr"):
                parts = str(node.target).split(".")
                used.update(".".join(parts[: i + 1]) for i in range(len(parts)))
                if node.op == "call_module":
                    inner = self.get_submodule(str(node.target))
                    used.update(f"{node.target}.{name}" for name, _ in inner.named_modules() if name)
        for name in [name for name, _ in self.named_modules() if name and name not in used]:
            self.delete_submodule(name)

    def to_folder(self, folder: str | Path, module_name: str = "FxModule") -> None:
        """Write the module as Python source beside its state; not here."""
        raise NotImplementedError("torch.fx.GraphModule.to_folder; save the module with torch.save")

    def print_readable(
        self,
        print_output: bool = True,
        include_stride: bool = False,
        include_device: bool = False,
        colored: bool = False,
    ) -> str:
        """Return, and print, the code with the shapes that passes have noted."""
        source = self._graph.python_code("self", verbose=True).src.strip("\n")
        head, _, body = source.partition("\n")
        lines = body.rstrip().split("\n")
        at = next((i for i, line in enumerate(lines) if not _renames_input(line, self._graph.nodes)), len(lines))
        lines[at:at] = ([""] if at else []) + ["    # No stacktrace found for following nodes"]
        head = head[head.index("def ") :]
        name = self._get_name()
        text = (
            f"class {name}(torch.nn.Module):\n    {head}\n"
            + "\n".join(f"    {line}" if line else "" for line in lines)
            + "\n"
        )
        if print_output:
            print(text)  # noqa: T201 - what it is for
        return text

    def __str__(self) -> str:
        note = "# To see more debug info, please use `graph_module.print_readable()`"
        return f"{super().__repr__()}\n{self._code}\n{note}"

    def __reduce__(self) -> Any:
        state = self.__dict__.copy()
        python = self._graph.python_code("self")
        del state["_graph"]
        return reduce_graph_module, (state, python.src, self._graph._tracer_cls, _globals_of(self._graph))

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphModule:
        root = Module()
        kept = {name: value for name, value in self.__dict__.items() if name != "_graph"}
        root.__dict__.update(copy.deepcopy(kept, memo))
        copied = GraphModule(root, copy.deepcopy(self._graph, memo), self.__class__.__name__)
        for name, value in root.__dict__.items():
            if name not in copied.__dict__ or name.endswith("_hooks"):
                copied.__dict__[name] = value
        copied.meta = copy.copy(self.meta)
        return copied

    def __copy__(self) -> GraphModule:
        copied = GraphModule(self, self._graph, self.__class__.__name__)
        copied.meta = copy.copy(self.meta)
        return copied


_PLAIN = type(Graph()._codegen)


def _renames_input(line: str, nodes: Iterable[Node]) -> bool:
    made = line.strip().partition(" = ")[0]
    return any(node.op == "placeholder" and node.name == made for node in nodes)


def _globals_of(graph: Graph) -> dict[str, Any]:
    """What the code of a graph refers to beyond the names that all such code has."""
    return {name: value for name, value in graph.python_code("self").globals.items() if name not in ALWAYS}


def reduce_graph_module(state: dict[str, Any], source: str, tracer_cls: Any, known: dict[str, Any]) -> GraphModule:
    """Make a pickled module again: its code is run on proxies, which gives the graph."""
    from torchlike.fx._symbolic_trace import Tracer  # noqa: PLC0415 - tracing needs graph modules

    scope: dict[str, Any] = {**GraphModule(Module(), _empty())._graph.python_code("self").globals, **known}
    body = source[source.index("def forward") :]

    class _Pickled(_CodeOnlyModule):
        forward = _forward_from(body, scope)

    root = _Pickled(state)

    class _KeepModules(tracer_cls or Tracer):  # type: ignore[misc]
        def is_leaf_module(self, _module: Module, _name: str) -> bool:
            return True

    functions = tuple(f for f in known.values() if callable(f) and not isinstance(f, type))
    tracer = _KeepModules(autowrap_functions=functions)
    graph = tracer.trace(root)
    graph._tracer_cls = tracer_cls
    made = GraphModule(root, graph, state.get("_graphmodule_cls_name", "GraphModule"))
    for name, value in state.items():
        if name not in made.__dict__:
            made.__dict__[name] = value
    return made


class _CodeOnlyModule(Module):
    """A module with the attributes of another, whose ``forward`` is code."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.__dict__.update(body)


def _empty() -> Graph:
    graph = Graph()
    graph.output(None)
    return graph
