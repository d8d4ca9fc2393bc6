"""The engine: walks the tape from the roots to the leaves, one kernel a node.

Gradients travel as plain jax arrays; with ``create_graph`` they travel as tensors and every kernel is recorded again,
so that a second derivative is the same walk over the nodes that the first one left behind.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from sys import getrefcount
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch, errors, layout, saved, tape, views
from torchlike._core.halves import rounded
from torchlike._core.history import add, compute, zeros_like
from torchlike._core.hooks import as_tensor, retain, run_post_hooks, run_pre_hooks, run_tensor_hooks
from torchlike._core.kernels import Kernel, Passing, cast, run, run_over
from torchlike._core.storage import Storage
from torchlike._core.tape import AccumulateGrad, Edge, Node, OpNode, watching
from torchlike._core.tensor_state import TensorBase, modes

__all__ = [
    "as_tensor",
    "check_gradient",
    "compute",
    "implicit_gradient",
    "retain",
    "run_backward",
    "running",
    "saved_tensor",
    "zeros_like",
]


_FIRST = (0,)


def apply_op(node: OpNode, grads: list[Any], create_graph: bool) -> Sequence[Any]:
    """Run the backward kernel of an operator's node."""
    kept = saved.arrays_of(node)
    plan = node.plan
    if plan.single:
        given: Sequence[Any] = grads
        kernel = plan.kernels.get((node.metas, _FIRST)) or plan.backward(node.metas, _FIRST, given)
    else:
        present = tuple([i for i, g in enumerate(grads) if g is not None])
        given = [g for g in grads if g is not None]
        kernel = plan.backward(node.metas, present, given)
    if not create_graph:
        if kernel.passing is not None:
            return _pass_on(kernel, kernel.passing, given)
        outs: Sequence[Any] = run(kernel, [*kept, *given])
        return outs
    edges = dict(zip(plan.mask, node.edges, strict=True))
    operands: list[Any] = [saved_tensor(x, edges.get(i)) for i, x in zip(plan.inputs, kept, strict=False)]
    split = len(plan.inputs)
    operands.extend(saved_tensor(x, (node, i)) for i, x in zip(plan.outputs, kept[split:], strict=True))
    return dispatch.apply(kernel, [*operands, *given])


def _pass_on(kernel: Kernel, passing: Passing, grads: Sequence[Any]) -> Sequence[Any]:
    """The results of a backward kernel some of which are just its gradients."""
    if any([g.dtype != dtype for g, dtype in zip(grads, passing.dtypes, strict=True)]):
        outs: Sequence[Any] = run(kernel, grads)
        return outs
    computed = iter(() if passing.rest is None else run(passing.rest, grads))
    assert running.task is not None
    shared = running.task.shared
    found = []
    for place in passing.places:
        if place is None:
            found.append(next(computed))
        else:
            found.append(grads[place])
            shared.add(id(grads[place]))
    return found


def saved_tensor(x: Any, edge: Edge | None) -> Any:
    """A saved array as a tensor with the history that the saved input or output had."""
    if not hasattr(x, "aval"):
        return x
    tensor = dispatch.wrap(x)
    if edge is not None:
        tensor._grad_fn, tensor._output_nr = edge
        tensor._requires_grad = True
    return tensor


OpNode.apply = apply_op  # type: ignore[assignment, method-assign]


# ---------------------------------------------------------------------------------------------------------------------
# Leaves

_accumulating = threading.Lock()
_copied = Kernel(lambda _, grad: grad, "copy", "CopyBackwards")
_cloned = Kernel(lambda grad: grad, "clone", "CloneBackward0")


def accumulate(node: AccumulateGrad, grads: list[Any], create_graph: bool) -> Sequence[Any]:
    """Add a gradient to a leaf's ``grad``: the first one becomes it, later ones are added in place."""
    (grad,) = grads
    leaf = node.variable
    if grad is None or not tape.requires_grad(leaf):
        return ()
    with _accumulating:
        before = leaf._grad
        if before is None:
            if not create_graph and running.task is not None and id(grad) in running.task.shared:
                grad = run(_cloned, [grad])
            leaf._grad = _first_grad(grad, leaf, create_graph)
        elif create_graph:
            leaf._grad = dispatch.apply(add, [before, grad])
        else:
            _add_to(before, grad)
    extra = leaf._extra
    if extra is not None and extra.post_accumulate_hooks:
        for hook in tuple(extra.post_accumulate_hooks.values()):
            errors.check(hook(leaf) is None, "Tensor post accumulate grad hooks should return None.")
    return ()


