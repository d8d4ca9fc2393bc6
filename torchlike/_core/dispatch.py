"""One call of an operator: find the plan, read the operands, run the kernel, wrap the result, record it.

The generated public functions land here. Everything that does not depend on values (which operands are tensors, which
kernel, which checks) is worked out once for a combination of argument types and static values and kept as a `Plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from torchlike._core import arguments, errors, layout, overlap, override, tape, views
from torchlike._core import dtype as dtypes
from torchlike._core.dtype import BY_NAME
from torchlike._core.kernels import TENSOR, Kernel, run, run_over
from torchlike._core.lifted import Lifted
from torchlike._core.storage import Storage
from torchlike._core.tensor_state import TensorBase, classes, modes
from torchlike._core.through import write_through
from torchlike._core.views import Geometry, Memory

if TYPE_CHECKING:
    from torchlike._core.op import Op

all_ops: list[Op] = []


@dtypes.on_default_change
def _forget_kernels() -> None:
    """The default dtype is built into kernels: a new one needs new kernels."""
    for op in all_ops:
        op.plans.clear()
        op.inplace_plans.clear()
        op.kernels.clear()


_NUMBERS = (bool, int, float, complex)
_new = object.__new__
_watching = tape.watching


class Plan:
    """What the call path needs to know of one combination of argument types and static values."""

    __slots__ = ("elementwise", "kernel", "slots", "tensors")

    def __init__(self, kernel: Kernel, tensors: tuple[int, ...], slots: tuple[int, ...], elementwise: bool) -> None:
        self.kernel = kernel
        self.tensors = tensors
        self.slots = slots
        self.elementwise = elementwise


# ---------------------------------------------------------------------------------------------------------------------
# The call path


def call(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], out: Any = None, plan: Plan | None = None) -> Any:
    """Run an operator on its operands; with a plan, those whom it concerns have been asked."""
    if plan is None:
        try:
            plan = op.plans.get((tuple(map(type, operands + statics)), statics))
        except TypeError:  # a list among the statics
            plan = None
        if plan is None or modes.function_modes:
            return call_slowly(op, operands, statics, out, call, op.plans)
    if modes.levels:
        operands = lift_operands(operands)
    values = list(operands)
    graph = strided = False
    for i in plan.tensors:
        tensor = operands[i]
        storage = tensor._storage
        if tensor._geometry is None:
            values[i] = storage.array
            if storage.stride is not None:
                strided = True
        else:
            values[i] = array_of(tensor)
            strided = True
        if tensor._requires_grad or tensor._base is not None:
            graph = True
    try:
        outs = run(plan.kernel, values)
    except Exception as error:  # noqa: BLE001 - whatever it is, recover raises it again unless it has an answer
        outs = recover(error, plan.kernel, values)
    stride = (
        layout.elementwise_strides(outs, [operands[i] for i in plan.tensors]) if strided and plan.elementwise else None
    )
    if out is not None:
        return _write_out(op, out, outs, statics, operands)
    if not isinstance(outs, tuple):
        result = wrap(outs, stride)
        if graph and modes.grad:
            node = tape.record(plan.kernel, values, plan.tensors, operands, (outs,), (result._storage,))
            if node is not None:
                node.slots = plan.slots
                result._grad_fn = node
                result._requires_grad = True
        return result
    return _wrap_many(plan, operands, values, outs, graph)


def wrap(array: Any, stride: tuple[int, ...] | None = None) -> Any:
    """Return a fresh tensor around a jax array."""
    storage = _new(Storage)
    storage.array = array
    storage.stride = stride
    storage.version = 0
    storage.host = storage._geometry = storage.counter = None
    tensor = _new(classes.tensor)
    tensor._storage = storage
    tensor._geometry = tensor._value = tensor._grad_fn = tensor._grad = tensor._base = tensor._extra = None
    tensor._value_version = tensor._view_version = -1
    tensor._output_nr = 0
    tensor._requires_grad = False
    if _watching.inference and modes.inference:
        tape.extra_of(tensor).inference = True
    if _watching.made:
        tape.note_made(tensor)
    return tensor


def _wrap_many(plan: Plan, operands: tuple[Any, ...], values: list[Any], outs: Any, graph: bool) -> Any:
    results = [wrap(o) for o in outs]
    if graph and modes.grad:
        storages = [r._storage for r in results]
        node = tape.record(plan.kernel, values, plan.tensors, operands, tuple(outs), storages)
        if node is not None:
            node.slots = plan.slots
            attach(node, results)
    return type(outs)(*results) if hasattr(outs, "_fields") else tuple(results)


def attach(node: tape.Node, results: Sequence[TensorBase]) -> None:
    """Make ``node`` the history of its outputs; those of integer types have none."""
    for number, result in enumerate(results):
        if tape.differentiable(result._storage.array.dtype):
            result._grad_fn = node
            result._output_nr = number
            result._requires_grad = True


def call_arrays(
    op: Op,
    operands: tuple[Any, ...],
    statics: tuple[Any, ...],
    out: Any = None,
    then: Callable[..., Any] = call,
) -> Any:
    """Run an operator some of whose operands are sequences of tensors."""
    flat: list[Any] = []
    lengths: list[int] = []
    for p, x in zip(op.operand_params, operands, strict=True):
        if p.kind == "arrays":
            if not isinstance(x, list | tuple):
                raise TypeError(
                    f"{op.qualified_name}(): argument '{p.name}' (position {p.position + 1}) must be tuple of"
                    f" Tensors, not {type(x).__name__}"
                )
            flat.extend(x)
            lengths.append(len(x))
        else:
            flat.append(x)
            lengths.append(-1)
    return then(op, tuple(flat), (*statics, tuple(lengths)), out)


def call_inplace(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], plan: Plan | None = None) -> Any:
    """Run an operator and write its result into its first operand."""
    if plan is None:
        try:
            plan = op.inplace_plans.get((tuple(map(type, operands + statics)), statics))
        except TypeError:
            plan = None
        if plan is None or modes.function_modes:
            return call_slowly(op, operands, statics, None, call_inplace, op.inplace_plans)
    target = operands[0]
    whole = target._geometry is None and not modes.levels
    if modes.levels:
        operands = lift_for_inplace(op.name, operands)
    if not whole or target._requires_grad or target._base is not None:
        check_inplace(target, operands, op.name)
    values = list(operands)
    graph = False
    memory = target._storage
    for i in plan.tensors:
        tensor = operands[i]
        storage = tensor._storage
        if tensor._geometry is None:
            values[i] = storage.array
        elif i:
            values[i] = array_of(tensor)
        if tensor._requires_grad or tensor._base is not None:
            graph = True
        if storage is memory and i:
            overlap.check(op.name, geometry_of(target), geometry_of(tensor))
    graph = graph and modes.grad
    if not whole:
        graph = graph and any([tape.requires_grad(operands[i]) for i in plan.tensors])
        through = not (graph or modes.levels or 0 in geometry_of(target).stride)
        if through and write_through(plan.kernel, memory, lowered(target), values):
            touch(target)
            return target
        values[0] = array_of(operands[0])
    # Three references are the storage's, the list's and getrefcount's own: nobody else sees the memory reused.
    owned = whole and not graph and getrefcount(values[0]) <= 3 and type(memory) is Storage
    try:
        result = (run_over if owned and not isinstance(values[0], jax.core.Tracer) else run)(plan.kernel, values)
    except Exception as error:  # noqa: BLE001 - whatever it is, recover raises it again unless it has an answer
        result = recover(error, plan.kernel, values)
    node = None
    if graph and tape.differentiable(result.dtype):
        node = tape.record(plan.kernel, values, plan.tensors, operands, (result,), (target._storage,), bump=1)
    values.clear()
    if whole:
        memory.array = result
        memory.version += 1
        if memory.counter is not None or (_watching.alert and target._extra is not None):
            tape.count(target)
    else:
        write(target, result)
    if node is not None:
        node.slots = plan.slots
        _rebase(target, node)
    return target


def call_view(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], asked: bool = False) -> Any:
    """Return a view of the first operand: no kernel runs, the result shares its storage."""
    (tensor,) = operands
    if (type(tensor) not in classes.plain or modes.function_modes) and not asked:
        return _call_view_slowly(op, operands, statics)
    geometry = tensor._geometry or tensor._storage.geometry
    key = (geometry, statics)
    try:
        found = op.plans.get(key)
    except TypeError:
        return call_view(op, operands, hashable(statics), True)
    if found is None:
        # The plan is kept under the plain values: a tensor among the statics stands for the number that it holds now.
        statics = plain_statics(op, hashable(statics))
        found = op.view(geometry, *statics)
        if found is None:
            return _call_as_copy(op, operands, statics)
        if len(op.plans) > 50_000:
            op.plans.clear()
        op.plans[geometry, statics] = found
    if isinstance(found, Geometry):
        result = as_view(tensor, found)
        if modes.grad and (tensor._requires_grad or tensor._base is not None):
            _record_view(op, statics, tensor, [result])
        return result
    results = [as_view(tensor, g) for g in found]
    for result in results:
        tape.note_view(result, tensor, "multi_output")
    if results and modes.grad and (tensor._requires_grad or tensor._base is not None):
        _record_view(op, statics, tensor, results)
    return tuple(results)


def as_view(tensor: Any, geometry: Geometry) -> Any:
    """Return a tensor that looks at the storage of ``tensor`` through ``geometry``; no gradient is recorded."""
    view = _new(classes.tensor)
    view._storage = storage = tensor._storage
    view._geometry = None if geometry == storage.geometry else geometry
    view._value = view._grad_fn = view._grad = view._extra = None
    view._value_version = -1
    view._output_nr = 0
    view._requires_grad = False
    view._base = tensor if tensor._base is None else tensor._base
    view._view_version = storage.version if storage.counter is None else tape.version_of(tensor)
    if tensor._extra is not None or not modes.grad:
        tape.note_view(view, tensor)
    return view


def alias(tensor: Any, geometry: Geometry | None = None) -> Any:
    """Return another tensor on the same memory, outside any graph and not a view; writes to either count for both."""
    other = wrap(None)
    other._storage = storage = tensor._storage
    other._geometry = tensor._geometry if geometry is None else None if geometry == storage.geometry else geometry
    if geometry is None:
        other._value = tensor._value
        other._value_version = tensor._value_version
    if storage.counter is not None and (geometry is None or other._extra is None):  # inference tensors do not count
        tape.share_versions(other, tensor)
    if geometry is not None:
        if tensor._extra is not None and tensor._extra.inference and not modes.inference:
            tape.count_apart(other)
        return other
    if tensor._extra is not None and tensor._extra.inference:
        tape.extra_of(other).inference = True
        if not modes.inference:
            tape.count_apart(other)
    elif other._extra is not None:
        other._extra.inference = False
    return other


def touch(tensor: Any) -> None:
    """Count a write to a tensor that was made otherwise than by `write`."""
    tensor._storage.version += 1
    tape.count(tensor)


# Views whose place changes from call to call (x[i] in a loop): their gradient is one kernel for all places.
_MOVING = frozenset({"select", "_slice"})


def _record_view(op: Op, statics: tuple[Any, ...], tensor: Any, results: list[Any]) -> None:
    edge = tape.gradient_edge(tensor)
    if not tape.differentiable(results[0].dtype.np) or (edge is None and not tape.is_severed(tensor)):
        return
    if op.name in _MOVING and edge is not None and len(results) == 1:
        node = moving_view(op, statics, shaped(tensor), edge)
    else:
        kernel = op.kernel((TENSOR,), plain_statics(op, statics), False)
        node = tape.record_view(kernel, shaped(tensor), edge, len(results))
    for number, result in enumerate(results):
        result._grad_fn = node
        result._output_nr = number
        result._requires_grad = True


def _call_as_copy(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...]) -> Any:
    """A view operator whose result cannot be a view (reshape): its body runs."""
    plan = Plan(op.kernel((TENSOR,), statics, False), (0,), (0,), False)
    return run_plan(plan, operands)


def run_plan(plan: Plan, operands: tuple[Any, ...]) -> Any:
    """Run a plan on operands that are known to fit it."""
    if modes.levels:
        operands = lift_operands(operands)
    values = list(operands)
    for i in plan.tensors:
        values[i] = array_of(operands[i])
    try:
        outs = run(plan.kernel, values)
    except Exception as error:  # noqa: BLE001 - whatever it is, recover raises it again unless it has an answer
        outs = recover(error, plan.kernel, values)
    if isinstance(outs, tuple):
        return _wrap_many(plan, operands, values, outs, True)
    result = wrap(outs)
    if modes.grad:
        node = tape.record(plan.kernel, values, plan.tensors, operands, (outs,), (result._storage,))
        if node is not None:
            node.slots = plan.slots
            attach(node, [result])
    return result


_applied: dict[tuple[Kernel, tuple[bool, ...]], Plan] = {}


def apply(kernel: Kernel, operands: Sequence[Any]) -> Any:
    """Run a kernel that belongs to no operator on tensors and plain values, and record it."""
    pattern = tuple([isinstance(x, TensorBase) for x in operands])
    plan = _applied.get((kernel, pattern))
    if plan is None:
        tensors = tuple(i for i, t in enumerate(pattern) if t)
        plan = _applied[kernel, pattern] = Plan(kernel, tensors, tensors, False)
    return run_plan(plan, tuple(operands))


# ---------------------------------------------------------------------------------------------------------------------
# Reading and writing


def array_of(tensor: Any) -> Any:
    """The current value of a tensor, view or not."""
    storage = tensor._storage
    geometry = tensor._geometry
    if geometry is None:
        return storage.array
    if tensor._value_version == storage.version and storage.host is None:
        return tensor._value
    array = storage.array
    if isinstance(array, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(geometry.size, geometry.dtype.np)
    if isinstance(array, Lifted):
        value = read_lifted(tensor)
    else:
        reader, starts = views.reader(memory_of(storage, array), geometry)
        value = reader.read(array, starts)
    tensor._value = value
    tensor._value_version = storage.version
    return value


def memory_of(storage: Storage, array: Any) -> Memory:
    """What the lowering of views needs to know of a storage."""
    return Memory(tuple(array.shape), storage.stride, storage.geometry.dtype)


def lowered(tensor: Any) -> tuple[views.Reader, Any]:
    """The compiled reader of a tensor and its start indices."""
    storage = tensor._storage
    return views.reader(memory_of(storage, storage.array), geometry_of(tensor))


def write(tensor: Any, array: Any) -> None:
    """Replace a tensor's values, seen by all that share its storage, and count the version up."""
    storage = tensor._storage
    if modes.levels and (isinstance(array, Lifted) or isinstance(storage.array, Lifted)):
        storage.array = write_lifted(tensor, array)
    elif tensor._geometry is None:
        storage.array = array
    else:
        reader, starts = lowered(tensor)
        owned = _owned(storage)  # asked before there is another reference
        current = storage.array
        if owned:
            storage.array = None
            try:
                storage.array = reader.write_donated(current, array, starts)
            except BaseException:
                storage.array = current
                raise
        elif not isinstance(current, jax.ShapeDtypeStruct):
            storage.array = reader.write(current, array, starts)
    storage.version += 1
    if storage.counter is not None or (_watching.alert and tensor._extra is not None):
        tape.count(tensor)


