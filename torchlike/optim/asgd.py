"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike._core.tensor_state import TensorBase
from torchlike.optim._math import add, mul, product, wide
from torchlike.optim._shared import (
    append,
    check_lr,
    check_step,
    decayed,
    gather,
    nonzero,
    number_tensor,
    numbers,
    set_defaults,
)
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, check_nonnegative, step_counter, zeros_like

__all__ = ["ASGD", "asgd"]


def _asgd(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    axs: Arrays,
    mus: Arrays,
    etas: Arrays,
    steps: Arrays,
    *,
    decays: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    lr, lambd, alpha, t0, weight_decay = numbers(hyper, 5)
    new: tuple[Arrays, ...] = ([], [], [], [], [])
    for param, g, average, mu, eta, count in zip(params, grads, axs, mus, etas, steps, strict=True):
        grad = decayed(g, param, weight_decay, decays, maximize)
        step = count + 1
        number = step.astype(jnp.float64)
        rate = eta.astype(jnp.float64)
        p = add(mul(param, 1 - lambd * rate), grad, -rate)
        share = jnp.broadcast_to(mu.astype(wide(p).dtype), p.shape)
        ax = jnp.where(share == 1, p, add(average, product(p - average, share).astype(p.dtype)))
        new_eta = (lr / (1 + lambd * lr * number) ** alpha).astype(eta.dtype)
        new_mu = (1 / jnp.maximum(1, number - t0)).astype(mu.dtype)
        append(new, p, ax, new_mu, new_eta, step)
    return new


_update = Update(_asgd)


def asgd(
    params: list[Any],
    grads: list[Any],
    axs: list[Any],
    mus: list[Any],
    etas: list[Any],
    state_steps: list[Any],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lambd: float,
    lr: Any,
    t0: float,
    alpha: float,
    weight_decay: float,
) -> None:
    """Do one step of averaged SGD on lists of tensors, in place.

    >>> w, ax, mu, eta, step = torch.ones(1), torch.zeros(1), torch.ones(()), torch.tensor(0.5), torch.zeros(())
    >>> import importlib
    >>> asgd = importlib.import_module(torch.optim.ASGD.__module__).asgd
    >>> asgd([w], [torch.ones(1)], [ax], [mu], [eta], [step], lambd=0, lr=0.5, t0=1, alpha=1, weight_decay=0)
    >>> w, ax
    (tensor([0.5000]), tensor([0.5000]))
    """
    check_step(
        params,
        state_steps,
        foreach=foreach,
        capturable=capturable,
        differentiable=differentiable,
        subject="params, mus, etas, and state_steps",
    )
    _update(
        (lr, lambd, alpha, t0, weight_decay),
        params,
        grads,
        (axs, mus, etas, state_steps),
        differentiable=differentiable,
        decays=nonzero(weight_decay),
        maximize=maximize,
    )


class ASGD(Optimizer):
    """Averaged stochastic gradient descent: a falling rate, and the average of the parameters in ``state[p]["ax"]``.

    The average begins after ``t0`` steps. Every step is one compiled call, whatever ``foreach`` says. Raises ValueError
    for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.ASGD([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.8000, 1.6000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative("weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        counters = ("step", "eta", "mu")
        set_defaults(self, counters, foreach=None, maximize=False, differentiable=False, capturable=False)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            lr: Any = group["lr"]

            def fresh(p: Any, lr: Any = lr) -> dict[str, Any]:
                rate = lr.item() if isinstance(lr, TensorBase) else lr  # type: ignore[attr-defined]
                eta, mu = number_tensor(rate, p), number_tensor(1.0, p)
                return {"step": step_counter(p), "eta": eta, "mu": mu, "ax": zeros_like(p)}

            params, grads, states = gather(self, group, fresh, "ax", "mu", "eta", "step")
            asgd(params, grads, *states, **{name: group[name] for name in _OPTIONS})
        return loss


_OPTIONS = ("lr", "lambd", "alpha", "t0", "weight_decay", "foreach", "maximize", "differentiable", "capturable")
