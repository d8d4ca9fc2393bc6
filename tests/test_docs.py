"""Documentation that runs: docstrings, pages, examples."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import RECORDED, ROOT, blocks, run

import torchlike

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


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


DOCSTRINGS = documented()


def failures(text: str, name: str) -> str:
    """Run the ``>>>`` examples of a text; what did not print what it should, empty if all did."""
    namespace: dict[str, Any] = {"torch": torchlike}
    parsed = doctest.DocTestParser().get_doctest(text, namespace, name, None, 0)
    assert parsed.examples
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_NDIFF).run(parsed, out=report.append)
    return "".join(report)


@pytest.mark.filterwarnings("ignore:torch.range is deprecated")  # and says so in its example
@pytest.mark.parametrize("path", DOCSTRINGS)
def test_docstring(path: str):
    assert failures(DOCSTRINGS[path], path) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page: Path):
    """The python blocks of a page run from top to bottom; a text block after one is what it prints."""
    namespace: dict[str, Any] = {"__name__": "page"}
    printed = None
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.language == "python":
            printed = run(block.code, namespace, where)
        elif block.language == "text" and printed is not None:
            assert printed == block.code, where
            printed = None
        elif block.language == "pycon":
            assert failures(block.code, where) == ""


def run_example(script: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_example_runs(script: Path):
    assert run_example(script, "--steps", "2")


def test_the_tour_prints_what_pytorch_prints():
    recorded = (RECORDED / "tour.txt").read_text(encoding="utf-8")
    first, _, rest = run_example(ROOT / "examples" / "tour.py").partition("\n")
    assert first == f"torchlike {torchlike.__version__}"
    if not torchlike.cuda.is_available():
        assert rest == recorded
