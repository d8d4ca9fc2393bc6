"""Capturing a function: one traced run over all the tensor state that exists, then a program of what the run touched.

Before the run the array of every living storage is replaced by a tracer, so whatever the function reads (parameters,
optimizer state, gradients, data in closures) is an input of the trace, and reading a value on the host cannot go
unnoticed. After the run the storages written, the gradients bound or dropped and the tensors returned are its outputs.
Inputs that nothing uses are pruned. Everything is put back before the program runs for the first time.
"""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jax_core
from jax.interpreters import partial_eval

from torchlike._compile.guards import Guards
from torchlike._core import dispatch, generator, tape
from torchlike._core.storage import HostStorage, PackedStorage, Storage
from torchlike._core.tensor_state import TensorBase


class Uncapturable(Exception):
    """Why a function cannot become one program; it then runs eagerly."""


class _Capturing(threading.local):
    active: bool = False


capturing = _Capturing()


def is_compiling() -> bool:
    """Return whether the current thread is tracing a function for ``torch.compile``.

    >>> torch.compiler.is_compiling()
    False
    """
    return capturing.active


@dataclass
class Output:
    """A tensor that the program returns.

    ``geometry`` over output ``index``, or a tensor or storage that existed before.
    """

    index: int | None
    geometry: Any
    existing: Any
    requires_grad: bool
    node: str | None
    alive: bool = False


@dataclass
class Program:
    """A compiled function with what it reads and writes."""

    jitted: Callable[..., Any]
    run: Callable[..., Any]  # what jitted was made from
    shapes: list[Any]  # of the outputs
    state: list[Storage]  # read, in the order of the inputs
    rates: list[tuple[dict[str, Any], str]]  # numbers read at each call: learning rates
    arguments: list[int]  # which tensor arguments it reads
    written: list[tuple[Storage, int, int]]  # (storage, output, how much its version advances)
    argument_writes: list[tuple[int, int, int]]
    bindings: list[tuple[TensorBase, int | None]]  # (tensor, output that becomes its grad, None: it loses its grad)
    outputs: list[Output]
    rebuild: Callable[[list[Any]], Any]
    single: bool  # the result is the one tensor of outputs
    uses_key: bool
    donated: tuple[int, ...]
    strides: dict[int, Any]  # of outputs that are not row-major
    owners: list[tuple[TensorBase, Storage]]  # tensors whose memory must still be the one read
    grads: list[tuple[TensorBase, Any]]  # tensors whose ``grad`` must still be the one read or found missing
    targets: list[Target] = field(default_factory=list)  # where gradients of the results go, if their graph is alive

    @property
    def differentiable(self) -> bool:
        """Whether the caller may still walk back through the results."""
        return any(o.alive for o in self.outputs)


@dataclass
class Target:
    """A tensor that the results' graph leads to: one that existed before, or the argument ``position``."""

    tensor: Any
    position: int | None


@dataclass
class _TensorMemory:
    """The fields of a tensor that a run may change."""

    tensor: TensorBase
    fields: tuple[Any, ...]

    NAMES = (
        "_storage",
        "_geometry",
        "_value",
        "_value_version",
        "_grad_fn",
        "_output_nr",
        "_requires_grad",
        "_grad",
        "_base",
        "_view_version",
    )

    @classmethod
    def of(cls, tensor: TensorBase) -> _TensorMemory:
        return cls(tensor, tuple([getattr(tensor, n) for n in cls.NAMES]))

    def restore(self) -> None:
        for name, value in zip(self.NAMES, self.fields, strict=True):
            setattr(self.tensor, name, value)


class Foreign(tape.Node):
    """Stands for the history of a tensor that was not made by the captured function."""

    __slots__ = ("position", "tensor")

    def __init__(self, tensor: Any, position: int | None = None) -> None:
        super().__init__(())
        self.tensor = tensor
        self.position = position

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        raise Uncapturable("it walks back into a graph made outside")


