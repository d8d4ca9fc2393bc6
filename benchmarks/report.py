"""The table of ratios, and how it compares with what the project set itself."""

from __future__ import annotations

import datetime as dt
import math
import platform
from collections.abc import Sequence
from pathlib import Path

import jax

import torchlike
from benchmarks.measure import CORES, Result

RESULTS = Path(__file__).with_name("results.md")
HEAD = "# Benchmarks\n\nTimes of torchlike divided by those of the reference, by `python -m benchmarks`.\n"

COMPILED = "compiled, against jitted jax"

# (what, group, name or None for the geometric mean of the group, at most)
TARGETS: list[tuple[str, str, str | None, float]] = [
    ("operations, geometric mean", "operations", None, 5.0),
    ("backward of three nodes", "backward", "(g * a).sum().backward()", 2.5),
    ("20 tensors, SGD", "optimizers", "SGD.step()", 1.0),
    ("20 tensors, SGD with momentum", "optimizers", "SGD.step(), momentum", 1.0),
    ("20 tensors, Adam", "optimizers", "Adam.step()", 1.0),
    ("recurrent loop's training step", "training", "recurrent cell, 20 steps", 3.0),
    ("MLP's training step", "training", "MLP 784-512-512-10, batch 128", 1.2),
    ("compiled seed loop", COMPILED, "seed document's loop", 1.3),
    ("compiled MLP", COMPILED, "MLP 784-512-512-10, batch 128", 1.3),
    ("compiled recurrent loop", COMPILED, "recurrent cell, 20 steps", 1.3),
]


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _figure(results: Sequence[Result], group: str, name: str | None) -> float | None:
    ratios = [r.ratio for r in results if r.case.group == group and name in (None, r.case.name) and r.ratio is not None]
    return geometric_mean(ratios) if ratios else None


def title(torch_version: str | None) -> str:
    """One line that says when, what and where."""
    versions = f"torchlike {torchlike.version.torchlike_version}, jax {jax.__version__}"
    against = f"against PyTorch {torch_version}" if torch_version else "PyTorch not installed"
    cores = "processor time on 1 core" if CORES == 1 else f"{CORES} cores"
    place = f"{platform.machine()}, {cores}, CPython {platform.python_version()}"
    return f"## {dt.date.today()}: {versions}, {against} ({place})"


def table(results: Sequence[Result]) -> str:
    """Ratios by group, with the geometric mean of each."""
    lines = []
    for group in dict.fromkeys(r.case.group for r in results):
        members = [r for r in results if r.case.group == group]
        lines += ["", f"| {group} | ratio | quartiles |", "|---|---:|---:|"]
        for r in members:
            if r.ratio is None or r.quartiles is None:
                lines.append(f"| {r.case.name} | no reference | |")
            else:
                lines.append(f"| {r.case.name} | {r.ratio:.2f} | {r.quartiles[0]:.2f} to {r.quartiles[1]:.2f} |")
        mean = _figure(results, group, None)
        if mean is not None and len(members) > 1:
            lines.append(f"| *geometric mean* | **{mean:.2f}** | |")
    reached = []
    for what, group, name, at_most in TARGETS:
        figure = _figure(results, group, name)
        if figure is not None:
            reached.append(f"| {what} | {at_most:.1f} | {figure:.2f} | {'yes' if figure <= at_most else 'no'} |")
    if reached:
        lines += ["", "| target | at most | measured | reached |", "|---|---:|---:|---|", *reached]
    return "\n".join(lines).strip() + "\n"


def line(r: Result) -> str:
    """What the terminal shows of one result, with times."""
    text = f"{r.case.group:>28}  {r.case.name:<36} {r.seconds * 1e6:>10.1f} us"
    if r.reference is not None and r.ratio is not None:
        text += f"  against {r.reference * 1e6:>10.1f} us  = {r.ratio:6.2f}"
    return text


def append(results: Sequence[Result], torch_version: str | None) -> None:
    """Add a run to the tracked file."""
    head = (
        ""
        if RESULTS.exists()
        else "# Benchmarks\n\nRatios of torchlike's time to the reference's, by `python -m benchmarks`.\n"
    )
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(f"{head}\n{title(torch_version)}\n\n{table(results)}")
