"""Results computed elsewhere: laid out as their input is, or given a place in its graph."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch, layout
from torchlike._core.kernels import NoDerivative
from torchlike._core.op import Array, defvjp, op


def is_plain(tensor: Any) -> bool:
    """Whether a tensor is row-major for certain, without looking at its strides."""
    return tensor._geometry is None and tensor._storage.stride is None


def lay_like(result: Any, tensor: Any) -> Any:
    """Give a fresh result of the same shape the dense strides of PyTorch's copy of ``tensor``; no data moves."""
    if not is_plain(tensor):
        stride = layout.strides_in_format(dispatch.geometry_of(tensor), None)
        if stride is not None:
            result._storage.replace(result._storage.array, stride)
    return result


@op(method=False, out=False, node=lambda pattern, node, missing: node)
def _recorded(input: Array, values: Array, node: str, missing: str) -> Array:
    return values + 0


@defvjp(_recorded)
def _(grad: Any, inputs: Any, outputs: Any, node: str, missing: str) -> Any:
    raise NoDerivative(missing)


def without_derivative(input: Any, values: Any, node: str, missing: str) -> Any:
    """Values that were computed on the host from a tensor that requires grad: in its graph, but with no derivative."""
    return _recorded(input, values, node, missing) if input.requires_grad else values


def into(out: Any, result: Any) -> Any:
    """Write a finished result into a tensor given as ``out=``, which is resized where it has to be."""
    layout.write_out(out, dispatch.array_of(result), dispatch.write)
    return out
