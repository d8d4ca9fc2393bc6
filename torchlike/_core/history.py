"""What views and in-place writes do to the history of tensors.

A view has a history of its own until its memory is written to; then it is given that of its base again, read through
the view's
geometry. A write through a view gives its base a `CopySlices` node: the gradient goes on to the base's earlier
history except for
the part that was written, which goes through the operation that wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from torchlike._core import dispatch, tape, views
from torchlike._core import dtype as dtypes
from torchlike._core.kernels import Kernel, run
from torchlike._core.saved import short_name
from torchlike._core.tape import Edge, Node, OpNode
from torchlike._core.tensor_state import TensorBase, modes
from torchlike._core.views import Geometry, Memory


def compute(kernel: Kernel, operands: Sequence[Any], create_graph: bool) -> Any:
    """Run a kernel on gradients: arrays in and out, or tensors when a graph of the backward is wanted."""
    return dispatch.apply(kernel, operands) if create_graph else run(kernel, operands)


# ---------------------------------------------------------------------------------------------------------------------
# Gradients of parts of a tensor


class Window(NamedTuple):
    """Where the elements of a view lie among those of its base, for arrays shaped as the two tensors are."""

    base: Geometry  # the base as an array of its own, its offset 0
    view: Geometry  # the view, relative to the base's first element
    gaps: int  # the length of the memory that a base with gaps or overlaps spans; 0 where the base is dense

    @property
    def memory(self) -> Memory:
        """The memory that the base's gradient is put into."""
        if self.gaps:
            return Memory((self.gaps,), None, self.base.dtype)
        plain = self.base.stride == views.contiguous_strides(self.base.size)
        return Memory(self.base.size, None if plain else self.base.stride, self.base.dtype)

    def spread(self, grad: jax.Array) -> jax.Array:
        """The base's gradient as the memory."""
        grad = _flip(self.base, grad)
        if not self.gaps:
            return grad
        path, starts = views.lower(self.memory, _unflipped(self.base))
        return views.write(path, jnp.zeros(self.gaps, self.base.dtype.np), grad, *starts)

    def gathered(self, memory: jax.Array) -> jax.Array:
        """The memory as the base's gradient."""
        if self.gaps:
            path, starts = views.lower(self.memory, _unflipped(self.base))
            memory = views.read(path, memory, *starts)
        return _flip(self.base, memory)


def _flip(geometry: Geometry, values: jax.Array) -> jax.Array:
    if geometry.conj:
        values = values.conj()
    return -values if geometry.neg else values


def _unflipped(geometry: Geometry) -> Geometry:
    return geometry._replace(conj=False, neg=False)


def window(base: Geometry, view: Geometry) -> Window:
    """Return how a view lies in its base."""
    ratio = base.dtype.itemsize / view.dtype.itemsize
    relative = view._replace(offset=view.offset - int(base.offset * ratio))
    base = base._replace(offset=0)
    order = views.dense_order(base.size, base.stride)
    if order is None or relative.offset < 0:
        last = max(_extent(base), int(_extent(relative) / ratio))
        return Window(base, relative, max(last, 1))
    return Window(base, relative, 0)


def _extent(g: Geometry) -> int:
    return g.offset + 1 + sum((n - 1) * s for n, s in zip(g.size, g.stride, strict=True)) if g.numel else 0


_kernels: dict[tuple[Any, ...], Kernel] = {}


def _part(where: Window, what: str, operands: Sequence[Any], create_graph: bool) -> Any:
    """Read, write or scatter the part of a base's gradient that a view is."""
    path, starts = views.lower(where.memory, where.view)
    key = (path, where._replace(view=_ANY), what)
    kernel = _kernels.get(key)
    if kernel is None:
        kernel = _kernels[key] = Kernel(*_PARTS[what](path, where._replace(view=_ANY)))
    return compute(kernel, [*operands, *starts], create_graph)


_ANY = Geometry((), (), 0, None, False, False)  # type: ignore[arg-type]


def _reading(path: views.Path, where: Window) -> Any:
    return lambda grad, *starts: views.read(path, where.spread(grad), *starts), "as_strided", "AsStridedBackward0"


def _writing(path: views.Path, where: Window) -> Any:
    def written(grad: Any, part: Any, *starts: Any) -> Any:
        return where.gathered(views.write(path, where.spread(grad), part, *starts))

    return written, "copy_slices", "CopySlices"


