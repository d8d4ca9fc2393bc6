"""Proxies: what a program computes with while it is traced. Each operation on one makes a node."""

from __future__ import annotations

import dis
import enum
import functools
import inspect
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from torchlike import overrides
from torchlike._control import _assert
from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core import layout as layouts
from torchlike._tensor import Tensor
from torchlike.fx.node import Argument, Node, Target, map_aggregate

if TYPE_CHECKING:
    from torchlike.fx.graph import Graph

__all__ = ["Attribute", "GraphAppendingTracer", "ParameterProxy", "Proxy", "TraceError", "TracerBase"]

_BASE_TYPES = (
    *(str, int, float, bool, complex, type(None), type(...), range),
    *(dtypes.dtype, devices.device, layouts.layout, layouts.memory_format, Tensor, enum.Enum),
)


class TraceError(ValueError):
    """A program asked of a traced value what only a number or a tensor can answer."""


class TracerBase:
    """What all tracers share: making nodes and proxies, and turning arguments into those of nodes."""

    graph: Graph
    record_stack_traces: bool = False
    check_mutable_operations: bool = False
    trace_asserts: bool = False
    proxy_buffer_attributes: bool = False
    param_shapes_constant: bool = False
    module_stack: dict[str, Any]

    def create_node(
        self,
        kind: str,
        target: Target,
        args: tuple[Argument, ...],
        kwargs: dict[str, Argument],
        name: str | None = None,
        type_expr: Any | None = None,
    ) -> Node:
        """Append a node to the graph."""
        node = self.graph.create_node(kind, target, args, kwargs, name, type_expr)
        if self.module_stack:
            node.meta["nn_module_stack"] = dict(self.module_stack)
        return node

    def proxy(self, node: Node) -> Proxy:
        """Return a proxy for a node."""
        return Proxy(node, self)

    def create_proxy(
        self,
        kind: str,
        target: Target,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None = None,
        type_expr: Any | None = None,
        proxy_factory_fn: Callable[[Node], Proxy] | None = None,
    ) -> Proxy:
        """Append a node for an operation on proxies, and return the proxy of its value."""
        node_args = self.create_arg(args)
        node_kwargs = self.create_arg(kwargs)
        node = self.create_node(kind, target, node_args, node_kwargs, name, type_expr)
        return (proxy_factory_fn or self.proxy)(node)

    def create_arg(self, a: Any) -> Argument:
        """Return what stands for a value among a node's arguments; NotImplementedError for what cannot."""
        if isinstance(a, Proxy):
            return a.node
        if hasattr(a, "__fx_create_arg__"):
            return a.__fx_create_arg__(self)
        if isinstance(a, tuple):
            items = [self.create_arg(x) for x in a]
            return type(a)(*items) if hasattr(a, "_fields") else tuple(items)
        if isinstance(a, list):
            return [self.create_arg(x) for x in a]
        if isinstance(a, dict):
            for key in a:
                map_aggregate(key, self._refuse_key)
            return {key: self.create_arg(x) for key, x in a.items()}
        if isinstance(a, slice):
            return slice(self.create_arg(a.start), self.create_arg(a.stop), self.create_arg(a.step))
        if isinstance(a, (*_BASE_TYPES, Node)) or inspect.isclass(a):
            return a
        if callable(a) and getattr(a, "__module__", "").partition(".")[0] == "torchlike":
            return a
        raise NotImplementedError(f"argument of type: {type(a)}")

    @staticmethod
    def _refuse_key(key: Any) -> Any:
        if isinstance(key, (Proxy, Node)):
            raise RuntimeError(f"Keys for dictionaries used as an argument cannot contain a Node. Got key: {key}")
        return key

    def to_bool(self, obj: Proxy) -> bool:
        """Answer for a proxy in a condition: TraceError."""
        raise TraceError("symbolically traced variables cannot be used as inputs to control flow")

    def iter(self, obj: Any) -> Iterator[Any]:
        """Iterate over a proxy; only the unpacking into names can be traced, since it says how many there are."""
        frame = inspect.currentframe()
        calling = frame.f_back.f_back if frame is not None and frame.f_back is not None else None
        if calling is not None:
            instructions = [i for i in dis.get_instructions(calling.f_code) if i.offset == calling.f_lasti]
            if instructions and instructions[0].opname == "UNPACK_SEQUENCE":
                return (obj[i] for i in range(instructions[0].argval))
        raise TraceError(
            "Proxy object cannot be iterated. This can be attempted when the Proxy is used in a loop or as a *args or"
            " **kwargs function argument. See the torch.fx docs on pytorch.org for a more detailed explanation of what"
            " types of control flow can be traced, and check out the Proxy docstring for help troubleshooting Proxy"
            " iteration errors"
        )

    def keys(self, obj: Proxy) -> Any:
        """Answer for ``**`` of a proxy: the keys as another one."""
        return Attribute(obj, "keys")()


