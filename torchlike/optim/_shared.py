"""What the optimizers share beside their base class: fresh states, old states made new, checks of a step's options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax.numpy as jnp

from torchlike._core import device as devices
from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.tensor_state import TensorBase
from torchlike.optim._math import add
from torchlike.optim.optimizer import Optimizer, with_grad

Array = Any

_CAPTURABLE = ["cuda", "xpu", "hpu", "privateuseone", "xla"]
_FUSED = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]


# -- options ----------------------------------------------------------------------------------------------------------


def check_lr(lr: Any, text: str = "Invalid learning rate: {}") -> None:
    """Refuse a learning rate that is negative or a tensor of several elements."""
    if isinstance(lr, TensorBase):
        tensor: Any = lr
        if tensor.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(text.format(lr))


def check_fused(fused: Any, differentiable: bool, foreach: Any) -> None:
    """Refuse what ``fused`` cannot be combined with."""
    if not fused:
        return
    if differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def check_fused_params(params: Iterable[Any]) -> None:
    """Refuse parameters that PyTorch has no fused kernel for."""
    for p in params:
        if not (p.device.type in _FUSED and p.is_floating_point()):
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of "
                f"supported devices: {_FUSED} but {p.dtype} and {p.device.type}"
            )


def check_step(
    params: Sequence[Any],
    steps: Sequence[Any],
    *,
    foreach: bool | None,
    capturable: bool,
    differentiable: bool,
    subject: str = "params and state_steps",
    xla: bool | None = None,
) -> None:
    """Refuse options of a step as PyTorch does; ``xla`` says whether capturable steps run there."""
    check_counters(steps)
    if foreach and differentiable and params:
        raise AssertionError("_foreach ops don't support autograd")
    if capturable and params:
        supported = _CAPTURABLE if (not foreach if xla is None else xla) else _CAPTURABLE[:-1]
        for p, step in zip(params, steps, strict=True):
            if p.device.type != step.device.type or p.device.type not in supported:
                raise AssertionError(f"If capturable=True, {subject} must be on supported devices: {supported}.")


def check_counters(steps: Sequence[Any], text: str = "API has changed, `state_steps`") -> None:
    """Refuse counters of steps that are numbers."""
    if not all([isinstance(step, TensorBase) for step in steps]):
        raise RuntimeError(f"{text} argument must contain a list of singleton tensors")


def nonzero(value: Any) -> bool:
    """Whether an option is switched on; a tensor or a traced value always is."""
    return type(value) not in (int, float) or value != 0


# -- states -----------------------------------------------------------------------------------------------------------


def gather(
    optimizer: Optimizer, group: dict[str, Any], fresh: Callable[[Any], dict[str, Any]], *names: str
) -> tuple[list[Any], list[Any], Any]:
    """The parameters of a group that have gradients, the gradients, and the named entries of their states."""
    params, grads = with_grad(group)
    states = []
    for p in params:
        state = optimizer.state[p]
        if not state:
            state.update(fresh(p))
        states.append(state)
    return params, grads, [[state[name] for state in states] for name in names]


def number_tensor(value: Any, like: Any) -> Any:
    """A 0-dim state tensor of the default precision, on a parameter's device."""
    kind = dtypes.float64 if dtypes.get_default_dtype() is dtypes.float64 else dtypes.float32
    place = dispatch.device_of(like)
    tensor = dispatch.wrap(jnp.asarray(value, kind.np))
    return tensor if place is devices.CPU else dispatch.move(tensor, place)


def set_defaults(optimizer: Optimizer, counters: tuple[str, ...] = ("step",), **defaults: Any) -> None:
    """Complete the groups and states of an optimizer that an older version saved."""
    for group in optimizer.param_groups:
        for name, value in defaults.items():
            group.setdefault(name, value)
        for p in group["params"]:
            state = optimizer.state.get(p, {})
            for name in counters if state else ():
                if not isinstance(state[name], TensorBase):
                    state[name] = number_tensor(float(state[name]), p)


# -- inside the compiled step -----------------------------------------------------------------------------------------


def numbers(hyper: Sequence[Any], count: int) -> list[Array]:
    """The hyperparameters in double precision, as Python's numbers are."""
    return [jnp.asarray(hyper[i]).astype(jnp.float64) for i in range(count)]


def decayed(grad: Array, p: Array, weight_decay: Any, decays: bool, maximize: bool) -> Array:
    """The gradient of what is minimized, with the weight decay added."""
    if maximize:
        grad = -grad
    return add(grad, p, weight_decay) if decays else grad


def append(columns: tuple[list[Array], ...], *values: Array) -> None:
    """Append one value to each column."""
    for column, value in zip(columns, values, strict=True):
        column.append(value)
