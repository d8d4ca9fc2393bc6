"""Programs of a few numbers: what they write travels as one array.

Each array that goes in or out of a compiled program costs jit a microsecond, which is most of what a small program
takes. After some calls the parameters, the optimizer's state and the gradients that a small program writes are
therefore kept in one array, a *pack*, that goes from one call straight to the next. A storage in a pack is a
`PackedStorage`: whoever reads or writes it gets an ordinary storage back, and the next call goes the ordinary way and
packs again. A program whose results are read between most of its calls is not packed any more.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._compile.capture import Program
from torchlike._core import layout
from torchlike._core.device import CPU
from torchlike._core.storage import Pack, PackedStorage, Storage

# How many calls go the ordinary way first, and how many numbers a pack may hold.
PATIENCE = 10
_MOST = 1024
# How often a pack may be opened before it is given up; a call that finds it as it was takes one back.
_STRIKES = 6

_DTYPE = np.dtype(np.float32)


class Packing:
    """How the written state and the gradients of a program lie in its pack."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.strikes = 0
        places = {id(s): i for i, s in enumerate(program.state)}
        members = [(places.get(id(s)), index) for s, index, _ in program.written]
        members += [(None, index) for _, index in program.bindings if index is not None]
        shapes = program.shapes
        self.members = members
        self.spans: list[tuple[int, tuple[int, ...]]] = []
        start = 0
        for _, index in members:
            self.spans.append((start, tuple(shapes[index].shape)))
            start += math.prod(shapes[index].shape)
        self.pack = Pack(self._part)
        self.marks = [(self.pack, number) for number in range(len(members))]
        self.storages: list[weakref.ref[Storage]] = []
        # What the program only reads is in the pack too, as long as it is the same array.
        self.constants = [
            (i, s)
            for i, s in enumerate(program.state)
            if i not in {place for place, _ in members} and start + s.array.size <= _MOST and _is_plain(s)
        ]
        for _, storage in self.constants:
            self.spans.append((start, tuple(storage.array.shape)))
            start += storage.array.size
        packed = {place for place, _ in members if place is not None} | {i for i, _ in self.constants}
        self.loose = [i for i in range(len(program.state)) if i not in packed]
        indices = [index for _, index in members]
        self.kept = [i for i in range(len(shapes)) if i not in indices]
        self._parts = [jax.jit(self._slicing(*span)) for span in self.spans]
        self._join = jax.jit(lambda *arrays: jnp.concatenate([a.reshape(-1) for a in arrays]))
        self.jitted = jax.jit(self._run, donate_argnums=0)

    def _slicing(self, start: int, shape: tuple[int, ...]) -> Callable[[Any], Any]:
        return lambda flat: flat[start : start + math.prod(shape)].reshape(shape)

    def _part(self, number: int) -> Any:
        return self._parts[number](self.pack.array)

    def _run(self, flat: Any, *rest: Any) -> tuple[Any, ...]:
        """The program on a pack: the new pack, and the outputs that are not part of it."""
        count = len(self.program.state)
        state: list[Any] = [None] * count
        for i, value in zip(self.loose, rest, strict=False):
            state[i] = value
        places = [place for place, _ in self.members] + [place for place, _ in self.constants]
        for place, span in zip(places, self.spans, strict=True):
            if place is not None:
                state[place] = self._slicing(*span)(flat)
        outs = self.program.run(*state, *rest[len(self.loose) :])
        parts = [outs[index] for _, index in self.members] + [state[place] for place, _ in self.constants]
        joined = jnp.concatenate([part.reshape(-1) for part in parts])
        return (joined, *[outs[i] for i in self.kept])

    def close(self) -> None:
        """Put what the program has just written, the ordinary way, into the pack."""
        program = self.program
        storages = [s for s, _, _ in program.written]
        for tensor, index in program.bindings:
            if index is not None:
                assert tensor._grad is not None
                storages.append(tensor._grad._storage)
        if any(type(s) is not Storage or s.host is not None for s in storages):
            return
        self.pack.constants = [s.array for _, s in self.constants]
        arrays = [s.array for s in storages] + self.pack.constants
        if any(isinstance(a, jax.core.Tracer) for a in arrays):
            return
        self.pack.array = self._join(*arrays)
        for storage, mark in zip(storages, self.marks, strict=True):
            storage.geometry  # noqa: B018 - known from here on without a look at the array
            storage.array = None
            storage.pack = mark
            storage.__class__ = PackedStorage
        self.storages = [weakref.ref(s) for s in storages]
        self.pack.intact = True

    def open(self) -> bool:
        """Make ordinary storages of all that are in the pack; returns whether it is worth closing it again."""
        for reference in self.storages:
            storage = reference()
            if type(storage) is PackedStorage and storage.pack[0] is self.pack:
                storage.array  # noqa: B018 - reading it does it
        self.storages = []
        self.pack.intact = False
        self.strikes += 2
        return self.strikes <= _STRIKES


def packing_of(program: Program) -> Packing | None:
    """Return how a program's state can be packed; None for programs that are too large or too mixed."""
    gradients = [index for _, index in program.bindings if index is not None]
    indices = [index for _, index, _ in program.written] + gradients
    results = [o.index for o in program.outputs]
    if (
        len(indices) < 2
        or program.targets
        or program.argument_writes
        or len({*indices, *results}) != (len(indices) + len({*results}))
    ):
        return None
    shapes = [program.shapes[i] for i in indices]
    if any(s.dtype != _DTYPE for s in shapes) or sum(math.prod(s.shape) for s in shapes) > _MOST:
        return None
    if any(program.strides.get(i) is not None for i in indices) or any(math.prod(s.shape) == 0 for s in shapes):
        return None
    if not all(_is_plain(storage) for storage, _, _ in program.written):
        return None
    return Packing(program)


def _is_plain(storage: Storage) -> bool:
    """Whether a storage can be part of a pack."""
    if type(storage) is not Storage or storage.stride is not None or layout.of_array(storage.array) is not CPU:
        return False
    return storage.array.dtype == _DTYPE and storage.array.size > 0
