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
from torchlike._core.kernels import Kernel
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
    kernel: Kernel  # what ``jitted`` computes, to be recorded where a second derivative is wanted
    origins: list[int | None]  # for each value that it reads, which target the value is

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
        if self.saved is None:
            raise tape.freed_graph()
        program = self.program
        full = [jnp.zeros(*shape) if g is None else g for g, shape in zip(grads, self.shapes, strict=True)]
        given = [full[i] for i in program.gradients]
        if create_graph:
            outs = dispatch.apply(program.kernel, [*self._recorded(), *given])
        else:
            outs = program.jitted(*self.saved, *given)
        return [None if i is None else outs[i] for i in program.reached]

    def _recorded(self) -> list[Any]:
        """The saved values as tensors with the history of the targets that they are."""
        assert self.saved is not None
        found = set(self.program.origins)
        for place, reached in enumerate(self.program.reached):
            if reached is not None and place not in found:
                raise NotImplementedError(
                    "torch.compile: a second derivative through a compiled function with respect to a tensor that"
                    " shares its memory with another one"
                )
        operands: list[Any] = []
        for value, origin in zip(self.saved, self.program.origins, strict=True):
            edge = None if origin is None else self.edges[origin]
            operands.append(value if edge is None else engine.saved_tensor(value, edge))
        return operands

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
    state = [trace.living.storages[i] for i in range(n_state) if used[i]]
    arguments = [i for i in range(n_arguments) if used[n_state + i]]
    origins = [_target_on(storage, program.targets) for storage in state]
    origins += [next((k for k, t in enumerate(program.targets) if t.position == i), None) for i in arguments]
    if used[first]:
        origins.append(None)  # the key of the random numbers
    return GradientProgram(
        program=program,
        runner=make_runner(program, guards),
        jitted=jax.jit(pruned),
        state=state,
        arguments=arguments,
        uses_key=bool(used[first]),
        gradients=[i for i in range(len(avals)) if used[first + 1 + i]],
        reached=list(reached),
        kernel=Kernel(
            lambda *values: tuple(pruned(*values)), "compiled_function_backward", "CompiledFunctionBackwardBackward"
        ),
        origins=origins,
    )


def _target_on(storage: Storage, targets: list[Target]) -> int | None:
    """The one target that is all of a storage; None if there is none, or if it is not the only one there."""
    on = [k for k, t in enumerate(targets) if t.position is None and t.tensor._storage is storage]
    return on[0] if len(on) == 1 and targets[on[0]].tensor._geometry is None else None


def _edge(target: Target, stand_ins: list[Any]) -> Any:
    return tape.gradient_edge(target.tensor if target.position is None else stand_ins[target.position])
