"""Tensors and jax arrays as two faces of the same buffer, and tensors as nodes of jax's pytrees."""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import numpy as np

from torchlike._core import dispatch
from torchlike._core.dtype import BY_NUMPY
from torchlike._tensor import Tensor
from torchlike.nn.parameter import Buffer, Parameter

T = TypeVar("T")


def from_array(array: Any) -> Tensor:
    """Return a tensor over a jax array (or a tracer of one), without a copy.

    The tensor is on the array's device and requires no gradient. Writing to it in place leaves the jax array as it is:
    the tensor then holds another one. Raises TypeError for what is no jax array and for element types that PyTorch
    does not have.

    >>> import jax.numpy as jnp
    >>> import torchlike.jax as tj
    >>> x = tj.from_array(jnp.arange(3))
    >>> x.add_(1)
    tensor([1, 2, 3])
    """
    if not isinstance(array, jax.Array):
        raise TypeError(f"from_array(): expected a jax.Array, got {type(array).__name__}")
    if array.dtype not in BY_NUMPY:
        raise TypeError(f"from_array(): a tensor cannot hold elements of type {array.dtype}")
    if array.weak_type:
        array = jax.lax.convert_element_type(array, array.dtype)
    tensor: Tensor = dispatch.wrap(array)
    return tensor


def to_array(tensor: Tensor) -> jax.Array:
    """Return the current value of a tensor as a jax array, without a copy unless the tensor is a view.

    Later writes to the tensor do not reach the array, and no gradient flows through it: `from_jax` is for that.
    Raises TypeError for what is no tensor.

    >>> import torchlike.jax as tj
    >>> tj.to_array(torch.ones(2)) * 2
    Array([2., 2.], dtype=float32)
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_array(): expected a Tensor, got {type(tensor).__name__}")
    array: jax.Array = dispatch.array_of(tensor)
    return array


def _is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor)


def arrays(tree: Any) -> Any:
    """Return a pytree with a jax array in the place of every tensor, other leaves as they are.

    This is how a ``state_dict`` or ``dict(model.named_parameters())`` goes to optax or to any other jax code.

    >>> import torchlike.jax as tj
    >>> tj.arrays({"w": torch.zeros(1), "steps": 3})
    {'steps': 3, 'w': Array([0.], dtype=float32)}
    """
    return jax.tree.map(lambda x: to_array(x) if _is_tensor(x) else x, tree, is_leaf=_is_tensor)


def tensors(tree: Any) -> Any:
    """Return a pytree with a tensor in the place of every jax array, other leaves as they are: the way back.

    >>> import jax.numpy as jnp
    >>> import torchlike.jax as tj
    >>> tj.tensors([jnp.arange(2), "name"])
    [tensor([0, 1]), 'name']
    """
    return jax.tree.map(lambda x: from_array(x) if isinstance(x, jax.Array) else x, tree, is_leaf=_is_tensor)


# ---------------------------------------------------------------------------------------------------------------------
# Tensors as pytree nodes: what makes jax.jit(f)(tensor) and jax.tree.map over parameters work


def _flatten(tensor: Tensor) -> tuple[tuple[Any], tuple[type, bool]]:
    """The array is the child; the class and, of a leaf, requires_grad are the structure."""
    return (dispatch.array_of(tensor),), (type(tensor), tensor.requires_grad and tensor.is_leaf)


def _unflatten(structure: tuple[type, bool], children: tuple[Any]) -> Any:
    (child,) = children
    # jax rebuilds trees with all kinds of things in them (axes, shardings, None): only values become tensors.
    if isinstance(child, np.ndarray | np.generic):
        child = jax.numpy.asarray(child)
    if not isinstance(child, jax.Array | jax.ShapeDtypeStruct) or child.dtype not in BY_NUMPY:
        return child
    kind, requires_grad = structure
    tensor = dispatch.wrap(child)
    if kind is Parameter:
        return Parameter(tensor, requires_grad=requires_grad)
    tensor = Buffer(tensor) if kind is Buffer else tensor
    return tensor.requires_grad_() if requires_grad and jax.numpy.issubdtype(child.dtype, np.inexact) else tensor


for _kind in (Tensor, Parameter, Buffer):
    jax.tree_util.register_pytree_node(_kind, _flatten, _unflatten)