def _scattering(path: views.Path, where: Window) -> Any:
    """The view's elements into zeros, added up where the view overlaps itself."""

    def scattered(part: Any, *starts: Any) -> Any:
        memory = where.memory
        _, pullback = jax.vjp(lambda m: views.read(path, m, *starts), jnp.zeros(memory.shape, memory.dtype.np))
        # Reading is linear, and conjugates at most: PyTorch's convention and jax's agree on it.
        (result,) = pullback(part)
        return where.gathered(result)

    return scattered, "as_strided_backward", "AsStridedBackwardBackward0"


_PARTS = {"read": _reading, "write": _writing, "scatter": _scattering}

add = Kernel(lambda a, b: a + b, "add", "AddBackward0")
zeros_like = Kernel(jnp.zeros_like, "zeros_like", "ZerosLikeBackward0")


# ---------------------------------------------------------------------------------------------------------------------
# Nodes


class CopySlices(Node):
    """The history of a base after an in-place write to one of its views."""

    __slots__ = ("inner", "own", "where")

    def __init__(self, base_edge: Edge | None, inner: Node, where: Window) -> None:
        self.inner = inner
        # Whether the inner node's first edge is the view's own old history, which base_edge stands for.
        self.own = not isinstance(inner, OpNode) or inner.plan.mask[0] == 0
        self.where = where
        super().__init__((base_edge, *inner.edges[self.own :]))

    def name(self) -> str:
        return "torch::autograd::CopySlices"

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        (grad,) = grads
        if grad is None and not self.inner.always:
            return [None] * len(self.edges)
        piece = None if grad is None else _part(self.where, "read", [grad], create_graph)
        inner = self.inner.apply([piece], create_graph)
        base = None
        if self.edges[0] is not None and grad is not None:
            replaced = (
                inner[0] if self.own and inner and inner[0] is not None else compute(zeros_like, [piece], create_graph)
            )
            base = _part(self.where, "write", [grad, replaced], create_graph)
        return [base, *inner[self.own :]]

    def release(self) -> None:
        self.inner.release()

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The base's earlier history, then the nodes of the other inputs of the operation that wrote."""
        return (self.edges[0] or (None, 0), *self.inner.next_functions[1:])

    def edge_places(self) -> Sequence[int]:
        """The position of each edge among ``next_functions``."""
        return [0, *list(self.inner.edge_places())[self.own :]]


class ViewNode(Node):
    """The history of a view whose base was written to: the base's, read through the view's geometry."""

    __slots__ = ("where",)

    def __init__(self, edge: Edge | None, where: Window) -> None:
        super().__init__((edge,))
        self.where = where

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        return [None if grads[0] is None else _part(self.where, "scatter", grads, create_graph)]


def _step(edge: Edge | None, name: str, start: Geometry, end: Geometry) -> Node:
    node: Node = tape.named(ViewNode, name)(edge, window(start, end))
    return node


def moving_view(op: Any, statics: tuple[Any, ...], shape: Any, edge: Edge) -> Node:
    """Return the node of a view operator by its geometry over an array of the input's shape; the offset is traced."""
    size = tuple(shape.shape)
    start = Geometry(size, views.contiguous_strides(size), 0, dtypes.BY_NUMPY[shape.dtype], False, False)
    return _step(edge, op.node, start, op.view(start, *statics))


dispatch.moving_view = moving_view


def regenerate(view: TensorBase) -> Node:
    """Return the history of a view from that of its base: the steps that change the element type, then the geometry."""
    assert view._base is not None
    edge = tape.gradient_edge(view._base)
    start, end = dispatch.geometry_of(view._base), dispatch.geometry_of(view)
    steps: list[tuple[str, Geometry]] = []
    here = start
    if start.dtype.is_complex and not end.dtype.is_complex:
        here = start._replace(
            size=(*start.size, 2),
            stride=(*[s * 2 for s in start.stride], 1),
            offset=start.offset * 2,
            dtype=end.dtype,
            conj=False,
        )
        steps.append(("ViewAsRealBackward0", here))
    elif end.dtype.is_complex and not start.dtype.is_complex:
        pairs = end._replace(
            size=(*end.size, 2),
            stride=(*[s * 2 for s in end.stride], 1),
            offset=end.offset * 2,
            dtype=start.dtype,
            conj=False,
            neg=start.neg,
        )
        if pairs != start:
            steps.append(("AsStridedBackward0", pairs))
        here = end._replace(conj=False)
        steps.append(("ViewAsComplexBackward0", here))
    if here.conj != end.conj:
        here = here._replace(conj=end.conj)
        steps.append(("ConjBackward0", here))
    if here.neg != end.neg:
        here = here._replace(neg=end.neg)
        steps.append(("NegViewBackward0", here))
    if here != end or not steps:
        steps.append(("AsStridedBackward0", end))
    node: Node | None = None
    here = start
    for name, there in steps:
        node = _step(edge, name, here, there)
        edge, here = (node, 0), there
    assert node is not None
    return node


