"""The one compiled call in which an optimizer updates all parameters of a group.

An optimizer is a pure function of lists of arrays, ``body(hyper, params, grads, *states, **statics)``, that returns the
new parameters and states. `Update` runs it through ``kernels.run`` on the arrays behind the tensors and writes the
results back. Hyperparameters are operands, so a new learning rate compiles nothing. Arrays that nobody else holds are
donated: the new values take the place of the old.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import device as devices
from torchlike._core import dispatch, layout
from torchlike._core.kernels import Kernel, as_one, run
from torchlike._core.storage import Storage
from torchlike._core.tensor_state import TensorBase

Arrays = list[Any]
Tensors = list[Any]
Body = Callable[..., tuple[Arrays, ...]]

# What refers to an array that only its storage holds, while the check runs: the storage, the list of arrays and the
# argument of getrefcount.
_REFERENCES = 3
_PLAIN = {Storage}

# The states that depend on the number of steps only: they have no history.
_COUNTERS = ("steps", "mus", "etas", "mu_products")


class Update:
    """The update of one kind of optimizer, and the kernels made from it for the options and counts seen so far.

    ``one`` says that the body is what `kernels.as_one` is for: arithmetic on elements whose result depends on every
    operand, whatever their values.
    """

    def __init__(self, body: Body, *, one: bool = False) -> None:
        self.body = body
        self.one = one
        self.kernels: dict[Any, tuple[Kernel, Kernel]] = {}
        self.numbers: dict[tuple[Any, ...], Any] = {}
        states = list(inspect.signature(body).parameters)[3:]
        self.counters = [i for i, name in enumerate(states) if name in _COUNTERS]

    def __call__(
        self,
        hyper: tuple[Any, ...],
        params: Tensors,
        grads: Tensors,
        states: Sequence[Tensors] = (),
        *,
        differentiable: bool = False,
        **statics: Any,
    ) -> None:
        """Update parameters and states in place, all in one call."""
        if not params:
            return
        if differentiable:
            self._differentiable(hyper, params, grads, states, statics)
            return
        targets = [*params]
        for column in states:
            targets += column
        storages = [t._storage for t in targets]
        whole = not any([t._geometry for t in targets]) and not any([s.counter for s in storages])
        arrays = [s.array for s in storages] if whole else _arrays(targets)
        numbers: Sequence[Any]
        try:
            numbers, loose = (self.numbers[hyper],), 0
        except (KeyError, TypeError):
            numbers, loose = self._numbers(hyper)
        traced = isinstance(arrays[0], jax.core.Tracer)
        one = self.one and not traced and layout.of_array(arrays[0]) is devices.CPU
        sizes = (len(params), *map(len, states))
        key = (sizes, loose, one, *statics.items())
        found = self.kernels.get(key)
        if found is None:
            found = self.kernels[key] = self._make(sizes, loose, one, statics)
        kernel = found[1] if whole and not traced and _own(storages, arrays) else found[0]
        try:
            results = run(kernel, [*numbers, *_arrays(grads), *arrays])
        except ValueError:
            # The parameters of one group may be on several devices; each has its own call.
            parts = _by_device(arrays[: len(params)])
            if len(parts) < 2:
                raise
            for part in parts:
                picked = [[column[i] for i in part] for column in (params, *states)]
                self(hyper, picked[0], [grads[i] for i in part], picked[1:], **statics)
            return
        if whole:
            for storage, array in zip(storages, results, strict=True):
                storage.array = array
                storage.version += 1
        else:
            for tensor, array in zip(targets, results, strict=True):
                dispatch.write(tensor, array)

    def _make(self, sizes: tuple[int, ...], loose: int, one: bool, statics: dict[str, Any]) -> tuple[Kernel, Kernel]:
        """The kernel ``(*hyper, *grads, *params, *states) -> (*params, *states)``, and the one that donates."""
        body = self.body

        def function(*operands: Any) -> tuple[Any, ...]:
            hyper = operands[:loose] if loose else operands[0]
            parts = iter(operands[loose or 1 :])
            grads, params, *columns = [list(itertools.islice(parts, size)) for size in (sizes[0], *sizes)]
            results = _on_real(lambda p, g, *s: body(hyper, p, g, *s, **statics), params, grads, *columns)
            return tuple([array for column in results for array in column])

        name = f"{body.__name__}_step"
        plain, donating = (Kernel(as_one(function) if one else function, name, name) for _ in range(2))
        first = (loose or 1) + sizes[0]
        donating.jitted = jax.jit(donating.traced, donate_argnums=tuple(range(first, first + sum(sizes))))
        return plain, donating

    def _numbers(self, hyper: tuple[Any, ...]) -> tuple[Sequence[Any], int]:
        """The hyperparameters as operands: plain numbers as one array, kept; others one by one (how many, else 0)."""
        if any([isinstance(x, (TensorBase, jax.core.Tracer)) for x in hyper]):
            loose = [dispatch.array_of(x).reshape(()) if isinstance(x, TensorBase) else x for x in hyper]
            return loose, len(loose)
        array = jnp.asarray(np.array(hyper, np.float64))
        if not isinstance(array, jax.core.Tracer):
            if len(self.numbers) > 100:
                self.numbers.clear()
            self.numbers[hyper] = array
        return (array,), 0

    def _differentiable(
        self,
        hyper: tuple[Any, ...],
        params: Tensors,
        grads: Tensors,
        states: Sequence[Tensors],
        statics: dict[str, Any],
    ) -> None:
        """Update with a history: the results are computed as an operator's, then copied into the tensors."""
        sizes = (len(params), *map(len, states))
        key = ("differentiable", sizes, *statics.items())
        found = self.kernels.get(key)
        if found is None:
            plain = self._make(sizes, len(hyper), False, statics)[0]
            found = self.kernels[key] = (plain, Kernel(plain.function, plain.name, "OptimizerBackward0"))
        # What the history keeps must not be what is written below: parameters and states go in as copies.
        operands = [*hyper, *grads, *(p.clone() for p in params)]
        for state in states:
            operands.extend(t.clone() for t in state)
        results = dispatch.apply(found[1], operands)
        results = results if isinstance(results, tuple) else (results,)
        targets = [*params, *(t for state in states for t in state)]
        count = len(params)
        bare = {(1 + i) * count + j for i in self.counters for j in range(count)}
        for i, (target, result) in enumerate(zip(targets, results, strict=True)):
            if i in bare:
                dispatch.write(target, dispatch.array_of(result))
            else:
                target.copy_(result)


