"""Write what follows from the declarations of the operators: the type stubs, and docs/api.md.

    PYTHONPATH=. python tools/stubs.py [--check]

``torchlike/__init__.pyi`` types the public namespace, ``torchlike/_operator_methods.pyi`` the methods that operators
give to Tensor. The public functions are made at import, so no type checker can see them in the sources. With
``--check`` nothing is written, and the exit status says whether the files are as they would be written.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import api_page

import torchlike
from torchlike._core import dispatch
from torchlike._core.op import Op, Param, registry
from torchlike._core.tensor_state import TensorBase

PACKAGE = Path(torchlike.__file__).parent
HEADER = "# Made by tools/stubs.py from the declarations of the operators; do not edit.\n"

# What a caller may pass for the kinds of parameters; see the table in docs/design.md.
KINDS = {
    "array": "Tensor",
    "arraylike": "Tensor | _Number",
    "arrays": "Sequence[Tensor]",
    "scalar": "_Number",
}
# The names that annotations use for something else than what they are called in the stub.
NAMES = {
    "Array": "Tensor",
    "ArrayLike": "Tensor | _Number",
    "Arrays": "Sequence[Tensor]",
    "Scalar": "_Number",
    "VarInts": "Sequence[_int]",
    "Tensor": "Tensor",
    "TensorBase": "Tensor",
}
# torch.float is a dtype and torch.bool another; the builtins go by other names in the stubs.
BUILTINS = ("bool", "bytes", "complex", "dict", "float", "int", "list", "object", "slice", "str", "tuple", "type")
PUBLIC_CLASSES = ("Generator", "Size", "device", "dtype", "layout", "memory_format")
FROM_ABC = ("Callable", "Iterable", "Iterator", "Mapping", "Sequence")

PRELUDE = """\
from builtins import {builtins}
from collections.abc import {abc}
from typing import Any, TypeAlias

import numpy as np

"""


def rendered_value(value: Any) -> str:
    """A type as the stub writes it; Any for what only the implementation knows."""
    if value is None or value is types.NoneType:
        return "None"
    if value is Ellipsis:
        return "..."
    origin = typing.get_origin(value)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(rendered_value(part) for part in typing.get_args(value))
    if origin is not None:
        arguments = ", ".join(rendered_value(part) for part in typing.get_args(value))
        return f"{rendered_value(origin)}[{arguments}]"
    name = getattr(value, "__name__", "")
    if getattr(builtins, name, None) is value and name in BUILTINS:
        return f"_{name}"
    if name in FROM_ABC and getattr(value, "__module__", "") == "collections.abc":
        return name
    if name in PUBLIC_CLASSES and getattr(torchlike, name, None) is value:
        return name
    if isinstance(value, type) and issubclass(value, TensorBase):
        return "Tensor"
    return "Any"


class _Renamed(ast.NodeTransformer):
    """Replaces the names of an annotation by what the stub calls them."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in NAMES:
            text = NAMES[node.id]
        elif node.id in self.scope:
            text = rendered_value(self.scope[node.id])
        else:
            text = rendered_value(getattr(builtins, node.id, Any))
        return ast.parse(text, mode="eval").body

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        text = ast.unparse(node)
        if text.startswith("np."):
            return node
        try:
            value = eval(text, self.scope)
        except (NameError, AttributeError):
            value = Any
        return ast.parse(rendered_value(value), mode="eval").body


def annotation(given: Any, scope: dict[str, Any]) -> str:
    """An annotation of the sources as the stub writes it."""
    if given is inspect.Parameter.empty:
        return "Any"
    text = given if isinstance(given, str) else None
    if text is None:
        return rendered_value(given)
    tree = _Renamed(scope).visit(ast.parse(text, mode="eval"))
    return ast.unparse(tree)


def default(value: Any) -> str:
    """A default as the stub shows it; what Python cannot read back is left out."""
    readable = value is None or (
        isinstance(value, bool | int | float | str) and repr(value) not in ("inf", "-inf", "nan")
    )
    return repr(value) if readable else "..."


def _parameter(p: Param, scope: dict[str, Any]) -> str:
    if p.kind in KINDS:
        text = KINDS[p.kind] + (" | None" if p.optional else "")
    elif p.kind == "varints":
        text = "_int | Sequence[_int]"
    else:
        text = annotation(p.annotation, scope)
    return f"{p.name}: {text}" + ("" if p.default is inspect.Parameter.empty else f" = {default(p.default)}")


def _of_op(record: Op, name: str, form: str) -> str:
    """The stub of a function made from an operator: "function", "method" or "inplace"."""
    scope = vars(sys.modules[record.body.__module__])
    returned = "Tensor" if form == "inplace" else annotation(inspect.signature(record.body).return_annotation, scope)
    parts: list[str] = []
    star = False
    for p in record.params:
        if p.keyword_only and not star:
            parts.append("*")
            star = True
        if form != "function" and p.position == 0 and p.name == "input":
            parts.append("self")
        elif p.kind == "varints" and form != "function":
            parts.append(f"*{p.name}: _int | Sequence[_int]")
            star = True
        else:
            parts.append(_parameter(p, scope))
    if record.out and form == "function":
        taken = "_tuple[Tensor, ...]" if returned.startswith("_tuple") else "Tensor"
        parts.extend([] if star else ["*"])
        parts.append(f"out: {taken} | None = None")
    return f"def {name}({', '.join(parts)}) -> {returned}: ..."