# ---------------------------------------------------------------------------------------------------------------------
# The history of views


def refresh_view(view: TensorBase) -> None:
    """Give a view the history of its base again if their memory was written to since."""
    storage = view._storage
    version = storage.version if storage.counter is None else tape.version_of(view)
    if view._view_version == version:
        return
    base = view._base
    assert base is not None
    if view._grad_fn is None and not base._requires_grad:
        return
    extra = view._extra
    if extra is not None and extra.creation != "default":
        _raise_creation(view, extra.creation, "its base or another view of its base has been modified inplace")
    old, number = view._grad_fn, view._output_nr
    view._view_version = version
    view._grad_fn = regenerate(view)
    view._output_nr = 0
    view._requires_grad = True
    if extra is not None and extra.retains_grad:
        tape.move_retained(view, old, number)


tape.refresh_view = refresh_view


def check_inplace(tensor: TensorBase, sources: Sequence[Any]) -> None:
    """Refuse the in-place writes that autograd refuses, in PyTorch's words; ``sources`` are the operands."""
    if not modes.grad:
        return
    base = tensor._base
    if base is None:
        if tensor._requires_grad and tensor._grad_fn is None:
            if tensor._extra is not None and tensor._extra.inference:
                return  # refused as an inference tensor, when all is done
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        return
    mine = tape.requires_grad(tensor)
    if not mine and not any(isinstance(s, TensorBase) and tape.requires_grad(s) for s in sources):
        return
    extra = tensor._extra
    if extra is not None and extra.creation != "default":
        _raise_creation(tensor, extra.creation, "is being modified inplace")
    if mine and base._grad_fn is None:
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")


dispatch.check_history = check_inplace

_WHY = {
    "multi_output": (
        " This view is the output of a function that returns multiple views. Such functions do not allow the output"
        " views to be"
        " modified inplace. You should replace the inplace operation by an out-of-place one."
    ),
    "no_grad": (
        " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving"
        " both the"
        " view and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or"
        " both outside"
        " (if you want the inplace to be tracked)."
    ),
    "inference": (
        " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving"
        " both the"
        " view and the inplace either both inside the inference_mode block (if you don't want the inplace to be"
        " tracked) or both"
        " outside (if you want the inplace to be tracked)."
    ),
    "custom_function": (
        " This view was created inside a custom Function (or because an input was returned as-is) and the autograd"
        " logic to handle"
        " view+inplace would override the custom backward associated with the custom Function, leading to incorrect"
        " gradients."
        " This behavior is forbidden. You can fix this by cloning the output of the custom Function."
    ),
}


def _raise_creation(view: TensorBase, creation: str, what: str) -> None:
    """A view through which autograd cannot follow an in-place write."""
    node = view._grad_fn
    if node is not None and creation not in ("no_grad", "inference"):
        raise RuntimeError(f"Output {view._output_nr} of {short_name(node)} is a view and {what}." + _WHY[creation])
    text = "A view was created in"
    if node is not None:
        text = f"Output {view._output_nr} of {short_name(node)} is a view of a view which was created in"
    if creation == "inference":
        text += f" inference mode and {what} in normal mode."
    else:
        text += f" no_grad mode and {what} with grad mode enabled."
    raise RuntimeError(text + _WHY[creation])


def rebase(tensor: TensorBase, node: Node, output_nr: int = 0) -> None:
    """Make ``node`` the history of a tensor that was just written in place, and of its base if it is a view."""
    base = tensor._base
    if base is not None:
        where = window(dispatch.geometry_of(base), dispatch.geometry_of(tensor))
        node, output_nr = CopySlices(tape.gradient_edge(base), node, where), 0
    changed = tensor if base is None else base
    old, number = changed._grad_fn, changed._output_nr
    changed._grad_fn = node
    changed._output_nr = output_nr
    changed._requires_grad = True
    if changed._extra is not None and changed._extra.retains_grad:
        tape.move_retained(changed, old, number)
    if base is not None:
        tensor._view_version = -1  # its own history is made from the base's when it is next asked for
        if tensor._extra is not None and tensor._extra.retains_grad:
            refresh_view(tensor)


dispatch.rebase = rebase