class _Living:
    """Every storage and tensor that exists, and what it holds."""

    def __init__(self) -> None:
        objects = gc.get_objects()
        kinds = (Storage, HostStorage, PackedStorage)
        self.storages: list[Storage] = [
            o
            for o in objects
            if type(o) in kinds and isinstance(_held(o), jax.Array) and not isinstance(_held(o), jax.core.Tracer)
        ]
        # By the type: isinstance asks foreign objects for their __class__, and some answer with code of their own.
        tensors = [o for o in objects if issubclass(type(o), TensorBase) and hasattr(o, "_storage")]
        self.tensors = [_TensorMemory.of(o) for o in tensors]
        self.arrays = [s.array for s in self.storages]
        self.classes = [type(s) for s in self.storages]
        self.versions = [s.version for s in self.storages]
        self.strides = [s.stride for s in self.storages]

    def install(self, arrays: Sequence[Any]) -> None:
        for storage, array in zip(self.storages, arrays, strict=True):
            storage.__class__ = Storage
            storage.array = array
        for memory in self.tensors:
            tensor = memory.tensor
            tensor._value = None
            tensor._value_version = -1
            if tensor._grad_fn is not None:
                tensor._grad_fn, tensor._output_nr = Foreign(tensor), 0

    def restore(self) -> None:
        for storage, array, kind, version, stride in zip(
            self.storages, self.arrays, self.classes, self.versions, self.strides, strict=True
        ):
            if storage.stride != stride or storage._geometry is None:
                storage.stride = stride
                storage._geometry = None
            storage.__class__ = Storage
            if kind is Storage:
                storage.array = array
            else:
                storage.array = None
                storage.__class__ = kind
            storage.version = version
        for memory in self.tensors:
            memory.restore()


def _held(storage: Storage) -> Any:
    return storage.array


def capture(leaves: list[Any], call: Callable[[list[Any]], Any], guards: Guards) -> Program:
    """Trace ``call(tensors)`` (the function on stand-ins for its tensor arguments) into a program.

    Raises Uncapturable for what cannot be one, with everything put back as it was.
    """
    trace = Trace(leaves, call, guards)
    first = _fingerprint(trace.make(trace.run))
    closed = trace.make(trace.run)
    trace.stand_ins = []
    if _fingerprint(closed) != first:
        # A clock, a file, a hidden counter: what two runs in a row do not agree on must not be built in.
        raise Uncapturable("two runs of it compute different things from the same tensors")
    if leaked():
        raise Uncapturable("it keeps a tensor that it made beyond the call")
    return trace.program(closed)


def _fingerprint(closed: Any) -> tuple[str, tuple[bytes, ...]]:
    """What a trace computes, as text and bytes."""
    return str(closed.jaxpr), tuple(np.asarray(c).tobytes() for c in closed.consts if not _is_key(c))


def _is_key(constant: Any) -> bool:
    return bool(jnp.issubdtype(constant.dtype, jax.dtypes.prng_key))


def _host_randomness() -> Any:
    """Where Python's and NumPy's own generators stand."""
    state: Any = np.random.get_state()  # noqa: NPY002 - the global generator is the one that programs draw from
    return random.getstate(), state[1].tobytes(), state[2]


def _moved(before: Any, after: Any) -> bool:
    def position(mark: Any) -> Any:
        inner = mark[1]["state"]
        return int(inner["pos"]), bytes(inner["key"].tobytes())

    return bool(position(before) != position(after))


