"""Operators on drawn shapes, strides, dtypes and numbers against real PyTorch, live: results or the error's class.

Shapes have zeros and ones, operands are views with strides of all kinds, and the second operand of a pointwise operator
is a tensor or a Python or NumPy number. What is compared: values, dtype, shape and strides, or which error it is.
The examples are the same every time; more of them are drawn with another ``max_examples``.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torchlike

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch]

Module = Any

DTYPES = ["bool", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]
SHAPES = [(), (1,), (3,), (0,), (2, 3), (1, 3), (2, 1), (0, 3), (2, 3, 2), (2, 1, 2)]
VIEWS = ["plain", "plain", "transposed", "stepped", "expanded", "flipped", "offset"]

UNARY = ["abs", "neg", "exp", "sqrt", "sign", "floor", "isnan", "logical_not", "bitwise_not", "tanh", "square", "sgn"]
BINARY = ["add", "sub", "mul", "div", "pow", "maximum", "eq", "lt", "logical_and", "bitwise_or", "remainder", "atan2"]
BINARY += ["floor_divide", "fmod"]
REDUCTIONS = [
    "sum",
    "mean",
    "prod",
    "amax",
    "amin",
    "any",
    "all",
    "argmax",
    "std",
    "median",
    "logsumexp",
    "count_nonzero",
]
SCANS = ["cumsum", "cumprod", "cummax", "sort", "argsort", "softmax", "flip", "unsqueeze", "squeeze", "diff"]
SHAPING = [
    ("reshape", [((-1,),), ((3, -1),), ((2, 3),), ((1, -1, 1),), ((0,),)]),
    ("transpose", [(0, 1), (-1, 0), (0, 2)]),
    ("permute", [((1, 0),), ((0, 2, 1),), ((-1, -2),)]),
    ("flatten", [(), (1,), (0, -2), (-1,)]),
    ("expand", [((2, 2, 3),), ((-1, 3),), ((3,),), ((2, -1),)]),
    ("narrow", [(0, 0, 1), (-1, 1, 2), (0, 5, 1), (1, 0, 0)]),
    ("chunk", [(2,), (2, -1), (5, 0), (0,)]),
    ("split", [(1,), (2, -1), ((1, 2), -1)]),
    ("unbind", [(), (-1,), (2,)]),
    ("movedim", [(0, 1), (-1, 0), ((0, 1), (1, 0))]),
    ("repeat", [((2,),), ((2, 1),), ((1, 0, 2),), ((2, 2, 2),)]),
    ("roll", [(1,), (1, 0), ((1, -1), (0, 1))]),
    ("tril", [(), (1,), (-1,)]),
    ("diagonal", [(), (1,), (-1, 0, -1)]),
    ("unfold", [(0, 1, 1), (-1, 2, 1), (0, 4, 1)]),
    ("select", [(0, 0), (-1, -1), (0, 7)]),
]
NUMBERS: list[Any] = [0, 1, -2, 3, 300, 0.0, 0.5, -1.5, True, False, 1j, float("inf"), float("nan")]
NUMBERS += [np.float32(0.5), np.int64(2), np.float64(1.25)]


def values(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray[Any, Any]:
    """Small numbers with ties, zeros and both signs."""
    pool = np.array([0, 1, -1, 2, 3, -2, 0.5, 1, -0.25, 4])
    size = int(np.prod(shape))
    chosen = pool[(np.arange(size) * 7 + seed * 3) % len(pool)].reshape(shape)
    if dtype == "bool":
        return chosen > 0
    if dtype.startswith(("int", "uint")):
        return np.abs(np.trunc(chosen)).astype(np.int64) if dtype == "uint8" else np.trunc(chosen).astype(np.int64)
    return chosen + 1j * chosen[::-1] if dtype == "complex64" else chosen


def made(module: Module, shape: tuple[int, ...], dtype: str, view: str, seed: int) -> Any:
    """A tensor with the same values in both libraries, lying in memory as ``view`` says."""
    target = getattr(module, dtype)

    def of(sizes: tuple[int, ...]) -> Any:
        return module.tensor(values(sizes, dtype, seed).tolist()).reshape(sizes).to(target)

    if not shape or view == "plain":
        return of(shape)
    if view == "transposed":
        return of(shape[::-1]).permute(tuple(range(len(shape)))[::-1])
    if view == "stepped":
        return of((*shape[:-1], shape[-1] * 2))[..., ::2]
    if view == "expanded":
        return of((1, *shape[1:])).expand(shape)
    if view == "flipped":
        return of(shape).flip(0)
    return of((shape[0] + 1, *shape[1:]))[1:]


def outcome(module: Module, run: Any) -> Any:
    """What a call gives, in plain data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = run(module)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            return type(error).__name__
    return [described(r) for r in (result if isinstance(result, tuple | list) else [result])]


def described(t: Any) -> Any:
    data = t.to(
        getattr(torchlike if type(t) is torchlike.Tensor else torch, "complex128" if t.is_complex() else "float64")
    )
    strides = tuple(s for s, n in zip(t.stride(), t.shape, strict=True) if n > 1) if t.numel() else ()
    return str(t.dtype).removeprefix("torch."), tuple(t.shape), strides, np.asarray(data.resolve_conj().tolist())


