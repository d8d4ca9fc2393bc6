"""Running a captured program: read the state, call the compiled function, write the state back, wrap the results.

A small program takes ten microseconds, so what surrounds it must take few. The reading, checking and writing of one
program is therefore generated as straight-line code (source text compiled once), in which every storage and guard is a
name of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._compile.capture import Output, Program
from torchlike._compile.guards import INCOMPARABLE, Guards
from torchlike._compile.packing import PATIENCE, Packing, packing_of
from torchlike._core import dispatch, generator, tape
from torchlike._core.storage import PackedStorage
from torchlike._core.tensor_state import TensorBase

MISS = object()  # what a runner returns when a guard does not hold


class _Source:
    """Lines of a function and the names they use."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {"_MISS": MISS}

    def name(self, prefix: str, value: Any) -> str:
        found = f"{prefix}{len(self.scope)}"
        self.scope[found] = value
        return found

    def add(self, line: str) -> None:
        self.lines.append(line)

    def function(self, signature: str) -> Callable[..., Any]:
        body = "\n    ".join(self.lines)
        # The text is made of this file's own words and of numbers.
        exec(compile(f"def run({signature}):\n    {body}", "<torchlike compiled function>", "exec"), self.scope)  # noqa: S102
        found: Callable[..., Any] = self.scope["run"]
        return found


def make_runner(
    program: Program, guards: Guards, adopt: Callable[[Callable[..., Any]], None] | None = None
) -> Callable[..., Any]:
    """Return the function that checks the guards and runs the program on its tensor arguments, or returns MISS.

    ``adopt`` is told of a better function when there is one.
    """
    source = _Source()
    _write_guards(source, program, guards)
    _write_call(source, program)
    _write_state(source, program)
    packing = None if adopt is None else packing_of(program)
    if packing is None or adopt is None:
        _write_results(source, program)
        return source.function("leaves, key=None")
    source.scope["left"] = PATIENCE
    source.lines.insert(0, "global left")
    made: list[Callable[..., Any]] = []
    pack = source.name("pack", lambda: _pack(packing, guards, made[0], adopt))
    _write_results(source, program, f"left -= 1\n    if left == 0: {pack}()")
    made.append(source.function("leaves, key=None"))
    return made[0]


def _pack(
    packing: Packing, guards: Guards, plain: Callable[..., Any], adopt: Callable[[Callable[..., Any]], None]
) -> None:
    """Let a program go on with its state in a pack."""

    def slow(leaves: list[Any], key: Any = None) -> Any:
        again = packing.open()
        result = plain(leaves, key)
        if result is not MISS:
            if again:
                packing.close()
            else:
                adopt(plain)
        return result

    program = packing.program
    source = _Source()
    _write_guards(source, program, guards)
    back = f"return {source.name('slow', slow)}(leaves, key)"
    pack, holder = source.name("pack", packing.pack), source.name("packing", packing)
    source.add(f"if not {pack}.intact: {back}")
    for number, (_, storage) in enumerate(packing.constants):
        source.add(f"if {source.name('storage', storage)}.array is not {pack}.constants[{number}]: {back}")
    packed, refcount = source.name("packed", PackedStorage), source.name("refcount", sys.getrefcount)
    marks = iter(packing.marks[len(program.written) :])
    for tensor, gradient in program.bindings:
        # A gradient that anybody else holds must stay what it is. Its tensor is held by tensor._grad, the name g and
        # getrefcount's argument, its storage by the tensor and the argument.
        source.add(f"g = {source.name('tensor', tensor)}._grad")
        if gradient is None:
            source.add(f"if g is not None: {back}")
            continue
        source.add(
            f"if g is None or {refcount}(g) != 3 or {refcount}(g._storage) != 2 or g._extra is not None"
            f" or g._storage.__class__ is not {packed} or g._storage.pack is not {source.name('mark', next(marks))}"
            f": {back}"
        )
    source.add(f"if {holder}.strikes: {holder}.strikes -= 1")
    _write_call(source, program, packing)
    source.add(f"{pack}.array = outs[0]")
    for storage, _, advance in program.written:
        source.add(f"{source.name('storage', storage)}.version += {advance}")
    _write_results(source, program, "", packing)
    packing.close()
    adopt(source.function("leaves, key=None"))


def _write_guards(source: _Source, program: Program, guards: Guards) -> None:
    same = source.name("same", guards.same)
    for scope, key, value in guards.names:
        source.add(
            f"if {source.name('scope', scope)}.get({key!r}) is not {(v := source.name('value', value))}"
            f" and not {same}({source.name('scope', scope)}.get({key!r}), {v}): return _MISS"
        )
    for cell, value in guards.cells:
        c, v = source.name("cell", cell), source.name("value", value)
        source.add(f"if {c}.cell_contents is not {v} and not {same}({c}.cell_contents, {v}): return _MISS")
    source.add("try:")
    for group, saved in guards.groups:
        now, before = source.name("group", group), source.name("saved", saved)
        source.add(f"    {before}['lr'] = {now}['lr']")
        source.add(f"    if {now} != {before}: return _MISS")
    source.add(f"    if {source.name('now', guards.now)} != {source.name('before', guards.before)}: return _MISS")
    for place, single_key, value in guards.singles:
        source.add(
            f"    if {source.name('place', place)}[{source.name('key', single_key)}]"
            f" is not {source.name('tensor', value)}: return _MISS"
        )
    source.add(f"except {source.name('incomparable', INCOMPARABLE)}: return _MISS")
    for tensor, storage in program.owners:
        source.add(
            f"if {source.name('tensor', tensor)}._storage is not {source.name('storage', storage)}: return _MISS"
        )
    for tensor, grad in program.grads:
        source.add(f"if {source.name('tensor', tensor)}._grad is not {source.name('grad', grad)}: return _MISS")


