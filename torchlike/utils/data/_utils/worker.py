"""What the workers of a loader do, be they processes or threads."""

from __future__ import annotations

import copy
import os
import queue
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchlike._core import generator as generators
from torchlike._core.generator import Generator
from torchlike._utils import ExceptionWrapper
from torchlike.utils.data._utils.fetch import DatasetKind

# How often a worker looks whether anybody still waits for it, in seconds.
STATUS_CHECK_INTERVAL = 5.0


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows of itself: its number, how many there are, its seed, its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    worker_method: str = "multiprocessing"


class _Here(threading.local):
    info: WorkerInfo | None = None


_here = _Here()


def get_worker_info() -> WorkerInfo | None:
    """Return what a worker of a loader knows of itself: ``id``, ``num_workers``, ``seed``, ``dataset``; else None.

    >>> torch.utils.data.get_worker_info() is None
    True
    """
    return _here.info


@dataclass(frozen=True)
class EndOfIterable:
    """A worker's iterable dataset has no more samples."""

    worker_id: int


@dataclass(frozen=True)
class Resume:
    """The next epoch begins, with the same workers."""


@dataclass
class Task:
    """What a worker needs to begin; it must go through pickle where the worker is a process."""

    kind: int
    dataset: Any
    auto_collation: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    base_seed: int
    init_fn: Callable[[int], None] | None
    worker_id: int
    num_workers: int

    def fetcher(self) -> Any:
        """A fetcher of the dataset from its beginning."""
        return DatasetKind.create_fetcher(self.kind, self.dataset, self.auto_collation, self.collate_fn, self.drop_last)


def run_process(task: Task, indices: Any, results: Any, done: Any) -> None:
    """Work in a process of its own: all random streams start from the worker's seed."""
    seed = task.base_seed + task.worker_id
    random.seed(seed)
    generators.default_generator.manual_seed(seed)
    np.random.seed(state_words(task.base_seed, task.worker_id))  # noqa: NPY002 - the stream that datasets use
    parent = os.getppid()
    _run(task, indices, results, done, lambda: os.getppid() == parent)
    if done.is_set():
        results.cancel_join_thread()
        results.close()


def run_thread(task: Task, indices: Any, results: Any, done: Any) -> None:
    """Work in a thread: PyTorch's random stream is the worker's own, and so is the dataset's object."""
    generators.own.generator = Generator().manual_seed(task.base_seed + task.worker_id)
    task.dataset = copy.copy(task.dataset)
    _run(task, indices, results, done, lambda: True)


def _run(task: Task, indices: Any, results: Any, done: Any, alive: Callable[[], bool]) -> None:
    number = task.worker_id
    where = f"in DataLoader worker process {number}"
    _here.info = WorkerInfo(number, task.num_workers, task.base_seed + number, task.dataset)
    failure, fetcher = None, None
    try:
        if task.init_fn is not None:
            task.init_fn(number)
        fetcher = task.fetcher()
    except Exception:  # noqa: BLE001 - raised again where the batch is asked for
        failure = ExceptionWrapper(where=where)
    ended = False
    while alive():
        try:
            order = indices.get(timeout=STATUS_CHECK_INTERVAL)
        except queue.Empty:
            if done.is_set():
                return
            continue
        if order is None:
            return
        if isinstance(order, Resume):
            results.put((order, None))
            ended = False
            fetcher = task.fetcher()
            continue
        if done.is_set() or ended:
            continue
        position, index = order
        data: Any
        if failure is not None:
            data, failure = failure, None
        else:
            try:
                assert fetcher is not None
                data = fetcher.fetch(index)
            except StopIteration:
                data, ended = EndOfIterable(number), task.kind == DatasetKind.Iterable
                if not ended:
                    data = ExceptionWrapper(where=where)
            except Exception:  # noqa: BLE001 - raised again where the batch is asked for
                data = ExceptionWrapper(where=where)
        results.put((position, data))
        del data, order, index  # so that nothing is held while the worker waits


def state_words(base_seed: int, worker_id: int) -> list[int]:
    """The four words with which PyTorch seeds NumPy in a worker: the hash of NumPy's own SeedSequence."""
    entropy = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return [int(word) for word in np.random.SeedSequence(entropy).generate_state(4)]
