"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torchlike import ops
from torchlike._core.tensor_state import TensorBase
from torchlike.nn.modules._naming import typename

__all__ = ["parameters_to_vector", "vector_to_parameters"]

Tensor = Any


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all elements of parameters in one vector.

    >>> torch.nn.utils.parameters_to_vector([torch.ones(1), torch.zeros(2)])
    tensor([1., 0., 0.])
    """
    return ops.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make slices of a vector the data of parameters. Raises TypeError for what is no tensor.

    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> torch.nn.utils.vector_to_parameters(torch.tensor([1., 2.]), [w])
    >>> w.data
    tensor([1., 2.])
    """
    if not isinstance(vec, TensorBase):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    vector: Tensor = vec
    start = 0
    for p in parameters:
        stop = start + p.numel()
        p.data = vector[start:stop].view_as(p).data
        start = stop
