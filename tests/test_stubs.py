"""The generated type stubs are those of the declarations as they stand."""

from __future__ import annotations

import ast
import importlib.util
import inspect

from documents import ROOT

import torchlike


def load_generator():
    spec = importlib.util.spec_from_file_location("stubs", ROOT / "tools" / "stubs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_stubs_are_fresh():
    assert load_generator().stale() == [], "run python tools/stubs.py"


def test_every_public_name_is_in_the_stub():
    tree = ast.parse((ROOT / "torchlike" / "__init__.pyi").read_text(encoding="utf-8"))
    named = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    named |= {str(alias.asname) for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    # Submodules become attributes when somebody imports them; those that are public are imported by name.
    public = {name for name, value in vars(torchlike).items() if name[0] != "_" and not inspect.ismodule(value)}
    assert public - named == set()
