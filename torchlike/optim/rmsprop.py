"""RMSprop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torchlike.optim._math import add, addcdiv, addcmul, lerp, mul, shift, sqrt
from torchlike.optim._shared import check_lr, check_step, decayed, gather, nonzero, numbers, set_defaults
from torchlike.optim._update import Arrays, Update
from torchlike.optim.optimizer import Optimizer, check_nonnegative, step_counter, zeros_like

__all__ = ["RMSprop", "rmsprop"]


def _rmsprop(
    hyper: Any,
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    steps: Arrays,
    *others: Arrays,
    decays: bool,
    maximize: bool,
    centered: bool,
    has_momentum: bool,
) -> tuple[Arrays, ...]:
    """One step; ``others`` are the averages of the gradient and the momentum buffers, where there are any."""
    lr, alpha, eps, weight_decay, momentum = numbers(hyper, 5)
    rest = list(others)
    grad_avgs = rest.pop(0) if centered else []
    buffers = rest.pop(0) if has_momentum else []
    new_params, new_squares, new_steps, new_grads, new_buffers = [], [], [], [], []
    for i, param in enumerate(params):
        grad = decayed(grads[i], param, weight_decay, decays, maximize)
        square = addcmul(mul(square_avgs[i], alpha), grad, grad, 1 - alpha)
        variance = square
        if centered:
            mean = lerp(grad_avgs[i], grad, 1 - alpha)
            new_grads.append(mean)
            variance = addcmul(square, mean, mean, -1)
        root = shift(sqrt(variance), eps)
        if has_momentum:
            buffer = addcdiv(mul(buffers[i], momentum), grad, root, 1)
            new_buffers.append(buffer)
            new_params.append(add(param, buffer, -lr))
        else:
            new_params.append(addcdiv(param, grad, root, -lr))
        new_squares.append(square)
        new_steps.append(steps[i] + 1)
    return (
        new_params,
        new_squares,
        new_steps,
        *([new_grads] if centered else []),
        *([new_buffers] if has_momentum else []),
    )


_update = Update(_rmsprop)


def rmsprop(
    params: list[Any],
    grads: list[Any],
    square_avgs: list[Any],
    grad_avgs: list[Any],
    momentum_buffer_list: list[Any],
    state_steps: list[Any],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lr: Any,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
) -> None:
    """Do one step of RMSprop on lists of tensors, in place.

    >>> w, square, step = torch.ones(1), torch.ones(1), torch.zeros(())
    >>> import importlib
    >>> rmsprop = importlib.import_module(torch.optim.RMSprop.__module__).rmsprop
    >>> options = dict(lr=0.5, alpha=0.5, eps=0, weight_decay=0, momentum=0, centered=False)
    >>> rmsprop([w], [torch.ones(1)], [square], [], [], [step], **options)
    >>> w, square
    (tensor([0.5000]), tensor([1.]))
    """
    check_step(params, state_steps, foreach=foreach, capturable=capturable, differentiable=differentiable)
    has_momentum = momentum > 0
    others = [*([grad_avgs] if centered else []), *([momentum_buffer_list] if has_momentum else [])]
    _update(
        (lr, alpha, eps, weight_decay, momentum),
        params,
        grads,
        (square_avgs, state_steps, *others),
        differentiable=differentiable,
        decays=nonzero(weight_decay),
        maximize=maximize,
        centered=centered,
        has_momentum=has_momentum,
    )


class RMSprop(Optimizer):
    """RMSprop: steps divided by the root of a running average of the squared gradient.

    With ``centered`` the average's own square is taken off first. Every step is one compiled call, whatever ``foreach``
    says. Raises ValueError for options out of range.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.RMSprop([w], lr=0.05)
    >>> w.square().sum().backward()
    >>> opt.step()
    >>> w.data
    tensor([0.5000, 1.5000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_nonnegative("epsilon", eps)
        check_nonnegative("momentum", momentum)
        check_nonnegative("weight_decay", weight_decay)
        check_nonnegative("alpha", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        set_defaults(
            self,
            momentum=0,
            centered=False,
            foreach=None,
            maximize=False,
            differentiable=False,
            capturable=False,
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters by their gradients; ``closure`` computes the loss anew, and its result is returned."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            centered, has_momentum = group["centered"], group["momentum"] > 0

            def fresh(p: Any, centered: bool = centered, has_momentum: bool = has_momentum) -> dict[str, Any]:
                state = {"step": step_counter(p), "square_avg": zeros_like(p)}
                if has_momentum:
                    state["momentum_buffer"] = zeros_like(p)
                if centered:
                    state["grad_avg"] = zeros_like(p)
                return state

            names = ["square_avg", "step"]
            optional = [*(["grad_avg"] if centered else []), *(["momentum_buffer"] if has_momentum else [])]
            params, grads, states = gather(self, group, fresh, *names, *optional)
            found = dict(zip([*names, *optional], states, strict=True))
            rmsprop(
                params,
                grads,
                found["square_avg"],
                found.get("grad_avg", []),
                found.get("momentum_buffer", []),
                found["step"],
                **{name: group[name] for name in _OPTIONS},
            )
        return loss


_OPTIONS = (
    "lr",
    "alpha",
    "eps",
    "weight_decay",
    "momentum",
    "centered",
    "foreach",
    "maximize",
    "differentiable",
    "capturable",
)
