"""Schedules made of schedules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torchlike.optim.lr_scheduler._base import LRScheduler, set_option, values_of
from torchlike.optim.lr_scheduler._plateau import ReduceLROnPlateau
from torchlike.optim.optimizer import Optimizer


class _Combined(LRScheduler):
    """A schedule whose state contains those of its parts."""

    _schedulers: Sequence[LRScheduler]

    def _check(self, optimizer: Any, schedulers: Sequence[Any]) -> None:
        name = type(self).__name__
        for i, part in enumerate(schedulers):
            if not hasattr(part, "optimizer"):
                raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
            if isinstance(part, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be"
                    f" specified when calling `step`, but got one at index {i} in the given schedulers sequence."
                )
            if optimizer != part.optimizer:
                raise ValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but got scheduler"
                    f" {type(part).__name__} at index {i} has {part.optimizer}, which is different from"
                    f" {type(optimizer).__name__}."
                )

    def state_dict(self) -> dict[str, Any]:
        """Return all that the schedule and its parts know, but for the optimizer."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "_schedulers")}
        state["_schedulers"] = [part.state_dict() for part in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for part, state in zip(self._schedulers, state_dict["_schedulers"], strict=False):
            part.load_state_dict(state)


class SequentialLR(_Combined):
    """One schedule after the other; ``milestones`` are the epochs at which the next takes over.

    Raises ValueError when the schedules have several optimizers or do not fit the milestones.

    >>> opt = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> parts = [torch.optim.lr_scheduler.ConstantLR(opt, 0.5), torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)]
    >>> schedule = torch.optim.lr_scheduler.SequentialLR(opt, parts, milestones=[1])
    >>> first = schedule.get_last_lr()
    >>> opt.step(); schedule.step()
    >>> first, schedule.get_last_lr()
    ([0.25], [0.5])
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError(f"{type(self).__name__} expects at least one scheduler, but got no scheduler.")
        self._check(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of"
                f" milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be"
                f" equal to {len(milestones)}"
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # The parts have each made their first step: back to before it, then only the first part makes it.
        for group in optimizer.param_groups:
            set_option(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take one epoch off the count of every schedule in this one."""
        whole = self if sched is None else sched
        if hasattr(whole, "_schedulers"):
            for part in whole._schedulers:
                self.recursive_undo(part)
        elif hasattr(whole, "last_epoch"):
            whole.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch in the schedule whose turn it is."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        part = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            part._update_lr(0)
        else:
            part.step()
        self._last_lr = part.get_last_lr()


class ChainedScheduler(_Combined):
    """Several schedules at once: each makes its step, one after the other.

    Raises ValueError when the schedules have several optimizers.

    >>> opt = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> parts = [torch.optim.lr_scheduler.ExponentialLR(opt, 0.5), torch.optim.lr_scheduler.ExponentialLR(opt, 0.25)]
    >>> schedule = torch.optim.lr_scheduler.ChainedScheduler(parts)
    >>> opt.step(); schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if len(schedulers) < 1:
            raise ValueError(
                f"{type(self).__name__} expects at least one scheduler to be chained, but got no scheduler."
            )
        optimizer = optimizer or schedulers[0].optimizer
        self._check(optimizer, schedulers)
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._last_lr = values_of(schedulers[-1].optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Let every schedule make its step."""
        for part in self._schedulers:
            part.step()
        self._last_lr = values_of(self._schedulers[-1].optimizer, "lr")