class GraphAppendingTracer(TracerBase):
    """The tracer behind a proxy that was made by hand: it appends to the graph of the node."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.module_stack = {}


class Proxy:
    """Stands for a value while a program is traced; what is done with it is recorded.

    >>> graph = torch.fx.Graph()
    >>> x = torch.fx.Proxy(graph.placeholder("x"))
    >>> (x + 1).node
    add
    """

    def __init__(self, node: Node, tracer: TracerBase | None = None) -> None:
        self.tracer = GraphAppendingTracer(node.graph) if tracer is None else tracer
        self.node = node

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"

    def __getattr__(self, k: str) -> Attribute:
        if k in ("tracer", "node"):  # while a copy is being made, before either is there
            raise AttributeError(k)
        return Attribute(self, k)

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self) -> Iterator[Any]:
        return self.tracer.iter(self)

    def __abs__(self) -> Proxy:
        return self.tracer.create_proxy("call_function", operator.abs, (self,), {})

    def __bool__(self) -> bool:
        if self.tracer.trace_asserts:
            frame = inspect.currentframe()
            calling = frame.f_back if frame is not None else None
            if calling is not None and _asserts(calling):
                self.tracer.create_proxy("call_function", _assert, (self, ""), {})
                return True
        return self.tracer.to_bool(self)

    def keys(self) -> Any:
        """Return the keys of what is traced, for ``**``."""
        return self.tracer.keys(self)

    def __len__(self) -> int:
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default. If you want this call to be recorded, please call"
            " torch.fx.wrap('len') at module scope"
        )

    @classmethod
    def __torch_function__(cls, orig_method: Any, types: Any, args: Any = None, kwargs: Any = None) -> Any:
        args, kwargs = args or (), kwargs or {}
        tracers: dict[TracerBase, None] = {}

        def note(value: Any) -> Any:
            if isinstance(value, Proxy):
                tracers[value.tracer] = None
            return value

        map_aggregate(args, note)
        map_aggregate(kwargs, note)
        if len(tracers) > 1:
            raise RuntimeError(
                f"Found multiple different tracers {list(tracers)} while trying to trace operations {orig_method}"
            )
        (tracer,) = tracers
        if overrides.is_tensor_method_or_property(orig_method):
            name = _METHOD_NAMES.get(orig_method.__name__, orig_method.__name__)
            return tracer.create_proxy("call_method", name, args, kwargs)
        return tracer.create_proxy("call_function", orig_method, args, kwargs)


# The operators of tensors, by the names that PyTorch's methods have.
_METHOD_NAMES = {
    **{
        f"__{name}__": name
        for name in ("add", "sub", "mul", "neg", "matmul", "eq", "ne", "lt", "le", "gt", "ge", "pow")
    },
    "__truediv__": "div",
    "__radd__": "add",
    "__rmul__": "mul",
    "__abs__": "abs",
    "__invert__": "bitwise_not",
}


def _asserts(frame: Any) -> bool:
    """Whether the condition being evaluated in a frame is that of an ``assert``."""
    instructions = list(dis.get_instructions(frame.f_code))
    at = next((i for i, x in enumerate(instructions) if x.offset == frame.f_lasti), None)
    return at is not None and any(x.opname == "LOAD_ASSERTION_ERROR" for x in instructions[at + 1 : at + 3])


class Attribute(Proxy):
    """An attribute of a traced value, which becomes a node only when it is not called as a method."""

    def __init__(self, root: Proxy, attr: str) -> None:
        self.root = root
        self.attr = attr
        self.tracer = root.tracer
        self._node: Node | None = None

    @property
    def node(self) -> Node:  # type: ignore[override]
        """The node of the attribute's value."""
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {}).node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


