"""The tape: graph nodes that operators leave behind, and the edges between them.

A node keeps references to the arrays its backward kernel reads (found in `kernels.BackwardPlan`), the version each had,
and the edges to the nodes of its inputs. Nothing here computes; `backward.py` walks what this file records.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core import errors
from torchlike._core.kernels import BackwardPlan, Kernel, differentiable
from torchlike._core.tensor_state import Extra, TensorBase, modes

Edge = tuple["Node", int]

_sequence = itertools.count()
# Leaves accumulate as soon as their gradient is complete, before any other node that is ready.
_leaf_sequence = itertools.count(2**62)


class Node:
    """One recorded operation. ``edges`` leads to the nodes of its differentiated inputs (None: not differentiated)."""

    __slots__ = ("__weakref__", "_metadata", "edges", "hooks", "pre_hooks", "retained", "sequence", "tensor_hooks")

    edges: tuple[Edge | None, ...]
    outputs = 1

    def __init__(self, edges: tuple[Edge | None, ...], sequence: int | None = None) -> None:
        self.edges = edges
        self.sequence = next(_sequence) if sequence is None else sequence
        # Rarely used, hence made on demand: hooks on the node, on its output gradients, and tensors that retain theirs.
        self.hooks: dict[int, Callable[..., Any]] | None = None
        self.pre_hooks: dict[int, Callable[..., Any]] | None = None
        self.tensor_hooks: dict[int, dict[int, Callable[..., Any]]] | None = None
        self.retained: dict[int, weakref.ref[TensorBase]] | None = None
        self._metadata: dict[Any, Any] | None = None

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        """Return one gradient an edge, given the gradients of the outputs (None where there is none)."""
        raise NotImplementedError

    def release(self) -> None:
        """Drop what was saved for the backward."""

    def name(self) -> str:
        """Return the name PyTorch gives to this kind of node."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of the inputs, each with the number of the output that the input was."""
        return tuple((None, 0) if edge is None else edge for edge in self.edges)

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's own notes on this node."""
        if self._metadata is None:
            self._metadata = {}
        return self._metadata

    def register_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(grad_inputs, grad_outputs)`` after this node ran; what it returns replaces ``grad_inputs``."""
        if self.hooks is None:
            self.hooks = {}
        return Handle(self.hooks, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook(grad_outputs)`` before this node runs; what it returns replaces ``grad_outputs``."""
        if self.pre_hooks is None:
            self.pre_hooks = {}
        return Handle(self.pre_hooks, hook)

    def _sequence_nr(self) -> int:
        return self.sequence

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self))}>"


class Handle:
    """What registering a hook returns: ``remove()`` takes the hook out again; also a context manager."""

    _ids = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Any, *extra: dict[int, Any]) -> None:
        self.id = next(Handle._ids)
        self._hooks = hooks
        self._extra = extra
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook out; doing it twice is harmless."""
        self._hooks.pop(self.id, None)
        for other in self._extra:
            other.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class OpNode(Node):
    """The node of an operator's kernel."""

    __slots__ = ("guards", "kernel", "metas", "outputs", "plan", "saved", "slots")

    def __init__(self, kernel: Kernel, plan: BackwardPlan, edges: tuple[Edge | None, ...]) -> None:
        self.edges = edges
        self.sequence = next(_sequence)
        self.hooks = self.pre_hooks = self.tensor_hooks = self.retained = self._metadata = None
        self.kernel = kernel
        self.plan = plan
        self.saved: tuple[Any, ...] | None = None
        # (storage, version when saved, producer, number of its output). An output of this very node has the number
        # -1 - n and no producer, since a node that held itself would not die by its reference count.
        self.guards: list[tuple[Any, int, Node | None, int]] = []
        self.metas: tuple[Any, ...] = ()
        self.slots: tuple[int, ...] = ()
        self.outputs = 1

    def name(self) -> str:
        return self.kernel.node

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of all tensor inputs, (None, 0) for those without gradient."""
        found: dict[int, Any] = dict(zip(self.plan.mask, self.edges, strict=True))
        return tuple(found.get(slot) or (None, 0) for slot in self.slots or self.plan.mask)

    def release(self) -> None:
        if self.saved:
            self.saved = None
            self.guards = []

    def check_saved(self) -> tuple[Any, ...]:
        """Return the saved arrays, or raise PyTorch's error for those freed or overwritten since."""
        if self.saved is None:
            raise freed_graph()
        for storage, version, producer, number in self.guards:
            if storage.version != version:
                _raise_modified(storage, version, *((self, -1 - number) if number < 0 else (producer, number)))
        return self.saved


