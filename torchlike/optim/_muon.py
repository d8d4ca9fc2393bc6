"""Muon."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp

from torchlike.optim._math import add, lerp, mul
from torchlike.optim._shared import append, check_lr, numbers
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, with_grad, zeros_like

__all__ = ["Muon"]


def _muon(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    buffers: Arrays,
    *,
    nesterov: bool,
    ns_steps: int,
    adjust: str | None,
) -> tuple[Arrays, ...]:
    lr, momentum, weight_decay, eps, a, b, c = numbers(hyper, 7)
    new: tuple[Arrays, ...] = ([], [])
    for param, grad, old in zip(params, grads, buffers, strict=True):
        buffer = lerp(old, grad, 1 - momentum)
        update = lerp(grad, buffer, momentum) if nesterov else buffer
        update = _orthogonalized(update, (a, b, c), ns_steps, eps)
        p = mul(param, 1 - lr * weight_decay)
        append(new, add(p, update.astype(p.dtype), -lr * _ratio(adjust, param.shape)), buffer)
    return new


def _orthogonalized(matrix: Any, coefficients: tuple[Any, ...], steps: int, eps: Any) -> Any:
    """Newton-Schulz steps towards the nearest orthogonal matrix, in bfloat16 with every product rounded once."""
    a, b, c = (x.astype(jnp.float32) for x in coefficients)
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.astype(jnp.bfloat16)
    x = x.T if tall else x
    norm = jnp.sqrt(jnp.sum(jnp.square(x.astype(jnp.float32)))).astype(jnp.bfloat16)
    floor = jnp.maximum(norm, eps.astype(jnp.bfloat16))
    x = (x.astype(jnp.float32) / floor.astype(jnp.float32)).astype(jnp.bfloat16)
    for _ in range(steps):
        wide = x.astype(jnp.float32)
        gram = (wide @ wide.T).astype(jnp.bfloat16).astype(jnp.float32)
        factor = (b * gram + c * (gram @ gram)).astype(jnp.bfloat16).astype(jnp.float32)
        x = (a * wide + factor @ wide).astype(jnp.bfloat16)
    return x.T if tall else x


def _ratio(adjust: str | None, shape: tuple[int, ...]) -> float:
    """How much larger than the learning rate the step of a matrix is."""
    rows, cols = shape
    if adjust == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, cols))
    return math.sqrt(max(1, rows / cols))


_update = Update(_muon)


class Muon(Optimizer):
    """Muon: momentum whose matrices are made orthogonal by ``ns_steps`` Newton-Schulz steps, with weight decay.

    For matrices only. ``adjust_lr_fn`` says how the step grows with the shape: "original" or "match_rms_adamw". Every
    step is one compiled call. Raises ValueError for options out of range and for parameters that are no matrices.

    >>> w = torch.nn.Parameter(torch.tensor([[1., 2.], [3., 5.]]))
    >>> opt = torch.optim.Muon([w], lr=0.1, weight_decay=0.5)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.shape, sorted(opt.state[w])
    (torch.Size([2, 2]), ['momentum_buffer'])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                    )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads = with_grad(group)
            buffers = []
            for p, grad in zip(params, grads, strict=True):
                if p.is_complex():
                    raise RuntimeError("Muon does not support complex parameters")
                if grad.ndim != 2:
                    raise ValueError("Param gradient must be a 2D matrix")
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = zeros_like(grad)
                buffers.append(state["momentum_buffer"])
            if params and group["ns_steps"] >= 100:
                raise ValueError("Number of steps must be less than 100 for computational efficiency")
            if params and len(group["ns_coefficients"]) != 3:
                raise ValueError("Coefficients must be a tuple of exactly 3 values")
            _update(
                (group["lr"], group["momentum"], group["weight_decay"], group["eps"], *group["ns_coefficients"]),
                params,
                grads,
                (buffers,),
                nesterov=group["nesterov"],
                ns_steps=group["ns_steps"],
                adjust=group["adjust_lr_fn"],
            )
        return loss
