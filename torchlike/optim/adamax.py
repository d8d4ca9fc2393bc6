"""Adamax."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike.optim._math import absolute, addcdiv, lerp, mul, shift
from torchlike.optim._shared import append, check_lr, check_step, decayed, gather, nonzero, numbers, set_defaults
from torchlike.optim._update import Arrays, Update
from torchlike.optim.adam import check_betas
from torchlike.optim.optimizer import Optimizer, check_nonnegative, step_counter, zeros_like

__all__ = ["Adamax", "adamax"]


def _adamax(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_infs: Arrays,
    steps: Arrays,
    *,
    decays: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    lr, beta1, beta2, eps, weight_decay = numbers(hyper, 5)
    new: tuple[Arrays, ...] = ([], [], [], [])
    for p, g, average, infinity, count in zip(params, grads, exp_avgs, exp_infs, steps, strict=True):
        grad = decayed(g, p, weight_decay, decays, maximize)
        step = count + 1
        exp_avg = lerp(average, grad, 1 - beta1)
        exp_inf = jnp.maximum(mul(infinity, beta2), shift(absolute(grad), eps))
        rate = lr / (1 - beta1 ** step.astype(jnp.float64))
        append(new, addcdiv(p, exp_avg, exp_inf, -rate), exp_avg, exp_inf, step)
    return new


_update = Update(_adamax)


def adamax(
    params: list[Any],
    grads: list[Any],
    exp_avgs: list[Any],
    exp_infs: list[Any],
    state_steps: list[Any],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    eps: float,
    beta1: float,
    beta2: float,
    lr: Any,
    weight_decay: float,
) -> None:
    """Do one step of Adamax on lists of tensors, in place.

    >>> w, average, largest, step = torch.ones(1), torch.zeros(1), torch.zeros(1), torch.zeros(())
    >>> import importlib
    >>> adamax = importlib.import_module(torch.optim.Adamax.__module__).adamax
    >>> adamax([w], [torch.ones(1)], [average], [largest], [step], eps=0, beta1=0.5, beta2=0.5, lr=0.5, weight_decay=0)
    >>> w, average, largest
    (tensor([0.5000]), tensor([0.5000]), tensor([1.]))
    """
    check_step(params, state_steps, foreach=foreach, capturable=capturable, differentiable=differentiable)
    _update(
        (lr, beta1, beta2, eps, weight_decay),
        params,
        grads,
        (exp_avgs, exp_infs, state_steps),
        differentiable=differentiable,
        decays=nonzero(weight_decay),
        maximize=maximize,
    )


class Adamax(Optimizer):
    """Adamax: Adam with the running maximum of the gradient's size in place of its root mean square.

    Every step is one compiled call, whatever ``foreach`` says. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.Adamax([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.9000, 1.9000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative("epsilon", eps)
        check_betas(betas)
        check_nonnegative("weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        set_defaults(self, foreach=None, maximize=False, differentiable=False, capturable=False)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads, states = gather(self, group, _fresh, "exp_avg", "exp_inf", "step")
            beta1, beta2 = group["betas"]
            options = {name: group[name] for name in _OPTIONS}
            adamax(params, grads, *states, beta1=beta1, beta2=beta2, **options)
        return loss


_OPTIONS = ("lr", "eps", "weight_decay", "foreach", "maximize", "differentiable", "capturable")


def _fresh(p: Any) -> dict[str, Any]:
    return {"step": step_counter(p), "exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}
