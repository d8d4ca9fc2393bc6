"""Adafactor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from torchlike import ops
from torchlike.optim._math import add, lerp, mul, product, wide
from torchlike.optim._shared import check_counters, check_lr, nonzero, numbers, set_defaults
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, step_counter, with_grad, zeros_like

__all__ = ["Adafactor", "adafactor"]


def _adafactor(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    row_vars: Arrays,
    col_vars: Arrays,
    variances: Arrays,
    steps: Arrays,
    *,
    eps1: float | None,
    decays: bool,
    maximize: bool,
) -> tuple[Arrays, ...]:
    """One step; matrices take the next row and column factors, vectors the next variance."""
    lr, beta2_decay, eps2, d, weight_decay = numbers(hyper, 5)
    tiny = float(jnp.finfo(params[0].dtype).eps) if eps1 is None else eps1
    rows, cols, wholes = iter(row_vars), iter(col_vars), iter(variances)
    new: tuple[Arrays, ...] = ([], [], [], [], [])
    for param, g, count in zip(params, grads, steps, strict=True):
        grad = -g if maximize else g
        step = count + 1
        number = step.astype(jnp.float64)
        share = number**beta2_decay
        rho = jnp.minimum(lr, 1 / jnp.sqrt(number))
        alpha = jnp.maximum(eps2, _norm(param).astype(jnp.float64) / param.size**0.5) * rho
        p = mul(param, 1 - lr * weight_decay) if decays else param
        if grad.ndim > 1:
            row = lerp(next(rows), _mean_square(grad, -1), share)
            col = lerp(next(cols), _mean_square(grad, -2), share)
            new[1].append(row)
            new[2].append(col)
            total = jnp.maximum(_round(jnp.mean(wide(row), -2, keepdims=True), row), jnp.asarray(tiny, row.dtype))
            estimate = _round(wide(_round(wide(row) * wide(col), row)) / wide(total), row)
        else:
            estimate = lerp(next(wholes), product(grad, grad), share)
            new[3].append(estimate)
        root = _round(jax.lax.rsqrt(wide(jnp.maximum(estimate, jnp.asarray(tiny * tiny, estimate.dtype)))), estimate)
        update = product(root, grad)
        size = _norm(update).astype(jnp.float64) / (update.size**0.5 * d)
        new[0].append(add(p, update, -alpha / jnp.maximum(1.0, size)))
        new[4].append(step)
    return new


def _round(a: Any, like: Any) -> Any:
    return a.astype(like.dtype)


def _norm(a: Any) -> Any:
    return _round(jnp.sqrt(jnp.sum(jnp.square(wide(a)))), a)


def _mean_square(a: Any, dim: int) -> Any:
    """The mean of the squares along a dimension, by way of the norm as PyTorch has it."""
    norm = _round(jnp.sqrt(jnp.sum(jnp.square(wide(a)), dim, keepdims=True)), a)
    return _round(wide(product(norm, norm)) / a.shape[dim], a)


_update = Update(_adafactor)


def adafactor(
    params: list[Any],
    grads: list[Any],
    row_vars: list[Any],
    col_vars: list[Any],
    variances: list[Any],
    state_steps: list[Any],
    foreach: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    has_complex: bool = False,
    *,
    d: float,
    lr: Any,
    beta2_decay: float,
    weight_decay: float,
    eps1: float | None,
    eps2: float,
    maximize: bool,
) -> None:
    """Do one step of Adafactor on lists of tensors, in place; the factors that a parameter does not have are None.

    >>> w, variance, step = torch.ones(1), torch.zeros(1), torch.zeros(())
    >>> import importlib
    >>> adafactor = importlib.import_module(torch.optim.Adafactor.__module__).adafactor
    >>> options = dict(d=1.0, lr=0.5, beta2_decay=-1.0, weight_decay=0, eps1=None, eps2=1e-3, maximize=False)
    >>> adafactor([w], [torch.ones(1)], [None], [None], [variance], [step], **options)
    >>> w, variance
    (tensor([0.5000]), tensor([1.]))
    """
    check_counters(state_steps, "`state_steps`")
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Grad scaling should occur outside of optimizer.step()")
    _update(
        (lr, beta2_decay, eps2, d, weight_decay),
        params,
        grads,
        (*([x for x in column if x is not None] for column in (row_vars, col_vars, variances)), state_steps),
        eps1=eps1,
        decays=nonzero(weight_decay),
        maximize=maximize,
    )


class Adafactor(Optimizer):
    """Adafactor: the squares of a matrix' gradient are kept as a row and a column instead of as a matrix.

    ``eps`` is a pair: what the squares are held above (None for the dtype's precision), and what the size of a
    parameter is held above; the step is relative to that size. ``d`` clips the update. Every step is one compiled call.
    Raises ValueError for options out of range, RuntimeError for complex parameters.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.Adafactor([w], lr=0.1)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.8419, 1.8419])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        set_defaults(self, foreach=None)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads = with_grad(group)
            states = []
            for p, grad in zip(params, grads, strict=True):
                if p.is_complex():
                    raise RuntimeError("Adafactor does not support complex parameters")
                state = self.state[p]
                if not state:
                    state.update(_fresh(p, grad))
                states.append(state)
            eps1, eps2 = group["eps"]
            columns: Any
            options: dict[str, Any]
            names = ("row_var", "col_var", "variance", "step")
            columns = [[state.get(name) for state in states] for name in names]
            options = {name: group[name] for name in ("d", "lr", "beta2_decay", "weight_decay", "foreach", "maximize")}
            options.update({name: getattr(self, name, None) for name in ("grad_scale", "found_inf")})
            adafactor(params, grads, *columns, eps1=eps1, eps2=eps2, **options)
        return loss


def _fresh(p: Any, grad: Any) -> dict[str, Any]:
    shape = list(grad.shape)
    if len(shape) < 2:
        return {"step": step_counter(p), "variance": zeros_like(grad)}
    options = {"dtype": grad.dtype, "device": grad.device}
    return {
        "step": step_counter(p),
        "row_var": ops.zeros([*shape[:-1], 1], **options),
        "col_var": ops.zeros([*shape[:-2], 1, shape[-1]], **options),
    }
