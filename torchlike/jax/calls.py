"""jax functions called from PyTorch-style code, as differentiable operators of the tape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np

from torchlike._core import dispatch
from torchlike._core.kernels import Kernel
from torchlike._tensor import Tensor
from torchlike.jax.arrays import from_array


class _Operand:
    """Stands in the structure of the arguments where an operand goes; a random key goes there as its plain words."""

    def __init__(self, implementation: Any = None) -> None:
        self.implementation = implementation

    def restore(self, value: Any) -> Any:
        return value if self.implementation is None else jax.random.wrap_key_data(value, impl=self.implementation)


class _Program:
    """A jax function for one structure of arguments: its kernel, and the structure of the results once traced."""

    def __init__(self, function: Callable[..., Any], tree: Any, leaves: tuple[Any, ...], name: str) -> None:
        self.function = function
        self.tree = tree
        self.leaves = leaves
        self.out_tree: Any = None
        self.out_leaves: list[Any] = []  # results that are no arrays; None where an array goes
        self.kernel = Kernel(self._run, name, "JaxFunctionBackward0")

    def _run(self, *operands: Any) -> tuple[Any, ...]:
        given = iter(operands)
        args, kwargs = jax.tree.unflatten(
            self.tree, [leaf.restore(next(given)) if isinstance(leaf, _Operand) else leaf for leaf in self.leaves]
        )
        results, self.out_tree = jax.tree.flatten(self.function(*args, **kwargs))
        self.out_leaves = [None if isinstance(r, jax.Array | np.ndarray) else r for r in results]
        return tuple(jax.numpy.asarray(r) for r in results if isinstance(r, jax.Array | np.ndarray))

    def call(self, operands: list[Any]) -> Any:
        found = iter(dispatch.apply(self.kernel, operands))
        leaves = [next(found) if leaf is None else leaf for leaf in self.out_leaves]
        return jax.tree.unflatten(self.out_tree, leaves)


def from_jax(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors that computes what a jax function computes, with gradients through it.

    ``function`` takes and returns pytrees of arrays. Called with tensors in their place, the new function compiles it
    once for each structure, shape and dtype, returns tensors, and records one node: ``backward()`` differentiates
    it with `jax.vjp` (custom rules included), as often as wanted. Tensors and arrays are traced; every other leaf (a
    number, a string) is a constant of the program, and another value compiles again, so a number that changes at each
    call should be a tensor. Raises TypeError for an argument that is neither an array nor hashable.

    >>> import jax.numpy as jnp
    >>> import torchlike.jax as tj
    >>> softplus = tj.from_jax(lambda x: jnp.logaddexp(x, 0.0))
    >>> x = torch.zeros(2, requires_grad=True)
    >>> softplus(x).sum().backward()
    >>> x.grad
    tensor([0.5000, 0.5000])
    """
    programs: dict[Hashable, _Program] = {}
    name = getattr(function, "__name__", type(function).__name__)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=lambda x: isinstance(x, Tensor))
        operands = []
        signature: list[Any] = [tree]
        kept: list[Any] = []
        for leaf in leaves:
            if isinstance(leaf, Tensor | jax.Array | np.ndarray):
                implementation = None
                if not isinstance(leaf, Tensor) and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                    implementation = str(jax.random.key_impl(leaf))
                    leaf = jax.random.key_data(leaf)
                operand = leaf if isinstance(leaf, Tensor) else from_array(jax.numpy.asarray(leaf))
                operands.append(operand)
                kept.append(_Operand(implementation))
                shaped = dispatch.shaped(operand)
                signature.append((shaped.shape, shaped.dtype, implementation))
            else:
                if not isinstance(leaf, Hashable):
                    raise TypeError(
                        f"{name}(): an argument of type {type(leaf).__name__} is neither an array nor hashable"
                    )
                kept.append(leaf)
                signature.append((type(leaf), leaf))
        key = tuple(signature)
        program = programs.get(key)
        if program is None:
            program = programs[key] = _Program(function, tree, tuple(kept), name)
        return program.call(operands)

    return call