def _owned(storage: Storage) -> bool:
    """Whether nothing but the storage holds its array, so that it may be overwritten where it lies."""
    return (
        type(storage) is Storage and layout.references(storage.array) and not isinstance(storage.array, jax.core.Tracer)
    )


def geometry_of(tensor: Any) -> Geometry:
    """The size, stride and offset of a tensor."""
    geometry: Geometry = tensor._geometry or tensor._storage.geometry
    return geometry


def shape_of(tensor: Any) -> tuple[int, ...]:
    """The shape of a tensor as a plain tuple."""
    geometry = tensor._geometry
    return tuple(tensor._storage.array.shape) if geometry is None else geometry.size


def dim_of(tensor: Any) -> int:
    """The number of a tensor's dimensions."""
    geometry = tensor._geometry
    return len(tensor._storage.array.shape if geometry is None else geometry.size)


def shaped(tensor: Any) -> Any:
    """The shape and type of a tensor, without reading it."""
    geometry = geometry_of(tensor)
    return jax.ShapeDtypeStruct(geometry.size, geometry.dtype.np)


def wrap_host(array: np.ndarray[Any, Any], device: Any = None) -> Any:
    """Return a fresh tensor with a copy of a NumPy array, on a device."""
    return wrap(layout.put(array, device))