def _of_function(function: Any, name: str, method: bool) -> str:
    """The stub of an ordinary function, or of one that serves as a method."""
    declared = inspect.unwrap(function)
    scope = declared.__globals__
    # What is documented may take less: the declaration counts.
    shown = vars(declared).pop("__signature__", None)
    signature = inspect.signature(declared)
    if shown is not None:
        declared.__signature__ = shown
    parts: list[str] = []
    for number, p in enumerate(signature.parameters.values()):
        if method and number == 0:
            parts.append("self")
            continue
        if p.kind is p.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        stars = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
        value = "" if p.default is p.empty else f" = {default(p.default)}"
        parts.append(f"{stars}{p.name}: {annotation(p.annotation, scope)}{value}")
        following = list(signature.parameters.values())[number + 1 :]
        if p.kind is p.POSITIONAL_ONLY and not (following and following[0].kind is p.POSITIONAL_ONLY):
            parts.append("/")
    returned = annotation(signature.return_annotation, scope)
    if method and name.startswith("__") and returned == "Any":
        returned = "Tensor"  # what is not a Tensor there is NotImplemented, which no caller sees
    return f"def {name}({', '.join(parts)}) -> {returned}: ..."


def _bodies() -> dict[Any, Op]:
    return {record.body: record for record in dispatch.all_ops}


def function_stub(name: str, function: types.FunctionType) -> str:
    """The stub of a function of the namespace."""
    body = getattr(function, "__wrapped_body__", None)
    if body is None:
        return _of_function(function, name, method=False)
    record = _bodies()[body]
    inplace = name.endswith("_") and not record.name.endswith("_")
    return _of_op(record, name, "function" if not inplace else "inplace").replace("(self", "(self: Tensor", 1)


def method_stubs() -> Iterator[str]:
    """The methods and properties that operators have attached to tensors."""
    bodies = _bodies()
    own = {name for cls in torchlike.Tensor.__mro__ if cls is not TensorBase for name in vars(cls)} - set(dir(object))
    for name, value in sorted(vars(TensorBase).items()):
        if name in own:
            continue
        if isinstance(value, property):
            assert value.fget is not None
            yield "@property"
            yield _of_function(value.fget, name, method=True)
        elif inspect.isfunction(value):
            body = getattr(value, "__wrapped_body__", None)
            if body is None:
                text = _of_function(value, name, method=True)
            else:
                record = bodies[body]
                inplace = name.endswith("_") and not record.name.endswith("_")
                text = _of_op(record, name, "inplace" if inplace else "method")
            yield text + ("  # type: ignore[override]" if name in ("__eq__", "__ne__") else "")


def _prelude(text: str) -> str:
    """The imports that the text needs."""
    used = [name for name in BUILTINS if f"_{name}" in text or name in ("bool", "complex", "float", "int")]
    abc = [name for name in FROM_ABC if name in text]
    prelude = PRELUDE.format(builtins=", ".join(f"{n} as _{n}" for n in used), abc=", ".join(abc))
    return prelude if "np." in text else prelude.replace("import numpy as np\n\n", "")


def _imports() -> Iterator[tuple[str, str, str]]:
    """What ``torchlike/__init__.py`` imports: module, name there, name here; stars are spelled out."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            for alias in node.names:
                names = [alias.name] if alias.name != "*" else sys.modules[node.module].__dict__.get("__all__")
                if names is None:
                    names = [name for name in vars(sys.modules[node.module]) if not name.startswith("_")]
                for name in names:
                    yield node.module, name, alias.asname or name


def package_stub() -> str:
    """The text of ``torchlike/__init__.pyi``."""
    imports, functions = [], []
    for module, name, public in _imports():
        value = getattr(torchlike, public)
        if inspect.ismodule(value) and module.startswith("torchlike.ops"):
            continue  # a file of operators, which the star brings along
        entry = registry.get(("", public))
        if inspect.isfunction(value) and (entry is not None or hasattr(value, "__wrapped_body__")):
            functions.append(function_stub(public, value))
        else:
            imports.append(f"from {module} import {name} as {public}")
    body = "\n".join(sorted(set(functions)))
    numbers = "_Number: TypeAlias = _bool | _int | _float | _complex\n"
    return HEADER + "\n" + _prelude(body) + "\n".join(sorted(set(imports))) + f"\n\n{numbers}\n{body}\n"


def methods_stub() -> str:
    """The text of ``torchlike/_operator_methods.pyi``."""
    body = "\n".join("    " + line for line in method_stubs())
    imports = [
        "from torchlike._core.size import Size",
        "from torchlike._core.tensor_state import TensorBase",
        "from torchlike._tensor import Tensor",
    ]
    for name, module in (("device", "device"), ("dtype", "dtype"), ("Generator", "generator"), ("layout", "layout")):
        imports.append(f"from torchlike._core.{module} import {name}")
    imports.append("from torchlike._core.layout import memory_format")
    numbers = "_Number: TypeAlias = _bool | _int | _float | _complex\n"
    head = HEADER + "\n" + _prelude(body) + "\n".join(sorted(imports))
    return f"{head}\n\n{numbers}\nclass OperatorMethods(TensorBase):\n{body}\n"


FILES = {
    PACKAGE / "__init__.pyi": package_stub,
    PACKAGE / "_operator_methods.pyi": methods_stub,
    api_page.TARGET: api_page.text,
}


def stale() -> list[Path]:
    """The files that are not what the declarations say."""
    return [path for path, make in FILES.items() if not path.exists() or path.read_text(encoding="utf-8") != make()]


def main() -> None:
    """Write what is stale, or with --check only say so."""
    changed = stale()
    if "--check" in sys.argv[1:]:
        raise SystemExit(f"stale, run python tools/stubs.py: {', '.join(map(str, changed))}" if changed else 0)
    for path in changed:
        path.write_text(FILES[path](), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
