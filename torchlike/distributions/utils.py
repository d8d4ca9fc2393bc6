"""What distributions share: parameters brought to one shape, two ways to give probabilities, values computed late."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from typing import Any

from torchlike._core import dtype as dtypes
from torchlike._core.dispatch import classes
from torchlike._core.tensor_state import TensorBase
from torchlike.autograd.grad_mode import enable_grad
from torchlike.nn import functional as F
from torchlike.ops import _public as ops

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

Tensor = Any
euler_constant = 0.57721566490153286060


def tensor_of(value: Any, like: Any = None) -> Tensor:
    """A number as a tensor: of the dtype and device of another, or of the default dtype."""
    if like is None:
        return ops.full((), value, dtype=dtypes.get_default_dtype())
    return ops.full((), value, dtype=like.dtype, device=like.device)


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor."""
    return isinstance(value, TensorBase)


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Return the values broadcast to one shape, as tensors; numbers take the dtype of the tensors beside them.

    Raises ValueError for anything but tensors and numbers.

    >>> torch.distributions.utils.broadcast_all(torch.zeros(2), 1)
    (tensor([0., 0.]), tensor([1., 1.]))
    """
    if not all(isinstance(v, TensorBase | Number) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    tensors = [v for v in values if isinstance(v, TensorBase)]
    like = tensors[0] if tensors else None
    return tuple(ops.broadcast_tensors(*(v if isinstance(v, TensorBase) else tensor_of(v, like) for v in values)))


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    return ops.normal(ops.zeros(shape, dtype=dtype, device=device), ops.ones(shape, dtype=dtype, device=device))


def _sum_rightmost(value: Tensor, count: int) -> Tensor:
    """The sum over the last ``count`` dimensions."""
    if count == 0:
        return value
    shape = tuple(value.shape)
    return value.reshape((*shape[: len(shape) - count], -1)).sum(-1)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Return the probabilities of log-odds, or with ``is_binary=False`` of unnormalised log-probabilities.

    >>> torch.distributions.utils.logits_to_probs(torch.zeros(2))
    tensor([0.5000, 0.5000])
    """
    return ops.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Return probabilities bounded away from 0 and 1 by the dtype's epsilon.

    >>> torch.distributions.utils.clamp_probs(torch.tensor([0.0, 0.5])) > 0
    tensor([True, True])
    """
    eps = dtypes.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Return the log-odds of probabilities, or with ``is_binary=False`` their logarithms; 0 and 1 are avoided.

    >>> torch.distributions.utils.probs_to_logits(torch.tensor(0.5), is_binary=True)
    tensor(0.)
    """
    clamped = clamp_probs(probs)
    return ops.log(clamped) - ops.log1p(-clamped) if is_binary else ops.log(clamped)


class lazy_property:
    """A property that is computed when it is first asked for, with gradients, and then is an attribute.

    >>> class Circle:
    ...     radius = 2.0
    ...     area = torch.distributions.utils.lazy_property(lambda self: 3.0 * self.radius**2)
    >>> Circle().area
    12.0
    """

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return _OfClass(self.wrapped)
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, getattr(self, "name", self.wrapped.__name__), value)
        return value


class _OfClass(property):
    """What a lazy property is when it is asked of the class: documentation tools see a property."""


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """Return the lower triangle of matrices, row by row; ``diag`` as of :func:`torch.tril`.

    >>> torch.distributions.utils.tril_matrix_to_vec(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 3, 4])
    """
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    index = ops.arange(n, device=mat.device)
    return mat[..., index < index.view(-1, 1) + (diag + 1)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Return matrices with the numbers of vectors in their lower triangle, row by row.

    >>> torch.distributions.utils.vec_to_tril_matrix(torch.tensor([1.0, 3.0, 4.0]))
    tensor([[1., 0.],
            [3., 4.]])
    """
    root = ((1 + 2 * diag) ** 2 + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1)) ** 0.5
    n = (-(1 + 2 * diag) + root) / 2
    eps = dtypes.finfo(vec.dtype).eps
    if not round(n) - n <= eps:
        raise ValueError(
            f"The size of last dimension is {vec.shape[-1]} which cannot be expressed as the lower triangular part of a"
            " square D x D matrix."
        )
    n = round(n)
    mat = vec.new_zeros((*vec.shape[:-1], n, n))
    index = ops.arange(n, device=vec.device)
    mat[..., index < index.view(-1, 1) + (diag + 1)] = vec
    return mat


def tensor_class() -> Any:
    """The class of tensors."""
    return classes.tensor
