"""The loader: batches of a dataset, fetched here or by workers ahead of time."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import queue
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.context import BaseContext
from typing import Any, Generic, NoReturn, TypeVar

from torchlike import cuda
from torchlike._utils import ExceptionWrapper
from torchlike.utils.data._utils import worker
from torchlike.utils.data._utils.collate import default_collate, default_convert
from torchlike.utils.data._utils.fetch import DatasetKind as _DatasetKind
from torchlike.utils.data._utils.pin_memory import pin_memory as pinned
from torchlike.utils.data._utils.worker import get_worker_info
from torchlike.utils.data.dataset import IterableDataset
from torchlike.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, drawn_seed

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)


class _InfiniteConstantSampler(Sampler[None]):
    """Stands in for the indices of a dataset that has none."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches.

    ``batch_size`` samples make a batch by ``collate_fn`` (``default_collate``); with ``batch_size=None`` samples come
    one by one. ``shuffle``, a ``sampler`` or a ``batch_sampler`` give the order. With ``num_workers`` the batches are
    fetched ahead of time, ``prefetch_factor`` for each worker: by threads, or by processes where
    ``multiprocessing_context`` (or ``multiprocessing.set_start_method``) says "spawn" or "forkserver".
    Raises ValueError for options that do not go together.

    >>> data = torch.utils.data.TensorDataset(torch.arange(5))
    >>> for (batch,) in torch.utils.data.DataLoader(data, batch_size=2): batch
    tensor([0, 1])
    tensor([2, 3])
    tensor([4])
    """

    dataset: Any
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    drop_last: bool
    timeout: float
    sampler: Any
    pin_memory_device: str
    prefetch_factor: int | None
    _iterator: _BaseDataLoaderIter | None
    __initialized = False

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        iterable = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if iterable else _DatasetKind.Map
        if iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
            drop_last = False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if iterable:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self.persistent_workers = persistent_workers
        self.__initialized = True
        self._IterableDataset_len_called: int | None = None
        self._iterator = None
        self.check_worker_number_rationality()

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        self.check_worker_number_rationality()
        return _MultiProcessingDataLoaderIter(self)

    @property
    def multiprocessing_context(self) -> Any:
        """The context that makes the worker processes; None for threads."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            if self.num_workers <= 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got"
                    f" num_workers={self.num_workers}"
                )
            if isinstance(context, str):
                known = multiprocessing.get_all_start_methods()
                if context not in known:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start method in"
                        f" {known!r}, but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string specifying the start"
                    f" method, but got multiprocessing_context={context}"
                )
        self.__multiprocessing_context = context

    def __setattr__(self, attr: str, val: Any) -> None:
        if self.__initialized and attr in _FIXED:
            raise ValueError(f"{attr} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(attr, val)

    def __iter__(self) -> Any:
        if not (self.persistent_workers and self.num_workers > 0):
            return self._get_iterator()
        if self._iterator is None:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warn when there are more workers than processors."""
        if not self.num_workers:
            return
        affinity = hasattr(os, "sched_getaffinity")
        most = len(os.sched_getaffinity(0)) if affinity else os.cpu_count()
        if most is not None and self.num_workers <= most:
            return
        suggestion = "DataLoader is not able to compute a suggested max number of worker in current system."
        if most is not None:
            note = "" if affinity else " (`cpuset` is not taken into account)"
            suggestion = (
                f"Our suggested max number of worker in current system is {most}{note}, which is smaller than what"
                " this DataLoader is going to create."
            )
        warnings.warn(
            f"This DataLoader will create {self.num_workers} worker processes in total. {suggestion} Please be aware"
            " that excessive worker creation might get DataLoader running slow or even freeze, lower the worker number"
            " to avoid potential slowness/freeze if necessary.",
            stacklevel=3,
        )


def _check_workers(num_workers: int, timeout: float, prefetch: int | None, persistent: bool) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch is not None and prefetch < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    begin = "DataLoader with IterableDataset: expected unspecified {0} option, but got {0}={1}"
    if shuffle not in (False, None):
        raise ValueError(begin.format("shuffle", shuffle))
    if sampler is not None:
        raise ValueError(begin.format("sampler", sampler))
    if batch_sampler is not None:
        raise ValueError(begin.format("batch_sampler", batch_sampler))


class _BaseDataLoaderIter:
    """One pass over a loader's dataset."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._IterableDataset_len_called = loader._IterableDataset_len_called
        self._auto_collation = loader._auto_collation
        self._drop_last = loader.drop_last
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        if loader.pin_memory and loader.pin_memory_device:
            warnings.warn(
                "pin_memory_device is deprecated, the current accelerator will be used as the device,ignore"
                f" pin_memory_device='{loader.pin_memory_device}'.",
                stacklevel=4,
            )
        if loader.pin_memory and not cuda.is_available():
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be"
                " used.",
                stacklevel=4,
            )
        self._pin_memory = loader.pin_memory and cuda.is_available()
        self._timeout = loader.timeout
        self._collate_fn = loader.collate_fn
        self._sampler_iter = iter(self._index_sampler)
        self._base_seed = drawn_seed(loader.generator)
        self._persistent_workers = loader.persistent_workers
        self._num_yielded = 0

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def _reset(self, loader: DataLoader[Any], first_iter: bool = False) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def _next_index(self) -> Any:
        return next(self._sampler_iter)

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        data = self._next_data()
        self._num_yielded += 1
        known = self._IterableDataset_len_called
        if self._dataset_kind == _DatasetKind.Iterable and known is not None and self._num_yielded > known:
            more = ""
            if self._num_workers > 0:
                more = (
                    "For multiprocessing data-loading, this could be caused by not properly configuring the"
                    " IterableDataset replica at each worker. Please see"
                    " https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
                )
            warnings.warn(
                f"Length of IterableDataset {self._dataset} was reported to be {known}(when accessing"
                f" len(dataloader)), but {self._num_yielded} samples have been fetched. {more}",
                stacklevel=2,
            )
        return pinned(data) if self._pin_memory else data

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __getstate__(self) -> NoReturn:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches each batch when it is asked for."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        self._dataset_fetcher = _DatasetKind.create_fetcher(
            self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last
        )

    def _next_data(self) -> Any:
        return self._dataset_fetcher.fetch(self._next_index())


