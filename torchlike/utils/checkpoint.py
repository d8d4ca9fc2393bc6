"""Checkpointing: activations are computed again in the backward instead of being kept."""

from __future__ import annotations

import contextlib
import itertools
import threading
import warnings
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torchlike import cuda
from torchlike._core import dispatch, tape
from torchlike._core.backward import running
from torchlike._core.saved import SavedTensor
from torchlike._core.tape import Node
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.amp.autocast_mode import autocast, get_autocast_dtype, is_autocast_enabled
from torchlike.autograd import _engine
from torchlike.autograd.function import Function
from torchlike.autograd.graph import saved_tensors_hooks
from torchlike.random import get_rng_state, set_rng_state
from torchlike.utils import _pytree

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "DefaultDeviceType",
    "GraphExecGroup",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "detach_variable",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]

Tensor = Any


class CheckpointError(RuntimeError):
    """What was computed again is not what was computed first."""


class _Settings:
    early_stop: bool | None = None
    debug: bool | None = None


_settings = _Settings()


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """A block that says whether recomputation stops as soon as all that is needed is there, whatever ``early_stop`` is.

    >>> with torch.utils.checkpoint.set_checkpoint_early_stop(False):
    ...     pass
    """
    previous = _settings.early_stop
    _settings.early_stop = enable
    try:
        yield
    finally:
        _settings.early_stop = previous


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """A block that says whether errors are to tell more, whatever ``debug`` is; None leaves it to ``debug``."""
    previous = _settings.debug
    _settings.debug = enabled
    try:
        yield
    finally:
        _settings.debug = previous


