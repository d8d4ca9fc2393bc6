"""Control flow that depends on tensors, arithmetic of sizes, streams of the CPU, and memory mapped from files."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from torchlike import _sharing, overrides
from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike._core.naming import TorchNamed
from torchlike._core.tensor_state import TensorBase

__all__ = [
    "AcceleratorError",
    "Event",
    "OutOfMemoryError",
    "Stream",
    "SymBool",
    "SymFloat",
    "SymInt",
    "_assert",
    "_assert_async",
    "cond",
    "from_file",
    "newaxis",
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
    "while_loop",
]

newaxis = None


class AcceleratorError(RuntimeError):
    """An error of a device while it computed."""

    __module__ = "torch"


class OutOfMemoryError(RuntimeError):
    """A device has not enough memory for what was asked of it."""

    __module__ = "torch"


# Sizes ---------------------------------------------------------------------------------------------------------------


class SymInt(metaclass=TorchNamed):
    """The class of ints that stand for sizes yet unknown. Sizes are ints in torchlike: it has no instances."""

    __module__ = "torch"


class SymFloat(metaclass=TorchNamed):
    """The class of floats that stand for numbers yet unknown; it has no instances in torchlike."""

    __module__ = "torch"


class SymBool(metaclass=TorchNamed):
    """The class of bools that stand for conditions yet unknown; it has no instances in torchlike."""

    __module__ = "torch"


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError with a message unless a condition holds; ``torch.fx`` records it, unlike a statement.

    >>> torch._assert(torch.ones(1) > 0, "must be positive")
    """
    if not isinstance(condition, TensorBase) and overrides.has_torch_function((condition,)):
        overrides.handle_torch_function(_assert, (condition,), condition, message)
        return
    assert condition, message


def _assert_async(self: Any, assert_msg: str = "Expected Tensor with single nonzero value, but got zero") -> None:
    """Raise RuntimeError unless a tensor of one element is nonzero.

    >>> torch._assert_async(torch.ones(1))
    """
    if not self:
        raise RuntimeError(assert_msg)


def sym_int(a: Any) -> int:
    """Return a number rounded towards zero.

    >>> torch.sym_int(-2.5)
    -2
    """
    return math.trunc(a)


def sym_float(a: Any) -> float:
    """Return a number as a float.

    >>> torch.sym_float(2)
    2.0
    """
    return float(a)


def sym_max(a: Any, b: Any) -> Any:
    """Return the larger of two numbers, a float if one of them is a float.

    >>> torch.sym_max(2, 3.0)
    3.0
    """
    return float(max(a, b)) if isinstance(a, float) or isinstance(b, float) else max(a, b)


def sym_min(a: Any, b: Any) -> Any:
    """Return the smaller of two numbers, a float if one of them is a float.

    >>> torch.sym_min(2, 3.0)
    2.0
    """
    return float(min(a, b)) if isinstance(a, float) or isinstance(b, float) else min(a, b)


def sym_not(a: Any) -> bool:
    """Return the opposite of a truth value.

    >>> torch.sym_not(True)
    False
    """
    return not a


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """Return ``t`` if ``b`` holds, else ``f``, of the same type.

    >>> torch.sym_ite(True, 1, 2)
    1
    """
    check(isinstance(b, bool), f"expected SymBool or bool, got {type(b)}", AssertionError)
    check(type(t) is type(f), f"type mismatch: {type(t)} vs {type(f)}", AssertionError)
    return t if b else f


def sym_sum(args: Sequence[Any]) -> Any:
    """Return the sum of numbers.

    >>> torch.sym_sum([1, 2, 3])
    6
    """
    return sum(args)


def sym_sqrt(a: Any) -> float:
    """Return the square root of a number.

    >>> torch.sym_sqrt(4)
    2.0
    """
    return math.sqrt(a)


# Control flow --------------------------------------------------------------------------------------------------------


def _only_tensors(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_only_tensors, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_only_tensors, value))
    return isinstance(value, TensorBase | int)


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Any = ()) -> Any:
    """Return ``true_fn(*operands)`` if ``pred``, a bool or a tensor of one element, holds, else those of ``false_fn``.

    Raises RuntimeError for a tensor of several elements, branches that cannot be called and operands that are not
    tensors.

    >>> torch.cond(torch.tensor(True), torch.sin, torch.cos, (torch.tensor(0.0),))
    tensor(0.)
    """
    check(isinstance(pred, bool | int | TensorBase), f"Expected pred to be bool or tensor, but got {pred}.")
    check(
        not isinstance(pred, TensorBase) or pred.numel() == 1,  # type: ignore[attr-defined]
        f"Expected pred to be bool or single-element tensor, but got {pred}.",
    )
    check(callable(true_fn) and callable(false_fn), "Expect both branches to be callable.")
    check(
        isinstance(operands, list | tuple) and _only_tensors(operands),
        "Expect operands to be a tuple of possibly nested dict/list/tuple that only consists of tensor leaves, but got"
        f" {operands}.",
    )
    return (true_fn if pred else false_fn)(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Any) -> Any:
    """Return ``body_fn`` applied to the inputs again and again, as long as ``cond_fn`` of them holds.

    >>> torch.while_loop(lambda i: i < 3, lambda i: (i + 1,), (torch.tensor(0),))
    (tensor(3),)
    """
    check(callable(cond_fn), "Expect cond_fn to be callable.")
    check(callable(body_fn), "Expect body_fn to be callable.")
    carried = tuple(carried_inputs)
    while cond_fn(*carried):
        found = body_fn(*carried)
        carried = tuple(found) if isinstance(found, list | tuple) else (found,)
        check(
            len(carried) == len(carried_inputs),
            f"body_fn should return the same number of elements as carried_inputs: {len(carried_inputs)},"
            f" but got {len(carried)}",
        )
    return carried