class _Threads:
    """The part of a multiprocessing context that the loader needs, made of threads."""

    Queue = queue.Queue
    Event = threading.Event

    @staticmethod
    def Process(target: Callable[..., Any], args: tuple[Any, ...], daemon: bool) -> threading.Thread:
        return threading.Thread(target=target, args=args, daemon=daemon, name="pt_data_worker")


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Lets workers fetch batches ahead of time, and puts them in order again."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        self._prefetch_factor: int = loader.prefetch_factor or 0
        if self._prefetch_factor <= 0:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        self._in_order = loader.in_order
        context: Any = _context(loader.multiprocessing_context)
        self._processes = context is not _Threads
        self._shutdown = False
        self._workers: list[Any] = []
        self._index_queues: list[Any] = []
        self._results = context.Queue()
        self._done = context.Event()
        for number in range(self._num_workers):
            task = worker.Task(
                self._dataset_kind,
                self._dataset,
                self._auto_collation,
                self._collate_fn,
                self._drop_last,
                self._base_seed,
                loader.worker_init_fn,
                number,
                self._num_workers,
            )
            indices = context.Queue()
            if self._processes:
                indices.cancel_join_thread()
            run = worker.run_process if self._processes else worker.run_thread
            process = context.Process(target=run, args=(task, indices, self._results, self._done), daemon=True)
            process.start()
            self._workers.append(process)
            self._index_queues.append(indices)
        self._reset(loader, first_iter=True)

    def _reset(self, loader: DataLoader[Any], first_iter: bool = False) -> None:
        super()._reset(loader, first_iter)
        self._send_idx = 0  # the next batch to be ordered
        self._rcvd_idx = 0  # the next batch to be handed out
        # Of each batch ordered: the worker, and the batch when it has come before its turn.
        self._task_info: dict[int, tuple[Any, ...]] = {}
        self._tasks_outstanding = 0
        self._workers_status = [True] * self._num_workers
        self._workers_num_tasks = [0] * self._num_workers
        self._turn = itertools.cycle(range(self._num_workers))
        if not first_iter:
            for indices in self._index_queues:
                indices.put(worker.Resume())
            waiting = self._num_workers
            while waiting:  # what is left of an epoch that was not finished is dropped
                waiting -= isinstance(self._get_data()[0], worker.Resume)
        for _ in range(self._prefetch_factor * self._num_workers):
            self._try_put_index()

    def _try_get_data(self, timeout: float = worker.STATUS_CHECK_INTERVAL) -> tuple[bool, Any]:
        try:
            return True, self._results.get(timeout=timeout)
        except queue.Empty as error:
            failed = [
                process
                for number, process in enumerate(self._workers)
                if self._workers_status[number] and not process.is_alive()
            ]
            if failed:
                for number, process in enumerate(self._workers):
                    if process in failed:
                        self._mark_worker_as_unavailable(number)
                pids = ", ".join(str(process.pid if self._processes else process.name) for process in failed)
                raise RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly") from error
            return False, None

    def _get_data(self) -> Any:
        if self._timeout > 0:
            success, data = self._try_get_data(self._timeout)
            if not success:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
            return data
        while True:
            success, data = self._try_get_data()
            if success:
                return data

    def _next_data(self) -> Any:
        while True:
            self._skip_what_nobody_fetches()
            if self._rcvd_idx >= self._send_idx:
                if not self._persistent_workers:
                    self._shutdown_workers()
                raise StopIteration
            if len(self._task_info[self._rcvd_idx]) == 2:
                number, data = self._task_info.pop(self._rcvd_idx)
                self._rcvd_idx += 1
                return self._process_data(data, number)
            position, data = self._get_data()
            self._tasks_outstanding -= 1
            if isinstance(data, worker.EndOfIterable):
                if self._persistent_workers:
                    self._workers_status[data.worker_id] = False
                else:
                    self._mark_worker_as_unavailable(data.worker_id)
                self._try_put_index()
                continue
            if position != self._rcvd_idx and self._in_order:
                self._task_info[position] += (data,)
                continue
            (number,) = self._task_info.pop(position)
            self._rcvd_idx += position == self._rcvd_idx
            return self._process_data(data, number)

    def _skip_what_nobody_fetches(self) -> None:
        """Go to the next batch that has come or that a worker is still at."""
        while self._rcvd_idx < self._send_idx:
            info = self._task_info.get(self._rcvd_idx)
            if info is not None:
                if len(info) == 2 or self._workers_status[info[0]]:
                    return
                del self._task_info[self._rcvd_idx]
            self._rcvd_idx += 1

    def _try_put_index(self) -> None:
        most = self._prefetch_factor * self._num_workers
        try:
            index = self._next_index()
        except StopIteration:
            return
        for _ in range(self._num_workers):
            number = next(self._turn)
            if self._workers_status[number] and (
                self._in_order or self._workers_num_tasks[number] < most // sum(self._workers_status)
            ):
                break
        else:
            return
        self._index_queues[number].put((self._send_idx, index))
        self._task_info[self._send_idx] = (number,)
        self._workers_num_tasks[number] += 1
        self._tasks_outstanding += 1
        self._send_idx += 1

    def _process_data(self, data: Any, number: int) -> Any:
        self._workers_num_tasks[number] -= 1
        self._try_put_index()
        if isinstance(data, ExceptionWrapper):
            data.reraise()
        return data

    def _mark_worker_as_unavailable(self, number: int) -> None:
        self._index_queues[number].put(None)
        self._workers_status[number] = False

    def _shutdown_workers(self) -> None:
        if self._shutdown:
            return
        self._shutdown = True
        self._done.set()
        for indices in self._index_queues:
            indices.put(None)
        for process in self._workers:
            process.join(timeout=worker.STATUS_CHECK_INTERVAL)
        if not self._processes:
            return
        for indices in self._index_queues:
            indices.cancel_join_thread()
            indices.close()
        self._results.cancel_join_thread()
        self._results.close()
        for process in self._workers:
            if process.is_alive():
                process.terminate()
                process.join(timeout=worker.STATUS_CHECK_INTERVAL)

    def __del__(self) -> None:
        if getattr(self, "_workers", None):
            self._shutdown_workers()


def _context(given: Any) -> Any:
    """Processes where the program asks for fresh ones, else threads.

    A process that is forked after jax has begun to work hangs when it compiles (measured: at the first operator that
    the parent had not compiled), and one that is spawned runs an unguarded main module again: neither is what a program
    means that says nothing.
    """
    method = multiprocessing.get_start_method(allow_none=True) if given is None else given.get_start_method()
    if method in (None, "fork"):
        return _Threads
    return multiprocessing.get_context(method) if given is None else given
