"""Compiled forward and backward functions, cached: a repeated call traces nothing.

A `Kernel` is a pure function of arrays with its jit. Its backward kernels are made from `jax.vjp` (or the operator's
own formula) and read only the inputs and outputs that survive dead-code elimination of the traced backward: those are
what a graph node keeps, by reference. A backward kernel is itself a `Kernel`, so double backward is the same mechanism.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend import core as jax_core
from jax.interpreters import partial_eval

from torchlike._core import dtype as dtypes
from torchlike._core import errors
from torchlike._core.halves import rounded
from torchlike._core.lifted import Lifted
from torchlike._core.promote import can_cast, compute_and_result, of_number, rounded_operands
from torchlike._core.tensor_state import TensorBase, modes

if TYPE_CHECKING:
    from torchlike._core.op import Op

TENSOR = "T"  # the pattern entry of a tensor; numbers are entered by their type, absent operands by NoneType
_NONE = type(None)


class NoDerivative(RuntimeError):
    """What a gradient formula raises, or returns for one of its inputs, where PyTorch implements none."""


class NotDifferentiable(Exception):
    """What the gradient formula of an operator raises whose results take part in no graph."""


class Kernel:
    """A pure function of operands (arrays, Python numbers, None), compiled.

    ``epoch`` counts the traces of the forward, that is the operand shapes and types seen so far; a backward plan made
    for fewer of them is made again.
    """

    __slots__ = (
        "backwards",
        "default",
        "derived",
        "epoch",
        "formula",
        "function",
        "jitted",
        "keepings",
        "name",
        "node",
        "over",
        "passing",
        "through",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        node: str,
        formula: Callable[..., Any] | None = None,
    ) -> None:
        self.function = function
        self.formula = formula
        self.name = name
        self.node = node
        self.epoch = 0
        self.backwards: dict[tuple[int, ...], BackwardPlan] = {}
        self.keepings: dict[Any, Any] = {}  # see keeping.py
        self.derived: dict[Any, Any] = {}  # kernels over batches and of tangents, made by levels.py
        self.default = dtypes.get_default_dtype()
        self.jitted = jax.jit(self.traced)
        self.over: Any = None  # the same with the first operand donated, made by run_over
        self.passing: Passing | None = None  # of backward kernels
        self.through: dict[Any, Callable[..., Any]] = {}  # see dispatch._write_through

    def traced(self, *operands: Any) -> Any:
        """The function as it is traced."""
        self.epoch += 1
        with dtypes.default_scope(self.default):
            return self.function(*operands)

    def outputs(self, operands: Sequence[Any]) -> Any:
        """Return the shapes and types of the outputs without computing them."""
        return jax.eval_shape(self.traced, *operands)

    def backward_plan(self, mask: tuple[int, ...], operands: Sequence[Any], outs: tuple[Any, ...]) -> BackwardPlan:
        """Return what the backward with respect to the operands ``mask`` needs to keep."""
        # The number of outputs of one kernel may depend on the shapes (unbind): each number has a plan of its own.
        key = mask if len(outs) == 1 else (*mask, -len(outs))
        plan = self.backwards.get(key)
        if plan is None or plan.epoch != self.epoch:
            made = BackwardPlan(self, mask, operands, outs, plan)
            if plan is not None and (made.inputs, made.outputs) == (plan.inputs, plan.outputs):
                plan.epoch = self.epoch  # new shapes that need nothing more: keep the kernels compiled so far
            else:
                plan = self.backwards[key] = made
        return plan

    def __repr__(self) -> str:
        return f"<Kernel {self.name}>"


def run(kernel: Kernel, operands: Sequence[Any]) -> Any:
    """Compute: the one seam that everything passes."""
    if modes.levels:
        return run_lifted(kernel, operands)
    try:
        return kernel.jitted(*operands)
    except TypeError:
        if not any([isinstance(x, Lifted) for x in operands]):
            raise
        return run_lifted(kernel, operands)


def _no_levels(kernel: Kernel, operands: Sequence[Any]) -> Any:
    raise RuntimeError("torchlike._core.levels is not imported")


# Set by levels.py: runs a kernel inside function transforms.
run_lifted: Callable[[Kernel, Sequence[Any]], Any] = _no_levels


def run_over(kernel: Kernel, operands: Sequence[Any]) -> Any:
    """Compute, the result taking the memory of the first operand, which nothing may read any more."""
    if modes.levels:
        return run_lifted(kernel, operands)
    jitted = kernel.over
    if jitted is None:
        # Kept even if nothing reads it (zero_, fill_): it is the memory that is wanted.
        jitted = kernel.over = jax.jit(kernel.traced, donate_argnums=0, keep_unused=True)
    return jitted(*operands)


# Above so many elements a loop over each array by itself, which XLA may spread over cores, is the better program.
_SMALL = 1 << 18


# The attribute is XLA's own, for small loops. Where it is not known, or not tried, programs stay as they are.
_KNOWN = jax.__version_info__[:2] == (0, 10)


def as_one(function: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """Let XLA's CPU backend make one machine function of a function of many small arrays, instead of one an output.

    Starting a kernel costs XLA 0.5 us, and beyond eight of them it starts its scheduler, for another 12 us. Twenty
    updates of 32x32 numbers take 56 us so, and 31 us as one.

    This is for plain arithmetic on elements in which every operand counts. Of matrix products, sorts and loops XLA has
    kernels of its own, which cannot be part of such a function, and it aborts the process over a parameter that turns
    out not to be needed (a product with the integer 0, an array without elements).
    """

    def one(*operands: Any) -> tuple[Any, ...]:
        fitting = all([x.size and jnp.issubdtype(x.dtype, jnp.floating) for x in operands])
        if not (_KNOWN and fitting and sum([x.size for x in operands]) <= _SMALL):
            return function(*operands)
        with set_xla_metadata(xla_cpu_small_call="true", inlineable="false"):
            results: tuple[Any, ...] = jax.jit(function)(*operands)
        return results

    return one


class Passing(NamedTuple):
    """What a backward kernel does where some of its results are gradients it was given (add), unchanged.

    ``places`` has the number of that gradient for each result, None for those that ``rest`` computes.
    """

    places: tuple[int | None, ...]
    rest: Kernel | None
    dtypes: tuple[Any, ...]


def _passing(kernel: Kernel, grads: Sequence[Any]) -> Passing | None:
    """Find out which results of a backward kernel that reads nothing but gradients are just these."""
    jaxpr = jax.make_jaxpr(kernel.function)(*[_aval(g) for g in grads]).jaxpr
    made_by = {eqn.outvars[0]: eqn for eqn in jaxpr.eqns if eqn.outvars}
    numbers = {var: i for i, var in enumerate(jaxpr.invars)}
    places: list[int | None] = []
    for var in jaxpr.outvars:
        while not isinstance(var, jax_core.Literal) and (eqn := made_by.get(var)) is not None:
            if eqn.primitive is not lax.mul_p or not _is_one(eqn.invars[0]):
                break
            var = eqn.invars[1]
        places.append(None if isinstance(var, jax_core.Literal) else numbers.get(var))
    if all(place is None for place in places):
        return None
    function = kernel.function
    computed = [i for i, place in enumerate(places) if place is None]

    def rest(*values: Any) -> tuple[Any, ...]:
        outs = function(*values)
        return tuple(outs[i] for i in computed)

    remaining = Kernel(rest, kernel.name, kernel.node) if computed else None
    return Passing(tuple(places), remaining, tuple(g.dtype for g in grads))


def _is_one(x: Any) -> bool:
    return isinstance(x, jax_core.Literal) and bool(x.val == 1)


class BackwardPlan:
    """Which operands and outputs a backward keeps, and the kernels made for the shapes of the others."""

    __slots__ = (
        "absent",
        "epoch",
        "inputs",
        "kernel",
        "kernels",
        "kind",
        "loose",
        "loose_outputs",
        "mask",
        "n_out",
        "nothing",
        "outputs",
        "seen",
        "single",
    )

    def __init__(
        self,
        kernel: Kernel,
        mask: tuple[int, ...],
        operands: Sequence[Any],
        outs: tuple[Any, ...],
        previous: BackwardPlan | None,
    ) -> None:
        self.kernel = kernel
        self.mask = mask
        self.single = len(outs) == 1
        self.kind: Any = None  # the class of the nodes, made by tape.py
        self.kernels: dict[Any, Kernel] = {}
        self.seen: dict[Any, Any] = {}  # of view operators: the metas by the input's shape and type
        self.epoch = kernel.epoch
        avals = [_aval(x) for x in operands]
        out_avals = [_aval(x) for x in outs]
        present = tuple(i for i, a in enumerate(out_avals) if differentiable(a.dtype))
        self.nothing = not present  # no output is of a dtype that has gradients, or the operator has none
        n_in, n_out = len(avals), len(out_avals)

        def everything(values: Sequence[Any], results: Sequence[Any], grads: Sequence[Any]) -> Any:
            return _backward(kernel, mask, values, results, present, grads)

        try:
            closed = jax.make_jaxpr(everything)(avals, out_avals, [out_avals[i] for i in present])
            used = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))[1]
        except NoDerivative:
            # Recorded all the same: PyTorch raises when the backward comes to the node, and so does this one.
            used = [False] * (n_in + n_out)
        except NotDifferentiable:
            used = [False] * (n_in + n_out)
            self.nothing = True
        # None operands take no variable of the traced function.
        positions = [i for i, a in enumerate(avals) if a is not None]
        inputs: set[int] = {i for i, u in zip(positions, used[: len(positions)], strict=True) if u}
        outputs: set[int] = {i for i in range(n_out) if used[len(positions) + i]}
        if previous is not None:
            inputs.update(previous.inputs)
            outputs.update(previous.outputs)
        assert all(i < n_in for i in inputs)
        self.inputs: tuple[int, ...] = tuple(sorted(inputs))
        self.outputs: tuple[int, ...] = tuple(sorted(outputs))
        self.n_out = n_out
        # Tensors that are not kept stand in the backward as zeros of their shape; numbers that nothing reads as zero.
        self.loose = tuple(i for i, x in enumerate(operands) if i not in inputs and hasattr(x, "shape"))
        self.loose_outputs = () if self.single else tuple(i for i in range(n_out) if i not in outputs)
        self.absent = [None if x is None or hasattr(x, "shape") else type(x)() for x in operands]

    def metas(self, operands: Sequence[Any], outs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The shapes and types of the tensors that are not kept, which the backward knows only by them."""
        metas: list[Any] = []
        for i in self.loose:
            x = operands[i]
            metas.append(x.shape)
            metas.append(x.dtype)
        for i in self.loose_outputs:
            x = outs[i]
            metas.append(x.shape)
            metas.append(x.dtype)
        return tuple(metas)

    def backward(self, metas: tuple[Any, ...], present: tuple[int, ...], grads: Sequence[Any]) -> Kernel:
        """Return the kernel ``(kept inputs, kept outputs, gradients of the outputs present) -> gradients of mask``."""
        key = (metas, present)
        found = self.kernels.get(key)
        if found is None:
            found = self._make(metas, present)
            if not self.inputs and not self.outputs and not isinstance(grads[0], TensorBase):
                found.passing = _passing(found, grads)
            self.kernels[key] = found
        return found

    def _make(self, metas: tuple[Any, ...], present: tuple[int, ...]) -> Kernel:
        kernel, mask, inputs, outputs = self.kernel, self.mask, self.inputs, self.outputs
        shapes = iter(zip(metas[::2], metas[1::2], strict=True))
        loose = {i: next(shapes) for i in self.loose}
        loose_outputs = {i: next(shapes) for i in self.loose_outputs}

        def function(*values: Any) -> tuple[Any, ...]:
            operands = [jnp.zeros(*loose[i]) if i in loose else x for i, x in enumerate(self.absent)]
            results: list[Any] = [None] * self.n_out
            for i, shape in loose_outputs.items():
                results[i] = jnp.zeros(*shape)
            split = len(inputs) + len(outputs)
            for i, value in zip(inputs, values[: len(inputs)], strict=True):
                operands[i] = value
            for i, value in zip(outputs, values[len(inputs) : split], strict=True):
                results[i] = value
            return _backward(kernel, mask, operands, results, present, values[split:])

        return Kernel(function, f"{kernel.name}_backward", _backward_node(kernel.node))


