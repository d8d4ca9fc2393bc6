"""Record the random numbers of real PyTorch that test_random.py and test_init.py compare with.

    python tests/record_random.py

Needs PyTorch. Writes tests/recorded/random.json.gz: for every call the dtype, the strides and the bytes of what it
gives (or what it raises), and the number that the generator draws next.
"""

from __future__ import annotations

import base64
import gzip
import json
import warnings
from collections.abc import Iterable
from typing import Any

import random_cases as cases
import torch
from documents import RECORDED

# Of the cases that live tests run, those that say most.
SIZES = ("(0,", "(1,", "(17,", "(3, 7,")
LAYOUTS = (").t()", ")[:, ::2]", ")[:, 1:]")


def encoded(tensor: torch.Tensor) -> list[Any]:
    """A tensor as its dtype, its size, its strides and the bytes of its (if many: first and last) elements."""
    tensor = tensor.detach()
    flat = cases.ends(tensor.flatten().view(torch.int16 if tensor.dtype is torch.bfloat16 else tensor.dtype).numpy())
    data = base64.b64encode(flat.tobytes()).decode()
    return [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), list(tensor.stride()), data]


def recorded(calls: Iterable[str]) -> dict[str, Any]:
    """What the calls give on real PyTorch."""
    found: dict[str, Any] = {}
    for call in calls:
        result = cases.evaluate(torch, call)
        if isinstance(result, str):
            found[call] = result
            continue
        results = result if isinstance(result, tuple) else (result,)
        found[call] = {"results": [encoded(r) for r in results], "next": torch.rand(1).item()}
    return found


def chosen(calls: Iterable[str]) -> list[str]:
    """Some sizes and some layouts."""
    kept = []
    for call in calls:
        made = call.partition(")")[0]
        plain = call.count(").") == 1 and "[" not in call
        if (plain and any(size in made for size in SIZES)) or any(layout in call for layout in LAYOUTS):
            kept.append(call)
    return kept


def main() -> None:
    """Write the record."""
    warnings.simplefilter("ignore")
    torch.manual_seed(12345)
    torch.randn(3)
    torch.rand(650)
    record = {
        "torch": torch.__version__.partition("+")[0],
        "methods": recorded(chosen(cases.methods())),
        "creators": recorded(cases.creators()),
        "by_element": recorded(cases.by_element()),
        "initializers": recorded(c for c in cases.initializers() if "7, 30" not in c),
        "refused": recorded(cases.REFUSED),
    }
    text = json.dumps(record, indent=0).encode()
    (RECORDED / "random.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