def _arrays(tensors: Tensors) -> Arrays:
    return [t._storage.array if t._geometry is None else dispatch.array_of(t) for t in tensors]


def _own(storages: Sequence[Storage], arrays: Arrays) -> bool:
    """Whether nothing but their storages holds the arrays, so that they may be overwritten where they lie."""
    return max(map(sys.getrefcount, arrays)) <= _REFERENCES and {*map(type, storages)} == _PLAIN


def _by_device(arrays: Arrays) -> list[list[int]]:
    parts: dict[Any, list[int]] = {}
    for i, array in enumerate(arrays):
        parts.setdefault(array.device, []).append(i)
    return list(parts.values())


def _on_real(body: Callable[..., Any], *columns: Arrays) -> Any:
    """Run a body with complex arrays seen as real ones with one more dimension."""
    kinds = [[a.dtype for a in column] for column in columns]
    if not any(jnp.issubdtype(kind, jnp.complexfloating) for column in kinds for kind in column):
        return body(*columns)

    def real(a: Any) -> Any:
        return jnp.stack([a.real, a.imag], -1) if jnp.issubdtype(a.dtype, jnp.complexfloating) else a

    def back(a: Any, kind: Any) -> Any:
        return jax.lax.complex(a[..., 0], a[..., 1]) if jnp.issubdtype(kind, jnp.complexfloating) else a

    results = body(*[[real(a) for a in column] for column in columns])
    targets = [kinds[0], *kinds[2:]]
    return tuple(
        [back(a, kind) for a, kind in zip(column, column_kinds, strict=True)]
        for column, column_kinds in zip(results, targets, strict=True)
    )