def _backward(
    kernel: Kernel,
    mask: tuple[int, ...],
    operands: Sequence[Any],
    results: Sequence[Any],
    present: tuple[int, ...],
    grads: Sequence[Any],
) -> tuple[Any, ...]:
    """The gradients of the operands ``mask``, given those of the outputs ``present`` (PyTorch's complex convention)."""
    found: list[Any] = [None] * len(results)
    for i, grad in zip(present, grads, strict=True):
        found[i] = conj(grad)
    if kernel.formula is not None:
        cotangents = kernel.formula(mask, operands, results, found)
    else:
        cotangents = _vjp(kernel, mask, operands, results, found)
    return tuple(conj(c) for c in cotangents)


def _vjp(
    kernel: Kernel, mask: tuple[int, ...], operands: Sequence[Any], results: Sequence[Any], grads: Sequence[Any]
) -> Sequence[Any]:
    selected: list[int] = []

    def forward(*values: Any) -> tuple[Any, ...]:
        full = list(operands)
        for i, value in zip(mask, values, strict=True):
            full[i] = value
        outs = as_tuple(kernel.function(*full))
        selected[:] = [i for i, out in enumerate(outs) if differentiable(out.dtype)]
        return tuple(outs[i] for i in selected)

    outs, pullback = jax.vjp(forward, *(operands[i] for i in mask))
    # A residual that is one of the outputs is taken from the output that the graph keeps, not computed again.
    leaves, tree = jax.tree_util.tree_flatten(pullback)
    named = {id(out): i for out, i in zip(outs, selected, strict=True)}
    leaves = [
        results[named[id(leaf)]] if id(leaf) in named and results[named[id(leaf)]] is not None else leaf
        for leaf in leaves
    ]
    pullback = jax.tree_util.tree_unflatten(tree, leaves)
    cotangents = []
    for i, out in zip(selected, outs, strict=True):
        grad = grads[i]
        cotangents.append(jnp.zeros(out.shape, out.dtype) if grad is None else cast(grad, out.dtype))
    gradients: Sequence[Any] = pullback(tuple(cotangents))
    return gradients


