"""Schemas of operators, in PyTorch's notation: ``(Tensor x, int n=2) -> Tensor``."""

from __future__ import annotations

import collections.abc
import inspect
import itertools
import re
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torchlike._core.device import device
from torchlike._core.dtype import dtype
from torchlike._core.tensor_state import TensorBase
from torchlike._tensor import Tensor

__all__ = ["Argument", "Schema", "infer_schema", "parse"]

_MISSING = object()


@dataclass(frozen=True)
class Argument:
    """A parameter of an operator."""

    name: str
    kind: str
    """The type in the schema's words, ``Tensor``, ``int[]`` ..., without the mark of mutation."""
    default: str | None = None
    keyword_only: bool = False
    alias: str = ""
    """What stands in the parentheses after ``Tensor``: ``a!`` for a tensor that is written to."""

    @property
    def mutated(self) -> bool:
        """Whether the operator writes to the argument."""
        return "!" in self.alias

    def __str__(self) -> str:
        kind = self.kind
        if self.alias:
            kind = re.sub(r"^Tensor", f"Tensor({self.alias})", kind)
        return f"{kind} {self.name}" + ("" if self.default is None else f"={self.default}")


@dataclass(frozen=True)
class Schema:
    """The name, parameters and results of an operator."""

    name: str
    arguments: tuple[Argument, ...]
    returns: tuple[str, ...]
    returns_text: str

    def __str__(self) -> str:
        shown: list[str] = []
        for argument in self.arguments:
            if argument.keyword_only and "*" not in shown:
                shown.append("*")
            shown.append(str(argument))
        return f"{self.name}({', '.join(shown)}) -> {self.returns_text}"

    @property
    def mutates(self) -> bool:
        """Whether any argument is written to."""
        return any(argument.mutated for argument in self.arguments)

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Sort the arguments of a call into positional and keyword-only ones; RuntimeError where they misfit."""
        positional = [a for a in self.arguments if not a.keyword_only]
        if len(args) + len(kwargs) > len(self.arguments) or len(args) > len(positional):
            raise RuntimeError(
                f"{self.name}() expected at most {len(self.arguments)} argument(s) but received"
                f" {len(args) + len(kwargs)} argument(s). Declaration: {self}"
            )
        row: list[Any] = []
        named: dict[str, Any] = {}
        rest = dict(kwargs)
        for position, argument in enumerate(self.arguments):
            if not argument.keyword_only and position < len(args):
                value = args[position]
            elif argument.name in rest:
                value = rest.pop(argument.name)
            elif argument.default is not None:
                value = _DEFAULTS.get(argument.default, _MISSING)
                value = _literal(argument.default) if value is _MISSING else value
            else:
                raise RuntimeError(
                    f"{self.name}() is missing value for argument '{argument.name}'. Declaration: {self}"
                )
            self._check(argument, position, value)
            if argument.keyword_only:
                named[argument.name] = value
            else:
                row.append(value)
        if rest:
            raise RuntimeError(
                f"Unknown keyword argument '{next(iter(rest))}' for operator '{self.name}'. Schema: {self}"
            )
        return row, named

    def _check(self, argument: Argument, position: int, value: Any) -> None:
        kind = argument.kind
        if kind == "Tensor" and not isinstance(value, TensorBase):
            raise RuntimeError(
                f"{self.name}() Expected a value of type 'Tensor' for argument '{argument.name}' but instead found type"
                f" '{type(value).__name__}'.\nPosition: {position}\nValue: {value}\nDeclaration: {self}\nCast error"
                f" details: Unable to cast {value} to Tensor"
            )


_DEFAULTS: dict[str, Any] = {"None": None, "True": True, "False": False}


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    if text.startswith("["):
        inner = text[1:-1].strip()
        return [_literal(part.strip()) for part in inner.split(",")] if inner else []
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise RuntimeError(f"torch.library: the default {text!r} of a schema") from None


# A declaration: the type, what it aliases, whether it is a list or may be None, the name.
_PART = re.compile(r"^(?P<kind>[A-Za-z_]\w*)(?:\((?P<alias>[^)]*)\))?(?P<rest>(?:\[\d*\]|\?)*)\s+(?P<name>\w+)$")


def _split(text: str) -> list[str]:
    """The parts between commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += character in "(["
        depth -= character in ")]"
        if character == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return [*parts, last] if last else parts


