"""What several families of functions need: checks of arguments, reductions of losses and their legacy spelling."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch, tape
from torchlike._core.errors import check
from torchlike._core.lifted import is_unknown
from torchlike._core.tensor_state import TensorBase, modes
from torchlike._core.warn import warn

Array = Any


def expect_tensor(function: str, name: str, position: int, value: Any) -> None:
    """Refuse an argument that is no tensor in PyTorch's words."""
    if not isinstance(value, TensorBase):
        kind = "str" if isinstance(value, str) else type(value).__name__
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be Tensor, not {kind}")


def ndim(tensor: Any) -> int:
    """The number of dimensions of a tensor, without asking for its shape as a Size."""
    geometry = tensor._geometry
    return len(geometry.size) if geometry is not None else tensor._storage.array.ndim


def reduction_name(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """Return the reduction a call means, the deprecated ``size_average`` and ``reduce`` included."""
    if size_average is not None or reduce is not None:
        averaged = size_average is None or size_average
        reduced = reduce is None or reduce
        reduction = "none" if not reduced else "mean" if averaged else "sum"
        warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.")
    known_reduction(reduction)
    return reduction


def known_reduction(reduction: str) -> None:
    """Refuse the name of a reduction that there is not."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced_tensor(values: Any, reduction: str) -> Any:
    """Reduce a tensor of the losses of all elements."""
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()


def reduced(values: Array, reduction: str) -> Array:
    """Reduce the losses of all elements; halves are summed in float32 and rounded once."""
    if reduction == "none":
        return values
    wide = values.astype(jnp.float32) if values.dtype in (jnp.float16, jnp.bfloat16) else values
    total = jnp.sum(wide) if reduction == "sum" else jnp.mean(wide)
    return total.astype(values.dtype)


def not_differentiable(function: str, **arguments: Any) -> None:
    """Refuse gradients with respect to arguments for which PyTorch has none."""
    if not modes.grad:
        return
    for name, value in arguments.items():
        check(
            not (isinstance(value, TensorBase) and tape.requires_grad(value)),
            f"The function '{function}' is not differentiable with respect to argument '{name}'. This input cannot have"
            " requires_grad True.",
        )


def no_complex_gradient(function: str, *tensors: Any) -> None:
    """Refuse the gradients of complex tensors for functions that have none."""
    if modes.grad and any(tape.requires_grad(t) and t.is_complex() for t in tensors):
        raise RuntimeError(f"{function} does not support automatic differentiation for outputs with complex dtype.")


def seen_on_host(tensor: Any) -> np.ndarray[Any, Any] | None:
    """The values of a tensor for a check of them; None where that would mean to wait for a device, or to trace."""
    values = dispatch.array_of(tensor)
    if is_unknown(values) or values.device.platform != "cpu":
        return None
    return np.asarray(values)