def conj(x: Any) -> Any:
    """The complex conjugate; real arrays as they are."""
    return lax.conj(x) if jnp.issubdtype(x.dtype, jnp.complexfloating) else x


def as_tuple(outs: Any) -> tuple[Any, ...]:
    """The outputs of a body as a tuple."""
    return tuple(outs) if isinstance(outs, tuple | list) else (outs,)


def cast(x: Any, dtype: Any) -> Any:
    """Convert between types as PyTorch does: complex to real drops the imaginary part without a word."""
    x = jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating) and not jnp.issubdtype(dtype, jnp.complexfloating):
        if dtype == jnp.bool_:
            return x != 0
        x = x.real
    if x.dtype == jnp.bool_ and jnp.issubdtype(dtype, jnp.inexact):
        # A bool converted at once makes XLA select where it should multiply: no -0.0, and no nan of 0 * inf.
        x = lax.convert_element_type(x, jnp.int8)
    if jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(dtype, jnp.integer):
        return _truncated(x, np.dtype(dtype))
    return lax.convert_element_type(x, dtype)


def _truncated(x: Any, dtype: np.dtype[Any]) -> Any:
    """Convert floating point to integers as the processors do that PyTorch runs on, where XLA would saturate.

    A number goes through 32 bits, or 64 where the result has them, and keeps its low bits: -3.0 is 253 in uint8. What
    has no such form, nan included, is the least integer before that.
    """
    if x.dtype.itemsize < 4:
        x = lax.convert_element_type(x, jnp.float32)  # the bounds below are beyond float16
    signed = np.dtype(np.int64 if dtype.itemsize == 8 else np.int32)
    bound = x.dtype.type(2.0 ** (8 * signed.itemsize - 1))
    upper = None
    if dtype in (np.uint32, np.uint64):
        upper = x >= bound
        x = jnp.where(upper, x - bound, x)
    least = -(2 ** (8 * signed.itemsize - 1))
    whole = jnp.where((x >= -bound) & (x < bound), lax.convert_element_type(x, signed), signed.type(least))
    if upper is not None:
        whole = jnp.where(upper, whole ^ signed.type(least), whole)
    return lax.convert_element_type(whole, dtype)


