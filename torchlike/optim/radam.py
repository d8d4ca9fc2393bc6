"""RAdam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike.optim._math import add, addcmul, div, lerp, mul, product, scalar, shift, sqrt, wide
from torchlike.optim._shared import append, check_lr, check_step, decayed, gather, nonzero, numbers, set_defaults
from torchlike.optim._update import Arrays, Update
from torchlike.optim.adam import check_betas
from torchlike.optim.optimizer import Optimizer, check_nonnegative, step_counter, zeros_like

__all__ = ["RAdam", "radam"]


def _radam(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    steps: Arrays,
    *,
    decays: bool,
    decoupled: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    lr, beta1, beta2, eps, weight_decay = numbers(hyper, 5)
    new: tuple[Arrays, ...] = ([], [], [], [])
    longest = 2 / (1 - beta2) - 1
    for p, g, average, square, count in zip(params, grads, exp_avgs, exp_avg_sqs, steps, strict=True):
        grad = decayed(g, p, weight_decay, decays and not decoupled, maximize)
        param = mul(p, 1 - lr * weight_decay) if decays and decoupled else p
        step = count + 1
        number = step.astype(jnp.float64)
        exp_avg = lerp(average, grad, 1 - beta1)
        exp_avg_sq = addcmul(mul(square, beta2), grad, grad, 1 - beta2)
        correction2 = 1 - beta2**number
        length = longest - 2 * number * beta2**number / correction2
        rectified = length > 5.0
        safe = jnp.where(rectified, length, longest)
        rect = jnp.sqrt((safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe))
        plain = mul(div(exp_avg, 1 - beta1**number), lr)
        root = shift(sqrt(exp_avg_sq), eps)
        adaptive = (scalar(jnp.sqrt(correction2), root) / wide(root)).astype(root.dtype)
        update = jnp.where(rectified, mul(product(plain, adaptive), rect), plain)
        append(new, add(param, update, -1.0), exp_avg, exp_avg_sq, step)
    return new


_update = Update(_radam)


def radam(
    params: list[Any],
    grads: list[Any],
    exp_avgs: list[Any],
    exp_avg_sqs: list[Any],
    state_steps: list[Any],
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: Any,
    weight_decay: float,
    eps: float,
) -> None:
    """Do one step of RAdam on lists of tensors, in place.

    >>> w, average, square, step = torch.ones(1), torch.zeros(1), torch.zeros(1), torch.zeros(())
    >>> import importlib
    >>> radam = importlib.import_module(torch.optim.RAdam.__module__).radam
    >>> radam([w], [torch.ones(1)], [average], [square], [step], beta1=0.5, beta2=0.9, lr=0.5, weight_decay=0, eps=0)
    >>> w, average
    (tensor([0.5000]), tensor([0.5000]))
    """
    check_step(params, state_steps, foreach=foreach, capturable=capturable, differentiable=differentiable)
    _update(
        (lr, beta1, beta2, eps, weight_decay),
        params,
        grads,
        (exp_avgs, exp_avg_sqs, state_steps),
        differentiable=differentiable,
        decays=nonzero(weight_decay),
        decoupled=decoupled_weight_decay,
        maximize=maximize,
    )


class RAdam(Optimizer):
    """RAdam: Adam that goes by the momentum alone until the average of the squares is long enough to be trusted.

    With ``decoupled_weight_decay`` the parameters shrink, as in AdamW, instead of the gradient growing. Every step is
    one compiled call, whatever ``foreach`` says. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.RAdam([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.8000, 1.6000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        set_defaults(
            self, foreach=None, maximize=False, differentiable=False, decoupled_weight_decay=False, capturable=False
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads, states = gather(self, group, _fresh, "exp_avg", "exp_avg_sq", "step")
            beta1, beta2 = group["betas"]
            options = {name: group[name] for name in _OPTIONS}
            radam(params, grads, *states, beta1=beta1, beta2=beta2, **options)
        return loss


_OPTIONS = (
    "lr",
    "eps",
    "weight_decay",
    "decoupled_weight_decay",
    "foreach",
    "maximize",
    "differentiable",
    "capturable",
)


def _fresh(p: Any) -> dict[str, Any]:
    return {"step": step_counter(p), "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}