def parse(name: str, text: str) -> Schema:
    """Read a schema without its name; RuntimeError for what is none."""
    left, arrow, right = text.rpartition("->")
    left, right = left.strip(), right.strip()
    if not arrow or not left.startswith("(") or not left.endswith(")"):
        raise RuntimeError(f"torch.library: cannot read the schema {text!r} of {name}")
    arguments: list[Argument] = []
    keyword_only = False
    for part in _split(left[1:-1]):
        if part == "*":
            keyword_only = True
            continue
        declared, equals, default = part.partition("=")
        match = _PART.match(declared.strip())
        if match is None:
            raise RuntimeError(f"torch.library: cannot read {part!r} in the schema {text!r} of {name}")
        arguments.append(
            Argument(
                match["name"],
                match["kind"] + match["rest"],
                default.strip() if equals else None,
                keyword_only,
                match["alias"] or "",
            )
        )
    inner = right[1:-1] if right.startswith("(") and right.endswith(")") else right
    return Schema(name, tuple(arguments), tuple(_split(inner)), right)


# ---------------------------------------------------------------------------------------------------------------------
# From annotations


def _optional(kind: Any) -> Any:
    return typing.Optional[kind]  # noqa: UP045 - a union of another spelling is another object


def _lists_of(kind: Any) -> list[Any]:
    return [typing.Sequence[kind], typing.List[kind], collections.abc.Sequence[kind], list[kind]]  # noqa: UP006


def _table() -> dict[Any, str]:
    """The annotations that parameters may have, with the schema's words for them."""
    number: Any = int | float | bool
    table: dict[Any, str] = {}
    words: list[tuple[Any, str, str]] = [
        (Tensor, "Tensor", "o l"),
        (int, "SymInt", "o l ol"),
        (float, "float", "o l ol"),
        (bool, "bool", "o l ol"),
        (str, "str", "o"),
        (number, "Scalar", "o l"),
        (dtype, "ScalarType", "o"),
        (device, "Device", "o"),
    ]
    for base, word, options in words:
        kinds = options.split()
        lists = _lists_of(base)
        table[base] = word
        if "o" in kinds:
            table[_optional(base)] = f"{word}?"
        if "l" in kinds:
            table.update(dict.fromkeys(lists, f"{word}[]"))
        if "ol" in kinds:
            table.update({_optional(kind): f"{word}[]?" for kind in lists})
    table.update(dict.fromkeys(_lists_of(_optional(Tensor)), "Tensor?[]"))
    return table


_PARAMETERS = _table()
_RETURNS: dict[Any, str] = {
    Tensor: "Tensor",
    typing.List[Tensor]: "Tensor[]",  # noqa: UP006
    list[Tensor]: "Tensor[]",
    int: "SymInt",
    float: "float",
    bool: "bool",
    int | float | bool: "Scalar",
}