def _backward_node(node: str) -> str:
    head, _, digit = node.rpartition("Backward")
    return f"{head}BackwardBackward{digit}" if head else node


def differentiable(dtype: Any) -> bool:
    """Whether values of this type carry gradients."""
    found = _differentiable.get(dtype)
    if found is None:
        found = _differentiable[dtype] = bool(jnp.issubdtype(dtype, jnp.inexact))
    return found


_differentiable: dict[Any, bool] = {}


def _aval(x: Any) -> Any:
    if x is None:
        return None
    if isinstance(x, bool | int | float | complex):
        return jax.ShapeDtypeStruct((), np.asarray(x).dtype, weak_type=True)
    return jax.ShapeDtypeStruct(x.shape, x.dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Kernels of operators


def make_kernel(op: Op, pattern: tuple[Any, ...], statics: tuple[Any, ...], inplace: bool) -> Kernel:
    """Compose an operator's promotion, its body and the rounding of its result into one kernel."""
    call = _BodyCall(op, pattern, statics, inplace)
    formula = None if op.formula is None else call.gradients
    node = op.node if isinstance(op.node, str) else op.node(pattern, **call.statics)
    return Kernel(call, op.qualified_name, node, formula)


class _Tracing(threading.local):
    operands: tuple[tuple[dtypes.dtype, str] | None, ...] = ()
    inplace: bool = False


_tracing = _Tracing()


def operands_given() -> tuple[tuple[dtypes.dtype, str] | None, ...]:
    """For bodies: the dtype and category ("dim", "zero", "number") of each operand before promotion, None if absent."""
    return _tracing.operands


def in_place() -> bool:
    """For bodies: whether the result is to be written into the first operand."""
    return _tracing.inplace


class _BodyCall:
    """An operator's body with everything static bound: what a kernel traces."""

    def __init__(self, op: Op, pattern: tuple[Any, ...], statics: tuple[Any, ...], inplace: bool) -> None:
        self.op = op
        self.defaults = _scalar_defaults(op, pattern)
        self.pattern = _with_defaults(pattern, self.defaults)
        self.statics = {p.name: value for p, value in zip(op.static_params, statics, strict=True)}
        self.inplace = inplace
        self.given: tuple[tuple[dtypes.dtype, str] | None, ...] = ()

    def __call__(self, *given: Any) -> Any:
        operands = self._filled(given)
        mids, result_dtype = self._prepare(operands)
        outs = self._body(mids)
        many = isinstance(outs, tuple | list)
        finished = [self._finish(out, result_dtype, operands) for out in as_tuple(outs)]
        if not many:
            return finished[0]
        return type(outs)(*finished) if hasattr(outs, "_fields") else tuple(finished)

    def gradients(
        self, mask: tuple[int, ...], operands: Sequence[Any], results: Sequence[Any], grads: Sequence[Any]
    ) -> Any:
        """The operator's own gradient formula, between the casts of its promotion."""
        operands = self._filled(operands)

        def prepare(*values: Any) -> tuple[Any, ...]:
            full = list(operands)
            for i, value in zip(mask, values, strict=True):
                full[i] = value
            mids = self._prepare(full)[0]
            return tuple(mids[i] for i in mask)

        mids, _ = self._prepare(operands)
        shapes = jax.eval_shape(lambda: as_tuple(self._body(mids)))
        selected, pullback = jax.vjp(prepare, *(operands[i] for i in mask))
        # A result that no wanted gradient reads is not kept; the formula sees zeros in its place.
        outs = [
            jnp.zeros(s.shape, s.dtype) if r is None else cast(r, s.dtype) for r, s in zip(results, shapes, strict=True)
        ]
        cotangents = [
            (jnp.zeros(s.shape, s.dtype) if g is None else cast(g, s.dtype)) if differentiable(s.dtype) else None
            for g, s in zip(grads, shapes, strict=True)
        ]
        assert self.op.formula is not None
        formula = functools.partial(self.op.formula, **self.statics)
        cotangent = cotangents[0] if len(shapes) == 1 else tuple(cotangents)
        given = self._with_given(formula, cotangent, tuple(mids), tuple(outs))
        chosen = []
        for i, mid in zip(mask, selected, strict=True):
            gradient = given[i]
            if isinstance(gradient, NoDerivative):
                raise gradient
            chosen.append(
                jnp.zeros(mid.shape, mid.dtype) if gradient is None else cast(gradient, mid.dtype).reshape(mid.shape)
            )
        return pullback(tuple(chosen))

    def _filled(self, operands: Sequence[Any]) -> Sequence[Any]:
        """The operands with the Scalars that were left at their defaults."""
        if not self.defaults:
            return operands
        full = list(operands)
        for position, value in self.defaults.items():
            full[position] = jnp.asarray(value)
        return full

    def _prepare(self, operands: Sequence[Any]) -> tuple[list[Any], Any]:
        """Cast and broadcast the operands of an elementwise operator; leave the others as they are."""
        entries = _flatten(self.pattern)
        self.given = tuple(None if e is _NONE else _describe(x, e) for x, e in zip(operands, entries, strict=True))
        if self.op.promote is None:
            return list(operands), None
        kinds = self._flat_kinds()
        described = [g for g, kind in zip(self.given, kinds, strict=True) if kind != "scalar" and g is not None]
        compute, result = compute_and_result(self.op.promote, described)
        commons = iter(rounded_operands(self.op.promote, described))
        shape = errors.broadcast_shapes(
            *(x.shape for x, kind in zip(operands, kinds, strict=True) if kind != "scalar" and hasattr(x, "shape"))
        )
        if self.inplace:
            _check_shape(shape, operands[0])
            check_castable(result, operands[0].dtype)
        mids: list[Any] = []
        for x, entry, kind, name in zip(operands, _flatten(self.pattern), kinds, self._flat_names(), strict=True):
            if entry is _NONE:
                mids.append(None)
            elif kind == "scalar":
                mids.append(_cast_scalar(x, entry, compute, name))
            else:
                common = next(commons)
                y = cast(x if common is None else cast(x, common), compute)
                wide = lax.broadcast_in_dim(y, shape, tuple(range(len(shape) - y.ndim, len(shape))))
                # Does nothing to the values, but rounds their gradients before they are summed, as PyTorch does.
                mids.append(wide if common is None or y.shape == shape else rounded(wide, common))
        return mids, result

    def _finish(self, out: Any, result_dtype: Any, operands: Sequence[Any]) -> Any:
        dtype = out.dtype if result_dtype is None else result_dtype
        if self.inplace:
            target = operands[0]
            _check_shape(out.shape, target)
            check_castable(dtype, target.dtype)
            dtype = target.dtype
        return cast(out, dtype)

    def _body(self, mids: Sequence[Any]) -> Any:
        return self._with_given(self._called, mids)

    def _with_given(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a body or a formula, which may ask ``operands_given()``."""
        previous = _tracing.operands, _tracing.inplace
        _tracing.operands, _tracing.inplace = self.given, self.inplace
        try:
            return function(*arguments)
        finally:
            _tracing.operands, _tracing.inplace = previous

    def _called(self, mids: Sequence[Any]) -> Any:
        groups = iter(_regroup(mids, self.pattern))
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for p in self.op.params:
            value = next(groups) if p.kind in ("array", "arraylike", "arrays", "scalar") else self.statics[p.name]
            if p.keyword_only:
                keywords[p.name] = value
            else:
                positional.append(value)
        return self.op.body(*positional, **keywords)

    def _flat_kinds(self) -> list[str]:
        return [p.kind for p, entry in zip(self.op.operand_params, self.pattern, strict=True) for _ in _entries(entry)]

    def _flat_names(self) -> list[str]:
        return [p.name for p, entry in zip(self.op.operand_params, self.pattern, strict=True) for _ in _entries(entry)]


def _scalar_defaults(op: Op, pattern: tuple[Any, ...]) -> dict[int, Any]:
    """The positions of Scalars for which a call passed None, meaning their default, and the defaults."""
    found: dict[int, Any] = {}
    position = 0
    for p, entry in zip(op.operand_params, pattern, strict=True):
        if p.kind == "scalar" and entry is _NONE and not p.optional:
            found[position] = p.default
        position += len(_entries(entry))
    return found


def _with_defaults(pattern: tuple[Any, ...], defaults: dict[int, Any]) -> tuple[Any, ...]:
    if not defaults:
        return pattern
    filled, position = [], 0
    for entry in pattern:
        filled.append(type(defaults[position]) if position in defaults else entry)
        position += len(_entries(entry))
    return tuple(filled)


def _entries(entry: Any) -> tuple[Any, ...]:
    return entry if isinstance(entry, tuple) else (entry,)


def _flatten(pattern: tuple[Any, ...]) -> list[Any]:
    return [e for entry in pattern for e in _entries(entry)]


def _regroup(flat: Sequence[Any], pattern: tuple[Any, ...]) -> list[Any]:
    """Give a body its operands one by one, sequences as tuples."""
    groups, position = [], 0
    for entry in pattern:
        if isinstance(entry, tuple):
            groups.append(tuple(flat[position : position + len(entry)]))
            position += len(entry)
        else:
            groups.append(flat[position])
            position += 1
    return groups


def _describe(x: Any, entry: Any) -> tuple[dtypes.dtype, str]:
    if entry == TENSOR:
        return dtypes.of(x.dtype), "dim" if x.ndim else "zero"
    return of_number(entry), "number"


def _cast_scalar(x: Any, number: Any, compute: Any, name: str) -> Any:
    """Bring a Scalar (alpha, beta, value) to the compute type, refusing what would lose its meaning."""
    if number != TENSOR:
        integral = jnp.issubdtype(compute, jnp.integer) or compute == jnp.bool_
        if name not in ("alpha", "beta"):
            return cast(jnp.asarray(x), compute)  # the factor of addcmul loses its fraction without a word
        if number is float and integral:
            raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
        if number is bool and compute != jnp.bool_:
            raise RuntimeError(f"Boolean {name} only supported for Boolean results.")
        if number is complex and not jnp.issubdtype(compute, jnp.complexfloating):
            raise RuntimeError(f"For non-complex input tensors, argument {name} must not be a complex number.")
    return cast(x, compute)


def _check_shape(shape: Sequence[int], target: Any) -> None:
    """Refuse a result that is larger than the tensor in which it is to lie."""
    if tuple(shape) != tuple(target.shape):
        raise RuntimeError(f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(shape)}")


def check_castable(source: Any, target: Any) -> None:
    """Refuse a result that the tensor written to cannot hold (PyTorch's ``can_cast``)."""
    from_dtype, to_dtype = dtypes.of(np.dtype(source)), dtypes.of(np.dtype(target))
    if not can_cast(from_dtype, to_dtype):
        raise RuntimeError(
            f"result type {errors.scalar_type(from_dtype)} can't be cast to the desired output type"
            f" {errors.scalar_type(to_dtype)}"
        )
