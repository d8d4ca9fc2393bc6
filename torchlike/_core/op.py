"""The declaration of operators: a decorated pure jax function is the only place where an operator is described.

``@op`` reads the signature of the body, generates the public function, the method and the in-place method (source text
compiled once at import, so that a call binds its arguments at C speed), and registers them. ``docs/design.md`` holds
the table of annotations and flags.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jax

from torchlike._core import dispatch, keeping, override
from torchlike._core.arguments import given_ints
from torchlike._core.kernels import Kernel, NoDerivative, NotDifferentiable, make_kernel, operands_given
from torchlike._core.promote import (
    ALWAYS_BOOL,
    BOOL_TO_LONG,
    COMPLEX_TO_FLOAT,
    DEFAULT,
    DEFAULT_WIDE,
    INT_TO_FLOAT,
    INT_TO_FLOAT_WIDE,
    NO_OPMATH,
)
from torchlike._core.signatures import MISSING, Callee, Fitting, Parameter, heads_of, reworded, signature_of
from torchlike._core.tensor_state import TensorBase

__all__ = [
    "ALWAYS_BOOL",
    "BOOL_TO_LONG",
    "COMPLEX_TO_FLOAT",
    "DEFAULT",
    "DEFAULT_WIDE",
    "INT_TO_FLOAT",
    "INT_TO_FLOAT_WIDE",
    "NO_OPMATH",
    "Array",
    "ArrayLike",
    "Arrays",
    "NoDerivative",
    "NotDifferentiable",
    "Op",
    "Scalar",
    "VarInts",
    "alias",
    "composite",
    "defvjp",
    "op",
    "operands_given",
    "overloads",
    "registry",
]

# The namespaces whose functions PyTorch calls through its argument parser, with NumPy's names and errors of its own.
_PARSED = ("", "linalg", "fft", "special")

# What a body sees. The names themselves carry the meaning: they are read from the annotation's text.
Array = jax.Array
ArrayLike = jax.Array
Arrays = Sequence[jax.Array]
Scalar = Any  # a 0-d array in the body, but its default is a number
VarInts = Sequence[int]

_KINDS = {
    "Array": "array",
    "ArrayLike": "arraylike",
    "Arrays": "arrays",
    "Scalar": "scalar",
    "VarInts": "varints",
}
OPERAND_KINDS = frozenset({"array", "arraylike", "arrays", "scalar"})

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an operator: its kind, whether None may be passed, and its default."""

    name: str
    kind: str  # array, arraylike, arrays, scalar, varints or static
    optional: bool
    default: Any
    keyword_only: bool
    position: int
    annotation: str


class Op:
    """An operator: its body, its flags, its parameters, and the kernels made from it so far."""

    __slots__ = (
        "body",
        "check",
        "formula",
        "function",
        "inplace_function",
        "inplace_plans",
        "kernels",
        "name",
        "namespace",
        "node",
        "operand_params",
        "out",
        "overloads",
        "params",
        "plans",
        "promote",
        "residuals",
        "static_params",
        "view",
    )

    def __init__(self, body: Callable[..., Any], namespace: str, **flags: Any) -> None:
        self.body = body
        self.name = body.__name__
        self.namespace = namespace
        self.promote = flags["promote"]
        self.check = flags["check"]
        self.view = flags["view"]
        self.residuals = flags["residuals"]
        self.out = flags["out"]
        self.node = flags["node"] or node_name(self.qualified_name)
        self.params = _parameters(body)
        self.operand_params = tuple(p for p in self.params if p.kind in OPERAND_KINDS)
        self.static_params = tuple(p for p in self.params if p.kind not in OPERAND_KINDS)
        self.formula: Callable[..., Any] | None = None
        self.overloads: tuple[str, ...] = ()
        # plans: what the fast path finds by the argument types and the static values; kernels: by the normalised ones.
        self.plans: dict[Any, Any] = {}
        self.inplace_plans: dict[Any, Any] = {}
        self.kernels: dict[Any, Kernel] = {}
        self.function: Callable[..., Any] = body
        self.inplace_function: Callable[..., Any] | None = None
        dispatch.all_ops.append(self)

    @property
    def qualified_name(self) -> str:
        """The name as PyTorch's C++ side has it: linalg_norm for torch.linalg.norm."""
        short = self.namespace.rpartition(".")[2]
        name = self.name.lstrip("_")  # the parts of a composite answer to its name
        return name if short in ("", "functional") else f"{short}_{name}"

    def kernel(self, pattern: tuple[Any, ...], statics: tuple[Any, ...], inplace: bool) -> Kernel:
        """Return the kernel for a pattern of operand kinds and static values, made at the first use."""
        key = (pattern, statics, tuple(map(type, statics)), inplace)
        found = self.kernels.get(key)
        if found is None:
            found = self.kernels[key] = make_kernel(self, pattern, statics, inplace)
        return found

    def __repr__(self) -> str:
        return f"<Op {self.qualified_name}>"


