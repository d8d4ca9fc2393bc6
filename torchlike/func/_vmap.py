"""``torch.vmap``: a function of one example as a function of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core import dispatch, trees
from torchlike._core.levels import below, entered, only
from torchlike._core.lifted import Batched, VmapLevel
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.ops.join import cat
from torchlike.ops.shape import movedim

__all__ = ["vmap"]

Tensor = Any


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that applies ``func`` to each example of a batch, all at once.

    ``in_dims`` says which dimension of each argument counts the examples (None: the same for all of them); it is an int
    for all arguments or a structure like that of the arguments. ``out_dims`` says where that dimension comes in the
    results. ``randomness`` is what random functions do: "error", "same" for all examples or "different". With
    ``chunk_size`` so many examples are computed at a time. Raises ValueError where sizes or structures do not fit, and
    RuntimeError where ``func`` asks for values of a tensor (``item()``, ``if tensor:``).

    >>> x = torch.tensor([[1., 2.], [3., 4.]])
    >>> torch.vmap(torch.dot)(x, x)
    tensor([ 5., 25.])
    >>> torch.vmap(lambda row, s: row * s, in_dims=(1, None))(x, 10)
    tensor([[10., 30.],
            [20., 40.]])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return vmap_with(func, in_dims, out_dims, randomness, chunk_size, args, kwargs)

    return wrapped


def vmap_with(
    func: Callable[..., Any],
    in_dims: Any,
    out_dims: Any,
    randomness: str,
    chunk_size: int | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Apply a function to a batch."""
    _check_out_dims(func, out_dims)
    size, flat_dims, leaves, spec = _batched_inputs(func, in_dims, args)
    if chunk_size is None or chunk_size >= size:
        return _run(func, size, flat_dims, leaves, spec, out_dims, randomness, kwargs)
    results: list[list[Any]] = []
    out_spec = None
    for start in range(0, size, chunk_size):
        count = min(chunk_size, size - start)
        part = [x if d is None else x.narrow(d, start, count) for x, d in zip(leaves, flat_dims, strict=True)]
        found, out_spec = trees.flatten(_run(func, count, flat_dims, part, spec, out_dims, randomness, kwargs))
        results.append(found)
    assert out_spec is not None
    places = trees.broadcast(out_dims, out_spec)
    assert places is not None
    joined = [
        parts[0] if place is None else cat(list(parts), place)
        for parts, place in zip(zip(*results, strict=True), places, strict=True)
    ]
    return trees.unflatten(joined, out_spec)


def _name(func: Any) -> str:
    if hasattr(func, "__name__"):
        return str(func.__name__)
    if isinstance(func, functools.partial):
        return f"functools.partial({_name(func.func)}, ...)"
    return repr(func)


def _check_out_dims(func: Any, out_dims: Any) -> None:
    for x in trees.flatten(out_dims)[0]:
        if not (isinstance(x, int) or x is None):
            raise ValueError(
                f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection"
                " of ints representing where in the outputs the vmapped dimension should appear."
            )


