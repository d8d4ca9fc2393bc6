"""Averages of a model's weights over the steps of a training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from torchlike._construct import tensor
from torchlike._core import dtype as dtypes
from torchlike._core.tensor_state import TensorBase
from torchlike.autograd import no_grad
from torchlike.nn.modules.batchnorm import _BatchNorm
from torchlike.nn.modules.module import Module
from torchlike.optim._math import lerp
from torchlike.optim._shared import numbers
from torchlike.optim._update import Arrays, Update
from torchlike.optim.lr_scheduler._base import LRScheduler, one_a_group
from torchlike.optim.optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def _approach(hyper: Any, params: Arrays, grads: Arrays) -> tuple[Arrays, ...]:
    (weight,) = numbers(hyper, 1)
    return ([lerp(p, target, weight) for p, target in zip(params, grads, strict=True)],)


_update = Update(_approach)


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _inexact(t: Any) -> bool:
    return bool(t.is_floating_point() or t.is_complex())


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], None]:
    """Return a function that moves lists of averages in place: ``decay`` of the old, the rest of the new.

    Raises ValueError for a decay outside [0, 1].

    >>> average, weight = torch.zeros(1), torch.ones(1)
    >>> torch.optim.swa_utils.get_ema_multi_avg_fn(0.75)([average], [weight], None)
    >>> average
    tensor([0.2500])
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list: Any, current_param_list: Any, _: Any) -> None:
        if _inexact(ema_param_list[0]):
            _update((1 - decay,), list(ema_param_list), list(current_param_list))
            return
        for average, current in zip(ema_param_list, current_param_list, strict=True):
            average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> Callable[[Any, Any, Any], None]:
    """Return a function that moves lists of averages of ``n`` values in place to those of ``n + 1``.

    >>> average, weight = torch.zeros(1), torch.ones(1)
    >>> torch.optim.swa_utils.get_swa_multi_avg_fn()([average], [weight], 3)
    >>> average
    tensor([0.2500])
    """

    @no_grad()
    def swa_update(averaged_param_list: Any, current_param_list: Any, num_averaged: Any) -> None:
        if _inexact(averaged_param_list[0]):
            _update((1 / (num_averaged + 1),), list(averaged_param_list), list(current_param_list))
            return
        counted = isinstance(num_averaged, TensorBase)
        for average, current in zip(averaged_param_list, current_param_list, strict=True):
            if counted:
                average.addcdiv_(current - average, num_averaged + 1)  # refuses integers, as PyTorch's does
            else:
                average.add_(current - average, alpha=1.0 / (num_averaged + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], Any]:
    """Return a function of an average and a new value: ``decay`` of the one and the rest of the other.

    Raises ValueError for a decay outside [0, 1].

    >>> torch.optim.swa_utils.get_ema_avg_fn(0.75)(torch.zeros(1), torch.ones(1), None)
    tensor([0.2500])
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable[[Any, Any, Any], Any]:
    """Return a function of the average of ``n`` values, a new one and ``n``: the average of ``n + 1``.

    >>> torch.optim.swa_utils.get_swa_avg_fn()(torch.zeros(1), torch.ones(1), 3)
    tensor([0.2500])
    """

    @no_grad()
    def swa_update(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those of the model at each ``update_parameters``.

    By default all count the same; ``avg_fn`` (a parameter at a time) or ``multi_avg_fn`` (lists) is another rule.
    Buffers are averaged too with ``use_buffers``, else copied. Raises AssertionError when both rules are given.

    >>> model = torch.nn.Linear(1, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> for value in (1., 3.):
    ...     torch.nn.init.constant_(model.bias, value).requires_grad, average.update_parameters(model)
    (True, None)
    (True, None)
    >>> average.module.bias.data, average.n_averaged
    (tensor([2.]), tensor(2))
    """

    n_averaged: Any

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Any, Any, Any], Any] | None = None,
        multi_avg_fn: Callable[[Any, Any, Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=dtypes.int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the averages."""
        if self.use_buffers:
            averages = itertools.chain(self.module.parameters(), self.module.buffers())
            currents = itertools.chain(model.parameters(), model.buffers())
        else:
            averages, currents = itertools.chain(self.parameters()), itertools.chain(model.parameters())
        pairs: list[tuple[Any, Any]] = [
            (a.detach(), c.detach().to(a.device)) for a, c in zip(averages, currents, strict=False)
        ]
        if self.n_averaged == 0:
            for average, current in pairs:
                average.copy_(current)
        elif self.avg_fn is not None:
            for average, current in pairs:
                average.copy_(self.avg_fn(average, current, self.n_averaged.to(average.device)))
        else:
            groups: dict[Any, list[tuple[Any, Any]]] = {}
            for pair in pairs:
                groups.setdefault((pair[0].device, pair[0].dtype), []).append(pair)
            for (device, _), group in groups.items():
                count = self.n_averaged.to(device)
                if self.multi_avg_fn is None and device.type == "cpu" and not _inexact(group[0][0]):
                    for average, current in group:  # where lists refuse integers, PyTorch goes one by one on the CPU
                        average.copy_(get_swa_avg_fn()(average, current, count))
                    continue
                rule = self.multi_avg_fn or get_swa_multi_avg_fn()
                rule([average for average, _ in group], [current for _, current in group], count)
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.detach().copy_(theirs.detach().to(mine.device))
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch norm layers anew, from one pass over the data.

    A batch is a tensor, or a list or tuple that begins with one.

    >>> norm = torch.nn.BatchNorm1d(1)
    >>> torch.optim.swa_utils.update_bn([torch.tensor([[1.], [3.]])], norm)
    >>> norm.running_mean, norm.running_var
    (tensor([2.]), tensor([2.]))
    """
    momenta: dict[Any, Any] = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.momentum = None  # a plain average over all batches
    for batch in loader:
        first = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(first if device is None else first.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """The learning rate from where it is to ``swa_lr``, in ``anneal_epochs`` epochs, by a cosine or a straight line.

    Raises ValueError for options that do not fit.

    >>> opt = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> schedule = torch.optim.swa_utils.SWALR(opt, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> opt.step(); schedule.step()
    >>> schedule.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for rate, group in zip(one_a_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """Return how much of the way is gone at a part ``t`` of the time."""
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Any]:
        """Compute the learning rates for the present epoch."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        # What is set may have changed from outside: the start of the way is inferred from the rates as they are.
        before, now = (self.anneal_func(max(0, min(1, s / max(1, self.anneal_epochs)))) for s in (step - 1, step))
        rates = []
        for group in self.optimizer.param_groups:
            rate, goal = group["lr"], group["swa_lr"]
            start = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""
        self.__dict__.update(state_dict)
