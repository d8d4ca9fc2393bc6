"""Record what real PyTorch gives for the programs in tests/transforms.

    python tests/record_transforms.py

Needs PyTorch. Writes tests/recorded/transforms.json.gz.
"""

from __future__ import annotations

import gzip
import json

import torch
from documents import RECORDED
from transforms.programs import ALL
from transforms.running import outcome


def main() -> None:
    """Run every program and write the outcomes down."""
    found = {name: outcome(torch, source) for name, source in ALL.items()}
    data = {"version": torch.__version__.partition("+")[0], "outcomes": found}
    with gzip.GzipFile(RECORDED / "transforms.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(data).encode())


if __name__ == "__main__":
    main()
