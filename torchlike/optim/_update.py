"""The one compiled call in which an optimizer updates all parameters of a group.

An optimizer is a pure function of lists of arrays, ``body(hyper, params, grads, *states, **statics)``, that returns the
new parameters and states. `Update` runs it through ``kernels.run`` on the arrays behind the tensors and writes the
results back. Hyperparameters are operands, so a new learning rate compiles nothing. Arrays that nobody else holds are
donated: the new values take the place of the old.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch
from torchlike._core.kernels import Kernel, run
from torchlike._core.storage import Storage
from torchlike._core.tensor_state import TensorBase

Arrays = list[Any]
Tensors = list[Any]
Body = Callable[..., tuple[Arrays, ...]]

# What refers to an array that only its storage holds, while the check runs: the storage, the list of arrays, the loop's
# variable and the argument of getrefcount.
_REFERENCES = 4


class Update:
    """The update of one kind of optimizer, and the kernels made from it for the options seen so far."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.kernels: dict[Any, tuple[Kernel, Kernel]] = {}
        self.hyper: tuple[Any, Any] = ((), None)

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
        key = tuple(statics.items())
        found = self.kernels.get(key)
        if found is None:
            found = self.kernels[key] = self._make(statics)
        if differentiable:
            self._differentiable(found[0], hyper, params, grads, states)
            return
        targets = (params, *states)
        columns = [_arrays(column) for column in targets]
        kernel = found[1] if _own(targets, columns) else found[0]
        given = _arrays(grads)
        try:
            results = run(kernel, (self._numbers(hyper), given, *columns))
        except ValueError:
            # The parameters of one group may be on several devices; each has its own call.
            parts = _by_device(columns[0])
            if len(parts) < 2:
                raise
            for part in parts:
                picked = [[column[i] for i in part] for column in targets]
                self(hyper, picked[0], [grads[i] for i in part], picked[1:], **statics)
            return
        for column, arrays in zip(targets, results, strict=True):
            for tensor, array in zip(column, arrays, strict=True):
                if tensor._geometry is None:
                    storage = tensor._storage
                    storage.array = array
                    storage.version += 1
                else:
                    dispatch.write(tensor, array)

    def _make(self, statics: dict[str, Any]) -> tuple[Kernel, Kernel]:
        body = self.body

        def function(hyper: Any, grads: Arrays, params: Arrays, *states: Arrays) -> Any:
            return _on_real(lambda p, g, *s: body(hyper, p, g, *s, **statics), params, grads, *states)

        name = f"{body.__name__}_step"
        plain, donating = (Kernel(function, name, name) for _ in range(2))
        # Far more states than any optimizer has; those that are not there count for nothing.
        donating.jitted = jax.jit(donating._traced, donate_argnums=tuple(range(2, 12)))
        return plain, donating

    def _numbers(self, hyper: tuple[Any, ...]) -> Any:
        """The hyperparameters as one array, made again only when one of them changed."""
        if any([isinstance(x, (TensorBase, jax.core.Tracer)) for x in hyper]):
            return [dispatch.array_of(x).reshape(()) if isinstance(x, TensorBase) else x for x in hyper]
        known, array = self.hyper
        if known == hyper:
            return array
        array = jnp.asarray(np.array(hyper, np.float64))
        if not isinstance(array, jax.core.Tracer):
            self.hyper = (hyper, array)
        return array

    def _differentiable(
        self, kernel: Kernel, hyper: tuple[Any, ...], params: Tensors, grads: Tensors, states: Sequence[Tensors]
    ) -> None:
        """Update with a history: the results are computed as an operator's, then copied into the tensors."""
        count, columns = len(params), 2 + len(states)
        flat_key = (id(kernel), count, columns)
        flat = self.kernels.get(flat_key)
        if flat is None:

            def function(*operands: Any) -> Any:
                numbers, arrays = operands[: len(hyper)], operands[len(hyper) :]
                parts = [list(arrays[i * count : (i + 1) * count]) for i in range(columns)]
                return tuple(a for column in kernel.function(numbers, *parts) for a in column)

            flat = self.kernels[flat_key] = (Kernel(function, kernel.name, "OptimizerBackward0"), kernel)
        operands = [*hyper, *grads, *params]
        for state in states:
            operands.extend(state)
        results = dispatch.apply(flat[0], operands)
        results = results if isinstance(results, tuple) else (results,)
        targets = [*params, *(t for state in states for t in state)]
        for target, result in zip(targets, results, strict=True):
            target.copy_(result)


def _arrays(tensors: Tensors) -> Arrays:
    return [t._storage.array if t._geometry is None else dispatch.array_of(t) for t in tensors]


def _own(targets: Sequence[Tensors], columns: Sequence[Arrays]) -> bool:
    """Whether nothing but their storages holds the arrays, so that they may be overwritten where they lie."""
    count = sys.getrefcount
    for tensors, arrays in zip(targets, columns, strict=True):
        for array in arrays:
            if count(array) > _REFERENCES:
                return False
        for tensor in tensors:
            if tensor._geometry is not None or type(tensor._storage) is not Storage:
                return False
    return not isinstance(columns[0][0], jax.core.Tracer)


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
