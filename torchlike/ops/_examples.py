"""Random functions under ``vmap``: one sample for all examples, or one for each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from torchlike._core import dispatch
from torchlike._core.levels import below, only
from torchlike._core.lifted import Batched, VmapLevel
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.ops.join import stack

F = TypeVar("F", bound=Callable[..., Any])


def randomness() -> VmapLevel | None:
    """The innermost ``vmap``, if any; RuntimeError where random functions are refused there."""
    for level in reversed(modes.levels):
        if isinstance(level, VmapLevel):
            if level.randomness == "error":
                raise RuntimeError(
                    "vmap: called random operation while in randomness error mode. Please either use the 'same' or"
                    " 'different' randomness flags on vmap or perform the randomness operation out of vmap"
                )
            return level
    return None


def refuse_fill(target: Any) -> None:
    """Refuse to fill a tensor without a batch with numbers that are to differ between the examples."""
    level = randomness()
    if level is not None and level.randomness == "different" and not _is_batched(target, level):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same"
            " randomness. If this is necessary for your usage, please file an issue with functorch."
        )


def _is_batched(x: Any, level: VmapLevel) -> bool:
    held = x._storage.array if isinstance(x, TensorBase) else None
    return isinstance(held, Batched) and held.level is level and held.batched


def per_example(function: F) -> F:
    """Let a random function of tensors draw for each example of a batch in turn."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        level = randomness() if modes.levels else None
        if level is None:
            return function(*args, **kwargs)
        batched = any(_is_batched(x, level) for x in (*args, *kwargs.values()))
        if level.randomness == "same":
            if batched:
                raise RuntimeError(
                    "Vmap does not currently support same randomness with a batched tensor input. Please file an issue"
                    " with functorch"
                )
            with only(below(level)):
                return function(*args, **kwargs)

        def of(x: Any, number: int) -> Any:
            if not isinstance(x, TensorBase):
                return x
            held = dispatch.array_of(x)
            if not (isinstance(held, Batched) and held.level is level):
                return x
            return held.inner[number] if held.batched else held.inner

        with only(below(level)):
            drawn = [
                function(*[of(x, n) for x in args], **{k: of(x, n) for k, x in kwargs.items()})
                for n in range(level.size)
            ]
            inner = stack(drawn)
        return dispatch.wrap(Batched(level, inner, True))

    return wrapper  # type: ignore[return-value]
