"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torchlike._core.tensor_state import TensorBase
from torchlike.optim._math import add, mul
from torchlike.optim._shared import check_fused_params
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, with_grad, zeros_like

__all__ = ["SGD", "sgd"]


def _sgd(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    bufs: Arrays | None = None,
    *,
    decays: bool,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> tuple[Arrays, ...]:
    """One step; ``first`` makes the gradient itself the momentum's beginning."""
    lr, momentum, dampening, weight_decay = hyper[0], hyper[1], hyper[2], hyper[3]
    new_params, new_bufs = [], []
    for i, (p, grad) in enumerate(zip(params, grads, strict=True)):
        if maximize:
            grad = -grad
        if decays:
            grad = add(grad, p, weight_decay)
        if bufs is not None:
            buf = grad if first else add(mul(bufs[i], momentum), grad, 1 - dampening)
            new_bufs.append(buf)
            grad = add(grad, buf, momentum) if nesterov else buf
        new_params.append(add(p, grad, -lr))
    return (new_params,) if bufs is None else (new_params, new_bufs)


_update = Update(_sgd, one=True)


def sgd(
    params: list[Any],
    d_p_list: list[Any],
    momentum_buffer_list: list[Any],
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    fused: bool | None = None,
    grad_scale: Any = None,
    found_inf: Any = None,
    *,
    weight_decay: Any,
    momentum: float,
    lr: Any,
    dampening: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """Do one step of SGD on lists of tensors, in place; momentum buffers that are None in the list are made.

    >>> import importlib
    >>> sgd = importlib.import_module(torch.optim.SGD.__module__).sgd
    >>> w, buffers = torch.ones(1), [None]
    >>> options = dict(weight_decay=0, momentum=0.5, lr=0.5, dampening=0, nesterov=False, maximize=False)
    >>> sgd([w], [torch.ones(1)], buffers, **options)
    >>> w, buffers
    (tensor([0.5000]), [tensor([1.])])
    """
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Expected grad_scale and found_inf to be None")
    hyper = (lr, momentum, dampening, weight_decay)
    options: dict[str, Any] = {"decays": not _is_zero(weight_decay), "nesterov": nesterov, "maximize": maximize}
    if _is_zero(momentum):
        _update(hyper, params, d_p_list, first=False, **options)
        return
    old = [i for i, buf in enumerate(momentum_buffer_list) if buf is not None]
    new = [i for i, buf in enumerate(momentum_buffer_list) if buf is None]
    for i in new:
        momentum_buffer_list[i] = zeros_like(params[i])
    for first, picked in ((False, old), (True, new)):
        buffers = [momentum_buffer_list[i] for i in picked]
        _update(hyper, [params[i] for i in picked], [d_p_list[i] for i in picked], (buffers,), first=first, **options)


class SGD(Optimizer):
    """Stochastic gradient descent: ``p -= lr * grad``, with momentum, Nesterov momentum and weight decay.

    The weight decay is added to the gradient. ``foreach`` and ``fused`` are accepted; every step is one compiled call
    here. Raises ValueError for negative options.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.8000, 1.6000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if isinstance(lr, TensorBase) and lr.numel() != 1:  # type: ignore[attr-defined]
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, defaults)
        if fused:
            if differentiable:
                raise RuntimeError("`fused` does not support `differentiable`")
            if foreach:
                raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("nesterov", False)
            group.setdefault("maximize", False)
            group.setdefault("foreach", None)
            group.setdefault("differentiable", False)
            group.setdefault("fused", False)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            params, grads = with_grad(group)
            if not params:
                continue
            if group["fused"]:
                check_fused_params(params)
            weight_decay = group["weight_decay"]
            hyper = (group["lr"], group["momentum"], group["dampening"], weight_decay)
            options = {
                "decays": not _is_zero(weight_decay),
                "nesterov": group["nesterov"],
                "maximize": group["maximize"],
                "differentiable": group["differentiable"],
            }
            if _is_zero(group["momentum"]):
                _update(hyper, params, grads, first=False, **options)
                continue
            states = [self.state[p] for p in params]
            bufs = [s.get("momentum_buffer") for s in states]
            if None not in map(_none_or_id, bufs):
                _update(hyper, params, grads, (bufs,), first=False, **options)
                continue
            for fresh in (True, False):
                picked = [i for i, buf in enumerate(bufs) if (buf is None) is fresh]
                if fresh:
                    for i in picked:
                        bufs[i] = states[i]["momentum_buffer"] = zeros_like(params[i])
                _update(
                    hyper,
                    [params[i] for i in picked],
                    [grads[i] for i in picked],
                    ([bufs[i] for i in picked],),
                    first=fresh,
                    **options,
                )
                if fresh and len(picked) == len(bufs):
                    break
        return loss


def _is_zero(value: Any) -> bool:
    """Whether an option is switched off; a traced or tensor value never is."""
    return type(value) in (int, float) and value == 0


def _none_or_id(x: Any) -> int | None:
    return None if x is None else id(x)
