"""Data loading on real PyTorch and on torchlike: the same batches in the same order."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")


def plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(entry) for entry in value]
    return value


def table(t: Any) -> Any:
    return t.utils.data.TensorDataset(t.arange(11), t.arange(22.0).reshape(11, 2))


def noise(t: Any) -> Any:
    class Noise(t.utils.data.Dataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> Any:
            return t.rand(2)

    return Noise()


CASES: dict[str, Callable[[Any, Any], Any]] = {
    "shuffle": lambda t, d: list(d.DataLoader(table(t), 3, shuffle=True)),
    "drop_last": lambda t, d: list(d.DataLoader(table(t), 3, drop_last=True)),
    "workers": lambda t, d: list(d.DataLoader(table(t), 3, shuffle=True, num_workers=2)),
    "random workers": lambda t, d: (list(d.DataLoader(noise(t), 2, num_workers=2)), t.rand(1)),
    "persistent": lambda t, d: [list(x) for x in [d.DataLoader(noise(t), num_workers=1, persistent_workers=True)] * 2],
    "replacement": lambda t, d: list(d.RandomSampler(range(5), replacement=True, num_samples=40)),
    "many": lambda t, d: list(d.RandomSampler(range(5), num_samples=13)),
    "subset": lambda t, d: list(d.SubsetRandomSampler([3, 1, 4, 1, 5])),
    "weighted": lambda t, d: list(d.WeightedRandomSampler([0.1, 0.2, 0.7], 9)),
    "weighted once": lambda t, d: list(d.WeightedRandomSampler([0.1, 0.2, 0.7], 3, replacement=False)),
    "split": lambda t, d: [part.indices for part in d.random_split(range(10), [0.35, 0.35, 0.3])],
    "distributed": lambda t, d: [list(d.DistributedSampler(range(11), 4, rank, seed=3)) for rank in range(4)],
    "wide": lambda t, d: [list(d.DistributedSampler(range(2), 5, rank)) for rank in range(5)],
    "stack": lambda t, d: list(d.DataLoader(d.StackDataset(a=table(t), b=range(11)), 4)),
    "concat": lambda t, d: list(d.DataLoader(d.ConcatDataset([range(3), range(5)]), 4)),
    "samples": lambda t, d: list(d.DataLoader(["a", b"b", 1, 2.5, [1, (2,)]], batch_size=None)),
    "batch sampler": lambda t, d: list(d.DataLoader(table(t), batch_sampler=[[1, 2], [7]])),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_same_batches(case: Callable[[Any, Any], Any]) -> None:
    found = []
    for library in (torch, torchlike):
        library.manual_seed(7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forks, which real PyTorch makes beside jax
            found.append(plain(case(library, library.utils.data)))
    assert found[1] == found[0]


WRONG: list[Callable[[Any], Any]] = [
    lambda d: d.DataLoader([1], num_workers=-1),
    lambda d: d.DataLoader([1], prefetch_factor=1),
    lambda d: d.DataLoader([1], num_workers=1, multiprocessing_context=5),
    lambda d: d.DataLoader([1], batch_size=1.5),
    lambda d: d.RandomSampler([1], replacement=5),
    lambda d: d.RandomSampler([]),
    lambda d: d.WeightedRandomSampler([[1.0]], 1),
    lambda d: d.WeightedRandomSampler([1.0], 0),
    lambda d: d.BatchSampler([1], 0, False),
    lambda d: d.BatchSampler([1], 1, 5),
    lambda d: d.StackDataset(),
    lambda d: d.StackDataset([1], [1, 2]),
    lambda d: d.ConcatDataset([]),
    lambda d: d.ConcatDataset([[1]])[-5],
    lambda d: d.random_split([1, 2], [1, 2]),
    lambda d: d.default_collate([object()]),
    lambda d: d.Dataset()[0],
]


@pytest.mark.parametrize("attempt", WRONG)
def test_errors(attempt: Callable[[Any], Any]) -> None:
    found = []
    for library in (torch, torchlike):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the texts are compared
            attempt(library.utils.data)
        found.append((caught.type, str(caught.value)))
    assert found[1] == found[0]