def node_name(name: str) -> str:
    """Return the gradient node's name for an operator: linalg_norm -> LinalgNormBackward0."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Backward0"


def has_value(p: Param) -> bool:
    """Whether a parameter has a default other than None."""
    return p.default is not inspect.Parameter.empty and p.default is not None


def _parameters(body: Callable[..., Any]) -> tuple[Param, ...]:
    params = []
    for position, p in enumerate(inspect.signature(body).parameters.values()):
        text = p.annotation if isinstance(p.annotation, str) else getattr(p.annotation, "__name__", str(p.annotation))
        main, *rest = [part.strip() for part in text.split("|")]
        kind = _KINDS.get(main, "static")
        optional = "None" in rest or main == "None"
        if kind == "arrays" and optional:
            raise TypeError(f"{body.__name__}: {p.name}: a sequence of arrays cannot be optional; use an empty one")
        params.append(
            Param(p.name, kind, optional, p.default, p.kind is inspect.Parameter.KEYWORD_ONLY, position, text)
        )
    return tuple(params)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the registry knows of one public name."""

    name: str
    namespace: str
    function: Callable[..., Any]
    op: Op | None
    method: bool


registry: dict[tuple[str, str], Entry] = {}


def _register(function: Callable[..., Any], name: str, namespace: str, record: Op | None, method: bool) -> None:
    key = (namespace, name)
    if key in registry:
        raise RuntimeError(f"operator registered twice: {namespace or 'torch'}.{name}")
    registry[key] = Entry(name, namespace, function, record, method)


def _attach(name: str, function: Callable[..., Any]) -> None:
    if name in TensorBase.__dict__:
        raise RuntimeError(f"method registered twice: Tensor.{name}")
    setattr(TensorBase, name, function)


def _namespace(module: str) -> str:
    """The public namespace of a module's operators: "linalg" for torchlike.linalg.x, "" for torchlike.ops.x and ._x."""
    parts = module.split(".")[1:]
    if parts[:1] == ["ops"] or len(parts) < 2:
        return ""
    if parts[:2] == ["nn", "functional"]:
        return "nn.functional"
    return parts[0].lstrip("_")


def op(
    body: Callable[..., Any] | None = None,
    *,
    promote: Any = None,
    method: bool | str | None = None,
    inplace: bool | str = False,
    out: bool | None = None,
    view: Callable[..., Any] | None = None,
    node: str | Callable[..., str] | None = None,
    residuals: str = "auto",
    check: Callable[..., None] | None = None,
) -> Any:
    """Declare an operator; returns the public function, whose ``.op`` is the record. See docs/design.md.

    ``check`` is called with the arguments of every eager call: for refusals that depend on *values* (an index out of
    range), which a body cannot see.
    """

    def declare(body: Callable[..., Any]) -> Callable[..., Any]:
        if residuals not in ("auto", "vjp") or (residuals == "vjp" and (view is not None or inplace)):
            raise ValueError(f"{body.__name__}: residuals={residuals!r}, which no view or in-place operator has")
        namespace = _namespace(body.__module__)
        has_out = view is None if out is None else out
        has_method = (namespace == "") if method is None else bool(method)
        record = Op(
            body,
            namespace,
            promote=promote,
            view=view,
            residuals=residuals,
            out=has_out,
            node=node,
            check=check,
        )
        function = _generate(record, "function")
        function.op = record  # type: ignore[attr-defined]
        record.function = function
        if method != "only":
            _register(function, record.name, namespace, record, has_method)
        if has_method:
            _attach(record.name, _generate(record, "method"))
        if inplace:
            twin = _generate(record, "inplace")
            record.inplace_function = twin
            if has_method:
                _attach(record.name + "_", twin)
            if inplace == "both":
                _register(_generate(record, "inplace function"), record.name + "_", namespace, record, has_method)
        return function

    return declare if body is None else declare(body)


