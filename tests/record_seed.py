"""Record what real PyTorch prints for the seed document's examples and for the tours.

    python tests/record_seed.py

Needs PyTorch. Writes tests/recorded/seed_document.json and tests/recorded/tour.txt, and puts the outputs into the text
blocks of docs/ko/tour.md; the tests compare with all of them where PyTorch is absent.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
from documents import RECORDED, ROOT, blocks, run


def for_pytorch(code: str) -> str:
    """Code written for this package, with real PyTorch in its place."""
    code = re.sub(r"\bimport torchlike as torch\b", "import torch", code)
    return re.sub(r"\b(import|from) torchlike\b", r"\1 torch", code)


def record_seed_document() -> None:
    namespace: dict[str, Any] = {"__name__": "seed_document"}
    examples = []
    for block in blocks(RECORDED / "seed_document.md", "python"):
        torch.manual_seed(0)
        stdout = run(block.code, namespace)
        examples.append({"title": block.title, "stdout": stdout.splitlines()})
    record = {"torch": torch.__version__.partition("+")[0], "device": "cpu", "examples": examples}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (RECORDED / "seed_document.json").write_text(text, encoding="utf-8")


def record_tour() -> None:
    """All that the tour prints but the line with the version."""
    sys.argv = ["tour.py"]
    code = for_pytorch((ROOT / "examples" / "tour.py").read_text(encoding="utf-8"))
    _, _, rest = run(code, {"__name__": "__main__"}).partition("\n")
    (RECORDED / "tour.txt").write_text(rest, encoding="utf-8")


def record_page(page: Path) -> None:
    """Renew the text blocks that follow python blocks."""
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "page"}

    def with_output(match: re.Match[str]) -> str:
        printed = run(for_pytorch(match["code"]), namespace)
        return match["block"] + (f"\n```text\n{printed}```\n" if printed else "")

    pattern = r"(?P<block>^```python\n(?P<code>.*?)^```\n)(\n```text\n.*?^```\n)?"
    page.write_text(re.sub(pattern, with_output, text, flags=re.DOTALL | re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    record_seed_document()
    record_tour()
    record_page(ROOT / "docs" / "ko" / "tour.md")
