"""Record what real PyTorch prints for the examples of the seed document.

    python tests/record_seed.py

Needs PyTorch; writes tests/recorded/seed_document.json, which the tests compare with where PyTorch is absent.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from documents import RECORDED, blocks, run


def main() -> None:
    namespace: dict[str, Any] = {"__name__": "seed_document"}
    examples = []
    for block in blocks(RECORDED / "seed_document.md", "python"):
        torch.manual_seed(0)
        stdout = run(block.code, namespace)
        examples.append({"title": block.title, "stdout": stdout.splitlines()})
    record = {"torch": torch.__version__.partition("+")[0], "device": "cpu", "examples": examples}
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (RECORDED / "seed_document.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
