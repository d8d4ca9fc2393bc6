"""NAdam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike.optim._math import addcdiv, addcmul, div, lerp, mul, shift, sqrt
from torchlike.optim._shared import (
    append,
    check_counters,
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
from torchlike.optim.adam import check_betas
from torchlike.optim.optimizer import Optimizer, check_nonnegative, step_counter, zeros_like

__all__ = ["NAdam", "nadam"]


def _nadam(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    mu_products: Arrays,
    steps: Arrays,
    *,
    decays: bool,
    decoupled: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    lr, beta1, beta2, eps, weight_decay, momentum_decay = numbers(hyper, 6)
    new: tuple[Arrays, ...] = ([], [], [], [], [])
    rows = zip(params, grads, exp_avgs, exp_avg_sqs, mu_products, steps, strict=True)
    for p, g, average, square, product, count in rows:
        grad = decayed(g, p, weight_decay, decays and not decoupled, maximize)
        param = mul(p, 1 - lr * weight_decay) if decays and decoupled else p
        step = count + 1
        number = step.astype(jnp.float64)
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (number * momentum_decay))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((number + 1) * momentum_decay))
        mu_product = product * mu.astype(product.dtype)
        so_far = mu_product.astype(jnp.float64)
        exp_avg = lerp(average, grad, 1 - beta1)
        exp_avg_sq = addcmul(mul(square, beta2), grad, grad, 1 - beta2)
        denominator = shift(sqrt(div(exp_avg_sq, 1 - beta2**number)), eps)
        param = addcdiv(param, grad, denominator, -lr * (1.0 - mu) / (1.0 - so_far))
        param = addcdiv(param, exp_avg, denominator, -lr * mu_next / (1.0 - so_far * mu_next))
        append(new, param, exp_avg, exp_avg_sq, mu_product, step)
    return new


_update = Update(_nadam)


def nadam(
    params: list[Any],
    grads: list[Any],
    exp_avgs: list[Any],
    exp_avg_sqs: list[Any],
    mu_products: list[Any],
    state_steps: list[Any],
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: Any,
    weight_decay: float,
    momentum_decay: float,
    eps: float,
) -> None:
    """Do one step of NAdam on lists of tensors, in place.

    >>> w, average, square, mu, step = [torch.zeros(1) for _ in range(3)] + [torch.ones(()), torch.zeros(())]
    >>> import importlib
    >>> nadam = importlib.import_module(torch.optim.NAdam.__module__).nadam
    >>> options = dict(beta1=0.5, beta2=0.5, lr=0.5, weight_decay=0, momentum_decay=0, eps=0)
    >>> nadam([w], [torch.ones(1)], [average], [square], [mu], [step], **options)
    >>> w, mu
    (tensor([-0.5667]), tensor(0.2500))
    """
    check_step(
        params,
        state_steps,
        foreach=foreach,
        capturable=capturable,
        differentiable=differentiable,
        subject="params, mu_products, and state_steps" if foreach else "params, mu_products and state_steps",
    )
    check_counters(mu_products, "API has changed, `mu_products`")
    _update(
        (lr, beta1, beta2, eps, weight_decay, momentum_decay),
        params,
        grads,
        (exp_avgs, exp_avg_sqs, mu_products, state_steps),
        differentiable=differentiable,
        decays=nonzero(weight_decay),
        decoupled=decoupled_weight_decay,
        maximize=maximize,
    )


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's momentum, which grows towards its final value with ``momentum_decay``.

    With ``decoupled_weight_decay`` the parameters shrink, as in AdamW, instead of the gradient growing. Every step is
    one compiled call, whatever ``foreach`` says. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.NAdam([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.8944, 1.8944])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_nonnegative("momentum_decay", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        set_defaults(
            self,
            ("step", "mu_product"),
            maximize=False,
            foreach=None,
            capturable=False,
            differentiable=False,
            decoupled_weight_decay=False,
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads, states = gather(self, group, _fresh, "exp_avg", "exp_avg_sq", "mu_product", "step")
            beta1, beta2 = group["betas"]
            options = {name: group[name] for name in _OPTIONS}
            nadam(params, grads, *states, beta1=beta1, beta2=beta2, **options)
        return loss


_OPTIONS = (
    "lr",
    "eps",
    "weight_decay",
    "momentum_decay",
    "decoupled_weight_decay",
    "foreach",
    "maximize",
    "differentiable",
    "capturable",
)


def _fresh(p: Any) -> dict[str, Any]:
    return {
        "step": step_counter(p),
        "mu_product": number_tensor(1.0, p),
        "exp_avg": zeros_like(p),
        "exp_avg_sq": zeros_like(p),
    }
