"""The rules of the layout that docs/design.md gives."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT

PACKAGE = ROOT / "torchlike"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 800


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}


def running_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a file that run when it is imported: neither those for the type checker nor those in functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from running_imports(other)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from running_imports(node)


def imported_modules(path: Path, nodes: Iterator[ast.Import | ast.ImportFrom]) -> set[str]:
    """The modules of this package that the given imports of a file name, the packages on the way to them left out."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            names = [
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module for a in node.names
            ]
        found.update(name for name in names if name in MODULES)
    return found - {module_name(path)}


def everything_imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    return imported_modules(path, iter(nodes))


def test_no_file_is_too_long():
    tracked = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in tracked}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_the_core_knows_nothing_of_what_stands_on_it():
    core = [path for name, path in MODULES.items() if name.startswith("torchlike._core")]
    assert core
    upwards = {
        str(path.relative_to(ROOT)): sorted(up)
        for path in core
        if (up := {name for name in everything_imported(path) if not name.startswith("torchlike._core")})
    }
    assert upwards == {}


def test_nothing_imports_pytorch():
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [n for n in names if n.partition(".")[0] == "torch"], path


def test_imports_have_no_cycles():
    graph = {
        name: imported_modules(path, running_imports(ast.parse(path.read_text(encoding="utf-8"))))
        for name, path in MODULES.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "import cycle: " + " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name == "__init__.py"], ids=lambda p: module_name(p))
def test_packages_only_import_and_name(path: Path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_all = isinstance(node, ast.Assign | ast.AugAssign) and "__all__" in ast.unparse(node).split(" ", 1)[0]
        assert isinstance(node, ast.Import | ast.ImportFrom) or is_docstring or is_all, (
            f"line {node.lineno}: {ast.unparse(node)}"
        )


def test_every_module_has_a_docstring():
    without = [
        name
        for name, path in MODULES.items()
        if path.stat().st_size and ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert without == []


def test_run_time_dependencies_are_few():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert names == {"jax", "jaxlib", "numpy"}
    everything = [r for extra in project["optional-dependencies"].values() for r in extra]
    assert not [r for r in everything if r.startswith("torch")]
