"""The state of a tensor, and the places where `_core` learns of the classes built on it.

`_core` works on `TensorBase`; the public `Tensor` (in ``_tensor.py``) derives from it and announces itself here, so
that nothing in `_core` imports upwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax

    from torchlike._core.storage import Counter, Storage
    from torchlike._core.views import Geometry


class TensorBase:
    """The fields every tensor has.

    ``_geometry`` is None when the tensor is its storage's own array; ``_value``/``_value_version`` cache what a view
    read. ``_requires_grad`` is kept true for every tensor that takes part in a graph, leaf or not (views ask their base
    as well). ``_base`` is the tensor a view was taken of (never itself a view). ``_extra`` holds the rarely used rest
    (hooks, names ...).
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_base",
        "_extra",
        "_geometry",
        "_grad",
        "_grad_fn",
        "_output_nr",
        "_requires_grad",
        "_storage",
        "_value",
        "_value_version",
        "_view_version",
    )

    _storage: Storage
    _geometry: Geometry | None
    _value: jax.Array | None
    _value_version: int
    _grad_fn: Any
    _output_nr: int
    _requires_grad: bool
    _grad: TensorBase | None
    _base: TensorBase | None
    _view_version: int
    _extra: Extra | None


class Extra:
    """Autograd state that few tensors have."""

    __slots__ = (
        "accumulator",
        "counter",
        "creation",
        "hooks",
        "inference",
        "post_accumulate_hooks",
        "retains_grad",
    )

    def __init__(self) -> None:
        self.accumulator: Any = None  # weak reference to the AccumulateGrad node of a leaf
        self.counter: Counter | None = None  # the version counter, where it is not the storage's
        self.creation: str = (
            "default"  # how a view came to be: default, no_grad, multi_output, custom_function, inference
        )
        self.hooks: dict[int, Callable[..., Any]] | None = None
        self.inference: bool = False
        self.post_accumulate_hooks: dict[int, Callable[..., Any]] | None = None
        self.retains_grad: bool = False


class _Classes:
    """The public classes, announced by ``_tensor.py`` when it is imported."""

    tensor: type[TensorBase] = TensorBase
    plain: frozenset[type] = frozenset()  # types that the fast path treats as plain tensors


classes = _Classes()


def announce(tensor: type[TensorBase]) -> None:
    """Make ``tensor`` the class of every new result."""
    classes.tensor = tensor
    classes.plain = classes.plain | {tensor}


def announce_plain(cls: type[TensorBase]) -> None:
    """Let the fast path treat a subclass (Parameter, Buffer) as a plain tensor."""
    classes.plain = classes.plain | {cls}


class _Modes(threading.local):
    """Per-thread switches that the call path reads."""

    grad: bool = True
    inference: bool = False
    grad_shown: bool = False  # what is_grad_enabled() says in inference mode, where nothing is recorded
    multithreading: bool = True
    function_modes: tuple[Any, ...] = ()
    function_disabled: int = 0
    saved_hooks: tuple[Any, ...] = ()  # (pack, unpack) of the active saved_tensors_hooks, the innermost last
    saved_hooks_refused: str | None = None  # why such hooks are refused here
    levels: tuple[Any, ...] = ()  # the active function transforms, the innermost last
    lower_grad: bool | None = None  # the grad mode below the levels, where it is not that of this one
    forward_grad: bool = True  # whether tangents are computed


modes = _Modes()
