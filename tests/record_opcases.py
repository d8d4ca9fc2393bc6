"""Record what real PyTorch does with the operators' cases.

    python tests/record_opcases.py [family ...]

Needs PyTorch; writes tests/recorded/opcases_*.json.gz, with which the tests compare where PyTorch is absent.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from opcases import case as cases
from opcases import harness


def main() -> None:
    for family in sys.argv[1:] or cases.families():
        family = family if family.startswith("cases_") else f"cases_{family}"
        recording = {
            "torch": torch.__version__.partition("+")[0],
            "cases": {
                case.name: {
                    "samples": list(case.samples),
                    "bad": list(case.bad),
                    "dtypes": {dtype: harness.run_case(torch, case, dtype) for dtype in case.dtype_names},
                }
                for case in cases.load(family)
            },
        }
        harness.write_recording(family, recording)
        print(f"{family}: {len(recording['cases'])} cases, {harness.recording_path(family).stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
