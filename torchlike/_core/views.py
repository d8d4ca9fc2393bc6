"""Strided views of immutable arrays: PyTorch's metadata, lowered to primitive array steps.

A view is described by exactly what PyTorch keeps of it (size, stride, offset, element type, conj and neg bits). Reading
it lowers that description to reshape, slice, permute and expand; writing it to the inverse updates. The offset is a
traced operand, so that ``x[i]`` in a loop is one compiled kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core.dtype import dtype as DType
from torchlike._core.kernels import cast


class Geometry(NamedTuple):
    """How a tensor lies over its storage; sizes, strides and offset count elements of ``dtype``."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: DType
    conj: bool
    neg: bool

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.size)

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps (PyTorch's rule: sizes of 1 do not matter)."""
        expected = 1
        for size, stride in zip(reversed(self.size), reversed(self.stride), strict=True):
            if size == 0:
                return True
            if size != 1:
                if stride != expected:
                    return False
                expected *= size
        return True

    @property
    def overlaps(self) -> bool:
        """Whether two indices certainly name the same element (an expanded dimension)."""
        return any(stride == 0 and size > 1 for size, stride in zip(self.size, self.stride, strict=True))


def contiguous_strides(size: Sequence[int]) -> tuple[int, ...]:
    """Return row-major strides; an empty dimension counts as one, as in PyTorch."""
    strides = []
    step = 1
    for s in reversed(size):
        strides.append(step)
        step *= max(s, 1)
    return tuple(reversed(strides))


def dense_order(size: Sequence[int], stride: Sequence[int]) -> tuple[int, ...] | None:
    """Return the dimensions from slowest to fastest if the memory is a dense permutation, else None."""
    dims = sorted(range(len(size)), key=lambda d: (-stride[d], d))
    expected = 1
    for d in reversed(dims):
        if size[d] == 1:
            continue
        if stride[d] != expected:
            return None
        expected *= size[d]
    return tuple(dims)


# ---------------------------------------------------------------------------------------------------------------------
# Lowering


class Path(NamedTuple):
    """The static part of a lowered view: how flat memory becomes the view's array.

    ``prefix`` elements of the memory are reshaped to ``grid``; a block of ``block`` elements is sliced from it with
    ``steps``; the block's dimensions are named by ``dims`` (the view's dimension each one becomes). With ``grid`` empty
    the view is gathered element by element.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    prefix: int
    grid: tuple[int, ...]
    block: tuple[int, ...]
    steps: tuple[int, ...]
    dims: tuple[int, ...]
    memory: Memory
    dtype: DType
    conj: bool
    neg: bool


class Memory(NamedTuple):
    """What the storage's array looks like: its shape, its dense strides (None: row-major) and its element type."""

    shape: tuple[int, ...]
    stride: tuple[int, ...] | None
    dtype: DType


def lower(memory: Memory, geometry: Geometry) -> tuple[Path, tuple[int, ...]]:
    """Return the path of a view and the start indices, which are the only part that depends on the offset."""
    total = math.prod(memory.shape) * memory.dtype.itemsize // geometry.dtype.itemsize
    dims = [
        d
        for d in sorted(range(len(geometry.size)), key=lambda d: -geometry.stride[d])
        if geometry.size[d] > 1 and geometry.stride[d] > 0
    ]
    found = _grid_by_view(total, geometry, dims) or _grid_by_memory(memory, geometry, dims)
    if geometry.numel == 0 or found is None:
        found = (0, (), (), (), (geometry.offset,))
    prefix, grid, block, steps, starts = found
    path = Path(
        geometry.size,
        geometry.stride,
        prefix,
        grid,
        block,
        steps,
        tuple(dims),
        memory,
        geometry.dtype,
        geometry.conj,
        geometry.neg,
    )
    return path, starts


_Grid = tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def _grid_by_view(total: int, g: Geometry, dims: list[int]) -> _Grid | None:
    """Cut the memory by the view's own strides; works when each divides the next."""
    chain = [g.stride[d] for d in dims] or [1]
    sizes = [g.size[d] for d in dims] or [1]
    if any(a % b or a == b for a, b in pairwise(chain)):
        return None
    prefix = total // chain[0] * chain[0]
    grid = [prefix // chain[0], *(a // b for a, b in pairwise(chain))]
    starts, rest = [], g.offset
    for stride, extent, size in zip(chain, grid, sizes, strict=True):
        start, rest = divmod(rest, stride)
        if start + size > extent:
            return None
        starts.append(start)
    if chain[-1] > 1:
        grid, sizes, starts = [*grid, chain[-1]], [*sizes, 1], [*starts, rest]
    return prefix, tuple(grid), tuple(sizes), (1,) * len(grid), tuple(starts)


def _grid_by_memory(memory: Memory, g: Geometry, dims: list[int]) -> _Grid | None:
    """Cut the memory by the storage's own dimensions; a view dimension may step over one of them."""
    if g.dtype.itemsize != memory.dtype.itemsize or not memory.shape:
        return None
    shape = physical_shape(memory)
    chain = contiguous_strides(shape)
    block, steps = [1] * len(shape), [1] * len(shape)
    starts, rest = [], g.offset
    for stride in chain:
        start, rest = divmod(rest, stride)
        starts.append(start)
    axes = []
    for d in dims:
        for axis, stride in enumerate(chain):
            step, odd = divmod(g.stride[d], stride)
            if shape[axis] > 1 and not odd and step and starts[axis] + (g.size[d] - 1) * step < shape[axis]:
                break
        else:
            return None
        if block[axis] != 1:
            return None
        block[axis], steps[axis] = g.size[d], step
        axes.append(axis)
    if axes != sorted(axes):
        return None
    return math.prod(shape), shape, tuple(block), tuple(steps), tuple(starts)


def physical_shape(memory: Memory) -> tuple[int, ...]:
    """The dimensions of the storage's array from slowest to fastest."""
    if memory.stride is None:
        return memory.shape
    return tuple(memory.shape[d] for d in physical_order(memory.shape, memory.stride))


def physical_order(shape: Sequence[int], stride: Sequence[int]) -> tuple[int, ...]:
    """The permutation that brings an array with dense strides into memory order."""
    return tuple(sorted(range(len(shape)), key=lambda d: (-stride[d], d)))


def read(path: Path, array: jax.Array, *starts: Any) -> jax.Array:
    """Return the view's value; traced once a path."""
    flat = _flat(path, array)
    if math.prod(path.size) == 0:
        value = jnp.zeros(path.size, path.dtype.np)
    elif not path.grid:
        value = flat[_element_numbers(path, starts[0])]
    else:
        grid = flat[: path.prefix].reshape(path.grid)
        span = [(b - 1) * s + 1 for b, s in zip(path.block, path.steps, strict=True)]
        block = lax.dynamic_slice(grid, starts, span)
        if any(s != 1 for s in path.steps):
            block = lax.slice(block, (0,) * len(span), span, path.steps)
        value = _expand(path, block)
    if path.conj:
        value = value.conj()
    return -value if path.neg else value


def write(path: Path, array: jax.Array, value: jax.Array, *starts: Any) -> jax.Array:
    """Return the storage's array with the view's elements replaced by ``value``, cast and broadcast to them."""
    if math.prod(path.size) == 0:
        return array
    value = jnp.broadcast_to(cast(value, path.dtype.np), path.size)
    if path.neg:
        value = -value
    if path.conj:
        value = value.conj()
    flat = _flat(path, array)
    if not path.grid:
        flat = flat.at[_element_numbers(path, starts[0])].set(value)
    else:
        for d, (size, stride) in enumerate(zip(path.size, path.stride, strict=True)):
            if size > 1 and not stride:  # of what is written to one place, the last stays
                value = lax.slice_in_dim(value, size - 1, size, axis=d)
        update = lax.reshape(lax.transpose(value, _dim_order(path)), path.block)
        grid = flat[: path.prefix].reshape(path.grid)
        if all(s == 1 for s in path.steps):
            grid = lax.dynamic_update_slice(grid, update, starts)
        else:
            index = [start + step * np.arange(b) for start, step, b in zip(starts, path.steps, path.block, strict=True)]
            grid = grid.at[jnp.ix_(*index)].set(update, unique_indices=True)
        flat = jnp.concatenate([grid.reshape(-1), flat[path.prefix :]]) if path.prefix < flat.size else grid.reshape(-1)
    return _unflat(path, flat, array)


def _dim_order(path: Path) -> tuple[int, ...]:
    """The view's dimensions, the ones in the block first (slowest stride first), then those of size 1."""
    rest = [d for d in range(len(path.size)) if d not in path.dims]
    return (*path.dims, *rest)


def _expand(path: Path, block: jax.Array) -> jax.Array:
    sizes = [path.size[d] for d in path.dims]
    return lax.broadcast_in_dim(*_sorted_dims(block.reshape(sizes), path))


def _sorted_dims(block: jax.Array, path: Path) -> tuple[jax.Array, tuple[int, ...], tuple[int, ...]]:
    order = sorted(range(len(path.dims)), key=lambda i: path.dims[i])
    return lax.transpose(block, order), path.size, tuple(sorted(path.dims))


def _element_numbers(path: Path, offset: Any) -> jax.Array:
    numbers = jnp.asarray(offset, jnp.int64)
    for d, (size, stride) in enumerate(zip(path.size, path.stride, strict=True)):
        numbers = numbers + lax.broadcasted_iota(jnp.int64, path.size, d) * stride if size > 1 else numbers
    return jnp.broadcast_to(numbers, path.size)


def _in_memory_order(path: Path, array: jax.Array) -> jax.Array:
    memory = path.memory
    if memory.stride is not None:
        array = lax.transpose(array, physical_order(memory.shape, memory.stride))
    return array.reshape(-1)


def _flat(path: Path, array: jax.Array) -> jax.Array:
    return reinterpret(_in_memory_order(path, array)[: _whole(path)], path.dtype.np)


def _whole(path: Path) -> int:
    """How many elements of the memory make up whole elements of the view's type."""
    total = math.prod(path.memory.shape)
    return total - total % max(1, path.dtype.itemsize // path.memory.dtype.itemsize)


def _unflat(path: Path, flat: jax.Array, before: jax.Array) -> jax.Array:
    """The memory with other contents; what is too short for an element of the view's type stays as it was."""
    memory = path.memory
    flat = reinterpret(flat, memory.dtype.np)
    if flat.size < before.size:
        flat = jnp.concatenate([flat, _in_memory_order(path, before)[flat.size :]])
    array = flat.reshape(physical_shape(memory))
    if memory.stride is None:
        return array
    return lax.transpose(array, tuple(np.argsort(physical_order(memory.shape, memory.stride))))


def reinterpret(flat: jax.Array, target: Any) -> jax.Array:
    """Return the same bytes as elements of another type (1-d in, 1-d out)."""
    target = np.dtype(target)
    if flat.dtype == target:
        return flat
    if jnp.issubdtype(flat.dtype, jnp.complexfloating):
        flat = jnp.stack([flat.real, flat.imag], axis=-1).reshape(-1)
    if flat.dtype == jnp.bool_:
        flat = flat.astype(jnp.uint8)
    real = np.zeros(0, target).real.dtype if target.kind == "c" else target
    bits = np.dtype(np.uint8) if target == np.bool_ else real
    if flat.dtype != bits:
        ratio = bits.itemsize // flat.dtype.itemsize
        flat = lax.bitcast_convert_type(flat.reshape(-1, ratio) if ratio > 1 else flat, bits).reshape(-1)
    if target.kind == "c":
        pairs = flat.reshape(-1, 2)
        return lax.complex(pairs[:, 0], pairs[:, 1])
    return flat.astype(target) if target == np.bool_ else flat


class Reader(NamedTuple):
    """The compiled functions of one path, shared by all offsets: the start indices come as one array."""

    read: Callable[..., jax.Array]
    write: Callable[..., jax.Array]
    write_donated: Callable[..., jax.Array]
    path: Path


_readers: dict[Path, Reader] = {}
_lowered: dict[tuple[Memory, Geometry], tuple[Reader, Any]] = {}


def reader(memory: Memory, geometry: Geometry) -> tuple[Reader, Any]:
    """Return the compiled reader and the start indices of a view."""
    key = (memory, geometry)
    found = _lowered.get(key)
    if found is None:
        path, starts = lower(memory, geometry)
        compiled = _readers.get(path)
        if compiled is None:
            compiled = _readers[path] = _compiled(path, len(starts))
        if len(_lowered) > 50_000:
            _lowered.clear()
        found = _lowered[key] = (compiled, np.array(starts, np.int64))
    elif type(found[1]) is np.ndarray:
        # Seen before, so it will be seen again: handed over as a jax array it costs 4 us less a call.
        with jax.ensure_compile_time_eval():
            found = _lowered[key] = (found[0], jnp.asarray(found[1]))
    return found


def _compiled(path: Path, count: int) -> Reader:
    def reading(array: jax.Array, starts: jax.Array) -> jax.Array:
        return read(path, array, *[starts[i] for i in range(count)])

    def writing(array: jax.Array, value: jax.Array, starts: jax.Array) -> jax.Array:
        return write(path, array, value, *[starts[i] for i in range(count)])

    return Reader(jax.jit(reading), jax.jit(writing), jax.jit(writing, donate_argnums=0), path)
