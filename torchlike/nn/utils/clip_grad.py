"""Limits on gradients, all of them in one compiled call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch
from torchlike._core.kernels import Kernel, run
from torchlike._core.tensor_state import TensorBase

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]

Tensor = Any

_norms: dict[float, Kernel] = {}


def _norm(x: Any, order: float) -> Any:
    """The norm of all elements of an array."""
    flat = jnp.abs(x).reshape(-1)
    if order == np.inf:
        return jnp.max(flat, initial=0)
    if order == -np.inf:
        return jnp.min(flat, initial=np.inf)
    if order == 0:
        return jnp.sum((flat != 0).astype(flat.dtype))
    if order == 2:
        return jnp.sqrt(jnp.sum(flat * flat))
    return jnp.sum(flat**order) ** (1 / order)


def _total(order: float) -> Kernel:
    found = _norms.get(order)
    if found is None:

        def function(*arrays: Any) -> Any:
            parts = [_norm(a, order) for a in arrays]
            kind = parts[0].dtype
            return _norm(jnp.stack([p.astype(kind) for p in parts]), order)

        found = _norms[order] = Kernel(function, "total_norm", "LinalgVectorNormBackward0")
    return found


def _scaled(max_norm: Any, total: Any, *grads: Any) -> tuple[Any, ...]:
    factor = jnp.minimum(jnp.asarray(max_norm).astype(total.dtype) / (total + 1e-6), 1)
    return tuple(g * factor.astype(g.dtype) for g in grads)


def _bounded(value: Any, *grads: Any) -> tuple[Any, ...]:
    return tuple(jnp.clip(g, -jnp.asarray(value).astype(g.dtype), jnp.asarray(value).astype(g.dtype)) for g in grads)


_scale = Kernel(_scaled, "clip_grads_with_norm", "MulBackward0")
_bound = Kernel(_bounded, "clip_grad_value", "ClampBackward1")


def _listed(tensors: Tensor | Iterable[Tensor]) -> Sequence[Tensor]:
    return [tensors] if isinstance(tensors, TensorBase) else list(tensors)


def _rewrite(kernel: Kernel, grads: Sequence[Tensor], *numbers: Any) -> None:
    """Replace gradients by what a kernel makes of them."""
    if not grads:
        return
    for grad, array in zip(grads, run(kernel, [*numbers, *map(dispatch.array_of, grads)]), strict=True):
        dispatch.write(grad, array)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of the norms of tensors, as if they were one vector.

    ``foreach`` is accepted. Raises RuntimeError for a norm that is not finite where that is asked for.

    >>> torch.nn.utils.get_total_norm([torch.tensor([3.]), torch.tensor([4.])])
    tensor(5.)
    """
    arrays = [dispatch.array_of(t) for t in _listed(tensors)]
    if not arrays:
        return dispatch.wrap(jnp.zeros((), jnp.float32))
    total = run(_total(float(norm_type)), arrays)
    if error_if_nonfinite and not bool(jnp.isfinite(total)):
        raise RuntimeError(
            f"The total norm of order {float(norm_type)} for gradients from `parameters` is non-finite, so it cannot be"
            " clipped. To disable this error and scale the gradients by the non-finite norm anyway, set"
            " `error_if_nonfinite=False`"
        )
    return dispatch.wrap(total)


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients of parameters in place so that a total norm computed before is at most ``max_norm``."""
    grads = [p._grad for p in _listed(parameters) if p._grad is not None]
    _rewrite(_scale, grads, float(max_norm), dispatch.array_of(total_norm))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients of parameters in place to a total norm of at most ``max_norm``; return the norm before.

    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.grad = torch.tensor([3., 4.])
    >>> torch.nn.utils.clip_grad_norm_([w], 1.)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    listed = _listed(parameters)
    total = get_total_norm([p._grad for p in listed if p._grad is not None], norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(listed, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Deprecated: use `clip_grad_norm_`."""
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Bring every element of the gradients of parameters between ``-clip_value`` and ``clip_value``, in place.

    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.grad = torch.tensor([3., -4.])
    >>> torch.nn.utils.clip_grad_value_(w, 3.5)
    >>> w.grad
    tensor([ 3.0000, -3.5000])
    """
    grads = [p._grad for p in _listed(parameters) if p._grad is not None]
    _rewrite(_bound, grads, float(clip_value))
