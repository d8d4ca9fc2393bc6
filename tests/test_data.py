"""Data loading: the order of batches, workers of all kinds, what is refused."""

from __future__ import annotations

import collections
import gc
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    TensorDataset,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)


class Squares(Dataset[Any]):
    """What a spawned process can import."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return {"x": torch.tensor(index) ** 2, "y": np.full(2, index), "seed": torch.initial_seed()}


class Count(IterableDataset[int]):
    def __init__(self, end: int) -> None:
        self.end = end

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        numbers = range(self.end)
        return iter(numbers if info is None else numbers[info.id :: info.num_workers])


class Failing(Dataset[Any]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        raise KeyError(index)


class Waiting(Dataset[Any]):
    def __init__(self) -> None:
        self.event = threading.Event()

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        return self.event.wait(0.5)


def lists(loader: Any) -> list[Any]:
    return [batch.tolist() for batch in loader]


def test_the_order_of_pytorch() -> None:
    torch.manual_seed(0)
    data = TensorDataset(torch.arange(10))
    assert [x.tolist() for (x,) in DataLoader(data, 4, shuffle=True)] == [[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]]
    assert list(RandomSampler(range(4), generator=torch.Generator().manual_seed(0))) == [0, 1, 3, 2]
    parts = random_split(range(10), [0.3, 0.7], generator=torch.Generator().manual_seed(42))
    assert [len(part) for part in parts] == [3, 7]
    assert sorted([*parts[0].indices, *parts[1].indices]) == list(range(10))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches(workers: int) -> None:
    loader = DataLoader(Squares(), batch_size=2, num_workers=workers)
    batches = list(loader)
    assert [batch["x"].tolist() for batch in batches] == [[0, 1], [4, 9], [16]]
    assert batches[0]["y"].tolist() == [[0, 0], [1, 1]]
    assert len(loader) == 3
    assert len(DataLoader(Squares(), batch_size=2, drop_last=True)) == 2


def test_spawned_processes() -> None:
    loader = DataLoader(Squares(), batch_size=3, num_workers=1, multiprocessing_context="spawn")
    generator = torch.Generator().manual_seed(1)
    loader.generator = generator
    batches = list(loader)
    assert [batch["x"].tolist() for batch in batches] == [[0, 1, 4], [9, 16]]
    seed = int(torch.empty((), dtype=torch.int64).random_(generator=torch.Generator().manual_seed(1)).item())
    assert batches[0]["seed"].tolist() == [seed] * 3


def test_workers_of_an_iterable_dataset() -> None:
    assert lists(DataLoader(Count(7), batch_size=2, num_workers=2)) == [[0, 2], [1, 3], [4, 6], [5]]
    assert lists(DataLoader(Count(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Count(3), batch_size=None)) == [0, 1, 2]


def test_each_worker_has_a_dataset_and_a_stream_of_its_own() -> None:
    data = Count(4)
    seen = []

    def init(number: int) -> None:
        info = get_worker_info()
        assert info is not None
        info.dataset.end = 2
        seen.append((number, info.id, info.num_workers, torch.initial_seed() == info.seed))

    state = torch.get_rng_state()
    loader = DataLoader(data, batch_size=None, num_workers=2, worker_init_fn=init)
    assert sorted(loader) == [0, 1]
    assert sorted(seen) == [(0, 0, 2, True), (1, 1, 2, True)]
    assert data.end == 4
    torch.set_rng_state(state)
    torch.empty((), dtype=torch.int64).random_()
    after = torch.get_rng_state()
    torch.set_rng_state(state)
    list(DataLoader(Count(3), num_workers=1))  # draws one seed, and nothing else, from the stream of the program
    assert torch.equal(torch.get_rng_state(), after)


def test_persistent_workers_go_on() -> None:
    loader = DataLoader(Count(5), batch_size=2, num_workers=1, persistent_workers=True)
    assert lists(loader) == lists(loader) == [[0, 1], [2, 3], [4]]
    half = iter(loader)
    next(half)
    assert lists(loader) == [[0, 1], [2, 3], [4]]


def test_threads_end_with_their_loader() -> None:
    before = threading.active_count()
    iterator = iter(DataLoader(Squares(), num_workers=2))
    next(iterator)
    assert threading.active_count() == before + 2
    del iterator
    gc.collect()
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_a_dataset(workers: int) -> None:
    with pytest.raises(KeyError) as caught:
        list(DataLoader(Failing(), num_workers=workers))
    assert ("Caught KeyError in DataLoader worker process 0." in str(caught.value)) is bool(workers)


def test_time_runs_out() -> None:
    data = Waiting()
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.05 seconds"):
        next(iter(DataLoader(data, num_workers=1, timeout=0.05)))
    data.event.set()


Pair = collections.namedtuple("Pair", "a b")


def test_collation() -> None:
    assert default_collate([Pair(1, "x"), Pair(2, "y")]).b == ("x", "y")
    assert default_collate([(1, 2.0), (3, 4.0)])[1].dtype is torch.float64
    assert default_collate([np.float32(1), np.float32(2)]).dtype is torch.float32
    assert default_collate([{"a": [1, 2]}, {"a": [3, 4]}])["a"][0].tolist() == [1, 3]
    assert default_collate([b"a", b"b"]) == [b"a", b"b"]
    with pytest.raises(TypeError, match="default_collate: batch must contain tensors, numpy arrays, numbers"):
        default_collate([object()])
    with pytest.raises(TypeError, match="found <U1"):
        default_collate([np.array(["a"])])
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1], [1, 2]])
    converted = default_convert({"a": np.ones(2), "b": (1, np.zeros(1)), "c": "text"})
    assert isinstance(converted["a"], torch.Tensor)
    assert isinstance(converted["b"][1], torch.Tensor)


def test_getitems_is_used() -> None:
    class Both(Dataset[int]):
        def __len__(self) -> int:
            return 4

        def __getitems__(self, indices: list[int]) -> list[int]:
            return [10 * i for i in indices]

    assert lists(DataLoader(Both(), batch_size=2)) == [[0, 10], [20, 30]]
    assert Subset(Both(), [3, 1]).__getitems__([0, 1]) == [30, 10]
    assert StackDataset(Both(), Both()).__getitems__([1]) == [(10, 10)]


def test_distributed_sampler() -> None:
    parts = [list(DistributedSampler(range(7), 3, rank, shuffle=False)) for rank in range(3)]
    assert parts == [[0, 3, 6], [1, 4, 0], [2, 5, 1]]
    dropped = [list(DistributedSampler(range(7), 3, rank, shuffle=False, drop_last=True)) for rank in range(3)]
    assert dropped == [[0, 3], [1, 4], [2, 5]]
    sampler = DistributedSampler(range(7), 2, 0)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    with pytest.raises(ValueError, match="Invalid rank 5, rank should be in the interval"):
        DistributedSampler(range(7), 2, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"sampler": [0], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "shuffle": True}, "batch_sampler option is mutually exclusive with batch_size"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
        ({"multiprocessing_context": "spawn"}, "multiprocessing_context can only be used with multi-process loading"),
        ({"num_workers": 1, "multiprocessing_context": "x"}, "should specify a valid start method"),
    ],
)
def test_what_does_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(Squares(), **options)


def test_more_refusals() -> None:
    with pytest.raises(ValueError, match="DataLoader with IterableDataset: expected unspecified shuffle option"):
        DataLoader(Count(1), shuffle=True)
    loader = DataLoader(Squares())
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 3
    with pytest.raises(NotImplementedError, match="Subclasses of Dataset should implement __getitem__"):
        Dataset()[0]
    if not torch.cuda.is_available():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            next(iter(DataLoader(Squares(), pin_memory=True)))
        assert "'pin_memory' argument is set as true but no accelerator is found" in str(caught[0].message)
