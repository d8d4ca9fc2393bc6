"""Compiled functions through which the caller differentiates.

The gradient is a second program: the function once more, followed by the engine's walk over the tape that it left, so
that whatever the eager backward does (detached parts, hooks, custom functions) the compiled one does as well. It
recomputes the forward instead of keeping its intermediate values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from torchlike._compile.capture import Program, Target, Trace, _tensors, prune
from torchlike._compile.guards import Guards
from torchlike._compile.running import MISS, make_runner
from torchlike._core import backward as engine
from torchlike._core import dispatch, generator, tape
from torchlike._core.storage import Storage


@dataclass
class GradientProgram:
    """A program together with the one that computes the gradients of its results."""

    program: Program
    runner: Callable[..., Any]
    jitted: Callable[..., Any]
    state: list[Storage]
    arguments: list[int]
    uses_key: bool
    gradients: list[int]  # which gradients of results it reads
    reached: list[int | None]  # for each target, which output is its gradient

    def __call__(self, leaves: list[Any]) -> Any:
        program = self.program
        key = generator.default_generator.key() if program.uses_key or self.uses_key else None
        # What the gradient reads is what the function read: taken before its writes.
        saved = [s.array for s in self.state]
        saved += [dispatch.array_of(leaves[i]) for i in self.arguments]
        if self.uses_key:
            saved.append(key)
        edges = tuple(
            tape.gradient_edge(t.tensor if t.position is None else leaves[t.position]) for t in program.targets
        )
        result = self.runner(leaves, key)
        if result is MISS:
            return MISS
        tensors = [t for t in _tensors(result) if isinstance(t._grad_fn, tape.Walked)]
        node = CompiledFunction(self, edges, saved, [dispatch.shaped(t) for t in tensors])
        for number, tensor in enumerate(tensors):
            tensor._grad_fn, tensor._output_nr = node, number
        return result


class CompiledFunction(tape.Node):
    """The history of the results of a compiled function."""

    __slots__ = ("outputs", "program", "saved", "shapes")

    def __init__(self, program: GradientProgram, edges: tuple[Any, ...], saved: list[Any], outs: Sequence[Any]) -> None:
        super().__init__(edges)
        self.program = program
        self.saved: list[Any] | None = saved
        self.shapes = [(o.shape, o.dtype) for o in outs]
        self.outputs = len(outs)

    def name(self) -> str:
        return "CompiledFunctionBackward"

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        if create_graph:
            raise NotImplementedError("torch.compile: a second derivative through a compiled function")
        if self.saved is None:
            raise tape.freed_graph()
        full = [jnp.zeros(*shape) if g is None else g for g, shape in zip(grads, self.shapes, strict=True)]
        outs = self.program.jitted(*self.saved, *[full[i] for i in self.program.gradients])
        return [None if i is None else outs[i] for i in self.program.reached]

    def release(self) -> None:
        self.saved = None


def capture_gradient(
    program: Program, leaves: list[Any], call: Callable[[list[Any]], Any], guards: Guards
) -> GradientProgram:
    """Trace the function and the walk back from its results to the program's targets."""
    trace = Trace(leaves, call, guards)
    reached: list[int | None] = []
    numbers = [i for i, o in enumerate(program.outputs) if o.alive]
    avals: list[Any] = []

    def shapes(result: Any, before: Any) -> list[Any]:
        tensors = _tensors(result)
        avals[:] = [jax.ShapeDtypeStruct(tuple(dispatch.shape_of(tensors[i])), tensors[i].dtype.np) for i in numbers]
        return []

    def run(arrays: Any, arguments: Any, rates: Any, key: Any, *cotangents: Any) -> list[Any]:
        def walk(result: Any, before: Any) -> list[Any]:
            tensors = _tensors(result)
            roots: list[Any] = [tape.gradient_edge(tensors[i]) for i in numbers]
            inputs = [_edge(t, trace.stand_ins) for t in program.targets]
            found = engine.run_backward(roots, list(cotangents), retain_graph=False, create_graph=False, inputs=inputs)
            outputs: list[Any] = []
            reached.clear()
            for gradient in found:
                reached.append(None if gradient is None else len(outputs))
                if gradient is not None:
                    outputs.append(gradient)
            return outputs

        return trace.within(arrays, arguments, rates, key, walk)

    trace.make(lambda a, b, c, d: trace.within(a, b, c, d, shapes))
    closed = trace.make(run, *avals)
    pruned, used = prune(closed)
    n_state, n_arguments, n_rates = len(trace.living.arrays), len(leaves), len(trace.rates)
    first = n_state + n_arguments + n_rates
    return GradientProgram(
        program=program,
        runner=make_runner(program, guards),
        jitted=jax.jit(pruned),
        state=[trace.living.storages[i] for i in range(n_state) if used[i]],
        arguments=[i for i in range(n_arguments) if used[n_state + i]],
        uses_key=bool(used[first]),
        gradients=[i for i in range(len(avals)) if used[first + 1 + i]],
        reached=list(reached),
    )


def _edge(target: Target, stand_ins: list[Any]) -> Any:
    return tape.gradient_edge(target.tensor if target.position is None else stand_ins[target.position])
