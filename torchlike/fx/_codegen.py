"""Python code from a graph: the names in it, the text, and the globals that the text needs."""

from __future__ import annotations

import builtins
import enum
import keyword
import math
import re
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core import layout as layouts
from torchlike._core.tensor_state import TensorBase
from torchlike.fx.node import Argument, Node, _type_name, map_arg, qualified_name
from torchlike.fx.proxy import INPLACE_METHODS, MAGIC_METHODS
from torchlike.utils import _pytree

__all__ = ["CodeGen", "Namespace", "PythonCode"]

_ILLEGAL = re.compile(r"[^0-9a-zA-Z_]+")
_NUMBERED = re.compile(r"(.*)_(\d+)$")
# Names that every piece of generated code may use without saying where they come from.
_WRAP = "torch.fx._symbolic_trace.wrap"
ALWAYS = ("inf", "nan", "NoneType", "torch", "device", "fx_pytree", "pytree")


@dataclass
class PythonCode:
    """The text of a ``forward`` and the globals to run it with."""

    src: str
    globals: dict[str, Any]
    _lineno_map: dict[int, int | None] | None = None
    _prologue_start: int = 0


class Namespace:
    """Names that are taken, for nodes and globals; each object keeps the one it got."""

    def __init__(self) -> None:
        self._names: dict[Any, str] = {}
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def create_name(self, candidate: str, obj: Any | None) -> str:
        """Return a free Python name like the candidate, with a number behind it if need be."""
        if obj is not None and obj in self._names:
            return self._names[obj]
        candidate = _ILLEGAL.sub("_", candidate) or "_unnamed"
        if candidate[0].isdigit():
            candidate = f"_{candidate}"
        match = _NUMBERED.match(candidate)
        base, number = (match.group(1), int(match.group(2))) if match else (candidate, None)
        if number is None or candidate in self._used:
            number = self._next.get(base, 0)
        name = candidate
        while name in self._used or self._is_illegal(name, obj):
            number += 1
            name = f"{base}_{number}"
        self._used.add(name)
        self._next[base] = max(number, self._next.get(base, 0))
        if obj is not None:
            self._names[obj] = name
        return name

    def associate(self, name: str, obj: Any) -> None:
        """Let an object have a name that is taken for it."""
        self._names[obj] = name
        self._used.add(name)

    @staticmethod
    def _is_illegal(name: str, obj: Any) -> bool:
        if keyword.iskeyword(name):
            return True
        if name in builtins.__dict__:
            return builtins.__dict__[name] is not obj
        return name in ALWAYS


def snake_case(name: str) -> str:
    """``LayerNorm`` as ``layer_norm``; names in lower case stay."""
    if name.islower():
        return name
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@dataclass
class _Globals:
    """What the text refers to, under names that do not clash."""

    names: Namespace
    values: dict[str, Any] = field(default_factory=dict)
    wrapped: dict[str, None] = field(default_factory=dict)

    def add(self, hint: str, value: Any) -> str:
        if qualifies(value) and hint.startswith("torch."):
            return hint
        name = hint.replace(".", "_")
        for known, other in self.values.items():
            if other is value and (known == name or known.startswith(f"{name}_")):
                return known
        name = self.names.create_name(name, value if _hashable(value) else None)
        self.values[name] = value
        return name


def _hashable(value: Any) -> bool:
    return getattr(type(value), "__hash__", None) is not None


def qualifies(value: Any) -> bool:
    """Whether generated code reaches something through the module ``torch`` alone."""
    module = getattr(value, "__module__", None) or ""
    return module.partition(".")[0] in ("torchlike", "torch")


