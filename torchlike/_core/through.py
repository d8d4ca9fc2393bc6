"""In-place operators on views: one kernel that reads a part of a memory, computes, and writes it where it lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import jax

from torchlike._core import views
from torchlike._core.kernels import Kernel
from torchlike._core.storage import Storage


def write_through(kernel: Kernel, memory: Storage, lowered: tuple[views.Reader, Any], values: Sequence[Any]) -> bool:
    """Run an in-place operator on a part of a memory; False if somebody else holds the memory as it is."""
    current = memory.array
    # Held by the storage, the name and getrefcount's argument.
    if getrefcount(current) > 3 or type(memory) is not Storage:
        return False
    if isinstance(current, jax.core.Tracer | jax.ShapeDtypeStruct):
        return False
    reader, starts = lowered
    jitted = kernel.through.get(reader.path)
    if jitted is None:
        jitted = kernel.through[reader.path] = _through(kernel, reader.path, len(starts))
    try:
        memory.array = jitted(current, starts, *values[1:])
    except Exception:  # noqa: BLE001 - the usual way raises it again, or has an answer
        return False
    return True


def _through(kernel: Kernel, path: views.Path, count: int) -> Callable[..., Any]:
    def function(memory: Any, starts: Any, *others: Any) -> Any:
        at = [starts[i] for i in range(count)]
        return views.write(path, memory, kernel.traced(views.read(path, memory, *at), *others), *at)

    return jax.jit(function, donate_argnums=0)
