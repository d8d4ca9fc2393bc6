"""Another set of parameters and states in an optimizer, for a while."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from torchlike._core.tensor_state import TensorBase
from torchlike.optim.optimizer import Optimizer

_NAME = "swap_in_optimizer_params_and_state requires "


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, Any], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Let an optimizer work on other parameters with another state inside a ``with`` block.

    ``swapin_parameters`` are in the order of the optimizer's parameters, ``swapin_optim_state`` has the form of
    ``optimizer.state_dict()``. What happens to the tensors given stays; everything else is as before at the end. Raises
    RuntimeError when the state does not fit.

    >>> w = torch.nn.Parameter(torch.ones(1))
    >>> w.grad = torch.ones(1)
    >>> opt = torch.optim.SGD([w], lr=1.0, momentum=0.5)
    >>> opt.step()
    >>> other = torch.zeros(1)
    >>> other.grad = torch.ones(1)
    >>> with torch.optim.swap_in_optimizer_params_and_state(opt, {"w": other}, opt.state_dict()):
    ...     opt.step()
    >>> other, w.data
    (tensor([-1.5000]), tensor([0.]))
    """
    swaps = _swaps(optimizer, swapin_parameters, swapin_optim_state)
    state: defaultdict[Any, Any] = defaultdict(dict)
    kept_state, kept_groups = optimizer.state, [dict(group) for group in optimizer.param_groups]
    try:
        for group, params, new in swaps:
            group.update({key: value for key, value in new.items() if key != "params"}, params=params)
            for p, number in zip(params, new["params"], strict=True):
                state[p] = dict(swapin_optim_state["state"].get(number, {}))
        optimizer.state = state
        yield
    finally:
        for group, kept in zip(optimizer.param_groups, kept_groups, strict=True):
            group.clear()
            group.update(kept)
        optimizer.state = kept_state


def _swaps(optimizer: Optimizer, parameters: dict[str, Any], given: Any) -> list[tuple[Any, list[Any], Any]]:
    """What fits together: a group, its other parameters, its other options."""
    if not optimizer.state:
        raise RuntimeError(_NAME + "initialized optimizer state.")
    if not isinstance(given, dict):
        raise RuntimeError(_NAME + "a DCP-style optimizer state_dict.")
    state, groups = given.get("state"), given.get("param_groups")
    if not isinstance(state, dict):
        raise RuntimeError(
            _NAME + "swapin_optim_state['state'] to be a dict mapping packed parameter ids to per-param state dicts, "
            f"got {type(state).__name__}."
        )
    if any(isinstance(key, TensorBase) for key in state):
        raise RuntimeError(_NAME + "optimizer.state_dict()-style state keyed by packed parameter ids.")
    if any(isinstance(key, int) and not isinstance(value, dict) for key, value in state.items()):
        raise RuntimeError(_NAME + "per-parameter optimizer state entries to be dictionaries.")
    if not isinstance(groups, list):
        raise RuntimeError(
            _NAME + "swapin_optim_state['param_groups'] to be a list of param-group dicts, "
            f"got {type(groups).__name__}."
        )
    if len(optimizer.param_groups) != len(groups):
        raise RuntimeError("swapin_optim_state has a different number of parameter groups than the live optimizer.")
    tensors, swaps = list(parameters.values()), []
    for i, (group, new) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        count = _check_group(i, group, new)
        if count > len(tensors):
            raise RuntimeError(_NAME + "the explicit parameter state to match optimizer.param_groups ordering.")
        swaps.append((group, tensors[:count], new))
        tensors = tensors[count:]
    known = {number for _, _, new in swaps for number in new["params"]}
    extra = [key for key in state if key not in known]
    if extra:
        raise RuntimeError(
            _NAME + "swapin_optim_state['state'] to be keyed only by packed parameter ids from "
            f"param_groups[*]['params']; got extra keys {extra!r}."
        )
    return swaps


def _check_group(i: int, group: dict[str, Any], new: Any) -> int:
    if not isinstance(new, dict):
        raise RuntimeError(_NAME + "each optimizer param group to be a dictionary.")
    numbers = new.get("params")
    if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
        raise RuntimeError(
            _NAME + "optimizer.state_dict()-style param_groups[*]['params'] entries keyed by packed parameter ids."
        )
    if len(group["params"]) != len(numbers):
        raise RuntimeError(
            f"swapin_optim_state param group {i} has a different number of params than the live optimizer param group."
        )
    here, there = [key for key in new if key not in group], [key for key in group if key not in new]
    if here or there:
        raise RuntimeError(
            _NAME + "optimizer.state_dict()-style param group keys to exactly match the live optimizer group keys for "
            f"group {i}. Keys only in swap-in: {here}. Keys only in live: {there}."
        )
    return len(numbers)