def _write_call(source: _Source, program: Program, packing: Packing | None = None) -> None:
    operands = [] if packing is None else [f"{source.name('pack', packing.pack)}.array"]
    refcount = source.name("refcount", sys.getrefcount)
    for i, storage in enumerate(program.state):
        if packing is not None and i not in packing.loose:
            continue
        source.add(f"a{i} = {source.name('storage', storage)}.array")
        if i in program.donated:
            # The storage, this name and the argument of getrefcount hold it; whoever else does must not see it
            # overwritten.
            source.add(f"if {refcount}(a{i}) > 3: a{i} = a{i}.copy()")
        operands.append(f"a{i}")
    array_of = source.name("array_of", dispatch.array_of)
    operands += [f"{array_of}(leaves[{i}])" for i in program.arguments]
    rates = source.name("rates", _rates)
    new_rate = source.name("new_rate", new_rate_operand)
    for i, (group, name) in enumerate(program.rates):
        source.add(f"r{i} = {source.name('group', group)}[{name!r}]")
        source.add(f"n{i} = {rates}.get(r{i})")
        source.add(f"if n{i} is None: n{i} = {new_rate}(r{i})")
        operands.append(f"n{i}")
    if program.uses_key:
        operands.append(f"{source.name('next_key', generator.default_generator.key)}() if key is None else key")
    jitted = program.jitted if packing is None else packing.jitted
    source.add(f"outs = {source.name('jitted', jitted)}({', '.join(operands)})")


def _write_state(source: _Source, program: Program) -> None:
    for storage, index, advance in program.written:
        name = source.name("storage", storage)
        source.add(f"{name}.array = outs[{index}]; {name}.version += {advance}")


def _write_results(source: _Source, program: Program, last: str = "", packing: Packing | None = None) -> None:
    """Bind the gradients and return the results, after the statement ``last``; a pack has the gradients in it."""
    for position, index, advance in program.argument_writes:
        source.add(f"{source.name('write', write_argument)}(leaves[{position}], outs[{index}], {advance})")
    bind = source.name("bind", bind_gradient)
    for tensor, gradient in () if packing is not None else program.bindings:
        name = source.name("tensor", tensor)
        if gradient is None:
            source.add(f"{name}._grad = None")
            continue
        stride = source.name("stride", program.strides.get(gradient))
        source.add(f"{bind}({name}, outs[{gradient}], {stride})")
    result_of = source.name("result", result_of_output)
    strides = source.name("strides", program.strides)
    wrap = source.name("wrap", dispatch.wrap)
    for number, output in enumerate(program.outputs):
        made = place = output.index
        if made is not None and packing is not None:
            place = 1 + packing.kept.index(made)
        if made is None or output.geometry is not None:
            array = "None" if place is None else f"outs[{place}]"
            source.add(f"t{number} = {result_of}({source.name('output', output)}, leaves, {array}, {strides})")
            continue
        source.add(f"t{number} = {wrap}(outs[{place}], {source.name('stride', program.strides.get(made))})")
        if output.requires_grad:
            source.add(f"t{number}._requires_grad = True")
            if output.node is not None:
                source.add(f"t{number}._grad_fn = {source.name('walked', tape.Walked)}({output.node!r})")
    if last:
        source.add(last)
    found = ", ".join(f"t{number}" for number in range(len(program.outputs)))
    if program.single:
        source.add(f"return {found}")
    else:
        source.add(f"return {source.name('rebuild', program.rebuild)}([{found}])")


# Learning rates as arrays: handed over as a number, one costs jit 2 us a call.
_rates: dict[float, Any] = {}
_seen_rates: set[float] = set()


def new_rate_operand(value: float) -> Any:
    """The operand for a rate that is not among ``_rates``: one that comes back becomes an array at its second call."""
    if not isinstance(value, float):
        return value
    if value not in _seen_rates:
        if len(_seen_rates) > 1000:
            _seen_rates.clear()
            _rates.clear()
        _seen_rates.add(value)
        return np.asarray(value)
    array = jnp.asarray(np.asarray(value))
    if not isinstance(array, jax.core.Tracer):
        _rates[value] = array
    return array


def write_argument(tensor: Any, array: Any, advance: int) -> None:
    """Write what the function wrote into one of its arguments."""
    dispatch.write(tensor, array)
    tensor._storage.version += advance - 1


def bind_gradient(tensor: Any, array: Any, stride: Any) -> None:
    """Give a tensor a new gradient; the old gradient's tensor is used again if nobody could tell."""
    old = tensor._grad
    # The old tensor is held by tensor._grad, the name old and getrefcount; its storage by the tensor and getrefcount.
    if old is not None and sys.getrefcount(old) == 3 and sys.getrefcount(old._storage) == 2:
        storage = old._storage
        held = storage.array
        if (
            storage.host is None
            and old._geometry is old._extra is old._grad_fn is old._base is None
            and storage.stride == stride
            and held.shape == array.shape
            and not old.__dict__
        ):
            storage.array = array
            storage.version = 0
            return
    tensor._grad = dispatch.wrap(array, stride)


def result_of_output(output: Output, leaves: list[Any], array: Any, strides: dict[int, Any]) -> Any:
    """The tensor that stands for one of the function's results."""
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
    assert output.index is not None
    result = dispatch.wrap(array, strides.get(output.index) if strides else None)
    if output.geometry is not None:
        result._geometry = output.geometry
    if output.requires_grad:
        result._requires_grad = True
        if output.node is not None:
            result._grad_fn = tape.Walked(output.node)
    return result
