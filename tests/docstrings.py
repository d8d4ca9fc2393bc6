"""The examples in the public docstrings."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import torchlike


def public_modules() -> Iterator[str]:
    yield "torchlike"
    for module in pkgutil.walk_packages(torchlike.__path__, "torchlike."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


def members(owner: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What a class or module defines under public names: functions, classes, and the members of those."""
    names = getattr(owner, "__all__", None) if inspect.ismodule(owner) else None
    for name in sorted(names if names is not None else vars(owner)):
        if name.startswith("_") and name != "__init__":
            continue
        value = inspect.getattr_static(owner, name)
        value = getattr(value, "__func__", value)
        if inspect.isclass(value) and inspect.ismodule(owner):
            yield f"{path}.{name}", value
            for cls in value.__mro__[:-1]:
                if cls.__module__.partition(".")[0] in ("torchlike", "torch"):
                    yield from members(cls, f"{path}.{name}")
        elif inspect.isfunction(value) or isinstance(value, property):
            yield f"{path}.{name}", value


def documented() -> dict[str, str]:
    """Every public docstring with an example in it, once, by the first name that leads to it."""
    found: dict[str, str] = {}
    for name in public_modules():
        module = importlib.import_module(name)
        for path, value in [(name, module), *members(module, name)]:
            text = inspect.getdoc(value) if not inspect.ismodule(value) else value.__doc__
            if text and ">>>" in text:
                found.setdefault(text, path.replace("torchlike", "torch", 1))
    return {path: text for text, path in found.items()}


def failures(text: str, name: str, namespace: dict[str, Any]) -> str:
    """Run the ``>>>`` examples of a text; what did not print what it should, empty if all did."""
    parsed = doctest.DocTestParser().get_doctest(text, namespace, name, None, 0)
    assert parsed.examples
    parsed.globs = namespace  # not the copy of it, so that the next text can go on where this one ends
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_NDIFF)
    runner.run(parsed, out=report.append, clear_globs=False)
    return "".join(report)
