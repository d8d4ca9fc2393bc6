"""Views of memory: every geometry read and written as NumPy's strided views do, and what that costs."""

from __future__ import annotations

import math
import os
from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import torchlike as torch
from torchlike._core import dtype as dtypes
from torchlike._core import views
from torchlike._core.views import Geometry, Memory

# Thousands on demand; a few where the suite runs.
EXAMPLES = int(os.environ.get("TORCHLIKE_EXAMPLES", "40"))
SHAPES = ((), (1,), (5,), (2, 3), (3, 1, 2), (0,), (2, 0), (4, 4))
TYPES = (dtypes.float32, dtypes.int16, dtypes.complex64, dtypes.uint8)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Memory, Geometry]:
    """A memory of some shape and layout, and a view that lies in it."""
    shape = draw(st.sampled_from(SHAPES))
    kind = draw(st.sampled_from(TYPES))
    stride = None
    if len(shape) > 1 and draw(st.booleans()):
        order = draw(st.permutations(range(len(shape))))
        steps, step = [0] * len(shape), 1
        for d in order:
            steps[d] = step
            step *= max(shape[d], 1)
        stride = tuple(steps)
    seen = draw(st.sampled_from([kind, dtypes.uint8, dtypes.float32])) if kind is not dtypes.int16 else kind
    total = math.prod(shape) * kind.itemsize // seen.itemsize
    size, steps, room = [], [], max(total - 1, 0)
    for _ in range(draw(st.integers(0, 3))):
        step = draw(st.sampled_from([0, 1, 2, 3, 4]))
        most = room // step + 1 if step else 3
        n = draw(st.integers(0, min(most, 4)))
        room -= max(n - 1, 0) * step
        size.append(n)
        steps.append(step)
    empty = 0 in size
    if not total and not empty:
        size, steps = [*size, 0], [*steps, 1]
    offset = draw(st.integers(0, max(room, 0)))
    conj = seen.is_complex and draw(st.booleans())
    neg = seen is dtypes.float32 and draw(st.booleans())
    return Memory(shape, stride, kind), Geometry(tuple(size), tuple(steps), offset, seen, conj, neg)


def _contents(memory: Memory) -> np.ndarray[Any, Any]:
    """Distinct elements in the order in which they lie in memory."""
    count = math.prod(memory.shape)
    flat = np.arange(1, count + 1)
    return (flat + 1j * (flat + 100) if memory.dtype.is_complex else flat).astype(memory.dtype.np)


def _logical(flat: np.ndarray[Any, Any], memory: Memory) -> np.ndarray[Any, Any]:
    """The memory as the array that a storage holds."""
    stride = memory.stride or views.contiguous_strides(memory.shape)
    item = flat.dtype.itemsize
    return np.lib.stride_tricks.as_strided(flat, memory.shape, tuple(s * item for s in stride)).copy()


def _seen(flat: np.ndarray[Any, Any], g: Geometry) -> np.ndarray[Any, Any]:
    """The view of flat memory, writable."""
    usable = flat.nbytes // g.dtype.itemsize * g.dtype.itemsize
    elements = flat.view(np.uint8)[:usable].view(g.dtype.np)
    strides = tuple(s * g.dtype.itemsize for s in g.stride)
    return np.lib.stride_tricks.as_strided(elements[g.offset :], g.size, strides)


def _bits(x: Any) -> Any:
    return np.ascontiguousarray(np.asarray(x)).reshape(-1).view(np.uint8)


@settings(max_examples=EXAMPLES)
@given(cases())
def test_reads_are_those_of_numpy(case: tuple[Memory, Geometry]) -> None:
    memory, g = case
    flat = _contents(memory)
    path, starts = views.lower(memory, g)
    found = views.read(path, jnp.asarray(_logical(flat, memory)), *starts)
    wanted = _seen(flat, g)
    wanted = wanted.conj() if g.conj else wanted
    wanted = -wanted if g.neg else wanted
    assert found.shape == g.size
    assert found.dtype == g.dtype.np
    np.testing.assert_array_equal(_bits(found), _bits(wanted))


@settings(max_examples=EXAMPLES)
@given(cases())
def test_writes_are_those_of_numpy(case: tuple[Memory, Geometry]) -> None:
    memory, g = case
    flat = _contents(memory)
    array = jnp.asarray(_logical(flat, memory))
    # Where elements overlap every one gets the same value, so that the order of the writes does not matter.
    several = len(np.unique(_places(g))) != math.prod(g.size)
    count = math.prod(g.size)
    value = (np.full(count, 7) if several else np.arange(50, 50 + count)).reshape(g.size).astype(g.dtype.np)
    path, starts = views.lower(memory, g)
    found = views.write(path, array, jnp.asarray(value), *starts)
    stored = -value if g.neg else value
    _seen(flat, g)[...] = stored.conj() if g.conj else stored
    np.testing.assert_array_equal(_bits(found), _bits(_logical(flat, memory)))


def _places(g: Geometry) -> np.ndarray[Any, Any]:
    found = np.full(g.size, g.offset)
    for d, (n, s) in enumerate(zip(g.size, g.stride, strict=True)):
        found = found + (np.arange(n) * s).reshape((-1,) + (1,) * (len(g.size) - 1 - d))
    return found


def test_memory_that_is_no_whole_number_of_elements() -> None:
    memory = Memory((3,), None, dtypes.float32)
    g = Geometry((1,), (1,), 0, dtypes.complex64, False, False)
    path, starts = views.lower(memory, g)
    array = jnp.asarray([1.0, 2.0, 3.0], jnp.float32)
    assert views.read(path, array, *starts).tolist() == [1 + 2j]
    assert views.write(path, array, jnp.asarray([5 + 6j], jnp.complex64), *starts).tolist() == [5.0, 6.0, 3.0]


def _compilations() -> int:
    return sum(f._cache_size() for reader in views._readers.values() for f in (reader.read, reader.write))


def test_an_index_that_changes_compiles_once() -> None:
    x = torch.arange(60.0).view(12, 5)
    values = [x[0].sum().item()]
    before = _compilations()
    values += [x[i].sum().item() for i in range(1, 12)]
    assert _compilations() == before
    assert values == [sum(range(5 * i, 5 * i + 5)) for i in range(12)]


@pytest.mark.parametrize("write", ["add_", "copy_"])
def test_a_write_through_a_view_reuses_the_memory(write: str) -> None:
    x = torch.zeros(64, 64)
    row = x[3]
    getattr(row, write)(torch.ones(64))  # compiled
    address = x._storage.array.unsafe_buffer_pointer()
    getattr(x[5], write)(torch.ones(64))
    assert x._storage.array.unsafe_buffer_pointer() == address
    assert x.sum().item() == 128


def test_a_write_leaves_what_others_hold() -> None:
    x = torch.zeros(4, 4)
    before = x._storage.array
    x[1].add_(1)
    assert before.sum() == 0
    assert x.sum().item() == 4


def test_a_failed_write_leaves_the_values() -> None:
    x = torch.zeros(4, 4)
    with pytest.raises(RuntimeError, match="must match the size"):
        x[1].add_(torch.ones(3))
    assert x.sum().item() == 0
    assert isinstance(x._storage.array, jax.Array)