def _add_to(before: Any, grad: Any) -> None:
    """Add a gradient in place, where the old one lies if nothing else refers to its memory."""
    storage = before._storage
    if before._geometry is None and type(storage) is Storage and storage.counter is None:
        array = storage.array
        # The storage, the name and getrefcount's argument hold it.
        owned = getrefcount(array) <= 3 and not isinstance(array, jax.core.Tracer)
        storage.array = (run_over if owned else run)(add, [array, grad])
        storage.version += 1
    else:
        dispatch.write(before, run(add, [dispatch.array_of(before), grad]))


def _first_grad(grad: Any, leaf: TensorBase, create_graph: bool) -> TensorBase:
    """The gradient as the ``grad`` of a leaf: it lies in memory as the leaf does, if that is dense."""
    geometry = leaf._geometry
    stride = leaf._storage.stride
    if geometry is not None:
        dense = views.dense_order(geometry.size, geometry.stride) is not None
        stride = geometry.stride if dense and not geometry.is_contiguous else None
    else:
        dense = True
    if not create_graph:
        return dispatch.wrap(grad, stride)
    result = dispatch.apply(_copied, [None, grad]) if dense else dispatch.apply(_cloned, [grad])
    if dense and result._grad_fn is not None:
        result._grad_fn.slots = (0, 1)
    if stride is not None:
        result._storage.replace(result._storage.array, stride)
    return result


AccumulateGrad.apply = accumulate  # type: ignore[assignment, method-assign]


def to_device(node: tape.ToDevice, grads: list[Any], create_graph: bool) -> Sequence[Any]:
    """Bring a gradient back to the device that the value came from."""
    (grad,) = grads
    return [dispatch.move(grad, node.device) if create_graph else layout.put(grad, node.device)]


tape.ToDevice.apply = to_device  # type: ignore[assignment, method-assign]


def call_node(node: Node, *grads: Any) -> Any:
    """``grad_fn(*grads)``: run one node on its own, recorded as any other operation."""
    if len(grads) != node.outputs:
        raise TypeError(f"expected {node.outputs} arguments, got {len(grads)} instead")
    for index, grad in enumerate(grads):
        if grad is not None and not isinstance(grad, TensorBase):
            raise TypeError(f"argument {index} is not a Variable")
    outs = _run_node(Task(True, True), node, list(grads))
    results: list[Any] = [None] * len(node.next_functions)
    for place, out in zip(node.edge_places(), outs or (), strict=False):
        results[place] = out
    return results[0] if len(results) == 1 else tuple(results)


Node.__call__ = call_node  # type: ignore[assignment, method-assign]


# ---------------------------------------------------------------------------------------------------------------------
# The walk


class Task:
    """One backward in progress."""

    _ids = itertools.count()

    def __init__(self, retain_graph: bool, create_graph: bool) -> None:
        self.id = next(Task._ids)
        self.retain_graph = retain_graph
        self.create_graph = create_graph
        self.wanted: set[Node] | None = None  # None: every node
        self.needed: set[Node] | None = None  # the wanted ones that are run, not only asked for their gradient
        self.roots: Sequence[Edge] = ()
        self.shared: set[int] = set()  # ids of gradients that may be held elsewhere: a leaf gets a copy
        self.callbacks: list[Callable[[], Any]] = []
        self.node: Node | None = None

    @property
    def seen(self) -> dict[Node, int]:
        """Every node of the graph, with the number of edges that lead to it."""
        return _count_edges([node for node, _ in self.roots])


class _Running(threading.local):
    task: Task | None = None
    depth = 0


running = _Running()

# A backward inside a backward goes on in a thread of its own when it is so deep, so that Python's stack suffices.
_DEEP = 30


def run_backward(
    roots: Sequence[Edge],
    gradients: Sequence[Any],
    *,
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Edge] | None = None,
    accumulate_inputs: bool = False,
) -> list[Any]:
    """Propagate ``gradients`` of ``roots`` through the graph.

    Without ``inputs`` every leaf accumulates. With them only what leads to them runs, and the gradient that reaches
    each is returned (None where none does); ``accumulate_inputs`` lets the leaves among them accumulate instead.
    """
    task = Task(retain_graph, create_graph)
    outer, previous = running.task, modes.grad
    arguments = (task, roots, gradients, inputs, accumulate_inputs)
    running.depth += 1
    try:
        if running.depth % _DEEP == 0:
            return _in_thread(running.depth, arguments)
        running.task = task
        modes.grad = create_graph
        return _walk(*arguments)
    finally:
        modes.grad = previous
        running.task = outer
        running.depth -= 1


def _in_thread(depth: int, arguments: tuple[Any, ...]) -> list[Any]:
    state = dict(vars(modes))
    outcome: list[Any] = []

    def work() -> None:
        vars(modes).update(state)
        running.depth = depth + 1
        running.task = arguments[0]
        modes.grad = arguments[0].create_graph
        try:
            outcome.append((_walk(*arguments), None))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            outcome.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    ((found, error),) = outcome
    if error is not None:
        raise error
    return found


