"""x[...], x[...] = v, gathers and scatters against real PyTorch, live: values, strides, gradients and errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torchlike

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch]

Module = Any


# ---------------------------------------------------------------------------------------------------------------------
# Indices, described by plain data so that each library makes its own


def build(module: Module, part: Any) -> Any:
    """Return a part of an index: ("tensor", data, dtype), ("numpy", data), ("slice", a, b, c), a tuple of parts ..."""
    if isinstance(part, tuple):
        kind, *rest = part
        if kind == "tensor":
            return module.tensor(rest[0], dtype=getattr(module, rest[1]))
        if kind == "numpy":
            return np.array(rest[0], dtype=rest[1])
        if kind == "slice":
            return slice(*rest)
        if kind == "tuple":
            return tuple(build(module, p) for p in rest)
        if kind == "list":
            return [build(module, p) for p in rest]
    return part


def nested(data: st.DataObject, shape: list[int], values: st.SearchStrategy[Any]) -> Any:
    if not shape:
        return data.draw(values)
    return [nested(data, shape[1:], values) for _ in range(shape[0])]


def draw_part(data: st.DataObject, sizes: list[int], broadcast: list[int]) -> tuple[Any, int]:
    """Draw a part of an index for the dimensions left; returns it and how many of them it uses."""
    size = sizes[0] if sizes else 1
    kinds = ["none", "bool"] + (["int", "slice", "slice", "index", "list", "zero", "numpy", "mask"] if sizes else [])
    kind = data.draw(st.sampled_from(kinds))
    within = st.integers(-size, size - 1) if size else st.just(0)
    outside = st.integers(-size - 2, size + 1)
    number = data.draw(st.sampled_from([within] * 12 + [outside]))
    if kind == "none":
        return None, 0
    if kind == "bool":
        return data.draw(st.booleans()), 0
    if kind == "int":
        return data.draw(number), 1
    if kind == "zero":
        return ("tensor", data.draw(number), data.draw(st.sampled_from(["int64", "int32", "int16"]))), 1
    if kind == "slice":
        bound = st.none() | st.integers(-size - 2, size + 2)
        step = st.none() | st.sampled_from([1, 1, 2, 3, -1])
        return ("slice", data.draw(bound), data.draw(bound), data.draw(step)), 1
    if kind == "mask":
        count = data.draw(st.integers(1, min(2, len(sizes))))
        shape = [s + (data.draw(st.integers(0, 30)) == 30) for s in sizes[:count]]
        return ("tensor", nested(data, shape, st.booleans()), "bool"), count
    shape = data.draw(st.sampled_from([broadcast, broadcast[-1:], [1], [0], []] if broadcast else [[2], [1], [0]]))
    if kind == "list":
        return nested(data, shape or [1], number), 1
    values = nested(data, shape or [1], number)
    if kind == "numpy":
        return ("numpy", values, data.draw(st.sampled_from(["int64", "int32"]))), 1
    return ("tensor", values, data.draw(st.sampled_from(["int64", "int64", "int32", "int8"]))), 1


def draw_index(data: st.DataObject, shape: list[int]) -> Any:
    sizes = list(shape)
    broadcast = data.draw(st.sampled_from([[2], [3], [2, 3], [1, 2]]))
    parts: list[Any] = []
    for _ in range(data.draw(st.integers(0, 4))):
        part, used = draw_part(data, sizes, broadcast)
        sizes = sizes[used:]
        parts.append(part)
    if data.draw(st.integers(0, 3)) == 0:
        parts.insert(data.draw(st.integers(0, len(parts))), Ellipsis)
    if len(parts) == 1 and data.draw(st.booleans()):
        return parts[0]
    return ("tuple", *parts)


SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 3, 4]), max_size=4)
DTYPES = ("float32", "float64", "int64", "uint8", "bool", "complex64", "float16")


def make(module: Module, shape: list[int], dtype: str, layout: str) -> Any:
    values = np.arange(int(np.prod(shape))).reshape(shape) % 100
    tensor = module.tensor((values % 2 == 0) if dtype == "bool" else values.astype(dtype))
    if layout == "transposed" and len(shape) > 1:
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "strided" and shape:
        wide = module.tensor(np.repeat(np.asarray(tensor), 2, axis=-1))
        return wide[..., ::2]
    return tensor


def described(result: Any) -> Any:
    """What is compared of a result."""
    if isinstance(result, tuple):
        return [described(r) for r in result]
    values = np.asarray(result.detach().resolve_conj())
    # PyTorch keeps the strides of empty NumPy arrays, which mean nothing.
    stride = result.stride() if result.numel() else None
    return str(result.dtype), tuple(result.shape), stride, values.tolist()


def outcome(module: Module, act: Callable[[Module], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return act(module)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is compared
            return type(error).__name__, str(error).split("\n", maxsplit=1)[0]


def agree(act: Callable[[Module], Any]) -> None:
    assert outcome(torchlike, act) == outcome(torch, act)


# ---------------------------------------------------------------------------------------------------------------------
# Reading and writing


@settings(max_examples=60)
@given(
    data=st.data(),
    shape=SHAPES,
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["plain", "plain", "transposed", "strided"]),
)
def test_read(data: st.DataObject, shape: list[int], dtype: str, layout: str) -> None:
    index = draw_index(data, shape)

    def act(module: Module) -> Any:
        tensor = make(module, shape, dtype, layout)
        result = tensor[build(module, index)]
        return described(result), result.data_ptr() == tensor.data_ptr() if result.numel() else None

    agree(act)


@settings(max_examples=60)
@given(
    data=st.data(),
    shape=SHAPES,
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["plain", "plain", "transposed", "strided"]),
)
def test_write(data: st.DataObject, shape: list[int], dtype: str, layout: str) -> None:
    index = draw_index(data, shape)
    kind = data.draw(st.sampled_from(["number", "number", "zero", "full", "broadcast", "wrong", "dtype"]))
    number = data.draw(st.sampled_from([7, 2.5, True, -1, 300, 1e20, float("inf"), 1 + 2j, 3 + 0j]))
    drop = data.draw(st.integers(0, 2))

    def act(module: Module) -> Any:
        tensor = make(module, shape, dtype, layout)
        base = make(module, shape, dtype, layout)
        value: Any = number
        if kind != "number":
            target = list(base[build(module, index)].shape)
            if kind == "broadcast":
                target = [1 if (d + drop) % 2 else s for d, s in enumerate(target)][drop:]
            elif kind == "wrong":
                target = [*target, 2]
            elif kind == "zero":
                target = []
            count = int(np.prod(target))
            values = (np.arange(count) + 50).reshape(target)
            value = module.tensor(values.astype("float64" if kind == "dtype" else dtype))
        tensor[build(module, index)] = value
        return described(tensor), tensor._version

    if kind == "number" and dtype == "int64" and number == 1e20:
        return  # how far out of range depends on the compiler
    # Places named twice keep one of the values, which one is not defined.
    if outcome(torch, lambda m: len(_named(m, shape, index)) == len(set(_named(m, shape, index)))) is not False:
        agree(act)


def _named(module: Module, shape: list[int], index: Any) -> list[int]:
    positions = module.tensor(np.arange(int(np.prod(shape))).reshape(shape))
    return np.asarray(positions[build(module, index)]).reshape(-1).tolist()


@settings(max_examples=60)
@given(data=st.data(), shape=SHAPES, write=st.sampled_from(["no", "number", "tensor"]))
def test_gradients(data: st.DataObject, shape: list[int], write: str) -> None:
    index = draw_index(data, shape)

    def act(module: Module) -> Any:
        leaf = make(module, shape, "float64", "plain").requires_grad_()
        tensor = leaf * 2
        if write == "no":
            result = tensor[build(module, index)]
        else:
            value: Any = 3.0
            if write == "tensor":
                target = list(make(module, shape, "float64", "plain")[build(module, index)].shape)
                value = module.tensor(np.arange(int(np.prod(target)), dtype="float64").reshape(target))
                value.requires_grad_()
            tensor[build(module, index)] = value
            result = tensor
        weights = np.arange(result.numel(), dtype="float64").reshape(tuple(result.shape))
        (result * module.tensor(weights)).sum().backward()
        grads = [leaf.grad] + ([value.grad] if write == "tensor" else [])
        return described(result), [None if g is None else np.asarray(g).tolist() for g in grads]

    agree(act)


GRAPH_NAMES = {
    "x[0]": lambda x: x[0],
    "x[1:]": lambda x: x[1:],
    "x[:, 0]": lambda x: x[:, 0],
    "x[None]": lambda x: x[None],
    "x[...]": lambda x: x[...],
    "x[()]": lambda x: x[()],
    "x[:]": lambda x: x[:],
    "x[:, :]": lambda x: x[:, :],
    "x[True]": lambda x: x[True],
    "x[[0]]": lambda x: x[[0]],
    "x[x > 0]": lambda x: x[x > 0],
    "x[0, [1]]": lambda x: x[0, [1]],
}


@pytest.mark.parametrize("name", GRAPH_NAMES)
def test_node_names(name: str) -> None:
    def names(module: Module) -> list[str]:
        node = GRAPH_NAMES[name](module.ones(2, 3, requires_grad=True)).grad_fn
        found = []
        while node is not None:
            found.append(node.name().rpartition("::")[2])
            node = node.next_functions[0][0] if node.next_functions else None
        return found

    assert names(torchlike) == names(torch)


# ---------------------------------------------------------------------------------------------------------------------
# Operators


def draw_along(data: st.DataObject, shape: list[int], dim: int, *, whole: bool) -> list[int]:
    """Draw the shape of an element-wise index."""
    if whole:
        return list(shape)
    return [data.draw(st.integers(0, s + 1)) if d == dim else data.draw(st.integers(0, s)) for d, s in enumerate(shape)]


OPERATORS: dict[str, Callable[..., Any]] = {
    "gather": lambda m, x, dim, i, s: m.gather(x, dim, i),
    "scatter_add": lambda m, x, dim, i, s: m.scatter_add(x, dim, i, s),
    "scatter_sum": lambda m, x, dim, i, s: m.scatter_reduce(x, dim, i, s, "sum", include_self=False),
    "scatter_prod": lambda m, x, dim, i, s: m.scatter_reduce(x, dim, i, s, "prod"),
    "scatter_prod_other": lambda m, x, dim, i, s: m.scatter_reduce(x, dim, i, s, "prod", include_self=False),
    "scatter_mean": lambda m, x, dim, i, s: m.scatter_reduce(x, dim, i, s, "mean"),
    "scatter_mean_other": lambda m, x, dim, i, s: m.scatter_reduce(x, dim, i, s, "mean", include_self=False),
    "scatter_amax": lambda m, x, dim, i, s: m.scatter_reduce(x, dim, i, s, "amax"),
    "scatter_amin_other": lambda m, x, dim, i, s: m.scatter_reduce(x, dim, i, s, "amin", include_self=False),
    "scatter_value": lambda m, x, dim, i, s: m.scatter(x, dim, i, 2),
    "scatter_add_": lambda m, x, dim, i, s: x.scatter_add_(dim, i, s),
}


@settings(max_examples=60)
@given(
    data=st.data(),
    name=st.sampled_from(sorted(OPERATORS)),
    shape=st.lists(st.integers(0, 4), max_size=3),
    dtype=st.sampled_from(["float64", "float32", "int64", "int32", "bool", "complex128", "bfloat16"]),
    graph=st.booleans(),
)
def test_along_a_dimension(data: st.DataObject, name: str, shape: list[int], dtype: str, graph: bool) -> None:
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    size = shape[dim] if shape else 1
    index_shape = draw_along(data, shape, dim % max(len(shape), 1), whole=data.draw(st.booleans()))
    index = nested(data, index_shape, st.integers(0, max(size - 1, 0)))
    # PyTorch has no gradient for a source that is larger than the index.
    source_shape = [s + (0 if graph else data.draw(st.integers(0, 1))) for s in index_shape]
    index_dtype = data.draw(st.sampled_from(["int64", "int32"]))

    def values(module: Module, wanted: list[int], start: int) -> Any:
        numbers = (np.arange(int(np.prod(wanted))).reshape(wanted) * 7 + start) % 5
        return module.tensor(numbers.tolist(), dtype=getattr(module, dtype)).reshape(wanted)

    def act(module: Module) -> Any:
        x, source = values(module, shape, 1), values(module, source_shape, 0)
        differentiable = graph and dtype in ("float64", "complex128")
        if differentiable:
            x.requires_grad_()
            source.requires_grad_()
        indices = module.tensor(index, dtype=getattr(module, index_dtype)).reshape(index_shape)
        input = x * 1 if differentiable else x
        result = OPERATORS[name](module, input, dim, indices, source)
        if not differentiable:
            return described(result if dtype != "bfloat16" else result.to(module.float32))
        weights = module.tensor(np.arange(1, result.numel() + 1, dtype="float64").reshape(tuple(result.shape)))
        (result.real if dtype == "complex128" else result).mul(weights).sum().backward()
        grads = [t.grad for t in (x, source)]
        return described(result), [None if g is None else np.round(np.asarray(g), 9).tolist() for g in grads]

    agree(act)


SLICED: dict[str, Callable[..., Any]] = {
    "index_select": lambda m, x, dim, i, s: m.index_select(x, dim, i),
    "index_add": lambda m, x, dim, i, s: m.index_add(x, dim, i, s, alpha=2),
    "index_copy": lambda m, x, dim, i, s: m.index_copy(
        x, dim, i.to(m.int64).unique(), s.narrow(dim, 0, len(i.unique()))
    ),
    "index_fill": lambda m, x, dim, i, s: m.index_fill(x, dim, i.to(m.int64), 3),
    "index_reduce_prod": lambda m, x, dim, i, s: m.index_reduce(x, dim, i, s, "prod"),
    "index_reduce_mean": lambda m, x, dim, i, s: m.index_reduce(x, dim, i, s, "mean", include_self=False),
    "index_reduce_amax": lambda m, x, dim, i, s: m.index_reduce(x, dim, i, s, "amax"),
    "index_add_": lambda m, x, dim, i, s: x.index_add_(dim, i, s),
}


@settings(max_examples=60)
@given(
    data=st.data(),
    name=st.sampled_from(sorted(SLICED)),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    dtype=st.sampled_from(["float64", "float32", "int64", "int16", "bool", "complex128"]),
    graph=st.booleans(),
)
def test_slices_along_a_dimension(data: st.DataObject, name: str, shape: list[int], dtype: str, graph: bool) -> None:
    if name == "index_copy" and not hasattr(torchlike, "unique"):
        name = "index_select"
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(0, 4))
    index = nested(data, [count], st.integers(0, shape[dim] - 1))
    source_shape = list(shape)
    source_shape[dim] = count
    # PyTorch's own gradient of index_reduce without the old values takes int64 only.
    index_dtype = data.draw(st.sampled_from(["int64", "int64" if graph else "int32"]))

    def values(module: Module, wanted: list[int], start: int) -> Any:
        numbers = (np.arange(int(np.prod(wanted))).reshape(wanted) * 7 + start) % 5
        return module.tensor(numbers.tolist(), dtype=getattr(module, dtype)).reshape(wanted)

    def act(module: Module) -> Any:
        x, source = values(module, shape, 1), values(module, source_shape, 0)
        differentiable = graph and dtype in ("float64", "complex128")
        if differentiable:
            x.requires_grad_()
            source.requires_grad_()
        indices = module.tensor(index, dtype=getattr(module, index_dtype))
        result = SLICED[name](module, x * 1 if differentiable else x, dim, indices, source)
        if not differentiable:
            return described(result)
        weights = module.tensor(np.arange(1, result.numel() + 1, dtype="float64").reshape(tuple(result.shape)))
        (result.real if dtype == "complex128" else result).mul(weights).sum().backward()
        grads = [t.grad for t in (x, source)]
        return described(result), [None if g is None else np.round(np.asarray(g), 9).tolist() for g in grads]

    agree(act)