def _raise_modified(storage: Any, version: int, producer: Node | None, number: int) -> None:
    origin = "" if producer is None else f", which is output {number} of {producer.name()},"
    kind = errors.scalar_type(storage.geometry.dtype)
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{kind}Tensor {list(storage.geometry.size)}]{origin} is at version {storage.version}; expected version {version}"
        " instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, with"
        " torch.autograd.set_detect_anomaly(True)."
    )


def freed_graph() -> RuntimeError:
    """PyTorch's error for a second walk over a graph."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already"
        " been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad()."
        " Specify retain_graph=True if you need to backward through the graph a second time or if you need to access"
        " saved tensors after calling backward."
    )


class Walked(Node):
    """The history of a tensor whose graph was walked inside a compiled function: a name, and nothing to walk again."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__(())
        self._name = name

    def name(self) -> str:
        return self._name

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        raise freed_graph()


class AccumulateGrad(Node):
    """The end of an edge: adds what arrives to the ``grad`` of a leaf."""

    __slots__ = ("variable",)

    def __init__(self, variable: TensorBase) -> None:
        super().__init__((), next(_leaf_sequence))
        self.variable = variable


class ToDevice(Node):
    """The node of a copy between devices."""

    __slots__ = ("device",)

    def __init__(self, edge: Edge, device: Any) -> None:
        super().__init__((edge,))
        self.device = device

    def name(self) -> str:
        return "ToCopyBackward0"


def extra_of(tensor: TensorBase) -> Extra:
    """The rarely used autograd state of a tensor, made at the first use."""
    if tensor._extra is None:
        tensor._extra = Extra()
    return tensor._extra


def accumulator(leaf: TensorBase) -> AccumulateGrad:
    """The one AccumulateGrad node of a leaf, alive as long as a graph refers to it."""
    extra = extra_of(leaf)
    node = None if extra.accumulator is None else extra.accumulator()
    if node is None:
        node = AccumulateGrad(leaf)
        extra.accumulator = weakref.ref(node)
    return node


def requires_grad(tensor: TensorBase) -> bool:
    """Whether a tensor takes part in a graph; a view does as soon as its base does."""
    return tensor._requires_grad or (tensor._base is not None and tensor._base._requires_grad and _follows_base(tensor))


def _follows_base(tensor: TensorBase) -> bool:
    return differentiable(tensor._storage.array.dtype)


def gradient_edge(tensor: TensorBase) -> Edge | None:
    """Where the gradient of a tensor goes: its producer, or the accumulator of a leaf."""
    if tensor._base is not None:
        refresh_view(tensor)
    if tensor._grad_fn is not None:
        return tensor._grad_fn, tensor._output_nr
    if tensor._requires_grad:
        return accumulator(tensor), 0
    return None


def refresh_view(view: TensorBase) -> None:
    """Give a view the history of its base again if the base was written to since (PyTorch regenerates it so, too)."""
    if view._view_version == view._storage.version:
        return
    base = view._base
    assert base is not None
    if base._grad_fn is not None and not (view._grad_fn is None and view._requires_grad):
        view._grad_fn = regenerate(view)
        view._output_nr = 0
        view._requires_grad = True
    view._view_version = view._storage.version


def check_inplace(tensor: TensorBase) -> None:
    """Refuse the in-place writes that autograd refuses, in PyTorch's words."""
    if not modes.grad:
        return
    base = tensor._base
    if base is None:
        if tensor._grad_fn is None and tensor._requires_grad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        return
    if not requires_grad(tensor) and not base._requires_grad:
        return
    creation = "default" if tensor._extra is None else tensor._extra.creation
    if creation != "default":
        _raise_creation(tensor, creation)
    if base._grad_fn is None and base._requires_grad:
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")