# Streams -------------------------------------------------------------------------------------------------------------


def _cpu_only(what: str, given: Any) -> devices.device:
    place = devices.resolve(given)
    if place.type != "cpu":
        raise NotImplementedError(f"torch.{what} of {place}: jax orders the work of accelerators itself")
    return place


class Stream(metaclass=TorchNamed):
    """A queue of work of a device. Work of the CPU is done when a call returns, so that there is nothing to wait for.

    Raises NotImplementedError for accelerators, whose queues jax keeps to itself.

    >>> torch.Stream("cpu").query()
    True
    """

    __module__ = "torch"

    def __init__(self, device: Any = None, *, priority: int = 0) -> None:
        self.device = _cpu_only("Stream", "cpu" if device is None else device)
        self.device_index, self.device_type = -1, 0
        self.stream_id = 0

    def query(self) -> bool:
        """Return whether all work is done: on the CPU it always is."""
        return True

    def synchronize(self) -> None:
        """Wait until all work is done."""

    def wait_event(self, event: Event) -> None:
        """Let work to come wait for an event, which on the CPU has happened."""

    def wait_stream(self, stream: Stream) -> None:
        """Refuse to wait for another stream: RuntimeError, as the CPU has no events to wait for."""
        Event(self.device).record(stream)

    def record_event(self, event: Event | None = None) -> Event:
        """Refuse to record an event: RuntimeError, as the CPU has none."""
        (event or Event(self.device)).record(self)
        raise AssertionError("not reached")

    def is_capturing(self) -> bool:
        """Return whether work is recorded instead of done: no."""
        return False

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.device == other.device and self.stream_id == other.stream_id

    def __hash__(self) -> int:
        return hash((self.device.type, self.stream_id))

    def __repr__(self) -> str:
        return f"torch.Stream device_type=cpu, device_index={self.device_index}, stream_id={self.stream_id}"


class Event(metaclass=TorchNamed):
    """A mark in the work of a device. Of the CPU an event can be asked and waited for, but not recorded.

    >>> torch.Event("cpu").query()
    True
    """

    __module__ = "torch"

    def __init__(
        self, device: Any = None, *, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        self.device = _cpu_only("Event", "cpu" if device is None else device)
        self.event_id = 0
        self._timed = enable_timing

    def query(self) -> bool:
        """Return whether what was recorded has happened: on the CPU it always has."""
        return True

    def synchronize(self) -> None:
        """Wait until what was recorded has happened."""

    def wait(self, stream: Stream | None = None) -> None:
        """Let the work of a stream wait for this event, which on the CPU has happened."""

    def record(self, stream: Stream | None = None) -> None:
        """Refuse to record: RuntimeError, as the CPU has no events."""
        raise RuntimeError("cpu backend doesn't support events.")

    def elapsed_time(self, other: Event) -> float:
        """Return the milliseconds between two recorded events; events of the CPU cannot be recorded: an error."""
        if not (self._timed and other._timed):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        raise ValueError("Both events must be recorded before calculating elapsed time.")

    def __repr__(self) -> str:
        return f"torch.Event device_type=cpu, device_index=-1, event_flag=0, event_id={self.event_id}"


# Files ---------------------------------------------------------------------------------------------------------------


def from_file(
    filename: str,
    shared: bool | None = None,
    size: int | None = 0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """Return a 1-d CPU tensor on the memory of a file of ``size`` elements.

    With ``shared`` writes reach the file, which is made or extended where it has to be; else they stay in memory.
    Raises RuntimeError for a file that cannot be opened or is too small.
    """
    wanted = dtype or dtypes.get_default_dtype()
    count = size or 0
    needed = count * wanted.itemsize
    mode = "read-write" if shared else "read-only"
    try:
        with open(filename, "r+b" if shared and os.path.exists(filename) else "w+b" if shared else "rb") as file:
            length = file.seek(0, os.SEEK_END)
            if shared and length < needed:
                file.truncate(needed)
                length = needed
    except OSError as error:
        raise RuntimeError(
            f"unable to open file <{filename}> in {mode} mode: {error.strerror} ({error.errno})"
        ) from None
    check(length >= needed, f"file <{filename}> size <{length}> is smaller than the required mapping size <{needed}>")
    if not count:
        memory = np.empty(0, wanted.np)
    else:
        memory = np.asarray(np.memmap(filename, wanted.np, "r+" if shared else "c", shape=(count,)))
    result = _sharing.from_numpy(memory)
    return result.requires_grad_() if requires_grad else result
