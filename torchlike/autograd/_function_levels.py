"""Custom functions inside function transforms: their own rules for batches and tangents, or generated ones."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from torchlike._core import dispatch, errors, tape, trees
from torchlike._core.levels import below, entered, highest, lift_operands, only
from torchlike._core.lifted import Batched, Dual, JvpLevel, VmapLevel
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.autograd import function
from torchlike.autograd.function import Function, recorded
from torchlike.ops.shape import movedim

Tensor = Any

_SEE = "For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"


class VmapInfo(NamedTuple):
    """What a custom function's ``vmap`` is told: how many examples there are, and what random functions do."""

    batch_size: int
    randomness: str


def in_transform(cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any], split: bool) -> Any:
    """``Function.apply`` inside of function transforms."""
    if not split and not all(getattr(level, "public", False) for level in modes.levels):
        raise RuntimeError(
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must"
            f" override the setup_context staticmethod. {_SEE}"
        )
    level = highest(args)
    if level is None:
        return recorded(cls, args, kwargs, split, cls.forward)[0]
    args = lift_operands(args)
    if not split:
        return _with_tangents(cls, args, kwargs, split, level)
    if not (modes.grad and any(isinstance(a, TensorBase) and tape.requires_grad(a) for a in args)):
        return _below(cls, args, level)
    mode = modes.grad

    def forward(*given: Any) -> Any:
        # The function is recorded as a whole here, and once more at the levels below.
        previous = modes.grad
        modes.grad = mode
        try:
            return _below(cls, tuple([_bare(x) for x in given]), level)
        finally:
            modes.grad = previous

    return recorded(cls, args, kwargs, split, forward)[0]


function.in_transform = in_transform


def _bare(x: Any) -> Any:
    """A tensor of a level without its history there."""
    return dispatch.wrap(dispatch.array_of(x)) if isinstance(x, TensorBase) else x


def _below(cls: type[Function], args: tuple[Any, ...], level: Any) -> Any:
    if isinstance(level, VmapLevel):
        return _over_batch(cls, args, level)
    return _with_tangents(cls, args, {}, True, level)


# ---------------------------------------------------------------------------------------------------------------------
# Batches


def _taken_apart(x: Any, level: VmapLevel) -> tuple[Any, int | None]:
    """What is behind an argument, and the dimension that counts the examples."""
    if not isinstance(x, TensorBase):
        return x, None
    held = dispatch.array_of(x)
    if isinstance(held, Batched) and held.level is level:
        return held.inner, 0 if held.batched else None
    return x, None


def _over_batch(cls: type[Function], args: tuple[Any, ...], level: VmapLevel) -> Any:
    inner, dims = zip(*[_taken_apart(x, level) for x in args], strict=True)
    own = cls.vmap is not Function.vmap
    with only(below(level)):
        if all(d is None for d in dims):
            return trees.tree_map(lambda x: _again(x, None, level), cls.apply(*inner))
        if cls.generate_vmap_rule:
            if own:
                raise RuntimeError(
                    f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden"
                    " vmap staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod"
                    f" to avoid ambiguity. {_SEE}"
                )
            generated = _generated(cls, level.size, level.randomness, dims)
            found = generated.apply(*inner)
            return trees.tree_map(lambda x: _again(x, 0, level), found)
        if not own:
            raise RuntimeError(
                f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please override and"
                f" implement the vmap staticmethod or set generate_vmap_rule=True. {_SEE}"
            )
        result = cls.vmap(VmapInfo(level.size, level.randomness), dims, *inner)
        start = (
            "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure"
            " compatible with the output. "
        )
        errors.check(isinstance(result, tuple), f"{start}Got a {type(result)} instead")
        errors.check(len(result) == 2, f"{start}Got {len(result)} returns instead")
        outputs, out_dims = result
        leaves, spec = trees.flatten(outputs)
        places = trees.broadcast(out_dims, spec)
        if places is None:
            raise RuntimeError(
                "The autograd.Function's vmap staticmethod returned an incompatible (output, out_dims) tuple. Expected"
                f" out_dims={out_dims} to be compatible with the structure of `output`. out_dims has structure"
                f" {trees.flatten(out_dims)[1]} but output has structure {spec}. {_SEE}"
            )
        found = [_again(x, d, level) for x, d in zip(leaves, places, strict=True)]
    return trees.unflatten(found, spec)


def _again(x: Any, dim: int | None, level: VmapLevel) -> Any:
    """A tensor behind a level as one of the level."""
    if not isinstance(x, TensorBase):
        return x
    if dim is None:
        return dispatch.wrap(Batched(level, x, False))
    return dispatch.wrap(Batched(level, movedim(x, dim, 0) if dim else x, True))