class Trace:
    """One traced run, and what it left behind."""

    def __init__(self, leaves: list[Any], call: Callable[[list[Any]], Any], guards: Guards) -> None:
        self.living = _Living()
        self.leaves = leaves
        self.call = call
        self.guards = guards
        self.rates = [(group, "lr") for group, _ in guards.groups if isinstance(group.get("lr"), float)]
        self.stand_ins: list[Any] = []

    def make(self, run: Callable[..., Any], *more: Any) -> Any:
        """Trace ``run`` over all state, undo whatever it did, and return the closed jaxpr."""
        living = self.living
        marks = generator.default_generator.mark()
        avals = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in living.arrays]
        arguments = [
            jax.ShapeDtypeStruct(tuple(dispatch.shape_of(t)), dispatch.geometry_of(t).dtype.np) for t in self.leaves
        ]
        rates = [jax.ShapeDtypeStruct((), jnp.float64, weak_type=True) for _ in self.rates]
        key = jax.eval_shape(lambda: jax.random.key(0))
        host = _host_randomness()
        host_states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generator is the one that programs draw from
        try:
            closed = jax.make_jaxpr(run)(avals, arguments, rates, key, *more)
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as error:
            raise Uncapturable("a tensor's values are needed by Python") from error
        except generator.HostDraw as error:
            raise Uncapturable(str(error)) from error
        except jax.errors.UnexpectedTracerError as error:
            raise Uncapturable("a tensor outlives the call in a way that is not followed") from error
        finally:
            changed = self.guards.restore()
            drawn = generator.default_generator.mark()
            generator.default_generator.rewind(marks)
            host_drawn = _host_randomness() != host
            random.setstate(host_states[0])
            np.random.set_state(host_states[1])  # noqa: NPY002
        if changed:
            raise Uncapturable(f"it changes Python state ({', '.join(sorted(set(changed)))})")
        if host_drawn or _moved(marks, drawn):
            raise Uncapturable("it draws random numbers on the host")
        return closed

    def run(self, arrays: list[Any], arguments: list[Any], rates: list[Any], key: Any) -> list[Any]:
        """The traced run of the function itself."""
        return self.within(arrays, arguments, rates, key, lambda result, before: self._collect(arrays, before, result))

    def within(
        self,
        arrays: list[Any],
        arguments: list[Any],
        rates: list[Any],
        key: Any,
        finish: Callable[[Any, Any], list[Any]],
    ) -> list[Any]:
        """Call the function with traced state in place; ``finish`` looks at the result before all is put back."""
        previous = generator.key_source
        values = [group[name] for group, name in self.rates]
        keys = [key]

        def next_key() -> Any:
            keys[0], drawn = jax.random.split(keys[0])
            return drawn

        edges = [tape.gradient_edge(t) for t in self.leaves]
        capturing.active = True
        generator.key_source = next_key
        self.living.install(arrays)
        for (group, name), rate in zip(self.rates, rates, strict=True):
            group[name] = rate
        try:
            self.stand_ins = [
                _stand_in(i, t, a, e) for i, (t, a, e) in enumerate(zip(self.leaves, arguments, edges, strict=True))
            ]
            before = [(s._storage.array, s._storage.version) for s in self.stand_ins]
            return finish(self.call(self.stand_ins), before)
        finally:
            for (group, name), value in zip(self.rates, values, strict=True):
                group[name] = value
            self.living.restore()
            generator.key_source = previous
            capturing.active = False

    def _collect(self, arrays: list[Any], before: list[Any], result: Any) -> list[Any]:
        """Find what the run wrote, bound and returned; returns the outputs of the trace."""
        living, stand_ins = self.living, self.stand_ins
        outputs: list[Any] = []
        known = {id(s): i for i, s in enumerate(living.storages)}
        self.written = []
        for storage, array, version, stride in zip(
            living.storages, arrays, living.versions, living.strides, strict=True
        ):
            if storage.array is not array:
                if (
                    tuple(storage.array.shape) != tuple(array.shape)
                    or storage.array.dtype != array.dtype
                    or storage.stride != stride
                ):
                    raise Uncapturable("it resizes a tensor that it did not make")
                self.written.append((storage, len(outputs), storage.version - version))
                outputs.append(storage.array)
            elif storage.version != version:
                raise Uncapturable("it counts a version up without writing")
        self.argument_writes = []
        for i, (stand_in, (array, version)) in enumerate(zip(stand_ins, before, strict=True)):
            if stand_in._storage.array is not array:
                self.argument_writes.append((i, len(outputs), stand_in._storage.version - version))
                outputs.append(dispatch.array_of(stand_in))
        made: dict[int, int] = {}  # storages made by the run -> their output

        def output_of(storage: Storage) -> int:
            index = made.get(id(storage))
            if index is None:
                index = made[id(storage)] = len(outputs)
                outputs.append(storage.array)
                if storage.stride is not None:
                    self.strides[index] = storage.stride
            return index

        self.strides: dict[int, Any] = {}

        self.bindings: list[tuple[TensorBase, int | None]] = []
        for memory in living.tensors:
            self._compare(memory, known, output_of)
        for tensor, stand_in in zip(self.leaves, stand_ins, strict=True):
            if stand_in._grad is not None:
                if tensor._grad is not None:
                    raise Uncapturable("it adds to the gradient of an argument that has one")
                self.bindings.append((tensor, output_of(stand_in._grad._storage)))
        self.outputs: list[Output] = []
        self.targets: list[Target] = []
        self.single = isinstance(result, TensorBase)
        self.rebuild = _take_apart(result, lambda t: self._output(t, known, stand_ins, output_of))
        roots = [t._grad_fn for t in _tensors(result) if t._grad_fn is not None and not _released(t._grad_fn)]
        if roots:
            self.targets = _targets(roots, {id(s): i for i, s in enumerate(stand_ins)})
        return outputs

    def _compare(self, memory: _TensorMemory, known: dict[int, int], output_of: Callable[[Storage], int]) -> None:
        tensor = memory.tensor
        storage, _, _, _, grad_fn, _, requires_grad, grad, _, _ = memory.fields
        if tensor._storage is not storage:
            raise Uncapturable("it binds a tensor to other memory (.data = or set_)")
        if tensor._grad is not grad:
            if tensor._grad is None:
                self.bindings.append((tensor, None))
            elif id(tensor._grad._storage) in known:
                raise Uncapturable("it binds a gradient to a tensor that existed before")
            else:
                self.bindings.append((tensor, output_of(tensor._grad._storage)))
        if tensor._requires_grad != requires_grad and tensor._base is None:
            raise Uncapturable("it changes requires_grad of a tensor that it did not make")
        if type(tensor._grad_fn) is not (type(None) if grad_fn is None else Foreign) and tensor._base is None:
            raise Uncapturable("it writes in place, with gradients, to a tensor that it did not make")

    def _output(
        self, tensor: Any, known: dict[int, int], stand_ins: list[Any], output_of: Callable[[Storage], int]
    ) -> int:
        position = len(self.outputs)
        storage = tensor._storage
        for i, stand_in in enumerate(stand_ins):
            if stand_in is tensor:
                self.outputs.append(Output(None, None, i, False, None))
                return position
            if stand_in._storage is storage:
                raise Uncapturable("it returns a view of an argument")
        if id(storage) in known:
            self.outputs.append(Output(None, tensor._geometry, tensor if self._lived(tensor) else storage, False, None))
            return position
        node = tensor._grad_fn
        alive = node is not None and not _released(node)
        self.outputs.append(
            Output(
                output_of(storage), tensor._geometry, None, tensor._requires_grad, node.name() if node else None, alive
            )
        )
        return position

    def _lived(self, tensor: Any) -> bool:
        return any(m.tensor is tensor for m in self.living.tensors)

    def program(self, closed: Any) -> Program:
        """Prune the trace to what it uses and compile it."""
        n_state, n_arguments = len(self.living.arrays), len(self.leaves)
        run, used = prune(closed)
        state = [self.living.storages[i] for i in range(n_state) if used[i]]
        written = {id(storage) for storage, _, _ in self.written}
        donated = tuple(i for i, s in enumerate(state) if id(s) in written and type(s) is Storage and not self.targets)
        return Program(
            jitted=jax.jit(run, donate_argnums=donated),
            run=run,
            shapes=list(closed.out_avals),
            state=state,
            rates=[r for i, r in enumerate(self.rates) if used[n_state + n_arguments + i]],
            arguments=[i for i in range(n_arguments) if used[n_state + i]],
            written=self.written,
            argument_writes=self.argument_writes,
            bindings=self.bindings,
            outputs=self.outputs,
            rebuild=self.rebuild,
            single=self.single,
            uses_key=bool(used[n_state + n_arguments + len(self.rates)]),
            donated=donated,
            strides=self.strides,
            owners=self._owners(state),
            grads=self._grads(state),
            targets=self.targets,
        )

    def _owners(self, state: list[Storage]) -> list[tuple[TensorBase, Storage]]:
        used = {id(s) for s in state}
        return [
            (m.tensor, m.tensor._storage)
            for m in self.living.tensors
            if m.tensor._base is None
            and id(m.tensor._storage) in used
            and not any(m.tensor is leaf for leaf in self.leaves)
        ]

    def _grads(self, state: list[Storage]) -> list[tuple[TensorBase, Any]]:
        """The gradients whose presence or absence the program is built on."""
        touched = {id(s) for s in state} | {id(s) for s, _, _ in self.written}
        found: list[tuple[TensorBase, Any]] = []
        bound = {id(tensor) for tensor, _ in self.bindings}
        for memory in self.living.tensors:
            tensor = memory.tensor
            grad = tensor._grad
            if (grad is None and id(tensor) in bound) or (grad is not None and id(grad._storage) in touched):
                found.append((tensor, grad))
        return found


