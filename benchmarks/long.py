"""What must not grow: the time of one operation in the backward of a long chain, and the memory of a long training.

python -m benchmarks.long
"""

from __future__ import annotations

import resource
import time
from typing import Any

import torchlike as torch

CHAINS = (50_000, 100_000, 200_000)
STEPS = 20_000


def backward_seconds(length: int) -> float:
    """The time of the backward through a chain of so many additions and products."""
    x = torch.ones(4, requires_grad=True)
    y: Any = x
    for i in range(length):
        y = y + 1.0 if i % 2 else y * 1.0
    total = y.sum()
    start = time.perf_counter()
    total.backward()
    seconds = time.perf_counter() - start
    assert x.grad.tolist() == [1.0] * 4
    return seconds


def resident() -> float:
    """The memory that the process holds, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def training_memory(steps: int) -> list[tuple[int, float]]:
    """The memory after every quarter of a training with Adam, and before the first (after 200 steps)."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    seen = []
    for step in range(1, steps + 1):
        x = torch.randn(16, 32)
        loss = torch.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 200 or step % (steps // 4) == 0:
            seen.append((step, resident()))
    return seen


def main() -> None:
    """Print both."""
    backward_seconds(1_000)
    for length in CHAINS:
        seconds = backward_seconds(length)
        print(f"backward of {length:,} operations: {seconds:.2f} s, {seconds / length * 1e6:.1f} us each", flush=True)
    for step, memory in training_memory(STEPS):
        print(f"after {step:,} steps: {memory:.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
