"""Timing two callables against each other on a machine that also does other things.

Both run in the same process, in turns of a few milliseconds, so that what disturbs the one disturbs the other; a ratio
is taken in each round, and the median of the rounds is the figure.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Run = Callable[[], Any]

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# With one core, the processor time of this process is what it would take on a quiet machine; with more, it is not.
clock = time.process_time if CORES == 1 else time.perf_counter


@dataclass(frozen=True)
class Case:
    """One benchmark: ``make(torch)`` prepares it with a module that offers PyTorch's API and returns what is timed."""

    group: str
    name: str
    make: Callable[[ModuleType], Run]
    # What it is compared with: real PyTorch when None, else another callable (a step written by hand in jax).
    against: Callable[[], Run] | None = None


@dataclass(frozen=True)
class Result:
    """Seconds a call of both sides, and the ratio with its quartiles over the rounds; None without a reference."""

    case: Case
    seconds: float
    reference: float | None
    ratio: float | None
    quartiles: tuple[float, float] | None


def _batch(run: Run, calls: int) -> float:
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def _calls_for(run: Run, seconds: float) -> int:
    """How many calls take about ``seconds``."""
    calls = 1
    while (spent := _batch(run, calls) * calls) < seconds / 4 and calls < 1_000_000:
        calls *= 2
    return max(1, round(calls * seconds / max(spent, 1e-9)))


def measure(case: Case, torchlike: ModuleType, torch: ModuleType | None, rounds: int, seconds: float) -> Result:
    """Time a case in ``rounds`` turns of about ``seconds`` on either side."""
    mine = case.make(torchlike)
    reference = case.against() if case.against else case.make(torch) if torch is not None else None
    runs = [mine] if reference is None else [mine, reference]
    for run in runs:  # compile (small compiled programs once more after ten calls), and let allocators settle
        for _ in range(15):
            run()
    calls = [_calls_for(run, seconds) for run in runs]
    times: list[list[float]] = [[] for _ in runs]
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            order = range(len(runs)) if number % 2 == 0 else reversed(range(len(runs)))
            for side in order:
                times[side].append(_batch(runs[side], calls[side]))
            gc.collect()
    finally:
        gc.enable()
    medians = [statistics.median(side) for side in times]
    if reference is None:
        return Result(case, medians[0], None, None, None)
    ratios = [a / b for a, b in zip(*times, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if rounds > 1 else (ratios[0],) * 3
    return Result(case, medians[0], medians[1], middle, (low, high))