def write_host(tensor: Any, array: np.ndarray[Any, Any]) -> Any:
    """Fill a tensor in place from a NumPy array of its shape, with the checks of an in-place operation."""
    check_inplace(tensor)
    write(tensor, layout.put(np.asarray(array, dtype=geometry_of(tensor).dtype.np), device_of(tensor)))
    return tensor


def move(tensor: Any, device: Any) -> Any:
    """Return a copy of a tensor on another device, recorded with the copy back as its gradient."""
    result = wrap(layout.put(array_of(tensor), device), layout.strides_in_format(geometry_of(tensor), None))
    if modes.grad:
        edge = tape.gradient_edge(tensor)
        if edge is not None:
            result._grad_fn = tape.ToDevice(edge, device_of(tensor))
            result._requires_grad = True
    return result


def device_of(tensor: Any) -> Any:
    """The torchlike device a tensor lives on."""
    return layout.of_array(tensor._storage.array)


def _not_loaded(*_: Any) -> None:
    raise RuntimeError("torchlike._core.backward is not imported")


def check_inplace(tensor: Any, sources: Sequence[Any] = (), name: str = "") -> None:
    """Refuse an in-place write that PyTorch refuses.

    ``sources`` are the operands of the operator ``name`` that writes.
    """
    if tensor._requires_grad or tensor._base is not None:
        check_history(tensor, sources)
    geometry = tensor._geometry
    if geometry is not None and 0 in geometry.stride and geometry.overlaps and not overlap.may_expand(name):
        source = sources[1] if name == "_copy" else None
        if not (isinstance(source, TensorBase) and source._storage is tensor._storage and source._geometry == geometry):
            overlap.refuse_inner()


