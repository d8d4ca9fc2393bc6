"""Values inside a function transform: a batch of values, or a value with its tangent, where a plain array would be.

A tensor inside ``torch.vmap`` or ``torch.func.jvp`` holds one of these in its storage. Its shape and type are those
that the function sees; behind it are *tensors* of the level below, so that what is computed with them is recorded
there.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any, NoReturn

import jax
import numpy as np

_ids = itertools.count(1)


class Level:
    """One active transform. Levels entered later lie above those entered before."""

    __slots__ = ("__weakref__", "alive", "depth", "id")

    # Whether tensors of this level hold a value of their own kind (``Batched``, ``Dual``).
    wraps = True
    # Whether what was made outside of the level must not be written to inside.
    guards = False

    def __init__(self, depth: int) -> None:
        self.id = next(_ids)
        self.depth = depth
        self.alive = True


class VmapLevel(Level):
    """A ``vmap``: how many values a batch has, and what random functions do."""

    __slots__ = ("randomness", "size")

    def __init__(self, depth: int, size: int, randomness: str) -> None:
        super().__init__(depth)
        self.size = size
        self.randomness = randomness

    def lift(self, tensor: Any) -> Batched:
        """A tensor of a lower level, the same for the whole batch."""
        return Batched(self, tensor, False)


class GradLevel(Level):
    """A ``grad`` or ``vjp``; ``grad_mode`` is what applies outside of it."""

    __slots__ = ("grad_mode",)

    wraps = False
    guards = True

    def __init__(self, depth: int, grad_mode: bool) -> None:
        super().__init__(depth)
        self.grad_mode = grad_mode


class JvpLevel(Level):
    """A ``jvp``, or a ``dual_level`` of ``torch.autograd.forward_ad`` (``public``)."""

    __slots__ = ("public", "storages")

    guards = True

    def __init__(self, depth: int, public: bool = False) -> None:
        super().__init__(depth)
        self.public = public
        self.storages: weakref.WeakSet[Any] = weakref.WeakSet()

    def lift(self, tensor: Any) -> Dual:
        """A tensor of a lower level, with no tangent."""
        return Dual(self, tensor, None)


class Lifted:
    """What stands for an array at a level."""

    __slots__ = ("dtype", "inner", "level", "shape")

    level: Any
    inner: Any
    shape: tuple[int, ...]
    dtype: Any

    @property
    def ndim(self) -> int:
        """The number of dimensions that the function sees."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements that the function sees."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def aval(self) -> jax.ShapeDtypeStruct:
        """The shape and type that the function sees."""
        return jax.ShapeDtypeStruct(self.shape, self.dtype)

    @property
    def device(self) -> Any:
        """Where the values are, as jax says it."""
        return array_below(self).device

    def devices(self) -> Any:
        """Where the values are, as a set."""
        return array_below(self).devices()


class Batched(Lifted):
    """A batch of values: ``inner`` has them along its first dimension, or one for all if not ``batched``."""

    __slots__ = ("batched",)

    def __init__(self, level: VmapLevel, inner: Any, batched: bool) -> None:
        self.level = level
        self.inner = inner
        self.batched = batched
        shape, self.dtype = shape_and_type(inner)
        self.shape = shape[1:] if batched else shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise no_item()


class Dual(Lifted):
    """A value ``inner`` and its ``tangent``, None where that is zero."""

    __slots__ = ("tangent",)

    def __init__(self, level: JvpLevel, inner: Any, tangent: Any) -> None:
        self.level = level
        self.inner = inner
        self.tangent = tangent
        self.shape, self.dtype = shape_and_type(inner)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(array_below(self), dtype)


def shape_and_type(tensor: Any) -> tuple[tuple[int, ...], Any]:
    """The shape and NumPy type of a tensor."""
    geometry = tensor._geometry
    if geometry is not None:
        return geometry.size, geometry.dtype.np
    array = tensor._storage.array
    return tuple(array.shape), array.dtype


def array_below(value: Any) -> Any:
    """The array below all levels."""
    while isinstance(value, Lifted):
        value = value.inner._storage.array
    return value


def is_unknown(value: Any) -> bool:
    """Whether a value cannot be looked at: it is traced by jax, or stands for several values, or has no data."""
    return isinstance(value, (jax.core.Tracer, jax.ShapeDtypeStruct, Lifted))


def no_item() -> RuntimeError:
    """PyTorch's error for values of a batch that Python asks for."""
    return RuntimeError(
        "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a"
        " Tensor, please try to rewrite what you're doing with other operations. If error is occurring somewhere inside"
        " PyTorch internals, please file a bug report."
    )


def no_control_flow() -> RuntimeError:
    """PyTorch's error for a branch on values of a batch."""
    return RuntimeError(
        "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support"
        " that yet, please file an issue at https://github.com/pytorch/pytorch/issues ."
    )


def no_dynamic_shape(function: str) -> RuntimeError:
    """PyTorch's error for results whose shapes depend on the values of a batch."""
    return RuntimeError(
        "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over"
        f" aten::{function}. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this"
        " feature."
    )