def _walk(
    task: Task, roots: Sequence[Edge], gradients: Sequence[Any], inputs: Sequence[Edge] | None, accumulate_inputs: bool
) -> list[Any]:
    create_graph, retain_graph = task.create_graph, task.retain_graph
    task.roots = roots
    pending: dict[Node, list[Any]] = {}
    for (node, number), grad in zip(roots, gradients, strict=True):
        _deliver(pending, node, number, grad, create_graph)
        task.shared.add(id(grad))
    if inputs is None and len(pending) == 1:
        pending = _walk_chain(task, pending)
    dependencies = _count_edges(pending)
    captures: dict[Node, list[int]] = {}
    captured: dict[Edge, Any] = {}
    wanted = needed = None
    if inputs is not None:
        wanted, needed = _leading_to([node for node, _ in inputs], dependencies, accumulate_inputs)
        task.wanted, task.needed = wanted, needed
        if not accumulate_inputs:
            for node, number in inputs:
                captures.setdefault(node, []).append(number)
    # The counter keeps the order of arrival among nodes of one sequence number, the leaves above all.
    arrival = itertools.count()
    ready = [(-node.sequence, next(arrival), node) for node in pending if not dependencies[node]]
    heapify(ready)
    while ready:
        node = heappop(ready)[2]
        grads = pending.pop(node, None)
        if wanted is not None and node not in wanted:
            continue
        if grads is None:
            grads = [None] * node.outputs
        else:
            for number, grad in enumerate(grads):
                if type(grad) is _Parts:
                    grads[number] = _sum(grad)
        if needed is not None:
            runs = node in needed
            if node in captures:
                if not runs:
                    grads = run_tensor_hooks(node, grads, create_graph)
                for number in captures[node]:
                    captured[node, number] = grads[number]
            if not runs:
                continue
        outs = _run_watched(task, node, grads) if watching.anomaly else _run_node(task, node, grads)
        grads = None
        if not retain_graph:
            node.release()
        for index, edge in enumerate(node.edges):
            if edge is None:
                continue
            target, number = edge
            if outs is not None:
                grad = outs[index]
                if grad is None:
                    pass
                elif target in pending or target.outputs != 1:
                    _deliver(pending, target, number, grad, create_graph)
                else:
                    pending[target] = [grad]
            left = dependencies[target] - 1
            dependencies[target] = left
            if not left:
                heappush(ready, (-target.sequence, next(arrival), target))
    for callback in task.callbacks:
        callback()
    found = [captured.get(edge) for edge in inputs or ()]
    if create_graph:
        return found
    return [run(_cloned, [grad]) if grad is not None and id(grad) in task.shared else grad for grad in found]


def _walk_chain(task: Task, pending: dict[Node, list[Any]]) -> dict[Node, list[Any]]:
    """Walk as long as one node leads to one node, which needs no counting; returns the nodes where that ends."""
    retain_graph = task.retain_graph
    ((node, grads),) = pending.items()
    if any([type(grad) is _Parts for grad in grads]):
        return pending
    while True:
        edges = node.edges
        if len(edges) > 1:
            return {node: grads}
        outs = _run_watched(task, node, grads) if watching.anomaly else _run_node(task, node, grads)
        if not retain_graph:
            node.release()
        if not edges or edges[0] is None:
            return {}
        node, number = edges[0]
        grads = [None] * node.outputs
        if outs is not None:
            grads[number] = outs[0]


def _run_node(task: Task, node: Node, grads: list[Any]) -> Sequence[Any] | None:
    """Run a node with its hooks; None stands for no gradient at all."""
    extras = node.extras
    create_graph = task.create_graph
    if extras is None:
        if type(node) is AccumulateGrad:
            extra = node.variable._extra
            if extra is not None and extra.hooks:
                grads = run_tensor_hooks(node, grads, create_graph)
    else:
        grads = run_pre_hooks(node, run_tensor_hooks(node, grads, create_graph), create_graph)
    if node.always or (grads and grads[0] is not None) or any([g is not None for g in grads]):
        outs: Sequence[Any] | None = node.apply(grads, create_graph)
    elif extras is None:
        return None
    else:
        outs = [None] * len(node.edges)
    if extras is not None and extras.hooks and outs is not None:
        outs = run_post_hooks(node, outs, grads, create_graph)
    return outs


def _run_watched(task: Task, node: Node, grads: list[Any]) -> Sequence[Any] | None:
    """Run a node in anomaly mode: an error, or a NaN, is traced back to the forward."""
    task.node = node
    try:
        outs = _run_node(task, node, grads)
        if watching.check_nan and outs is not None:
            for index, out in enumerate(outs):
                array = dispatch.array_of(out) if isinstance(out, TensorBase) else out
                if array is not None and jnp.issubdtype(array.dtype, jnp.inexact) and bool(jnp.isnan(array).any()):
                    raise RuntimeError(f"Function '{node.name()}' returned nan values in its {index}th output.")
    except Exception:
        watching.explain(node)
        raise
    return outs