def alias(function: Callable[..., Any], name: str, *, method: bool | None = None) -> Callable[..., Any]:
    """Give an operator a second name, with its method and its in-place method; returns the function."""
    record: Op = function.op  # type: ignore[attr-defined]
    entry = registry[record.namespace, record.name]
    second = _generate(record, "function", name)
    second.op = record  # type: ignore[attr-defined]
    with_method = entry.method if method is None else method
    _register(second, name, record.namespace, record, with_method)
    if with_method:
        _attach(name, _generate(record, "method", name))
        if record.inplace_function is not None:
            twin = _generate(record, "inplace", name)
            _attach(name + "_", twin)
            if (record.namespace, record.name + "_") in registry:
                function = _generate(record, "inplace function", name)
                _register(function, name + "_", record.namespace, record, with_method)
    return second


def defvjp(function: Callable[..., Any]) -> Callable[[F], F]:
    """Give an operator its own gradient formula ``(grad, inputs, outputs, **statics) -> one cotangent an input``."""

    def declare(formula: F) -> F:
        if function.op.residuals == "vjp":  # type: ignore[attr-defined]
            raise ValueError(f"{function.__name__} keeps the leaves of its vjp: a formula would not be asked")
        function.op.formula = formula  # type: ignore[attr-defined]
        return formula

    return declare


def overloads(function: Callable[..., Any], *signatures: str) -> None:
    """Say PyTorch's signatures of an operator that has several: what the TypeError for wrong arguments lists."""
    function.op.overloads = signatures  # type: ignore[attr-defined]


def composite(
    function: Callable[..., Any] | None = None,
    *,
    method: bool | str | None = None,
    name: str | None = None,
    asked: str = "all",
) -> Any:
    """Register a function written in terms of other torch functions.

    ``method="only"`` keeps it out of the namespace. ``asked`` says whose ``__torch_function__`` takes it over: "all",
    "modes" or "nobody".
    """
    asking = {"all": override.asking, "modes": override.asking_modes, "nobody": lambda f, _: f}[asked]

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        namespace = _namespace(function.__module__)
        public = name or function.__name__
        has_method = (namespace == "") if method is None else bool(method)
        result = asking(function, _fitting(function, public, namespace, "function"))
        if method != "only":
            _register(result, public, namespace, None, has_method)
        if has_method:
            form = "method" if method == "only" else "shared method"
            twin = asking(function, _fitting(function, public, namespace, form))
            if twin is not function:
                twin.__qualname__ = f"Tensor.{public}"
            _attach(public, twin)
            return twin if method == "only" else result
        return result

    return declare if function is None else declare(function)


def _fitting(function: Callable[..., Any], name: str, namespace: str, form: str) -> Fitting | None:
    """What is done with arguments that do not fit a function that PyTorch serves through its parser."""
    return Fitting(function, name, form) if namespace in _PARSED else None


# ---------------------------------------------------------------------------------------------------------------------
# Generated functions


def _callee(record: Op, form: str, name: str, out: bool) -> Callee:
    """The parameters of an operator's public function, method or in-place method."""
    method = form != "function"
    parameters = []
    for p in record.params:
        own = "self" if method and p.position == 0 and p.name == "input" else p.name
        default = MISSING if p.default is inspect.Parameter.empty else p.default
        parameters.append(Parameter(own, default, p.keyword_only))
    if out:
        parameters.append(Parameter("out", None, True))
    if not method and name == record.name:
        name = record.qualified_name  # as PyTorch's parser calls it: special_zeta
    return Callee(name, form, parameters)


