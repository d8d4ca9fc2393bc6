"""Helpers of the layers under the name that other libraries import them by.

Nothing here imports this file before ``torchlike.nn`` is complete: the package ``nn.utils`` has the same short name.
"""

from __future__ import annotations

from typing import Any

from torchlike.nn.modules._tuples import (
    _list_with_default,
    _ntuple,
    _pair,
    _quadruple,
    _reverse_repeat_tuple,
    _single,
    _triple,
)

__all__ = [
    "_list_with_default",
    "_ntuple",
    "_pair",
    "_quadruple",
    "_reverse_repeat_tuple",
    "_single",
    "_triple",
    "consume_prefix_in_state_dict_if_present",
]


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Take a prefix off the keys of a state dict, in place; keys without it stay.

    >>> state = {"module.weight": 1}
    >>> torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    >>> state
    {'weight': 1}
    """
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key.removeprefix(prefix)] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is None:
        return
    for key in list(metadata):
        if not key:
            continue
        shorter = key.replace(prefix.rstrip("."), "", 1) if key == prefix.rstrip(".") else key.removeprefix(prefix)
        if shorter != key:
            metadata[shorter] = metadata.pop(key)