TOLERANCES = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 2e-6, "complex64": 4e-6, "float64": 1e-12}


def compare(run: Any) -> None:
    expected, found = outcome(torch, run), outcome(torchlike, run)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[:3] == theirs[:3]
        tolerance = TOLERANCES.get(theirs[0], 0)
        np.testing.assert_allclose(ours[3], theirs[3], rtol=tolerance, atol=tolerance)


shapes = st.sampled_from(SHAPES)
dtypes = st.sampled_from(DTYPES)
views = st.sampled_from(VIEWS)


@settings(max_examples=30, derandomize=True)
@given(st.sampled_from(UNARY), shapes, dtypes, views)
def test_unary(name: str, shape: tuple[int, ...], dtype: str, view: str) -> None:
    compare(lambda module: getattr(module, name)(made(module, shape, dtype, view, 1)))


@settings(max_examples=75, derandomize=True)
@given(st.sampled_from(BINARY), shapes, dtypes, views, shapes, dtypes, views, st.booleans())
def test_binary(
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    view: str,
    other_shape: tuple[int, ...],
    other_dtype: str,
    other_view: str,
    inplace: bool,
) -> None:
    def run(module: Module) -> Any:
        x, y = made(module, shape, dtype, view, 1), made(module, other_shape, other_dtype, other_view, 2)
        if inplace and hasattr(torch.Tensor, name + "_"):
            return getattr(x, name + "_")(y)
        return getattr(module, name)(x, y)

    compare(run)


@settings(max_examples=40, derandomize=True)
@given(st.sampled_from(BINARY), shapes, dtypes, views, st.sampled_from(NUMBERS))
def test_with_a_number(name: str, shape: tuple[int, ...], dtype: str, view: str, number: Any) -> None:
    if dtype == "float16" and isinstance(number, complex):
        return  # complex32 does not exist
    compare(lambda module: getattr(module, name)(made(module, shape, dtype, view, 1), number))


@settings(max_examples=60, derandomize=True)
@given(
    st.sampled_from(REDUCTIONS),
    shapes,
    dtypes,
    views,
    st.sampled_from([None, 0, -1, 1, 2, (0, 1), (), (-1, 0)]),
    st.booleans(),
)
def test_reductions(name: str, shape: tuple[int, ...], dtype: str, view: str, dim: Any, keepdim: bool) -> None:
    def run(module: Module) -> Any:
        x = made(module, shape, dtype, view, 1)
        function = getattr(module, name)
        if dim is None:
            return function(x)
        return function(x, dim) if name == "count_nonzero" else function(x, dim, keepdim=keepdim)

    compare(run)


@settings(max_examples=50, derandomize=True)
@given(st.sampled_from(SCANS), shapes, dtypes, views, st.sampled_from([0, -1, 1, 2]))
def test_along_a_dimension(name: str, shape: tuple[int, ...], dtype: str, view: str, dim: int) -> None:
    def run(module: Module) -> Any:
        x = made(module, shape, dtype, view, 1)
        if name in ("sort", "argsort"):
            return getattr(module, name)(x, dim=dim, stable=True)
        if name == "diff":
            return module.diff(x, 1, dim)
        return getattr(module, name)(x, (dim,) if name == "flip" else dim)

    compare(run)


@settings(max_examples=75, derandomize=True)
@given(st.data(), shapes, st.sampled_from(["bool", "int64", "float32", "complex64"]), views)
def test_shapes_and_views(data: st.DataObject, shape: tuple[int, ...], dtype: str, view: str) -> None:
    name, choices = data.draw(st.sampled_from(SHAPING))
    arguments = data.draw(st.sampled_from(choices))
    compare(lambda module: getattr(made(module, shape, dtype, view, 1), name)(*arguments))


@settings(max_examples=50, derandomize=True)
@given(
    st.sampled_from(
        ["index_select", "gather", "scatter", "scatter_add", "index_add", "index_fill", "take", "masked_fill"]
    ),
    st.sampled_from([(3,), (2, 3), (0, 3), (), (2, 3, 2)]),
    dtypes,
    views,
    st.sampled_from([0, -1, 1]),
    st.lists(st.integers(-1, 3), max_size=3),
)
def test_indexing(name: str, shape: tuple[int, ...], dtype: str, view: str, dim: int, places: list[int]) -> None:
    def run(module: Module) -> Any:
        x = made(module, shape, dtype, view, 1)
        index = module.tensor(places, dtype=module.int64)
        if name == "take":
            return x.take(index)
        if name == "masked_fill":
            return x.masked_fill(made(module, shape, "bool", view, 3), 2)
        if name == "index_select":
            return x.index_select(dim, index)
        if name == "index_fill":
            return x.index_fill(dim, index, 1)
        if name == "index_add":
            return x.index_add(dim, index, x)
        full = index.reshape((len(places),) + (1,) * max(len(shape) - 1, 0))
        return x.gather(dim, full) if name == "gather" else getattr(x, name)(dim, full, x)

    compare(run)
