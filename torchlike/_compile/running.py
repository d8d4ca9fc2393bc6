"""Running a captured program: read the state, call the compiled function, write the state back, wrap the results."""

from __future__ import annotations

from typing import Any

from torchlike._compile.capture import Output, Program
from torchlike._core import dispatch, generator, layout, tape
from torchlike._core.tensor_state import TensorBase


def holds(program: Program) -> bool:
    """Whether the tensors that a program was made for still look at the same memory and have the same gradients."""
    for tensor, storage in program.owners:
        if tensor._storage is not storage:
            return False
    for tensor, grad in program.grads:
        if tensor._grad is not grad:
            return False
    return True


def run_program(program: Program, leaves: list[Any]) -> Any:
    """Read the state, run the program, write the state back and wrap the results."""
    operands: list[Any] = [s.array for s in program.state]
    for i in program.donated:
        if not layout.references(operands[i]):
            operands[i] = operands[i].copy()
    for i in program.arguments:
        operands.append(dispatch.array_of(leaves[i]))
    for group, name in program.rates:
        operands.append(group[name])
    if program.uses_key:
        operands.append(generator.default_generator.key())
    outs = program.jitted(*operands)
    del operands
    for storage, index, advance in program.written:
        storage.array = outs[index]
        storage.version += advance
    return finish(program, leaves, outs)


def finish(program: Program, leaves: list[Any], outs: Any) -> Any:
    """Everything after the state is written: arguments, gradients, results."""
    for position, index, advance in program.argument_writes:
        dispatch.write(leaves[position], outs[index])
        leaves[position]._storage.version += advance - 1
    for tensor, index in program.bindings:
        if index is None:
            tensor._grad = None
        else:
            tensor._grad = dispatch.wrap(outs[index], program.strides.get(index))
    return program.rebuild([_result(o, leaves, outs, program.strides) for o in program.outputs])


def _result(output: Output, leaves: list[Any], outs: Any, strides: dict[int, Any]) -> Any:
    existing = output.existing
    if existing is not None:
        if isinstance(existing, int):
            return leaves[existing]
        if isinstance(existing, TensorBase):
            return existing
        result = dispatch.wrap(None)
        result._storage = existing
        result._geometry = output.geometry
        return result
    result = dispatch.wrap(outs[output.index], strides.get(output.index))
    if output.geometry is not None:
        result._geometry = output.geometry
    if output.requires_grad:
        result._requires_grad = True
        if output.node is not None:
            result._grad_fn = tape.Walked(output.node)
    return result