# Set by levels.py: what operands and memory become inside function transforms.
lift_operands: Callable[[tuple[Any, ...]], tuple[Any, ...]] = _not_loaded  # type: ignore[assignment]
lift_for_inplace: Callable[[str, tuple[Any, ...]], tuple[Any, ...]] = _not_loaded  # type: ignore[assignment]
read_lifted: Callable[[Any], Any] = _not_loaded
write_lifted: Callable[[Any, Any], Any] = _not_loaded

# Set by history.py: the node of a view that is one of many alike.
moving_view: Callable[..., tape.Node] = _not_loaded  # type: ignore[assignment]

# Set by history.py: whether autograd can follow a write.
check_history: Callable[..., None] = _not_loaded


def _rebase(tensor: Any, node: tape.Node) -> None:
    rebase(tensor, node)


# Set by backward.py: how the history of a tensor and its base changes with an in-place write.
rebase: Callable[..., None] = _not_loaded


# ---------------------------------------------------------------------------------------------------------------------
# The slow path: everything about a call that can be decided once


def call_slowly(
    op: Op,
    operands: tuple[Any, ...],
    statics: tuple[Any, ...],
    out: Any,
    again: Callable[..., Any],
    plans: dict[Any, Any],
) -> Any:
    """Ask who is to be asked, and make the plan of a call for which there is none yet."""
    handled, result = overridden(op, operands, statics, out)
    if handled:
        return result
    inplace = plans is op.inplace_plans
    clean = tuple(_clean_operand(op, x) for x in operands)
    arguments.check_numbers(op.qualified_name.lstrip("_"), op.static_params, statics)
    fixed = hashable(statics)
    types = tuple(map(type, clean + fixed))
    # An instance of a subclass is computed as a plain tensor from here on.
    plain_types = tuple([classes.tensor if issubclass(t, TensorBase) else t for t in types])
    plan = plans.get((plain_types, fixed))
    if plan is None:
        pattern = _pattern(op, clean, fixed)
        lists = any(p.kind == "arrays" for p in op.operand_params)
        plain = plain_statics(op, fixed[:-1] if lists else fixed)
        kernel = op.kernel(pattern, plain, inplace)
        tensors = tuple(i for i, x in enumerate(clean) if isinstance(x, TensorBase))
        scalars = {i for i, kind in enumerate(_flat_kinds(op, pattern)) if kind == "scalar"}
        slots = tuple(i for i in range(len(clean)) if i not in scalars and clean[i] is not None)
        plan = plans[plain_types, fixed] = Plan(kernel, tensors, slots, op.promote is not None)
    if types != plain_types and all(t in classes.plain or not issubclass(t, TensorBase) for t in types):
        plans[types, fixed] = plan
    return again(op, clean, fixed, *(() if inplace else (out,)), plan)