def _batched_inputs(
    func: Any, in_dims: Any, args: tuple[Any, ...]
) -> tuple[int, list[int | None], list[Any], trees.Spec]:
    """Check the arguments; returns the size of the batch, its dimension in each leaf, the leaves, their structure."""
    start = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{start}expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs,"
            f" got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap"
            " over a function with no inputs. The latter is unsupported."
        )
    leaves, spec = trees.flatten(args)
    places = trees.broadcast(in_dims, spec)
    if places is None:
        raise ValueError(
            f"{start}in_dims is not compatible with the structure of `inputs`. in_dims has structure"
            f" {trees.flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    found: list[int | None] = []
    sizes: list[int] = []
    for leaf, place in zip(leaves, places, strict=True):
        if place is None:
            found.append(None)
            continue
        if not isinstance(place, int):
            raise ValueError(
                f"{start}Got in_dim={place} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(leaf, TensorBase):
            raise ValueError(
                f"{start}Got in_dim={place} for an input but the input is of type {type(leaf)}. We cannot vmap over"
                " non-Tensor arguments, please use None as the respective in_dim"
            )
        shape = dispatch.shape_of(leaf)
        if not -len(shape) <= place < len(shape):
            raise ValueError(
                f"{start}Got in_dim={place} for some input, but that input is a Tensor of dimensionality {len(shape)}"
                f" so expected in_dim to satisfy -{len(shape)} <= in_dim < {len(shape)}."
            )
        found.append(place % len(shape))
        sizes.append(shape[place])
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes"
            f" {sizes} for the mapped dimension"
        )
    return sizes[0], found, leaves, spec


def new_level(size: int, randomness: str) -> VmapLevel:
    """A level for a batch, above all that are active."""
    return VmapLevel(len(modes.levels) + 1, size, randomness)


def add_batch(tensor: Tensor, dim: int | None, level: VmapLevel) -> Tensor:
    """A tensor as the function inside sees it: without the dimension that counts the examples."""
    if dim is None:
        return tensor
    return dispatch.wrap(Batched(level, movedim(tensor, dim, 0) if dim else tensor, True))


def remove_batch(tensor: Tensor, level: VmapLevel, dim: int) -> Tensor:
    """The tensor behind what a function computed, with the dimension that counts the examples at ``dim``."""
    held = dispatch.array_of(tensor)
    if isinstance(held, Batched) and held.level is level:
        tensor = held.inner
        if held.batched:
            return movedim(tensor, 0, dim) if dim else tensor
    shape = dispatch.shape_of(tensor)
    expanded = tensor.expand((level.size, *shape))
    return movedim(expanded, 0, dim) if dim else expanded


def is_batched(x: Any, level: VmapLevel) -> bool:
    """Whether a value differs between the examples of a batch."""
    if not isinstance(x, TensorBase):
        return False
    held = x._storage.array
    return isinstance(held, Batched) and held.level is level and held.batched


def _run(
    func: Callable[..., Any],
    size: int,
    dims: Sequence[int | None],
    leaves: Sequence[Any],
    spec: trees.Spec,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
) -> Any:
    level = new_level(size, randomness)
    with entered(level):
        stand_ins = [add_batch(x, d, level) for x, d in zip(leaves, dims, strict=True)]
        outputs = func(*trees.unflatten(stand_ins, spec), **kwargs)
        with only(below(level)):
            for x, d, stand_in in zip(leaves, dims, stand_ins, strict=True):
                if d is not None and stand_in._storage.version:
                    _write_back(x, d, stand_in, level)
            return _without_batch(func, outputs, out_dims, level)


def _write_back(tensor: Tensor, dim: int, stand_in: Tensor, level: VmapLevel) -> None:
    """Let the argument of the outer function see what was written to it inside."""
    whole = dispatch.wrap(stand_in._storage.array)
    tensor.copy_(remove_batch(whole, level, dim))


def _without_batch(func: Any, outputs: Any, out_dims: Any, level: VmapLevel) -> Any:
    leaves, spec = trees.flatten(outputs)
    places: list[Any] | None
    if isinstance(outputs, TensorBase):
        if isinstance(out_dims, int) or out_dims is None:
            places = [out_dims]
        else:
            places = list(out_dims) if isinstance(out_dims, tuple) and len(out_dims) == 1 else None
    else:
        places = trees.broadcast(out_dims, spec)
    if places is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of"
            f" `outputs`. out_dims has structure {trees.flatten(out_dims)[1]} but outputs has structure {spec}."
        )
    found = []
    for leaf, place in zip(leaves, places, strict=True):
        if place is None:
            if is_batched(leaf, level):
                raise ValueError(
                    f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when out_dim is None"
                )
            found.append(remove_batch(leaf, level, 0)[0] if _is_lifted(leaf, level) else leaf)
            continue
        if not isinstance(leaf, TensorBase):
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type {type(leaf)}. Did you"
                " mean to set out_dims= to None for output?"
            )
        ndim = len(dispatch.shape_of(leaf)) + 1
        if not -ndim <= place < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {place})"
            )
        found.append(remove_batch(leaf, level, place % ndim))
    return trees.unflatten(found, spec)


def _is_lifted(x: Any, level: VmapLevel) -> bool:
    if not isinstance(x, TensorBase):
        return False
    held = x._storage.array
    return isinstance(held, Batched) and held.level is level
