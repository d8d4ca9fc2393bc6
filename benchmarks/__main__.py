"""``python -m benchmarks``: measure, print, and add the table to benchmarks/results.md."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
from types import ModuleType

import torchlike
from benchmarks import compiled, heavy, operations, optimizers, report, training
from benchmarks.measure import measure

CASES = [*operations.CASES, *optimizers.CASES, *training.CASES, *compiled.CASES, *heavy.CASES]


def real_torch() -> ModuleType | None:
    return importlib.import_module("torch") if importlib.util.find_spec("torch") else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="REGEX", help="measure only the cases whose group or name match")
    parser.add_argument("--rounds", type=int, default=21, help="turns of either side (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=0.01, help="about how long a turn lasts (default: %(default)s)"
    )
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results.md as it is")
    options = parser.parse_args()
    torch = real_torch()
    results = []
    for case in CASES:
        if re.search(options.only, f"{case.group} {case.name}"):
            results.append(measure(case, torchlike, torch, options.rounds, options.seconds))
            print(report.line(results[-1]), flush=True)
    version = None if torch is None else str(torch.__version__)
    print(f"\n{report.title(version)}\n\n{report.table(results)}")
    if not options.no_write:
        report.append(results, version)


if __name__ == "__main__":
    main()