class CodeGen:
    """Writes ``forward``; subclasses may give it other inputs and outputs."""

    def gen_fn_def(self, free_vars: list[str], maybe_return_annotation: str) -> str:
        """Return the line with ``def``."""
        if not free_vars or free_vars[0] != "self":
            free_vars.insert(0, "self")
        return f"def forward({', '.join(free_vars)}){maybe_return_annotation}:"

    def generate_output(self, output_args: Argument, *, repr_fn: Callable[[object], str] | None = None) -> str:
        """Return the line with ``return``."""
        return f"return {(repr_fn or repr)(output_args)}"

    def process_inputs(self, *args: Any) -> Any:
        """Turn the arguments of the module into values of the placeholders."""
        return args

    def process_outputs(self, outputs: Any) -> Any:
        """Turn the value of the output node into what the module returns."""
        return outputs

    def additional_globals(self) -> list[tuple[str, Any]]:
        """Names and values that the lines of this class need."""
        return []

    def generate(
        self,
        nodes: Iterable[Node],
        root_module: str,
        names: Namespace,
        module: Any,
        *,
        verbose: bool = False,
    ) -> PythonCode:
        """Write the code of some nodes. ``module`` is what the name ``torch`` means in it."""
        known = _Globals(names)
        for name, value in self._always(module):
            names.associate(name, value) if _hashable(value) else None
            known.values[name] = value
        for name, value in self.additional_globals():
            known.add(name, value)
        writer = _Writer(list(nodes), root_module, known, self)
        body = writer.write(types=verbose)
        if not body:
            body = ["pass\n"]
        wraps = "\n".join(f'{_WRAP}("{name}")' for name in known.wrapped)
        prologue = self.gen_fn_def(writer.free_vars, writer.returns)
        text = "".join(body).lstrip("\n")
        indented = "\n".join(f"    {line}" for line in text.split("\n"))
        return PythonCode(f"\n{wraps}\n\n{prologue}\n{indented}", known.values)

    @staticmethod
    def _always(module: Any) -> list[tuple[str, Any]]:
        values = (math.inf, math.nan, type(None), module, devices.device, _pytree, _pytree)
        return list(zip(ALWAYS, values, strict=True))


