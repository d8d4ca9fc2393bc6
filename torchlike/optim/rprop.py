"""Resilient backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike import ops
from torchlike._core.tensor_state import TensorBase
from torchlike.optim._math import addcmul, product, scalar
from torchlike.optim._shared import append, check_lr, check_step, gather, numbers, set_defaults
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, step_counter, zeros_like

__all__ = ["Rprop", "rprop"]


def _rprop(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    prevs: Arrays,
    step_sizes: Arrays,
    steps: Arrays,
    *,
    maximize: bool,
) -> tuple[Arrays, ...]:
    smallest, largest, etaminus, etaplus = numbers(hyper, 4)
    new: tuple[Arrays, ...] = ([], [], [], [])
    for p, g, prev, step_size, step in zip(params, grads, prevs, step_sizes, steps, strict=True):
        grad = -g if maximize else g
        agreement = product(grad, prev)
        one = jnp.ones((), p.dtype)
        minus, plus = scalar(etaminus, p).astype(p.dtype), scalar(etaplus, p).astype(p.dtype)
        even = jnp.where(agreement == 0, one, agreement)  # nan stays nan
        factor = jnp.where(agreement > 0, plus, jnp.where(agreement < 0, minus, even))
        low, high = scalar(smallest, p).astype(p.dtype), scalar(largest, p).astype(p.dtype)
        size = jnp.clip(product(step_size, factor), low, high)
        used = jnp.where(agreement < 0, jnp.zeros((), p.dtype), grad)
        append(new, addcmul(p, jnp.sign(used), size, -1), used, size, step + 1)
    return new


_update = Update(_rprop)


def rprop(
    params: list[Any],
    grads: list[Any],
    prevs: list[Any],
    step_sizes: list[Any],
    state_steps: list[Any],
    foreach: bool | None = None,
    capturable: bool = False,
    maximize: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    step_size_min: float,
    step_size_max: float,
    etaminus: float,
    etaplus: float,
) -> None:
    """Do one step of resilient backpropagation on lists of tensors, in place.

    >>> w, previous, size, step = torch.ones(1), torch.ones(1), torch.full((1,), 0.25), torch.zeros(())
    >>> import importlib
    >>> rprop = importlib.import_module(torch.optim.Rprop.__module__).rprop
    >>> options = dict(step_size_min=0, step_size_max=1, etaminus=0.5, etaplus=2)
    >>> rprop([w], [torch.ones(1)], [previous], [size], [step], **options)
    >>> w, size
    (tensor([0.5000]), tensor([0.5000]))
    """
    check_step(params, state_steps, foreach=foreach, capturable=capturable, differentiable=differentiable, xla=True)
    _update(
        (step_size_min, step_size_max, etaminus, etaplus),
        params,
        grads,
        (prevs, step_sizes, state_steps),
        differentiable=differentiable,
        maximize=maximize,
    )


class Rprop(Optimizer):
    """Resilient backpropagation: every element has a step size of its own and goes by the gradient's sign.

    The size grows by ``etas[1]`` while the sign stays, and shrinks by ``etas[0]`` when it turns. Every step is one
    compiled call, whatever ``foreach`` says. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.Rprop([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.9000, 1.9000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
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
            lr: Any = group["lr"]

            def fresh(p: Any, lr: Any = lr) -> dict[str, Any]:
                size = lr.item() if isinstance(lr, TensorBase) else lr  # type: ignore[attr-defined]
                # Both parts of a complex number move by themselves.
                size = complex(size, size) if p.is_complex() else size
                return {"step": step_counter(p), "prev": zeros_like(p), "step_size": ops.full_like(p._grad, size)}

            params, grads, states = gather(self, group, fresh, "prev", "step_size", "step")
            etaminus, etaplus = group["etas"]
            smallest, largest = group["step_sizes"]
            rprop(
                params,
                grads,
                *states,
                step_size_min=smallest,
                step_size_max=largest,
                etaminus=etaminus,
                etaplus=etaplus,
                **{name: group[name] for name in ("foreach", "maximize", "differentiable", "capturable")},
            )
        return loss
