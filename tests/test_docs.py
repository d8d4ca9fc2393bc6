"""Documentation that runs: docstrings, pages, examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docstrings import documented, failures
from documents import RECORDED, ROOT, blocks, run

import torchlike

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


DOCSTRINGS = documented()


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")  # so does Tensor.storage_type
@pytest.mark.filterwarnings("ignore:torch.range is deprecated")  # and says so in its example
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize("path", DOCSTRINGS)
def test_docstring(path: str):
    assert failures(DOCSTRINGS[path], path, {"torch": torchlike}) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page: Path):
    """The python blocks of a page run from top to bottom; a text block after one is what it prints."""
    namespace: dict[str, Any] = {"__name__": "page"}
    printed = None
    for block in blocks(page, "python", "text"):
        where = f"{page.name}:{block.line}"
        if block.code.startswith(">>>"):
            assert failures(block.code, where, namespace) == ""
        elif block.language == "python":
            printed = run(block.code, namespace, where)
        elif printed is not None:
            assert printed == block.code, where
            printed = None


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