def _call_view_slowly(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...]) -> Any:
    handled, result = overridden(op, operands, statics, None)
    if handled:
        return result
    _entry(op, op.operand_params[0], operands[0])  # refuses what is no tensor
    return call_view(op, operands, hashable(statics), True)


def _flat_kinds(op: Op, pattern: tuple[Any, ...]) -> list[str]:
    return [
        p.kind
        for p, entry in zip(op.operand_params, pattern, strict=True)
        for _ in (entry if isinstance(entry, tuple) else (entry,))
    ]


def _clean_operand(op: Op, x: Any) -> Any:
    """NumPy scalars become Python numbers."""
    return x.item() if isinstance(x, np.generic) else x


def _pattern(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...]) -> tuple[Any, ...]:
    """Check the operands against the declaration and describe each: tensor, type of number, absent."""
    if not any(p.kind == "arrays" for p in op.operand_params):
        if op.overloads:
            return tuple(_entry_of_many(op, p, x, operands) for p, x in zip(op.operand_params, operands, strict=True))
        return tuple(_entry(op, p, x) for p, x in zip(op.operand_params, operands, strict=True))
    entries: list[Any] = []
    position = 0
    for p, length in zip(op.operand_params, statics[-1], strict=True):
        if length < 0:
            entries.append(_entry(op, p, operands[position]))
            position += 1
        else:
            part = operands[position : position + length]
            for number, x in enumerate(part):
                if x is not None and not isinstance(x, TensorBase):
                    raise TypeError(
                        f"expected Tensor as element {number} in argument {p.position}, but got {type(x).__name__}"
                    )
            entries.append(tuple(type(None) if x is None else TENSOR for x in part))
            position += length
    return tuple(entries)


