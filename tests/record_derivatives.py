"""Record which derivatives real PyTorch does not have, of the operators in tests/opcases.

    python tests/record_derivatives.py

Needs PyTorch. Writes tests/recorded/derivatives.json: for each case and type the inputs by which it can be
differentiated, where these are not all, and the ways (of tests/transforms/derivatives.py) that fail, with PyTorch's
reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import torch
from documents import RECORDED
from opcases.case import OpCase, families, load
from opcases.harness import first_sentence
from transforms.derivatives import DTYPES, WAYS, Sample


def failure(sample: Sample, way: str, wanted: list[str]) -> str | None:
    """What PyTorch says against a derivative."""
    try:
        sample.check(way, wanted)
    except (RuntimeError, NotImplementedError, ValueError, IndexError) as error:
        return f"{type(error).__name__}: {first_sentence(str(error))}"[:160]
    return None


def differentiated(sample: Sample) -> bool:
    """Whether a result takes part in a graph; so also where PyTorch refuses to make one."""
    try:
        return sample.derived()
    except RuntimeError:
        return True


def choices(names: list[str]) -> Iterator[list[str]]:
    """All inputs, and all but one or some of the last."""
    yield names
    for left_out in names:
        yield [n for n in names if n != left_out]
    for count in range(len(names) - 2, 0, -1):
        yield names[:count]


def record(case: OpCase, dtype: str) -> dict[str, Any] | None:
    """What PyTorch lacks of a case in one type; None where the sample is refused or has no derivative to speak of."""
    try:
        sample = Sample(torch, case, dtype)
        sample(*sample.inputs)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, AttributeError):
        return None
    if not differentiated(sample):
        return None
    wanted = next((w for w in choices(sample.names) if w and failure(sample, "reverse", w) is None), sample.names)
    missing = {way: failure(sample, way, wanted) for way in WAYS}
    found: dict[str, Any] = {"missing": {way: text for way, text in missing.items() if text is not None}}
    if wanted != sample.names:
        found["inputs"] = wanted
    return found


def main() -> None:
    """Try every case in both types."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for family in families():
        for case in load(family):
            for dtype in DTYPES:
                recorded = record(case, dtype) if dtype in case.dtype_names else None
                if recorded is not None:
                    found[f"{case.name}-{dtype}"] = recorded
    data = {"version": torch.__version__.partition("+")[0], "cases": found}
    (RECORDED / "derivatives.json").write_text(json.dumps(data, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
