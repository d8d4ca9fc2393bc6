"""Record what real PyTorch's distributions answer: ``python tests/record_distributions.py`` (needs PyTorch)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

import distribution_cases

TARGET = Path(__file__).parent / "recorded" / "distributions.json"


def main() -> None:
    found = {
        name: distribution_cases.outcome(torch, make, value) for name, make, value in distribution_cases.cases(torch)
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(outcome)}" for name, outcome in found.items())
    version = torch.__version__.partition("+")[0]
    TARGET.write_text(f'{{"torch": "{version}", "cases": {{\n{lines}\n}}}}\n', encoding="utf-8")
    print(f"{len(found)} cases, {TARGET.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
