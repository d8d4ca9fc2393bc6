"""Every example of the seed document prints what PyTorch printed for it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from documents import RECORDED, Block, blocks, run

import torchlike

EXAMPLES = blocks(RECORDED / "seed_document.md", "python")
RECORD = json.loads((RECORDED / "seed_document.json").read_text(encoding="utf-8"))


def with_torchlike(code: str) -> str:
    """The document's code, but for its imports as it stands."""
    code = re.sub(r"^import torch$", "import torchlike as torch", code, flags=re.MULTILINE)
    return re.sub(r"^import torch\.", "import torchlike.", code, flags=re.MULTILINE)


def expected(number: int) -> list[str]:
    lines: list[str] = RECORD["examples"][number]["stdout"]
    if EXAMPLES[number].title == "tensor creation and the GPU" and torchlike.cuda.is_available():
        lines = [*lines, "Tensor on GPU: tensor([[1., 2.],", "        [3., 4.]], device='cuda:0')"]
    return lines


def run_up_to(number: int, code_of: Any) -> list[str]:
    """Run the examples in order, as a reader would, and return what the last of them printed."""
    namespace: dict[str, Any] = {"__name__": "seed_document"}
    printed = ""
    for block in EXAMPLES[: number + 1]:
        torchlike.manual_seed(0)
        printed = run(code_of(block), namespace)
    return printed.splitlines()


def test_the_record_is_of_these_examples():
    assert [example["title"] for example in RECORD["examples"]] == [block.title for block in EXAMPLES]
    assert RECORD["torch"] == torchlike.__version__.partition("+")[0]
    assert len(EXAMPLES) == 9


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[block.title for block in EXAMPLES])
def test_example_with_the_import_changed(number: int):
    def code(block: Block) -> str:
        return with_torchlike(block.code)

    assert run_up_to(number, code) == expected(number)


def test_all_examples_verbatim_under_the_alias():
    namespace: dict[str, Any] = {"__name__": "seed_document"}
    with torchlike.as_torch():
        for number, block in enumerate(EXAMPLES):
            torchlike.manual_seed(0)
            assert run(block.code, namespace).splitlines() == expected(number), block.title
    assert namespace["torch"] is torchlike