def _heads_with_sizes(record: Op, name: str, scope: dict[str, Any]) -> tuple[list[str], str]:
    """The parameters of a method that takes sizes one by one, and the line that gathers them."""
    sizes = next(p.name for p in record.params if p.kind == "varints")
    scope["_given"] = given_ints
    heads = ["self" if p.position == 0 else f"*{p.name}" for p in record.params]
    gathered = f'_given("{name}", "{sizes}", {sizes}, named)'
    condition = f"named or len({sizes}) < 2 and not ({sizes} and type({sizes}[0]) is int)"
    return [*heads, "**named"], f"if {condition}: {sizes} = {gathered}"


def _generate(record: Op, form: str, name: str | None = None) -> Callable[..., Any]:
    """Compile the public function, the method or the in-place method of an operator, under its name or an alias."""
    scope: dict[str, Any] = {"_op": record}
    inplace = form.startswith("inplace")
    method = form in ("method", "inplace")
    name = (name or record.name) + ("_" if inplace else "")
    callee = _callee(record, "method" if method else "function", name, out=record.out and form == "function")
    if method and any(p.kind == "varints" for p in record.params):
        heads, line = _heads_with_sizes(record, name, scope)
    else:
        heads, line = heads_of(callee, scope)
    prologue: list[str] = []
    takes_out = record.out and form == "function"

    def text(params: tuple[Param, ...]) -> str:
        first = record.params[0].name if record.params else ""
        parts = []
        for p in params:
            own = "self" if method and p.name == first == "input" else p.name
            if p.kind == "scalar" and has_value(p):
                # A Scalar left at its default is built into the kernel: handing a number to jit costs 2 us of a call's
                # 8.
                own = f"None if {own} is _default_{p.name} else {own}"
            parts.append(own)
        return "(" + ", ".join(parts) + ("," if parts else "") + ")"

    operands, statics = text(record.operand_params), text(record.static_params)
    if record.view is not None:
        target, tail = "call_view", ""
    elif any(p.kind == "arrays" for p in record.operand_params):
        target, tail = "call_arrays", ", out" if takes_out else ""
    else:
        target, tail = "call", ", out" if takes_out else ""
    if inplace:
        target, tail = "call_inplace", ""
    home = keeping if record.residuals == "vjp" else dispatch
    scope["_call"] = getattr(home, target)
    if record.check is not None:
        scope["_check"] = record.check
        prologue.append(f"_check{text(record.params)}")
    body = [*prologue, f"return _call(_op, {operands}, {statics}{tail})"]
    if method or name != record.name:
        scope["_reworded"] = functools.partial(reworded, called=record.name, name=name, method=method)
        caught = ["except TypeError as error:", "    raise _reworded(error) from error.__cause__"]
        body = ["try:", *("    " + line for line in body), *caught]
    source = "\n    ".join([f"def {name}({', '.join(heads)}):", line, *body])
    exec(compile(source, f"<torchlike operator {name}>", "exec"), scope)  # noqa: S102 - as dataclasses do
    function: Callable[..., Any] = scope[name]
    callee.function = function
    function.__doc__ = record.body.__doc__
    function.__module__ = "torchlike" + ("." + record.namespace if record.namespace else "")
    function.__qualname__ = f"Tensor.{name}" if method else name
    function.__wrapped_body__ = record.body  # type: ignore[attr-defined]
    override.forms[function.__code__, record] = function
    if "_rebind" in scope:
        function.__signature__ = signature_of(callee.parameters)  # type: ignore[attr-defined]
    return function


def first_line(function: Callable[..., Any]) -> str:
    """Return the first sentence of a docstring, for tables."""
    return re.split(r"(?<=\.)\s", (function.__doc__ or "").strip(), maxsplit=1)[0]
