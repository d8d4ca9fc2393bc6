"""Computing inside function transforms: what `kernels.run` does with lifted values.

Every kernel has kernels derived from it, made once: the kernel over a batch (`jax.vmap`), and the one of its tangents.
They run on the tensors behind the lifted values, at the level below, where they are recorded like any other operation.
So transforms nest in any order, and a ``backward()`` outside of all of them finds its way through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from torchlike._core import dispatch, kernels, tape, views
from torchlike._core.kernels import Kernel, as_tuple, cast, differentiable
from torchlike._core.lifted import Batched, Dual, JvpLevel, Level, Lifted, VmapLevel
from torchlike._core.tape import watching
from torchlike._core.tensor_state import TensorBase, modes

# ---------------------------------------------------------------------------------------------------------------------
# The stack of active transforms


class entered:
    """A block inside a transform's level."""

    def __init__(self, level: Level) -> None:
        self.level = level

    def __enter__(self) -> Level:
        enter(self.level)
        return self.level

    def __exit__(self, *exception: object) -> None:
        leave(self.level)


def enter(level: Level) -> None:
    """Put a level on top of the others."""
    modes.levels = (*modes.levels, level)
    watching.made += 1


def leave(level: Level) -> None:
    """Take a level out; tensors with its tangents are plain ones from here on."""
    modes.levels = tuple([x for x in modes.levels if x is not level])
    watching.made -= 1
    level.alive = False
    if isinstance(level, JvpLevel):
        for storage in tuple(level.storages):
            held = storage.array
            if isinstance(held, Dual) and held.level is level:
                storage.array = dispatch.array_of(held.inner)


class only:
    """A block with other levels active, for what is computed below or outside of a transform."""

    def __init__(self, levels: tuple[Level, ...]) -> None:
        self.levels = levels

    def __enter__(self) -> None:
        self.previous = modes.levels
        modes.levels = self.levels

    def __exit__(self, *exception: object) -> None:
        modes.levels = self.previous


def below(level: Level) -> tuple[Level, ...]:
    """The active levels that lie below one."""
    return tuple([x for x in modes.levels if x.id < level.id])


def innermost() -> Any:
    """The innermost level whose tensors hold values of its own kind, None if there is none."""
    for level in reversed(modes.levels):
        if level.wraps:
            return level
    return None


def _note_made(tensor: Any) -> None:
    """Remember inside which level a tensor's memory was made."""
    levels = modes.levels
    if not levels:
        return
    storage = tensor._storage
    storage.born = levels[-1].id
    held = storage.array
    if isinstance(held, Dual) and held.level.public:
        held.level.storages.add(storage)


tape.note_made = _note_made


def refuse_requires_grad() -> None:
    """PyTorch's error for ``requires_grad_()`` inside a function transform."""
    if not all([getattr(level, "public", False) for level in modes.levels]):
        raise RuntimeError(
            "You are attempting to call Tensor.requires_grad_() (or perhaps using torch.autograd.functional.* APIs)"
            " inside of a function being transformed by a functorch transform. This is unsupported, please attempt to"
            " use the functorch transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call requires_grad_() outside"
            " of a function being transformed instead."
        )


def refuse_backward() -> None:
    """PyTorch's error for ``backward()`` inside a function transform."""
    if not all([getattr(level, "public", False) for level in modes.levels]):
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or"
            " functorch.vjp instead or call backward() outside of functorch transforms."
        )


# ---------------------------------------------------------------------------------------------------------------------
# Lifting


def level_of(tensor: Any) -> Any:
    """The level of a tensor's value, None for a plain array."""
    held = tensor._storage.array
    return held.level if isinstance(held, Lifted) and held.level.alive else None


def highest(operands: Sequence[Any]) -> Any:
    """The highest level among the tensors given, None if all hold plain arrays."""
    found = None
    for x in operands:
        if isinstance(x, TensorBase):
            held = x._storage.array
            if isinstance(held, Lifted) and held.level.alive and (found is None or held.level.id > found.id):
                found = held.level
    return found


def lifted(tensor: Any, level: Any) -> Any:
    """A tensor of a lower level as one of ``level``, without a history there."""
    return dispatch.wrap(level.lift(tensor))