def _entry_of_many(op: Op, p: Any, x: Any, operands: tuple[Any, ...]) -> Any:
    """Of an operator with several signatures: what fits none of them is told by all of them."""
    try:
        return _entry(op, p, x)
    except TypeError:
        given = [x for p, x in zip(op.operand_params, operands, strict=True) if not p.keyword_only]
        while given and given[-1] is None and op.operand_params[len(given) - 1].optional:
            given.pop()
        errors.invalid_combination(op.qualified_name.lstrip("_"), given, *op.overloads)


def _entry(op: Op, p: Any, x: Any) -> Any:
    if isinstance(x, TensorBase):
        if p.kind == "scalar" and shape_of(x) != ():
            raise TypeError(
                f"{op.qualified_name}(): argument '{p.name}' (position {p.position + 1}) must be Number, not Tensor"
            )
        return TENSOR
    if x is None and (p.optional or p.kind == "scalar"):  # a Scalar that is absent has its default
        return type(None)
    if p.kind in ("arraylike", "scalar") and type(x) in _NUMBERS:
        return type(x)
    if p.kind in ("arraylike", "scalar") and isinstance(x, _NUMBERS):
        return next(t for t in _NUMBERS if isinstance(x, t))
    wanted = "Number" if p.kind == "scalar" else "Tensor"
    given = "str" if isinstance(x, str) else type(x).__name__
    where = f"'{p.name}'" if p.keyword_only else f"'{p.name}' (position {p.position + 1})"
    raise TypeError(f"{op.qualified_name.lstrip('_')}(): argument {where} must be {wanted}, not {given}")