class _Writer:
    """The lines of a body, and what is learnt on the way: the inputs and the annotation of the result."""

    def __init__(self, nodes: list[Node], root: str, known: _Globals, codegen: CodeGen) -> None:
        self.nodes = nodes
        self.root = root
        self.known = known
        self.codegen = codegen
        self.free_vars: list[str] = []
        self.returns = ""
        self.body: list[str] = []
        self.last: dict[Node, list[Node]] = {}
        seen: set[Node] = set()
        for node in reversed(nodes):
            for used in _in_order(node):
                if used not in seen:
                    seen.add(used)
                    self.last.setdefault(node, []).append(used)

    def write(self, types: bool = False) -> list[str]:
        for node in self.nodes:
            self._emit(node, types)
            self._forget(node)
        return self.body

    def _forget(self, node: Node) -> None:
        """End a line, and let go of what is not read again, so that memory is free as early as possible."""
        if node.op == "placeholder":
            return
        done = list(self.last.get(node, [])) if node.op != "output" else []
        if node.op != "output" and not node.users:
            done.append(node)
        ending = f";  {' = '.join([n.name for n in done] + ['None'])}" if done else ""
        self.body.append(f"{ending}\n")

    def _emit(self, node: Node, types: bool) -> None:
        kind = "" if node.type is None else f" : {self._type(node.type)}"
        shown = _tensor_type(node) if types else ""
        typed = f"{node.name}{kind or shown}"
        if node.op == "placeholder":
            assert isinstance(node.target, str)
            default = f" = {self.text(node.args[0])}" if node.args else ""
            self.free_vars.append(f"{node.target}{kind or shown}{default}")
            raw = node.target.lstrip("*")
            if raw != node.name:
                self.body.append(f"{node.name} = {raw}\n")
        elif node.op == "call_method":
            assert isinstance(node.target, str)
            owner = self.text(node.args[0])
            rest = self._arguments(node.args[1:], node.kwargs)
            self.body.append(f"{typed} = {_attribute(owner, node.target)}({rest})")
        elif node.op == "call_function":
            self.body.append(self._call(node, typed))
        elif node.op == "call_module":
            assert isinstance(node.target, str)
            rest = self._arguments(node.args, node.kwargs)
            self.body.append(f"{typed} = {_attribute(self.root, node.target)}({rest})")
        elif node.op == "get_attr":
            assert isinstance(node.target, str)
            self.body.append(f"{typed} = {_attribute(self.root, node.target)}")
        else:
            if node.type is not None:
                self.returns = f" -> {self._type(node.type)}"
            self.body.append(self.codegen.generate_output(node.args[0], repr_fn=self.text))

    def _call(self, node: Node, typed: str) -> str:
        target: Any = node.target
        name, module = getattr(target, "__name__", ""), getattr(target, "__module__", "")
        if module == "_operator" and name in MAGIC_METHODS and not node.kwargs:
            operands = [self.text(a) for a in node.args]
            return f"{typed} = {MAGIC_METHODS[name].format(*operands)}"
        if module == "_operator" and name in INPLACE_METHODS:
            operands = [self.text(a) for a in node.args]
            return f"{INPLACE_METHODS[name].format(*operands)};  {typed} = {operands[0]}"
        full = f"_operator.{name}" if module == "_operator" else qualified_name(target)
        called = self.known.add("getattr" if full == "builtins.getattr" else full, target)
        if (
            called == "getattr"
            and isinstance(node.args, tuple)
            and len(node.args) == 2
            and str(node.args[1]).isidentifier()
        ):
            return f"{typed} = {_attribute(self.text(node.args[0]), node.args[1])}"
        if node.meta.get("is_wrapped", False):
            self.known.wrapped[called] = None
        return f"{typed} = {called}({self._arguments(node.args, node.kwargs)})"

    def _arguments(self, args: Iterable[Argument], kwargs: dict[str, Argument]) -> str:
        return ", ".join([self.text(a) for a in args] + [f"{k} = {self.text(v)}" for k, v in kwargs.items()])

    def text(self, value: Any) -> str:
        """An argument as code."""
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            name = self.known.add(f"{type(value).__module__}.{type(value).__name__}", type(value))
            return f"{name}({', '.join(self.text(x) for x in value)})"
        if isinstance(value, tuple):
            inner = ", ".join(self.text(x) for x in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        if isinstance(value, list):
            return f"[{', '.join(self.text(x) for x in value)}]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.text(k)}: {self.text(v)}" for k, v in value.items()) + "}"
        if isinstance(value, slice):
            return f"slice({self.text(value.start)}, {self.text(value.stop)}, {self.text(value.step)})"
        if isinstance(value, Node):
            return value.name
        if isinstance(value, enum.Enum):
            return f"{self.known.add(type(value).__name__, type(value))}.{value.name}"
        if isinstance(value, (dtypes.dtype, layouts.layout, layouts.memory_format, devices.device)):
            return repr(value)
        if isinstance(value, TensorBase):
            return self.known.add("_tensor_constant", value)
        if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
            return self._type(value) if isinstance(value, type) else self.known.add(qualified_name(value), value)
        return repr(value)

    def _type(self, kind: Any) -> str:
        name = _type_name(kind)
        if isinstance(kind, types.GenericAlias) or not isinstance(kind, type):
            return self.known.add(re.sub(r"\W+", "_", name), kind)
        return name if kind.__module__ == "builtins" else self.known.add(name, kind)


def _in_order(node: Node) -> list[Node]:
    found: list[Node] = []

    def note(used: Node) -> Node:
        found.append(used)
        return used

    map_arg(node.args, note)
    map_arg(node.kwargs, note)
    return found


def _attribute(owner: str, path: str) -> str:
    """``self.a.b``, with ``getattr`` for the parts that are no Python names."""
    text = owner
    for part in path.split("."):
        text = f"{text}.{part}" if part.isidentifier() and not keyword.iskeyword(part) else f'getattr({text}, "{part}")'
    return text


_SHORT = {
    "float32": "f32",
    "float64": "f64",
    "float16": "f16",
    "bfloat16": "bf16",
    "int64": "i64",
    "int32": "i32",
    "int16": "i16",
    "int8": "i8",
    "uint8": "u8",
    "bool": "b8",
    "complex64": "c64",
    "complex128": "c128",
}


def _tensor_type(node: Node) -> str:
    """The type and shape of a node's value, where a pass has noted them, as an annotation."""
    noted = node.meta.get("tensor_meta")
    if noted is None or not hasattr(noted, "dtype") or node.op == "output":
        return ""
    short = _SHORT.get(str(noted.dtype).removeprefix("torch."), str(noted.dtype))
    return f': "{short}[{", ".join(str(n) for n in noted.shape)}]"'