class _BatchContext:
    """The context that a custom function's own methods see, inside of the batch."""

    def __init__(self, ctx: Any, level: VmapLevel) -> None:
        self.__dict__["_ctx"] = ctx
        self.__dict__["_level"] = level

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._ctx, name, value)

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep what is behind the tensors."""
        parts = [_taken_apart(t, self._level) for t in tensors]
        self._ctx._batched = [d for _, d in parts]
        self._ctx.save_for_backward(*[x for x, _ in parts])

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep what is behind the tensors."""
        self._ctx.save_for_forward(*[_taken_apart(t, self._level)[0] for t in tensors])

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved, as it was inside of the batch."""
        return tuple(
            [
                None if t is None else _again(t, d, self._level)
                for t, d in zip(self._ctx.saved_tensors, self._ctx._batched, strict=True)
            ]
        )


@functools.lru_cache(maxsize=512)
def _generated(cls: type[Function], size: int, randomness: str, dims: tuple[int | None, ...]) -> type[Function]:
    """The custom function that computes another one for a batch: its methods run inside of a ``vmap``."""

    def level() -> VmapLevel:
        return VmapLevel(len(modes.levels) + 1, size, randomness)

    def full(x: Any, here: VmapLevel) -> Any:
        if not isinstance(x, TensorBase):
            return x
        inner, dim = _taken_apart(x, here)
        return inner if dim == 0 else inner.expand((size, *dispatch.shape_of(inner)))

    class Generated(Function):
        @staticmethod
        def forward(*args: Any) -> Any:
            here = level()
            with entered(here):
                output = cls.forward(*[_again(x, d, here) for x, d in zip(args, dims, strict=True)])
                with only(below(here)):
                    return trees.tree_map(lambda x: full(x, here), output)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            here = level()
            with entered(here):
                inside = tuple([_again(x, d, here) for x, d in zip(inputs, dims, strict=True)])
                results = trees.tree_map(lambda x: _again(x, 0, here), output)
                cls.setup_context(_BatchContext(ctx, here), inside, results)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            here = level()
            with entered(here):
                given = [None if g is None else _again(g, 0, here) for g in grads]
                found = cls.backward(_BatchContext(ctx, here), *given)
                found = found if isinstance(found, tuple) else (found,)
                with only(below(here)):
                    results = []
                    for gradient, dim in zip(found, dims, strict=False):
                        if gradient is not None:
                            gradient = full(gradient, here)
                            gradient = gradient if dim == 0 else gradient.sum(0)
                        results.append(gradient)
                    return tuple(results)

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            here = level()
            with entered(here):
                given = [None if t is None else _again(t, d, here) for t, d in zip(tangents, dims, strict=True)]
                found = cls.jvp(_BatchContext(ctx, here), *given)
                with only(below(here)):
                    return trees.tree_map(lambda x: full(x, here), found)

    Generated.__name__ = Generated.__qualname__ = f"Vmapped{cls.__name__}"
    Generated._backward_cls.__name__ = f"Vmapped{cls.__name__}Backward"
    return Generated


# ---------------------------------------------------------------------------------------------------------------------
# Tangents


class _TangentContext(function.FunctionCtx):
    """The context that ``jvp`` sees."""

    def __init__(self, needs: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept for the forward mode, or else for the backward."""
        return self.saved_for_forward or self.to_save or ()


def _with_tangents(
    cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any], split: bool, level: JvpLevel
) -> Any:
    """Compute a custom function below a level of forward mode, and the tangents of its results by its ``jvp``."""
    primals: list[Any] = []
    tangents: list[Any] = []
    for x in args:
        held = dispatch.array_of(x) if isinstance(x, TensorBase) else None
        dual = isinstance(held, Dual) and held.level is level
        primals.append(held.inner if dual else x)  # type: ignore[union-attr]
        tangents.append(held.tangent if dual and modes.forward_grad else None)  # type: ignore[union-attr]
    active = any(t is not None for t in tangents)
    context = _TangentContext(tuple([t is not None for t in tangents]))
    with only(below(level)):
        if split:
            outputs = cls.apply(*primals)
            if active:
                cls.setup_context(context, tuple(primals), outputs)
        else:
            outputs, ctx = recorded(cls, tuple(primals), kwargs, split, cls.forward)
            vars(context).update(vars(ctx))
        moved: Any = cls.jvp(context, *tangents) if active else None
    leaves: Sequence[Any] = outputs if isinstance(outputs, tuple) else (outputs,)
    changes: Sequence[Any] = (None,) * len(leaves)
    if active:
        changes = moved if isinstance(moved, tuple) else (moved,)
    found = [
        dispatch.wrap(Dual(level, x, t)) if isinstance(x, TensorBase) else x
        for x, t in zip(leaves, changes, strict=True)
    ]
    return tuple(found) if isinstance(outputs, tuple) else found[0]
