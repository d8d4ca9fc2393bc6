"""Adagrad."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike import ops
from torchlike.optim._math import addcdiv, addcmul, shift, sqrt
from torchlike.optim._shared import (
    append,
    check_fused,
    check_fused_params,
    check_lr,
    check_step,
    decayed,
    gather,
    nonzero,
    numbers,
    set_defaults,
)
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, check_nonnegative, step_counter

__all__ = ["Adagrad", "adagrad"]


def _adagrad(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    state_sums: Arrays,
    steps: Arrays,
    *,
    decays: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    lr, lr_decay, eps, weight_decay = numbers(hyper, 4)
    new: tuple[Arrays, ...] = ([], [], [])
    for p, g, state_sum, step in zip(params, grads, state_sums, steps, strict=True):
        grad = decayed(g, p, weight_decay, decays, maximize)
        rate = lr / (1 + step.astype(jnp.float64) * lr_decay)
        total = addcmul(state_sum, grad, grad, 1)
        append(new, addcdiv(p, grad, shift(sqrt(total), eps), -rate), total, step + 1)
    return new


_update = Update(_adagrad)


def adagrad(
    params: list[Any],
    grads: list[Any],
    state_sums: list[Any],
    state_steps: list[Any],
    fused: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: Any,
    weight_decay: float,
    lr_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """Do one step of Adagrad on lists of tensors, in place.

    >>> w, total, step = torch.ones(1), torch.zeros(1), torch.zeros(())
    >>> import importlib
    >>> adagrad = importlib.import_module(torch.optim.Adagrad.__module__).adagrad
    >>> adagrad([w], [torch.ones(1)], [total], [step], lr=0.5, weight_decay=0, lr_decay=0, eps=1e-10, maximize=False)
    >>> w, total
    (tensor([0.5000]), tensor([1.]))
    """
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Expected grad_scale and found_inf to be None")
    check_step(params, state_steps, foreach=foreach, capturable=False, differentiable=differentiable)
    if fused and differentiable:
        raise RuntimeError("adagrad with fused=True does not support differentiable=True")
    _update(
        (lr, lr_decay, eps, weight_decay),
        params,
        grads,
        (state_sums, state_steps),
        differentiable=differentiable,
        decays=nonzero(weight_decay),
        maximize=maximize,
    )


class Adagrad(Optimizer):
    """Adagrad: steps divided by the root of the sum of all squared gradients so far.

    ``lr_decay`` lets the learning rate fall with the number of steps; the sums start at ``initial_accumulator_value``.
    Every step is one compiled call, whatever ``foreach`` and ``fused`` say. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.Adagrad([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.9000, 1.9000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_nonnegative("lr_decay", lr_decay)
        check_nonnegative("weight_decay", weight_decay)
        check_nonnegative("initial_accumulator_value", initial_accumulator_value)
        check_nonnegative("epsilon", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, differentiable, foreach)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = self._fresh(p)

    def _fresh(self, p: Any) -> dict[str, Any]:
        start = self.defaults["initial_accumulator_value"]
        return {
            "step": step_counter(p),
            "sum": ops.full_like(p, complex(start, start) if p.is_complex() else start),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        set_defaults(self, foreach=None, maximize=False, differentiable=False, fused=None)

    def share_memory(self) -> None:
        """Move the sums to memory that other processes share."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["sum"].share_memory_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads, states = gather(self, group, self._fresh, "sum", "step")
            if group["fused"]:
                check_fused_params(params)
            adagrad(params, grads, *states, **{name: group[name] for name in _OPTIONS})
        return loss


_OPTIONS = ("lr", "lr_decay", "eps", "weight_decay", "foreach", "maximize", "differentiable", "fused")
