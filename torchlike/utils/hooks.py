"""What registering a hook on a module or an optimizer returns."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

__all__ = ["RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]

_ids = itertools.count()


class RemovableHandle:
    """The way to take a hook out again: ``remove()``, or the end of a ``with`` block.

    ``hooks_dict`` is the dictionary the hook is registered in under ``id``; ``extra_dict`` are other dictionaries that
    hold something under the same id. The dictionaries are referred to weakly: a handle keeps no module alive.

    >>> linear = torch.nn.Linear(1, 1)
    >>> with linear.register_forward_hook(lambda module, args, output: output + 1):
    ...     len(linear._forward_hooks)
    1
    >>> len(linear._forward_hooks)
    0
    """

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = next(_ids)
        extra: Iterable[Any] = (
            () if extra_dict is None else [extra_dict] if isinstance(extra_dict, dict) else extra_dict
        )
        self.extra_dict_ref: tuple[Any, ...] = tuple(weakref.ref(d) for d in extra)

    def remove(self) -> None:
        """Take the hook out; doing it twice is harmless."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        hooks, self.id, *rest = state
        # A dictionary that was gone when the handle was saved is an empty one now.
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks is None else hooks)
        extra = rest[0] if rest else ()
        self.extra_dict_ref = tuple(weakref.ref(OrderedDict() if d is None else d) for d in extra)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def unserializable_hook(f: Any) -> Any:
    """Mark a tensor hook as one that saving the tensor should warn about."""
    f.__torch_unserializable__ = True
    return f


def warn_if_has_hooks(tensor: Any) -> None:
    """Accepted for compatibility: hooks on tensors are never saved with them."""