class DefaultDeviceType:
    """The kind of device whose random state is meant where no tensor tells.

    >>> torch.utils.checkpoint.DefaultDeviceType.set_device_type("cpu")
    >>> torch.utils.checkpoint.DefaultDeviceType.get_device_type()
    'cpu'
    """

    _default_device_type: str | None = None

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Let this kind of device be the one that is meant."""
        DefaultDeviceType._default_device_type = device

    @staticmethod
    def get_device_type() -> str:
        """Return the kind that was set, else "cuda" where there is one and "cpu" where there is none."""
        if not DefaultDeviceType._default_device_type:
            DefaultDeviceType._default_device_type = "cuda" if cuda.is_available() else "cpu"
        return DefaultDeviceType._default_device_type


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """Return the numbers of the devices of the tensors among the arguments, and the state of each one's generator.

    Tensors of the CPU and of ``meta`` have none. Raises NotImplementedError for other devices: all draw from the one
    generator whose state is ``torch.get_rng_state``.

    >>> torch.utils.checkpoint.get_device_states(torch.ones(2), 3)
    ([], [])
    """
    tensors: list[Tensor] = [x for x in _pytree.tree_leaves(args) if isinstance(x, TensorBase)]
    for x in tensors:
        if x.device.type not in {"cpu", "meta"}:
            raise NotImplementedError(f"get_device_states: {x.device} has no random state of its own")
    return [], []


def set_device_states(devices: Sequence[int], states: Sequence[Tensor], *, device_type: str | None = None) -> None:
    """Give the generators of devices the states that ``get_device_states`` returned.

    Raises NotImplementedError where there is a device to set, as ``get_device_states`` does.

    >>> torch.utils.checkpoint.set_device_states([], [])
    """
    kind = DefaultDeviceType.get_device_type() if device_type is None else device_type
    if kind != "meta" and any(True for _ in zip(devices, states, strict=False)):
        raise NotImplementedError(f"set_device_states: {kind} has no random state for each device")


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing, for the forward and for the recomputation."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the inputs cut off from their graphs; those that required a gradient are leaves that do.

    >>> x = torch.ones(2, requires_grad=True) * 2
    >>> torch.utils.checkpoint.detach_variable((x, 3))
    (tensor([2., 2.], requires_grad=True), 3)
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type:  {type(inputs).__name__}")
    found: list[Any] = []
    for x in inputs:
        if isinstance(x, TensorBase):
            needed = tape.requires_grad(x)
            x = dispatch.alias(x)
            x._requires_grad = needed
        found.append(x)
    return tuple(found)


def check_backward_validity(inputs: Sequence[Any]) -> None:
    """Warn if none of the inputs requires a gradient: then none would be computed."""
    if not any(isinstance(x, TensorBase) and tape.requires_grad(x) for x in inputs):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


@contextlib.contextmanager
def _random_state(state: Any) -> Iterator[None]:
    """A block in which random numbers are those that followed a state; None leaves them alone."""
    if state is None:
        yield
        return
    before = get_rng_state()
    set_rng_state(state)
    try:
        yield
    finally:
        set_rng_state(before)


def _casting() -> list[tuple[str, bool, Any]]:
    """What autocast does on each kind of device."""
    return [(kind, is_autocast_enabled(kind), get_autocast_dtype(kind)) for kind in ("cpu", "cuda")]


@contextlib.contextmanager
def _cast_as(wanted: list[tuple[str, bool, Any]]) -> Iterator[None]:
    """A block in which autocast does what it did in the forward."""
    with contextlib.ExitStack() as stack:
        for then, now in zip(wanted, _casting(), strict=True):
            if then != now:
                kind, enabled, dtype = then
                stack.enter_context(autocast(kind, dtype=dtype, enabled=enabled))
        yield


@contextlib.contextmanager
def _grad_mode(mode: bool) -> Iterator[None]:
    previous = modes.grad
    modes.grad = mode
    try:
        yield
    finally:
        modes.grad = previous


# ---------------------------------------------------------------------------------------------------------------------
# The variant with a backward inside the backward


class CheckpointFunction(Function):
    """What ``checkpoint(use_reentrant=True)`` applies: runs a function without recording, and again in the backward."""

    @staticmethod
    def forward(ctx: Any, run_function: Any, preserve_rng_state: Any, *args: Any) -> Any:
        """Run the function."""
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.state = get_rng_state() if preserve_rng_state else None
        ctx.casting = _casting()
        ctx.places = [i for i, x in enumerate(args) if isinstance(x, TensorBase)]
        ctx.inputs = [None if isinstance(x, TensorBase) else x for x in args]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        with _grad_mode(False):
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *args: Any) -> Any:
        """Run the function again, recorded, and walk back through it."""
        if running.task is None or running.task.wanted is not None:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs`"
                " parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call"
                " .backward() without passing the `inputs` argument."
            )
        inputs = list(ctx.inputs)
        for i, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            inputs[i] = tensor
        detached: Any = detach_variable(tuple(inputs))
        with _random_state(ctx.state), _cast_as(ctx.casting), _grad_mode(True):
            outputs = ctx.run_function(*detached)
        if isinstance(outputs, TensorBase):
            outputs = (outputs,)
        pairs = [
            (out, grad)
            for out, grad in zip(outputs, args, strict=True)
            if isinstance(out, TensorBase) and tape.requires_grad(out)
        ]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        _engine.backward([out for out, _ in pairs], [grad for _, grad in pairs])
        return (None, None, *[x._grad if isinstance(x, TensorBase) else None for x in detached])


# ---------------------------------------------------------------------------------------------------------------------
# The variant by hooks on saved tensors


class _Holder:
    """Stands for a tensor that was not saved; knows where it is found among what a backward computed again."""

    __slots__ = ("__weakref__", "handles")

    def __init__(self) -> None:
        self.handles: dict[int, _Handle | None] = {}


class _Handle:
    __slots__ = ("__weakref__",)


class _Stop(Exception):
    """Everything that is needed was computed again."""


class _Frame:
    """One checkpointed call."""

    def __init__(self, recompute: Callable[..., Any], early_stop: bool, metadata: Callable[[Any], Any] | None) -> None:
        self.recompute = recompute
        self.early_stop = early_stop
        self.metadata = metadata
        self.completed = False
        self.mismatch_allowed = False
        self.holders: list[weakref.ref[_Holder]] = []
        self.seen: list[Any] = []
        self.recomputed: defaultdict[int, weakref.WeakKeyDictionary[_Handle, Any]] = defaultdict(
            weakref.WeakKeyDictionary
        )
        self.counts: defaultdict[int, int] = defaultdict(int)
        self.done: set[int] = set()
        self.inputs: list[Any] = []
        self.node = Node(())

    def keep(self, args: tuple[Any, ...]) -> None:
        self.inputs = [SavedTensor(x, self.node) if isinstance(x, TensorBase) else x for x in args]

    def given(self) -> list[Any]:
        return [x.unpack(self.node) if isinstance(x, SavedTensor) else x for x in self.inputs]

    def check(self, number: int) -> None:
        """Compare what was computed again with what was computed first."""
        if self.mismatch_allowed:
            return
        if len(self.holders) != self.counts[number]:
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and"
                f" recomputation.\nNumber of tensors saved during forward: {len(self.holders)}\nNumber of tensors saved"
                f" during recomputation: {self.counts[number]}.\n"
            )
        if self.metadata is None:
            return
        lines = []
        for i, reference in enumerate(self.holders):
            holder = reference()
            handle = None if holder is None else holder.handles.get(number)
            if handle is None:
                continue
            found = self.metadata(self.recomputed[number][handle])
            if found != self.seen[i]:
                lines.append(f"tensor at position {i}:\nsaved metadata: {self.seen[i]}\nrecomputed metadata: {found}\n")
        if lines:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than"
                f" during the forward pass.\n{''.join(lines)}.\n"
            )


def _metadata(x: Any) -> dict[str, Any]:
    return {"shape": x.shape, "dtype": x.dtype, "device": x.device}


_CHECKS: dict[str, Callable[[Any], Any] | None] = {"default": _metadata, "none": None}
_outside = itertools.count(-2, -1)


class GraphExecGroup:
    """A block whose backwards compute each checkpointed region again at most once.

    They must not need the same saved tensors. Raises RuntimeError inside another one.
    """

    def __enter__(self) -> GraphExecGroup:
        if _group.current is not None:
            raise RuntimeError(f"GraphExecGroup contexts cannot be nested. Already inside group {_group.current}")
        _group.current = self
        return self

    def __exit__(self, *exception: object) -> None:
        _group.current = None


class _Group(threading.local):
    current: GraphExecGroup | None = None


_group = _Group()


class _Hooks(saved_tensors_hooks):
    """Saves nothing in the forward, and computes it again when the first tensor is asked for."""

    def __init__(self, frame: _Frame) -> None:
        def pack(x: Any) -> _Holder:
            holder = _Holder()
            frame.holders.append(weakref.ref(holder))
            if frame.metadata is not None:
                frame.seen.append(frame.metadata(x))
            return holder

        def unpack(holder: _Holder) -> Any:
            if _group.current is not None:
                number = -1 - id(_group.current)
            else:
                number = next(_outside) if running.task is None else running.task.id
            if number not in frame.done:
                given = frame.given()
                try:
                    with _RecomputeHooks(frame, number), _grad_mode(True):
                        frame.recompute(*given)
                except _Stop:
                    pass
                frame.done.add(number)
                frame.check(number)
            handle = holder.handles.get(number)
            if handle is None:
                extra = (
                    "Performing two backward calls that overlap (i.e. require the same saved activation in order to"
                    " compute gradients) is not allowed while under the torch.utils.checkpoint.GraphExecGroup context. "
                    if _group.current is not None
                    else ""
                )
                raise CheckpointError(
                    "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once."
                    f" {extra}If you are calling ctx.saved_tensors in backward, make sure to do so only once. Otherwise"
                    " please open an issue with details on your use case."
                )
            found = frame.recomputed[number][handle]
            holder.handles[number] = None
            return found

        super().__init__(pack, unpack)


class _RecomputeHooks(saved_tensors_hooks):
    """Catches the tensors that the recomputation would save, in their order."""

    def __init__(self, frame: _Frame, number: int) -> None:
        def pack(x: Any) -> Any:
            value = dispatch.alias(x) if tape.requires_grad(x) else x
            position = frame.counts[number]
            frame.counts[number] += 1
            if position >= len(frame.holders):
                if not frame.completed:
                    # The forward itself was stopped early, as part of another checkpoint.
                    frame.mismatch_allowed = True
                    return value
                raise CheckpointError(
                    "torch.utils.checkpoint: trying to save more tensors during recomputation than during the original"
                    " forward pass.\n"
                )
            holder = frame.holders[position]()
            if holder is not None:
                handle = holder.handles[number] = _Handle()
                frame.recomputed[number][handle] = value
            if frame.early_stop and frame.counts[number] == len(frame.holders):
                raise _Stop
            return value

        super().__init__(pack, lambda x: x)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Return ``function(*args, **kwargs)``, keeping the arguments only: the rest is computed again in the backward.

    ``use_reentrant=False`` (recommended) works with everything that autograd does; ``True`` with ``backward()`` to all
    leaves only, and needs an argument that requires a gradient. ``preserve_rng_state=False`` lets the second run draw
    other random numbers. ``context_fn`` gives two contexts, for the first run and for the others.
    ``determinism_check="none"`` leaves out the comparison of shapes and types. Raises CheckpointError in the backward
    where the second run saves other tensors than the first.

    >>> x = torch.ones(2, requires_grad=True)
    >>> y = torch.utils.checkpoint.checkpoint(lambda t: t.exp().sin(), x, use_reentrant=False)
    >>> y.sum().backward()
    >>> x.grad
    tensor([-2.4783, -2.4783])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9,"
            " calling checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but"
            " if you need to preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for"
            " more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)
    debugging = debug if _settings.debug is None else _settings.debug
    if debugging and context_fn is not noop_context_fn:
        raise ValueError("debug=True is incompatible with non-default context_fn")
    if determinism_check not in _CHECKS:
        raise ValueError(f"determinism_check should be one of {list(_CHECKS)}, but got {determinism_check}")
    forward_context, recompute_context = context_fn()
    state = get_rng_state() if preserve else None
    casting = _casting()

    def recompute(*inputs: Any) -> None:
        with _random_state(state), _cast_as(casting), recompute_context:
            function(*inputs, **kwargs)

    if not modes.grad:
        return function(*args, **kwargs)
    stops = early_stop if _settings.early_stop is None else _settings.early_stop
    frame = _Frame(recompute, stops, _CHECKS[determinism_check])
    frame.keep(args)
    with _Hooks(frame), forward_context:
        result = function(*args, **kwargs)
    frame.completed = True
    return result


def checkpoint_sequential(
    functions: Any, segments: int, input: Tensor, use_reentrant: bool | None = None, **kwargs: Any
) -> Tensor:
    """Run functions (or the modules of a Sequential) one after the other, all but the last segment checkpointed.

    >>> x = torch.ones(2, requires_grad=True)
    >>> f = [torch.exp, torch.sin, torch.cos]
    >>> y = torch.utils.checkpoint.checkpoint_sequential(f, 2, x, use_reentrant=False)
    >>> y.sum().backward()
    >>> x.grad
    tensor([0.9897, 0.9897])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. In"
            " version 2.9 we will raise an exception if use_reentrant is not passed. use_reentrant=False is"
            " recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True."
            " Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def segment(start: int, end: int) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for step in steps[start : end + 1]:
                x = step(x)
            return x

        return forward

    size = len(steps) // segments
    end = -1
    for start in range(0, size * (segments - 1), size):
        end = start + size - 1
        input = checkpoint(segment(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return segment(end + 1, len(steps) - 1)(input)
