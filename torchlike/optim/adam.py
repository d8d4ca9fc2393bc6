"""Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch
from torchlike._core.tensor_state import TensorBase
from torchlike.optim._math import add, addcdiv, addcmul, div, lerp, mul, shift, sqrt
from torchlike.optim._shared import check_fused_params, check_step
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import (
    Optimizer,
    check_learning_rate,
    check_nonnegative,
    columns,
    step_counter,
    with_grad,
    zeros_like,
)

__all__ = ["Adam", "adam"]


def _adam(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    steps: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays | None = None,
    *,
    decays: bool,
    decoupled: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    """One step; the counters and bias corrections are part of it."""
    lr, beta1, beta2, eps, weight_decay = (hyper[i] for i in range(5))
    new: tuple[Arrays, ...] = ([], [], [], [], [])
    for i, (p, grad) in enumerate(zip(params, grads, strict=True)):
        if maximize:
            grad = -grad
        step = steps[i] + 1
        if decays:
            if decoupled:
                p = mul(p, 1 - lr * weight_decay)
            else:
                grad = add(grad, p, weight_decay)
        exp_avg = lerp(exp_avgs[i], grad, 1 - beta1)
        exp_avg_sq = addcmul(mul(exp_avg_sqs[i], beta2), grad, grad, 1 - beta2)
        number = step.astype(jnp.float64)
        correction1 = 1 - beta1**number
        correction2 = 1 - beta2**number
        largest = exp_avg_sq
        if max_exp_avg_sqs is not None:
            largest = jnp.maximum(max_exp_avg_sqs[i], exp_avg_sq)
            new[4].append(largest)
        denominator = shift(div(sqrt(largest), jnp.sqrt(correction2)), eps)
        new[0].append(addcdiv(p, exp_avg, denominator, -(lr / correction1)))
        new[1].append(step)
        new[2].append(exp_avg)
        new[3].append(exp_avg_sq)
    return new if max_exp_avg_sqs is not None else new[:4]


_update = Update(_adam, one=True)


def adam(
    params: list[Any],
    grads: list[Any],
    exp_avgs: list[Any],
    exp_avg_sqs: list[Any],
    max_exp_avg_sqs: list[Any],
    state_steps: list[Any],
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    has_complex: bool = False,
    decoupled_weight_decay: bool = False,
    *,
    amsgrad: bool,
    beta1: Any,
    beta2: Any,
    lr: Any,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """Do one step of Adam on lists of tensors, in place.

    >>> import importlib
    >>> adam = importlib.import_module(torch.optim.Adam.__module__).adam
    >>> w, average, square, step = torch.ones(1), torch.zeros(1), torch.zeros(1), torch.zeros(())
    >>> options = dict(amsgrad=False, beta1=0.5, beta2=0.5, lr=0.5, weight_decay=0, eps=0, maximize=False)
    >>> adam([w], [torch.ones(1)], [average], [square], [], [step], **options)
    >>> w, average
    (tensor([0.5000]), tensor([0.5000]))
    """
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Expected grad_scale and found_inf to be None")
    check_step(params, state_steps, foreach=foreach, capturable=capturable, differentiable=differentiable)
    if fused and differentiable:
        raise RuntimeError("Adam with fused=True does not support differentiable=True")
    states = (state_steps, exp_avgs, exp_avg_sqs)
    _update(
        (lr, beta1, beta2, eps, weight_decay),
        params,
        grads,
        (*states, max_exp_avg_sqs) if amsgrad else states,
        differentiable=differentiable,
        decays=weight_decay != 0,
        decoupled=decoupled_weight_decay,
        maximize=maximize,
    )


class Adam(Optimizer):
    """Adam: steps scaled by running averages of the gradient and of its square.

    Weight decay is added to the gradient (with ``decoupled_weight_decay`` the parameters shrink instead, as in AdamW);
    ``amsgrad`` divides by the largest average so far. ``foreach``, ``fused`` and ``capturable`` are accepted: every
    step is one compiled call here. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.Adam([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.9000, 1.9000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_learning_rate(lr, foreach, capturable)
        check_nonnegative("epsilon", eps)
        check_betas(betas)
        check_nonnegative("weight_decay", weight_decay)
        as_tensors = [isinstance(beta, TensorBase) for beta in betas]
        if not (all(as_tensors) or all(isinstance(beta, float) for beta in betas)):
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            if not as_tensors[i]:
                continue
            if not capturable and foreach:
                raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
            if beta.numel() != 1:
                raise ValueError(f"Tensor betas[{i}] must be 1-element")
        defaults = {
            "lr": lr,
            "betas": tuple(b.reshape(()) if t else b for b, t in zip(betas, as_tensors, strict=True)),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        if fused:
            if differentiable:
                raise RuntimeError("`fused` does not support `differentiable`")
            if foreach:
                raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("amsgrad", False)
            group.setdefault("maximize", False)
            group.setdefault("foreach", None)
            group.setdefault("capturable", False)
            group.setdefault("differentiable", False)
            group.setdefault("decoupled_weight_decay", False)
            group.setdefault("fused", None)
            steps_as_tensors(self, group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads = with_grad(group)
            states = [self.state[p] for p in params]
            amsgrad = group["amsgrad"]
            for p, state in zip(params, states, strict=True):
                if not state:
                    state["step"] = step_counter(p)
                    state["exp_avg"] = zeros_like(p)
                    state["exp_avg_sq"] = zeros_like(p)
                    if amsgrad:
                        state["max_exp_avg_sq"] = zeros_like(p)
                elif group["differentiable"] and state["step"].requires_grad:
                    raise RuntimeError("`requires_grad` is not supported for `step` in differentiable mode")
            if group["foreach"] and isinstance(group["lr"], TensorBase) and not group["capturable"]:
                raise RuntimeError("lr as a Tensor is not supported for capturable=False and foreach=True")
            if group["capturable"] or group["foreach"] or group["fused"]:
                check_step(
                    params,
                    [state["step"] for state in states],
                    foreach=group["foreach"],
                    capturable=group["capturable"],
                    differentiable=group["differentiable"],
                )
                if group["fused"]:
                    check_fused_params(params)
            names = ("step", "exp_avg", "exp_avg_sq")
            beta1, beta2 = group["betas"]
            weight_decay = group["weight_decay"]
            _update(
                (group["lr"], beta1, beta2, group["eps"], weight_decay),
                params,
                grads,
                columns(states, *names, "max_exp_avg_sq") if amsgrad else columns(states, *names),
                differentiable=group["differentiable"],
                decays=weight_decay != 0,
                decoupled=group["decoupled_weight_decay"],
                maximize=group["maximize"],
            )
        return loss


def check_betas(betas: Any) -> None:
    """Refuse decay rates outside [0, 1)."""
    for i, beta in enumerate(betas[:2]):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def steps_as_tensors(optimizer: Optimizer, group: dict[str, Any]) -> None:
    """Make tensors of the counters in states from before they were tensors."""
    for p in group["params"]:
        state = optimizer.state.get(p, {})
        if state and not isinstance(state["step"], TensorBase):
            counter = step_counter(p)
            dispatch.write(counter, jnp.full_like(dispatch.array_of(counter), float(state["step"])))
            state["step"] = counter
