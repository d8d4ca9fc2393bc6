"""docs/api.md and what stands beside it; that it is fresh is test_stubs' to say."""

from __future__ import annotations

import importlib.util
import json
import re
from typing import Any

import pytest
from documents import RECORDED, ROOT


@pytest.fixture(scope="module")
def page() -> Any:
    spec = importlib.util.spec_from_file_location("api_page", ROOT / "tools" / "api_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_exists_is_found(page: Any):
    assert page.exists("add")
    assert page.exists("nn.functional.relu")
    assert page.exists("Tensor.grad")
    assert not page.exists("sparse.mm")
    assert not page.exists("no_such_name")


def test_every_reason_is_explained(page: Any):
    explained = set(re.findall(r"^- \*\*(.+?)\*\*", (ROOT / "docs" / "left_out.md").read_text("utf-8"), re.MULTILINE))
    assert {reason for reason, _ in page.LEFT_OUT} == explained


def test_names_of_every_day_are_not_left_out(page: Any):
    wrong = ["nn.Linear", "cuda.is_available", "Tensor.copy_", "save", "nn.functional.scaled_dot_product_attention"]
    assert [name for name in wrong if page.reason_of(name)] == []
    assert page.reason_of("sparse_coo_tensor") == "sparse layouts"
    assert page.reason_of("Tensor.refine_names") == "named tensors"


def test_recorded_names_are_those_of_the_version_followed():
    recorded = json.loads((RECORDED / "names.json").read_text("utf-8"))
    assert recorded["torch"] == "2.13.0"
    assert {"add", "stft", "Generator"} <= set(recorded["names"]["torch"])


def test_pages_of_the_site_exist():
    pages = re.findall(r"^  - .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert len(pages) >= 8
    assert [name for name in pages if not (ROOT / "docs" / name).exists()] == []
    assert {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")} == set(pages)