def prune(closed: Any) -> tuple[Callable[..., Any], list[bool]]:
    """Return the traced function without the inputs that nothing uses, and which ones are used."""
    jaxpr, used = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))[:2]
    return jax_core.jaxpr_as_fun(jax_core.ClosedJaxpr(jaxpr, closed.consts)), used


def _stand_in(position: int, tensor: Any, array: Any, edge: Any) -> Any:
    """A tensor that plays the part of an argument: a traced value, a history that ends here."""
    other = dispatch.wrap(array)
    other.__class__ = type(tensor)
    other.__dict__.update(tensor.__dict__)
    if edge is not None:
        other._requires_grad = True
        if not isinstance(edge[0], tape.AccumulateGrad):
            other._grad_fn = Foreign(tensor, position)
    return other


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, TensorBase):
        return [value]
    if isinstance(value, tuple | list):
        return [t for v in value for t in _tensors(v)]
    if isinstance(value, dict):
        return [t for v in value.values() for t in _tensors(v)]
    return []


def _targets(roots: list[Any], stand_ins: dict[int, int]) -> list[Target]:
    """The ends of a graph: leaves, arguments and tensors with a history of their own."""
    found: dict[int, Target] = {}
    seen = set(map(id, roots))
    stack = list(roots)
    while stack:
        node = stack.pop()
        if isinstance(node, tape.AccumulateGrad):
            position = stand_ins.get(id(node.variable))
            found[id(node.variable)] = Target(None if position is not None else node.variable, position)
        elif isinstance(node, Foreign):
            found[id(node.tensor)] = Target(None if node.position is not None else node.tensor, node.position)
        for edge in node.edges:
            if edge is not None and id(edge[0]) not in seen:
                seen.add(id(edge[0]))
                stack.append(edge[0])
    return list(found.values())


def _released(node: Any) -> bool:
    saved = getattr(node, "saved", ())
    return saved is None or (saved == () and all(edge is None or _released(edge[0]) for edge in node.edges))


def _take_apart(value: Any, leaf: Callable[[Any], int]) -> Callable[[list[Any]], Any]:
    """Replace the tensors in a result by their numbers; returns the function that puts others in their places."""
    if isinstance(value, TensorBase):
        number = leaf(value)
        return lambda found: found[number]
    if isinstance(value, tuple | list):
        parts = [_take_apart(v, leaf) for v in value]
        kind = type(value)
        if hasattr(value, "_fields"):
            return lambda found: kind(*[p(found) for p in parts])
        return lambda found: kind([p(found) for p in parts])
    if isinstance(value, dict):
        named = {k: _take_apart(v, leaf) for k, v in value.items()}
        return lambda found: {k: p(found) for k, p in named.items()}
    if isinstance(value, bool | int | float | complex | str | type(None)):
        return lambda found: value
    raise Uncapturable(f"it returns a {type(value).__name__}")


def leaked() -> bool:
    """Whether a traced value is still held by a tensor."""
    gc.collect()
    return any(type(o) is Storage and isinstance(o.array, jax.core.Tracer) for o in gc.get_objects())
