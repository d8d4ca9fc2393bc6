"""SparseAdam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torchlike.optim._shared import check_lr
from torchlike.optim.adam import check_betas
from torchlike.optim.optimizer import Optimizer, with_grad

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam for sparse gradients. There are none here, so that a step with any gradient is refused with PyTorch's error.

    Raises ValueError for options out of range, RuntimeError for dense gradients.

    >>> w = torch.nn.Parameter(torch.ones(2))
    >>> opt = torch.optim.SparseAdam([w])
    >>> opt.param_groups[0]["lr"]
    0.001
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_lr(lr)
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        wrong = [
            [i, j] for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"]) if p.is_complex()
        ]
        if wrong:
            raise ValueError(f"Complex params at indices {wrong}: SparseAdam does not support complex parameters")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Compute the loss by ``closure`` and return it; raises RuntimeError when there is a gradient to go by."""
        loss = None if closure is None else self._run_closure(closure)
        for group in self.param_groups:
            if with_grad(group)[0]:
                raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        return loss
