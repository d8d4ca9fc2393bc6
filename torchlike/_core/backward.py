"""The engine: walks the tape from the roots to the leaves, one kernel a node.

Gradients travel as plain jax arrays; with ``create_graph`` they travel as tensors and every kernel is recorded again, so that
a second derivative is the same walk over the nodes that the first one left behind.
"""

from __future__ import annotations

import functools
import heapq
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from torchlike._core import dispatch, errors, layout, tape, views
from torchlike._core.kernels import Kernel, cast, run
from torchlike._core.tape import AccumulateGrad, Edge, Node, OpNode
from torchlike._core.tensor_state import TensorBase, modes

_add = Kernel(lambda a, b: a + b, "add", "AddBackward0")


def compute(kernel: Kernel, operands: Sequence[Any], create_graph: bool) -> Any:
    """Run a kernel on gradients: arrays in and out, or tensors when a graph of the backward is wanted."""
    return dispatch.apply(kernel, operands) if create_graph else run(kernel, operands)


def apply_op(node: OpNode, grads: list[Any], create_graph: bool) -> Sequence[Any]:
    """Run the backward kernel of an operator's node."""
    saved = node.check_saved()
    plan = node.plan
    if plan.single:
        present: tuple[int, ...] = (0,)
        given = grads
    else:
        present = tuple([i for i, g in enumerate(grads) if g is not None])
        given = [g for g in grads if g is not None]
    kernel = plan.backward(node.metas, present)
    if not create_graph:
        outs: Sequence[Any] = run(kernel, [*saved, *given])
        return outs
    edges = dict(zip(plan.mask, node.edges, strict=True))
    operands: list[Any] = [_saved_tensor(x, edges.get(i)) for i, x in zip(plan.inputs, saved, strict=False)]
    split = len(plan.inputs)
    operands.extend(_saved_tensor(x, (node, i)) for i, x in zip(plan.outputs, saved[split:], strict=True))
    return dispatch.apply(kernel, [*operands, *given])  # type: ignore[no-any-return]


def _saved_tensor(x: Any, edge: Edge | None) -> Any:
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


def accumulate(node: AccumulateGrad, grads: list[Any], create_graph: bool) -> Sequence[Any]:
    """Add a gradient to a leaf's ``grad``: the first one becomes it, later ones are added in place."""
    (grad,) = grads
    leaf = node.variable
    if grad is None:
        return ()
    if leaf._grad is None:
        leaf._grad = _as_grad(grad, leaf, create_graph)
    elif create_graph:
        leaf._grad = dispatch.apply(_add, [leaf._grad, grad])
    else:
        total = run(_add, [dispatch.array_of(leaf._grad), grad])
        dispatch.write(leaf._grad, total)
    extra = leaf._extra
    if extra is not None and extra.post_accumulate_hooks:
        for hook in tuple(extra.post_accumulate_hooks.values()):
            hook(leaf)
    return ()


def _as_grad(grad: Any, leaf: TensorBase, create_graph: bool) -> TensorBase:
    if create_graph:
        return grad if isinstance(grad, TensorBase) else dispatch.wrap(grad)
    storage = leaf._storage
    # A gradient lies in memory as its leaf does.
    stride = storage.stride if leaf._geometry is None else None
    return dispatch.wrap(grad, stride)


AccumulateGrad.apply = accumulate  # type: ignore[assignment, method-assign]


# ---------------------------------------------------------------------------------------------------------------------
# In-place writes through views


_slice_kernels: dict[tuple[views.Path, str], Kernel] = {}


def _slice_kernel(path: views.Path, what: str) -> Kernel:
    found = _slice_kernels.get((path, what))
    if found is None:
        if what == "read":
            found = Kernel(lambda a, *starts: views.read(path, a, *starts), "as_strided", "AsStridedBackward0")
        elif what == "write":
            found = Kernel(lambda a, v, *starts: views.write(path, a, v, *starts), "copy_slices", "CopySlicesBackward0")
        else:  # the gradient of reading: the view's elements into zeros, added up where the view overlaps itself
            found = Kernel(lambda g, *starts: _scatter(path, g, starts), "as_strided_backward", "AsStridedBackwardBackward0")
        _slice_kernels[path, what] = found
    return found


