"""What random functions share: the laws they draw from, where the numbers come from, and how they get into a tensor.

On the CPU the numbers are PyTorch's, drawn on the host in the order in which PyTorch fills memory. On an accelerator,
and while a function is captured for compilation, they come from jax's generators, whose keys come from the same
`Generator`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import device as devices
from torchlike._core import dispatch, generator, keyed, layout, normals, samplers, tape
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.generator import Generator
from torchlike._core.levels import below, only
from torchlike._core.lifted import Batched
from torchlike._core.tensor_state import TensorBase, modes
from torchlike._core.views import Geometry
from torchlike.ops._examples import randomness, refuse_fill

Tensor = Any
Host = np.ndarray[Any, Any]


class Law(NamedTuple):
    """A distribution: ``host(generator, count, dtype, contiguous)``, its twin on keys, and the twin's parameters."""

    host: Callable[[Generator, int, Any, bool], Host]
    keyed: Callable[..., jax.Array]
    parameters: tuple[Any, ...] = ()


def uniform(low: float, high: float) -> Law:
    """On [low, high)."""
    return Law(lambda g, n, d, _: samplers.uniform(g, n, d, low, high), keyed.uniform, (low, high))


def normal(mean: float, std: float) -> Law:
    """Normal; the one law whose host stream depends on how a tensor lies in memory."""
    return Law(
        lambda g, n, d, contiguous: normals.normal(g, n, d, mean, std, contiguous=contiguous), keyed.normal, (mean, std)
    )


def integers(low: int, size: int) -> Law:
    """From ``low`` to ``low + size - 1``."""
    return Law(lambda g, n, d, _: samplers.integers(g, n, d, low, size), keyed.integers, (low, np.uint64(size % 2**64)))


# ---------------------------------------------------------------------------------------------------------------------
# Where the numbers come from


def generator_argument(function: str, value: Any) -> Generator | None:
    """The ``generator=`` argument; TypeError for what is none."""
    if value is not None and not isinstance(value, Generator):
        raise TypeError(f"{function}(): argument 'generator' must be torch.Generator, not {type(value).__name__}")
    return value


def on_host(place: devices.device) -> bool:
    """Whether the numbers for tensors on a device are drawn on the host now."""
    return place is devices.CPU and generator.key_source is None


def draw(
    law: Law,
    source: Generator | None,
    place: devices.device,
    size: tuple[int, ...],
    dtype: dtypes.dtype,
    stride: Sequence[int] | None = None,
) -> Any:
    """Return an array of samples on a device; ``stride`` is how the tensor lies in memory unless row-major."""
    if place is devices.META:
        return jax.ShapeDtypeStruct(size, dtype.np)
    level = randomness() if modes.levels else None
    if level is not None:
        with only(below(level)):
            if level.randomness == "same":
                return draw(law, source, place, size, dtype, stride)
            return Batched(level, dispatch.wrap(draw(law, source, place, (level.size, *size), dtype)), True)
    if source is not None and place.type != source.device.type:
        raise RuntimeError(f"Expected a '{place.type}' device type for generator but found '{source.device.type}'")
    if on_host(place):
        stream = generator.current() if source is None else source
        return layout.put(_on_host(law, stream, size, dtype, stride), place)
    return _from_key(law, source, place, size, dtype)


def _on_host(law: Law, source: Generator, size: tuple[int, ...], dtype: dtypes.dtype, stride: Any) -> Host:
    count = math.prod(size)
    contiguous = stride is None
    if dtype.is_complex:
        flat = law.host(source, 2 * count, dtype.to_real().np, contiguous).view(dtype.np)
    else:
        flat = law.host(source, count, dtype.np, contiguous)
    if flat.dtype != dtype.np:
        flat = flat.astype(dtype.np)
    if contiguous:
        return flat.reshape(size)
    return in_memory_order(flat, size, stride)


def in_memory_order(flat: Host, size: tuple[int, ...], stride: Sequence[int]) -> Host:
    """Give samples the shape of a tensor whose memory, in the order of its strides, they fill one after the other."""
    dense = layout.preserved_strides(size, tuple(stride))
    if dense is None:
        return flat.reshape(size)
    order = sorted(range(len(size)), key=lambda d: (-dense[d], d))
    return flat.reshape([size[d] for d in order]).transpose(np.argsort(order))


_compiled: dict[Any, Callable[..., Any]] = {}