class ParameterProxy(Proxy):
    """The proxy of a parameter, which knows the shape and the type of the parameter."""

    def __init__(self, tracer: TracerBase, node: Node, name: str, param: Tensor) -> None:
        super().__init__(node, tracer)
        self.param = param
        self.name = name

    def __repr__(self) -> str:
        return f"ParameterProxy({self.name})"

    @property
    def shape(self) -> Any:
        """The shape of the parameter."""
        return self.param.shape

    def size(self, *dim: int) -> Any:
        """The size of the parameter."""
        return self.param.size(*dim)

    def dim(self) -> int:
        """The number of dimensions of the parameter."""
        return self.param.dim()

    @property
    def ndim(self) -> int:
        """The number of dimensions of the parameter."""
        return self.param.ndim

    def numel(self) -> int:
        """The number of elements of the parameter."""
        return self.param.numel()

    def nelement(self) -> int:
        """The number of elements of the parameter."""
        return self.param.nelement()


MAGIC_METHODS: dict[str, str] = {
    "eq": "{} == {}",
    "ne": "{} != {}",
    "lt": "{} < {}",
    "gt": "{} > {}",
    "le": "{} <= {}",
    "ge": "{} >= {}",
    "pos": "+{}",
    "neg": "-{}",
    "invert": "~{}",
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "floordiv": "{} // {}",
    "truediv": "{} / {}",
    "mod": "{} % {}",
    "pow": "{} ** {}",
    "lshift": "{} << {}",
    "rshift": "{} >> {}",
    "and_": "{} & {}",
    "or_": "{} | {}",
    "xor": "{} ^ {}",
    "getitem": "{}[{}]",
    "matmul": "{} @ {}",
}
INPLACE_METHODS = {
    "iadd": "{} += {}",
    "iand": "{} &= {}",
    "ifloordiv": "{} //= {}",
    "ilshift": "{} <<= {}",
    "imod": "{} %= {}",
    "imul": "{} *= {}",
    "imatmul": "{} @= {}",
    "ior": "{} |= {}",
    "ipow": "{} **= {}",
    "irshift": "{} >>= {}",
    "isub": "{} -= {}",
    "itruediv": "{} /= {}",
    "ixor": "{} ^= {}",
    "setitem": "{}[{}] = {}",
}
_REFLECTED = {
    *("add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "lshift", "rshift", "and_", "or_", "xor", "getitem"),
    "matmul",
}


def _install(name: str, target: Callable[..., Any], *, reflected: bool) -> None:
    def forward(self: Proxy, *args: Any) -> Proxy:
        return self.tracer.create_proxy("call_function", target, (self, *args), {})

    def backward(self: Proxy, other: Any) -> Proxy:
        return self.tracer.create_proxy("call_function", target, (other, self), {})

    special = f"__{'r' if reflected else ''}{name.strip('_')}__"
    method = functools.wraps(target, assigned=("__doc__",))(backward if reflected else forward)
    method.__name__ = special
    method.__qualname__ = f"Proxy.{special}"
    setattr(Proxy, special, method)


for _name in MAGIC_METHODS:
    _install(_name, getattr(operator, _name), reflected=False)
for _name in _REFLECTED - {"getitem"}:
    _install(_name, getattr(operator, _name), reflected=True)
