"""Tracing: running a program on proxies, and recording what it does as a graph."""

from __future__ import annotations

import builtins
import functools
import inspect
import math
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from torchlike._control import _assert
from torchlike._tensor import Tensor
from torchlike.fx.graph import Graph
from torchlike.fx.graph_module import GraphModule
from torchlike.fx.node import Argument
from torchlike.fx.proxy import ParameterProxy, Proxy, TracerBase
from torchlike.nn.modules.container import Sequential
from torchlike.nn.modules.module import Module
from torchlike.nn.parameter import Parameter

__all__ = ["PH", "Tracer", "symbolic_trace", "wrap"]

_wrapped: dict[tuple[int, str], dict[str, Any]] = {}


class _Placeholder:
    def __repr__(self) -> str:
        return "PH"


PH = _Placeholder()


def wrap(fn_or_name: str | Callable[..., Any]) -> str | Callable[..., Any]:
    """Let calls of a function of this module be recorded as one node, not traced through; a decorator as well.

    It must be called at the level of the module. For a builtin, give its name.

    >>> torch.fx.wrap("len")
    'len'
    """
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError("Unsupported type for global function! Must be either a callable or string name")
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    frame = inspect.currentframe()
    calling = frame.f_back if frame is not None else None
    if calling is None or calling.f_code.co_name != "<module>":
        raise NotImplementedError("wrap must be called at the top level of a module")
    _wrapped[id(calling.f_globals), name] = calling.f_globals
    return fn_or_name


class _ModuleAttribute:
    """Replaces attributes for a while."""

    def __init__(self) -> None:
        self.stack = ExitStack()

    def __enter__(self) -> _ModuleAttribute:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def attribute(self, owner: Any, name: str, value: Any) -> Any:
        before = owner.__dict__.get(name, self)
        setattr(owner, name, value)
        self.stack.callback(delattr, owner, name) if before is self else self.stack.callback(
            setattr, owner, name, before
        )
        return before

    def item(self, mapping: dict[str, Any], name: str, value: Any) -> None:
        if name in mapping:
            self.stack.callback(mapping.__setitem__, name, mapping[name])
        else:
            self.stack.callback(mapping.__delitem__, name)
        mapping[name] = value


def _recording(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that makes a node when it is given a proxy, and computes otherwise."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        proxy = _first_proxy((args, kwargs))
        if proxy is None:
            return function(*args, **kwargs)
        made = proxy.tracer.create_proxy("call_function", function, args, kwargs)
        made.node.meta["is_wrapped"] = True
        return made

    return wrapped


def _first_proxy(value: Any) -> Proxy | None:
    if isinstance(value, Proxy):
        return value
    if isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    elif isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for x in value if (found := _first_proxy(x)) is not None), None)
    return None