def lift_operands(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bring all tensors to the level of the highest; as they are if that is none."""
    level = highest(operands)
    if level is None:
        return operands
    return tuple([lifted(x, level) if isinstance(x, TensorBase) and level_of(x) is not level else x for x in operands])


def lift_for_inplace(name: str, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bring the operands of an in-place operator to one level, and refuse what the transforms refuse."""
    target = operands[0]
    check_captured(target, name)
    level = highest(operands)
    if level is None:
        return operands
    if level_of(target) is not level:
        _lift_memory(target, level, name, operands)
    return (
        target,
        *[lifted(x, level) if isinstance(x, TensorBase) and level_of(x) is not level else x for x in operands[1:]],
    )


def check_captured(target: Any, name: str) -> None:
    """Refuse a write, inside a transform that differentiates, to what was made outside of it."""
    if target._grad_fn is not None and type(target._grad_fn) is tape.Input:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    born = getattr(target._storage, "born", 0)
    for level in modes.levels:
        if level.guards and born < level.id and not getattr(level, "public", False):
            overload = ".Tensor" if name in _OVERLOADED else ""
            raise RuntimeError(
                "During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place"
                f" operation (aten::{name.strip('_')}_{overload}) that would mutate a captured Tensor. This is not"
                " supported; please rewrite the function being transformed to explicitly accept the mutated Tensor(s)"
                " as inputs."
            )


_OVERLOADED = frozenset({"add", "sub", "mul", "div"})


def _lift_memory(target: Any, level: Any, name: str, operands: tuple[Any, ...]) -> None:
    """Let the memory of a tensor hold values of a level, where PyTorch's does."""
    if isinstance(level, VmapLevel):
        refuse_unbatched(target, level, name, operands)
    storage = target._storage
    storage.array = level.lift(dispatch.wrap(storage.array))
    if level.public:
        level.storages.add(storage)


def refuse_unbatched(target: Any, level: VmapLevel, name: str, operands: tuple[Any, ...]) -> None:
    """PyTorch's errors for a batch that is written into a tensor without a batch."""
    if name in _OVERLOADED and len(operands) > 1:
        shape = dispatch.shape_of(target)
        raise RuntimeError(f"output with shape {list(shape)} doesn't match the broadcast shape {[level.size, *shape]}")
    raise RuntimeError(
        "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in"
        " extra_args that has more elements than `self`. This happened due to `other` being vmapped over but `self` not"
        " being vmapped over in a vmap. Please try to use out-of-place operators instead of inplace arithmetic. If said"
        " operator is being called inside the PyTorch framework, please file a bug report instead."
    )


def write(tensor: Any, array: Any) -> Any:
    """Return the new contents of a tensor's storage after ``array`` was written through the tensor."""
    storage = tensor._storage
    level = array.level if isinstance(array, Lifted) else None
    held = level_of(tensor)
    if level is None and held is not None:
        array = held.lift(dispatch.wrap(array))
        level = held
    if isinstance(level, VmapLevel) and (held is None or held.id < level.id):
        refuse_unbatched(tensor, level, "copy_", ())
    if tensor._geometry is None and (held is None or held is level):
        return array
    current = storage.array
    path, starts = views.lower(dispatch.memory_of(storage, current), dispatch.geometry_of(tensor))
    return run(_view_kernel(path, views.write, "copy_slices"), [current, array, *starts])


def read(tensor: Any) -> Any:
    """The value of a view whose memory holds a lifted value."""
    storage = tensor._storage
    path, starts = views.lower(dispatch.memory_of(storage, storage.array), dispatch.geometry_of(tensor))
    return run(_view_kernel(path, views.read, "as_strided"), [storage.array, *starts])


_view_kernels: dict[Any, Kernel] = {}


def _view_kernel(path: views.Path, what: Any, name: str) -> Kernel:
    found = _view_kernels.get((path, name))
    if found is None:
        node = "AsStridedBackward0" if name == "as_strided" else "CopySlices"
        found = _view_kernels[path, name] = Kernel(lambda *a: what(path, *a), name, node)
    return found


def detached(tensor: Any) -> Any:
    """A tensor with the same values, cut off from the graphs of all levels."""
    held = dispatch.array_of(tensor)
    if not isinstance(held, Lifted):
        return dispatch.alias(tensor)
    return dispatch.wrap(_detached(held))


def _detached(held: Any) -> Any:
    if isinstance(held, Batched):
        return Batched(held.level, detached(held.inner), held.batched)
    return Dual(held.level, detached(held.inner), None)


dispatch.lift_operands = lift_operands
dispatch.lift_for_inplace = lift_for_inplace
dispatch.read_lifted = read
dispatch.write_lifted = write


# ---------------------------------------------------------------------------------------------------------------------
# Running kernels


def run(kernel: Kernel, operands: Sequence[Any]) -> Any:
    """Run a kernel on values some of which may be lifted."""
    level = None
    settled = None
    for i, x in enumerate(operands):
        if isinstance(x, Lifted):
            if not x.level.alive:
                settled = list(operands) if settled is None else settled
                settled[i] = dispatch.array_of(x.inner)
            elif level is None or x.level.id > level.id:
                level = x.level
    if settled is not None:
        return run(kernel, settled)
    if level is None:
        return kernel.jitted(*operands)
    previous = modes.grad
    if modes.lower_grad is not None:
        modes.grad = modes.lower_grad
    try:
        if isinstance(level, VmapLevel):
            return _run_batch(kernel, operands, level)
        return _run_dual(kernel, operands, level)
    finally:
        modes.grad = previous


kernels.run_lifted = run


def _note_shapes(kernel: Kernel, operands: Sequence[Any]) -> None:
    """Count new shapes up, as a trace of the kernel itself would: backward plans are made again for them."""
    key = ("seen", *[(x.shape, x.dtype) if hasattr(x, "shape") else type(x) for x in operands])
    if key not in kernel.derived:
        kernel.derived[key] = None
        kernel.epoch += 1


def _run_batch(kernel: Kernel, operands: Sequence[Any], level: VmapLevel) -> Any:
    axes: list[int | None] = []
    inner: list[Any] = []
    for x in operands:
        if isinstance(x, Batched) and x.level is level:
            axes.append(0 if x.batched else None)
            inner.append(x.inner)
        else:
            axes.append(None)
            inner.append(dispatch.wrap(x) if isinstance(x, Lifted) else x)
    _note_shapes(kernel, operands)
    batched = 0 in axes
    outs = dispatch.apply(batch_kernel(kernel, tuple(axes)) if batched else kernel, inner)
    return _mapped(outs, lambda out: Batched(level, out, batched))


def _mapped(outs: Any, wrapped: Any) -> Any:
    if not isinstance(outs, tuple):
        return wrapped(outs)
    found = [wrapped(out) for out in outs]
    return type(outs)(*found) if hasattr(outs, "_fields") else tuple(found)


def batch_kernel(kernel: Kernel, axes: tuple[int | None, ...]) -> Kernel:
    """The kernel over a batch: operands with axis 0 have one, and so have all results."""
    found = kernel.derived.get(axes)
    if found is None:
        function = jax.vmap(kernel.function, in_axes=axes)
        formula = None if kernel.formula is None else _BatchFormula(kernel, axes)
        found = kernel.derived[axes] = Kernel(function, kernel.name, kernel.node, formula)
    return found


class _BatchFormula:
    """The gradient formula of a kernel over a batch."""

    def __init__(self, kernel: Kernel, axes: tuple[int | None, ...]) -> None:
        self.kernel = kernel
        self.axes = axes

    def __call__(
        self, mask: tuple[int, ...], operands: Sequence[Any], results: Sequence[Any], grads: Sequence[Any]
    ) -> Any:
        formula = self.kernel.formula
        assert formula is not None

        def one(operands: Any, results: Any, grads: Any) -> tuple[Any, ...]:
            return tuple(formula(mask, operands, results, grads))

        axes = [None if x is None else a for x, a in zip(operands, self.axes, strict=True)]
        result_axes = [None if r is None else 0 for r in results]
        grad_axes = [None if g is None else 0 for g in grads]
        found = jax.vmap(one, in_axes=(axes, result_axes, grad_axes))(list(operands), list(results), list(grads))
        return tuple([g if axes[i] == 0 else g.sum(0, dtype=g.dtype) for i, g in zip(mask, found, strict=True)])


def _run_dual(kernel: Kernel, operands: Sequence[Any], level: JvpLevel) -> Any:
    primals: list[Any] = []
    tangents: list[Any] = []
    mask: list[int] = []
    for i, x in enumerate(operands):
        if isinstance(x, Dual) and x.level is level:
            primals.append(x.inner)
            if x.tangent is not None and modes.forward_grad:
                mask.append(i)
                tangents.append(x.tangent)
        else:
            primals.append(dispatch.wrap(x) if isinstance(x, Lifted) else x)
    _note_shapes(kernel, operands)
    outs = dispatch.apply(kernel, primals)
    if not mask:
        return _mapped(outs, lambda out: Dual(level, out, None))
    results = outs if isinstance(outs, tuple) else (outs,)
    active = [i for i, out in enumerate(results) if differentiable(dispatch.geometry_of(out).dtype.np)]
    moved: list[Any] = [None] * len(results)
    if active:
        derived = tangent_kernel(kernel, tuple(mask), len(results))
        given = results if kernel.formula is not None else ()
        try:
            found = dispatch.apply(derived, [*primals, *given, *tangents])
        except kernels.NotDifferentiable:  # the results take part in no graph, and have no tangents
            found = [None] * len(active)
        for i, tangent in zip(active, found, strict=True):
            moved[i] = tangent
    duals: list[Any] = [Dual(level, out, tangent) for out, tangent in zip(results, moved, strict=True)]
    if not isinstance(outs, tuple):
        return duals[0]
    return type(outs)(*duals) if hasattr(outs, "_fields") else tuple(duals)


def tangent_kernel(kernel: Kernel, mask: tuple[int, ...], count: int) -> Kernel:
    """The kernel ``(operands, results where there is a formula, tangents of mask) -> tangents of the results``."""
    key = ("tangents", mask, count)
    found = kernel.derived.get(key)
    if found is None:
        function = _Tangents(kernel, mask, count)
        found = kernel.derived[key] = Kernel(function, f"{kernel.name}_jvp", kernel.node)
    return found


class _Tangents:
    """How the differentiable results of a kernel change with its operands."""

    def __init__(self, kernel: Kernel, mask: tuple[int, ...], count: int) -> None:
        self.kernel = kernel
        self.mask = mask
        self.count = count

    def __call__(self, *values: Any) -> tuple[Any, ...]:
        given = 0 if self.kernel.formula is None else self.count
        split = len(values) - len(self.mask)
        operands = list(values[: split - given])
        tangents = [cast(t, operands[i].dtype) for i, t in zip(self.mask, values[split:], strict=True)]
        if self.kernel.formula is not None:
            try:
                return self._transposed(operands, values[split - given : split], tangents)
            except kernels.NoDerivative as error:
                if "not implemented" in str(error):
                    raise
                return self._forward(operands, tangents)
            except (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError, AssertionError):
                # A formula that jax cannot transpose; the body itself can be differentiated.
                return self._forward(operands, tangents)
        return self._forward(operands, tangents)

    def _transposed(self, operands: list[Any], results: Sequence[Any], tangents: list[Any]) -> tuple[Any, ...]:
        """By the operator's own gradient formula, which is linear: its transpose maps tangents to tangents."""
        active = [i for i, r in enumerate(results) if differentiable(r.dtype)]

        def pull(*cotangents: Any) -> tuple[Any, ...]:
            grads: list[Any] = [None] * len(results)
            for i, cotangent in zip(active, cotangents, strict=True):
                grads[i] = cotangent
            assert self.kernel.formula is not None
            return tuple(self.kernel.formula(self.mask, operands, results, grads))

        shapes = [jax.ShapeDtypeStruct(results[i].shape, results[i].dtype) for i in active]
        return tuple(jax.linear_transpose(pull, *shapes)(tuple(tangents)))

    def _forward(self, operands: list[Any], tangents: list[Any]) -> tuple[Any, ...]:
        def forward(*values: Any) -> tuple[Any, ...]:
            full = list(operands)
            for i, value in zip(self.mask, values, strict=True):
                full[i] = value
            return tuple([out for out in as_tuple(self.kernel.function(*full)) if differentiable(out.dtype)])

        selected = [operands[i] for i in self.mask]
        try:
            return tuple(jax.jvp(forward, selected, tangents)[1])
        except TypeError:  # a function that has a rule for its gradient only: the transpose of that
            outs, pull = jax.vjp(forward, *selected)
            shapes = [jax.ShapeDtypeStruct(out.shape, out.dtype) for out in outs]
            return tuple(jax.linear_transpose(lambda *c: pull(c), *shapes)(tuple(tangents)))


zeros_like = Kernel(jnp.zeros_like, "zeros_like", "ZerosLikeBackward0")


def zeros(tensor: Any) -> Any:
    """Zeros in the shape of a tensor, at its level, outside any graph."""
    previous = modes.grad
    modes.grad = False
    try:
        return dispatch.apply(zeros_like, [tensor])
    finally:
        modes.grad = previous
