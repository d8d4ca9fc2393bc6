"""The tape: graph nodes that operators leave behind, and the edges between them.

A node keeps references to the arrays its backward kernel reads (found in `kernels.BackwardPlan`), the version each had,
and the edges to the nodes of its inputs. Nothing here computes; `backward.py` walks what this file records, and
`history.py` knows what views and in-place writes do to it.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core.kernels import BackwardPlan, Kernel, differentiable
from torchlike._core.storage import Counter
from torchlike._core.tensor_state import Extra, TensorBase, modes

Edge = tuple["Node", int]

_sequence = itertools.count()
# Leaves accumulate as soon as their gradient is complete, before any other node that is ready.
_LEAF_SEQUENCE = 2**64 - 1


class Extras:
    """What few nodes have: hooks on the node, on the gradients of its outputs, tensors that retain theirs, notes."""

    __slots__ = ("hooks", "metadata", "pre_hooks", "retained", "tensor_hooks")

    def __init__(self) -> None:
        self.hooks: dict[int, Callable[..., Any]] = {}
        self.pre_hooks: dict[int, Callable[..., Any]] = {}
        self.tensor_hooks: dict[int, dict[int, Callable[..., Any]]] = {}  # by the number of the output
        self.retained: dict[int, weakref.ref[TensorBase]] = {}
        self.metadata: dict[Any, Any] = {}


class Node:
    """One recorded operation. ``edges`` leads to the nodes of its differentiated inputs (None: not differentiated)."""

    __slots__ = ("__weakref__", "edges", "extras", "sequence")

    edges: tuple[Edge | None, ...]
    outputs = 1
    requires_grad = True
    # Whether ``apply`` is called even when no gradient reached the node (custom functions are given zeros then).
    always = False

    def __init__(self, edges: tuple[Edge | None, ...], sequence: int | None = None) -> None:
        self.edges = edges
        self.sequence = next(_sequence) if sequence is None else sequence
        self.extras: Extras | None = None
        if watching.anomaly:
            watching.note(self)

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        """Return one gradient an edge, given the gradients of the outputs (None where there is none)."""
        raise NotImplementedError

    def __call__(self, *grads: Any) -> Any:
        """Run this node on its own, recorded as any other operation."""
        raise NotImplementedError

    def release(self) -> None:
        """Drop what was saved for the backward."""

    def name(self) -> str:
        """Return the name PyTorch gives to this kind of node."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name == "NotImplemented" else name

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of the inputs, each with the number of the output that the input was."""
        return tuple((None, 0) if edge is None else edge for edge in self.edges)

    def edge_places(self) -> Sequence[int]:
        """The position of each edge among ``next_functions``."""
        return range(len(self.edges))

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's own notes on this node."""
        return extras_of(self).metadata

    def register_hook(self, fn: Callable[..., Any]) -> Handle:
        """Call ``fn(grad_inputs, grad_outputs)`` after this node ran; what it returns replaces ``grad_inputs``."""
        return Handle(extras_of(self).hooks, fn)

    def register_prehook(self, fn: Callable[..., Any]) -> Handle:
        """Call ``fn(grad_outputs)`` before this node runs; what it returns replaces ``grad_outputs``."""
        return Handle(extras_of(self).pre_hooks, fn)

    def _sequence_nr(self) -> int:
        return self.sequence

    def _set_sequence_nr(self, number: int) -> None:
        self.sequence = number

    def __repr__(self) -> str:
        return f"<{self.name().rpartition(':')[2]} object at {hex(id(self))}>"


def extras_of(node: Node) -> Extras:
    """The rarely used part of a node, made at the first use."""
    if node.extras is None:
        node.extras = Extras()
    return node.extras


_named: dict[tuple[type[Node], str], type[Node]] = {}


def named(kind: type[Any], name: str) -> Any:
    """A kind of node under the name PyTorch gives it: programs read ``type(y.grad_fn).__name__``."""
    found = _named.get((kind, name))
    if found is None:
        found = _named[kind, name] = type(name, (kind,), {"__slots__": (), "__module__": "builtins"})
    return found


