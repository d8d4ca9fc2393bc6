"""Record what real PyTorch does in the programs of ``tests/snippets``.

PYTHONPATH=. python tests/record_snippets.py [family ...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from snippets import FAMILIES, outcome, snippets

RECORDED = Path(__file__).parent / "recorded"


def main() -> None:
    for family in sys.argv[1:] or FAMILIES:
        found = {name: outcome(torch, source) for name, source in snippets(family).items()}
        record = {"torch": torch.__version__.partition("+")[0], "outcomes": found}
        (RECORDED / f"snippets_{family}.json").write_text(json.dumps(record, indent=0) + "\n")


main()
