"""Groups of processes."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

import torchlike as torch
from torchlike import multiprocessing as mp


def send(index: int, queue: Any) -> None:
    queue.put((index, torch.full((2,), float(index))))


def fail(index: int) -> None:
    if index == 1:
        raise ValueError("no")


def leave(index: int) -> None:
    os._exit(3)


def die(index: int) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_tensors_come_back():
    queue = mp.get_context("spawn").SimpleQueue()
    context = mp.spawn(send, args=(queue,), nprocs=2, join=False)
    assert isinstance(context, mp.SpawnContext)
    assert len(context.pids()) == 2
    found = dict(queue.get() for _ in range(2))
    while not context.join():
        pass
    assert [found[i].tolist() for i in range(2)] == [[0.0, 0.0], [1.0, 1.0]]


def test_failures_are_told():
    with pytest.raises(mp.ProcessRaisedException, match="-- Process 1 terminated with the following error:") as caught:
        mp.spawn(fail, nprocs=2)
    assert "ValueError: no" in str(caught.value)
    assert caught.value.error_index == 1
    with pytest.raises(mp.ProcessExitedException, match=r"^process 0 terminated with exit code 3$") as left:
        mp.spawn(leave)
    assert left.value.exit_code == 3
    with pytest.raises(mp.ProcessExitedException, match=r"^process 0 terminated with signal SIGTERM$"):
        mp.spawn(die)


def test_names_of_python():
    assert mp.get_all_start_methods() == mp.multiprocessing.get_all_start_methods()
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    with pytest.raises(AssertionError):
        mp.set_sharing_strategy("nope")