class Watching:
    """Who wants to know of what is recorded: anomaly mode, hooks on saved tensors, tensors made in inference mode.

    ``alert`` is true as soon as there is anybody at all; the rest is looked at only then.
    """

    def __init__(self) -> None:
        self.alert = False
        self.anomaly = False
        self.check_nan = True
        self.inference = 0  # blocks of inference mode active in any thread
        self.hooked = 0  # blocks with hooks on saved tensors active in any thread
        self.made = 0  # function transforms and blocks of inference mode: who wants to know of new tensors
        # Set by autograd/anomaly_mode.py: notes where a node was made.
        self.note: Callable[[Node], None] = lambda node: None
        self.explain: Callable[[Node], None] = lambda node: None
        # Set by saved.py: what record() made, to be looked at.
        self.look: Callable[..., None] = lambda *_: None

    def update(self, *, inferred: bool = False) -> None:
        """Work out ``alert`` again; once there were inference tensors it stays."""
        self._inferred = inferred or getattr(self, "_inferred", False)
        self.alert = bool(self.anomaly or self.hooked or self._inferred)


watching = Watching()


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


# Nodes that are part of PyTorch's engine, and say so.
_OF_THE_ENGINE = frozenset({"CopyBackwards", "CopySlices", "NotImplemented"})


class OpNode(Node):
    """The node of an operator's kernel."""

    __slots__ = ("guards", "kernel", "metas", "outputs", "plan", "saved", "slots")

    def __init__(self, kernel: Kernel, plan: BackwardPlan, edges: tuple[Edge | None, ...]) -> None:
        self.edges = edges
        self.sequence = next(_sequence)
        self.extras = None
        self.kernel = kernel
        self.plan = plan
        self.saved: tuple[Any, ...] | None = None
        # (storage, version when saved, tensor, its position) of each saved input, and (storage, version, None, its
        # number) of
        # each saved output: a node that held its own output would not die by its reference count.
        # Where the storage has a counter, the version is -1 - the counted one, which is never the storage's own.
        self.guards: list[tuple[Any, int, TensorBase | None, int]] = []
        self.metas: tuple[Any, ...] = ()
        self.slots: tuple[int, ...] = ()
        self.outputs = 1

    def name(self) -> str:
        name = type(self).__name__
        return f"torch::autograd::{name}" if name in _OF_THE_ENGINE else name

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of all tensor inputs, (None, 0) for those without gradient."""
        found: dict[int, Any] = dict(zip(self.plan.mask, self.edges, strict=True))
        return tuple(found.get(slot) or (None, 0) for slot in self.slots or self.plan.mask)

    def edge_places(self) -> Sequence[int]:
        """The position of each edge among ``next_functions``."""
        slots = self.slots or self.plan.mask
        return [slots.index(i) for i in self.plan.mask]

    def release(self) -> None:
        if self.saved:
            self.saved = None
            self.guards = []


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
        self.edges = ()
        self.sequence = next(_sequence)
        self.extras = None
        self._name = name

    def name(self) -> str:
        return self._name

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        raise freed_graph()


class Severed(Node):
    """A node that leads nowhere: its inputs are views made where nothing was recorded, of tensors that require grad."""

    __slots__ = ("outputs", "slots")

    def __init__(self, outputs: int, slots: Sequence[int]) -> None:
        super().__init__(())
        self.outputs = outputs
        self.slots = slots

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """None for every input."""
        return ((None, 0),) * len(self.slots)

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        return ()


class AccumulateGrad(Node):
    """The end of an edge: adds what arrives to the ``grad`` of a leaf."""

    __slots__ = ("variable",)

    def __init__(self, variable: TensorBase) -> None:
        super().__init__((), _LEAF_SEQUENCE)
        self.variable = variable

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"


class Input(Node):
    """The beginning of what a transform differentiates; the gradient goes on to where the argument came from."""

    __slots__ = ()

    def __init__(self, edge: Edge) -> None:
        super().__init__((edge,))

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        return grads


class Underivable(Node):
    """The node of an operation whose derivative PyTorch does not have."""

    __slots__ = ("function",)

    def __init__(self, function: str, edges: tuple[Edge | None, ...]) -> None:
        super().__init__(edges)
        self.function = function

    def name(self) -> str:
        return "torch::autograd::NotImplemented"

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        raise RuntimeError(f"derivative for {self.function} is not implemented")


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
    return tensor._requires_grad or (tensor._base is not None and tensor._base._requires_grad)


def _no_history(view: TensorBase) -> None:
    raise NotImplementedError


# Set by history.py: gives a view the history of its base again if the base was written to since.
refresh_view: Callable[[TensorBase], None] = _no_history


def gradient_edge(tensor: TensorBase) -> Edge | None:
    """Where the gradient of a tensor goes: its producer, or the accumulator of a leaf."""
    if tensor._base is not None:
        refresh_view(tensor)
    if tensor._grad_fn is not None:
        return tensor._grad_fn, tensor._output_nr
    if tensor._requires_grad and not (tensor._extra is not None and tensor._extra.inference):
        return accumulator(tensor), 0
    return None


def is_severed(tensor: TensorBase) -> bool:
    """Whether a tensor without an edge requires grad all the same, through its base (inference tensors never do)."""
    return requires_grad(tensor) and not (tensor._extra is not None and tensor._extra.inference)


def _nothing_to_note(tensor: TensorBase) -> None:
    pass


# Set by levels.py: notes inside which function transform a tensor was made.
note_made: Callable[[TensorBase], None] = _nothing_to_note


def note_view(view: TensorBase, tensor: TensorBase, creation: str = "default") -> None:
    """Note how a view of a tensor came to be, if that restricts what may be written through it."""
    extra = tensor._extra
    if extra is not None and extra.inference:
        view._base = None
        extra_of(view).inference = True
        return
    if extra is not None and extra.counter is not None:
        extra_of(view).counter = extra.counter
    if not modes.grad:
        creation = "inference" if modes.inference else "no_grad"
    elif creation == "default" and extra is not None:
        creation = extra.creation
    if creation != "default":
        extra_of(view).creation = creation


# ---------------------------------------------------------------------------------------------------------------------
# Versions


def version_of(tensor: TensorBase) -> int:
    """How often a tensor was written to as far as autograd counts it."""
    storage = tensor._storage
    if storage.counter is None:
        return storage.version
    return (_own_counter(tensor) or storage.counter).n


def _own_counter(tensor: TensorBase) -> Counter | None:
    """The version counter of a tensor, or of its base, that is not the storage's."""
    extra = tensor._extra
    if extra is not None and extra.counter is not None:
        return extra.counter
    return None if tensor._base is None else _own_counter(tensor._base)