def hashable(statics: tuple[Any, ...]) -> tuple[Any, ...]:
    """Lists among the static values become tuples."""
    return tuple(_hashable(s) for s in statics)


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return tuple(_hashable(v) for v in value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, TensorBase):
        return _number_of(value)
    return value


def _number_of(tensor: TensorBase) -> Any:
    """A tensor given where a Python number is meant."""
    return np.asarray(array_of(tensor)).item()


# The annotations of static parameters whose type PyTorch's parser checks.
_CHECKED = frozenset({"bool", "bool | None", "Dtype | None", "dtypes.dtype | None"})

_DTYPES = {float: "float64", int: "int64", bool: "bool", complex: "complex128"}


def plain_statics(op: Op, statics: tuple[Any, ...]) -> tuple[Any, ...]:
    """Static values as bodies expect them: ints where ints are declared, a dtype for a Python type given as one."""
    fixed = []
    for p, value in zip(op.static_params, statics, strict=True):
        if p.kind == "varints":
            if type(value) is not tuple or any([type(x) is not int for x in value]):
                value = arguments.as_ints(op.name.strip("_"), p.name, p.position, value)
        elif p.annotation == "int" and type(value) is not int:
            value = arguments.as_int(op.name.strip("_"), p.name, p.position + 1, value)
        elif isinstance(value, type) and value in _DTYPES:
            value = BY_NAME[_DTYPES[value]]
        elif p.annotation in _CHECKED and (type(value) is not bool or "dtype" in p.annotation):
            arguments.check_kind(op.name.strip("_"), p.name, p.annotation, value)
        fixed.append(value)
    return tuple(fixed)


def recover(error: Exception, kernel: Kernel, values: list[Any]) -> Any:
    """Run what the compiled kernel refused for a reason that has an answer; else raise PyTorch's error."""
    if any(isinstance(v, jax.ShapeDtypeStruct) for v in values):
        return kernel.outputs(values)
    if isinstance(error, OverflowError):
        raise RuntimeError("value cannot be converted to type int64_t without overflow") from None
    moved = layout.together(values)
    if moved is not None:
        return run(kernel, moved)
    raise error


