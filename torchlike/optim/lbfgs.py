"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torchlike import ops
from torchlike._core.tensor_state import TensorBase
from torchlike.autograd import enable_grad, no_grad
from torchlike.optim._line_search import Point, strong_wolfe
from torchlike.optim._shared import check_lr
from torchlike.optim.optimizer import Optimizer

__all__ = ["LBFGS"]

_KEPT = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


class LBFGS(Optimizer):
    """L-BFGS: quasi-Newton steps from the last ``history_size`` changes of the gradient.

    A step needs a closure that clears the gradients, computes the loss, calls ``backward`` and returns the loss; it
    may call it many times. ``line_search_fn`` is None (fixed steps of ``lr``) or "strong_wolfe". There can be only one
    parameter group. Raises ValueError for options out of range or for several groups.

    >>> w = torch.nn.Parameter(torch.tensor([1., 2.]))
    >>> opt = torch.optim.LBFGS([w], lr=0.5)
    >>> def closure():
    ...     opt.zero_grad()
    ...     loss = (w - 3).square().sum()
    ...     loss.backward()
    ...     return loss
    >>> opt.step(closure)
    tensor(5., grad_fn=<SumBackward0>)
    >>> w.data
    tensor([3.0000, 3.0000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    # -- the parameters as one vector ---------------------------------------------------------------------------------

    def _flat_grad(self) -> Any:
        pieces = []
        for p in self._params:
            grad = ops.zeros(p.numel(), dtype=p.dtype, device=p.device) if p._grad is None else p._grad.reshape(-1)
            pieces.append(ops.view_as_real(grad).reshape(-1) if grad.is_complex() else grad)
        return ops.cat(pieces, 0)

    def _move(self, t: Any, direction: Any) -> None:
        start = 0
        for p in self._params:
            real = ops.view_as_real(p) if p.is_complex() else p
            part = direction[start : start + real.numel()]
            real.add_(part.view_as(real), alpha=t)
            start += real.numel()

    # -- a step -------------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Do up to ``max_iter`` iterations; return the loss that ``closure`` found first."""
        with no_grad():
            return self._step(enable_grad()(closure))

    def _step(self, closure: Callable[[], Any]) -> Any:
        if len(self.param_groups) != 1:
            raise AssertionError(f"Expected exactly one param_group, but got {len(self.param_groups)}")
        group = self.param_groups[0]
        rate: Any = group["lr"]
        lr = rate.reshape(()) if isinstance(rate, TensorBase) else rate  # type: ignore[attr-defined]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first = closure()
        loss = float(first)
        evaluations = 1
        state["func_evals"] += 1
        grad = self._flat_grad()
        if grad.abs().max() <= tolerance_grad:
            return first

        work: dict[str, Any] = {name: state.get(name) for name in _KEPT}
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            self._direction(state, work, grad, group["history_size"])
            d = work["d"]
            if work["prev_flat_grad"] is None:
                work["prev_flat_grad"] = grad.clone()
            else:
                work["prev_flat_grad"].copy_(grad)
            work["prev_loss"] = loss

            work["t"] = min(1.0, 1.0 / grad.abs().sum()) * lr if state["n_iter"] == 1 else lr
            slope = grad.dot(d)
            if slope > -tolerance_change:
                break

            used = 0
            done = False
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                start = Point(0, loss, grad, slope)
                most = group["max_eval"] - evaluations
                objective = self._along(closure, d)
                found, used = strong_wolfe(objective, start, work["t"], d.abs().max(), 1e-9, most)
                loss, grad, work["t"] = found.loss, found.grad, found.t
                self._move(work["t"], d)
                done = bool(grad.abs().max() <= tolerance_grad)
            else:
                self._move(work["t"], d)
                if iteration != group["max_iter"]:
                    loss = float(closure())
                    grad = self._flat_grad()
                    done = bool(grad.abs().max() <= tolerance_grad)
                    used = 1
            evaluations += used
            state["func_evals"] += used

            if iteration == group["max_iter"] or evaluations >= group["max_eval"] or done:
                break
            if d.mul(work["t"]).abs().max() <= tolerance_change or abs(loss - work["prev_loss"]) < tolerance_change:
                break
        state.update(work)
        return first

    def _along(self, closure: Callable[[], Any], d: Any) -> Callable[[Any], Point]:
        """The objective as a function of the step length; the parameters are put back afterwards."""
        origin = [p.clone() for p in self._params]

        def evaluate(t: Any) -> Point:
            self._move(t, d)
            loss = float(closure())
            grad = self._flat_grad()
            for p, value in zip(self._params, origin, strict=True):
                p.copy_(value)
            return Point(t, loss, grad, grad.dot(d))

        return evaluate

    def _direction(self, state: dict[str, Any], work: dict[str, Any], grad: Any, history: int) -> None:
        """Set ``work["d"]``, the direction of descent, from the gradient and the changes remembered."""
        if state["n_iter"] == 1:
            work.update(d=grad.neg(), old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return
        changes, steps, ro = work["old_dirs"], work["old_stps"], work["ro"]
        change, step = grad.sub(work["prev_flat_grad"]), work["d"].mul(work["t"])
        product = change.dot(step)
        if product > 1e-10:
            if len(changes) == history:
                for remembered in (changes, steps, ro):
                    remembered.pop(0)
            changes.append(change)
            steps.append(step)
            ro.append(1.0 / product)
            work["H_diag"] = product / change.dot(change)
        al = state.setdefault("al", [None] * history)
        q = grad.neg()
        for i in range(len(changes) - 1, -1, -1):
            al[i] = steps[i].dot(q) * ro[i]
            q.add_(changes[i], alpha=-al[i])
        d = q.mul(work["H_diag"])
        for i in range(len(changes)):
            d.add_(steps[i], alpha=al[i] - changes[i].dot(d) * ro[i])
        work["d"] = d