def count(tensor: TensorBase) -> None:
    """Count a write that the storage has counted, where not all its tensors count alike; refuse inference tensors."""
    extra = tensor._extra
    if extra is not None and extra.inference and extra.counter is None and not modes.inference:
        # As in PyTorch, it is noticed when all is done.
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a"
            " normal"
            " tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    main = tensor._storage.counter
    if main is not None:
        (_own_counter(tensor) or main).n += 1


def _main_counter(storage: Any) -> Counter:
    if storage.counter is None:
        storage.counter = Counter(storage.version)
    return storage.counter


def count_storage_apart(storage: Any) -> None:
    """Let the tensors of a storage not count the writes to it that follow, except those that are counted for them."""
    _main_counter(storage)


def count_apart(tensor: TensorBase) -> None:
    """Let a tensor count its versions from zero, apart from the others on its storage."""
    _main_counter(tensor._storage)
    extra_of(tensor).counter = Counter(0)


def keep_counter(tensor: TensorBase, storage: Any) -> None:
    """Let a tensor that is about to look at another storage keep its version counter."""
    counter = _own_counter(tensor) or _main_counter(tensor._storage)
    _main_counter(storage)
    extra_of(tensor).counter = counter


def share_versions(tensor: TensorBase, source: TensorBase) -> None:
    """Let a tensor count as ``source``, on whose memory it is."""
    if source._storage.counter is not None:
        counter = _own_counter(source)
        if counter is not None:
            extra_of(tensor).counter = counter


