"""Calling several modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchlike.nn.modules.module import Module

__all__ = ["parallel_apply"]


def parallel_apply(
    modules: Sequence[Module],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Sequence[Any] | None = None,
) -> list[Any]:
    """Call each module with its own arguments and return the list of results.

    The calls are made one after the other; what they start on different devices runs at the same time, since jax does
    not wait. Raises ValueError where there are not as many arguments as modules.
    """
    named = kwargs_tup if kwargs_tup is not None else [{}] * len(modules)
    for what, given in (("inputs", inputs), ("kwargs", named), ("devices", devices)):
        if given is not None and len(given) != len(modules):
            raise ValueError(f"The number of modules {len(modules)} is not equal to the number of {what} {len(given)}")
    return [
        module(*(args if isinstance(args, list | tuple) else (args,)), **kwargs)
        for module, args, kwargs in zip(modules, inputs, named, strict=True)
    ]