def _write_out(op: Op, out: Any, outs: Any, statics: tuple[Any, ...], operands: tuple[Any, ...]) -> Any:
    """Put results into the tensors given as ``out=``."""
    found = override.overloaded((out,))
    if found:
        args, kwargs = _as_called(op, operands, statics, out)
        return override.ask(override.calling(op), args, kwargs, found)
    for x in operands:
        if modes.grad and isinstance(x, TensorBase) and tape.requires_grad(x):
            raise RuntimeError(
                f"{op.name}(): functions with out=... arguments don't support automatic differentiation, but one of"
                " the arguments"
                " requires grad."
            )
    for target in out if isinstance(out, list | tuple) else (out,):
        if isinstance(target, TensorBase):
            _check_out(op, target, operands)
    if isinstance(outs, tuple):
        if not isinstance(out, list | tuple):
            raise TypeError(f"{op.qualified_name}(): argument 'out' must be tuple of Tensors, not {type(out).__name__}")
        for target, array in zip(out, outs, strict=True):
            layout.write_out(target, array, write)
        return type(outs)(*out) if hasattr(outs, "_fields") else tuple(out)
    if not isinstance(out, TensorBase):
        raise TypeError(f"{op.qualified_name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if op.name in _OF_ONE_TYPE and outs.dtype != geometry_of(out).dtype.np:
        names = errors.scalar_type(geometry_of(out).dtype), errors.scalar_type(dtypes.of(outs.dtype))
        raise RuntimeError(f"Found dtype {names[0]} but expected {names[1]}")
    layout.write_out(out, outs, write)
    return out


# Elementwise operators that convert nothing, not even their result.
_OF_ONE_TYPE = frozenset(
    ("neg", "abs", "ceil", "floor", "round", "trunc", "frac", "sgn", "sign", "bitwise_not", "conj_physical", "clamp")
    + ("clamp_min", "clamp_max", "hardshrink")
)


def _check_out(op: Op, target: Any, operands: tuple[Any, ...]) -> None:
    """Refuse a tensor given as ``out=`` that may not be written, or that shares memory with an operand."""
    if modes.grad and tape.requires_grad(target):
        raise RuntimeError(
            f"{op.name}(): functions with out=... arguments don't support automatic differentiation, but one of the"
            " arguments"
            " requires grad."
        )
    if geometry_of(target).overlaps and overlap.must_be_apart(op.name):
        overlap.refuse_inner()
    for x in operands:
        if isinstance(x, TensorBase) and x._storage is target._storage:
            overlap.check_out(op.name, op.promote is not None, geometry_of(target), geometry_of(x))


# ---------------------------------------------------------------------------------------------------------------------
# __torch_function__


def overridden(op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], out: Any) -> tuple[bool, Any]:
    """Give ``__torch_function__`` of a mode or of a foreign class the first say."""
    if modes.function_disabled == override.EVERYTHING:
        return False, None
    found = override.overloaded((*operands, *statics, out))
    if not found and not modes.function_modes:
        return False, None
    args, kwargs = _as_called(op, operands, statics, out)
    return True, override.ask(override.calling(op), args, kwargs or None, found)


def _as_called(
    op: Op, operands: tuple[Any, ...], statics: tuple[Any, ...], out: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and keyword arguments from which a call was made."""
    flat, fixed = iter(operands), iter(statics)
    lengths = iter(statics[-1]) if any(p.kind == "arrays" for p in op.operand_params) else None
    args: list[Any] = []
    defaults: list[Any] = []
    kwargs: dict[str, Any] = {}
    for p in op.params:
        if p.kind in ("static", "varints"):
            value = next(fixed)
        elif lengths is not None and (length := next(lengths)) >= 0:
            value = [next(flat) for _ in range(length)]
        else:
            value = next(flat)
        if p.keyword_only:
            if value is not p.default and not (value is None and p.kind == "scalar"):
                kwargs[p.name] = value
        else:
            args.append(value)
            defaults.append(p.default)
    while args and args[-1] is defaults[-1]:
        args.pop()
        defaults.pop()
    if out is not None:
        kwargs["out"] = out
    return tuple(args), kwargs