# Small gradients that meet at one place are added up by one kernel, in the order in which they came.
_GATHER = 8
_GATHER_BELOW = 1 << 16


def _total(*parts: Any) -> Any:
    """The sum, rounded after each step."""
    kind = parts[0].dtype
    if kind not in (jnp.float16, jnp.bfloat16):
        return functools.reduce(operator.add, parts)
    total = parts[0].astype(jnp.float32)
    for part in parts[1:]:
        total = rounded(total + part.astype(jnp.float32), kind)
    return total.astype(kind)


_sums = {n: Kernel(_total, "add", "AddBackward0") for n in range(2, _GATHER + 1)}


class _Parts(list[Any]):
    """Gradients of one output that are still to be added up."""

    __slots__ = ()


def _deliver(pending: dict[Node, list[Any]], node: Node, number: int, grad: Any, create_graph: bool) -> None:
    slots = pending.get(node)
    if slots is None:
        slots = pending[node] = [None] * node.outputs
    there = slots[number]
    if there is None:
        slots[number] = grad
    elif create_graph:
        slots[number] = dispatch.apply(add, [there, grad])
    elif type(there) is _Parts:
        there.append(grad)
        if len(there) == _GATHER:
            slots[number] = _Parts([_sum(there)])
    elif grad.size < _GATHER_BELOW:
        slots[number] = _Parts((there, grad))
    else:
        slots[number] = run(add, [there, grad])


def _sum(parts: _Parts) -> Any:
    return run(_sums[len(parts)], parts) if len(parts) > 1 else parts[0]


def _count_edges(roots: Iterable[Node]) -> dict[Node, int]:
    """Return for every node of the graph how many edges lead to it."""
    found: dict[Node, int] = dict.fromkeys(roots, 0)
    stack = list(found)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None:
                target = edge[0]
                if target in found:
                    found[target] += 1
                else:
                    found[target] = 1
                    stack.append(target)
    return found


def _leading_to(targets: Sequence[Node], graph: dict[Node, int], run_targets: bool) -> tuple[set[Node], set[Node]]:
    """Return the targets with all nodes from which one can be reached, and those among them that are to be run."""
    parents: dict[Node, list[Node]] = {}
    for node in graph:
        for edge in node.edges:
            if edge is not None:
                parents.setdefault(edge[0], []).append(node)
    wanted = {node for node in targets if node in graph}
    needed = set(wanted) if run_targets else set()
    stack = list(wanted)
    while stack:
        for parent in parents.get(stack.pop(), ()):
            if parent not in needed:
                needed.add(parent)
                if parent not in wanted:
                    wanted.add(parent)
                    stack.append(parent)
    return wanted, needed


# ---------------------------------------------------------------------------------------------------------------------
# The gradients a walk starts with


def implicit_gradient(shape: tuple[int, ...], dtype: Any, device: Any) -> Any:
    """The gradient of a root for which none was given: one, if the root is a real scalar."""
    key = (shape, dtype, device)
    found = _ones.get(key)
    if found is None:
        errors.check(math.prod(shape) == 1, "grad can be implicitly created only for scalar outputs")
        errors.check(
            jnp.issubdtype(dtype, jnp.floating),
            f"grad can be implicitly created only for real scalar outputs but got torch.{dtype}",
        )
        found = layout.put(np.ones(shape, dtype), device)
        if not isinstance(found, jax.core.Tracer):
            _ones[key] = found
    return found


_ones: dict[Any, Any] = {}


def check_gradient(shape: tuple[int, ...], dtype: Any, grad: TensorBase, index: int) -> Any:
    """Check a caller's gradient against the output it belongs to; returns it in the output's type."""
    given = tuple(dispatch.shape_of(grad))
    errors.check(
        shape == given,
        f"Mismatch in shape: grad_output[{index}] has a shape of torch.Size({list(given)}) and output[{index}] has a"
        f" shape of torch.Size({list(shape)}).",
    )
    source = dispatch.geometry_of(grad).dtype.np
    errors.check(
        jnp.issubdtype(source, jnp.complexfloating) == jnp.issubdtype(dtype, jnp.complexfloating),
        "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype:"
        f" grad_output[{index}] has a dtype of torch.{source} and output[{index}] has a dtype of torch.{dtype}.",
    )
    return grad if source == dtype else dispatch.apply(_casting(np.dtype(dtype)), [grad])


@functools.cache
def _casting(dtype: Any) -> Kernel:
    return Kernel(lambda x: cast(x, dtype), "to", "ToCopyBackward0")
