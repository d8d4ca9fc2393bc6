"""x[...] and x[...] = v, gathers and scatters: what they give, share, refuse and cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import torchlike as torch
from torchlike._core import dispatch


@pytest.fixture
def x() -> Any:
    return torch.arange(24.0).reshape(2, 3, 4)


NAMES: dict[str, Any] = {
    "rows": [1, 0],
    "grid": [[0, 1], [1, 0]],
    "every_other": [True, False],
    "mask": [[True, False, True], [False, True, False]],
}


def index_of(text: str) -> Any:
    """The index written in ``text``; the names stand for tensors."""
    names = {name: torch.tensor(value) for name, value in NAMES.items()}
    return eval(f"slices[{text}]", {"slices": _Slices(), "torch": torch, "np": np, **names})


def numpy_index_of(text: str) -> Any:
    return eval(f"slices[{text}]", {"slices": _Slices(), "np": np, **{k: np.array(v) for k, v in NAMES.items()}})


class _Slices:
    def __getitem__(self, index: Any) -> Any:
        return index


# Indices that mean the same to NumPy.
SHARED = [
    "0",
    "-1",
    "1:",
    "::2",
    "5:1",
    "-100:100",
    "None",
    "...",
    "..., 0",
    "0, ..., 1",
    ":, 1",
    ":, -1, 1:3",
    "None, :, None, 2",
    "rows",
    "[1, 0]",
    "[1, 0], [2, 1]",
    "rows, :, rows",
    ":, rows",
    "grid",
    "grid, grid",
    "rows[:, None], rows",
    "every_other",
    "mask",
    ":, [True, False, True]",
    "mask, 1:",
    "1:, rows",
    "[]",
    ":, []",
    "[True, False], rows",
    "range(2)",
    "np.array([1, 0])",
    "np.int64(1)",
    "True",
    "False",
]


@pytest.mark.parametrize("text", SHARED)
def test_read_as_numpy(x: Any, text: str) -> None:
    expected = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)[numpy_index_of(text)]
    found = x[index_of(text)]
    assert tuple(found.shape) == expected.shape
    np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("value", ["a number", "a tensor"])
@pytest.mark.parametrize("text", SHARED)
def test_write_as_numpy(x: Any, text: str, value: str) -> None:
    expected = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    index = numpy_index_of(text)
    written: Any = 7.0
    if value == "a tensor":
        written = -np.arange(expected[index].size, dtype=np.float32).reshape(expected[index].shape)
    expected[index] = written
    version = x._version
    x[index_of(text)] = written if value == "a number" else torch.tensor(written)
    np.testing.assert_array_equal(np.asarray(x), expected)
    assert x._version == (version if text == "False" else version + 1)


# Where PyTorch differs from NumPy: integers are applied before tensors, and do not move the dimensions to the front.
def test_integers_beside_tensors(x: Any) -> None:
    assert tuple(x[0, :, [1, 2]].shape) == (3, 2)
    assert tuple(x[[0, 1], :, 1].shape) == (2, 3)


def test_a_zero_dim_integer_tensor_is_an_integer(x: Any) -> None:
    view = x[torch.tensor(1)]
    assert tuple(view.shape) == (3, 4)
    view.zero_()
    assert x.sum() == 66


@pytest.mark.parametrize("text", ["0", "1:", ":, 1", "None", "..., 1:3", "::2, 0"])
def test_basic_indices_share_memory(x: Any, text: str) -> None:
    view = x[index_of(text)]
    view += 100.0
    assert (x >= 100.0).sum() == view.numel()
    x.zero_()
    assert (view == 0).all()


@pytest.mark.parametrize("text", ["[0, 1]", "mask", "True", "rows, 1"])
def test_advanced_indices_copy(x: Any, text: str) -> None:
    x[index_of(text)].zero_()
    assert x.sum() == 276


REFUSED: list[tuple[str, type[Exception], str]] = [
    ("x[2]", IndexError, "index 2 is out of bounds for dimension 0 with size 2"),
    ("x[0, -4]", IndexError, "index -4 is out of bounds for dimension 1 with size 3"),
    ("x[[0, 2]]", IndexError, "index 2 is out of bounds for dimension 0 with size 2"),
    ("x[0, 0, 0, 0]", IndexError, "too many indices for tensor of dimension 3"),
    ("x[::-1]", ValueError, "step must be greater than zero"),
    ("x[::0]", ValueError, "slice step cannot be zero"),
    ("x[1.0]", IndexError, "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid"),
    ("x['a']", TypeError, "new(): invalid data type 'str'"),
    ("x[torch.tensor([0.5])]", IndexError, "tensors used as indices must be long, int, byte or bool tensors"),
    (
        "x[[0, 1], [0, 1, 2]]",
        IndexError,
        "shape mismatch: indexing tensors could not be broadcast together with shapes",
    ),
    (
        "x[[True, False, True]]",
        IndexError,
        "The shape of the mask [3] at index 0 does not match the shape of the indexed",
    ),
    ("torch.tensor(1.0)[0]", IndexError, "invalid index of a 0-dim tensor."),
    ("x.__setitem__(0, [1, 2, 3, 4])", TypeError, "can't assign a list to a torch.FloatTensor"),
    ("x.__setitem__(0, 1j)", RuntimeError, "value cannot be converted to type float without overflow"),
    (
        "x.__setitem__(0, torch.ones(3))",
        RuntimeError,
        "The expanded size of the tensor (4) must match the existing size",
    ),
    (
        "x.__setitem__([0], torch.ones(3))",
        RuntimeError,
        "shape mismatch: value tensor of shape [3] cannot be broadcast",
    ),
    (
        "x.__setitem__([0], torch.tensor([1]))",
        RuntimeError,
        "Index put requires the source and destination dtypes match",
    ),
    ("x.__delitem__(0)", TypeError, "Tensor does not support deleting items"),
    (
        "x.requires_grad_().__setitem__(0, 1)",
        RuntimeError,
        "a view of a leaf Variable that requires grad is being used",
    ),
    (
        "torch.gather(x, 0, torch.full((1, 3, 4), 2))",
        RuntimeError,
        "index 2 is out of bounds for dimension 0 with size 2",
    ),
    ("torch.index_select(x, 0, torch.tensor([2]))", IndexError, "index out of range in self"),
    (
        "torch.take(x, torch.tensor([24]))",
        IndexError,
        "out of range: tried to access index 24 on a tensor of 24 elements",
    ),
    (
        "x.masked_fill(x.long(), 0)",
        RuntimeError,
        "masked_fill_ only supports boolean masks, but got mask with dtype long",
    ),
]


@pytest.mark.parametrize(("expression", "kind", "message"), REFUSED, ids=[e for e, _, _ in REFUSED])
def test_refusals(x: Any, expression: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        eval(expression, {"torch": torch, "x": x})
    assert str(caught.value).startswith(message)


def test_gradients_reach_what_was_read() -> None:
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    total = x[0].sum() + 2 * x[:, 1].sum() + 3 * x[[0, 0], [2, 2]].sum() + 4 * x[x > 4].sum()
    total.backward()
    assert x.grad.tolist() == [[1.0, 3.0, 7.0], [0.0, 2.0, 4.0]]


def test_gradients_reach_what_was_written() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    row, one = torch.ones(3, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    y = x * 2
    y[0] = row
    y[[1, 1], [0, 2]] = one
    y[y > 100] = 0.0
    (y * torch.arange(6.0).reshape(2, 3)).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0, 0.0], [0.0, 8.0, 0.0]]
    assert row.grad.tolist() == [0.0, 1.0, 2.0]
    assert one.grad.item() == 8.0


def test_a_list_that_changes_later_does_not_change_the_gradient() -> None:
    x = torch.ones(4, requires_grad=True)
    index = np.array([0, 1])
    y = x[index]
    index[:] = 3
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0, 0.0]


def traces(act: Callable[[], object]) -> int:
    """How many functions jax traces while ``act`` runs."""
    events: list[str] = []

    def listener(event: str, duration: float, **_: Any) -> None:
        if "trace" in event or "compile" in event:
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listener)
    try:
        act()
    finally:
        jax.monitoring.unregister_event_duration_listener(listener)
    return len(events)


CHANGING: dict[str, Callable[[Any, int], Any]] = {
    "x[i]": lambda x, i: x[i] + 1,
    "x[:, i]": lambda x, i: x[:, i] + 1,
    "x[i:i+3]": lambda x, i: x[i : i + 3] + 1,
    "x[[i, 0]]": lambda x, i: x[[i, 0]],
    "x[tensor]": lambda x, i: x[torch.tensor([i, 2])],
    "x[x > i]": lambda x, i: x[x > 10 * i],
    "x[i] = 1": lambda x, i: x.__setitem__(i, 1.0),
    "x[i] = row": lambda x, i: x.__setitem__(i, x[i + 1] * 1),
    "x[[i]] = 1": lambda x, i: x.__setitem__([i], 1.0),
    "x[x > i] = 0": lambda x, i: x.__setitem__(x > 10 * i, 0.0),
    "x[x > i] = values": lambda x, i: x.__setitem__(x > 10 * i, x[x > 10 * i]),
    "take": lambda x, i: torch.take(x, torch.tensor([i])),
    "index_fill": lambda x, i: x.index_fill(0, torch.tensor([i]), float(i)),
    "select_scatter": lambda x, i: x.select_scatter(x[0], 0, i),
}


@pytest.mark.parametrize("name", CHANGING)
def test_another_index_compiles_nothing(name: str) -> None:
    x = torch.arange(100.0).reshape(10, 10)
    CHANGING[name](x, 1)
    CHANGING[name](x, 2)
    assert traces(lambda: [CHANGING[name](x, i) for i in range(3, 7)]) == 0


def test_a_write_into_a_large_tensor_does_not_copy_it() -> None:
    x = torch.zeros(1_000_000)
    for _ in range(2):
        x[5] = 1.0
    before = dispatch.array_of(x).unsafe_buffer_pointer()
    x[6] = 1.0
    assert dispatch.array_of(x).unsafe_buffer_pointer() == before
    held = dispatch.array_of(x)
    x[7] = 1.0
    assert isinstance(held, jax.Array)
    assert held[7] == 0.0


def test_out_of_range_is_found_in_every_kind_of_index() -> None:
    x = torch.arange(5.0)
    for bad in (torch.tensor([5]), torch.tensor([-6]), torch.tensor([7], dtype=torch.int32), [0, 5], np.array([-6])):
        with pytest.raises(IndexError, match="is out of bounds for dimension 0 with size 5"):
            x[bad]
        with pytest.raises(IndexError, match="is out of bounds for dimension 0 with size 5"):
            x[bad] = 1.0
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_indexing_in_bfloat16_and_float8() -> None:
    for dtype in (torch.bfloat16, torch.float8_e4m3fn):
        x = torch.tensor([1.0, 2.0, 3.0]).to(dtype)
        assert x[torch.tensor([2, 0])].float().tolist() == [3.0, 1.0]
        assert x[torch.tensor([True, False, True])].float().tolist() == [1.0, 3.0]
        x[1] = 0.5
        assert x.float().tolist() == [1.0, 0.5, 3.0]


def test_scatters_in_half_precision_accumulate_in_float32() -> None:
    ones = torch.ones(1000, dtype=torch.bfloat16)
    zeros = torch.zeros(1000, dtype=torch.int64)
    start = torch.zeros(1, dtype=torch.bfloat16)
    assert torch.scatter_add(start, 0, zeros, ones).item() == 1000.0
    assert torch.scatter_reduce(start, 0, zeros, ones, "mean", include_self=False).item() == 1.0


def test_a_number_that_differs_in_each_example_of_a_batch():
    x = torch.arange(6).reshape(2, 3)
    picks = torch.tensor([2, 0])
    assert torch.vmap(lambda i: x[0, i])(picks).tolist() == [2, 0]
    assert torch.vmap(lambda i: x[:, i])(picks).tolist() == [[2, 5], [0, 3]]
    assert torch.vmap(lambda row, i: row[i])(x, picks).tolist() == [2, 3]

    def written(row: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        row = row.clone()
        row[i] = 9
        return row

    assert torch.vmap(written)(x, picks).tolist() == [[0, 1, 9], [9, 4, 5]]
