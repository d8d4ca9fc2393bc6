"""Schedules that a user's function defines."""

from __future__ import annotations

import types
from typing import Any

from torchlike.optim.lr_scheduler._base import LRScheduler
from torchlike.optim.optimizer import Optimizer


class _ByFunctions(LRScheduler):
    """A schedule with one function a group; functions that are objects are saved by their attributes."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        count = len(optimizer.param_groups)
        if isinstance(lr_lambda, (list, tuple)):
            if len(lr_lambda) != count:
                raise ValueError(f"Expected {count} lr_lambdas, but got {len(lr_lambda)}")
            self.lr_lambdas = list(lr_lambda)
        else:
            self.lr_lambdas = [lr_lambda] * count
        self._check()
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        """Look at the functions before the first call."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that the schedule knows; of the functions, those that are objects with attributes."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "lr_lambdas")}
        state["lr_lambdas"] = [
            None if isinstance(f, types.FunctionType) else f.__dict__.copy() for f in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned; the functions are those of this schedule."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for f, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=False):
            if attributes is not None:
                f.__dict__.update(attributes)


class LambdaLR(_ByFunctions):
    """The first learning rate times a function of the epoch; ``lr_lambda`` is one for all groups or one for each.

    >>> opt = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda epoch: 1 / (1 + epoch))
    >>> opt.step(); schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[Any]:
        """Compute the learning rates for the present epoch."""
        self._warn_outside_step()
        return [base * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_ByFunctions):
    """The learning rate times a function of the epoch at each step.

    >>> opt = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> schedule = torch.optim.lr_scheduler.MultiplicativeLR(opt, lambda epoch: 0.5)
    >>> opt.step(); schedule.step(); schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    def _check(self) -> None:
        for f in self.lr_lambdas:
            if not callable(f):
                raise TypeError(f"lr_lambda should be a function, but got {type(f).__name__}")

    def get_lr(self) -> list[Any]:
        """Compute the learning rates for the present epoch."""
        self._warn_outside_step()
        if self._is_initial:
            return self._same()
        groups = self.optimizer.param_groups
        return [group["lr"] * f(self.last_epoch) for f, group in zip(self.lr_lambdas, groups, strict=True)]
