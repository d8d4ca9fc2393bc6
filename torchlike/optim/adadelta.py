"""Adadelta."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torchlike.optim._math import add, addcmul, mul, product, quotient, shift, sqrt
from torchlike.optim._shared import append, check_lr, check_step, decayed, gather, nonzero, numbers, set_defaults
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, check_nonnegative, step_counter, zeros_like

__all__ = ["Adadelta", "adadelta"]


def _adadelta(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    acc_deltas: Arrays,
    steps: Arrays,
    *,
    decays: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    lr, rho, eps, weight_decay = numbers(hyper, 4)
    new: tuple[Arrays, ...] = ([], [], [], [])
    for p, g, square_avg, acc_delta, step in zip(params, grads, square_avgs, acc_deltas, steps, strict=True):
        grad = decayed(g, p, weight_decay, decays, maximize)
        square = addcmul(mul(square_avg, rho), grad, grad, 1 - rho)
        delta = product(quotient(sqrt(shift(acc_delta, eps)), sqrt(shift(square, eps))), grad)
        acc = addcmul(mul(acc_delta, rho), delta, delta, 1 - rho)
        append(new, add(p, delta, -lr), square, acc, step + 1)
    return new


_update = Update(_adadelta)


def adadelta(
    params: list[Any],
    grads: list[Any],
    square_avgs: list[Any],
    acc_deltas: list[Any],
    state_steps: list[Any],
    capturable: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: Any,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Do one step of Adadelta on lists of tensors, in place.

    >>> w, square, delta, step = torch.ones(1), torch.zeros(1), torch.zeros(1), torch.zeros(())
    >>> import importlib
    >>> adadelta = importlib.import_module(torch.optim.Adadelta.__module__).adadelta
    >>> options = dict(lr=1.0, rho=0.5, eps=1e-2, weight_decay=0, maximize=False)
    >>> adadelta([w], [torch.ones(1)], [square], [delta], [step], **options)
    >>> w, step
    (tensor([0.8600]), tensor(1.))
    """
    check_step(params, state_steps, foreach=foreach, capturable=capturable, differentiable=differentiable, xla=False)
    _update(
        (lr, rho, eps, weight_decay),
        params,
        grads,
        (square_avgs, acc_deltas, state_steps),
        differentiable=differentiable,
        decays=nonzero(weight_decay),
        maximize=maximize,
    )


class Adadelta(Optimizer):
    """Adadelta: steps scaled by the ratio of the running sizes of past updates and past gradients.

    Every step is one compiled call, whatever ``foreach`` says. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.Adadelta([w], eps=1e-2)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.6877, 1.6848])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_nonnegative("epsilon", eps)
        check_nonnegative("weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        set_defaults(self, foreach=None, maximize=False, differentiable=False, capturable=False)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads, states = gather(self, group, _fresh, "square_avg", "acc_delta", "step")
            adadelta(params, grads, *states, **{name: group[name] for name in _OPTIONS})
        return loss


_OPTIONS = ("lr", "rho", "eps", "weight_decay", "foreach", "maximize", "differentiable", "capturable")


def _fresh(p: Any) -> dict[str, Any]:
    return {"step": step_counter(p), "square_avg": zeros_like(p), "acc_delta": zeros_like(p)}