def _scatter(path: views.Path, grad: jax.Array, starts: Sequence[Any]) -> jax.Array:
    shape = jax.ShapeDtypeStruct(path.memory.shape, path.memory.dtype.np)
    _, pullback = jax.vjp(lambda a: views.read(path, a, *starts), jnp.zeros(shape.shape, shape.dtype))
    grad = grad.conj() if jnp.issubdtype(grad.dtype, jnp.complexfloating) else grad
    (result,) = pullback(grad)
    return result.conj() if jnp.issubdtype(result.dtype, jnp.complexfloating) else result


class CopySlices(Node):
    """The history of a base after an in-place write to one of its views.

    The gradient of the base goes on to the base's earlier history, except where the view was written: there it goes
    through the node of the operation that wrote.
    """

    __slots__ = ("inner", "own", "path", "starts")

    def __init__(self, base_edge: Edge | None, inner: Node, own: bool, path: views.Path, starts: tuple[int, ...]) -> None:
        self.inner = inner
        self.own = own  # whether the inner node's first edge is the view's own old history, which base_edge stands for
        self.path = path
        self.starts = starts
        super().__init__((base_edge, *inner.edges[own:]))

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        (grad,) = grads
        piece = compute(_slice_kernel(self.path, "read"), [grad, *self.starts], create_graph)
        inner = self.inner.apply([piece], create_graph)
        base = None
        if self.edges[0] is not None:
            replaced = inner[0] if self.own else compute(zeros_like, [piece], create_graph)
            base = compute(_slice_kernel(self.path, "write"), [grad, replaced, *self.starts], create_graph)
        return [base, *inner[self.own :]]

    def release(self) -> None:
        self.inner.release()


zeros_like = Kernel(lambda a: jnp.zeros_like(a), "zeros_like", "ZerosLikeBackward0")


class AsStrided(Node):
    """The history of a view whose base was overwritten: the base's history, read through the view's geometry."""

    __slots__ = ("path", "starts")

    def __init__(self, edge: Edge | None, path: views.Path, starts: tuple[int, ...]) -> None:
        super().__init__((edge,))
        self.path = path
        self.starts = starts

    def name(self) -> str:
        return "AsStridedBackward0"

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        return [compute(_slice_kernel(self.path, "scatter"), [grads[0], *self.starts], create_graph)]


def _regenerate(view: TensorBase) -> Node:
    assert view._base is not None
    reader, starts = dispatch.lowered(view)
    return AsStrided(tape.gradient_edge(view._base), reader.path, starts)


tape.regenerate = _regenerate


def rebase(tensor: TensorBase, node: Node, output_nr: int = 0) -> None:
    """Make ``node`` the history of a tensor that was just written in place, and of its base if it is a view."""
    base = tensor._base
    if base is None:
        tensor._grad_fn = node
        tensor._output_nr = output_nr
        tensor._requires_grad = True
        return
    reader, starts = dispatch.lowered(tensor)
    own = not isinstance(node, OpNode) or node.plan.mask[0] == 0
    copied = CopySlices(tape.gradient_edge(base), node, own, reader.path, starts)
    base._grad_fn = copied
    base._output_nr = 0
    base._requires_grad = True
    tensor._view_version = -1  # the view's own history is regenerated from the base's when next asked for
    tensor._grad_fn = None
    tensor._requires_grad = False


dispatch.rebase = rebase


def to_device(node: tape.ToDevice, grads: list[Any], create_graph: bool) -> Sequence[Any]:
    """Bring a gradient back to the device that the value came from."""
    (grad,) = grads
    return [dispatch.move(grad, node.device) if create_graph else layout.put(grad, node.device)]


tape.ToDevice.apply = to_device  # type: ignore[assignment, method-assign]