# ---------------------------------------------------------------------------------------------------------------------
# Recording


def record_view(kernel: Kernel, aval: Any, edge: Edge | None, count: int) -> Node:
    """Record a view operator, whose kernel did not run: its backward reads shapes only."""
    if edge is None:
        return named(Severed, kernel.node)(count, (0,))
    plan = kernel.backwards.get((0,) if count == 1 else (0, -count))
    key = (tuple(aval.shape), aval.dtype)
    if plan is None or key not in plan.seen:
        outs = kernel.outputs([aval])
        plan = kernel.backward_plan((0,), [aval], tuple(outs) if isinstance(outs, tuple) else (outs,))
        plan.seen[key] = plan.metas([aval], tuple(outs) if isinstance(outs, tuple) else (outs,))
    node: OpNode = named(OpNode, kernel.node.rpartition("::")[2])(kernel, plan, (edge,))
    node.saved = ()
    node.metas = plan.seen[key]
    node.outputs = count
    if watching.anomaly:
        watching.note(node)
    return node


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
    mask: list[int] = []
    edges: list[Edge] = []
    severed = False
    for i in positions:
        tensor = operands[i]
        if tensor._base is None:
            if tensor._grad_fn is not None:
                mask.append(i)
                edges.append((tensor._grad_fn, tensor._output_nr))
            elif tensor._requires_grad and (tensor._extra is None or not tensor._extra.inference):
                mask.append(i)
                edges.append((accumulator(tensor), 0))
        else:
            edge = gradient_edge(tensor)
            if edge is None:
                severed = severed or is_severed(tensor)
            elif differentiable(values[i].dtype):
                mask.append(i)
                edges.append(edge)
    if not mask:
        if not severed or not any(differentiable(o.dtype) for o in outs):
            return None
        return named(Severed, kernel.node)(len(outs), positions)
    differentiated = tuple(mask)
    plan = kernel.backwards.get(differentiated if len(outs) == 1 else (*differentiated, -len(outs)))
    if plan is None or plan.epoch != kernel.epoch:
        plan = kernel.backward_plan(differentiated, values, outs)
    if plan.nothing:
        return None
    kind = plan.kind
    if kind is None:
        kind = plan.kind = named(OpNode, kernel.node.rpartition("::")[2])
    node: OpNode = kind(kernel, plan, tuple(edges))
    saved = []
    guards = node.guards
    for i in plan.inputs:
        saved.append(values[i])
        tensor = operands[i]
        # What an in-place operator overwrites is kept as it was: arrays are immutable, no check is needed.
        if isinstance(tensor, TensorBase) and not (bump and i == 0):
            storage = tensor._storage
            guards.append((storage, storage.version if storage.counter is None else -1 - version_of(tensor), tensor, i))
    for i in plan.outputs:
        saved.append(outs[i])
        storage = storages[i]
        version = storage.version if storage.counter is None else -1 - version_of(operands[0])
        guards.append((storage, version + bump if version >= 0 else version - bump, None, i))
    node.saved = tuple(saved)
    if plan.loose or plan.loose_outputs:
        node.metas = plan.metas(values, outs)
    node.outputs = len(outs)
    if watching.alert:
        watching.look(node, operands, outs, bump)
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
    return Handle(extras_of(node).tensor_hooks.setdefault(number, {}), hook)


def retain(tensor: TensorBase) -> None:
    """Let the node of a tensor that is not a leaf leave the gradient in its ``grad``."""
    edge = gradient_edge(tensor)
    assert edge is not None
    node, number = edge
    extras_of(node).retained[number] = weakref.ref(tensor)
    extra_of(tensor).retains_grad = True


def move_retained(tensor: TensorBase, old: Node | None, number: int) -> None:
    """After a tensor got another history: its new node leaves the gradient in ``grad``, the old one no longer does."""
    if old is not None and old.extras is not None:
        old.extras.retained.pop(number, None)
    if tensor._grad_fn is not None:
        extras_of(tensor._grad_fn).retained[tensor._output_nr] = weakref.ref(tensor)
