"""Operators with a dear forward (``residuals="vjp"``): what the forward computed on the way is kept for the backward.

Other operators compute again in the backward what is neither an input nor a result. Here the forward that is to be
differentiated is another kernel, which returns the leaves of its vjp beside the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from torchlike._core import dispatch, saved, tape
from torchlike._core.kernels import Kernel, as_tuple, cast, conj, differentiable, run
from torchlike._core.tape import OpNode
from torchlike._core.tensor_state import modes

if TYPE_CHECKING:
    from torchlike._core.dispatch import Plan
    from torchlike._core.op import Op


class Keeping:
    """The forward of a kernel that returns what its backward needs, for certain operands and certain shapes."""

    __slots__ = ("backwards", "extra", "forward", "kernel", "mask", "origins", "selected", "tree")

    def __init__(self, kernel: Kernel, mask: tuple[int, ...]) -> None:
        self.kernel = kernel
        self.mask = mask
        # Known when the forward was traced: where each leaf is found, the outputs that carry gradients, the pullback.
        self.origins: list[tuple[str, int]] = []
        self.selected: tuple[int, ...] = ()
        self.tree: Any = None
        # Operands and results that the pullback holds, but that the graph would not keep.
        self.extra: tuple[tuple[str, int], ...] = ()
        self.forward = Kernel(self._forward, kernel.name, kernel.node)
        self.backwards: dict[tuple[int, ...], Kernel] = {}

    def _forward(self, *operands: Any) -> tuple[Any, tuple[Any, ...]]:
        results: list[Any] = []

        def differentiated(*values: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            full = list(operands)
            for i, value in zip(self.mask, values, strict=True):
                full[i] = value
            results.append(self.kernel.function(*full))
            outs = as_tuple(results[-1])
            self.selected = tuple(i for i, out in enumerate(outs) if differentiable(out.dtype))
            return tuple(outs[i] for i in self.selected), outs

        chosen: Any
        outs: Any
        chosen, pullback, outs = jax.vjp(differentiated, *(operands[i] for i in self.mask), has_aux=True)
        full = list(outs)
        for i, out in zip(self.selected, chosen, strict=True):
            full[i] = out
        leaves, self.tree = jax.tree_util.tree_flatten(pullback)
        known = {id(x): ("operand", i) for i, x in enumerate(operands)}
        known.update((id(x), ("result", i)) for i, x in enumerate(full))
        own: list[Any] = []
        self.origins = []
        for leaf in leaves:
            found = known.get(id(leaf))
            if found is None:
                found = known[id(leaf)] = ("leaf", len(own))
                own.append(leaf)
            self.origins.append(found)
        template = results[-1]
        many = isinstance(template, tuple | list)
        named = type(template)(*full) if hasattr(template, "_fields") else tuple(full)
        return (named if many else full[0]), tuple(own)

    def backward(self, present: tuple[int, ...], avals: tuple[Any, ...]) -> Kernel:
        """Return the kernel ``(values of the leaves, gradients of the outputs present) -> gradients of mask``."""
        found = self.backwards.get(present)
        if found is None:
            found = self.backwards[present] = Kernel(
                lambda *values: self._backward(present, avals, values),
                f"{self.kernel.name}_backward",
                self.kernel.node,
            )
        return found

    def _backward(self, present: tuple[int, ...], avals: tuple[Any, ...], values: Sequence[Any]) -> tuple[Any, ...]:
        count = len(self.origins)
        pullback = jax.tree_util.tree_unflatten(self.tree, list(values[:count]))
        grads = dict(zip(present, values[count:], strict=True))
        cotangents = []
        for i in self.selected:
            shape, dtype = avals[i]
            cotangents.append(cast(conj(grads[i]), dtype) if i in grads else jnp.zeros(shape, dtype))
        return tuple(conj(g) for g in pullback(tuple(cotangents)))


class KeepingNode(OpNode):
    """The node of an operator that keeps the leaves of its vjp; a backward that is recorded computes them again."""

    __slots__ = ("keeping", "leaves", "shapes")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.keeping: Keeping | None = None
        self.leaves: tuple[Any, ...] = ()
        self.shapes: tuple[Any, ...] = ()

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        if self.keeping is None or create_graph:
            return OpNode.apply(self, grads, create_graph)
        kept = saved.arrays_of(self)
        places = {("operand", i): x for i, x in zip(self.plan.inputs, kept, strict=False)}
        places.update((("result", i), x) for i, x in zip(self.plan.outputs, kept[len(self.plan.inputs) :], strict=True))
        count = len(self.leaves) - len(self.keeping.extra)
        places.update((("leaf", i), x) for i, x in enumerate(self.leaves[:count]))
        places.update(zip(self.keeping.extra, self.leaves[count:], strict=True))
        present = tuple([i for i, g in enumerate(grads) if g is not None])
        given = [g for g in grads if g is not None]
        kernel = self.keeping.backward(present, self.shapes)
        values = [places[origin] for origin in self.keeping.origins]
        outs: Sequence[Any] = run(kernel, [*values, *given])
        return outs

    def release(self) -> None:
        super().release()
        self.leaves = ()


def call(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], out: Any = None, plan: Plan | None = None) -> Any:
    """Run an operator that keeps its leaves; where nothing is to be differentiated, as any other."""
    if plan is None:
        try:
            plan = op.plans.get((tuple(map(type, operands + statics)), statics))
        except TypeError:  # a list among the statics
            plan = None
        if plan is None or modes.function_modes:
            return dispatch.call_slowly(op, operands, statics, out, call, op.plans)
    # Hooks on saved tensors would not see the leaves (checkpointing saves nothing by them), nor would transforms reach
    # them: computed again instead.
    if out is None and modes.grad and not modes.saved_hooks and not modes.levels:
        mask = _differentiated(plan, operands)
        if mask:
            return _run(plan, mask, operands)
    return dispatch.call(op, operands, statics, out, plan)


def call_arrays(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], out: Any = None) -> Any:
    """Run such an operator some of whose operands are sequences of tensors."""
    return dispatch.call_arrays(op, operands, statics, out, call)


def _differentiated(plan: Plan, operands: tuple[Any, ...]) -> tuple[int, ...]:
    mask = []
    for i in plan.tensors:
        tensor = operands[i]
        if (tensor._requires_grad or tensor._base is not None) and tape.gradient_edge(tensor) is not None:
            dtype = dispatch.geometry_of(tensor).dtype
            if dtype.is_floating_point or dtype.is_complex:
                mask.append(i)
    return tuple(mask)


def _run(plan: Plan, mask: tuple[int, ...], operands: tuple[Any, ...]) -> Any:
    values = list(operands)
    for i in plan.tensors:
        values[i] = dispatch.array_of(operands[i])
    if any(isinstance(v, jax.ShapeDtypeStruct) for v in values):
        return dispatch.run_plan(plan, operands)
    kernel = plan.kernel
    key = (mask, tuple([(x.shape, x.dtype) if hasattr(x, "dtype") else type(x) for x in values]))
    keeping = kernel.keepings.get(key)
    if keeping is None:
        keeping = Keeping(kernel, mask)
    try:
        outs, leaves = run(keeping.forward, values)
    except Exception as error:  # noqa: BLE001 - whatever it is, recover raises it again unless it has an answer
        outs, leaves = dispatch.recover(error, keeping.forward, values)
    flat = outs if isinstance(outs, tuple) else (outs,)
    backward = kernel.backward_plan(mask, values, flat)
    if key not in kernel.keepings:
        stays = {("operand", i) for i in backward.inputs} | {("result", i) for i in backward.outputs}
        keeping.extra = tuple(dict.fromkeys(o for o in keeping.origins if o[0] != "leaf" and o not in stays))
        kernel.keepings[key] = keeping
    if backward.kind is None:
        backward.kind = tape.named(KeepingNode, kernel.node.rpartition("::")[2])
    results = [dispatch.wrap(o) for o in flat]
    node = tape.record(kernel, values, plan.tensors, operands, flat, [r._storage for r in results])
    if isinstance(node, KeepingNode):
        node.slots = plan.slots
        node.keeping = keeping
        more = [values[i] if where == "operand" else flat[i] for where, i in keeping.extra]
        node.leaves = (*leaves, *more)
        node.shapes = tuple([(o.shape, o.dtype) for o in flat])
        dispatch.attach(node, results)
    if not isinstance(outs, tuple):
        return results[0]
    return type(outs)(*results) if hasattr(outs, "_fields") else tuple(results)