# ---------------------------------------------------------------------------------------------------------------------
# The walk


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

    Without ``inputs`` every leaf accumulates. With them only what leads to them runs, and the gradient that reaches each is
    returned (None where none does); ``accumulate_inputs`` lets the leaves among them accumulate instead.
    """
    pending: dict[Node, list[Any]] = {}
    for (node, number), grad in zip(roots, gradients, strict=True):
        _deliver(pending, node, number, grad, create_graph)
    dependencies, wanted = _plan_walk([node for node, _ in roots], None if inputs is None else [n for n, _ in inputs])
    captured: dict[Edge, Any] = {}
    captures: dict[Node, list[int]] = {}
    for node, number in inputs or ():
        captures.setdefault(node, []).append(number)

    previous = modes.grad
    modes.grad = create_graph
    try:
        ready = [(-node.sequence, id(node), node) for node in pending if not dependencies.get(node)]
        heapq.heapify(ready)
        while ready:
            node = heapq.heappop(ready)[2]
            grads = pending.pop(node, None)
            if wanted is not None and node not in wanted:
                continue
            if grads is not None:
                for number, grad in enumerate(grads):
                    if type(grad) is _Parts:
                        grads[number] = _sum(grad)
                if node.tensor_hooks or node.retained or node.pre_hooks or isinstance(node, AccumulateGrad):
                    grads = _run_pre_hooks(node, grads, create_graph)
                if node in captures:
                    for number in captures[node]:
                        captured[node, number] = grads[number]
                    if isinstance(node, AccumulateGrad) and not accumulate_inputs:
                        continue
                outs = _run_node(node, grads, create_graph) if _needed(node, wanted, captures, accumulate_inputs) else None
            else:
                outs = None
            if not retain_graph:
                node.release()
            for index, edge in enumerate(node.edges):
                if edge is None:
                    continue
                target, number = edge
                if outs is not None:
                    grad = outs[index]
                    if grad is not None:
                        _deliver(pending, target, number, grad, create_graph)
                left = dependencies[target] - 1
                dependencies[target] = left
                if not left:
                    heapq.heappush(ready, (-target.sequence, id(target), target))
    finally:
        modes.grad = previous
    return [captured.get(edge) for edge in inputs or ()]


def _needed(node: Node, wanted: set[Node] | None, captures: dict[Node, list[int]], accumulate_inputs: bool) -> bool:
    """Whether a node must run: one that only captures has nothing behind it that is asked for."""
    if wanted is None:
        return True
    if isinstance(node, AccumulateGrad):
        return accumulate_inputs
    return any(edge is not None and edge[0] in wanted for edge in node.edges)


def _run_node(node: Node, grads: list[Any], create_graph: bool) -> Sequence[Any]:
    if type(node) is OpNode:
        outs = apply_op(node, grads, create_graph)
    else:
        outs = node.apply(grads, create_graph)
    if node.hooks:
        outs = _run_post_hooks(node, outs, grads)
    return outs


# Small gradients that meet at one place are added up by one kernel, in the order in which they came.
_GATHER = 8
_GATHER_BELOW = 1 << 16
_sums = {n: Kernel(lambda *parts: functools.reduce(operator.add, parts), "add", "AddBackward0") for n in range(2, _GATHER + 1)}


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
        slots[number] = dispatch.apply(_add, [there, grad])
    elif type(there) is _Parts:
        there.append(grad)
        if len(there) == _GATHER:
            slots[number] = _Parts([_sum(there)])
    elif grad.size < _GATHER_BELOW:
        slots[number] = _Parts((there, grad))
    else:
        slots[number] = run(_add, [there, grad])


def _sum(parts: _Parts) -> Any:
    return run(_sums[len(parts)], parts) if len(parts) > 1 else parts[0]


def _plan_walk(roots: Sequence[Node], targets: Sequence[Node] | None) -> tuple[dict[Node, int], set[Node] | None]:
    """Count how many edges lead to each node, and find the nodes from which a target can be reached."""
    dependencies: dict[Node, int] = {}
    seen = set(roots)
    stack = list(seen)
    order: list[Node] = []
    while stack:
        node = stack.pop()
        order.append(node)
        for edge in node.edges:
            if edge is None:
                continue
            target = edge[0]
            dependencies[target] = dependencies.get(target, 0) + 1
            if target not in seen:
                seen.add(target)
                stack.append(target)
    if targets is None:
        return dependencies, None
    wanted = set(targets) & seen
    parents: dict[Node, list[Node]] = {}
    for node in order:
        for edge in node.edges:
            if edge is not None:
                parents.setdefault(edge[0], []).append(node)
    stack = list(wanted)
    while stack:
        for parent in parents.get(stack.pop(), ()):
            if parent not in wanted:
                wanted.add(parent)
                stack.append(parent)
    return dependencies, wanted


# ---------------------------------------------------------------------------------------------------------------------
# Hooks see tensors


def as_tensor(grad: Any) -> Any:
    """A gradient as users see it."""
    return grad if grad is None or isinstance(grad, TensorBase) else dispatch.wrap(grad)


def as_gradient(value: Any, like: Any, create_graph: bool) -> Any:
    """What a hook returned, in the form in which gradients travel; checked as PyTorch checks it."""
    if not isinstance(value, TensorBase):
        raise TypeError(f"expected Tensor, but hook returned '{type(value).__name__}'")
    return value if create_graph else dispatch.array_of(value)


def _run_pre_hooks(node: Node, grads: list[Any], create_graph: bool) -> list[Any]:
    if isinstance(node, AccumulateGrad):
        extra = node.variable._extra
        if extra is not None and extra.hooks and grads[0] is not None:
            for hook in tuple(extra.hooks.values()):
                result = hook(as_tensor(grads[0]))
                if result is not None:
                    grads[0] = as_gradient(result, grads[0], create_graph)
    if node.tensor_hooks:
        for number, hooks in node.tensor_hooks.items():
            for hook in tuple(hooks.values()):
                if grads[number] is None:
                    continue
                result = hook(as_tensor(grads[number]))
                if result is not None:
                    grads[number] = as_gradient(result, grads[number], create_graph)
    if node.pre_hooks:
        for hook in tuple(node.pre_hooks.values()):
            replaced = hook(tuple(as_tensor(g) for g in grads))
            if replaced is not None:
                given = replaced if isinstance(replaced, tuple) else (replaced,)
                grads = [None if g is None else as_gradient(g, None, create_graph) for g in given]
    if node.retained:
        for number, reference in node.retained.items():
            tensor = reference()
            if tensor is not None and grads[number] is not None:
                retain(tensor, grads[number], create_graph)
    return grads


def retain(tensor: TensorBase, grad: Any, create_graph: bool) -> None:
    """Add a gradient to the ``grad`` of a tensor that is not a leaf (``retain_grad``)."""
    if tensor._grad is None:
        tensor._grad = as_tensor(grad)
    else:
        tensor._grad = as_tensor(compute(_add, [tensor._grad if create_graph else dispatch.array_of(tensor._grad), grad], create_graph))


def _run_post_hooks(node: Node, outs: Sequence[Any], grads: list[Any]) -> Sequence[Any]:
    assert node.hooks is not None
    for hook in tuple(node.hooks.values()):
        result = hook(tuple(as_tensor(o) for o in outs), tuple(as_tensor(g) for g in grads))
        if result is not None:
            given = result if isinstance(result, tuple) else (result,)
            outs = [None if g is None else as_gradient(g, None, modes.grad) for g in given]
    return outs


def implicit_gradient(root: TensorBase) -> Any:
    """The gradient of a root for which none was given: one, if the root is a real scalar."""
    array = dispatch.array_of(root)
    errors.check(array.size == 1, "grad can be implicitly created only for scalar outputs")
    errors.check(
        jnp.issubdtype(array.dtype, jnp.floating),
        f"grad can be implicitly created only for real scalar outputs but got torch.{array.dtype}",
    )
    return _ones(array)


_ones_cache: dict[Any, Any] = {}


def _ones(array: Any) -> Any:
    """A cached array of one, of a scalar's shape and type, where it lives."""
    if isinstance(array, jax.core.Tracer):
        return jnp.ones(array.shape, array.dtype)
    key = (array.shape, array.dtype, array.device)
    found = _ones_cache.get(key)
    if found is None:
        found = _ones_cache[key] = jax.device_put(jnp.ones(array.shape, array.dtype), array.device)
    return found


def check_shape(output: TensorBase, grad: TensorBase, index: int) -> Any:
    """Check a caller's gradient against its output; returns it in the output's type."""
    shape, given = tuple(dispatch.shape_of(output)), tuple(dispatch.shape_of(grad))
    if shape != given:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of torch.Size({list(given)}) and output[{index}] has a shape of"
            f" torch.Size({list(shape)})."
        )
    source, target = dispatch.array_of(grad).dtype, dispatch.array_of(output).dtype
    if jnp.issubdtype(source, jnp.complexfloating) != jnp.issubdtype(target, jnp.complexfloating):
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same dtype."
            f" Mismatch in dtype: grad_output[{index}] has a dtype of torch.{source} and output[{index}] has a dtype of torch.{target}."
        )
    return grad if source == target else dispatch.apply(_cast_kernel(target), [grad])


_cast_kernels: dict[Any, Kernel] = {}


def _cast_kernel(dtype: Any) -> Kernel:
    found = _cast_kernels.get(dtype)
    if found is None:
        found = _cast_kernels[dtype] = Kernel(lambda x: cast(x, dtype), "to", "ToCopyBackward0")
    return found