def _from_key(law: Law, source: Generator | None, place: devices.device, size: tuple[int, ...], dtype: Any) -> Any:
    if generator.key_source is not None:
        if source is not None:
            raise generator.HostDraw("it draws from a generator that was passed to it")
        return _keyed(law.keyed, size, dtype)(generator.key_source(), *law.parameters)
    cached = (law.keyed, size, dtype, place)
    found = _compiled.get(cached)
    if found is None:
        found = _compiled[cached] = jax.jit(_keyed(law.keyed, size, dtype), out_shardings=place.sharding)
    stream = generator.current() if source is None else source
    return found(stream.key(), *law.parameters)


def _keyed(sampler: Callable[..., jax.Array], size: tuple[int, ...], dtype: dtypes.dtype) -> Callable[..., jax.Array]:
    def sample(key: Any, *parameters: Any) -> jax.Array:
        if not dtype.is_complex:
            return sampler(key, size, dtype.np, *parameters)
        pairs = sampler(key, (*size, 2), dtype.to_real().np, *parameters)
        return lax.complex(pairs[..., 0], pairs[..., 1])

    return sample


# ---------------------------------------------------------------------------------------------------------------------
# Gradients: a sample does not depend on what it was drawn for


class Unrelated(tape.Node):
    """The node of a random function: zeros flow back to what its arguments were."""

    __slots__ = ("label", "shapes")

    def __init__(self, label: str, edges: tuple[Any, ...], shapes: tuple[Any, ...]) -> None:
        super().__init__(edges)
        self.label = label
        self.shapes = shapes

    def name(self) -> str:
        """The name PyTorch gives to it."""
        return self.label

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        """Zeros for every argument."""
        zeros = [
            None if edge is None else jnp.zeros(s.shape, s.dtype)
            for edge, s in zip(self.edges, self.shapes, strict=True)
        ]
        return [None if z is None else dispatch.wrap(z) for z in zeros] if create_graph else zeros


def underivable(function: str, edges: tuple[Any, ...]) -> tape.Node:
    """The node of a function whose derivative PyTorch does not have."""
    node: tape.Node = tape.named(tape.Underivable, "NotImplemented")(f"aten::{function}", edges)
    return node


def edges_of(*sources: Any) -> tuple[Any, ...]:
    """Where the gradients of arguments go, None where there is none; empty when there is none at all."""
    if not modes.grad:
        return ()
    found = tuple(tape.gradient_edge(t) if isinstance(t, TensorBase) else None for t in sources)
    return found if any(edge is not None for edge in found) else ()


def related(result: Tensor, label: str, *sources: Tensor) -> Tensor:
    """Record a random function of tensors as the history of its result."""
    edges = edges_of(*sources)
    if edges:
        result._grad_fn = tape.named(Unrelated, label)(label, edges, tuple(dispatch.shaped(s) for s in sources))
        result._requires_grad = True
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Into a tensor


def fill(target: Tensor, label: str, law: Law, source: Generator | None, *others: Tensor) -> Tensor:
    """Overwrite a tensor with samples, in place; ``others`` are further tensors that the law depends on."""
    dispatch.check_inplace(target)
    if modes.levels:
        refuse_fill(target)
    geometry: Geometry = dispatch.geometry_of(target)
    stride = None if geometry.is_contiguous else geometry.stride
    values = draw(law, source, dispatch.device_of(target), geometry.size, geometry.dtype, stride)
    return overwrite(target, label, values, *others)


def overwrite(target: Tensor, label: str, values: Any, *others: Tensor) -> Tensor:
    """Write values that do not depend on a tensor into it, and record that."""
    arguments = (target, *others)
    edges = edges_of(*arguments)
    shapes = tuple(dispatch.shaped(t) for t in arguments)
    dispatch.write(target, values)
    if edges:
        dispatch.rebase(target, tape.named(Unrelated, label)(label, edges, shapes))
    return target


def into(out: Tensor, function: str, size: tuple[int, ...], dtype: Any, law: Law, source: Generator | None) -> Tensor:
    """Fill a tensor given as ``out=``, giving it the size first."""
    refuse_graph(function, out)
    geometry = dispatch.geometry_of(out)
    if dtype is not None and dtype is not geometry.dtype:
        given, have = scalar_type(dtype), scalar_type(geometry.dtype)
        raise RuntimeError(f"dtype {given} does not match dtype of out parameter ({have})")
    if geometry.size == size:
        return fill(out, function, law, source)
    layout.resize(out, draw(law, source, dispatch.device_of(out), size, geometry.dtype))
    return out


def refuse_graph(function: str, out: Tensor) -> None:
    """Refuse an ``out=`` that takes part in a graph."""
    check(
        not (modes.grad and tape.requires_grad(out)),
        f"{function}(): functions with out=... arguments don't support automatic differentiation, but one of the"
        " arguments requires grad.",
    )


def host_values(tensor: Tensor) -> Host:
    """The values of a CPU tensor."""
    return np.asarray(dispatch.array_of(tensor))