def _raise_creation(tensor: TensorBase, creation: str) -> None:
    """A view that autograd cannot follow an in-place write through."""
    refresh_view(tensor)
    node = tensor._grad_fn
    what = (
        "A view was created in no_grad mode"
        if node is None
        else f"Output {tensor._output_nr} of {node.name()} is a view"
    )
    if creation == "multi_output":
        raise RuntimeError(
            f"{what} and is being modified inplace. This view is the output of a function that returns multiple views. Such"
            " functions do not allow the output views to be modified inplace. You should replace the inplace operation by an"
            " out-of-place one."
        )
    if creation == "no_grad":
        raise RuntimeError(
            f"{what} and is being modified inplace with grad mode enabled. Given that this use case is ambiguous and error-prone,"
            " it is forbidden. You can clarify your code by moving both the view and the inplace either both inside the no_grad"
            " block (if you don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked)."
        )
    raise RuntimeError(
        f"{what} and is being modified inplace. This view was created inside a custom Function (or because an input was returned"
        " as-is) and the autograd logic to handle view+inplace would override the custom backward associated with the custom"
        " Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the"
        " custom Function."
    )


def record_view(kernel: Kernel, aval: Any, edge: Edge, count: int) -> OpNode:
    """Record a view operator, whose kernel did not run: its backward reads shapes only."""
    plan = kernel.backwards.get((0,))
    key = (tuple(aval.shape), aval.dtype)
    if plan is None or key not in plan.seen:
        outs = kernel.outputs([aval])
        plan = kernel.backward_plan((0,), [aval], tuple(outs) if isinstance(outs, tuple) else (outs,))
        plan.seen[key] = plan.metas([aval], tuple(outs) if isinstance(outs, tuple) else (outs,))
    node = OpNode(kernel, plan, (edge,))
    node.saved = ()
    node.metas = plan.seen[key]
    node.outputs = count
    return node


# Set by backward.py, which knows how to differentiate a strided view.
regenerate: Callable[[TensorBase], Node]


def record(
    kernel: Kernel,
    values: Sequence[Any],
    positions: Sequence[int],
    operands: Sequence[Any],
    outs: tuple[Any, ...],
    storages: Sequence[Any],
    bump: int = 0,
) -> OpNode | None:
    """Record a kernel that ran: ``positions`` are those of the tensors among ``operands``, ``values`` their arrays.

    ``storages`` hold the outputs; ``bump`` is what an in-place operator is about to add to the version of its output.
    Returns None when no operand takes part in a graph.
    """
    mask, edges = [], []
    for i in positions:
        tensor = operands[i]
        if tensor._requires_grad or tensor._base is not None:
            edge = gradient_edge(tensor)
            if edge is not None and differentiable(values[i].dtype):
                mask.append(i)
                edges.append(edge)
    if not mask:
        return None
    key = tuple(mask)
    plan = kernel.backwards.get(key)
    if plan is None or plan.epoch != kernel.epoch:
        plan = kernel.backward_plan(key, values, outs)
    node = OpNode(kernel, plan, tuple(edges))
    saved = []
    guards = node.guards
    for i in plan.inputs:
        saved.append(values[i])
        tensor = operands[i]
        # What an in-place operator overwrites is kept as it was: arrays are immutable, no check is needed.
        if isinstance(tensor, TensorBase) and not (bump and i == 0):
            storage = tensor._storage
            guards.append((storage, storage.version, tensor._grad_fn, tensor._output_nr))
    for i in plan.outputs:
        saved.append(outs[i])
        guards.append((storages[i], storages[i].version + bump, None, -1 - i))
    node.saved = tuple(saved)
    if plan.loose or plan.loose_outputs:
        node.metas = plan.metas(values, outs)
    node.outputs = len(outs)
    return node


def grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return modes.grad


def register_tensor_hook(tensor: TensorBase, hook: Callable[..., Any]) -> Handle:
    """Call ``hook(grad)`` when the gradient of a tensor is complete: kept by its node, by a leaf itself."""
    edge = gradient_edge(tensor)
    if edge is None or isinstance(edge[0], AccumulateGrad):
        extra = extra_of(tensor)
        if extra.hooks is None:
            extra.hooks = {}
        return Handle(extra.hooks, hook)
    node, number = edge
    if node.tensor_hooks is None:
        node.tensor_hooks = {}
    return Handle(node.tensor_hooks.setdefault(number, {}), hook)


def retain(tensor: TensorBase) -> None:
    """Let the node of a tensor that is not a leaf leave the gradient in its ``grad``."""
    edge = gradient_edge(tensor)
    assert edge is not None
    node, number = edge
    if node.retained is None:
        node.retained = {}
    node.retained[number] = weakref.ref(tensor)
    extra_of(tensor).retains_grad = True