class Tracer(TracerBase):
    """Traces a module or function into a graph; subclasses decide what is a leaf and how things are recorded.

    ``autowrap_modules`` are modules whose functions are recorded whole, ``autowrap_functions`` single functions.

    >>> class Deep(torch.fx.Tracer):
    ...     def is_leaf_module(self, m, qualname):
    ...         return False
    >>> graph = Deep().trace(torch.nn.ReLU())
    >>> [node.name for node in graph.nodes]
    ['input_1', 'relu', 'output']
    """

    def __init__(
        self,
        autowrap_modules: tuple[types.ModuleType, ...] = (math,),
        autowrap_functions: tuple[Callable[..., Any], ...] = (),
        param_shapes_constant: bool = False,
    ) -> None:
        super().__init__()
        self._autowrap_function_ids = {
            id(value)
            for module in autowrap_modules
            for name, value in module.__dict__.items()
            if not name.startswith("_") and callable(value)
        }
        self._autowrap_function_ids.update(id(f) for f in autowrap_functions)
        self._autowrap_search = list(autowrap_modules)
        self.param_shapes_constant = param_shapes_constant
        self.submodule_paths: dict[Module, str] | None = None
        self.root_module_name = ""
        self.module_stack = {}
        self.tensor_attrs: dict[Any, str] = {}

    def get_fresh_qualname(self, prefix: str) -> str:
        """Return a name that the root has no attribute of, made of a prefix and a number."""
        number = 0
        while hasattr(self.root, f"{prefix}{number}"):
            number += 1
        return f"{prefix}{number}"

    def create_arg(self, a: Any) -> Argument:
        """Return what stands for a value among arguments: tensors and parameters become attributes of the root."""
        if isinstance(a, Parameter):
            for name, parameter in self.root.named_parameters():
                if a is parameter:
                    return self.create_node("get_attr", name, (), {})
            raise NameError("parameter is not a member of this module")
        if isinstance(a, Tensor):
            for name, buffer in self.root.named_buffers():
                if a is buffer:
                    return self.create_node("get_attr", name, (), {})
            found = self.tensor_attrs.get(a)
            if found is None:
                found = self.get_fresh_qualname("_tensor_constant")
                self.tensor_attrs[a] = found
                setattr(self.root, found, a)
            return self.create_node("get_attr", found, (), {})
        if isinstance(a, Module):
            for name, module in self.root.named_modules():
                if a is module:
                    return self.create_node("get_attr", name, (), {})
        return super().create_arg(a)

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        """Return whether a call of a module is one node: those of ``torch.nn`` are, but for Sequential."""
        root, _, rest = m.__module__.partition(".")
        return root in ("torch", "torchlike") and rest.startswith("nn") and not isinstance(m, Sequential)

    def path_of_module(self, mod: Module) -> str:
        """Return the name of a module in the root; NameError for one that is not in it."""
        if self.submodule_paths:
            path = self.submodule_paths.get(mod)
            if path is None:
                raise NameError("module is not installed as a submodule")
            return path
        for name, module in self.root.named_modules():
            if module is mod:
                return name
        raise NameError("module is not installed as a submodule")

    def call_module(self, m: Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record or trace through the call of a module."""
        path = self.path_of_module(m)
        before = self.module_stack
        self.module_stack = {**before, path: (path, type(m))}
        try:
            if self.is_leaf_module(m, path):
                return self.create_proxy("call_module", path, args, kwargs)
            return forward(*args, **kwargs)
        finally:
            self.module_stack = before

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Return what a module's attribute is during tracing; a proxy where its shape must be known."""
        if isinstance(attr_val, Parameter) and self.param_shapes_constant:
            return self._attribute_proxy(attr_val, self.root.named_parameters(), parameter_proxy_cache, shaped=True)
        if isinstance(attr_val, Tensor) and self.proxy_buffer_attributes and not isinstance(attr_val, Parameter):
            return self._attribute_proxy(attr_val, self.root.named_buffers(), parameter_proxy_cache, shaped=False)
        return attr_val

    def _attribute_proxy(
        self, value: Any, named: Iterator[tuple[str, Any]], cache: dict[str, Any], *, shaped: bool
    ) -> Any:
        name = next((name for name, candidate in named if candidate is value), None)
        if name is None:
            return value
        if name not in cache:
            factory = (lambda node: ParameterProxy(self, node, name, value)) if shaped else None
            cache[name] = self.create_proxy("get_attr", name, (), {}, proxy_factory_fn=factory)
        return cache[name]

    def create_args_for_root(
        self,
        root_fn: Callable[..., Any],
        is_module: bool,
        concrete_args: dict[str, Any] | tuple[Any, ...] | None = None,
    ) -> tuple[Any, list[Any]]:
        """Make the placeholders of a function, and return it with the proxies to call it with."""
        function = inspect.unwrap(root_fn)
        code = function.__code__
        total = code.co_argcount + code.co_kwonlyargcount
        names = list(code.co_varnames[:total])
        args: list[Any] = []
        if is_module:
            if not names:
                raise RuntimeError("``self`` argument cannot be part of *args expansion!")
            names.pop(0)
            args.append(self.root)
        signature = inspect.signature(function)
        if isinstance(concrete_args, tuple):
            if len(names) != len(concrete_args):
                raise RuntimeError(
                    f"Tracing expected {len(names)} arguments but got {len(concrete_args)} concrete arguments"
                )
            concrete_args = dict(zip(names, concrete_args, strict=True))
        args.extend(self._placeholder(name, concrete_args or {}, signature) for name in names)
        variable = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
        if code.co_flags & inspect.CO_VARARGS:
            args.append(self._placeholder(f"*{code.co_varnames[total]}", {}, signature))
            total += 1
        if code.co_flags & inspect.CO_VARKEYWORDS:
            args.append(self._placeholder(f"**{code.co_varnames[total]}", {}, signature))
        return (_in_one_row(function) if code.co_kwonlyargcount or variable else root_fn), args

    def _placeholder(self, name: str, concrete_args: dict[str, Any], signature: inspect.Signature) -> Any:
        if name in concrete_args and concrete_args[name] is not PH:
            return self._specialized(name, concrete_args[name], signature)
        parameter = signature.parameters.get(name)
        default = () if parameter is None or parameter.default is inspect.Parameter.empty else (parameter.default,)
        return self.create_proxy("placeholder", name, default, {}, type_expr=_annotation(parameter))

    def _specialized(self, name: str, value: Any, signature: inspect.Signature) -> Any:
        """The value that a concrete argument has; the graph checks that it is called with the same."""
        parameter = signature.parameters.get(name)
        default = () if parameter is None or parameter.default is inspect.Parameter.empty else (parameter.default,)
        self._specializations += 1
        made: Any = self.create_proxy("placeholder", f"{name}_{self._specializations}", default, {})
        if isinstance(value, (bool, int, float)) and not isinstance(value, Tensor):
            message = f"{name} has been specialized to have value {value} but got another value"
            self.create_proxy("call_function", _assert, (made == value, message), {})
        elif value is None:
            message = f"{name} has been specialized to have value None but got another value"
            self.create_proxy("call_function", _assert_is_none, (made, message), {})
        elif not isinstance(value, str):
            raise NotImplementedError(f"torch.fx: concrete arguments of type {type(value).__name__}")
        return value

    def trace(self, root: Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> Graph:
        """Run a module or a function on proxies and return the graph of what it did."""
        self._specializations = 0
        if isinstance(root, Module):
            self.root = root
            function = type(root).forward
            self.root_module_name = root._get_name()
            self.submodule_paths = {module: name for name, module in root.named_modules()}
        else:
            self.root = Module()
            function = root
        self.graph = Graph(tracer_cls=type(self))
        self.tensor_attrs = _tensors_of(self.root)
        if not isinstance(function, (types.FunctionType, types.MethodType)) and not hasattr(function, "__wrapped__"):
            raise TypeError(f"Expected FunctionType, got {type(function)}")
        traced, args = self.create_args_for_root(function, isinstance(root, Module), concrete_args)
        with _ModuleAttribute() as patched:
            self._patch(patched, function)
            result = traced(*args)
            self.create_node(
                "output",
                "output",
                (self.create_arg(result),),
                {},
                type_expr=getattr(traced, "__annotations__", {}).get("return"),
            )
        self.submodule_paths = None
        return self.graph

    def _patch(self, patched: _ModuleAttribute, function: Callable[..., Any]) -> None:
        """While a program is traced, calls and attributes of modules, and functions that are wrapped, come here."""
        cache: dict[str, Any] = {}
        original_call, original_getattr = Module.__call__, Module.__getattr__

        def module_call(module: Module, *args: Any, **kwargs: Any) -> Any:
            def forward(*args: Any, **kwargs: Any) -> Any:
                return original_call(module, *args, **kwargs)

            self._wrap_names(patched, getattr(getattr(module, "forward", module), "__globals__", {}))
            return self.call_module(module, forward, args, kwargs)

        def module_getattr(module: Module, name: str) -> Any:
            return self.getattr(name, original_getattr(module, name), cache)

        patched.attribute(Module, "__getattr__", module_getattr)
        patched.attribute(Module, "__call__", module_call)
        for (_, name), scope in _wrapped.items():
            original = scope.get(name, builtins.__dict__.get(name))
            if original is not None:
                patched.item(scope, name, _recording(original))
        self._wrap_names(patched, getattr(inspect.unwrap(function), "__globals__", {}))
        for module in self._autowrap_search:
            self._wrap_names(patched, module.__dict__)

    def _wrap_names(self, patched: _ModuleAttribute, scope: dict[str, Any]) -> None:
        for name, value in list(scope.items()):
            if not name.startswith("_") and callable(value) and id(value) in self._autowrap_function_ids:
                patched.item(scope, name, _recording(value))


def _in_one_row(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose ``*args``, ``**kwargs`` and keyword-only arguments are ordinary ones: each may be a proxy."""
    code = function.__code__
    variable = (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS)
    count = code.co_argcount + code.co_kwonlyargcount + sum(bool(code.co_flags & flag) for flag in variable)
    row = code.co_varnames[:count]
    flags = code.co_flags & ~(inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    changed = code.replace(co_flags=flags, co_argcount=len(row), co_kwonlyargcount=0, co_posonlyargcount=0)
    return types.FunctionType(changed, function.__globals__, function.__name__, None, function.__closure__)


def _assert_is_none(value: Any, message: str) -> None:
    if value is not None:
        raise AssertionError(message)


def _annotation(parameter: inspect.Parameter | None) -> Any:
    if parameter is None or parameter.annotation is inspect.Parameter.empty:
        return None
    return parameter.annotation


def _tensors_of(root: Module) -> dict[Any, str]:
    """The tensors among the attributes of a module that are neither parameters nor buffers, by identity."""
    found: dict[Any, str] = {}
    for prefix, module in root.named_modules():
        for name, value in module.__dict__.items():
            if isinstance(value, Tensor):
                found[value] = f"{prefix}.{name}" if prefix else name
    return found


def symbolic_trace(root: Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> GraphModule:
    """Trace a module or a function, and return a module that runs the graph of it.

    Conditions on traced values raise TraceError; ``concrete_args`` fixes arguments that decide what the program does.

    >>> traced = torch.fx.symbolic_trace(lambda x: torch.relu(x) + 1)
    >>> traced(torch.tensor([-1.0, 2.0]))
    tensor([1., 3.])
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name)