def infer_schema(
    prototype_function: Callable[..., Any],
    /,
    *,
    mutates_args: str | Iterable[str],
    op_name: str | None = None,
    tags: Any = (),
) -> str:
    """Return the schema of a function with annotations, without a name unless one is given.

    ``mutates_args`` names the tensors that it writes to, or is ``"unknown"``. Raises ValueError for parameters without
    annotations or with types that schemas do not have.

    >>> def foo(x: torch.Tensor, n: int = 2) -> torch.Tensor: ...
    >>> torch.library.infer_schema(foo, mutates_args=())
    '(Tensor x, SymInt n=2) -> Tensor'
    """
    signature = inspect.signature(prototype_function)
    hints = _hints(prototype_function)

    def refuse(what: str) -> typing.NoReturn:
        raise ValueError(f"infer_schema(func): {what} Got func with signature {signature})")

    names = set() if isinstance(mutates_args, str) else set(mutates_args)
    numbers = itertools.count()
    shown: list[str] = []
    for name, parameter in signature.parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            refuse("We do not support positional-only args, varargs, or varkwargs.")
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        if parameter.annotation is parameter.empty:
            refuse(f"Parameter {name} must have a type annotation.")
        annotation = hints.get(name, parameter.annotation)
        word = _word(annotation, _PARAMETERS)
        if word is None:
            refuse(f"Parameter {name} has unsupported type {annotation}. The valid types are: {_PARAMETERS.keys()}.")
        if name in names or (mutates_args == "unknown" and word.startswith("Tensor")):
            if not word.startswith("Tensor"):
                refuse(f"Parameter {name} is in mutable_args but only Tensors or collections of Tensors can be mutated")
            word = word.replace("Tensor", f"Tensor(a{next(numbers)}!)", 1)
        shown.append(f"{word} {name}{_default_text(parameter, refuse)}")
    unknown = names - signature.parameters.keys()
    if unknown:
        refuse(
            f"{unknown} in mutates_args were not found in the custom op's signature. mutates_args should contain the"
            " names of all args that the custom op mutates, or just the string 'unknown' if you don't know."
        )
    if signature.return_annotation is signature.empty:
        refuse("No return type annotation was provided. Please add one.")
    returned = _returned(hints.get("return", signature.return_annotation), refuse)
    return f"{op_name or ''}({', '.join(shown)}) -> {returned}"


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations as objects: those that are text are looked up where the function is."""
    namespace = dict(getattr(inspect.unwrap(function), "__globals__", {}))
    found = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        value = annotation
        if isinstance(annotation, str):
            try:
                value = eval(annotation, namespace)
            except Exception as error:
                raise ValueError(
                    f"infer_schema(func): Unsupported type annotation {annotation}. It is not a type."
                ) from error
        found[name] = value
    return found


def _word(annotation: Any, table: dict[Any, str]) -> str | None:
    """The schema's word for an annotation; a union is looked up whatever its spelling."""
    try:
        if annotation in table:
            return table[annotation]
    except TypeError:  # annotations that cannot be hashed are no types of ours
        return None
    parts = typing.get_args(annotation)
    if type(None) in parts and len(parts) == 2:
        inner = next(part for part in parts if part is not type(None))
        return table.get(_optional(inner))
    return None


def _default_text(parameter: inspect.Parameter, refuse: Callable[[str], typing.NoReturn]) -> str:
    default = parameter.default
    if default is parameter.empty:
        return ""
    if default is None or isinstance(default, (bool, int, float)):
        return f"={default}"
    if isinstance(default, str):
        return f'="{default}"'
    if isinstance(default, dtype):
        return f"={repr(default).removeprefix('torch.')}"
    if isinstance(default, device):
        return f'="{default}"'
    return refuse(
        f"Parameter {parameter.name} has an unsupported default value type {type(default)}. Please file an issue on"
        " GitHub so we can prioritize this."
    )


def _returned(annotation: Any, refuse: Callable[[str], typing.NoReturn]) -> str:
    if annotation is None or annotation is type(None):
        return "()"
    if typing.get_origin(annotation) is tuple:
        parts = typing.get_args(annotation)
        words = [_word(part, _RETURNS) for part in parts]
        if parts and None not in words:
            return words[0] or "" if len(words) == 1 else f"({', '.join(word or '' for word in words)})"
    word = _word(annotation, _RETURNS)
    if word is None:
        refuse(f"Return has unsupported type {annotation}. The valid types are: {_RETURNS}.")
    return word
