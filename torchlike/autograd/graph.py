"""The graph as an object: its nodes and edges, hooks on several gradients, and what becomes of saved tensors."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple

from torchlike._core import dispatch, errors, layout, tape
from torchlike._core.backward import running
from torchlike._core.tape import Handle, Node, watching
from torchlike._core.tensor_state import TensorBase, modes

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """The place in the graph where a tensor's gradient arrives: a node, and which of its outputs the tensor is.

    It may stand for the tensor in ``torch.autograd.grad`` and ``backward``.
    """

    node: Node
    output_nr: int
    ownership_token: Node | None = None


class _EdgeOfTensor(GradientEdge):
    """An edge that knows shape, type and device of its tensor."""

    about: tuple[tuple[int, ...], Any, Any]


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return the edge of a tensor's gradient. Raises RuntimeError if it has none.

    >>> x = torch.ones(1, requires_grad=True)
    >>> torch.autograd.graph.get_gradient_edge(x * 2).node.name()
    'MulBackward0'
    """
    edge = tape.gradient_edge(tensor)
    if edge is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    found = _EdgeOfTensor(*edge)
    found.about = dispatch.shape_of(tensor), dispatch.geometry_of(tensor).dtype.np, dispatch.device_of(tensor)
    return found


def increment_version(tensor: Any) -> None:
    """Count a write to a tensor, or to each of several, that was made behind autograd's back.

    >>> x = torch.ones(1)
    >>> torch.autograd.graph.increment_version(x)
    >>> x._version
    1
    """
    for one in (tensor,) if isinstance(tensor, TensorBase) else tensor:
        dispatch.touch(one)


# ---------------------------------------------------------------------------------------------------------------------
# Saved tensors


class saved_tensors_hooks:
    """A block in which tensors saved for the backward are packed by one function and unpacked by another.

    ``pack_hook(tensor)`` may return anything; ``unpack_hook`` gets that back when the backward needs the tensor.

    >>> def pack(x):
    ...     return x.numpy(force=True)
    >>> x = torch.tensor([3.], requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(pack, torch.from_numpy):
    ...     y = x * x
    >>> y.backward()
    >>> x.grad
    tensor([6.])
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        if modes.saved_hooks_refused is not None:
            raise RuntimeError(modes.saved_hooks_refused)
        modes.saved_hooks = (*modes.saved_hooks, (self.pack_hook, self.unpack_hook))
        watching.hooked += 1
        watching.update()

    def __exit__(self, *args: object) -> None:
        modes.saved_hooks = modes.saved_hooks[:-1]
        watching.hooked -= 1
        watching.update()


class save_on_cpu(saved_tensors_hooks):
    """A block in which tensors saved for the backward are kept in the memory of the CPU.

    >>> x = torch.tensor([3.], requires_grad=True)
    >>> with torch.autograd.graph.save_on_cpu():
    ...     y = x * x
    >>> y.backward()
    >>> x.grad
    tensor([6.])
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Any) -> tuple[Any, Any]:
            return dispatch.device_of(tensor), dispatch.wrap(layout.put(dispatch.array_of(tensor), "cpu"))

        def unpack(packed: tuple[Any, Any]) -> Any:
            device, kept = packed
            return dispatch.wrap(layout.put(dispatch.array_of(kept), device))

        super().__init__(pack, unpack)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Generator[None, None, None]:
    """A block in which `saved_tensors_hooks` raises RuntimeError with the given message."""
    previous = modes.saved_hooks_refused
    modes.saved_hooks_refused = error_message
    try:
        yield
    finally:
        modes.saved_hooks_refused = previous


class _MutationContext:
    """What `allow_mutation_on_saved_tensors` gives: the values kept in its block."""

    def __init__(self) -> None:
        self.alive = True

    def clear(self) -> None:
        """Forget them: no backward through the block's graphs is possible from here on."""
        self.alive = False


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Generator[_MutationContext, None, None]:
    """A block in which tensors saved for the backward may be overwritten; the backward then uses the values they had.

    The backward must be called within the block.

    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     x = torch.ones(2, requires_grad=True)
    ...     y = x.clone()
    ...     z = (y ** 2).sum()
    ...     y.mul_(5)
    ...     z.backward()
    tensor([5., 5.], grad_fn=<MulBackward0>)
    >>> x.grad
    tensor([2., 2.])
    """
    context = _MutationContext()

    def pack(tensor: Any) -> Any:
        # Arrays are immutable: the value saved now stays what it is whatever is written to the tensor.
        return dispatch.array_of(tensor), context

    def unpack(packed: Any) -> Any:
        array, owner = packed
        if not owner.alive:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was"
                " originally recorded."
            )
        return dispatch.wrap(array)

    errors.check(not _mutable.active, "allow_mutation_on_saved_tensors contexts cannot be nested")
    _mutable.active = True
    try:
        with saved_tensors_hooks(pack, unpack):
            yield context
    finally:
        context.clear()
        _mutable.active = False


class _Mutable(threading.local):
    active = False


_mutable = _Mutable()


# ---------------------------------------------------------------------------------------------------------------------
# Hooks on several gradients


class _Handles:
    """Several handles as one."""

    def __init__(self, handles: Sequence[Handle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Take all the hooks out."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def register_multi_grad_hook(tensors: Iterable[Any], fn: Callable[..., None], *, mode: str = "all") -> Any:
    """Call ``fn`` in each backward when the gradients of several tensors are known; returns a handle with ``remove()``.

    With ``mode="all"`` it gets the list of all gradients once those that the backward computes are there, None for the
    others; with ``"any"`` it gets the first gradient.

    >>> a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    >>> handle = torch.autograd.graph.register_multi_grad_hook((a, b), print)
    >>> (a * 2 + b).sum().backward()
    [tensor([2., 2.]), tensor([1., 1.])]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    watched = tuple(tensors)
    lock = threading.Lock()
    if mode == "any":
        fired: dict[int, bool] = {}

        @functools.wraps(fn)
        def first(grad: Any) -> None:
            number = _task()
            with lock:
                if fired.setdefault(number, False):
                    return
                fired[number] = True
            fn(grad)

        return _Handles([t.register_hook(first) for t in watched if tape.requires_grad(t)])
    edges = [tape.gradient_edge(t) for t in watched]
    grads: dict[int, list[Any]] = {}
    missing: dict[int, int] = {}

    def hook(index: int) -> Callable[[Any], None]:
        def seen(grad: Any) -> None:
            number = _task()
            with lock:
                if number not in grads:
                    grads[number] = [None] * len(watched)
                    missing[number] = sum(edge is not None and _runs(edge[0]) for edge in edges)
                grads[number][index] = grad
                missing[number] -= 1
                done = not missing[number]
            if done:
                fn(grads.pop(number))
                del missing[number]

        return seen

    return _Handles([t.register_hook(hook(i)) for i, t in enumerate(watched) if edges[i] is not None])


def _task() -> int:
    assert running.task is not None, "expected this hook to be called inside a backward call"
    return running.task.id


def _runs(node: Node) -> bool:
    """Whether the backward in progress comes to a node."""
    task = running.task
    assert task is not None
    return node in task.seen and (task.wanted is None or node in task.wanted)
