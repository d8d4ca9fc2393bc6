"""Exchanging what two tensor objects are."""

from __future__ import annotations

import weakref
from typing import Any

from torchlike._core.tensor_state import TensorBase

__all__ = ["swap_tensors"]

_FIELDS = tuple(name for name in TensorBase.__slots__ if not name.startswith("__"))


def swap_tensors(t1: Any, t2: Any) -> None:
    """Exchange two tensors, so that all who hold one of the objects see the other's values, class and attributes.

    Raises RuntimeError when one of them is referred to weakly.

    >>> a, b = torch.zeros(1), torch.ones(2)
    >>> torch.utils.swap_tensors(a, b)
    >>> a
    tensor([1., 1.])
    """
    for name, tensor in (("t1", t1), ("t2", t2)):
        if weakref.getweakrefcount(tensor):
            raise RuntimeError(f"Cannot swap {name} because it has weakref associated with it")
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    t1.__dict__, t2.__dict__ = t2.__dict__, t1.__dict__
    for field in _FIELDS:
        first, second = getattr(t1, field), getattr(t2, field)
        setattr(t1, field, second)
        setattr(t2, field, first)
    for tensor in (t1, t2):
        extra = tensor._extra
        node = None if extra is None or extra.accumulator is None else extra.accumulator()
        if node is not None:
            node.variable = tensor
