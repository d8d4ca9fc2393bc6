"""Printed tensors against real PyTorch, live: random shapes, dtypes, magnitudes and options, to the character."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import torchlike
from torchlike import _printing
from torchlike._core import dtype as dtypes

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch]

INTEGERS = ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
FLOATS = ("float16", "bfloat16", "float32", "float64")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
COMPLEX = ("complex64", "complex128")
SPECIAL = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.0, -2.5]


@pytest.fixture(autouse=True)
def restored_options() -> Iterator[None]:
    yield
    torch.set_printoptions(profile="default")
    torchlike.set_printoptions(profile="default")


def _numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name) if name in (*FLOAT8, "bfloat16") else name)


def _pair(values: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """The same values as a tensor of each library; PyTorch takes ml_dtypes' values as bits."""
    name = values.dtype.name
    if name in (*FLOAT8, "bfloat16"):
        bits = np.ascontiguousarray(values).view(np.uint8 if name != "bfloat16" else np.uint16).reshape(values.shape)
        theirs = torch.from_numpy(bits.copy()).view(getattr(torch, name))
    else:
        theirs = torch.from_numpy(values.copy())
    return theirs, torchlike.tensor(values)


def _values(kind: str, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if kind == "normal":
        return rng.standard_normal(count)
    if kind == "integral":
        return rng.integers(-100, 100, count).astype(float)
    if kind == "wide":
        return rng.standard_normal(count) * 10.0 ** rng.integers(-9, 12, count)
    if kind == "special":
        return rng.choice(SPECIAL, count)
    if kind == "nothing finite":
        return rng.choice(SPECIAL[:5], count)
    if kind == "large":
        return rng.integers(-10, 10, count) * 10.0 ** rng.integers(0, 9)
    return rng.choice([0.0, -0.0, 1e-5, 3.0, -1e6, np.nan, np.inf], count)


KINDS = ("normal", "integral", "wide", "special", "nothing finite", "large", "mixed")
SHAPES = st.one_of(
    st.lists(st.sampled_from([0, 1, 1, 2, 3, 3, 5, 7, 8]), max_size=4),
    st.lists(st.integers(1, 1500), min_size=1, max_size=1),
    st.lists(st.integers(1, 40), min_size=2, max_size=2),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 8),
        "threshold": st.sampled_from([0, 10, 1000, float("inf")]),
        "edgeitems": st.integers(0, 5),
        "linewidth": st.integers(5, 150),
        "profile": st.sampled_from(["default", "short", "full", "unknown"]),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=SHAPES,
    dtype=st.sampled_from((*INTEGERS, *FLOATS, *FLOATS, *FLOAT8, *COMPLEX)),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    seed=st.integers(0, 2**32 - 1),
    options=OPTIONS,
    requires_grad=st.booleans(),
)
def test_text(
    shape: list[int], dtype: str, kinds: tuple[str, str], seed: int, options: dict[str, Any], requires_grad: bool
) -> None:
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape))
    values: np.ndarray[Any, Any] = _values(kinds[0], count, rng)
    with np.errstate(all="ignore"):
        if dtype in COMPLEX:
            values = values + 1j * _values(kinds[1], count, rng)
        elif dtype in INTEGERS:
            values = np.nan_to_num(values, posinf=3, neginf=2).clip(0 if dtype[0] == "u" else -(2.0**60), 2.0**60)
        values = np.asarray(values.reshape(shape)).astype(_numpy_dtype(dtype))
    theirs, ours = _pair(values)
    if requires_grad and dtype in (*FLOATS, *COMPLEX):
        theirs.requires_grad_()
        ours.requires_grad_()
    torch.set_printoptions(profile="default")
    torchlike.set_printoptions(profile="default")
    torch.set_printoptions(**options)
    torchlike.set_printoptions(**options)
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("default", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("dtype", [*INTEGERS[:6], *FLOATS, *COMPLEX])
def test_the_default_dtype_is_not_named(default: str, dtype: str) -> None:
    torch.set_default_dtype(getattr(torch, default))
    try:
        with dtypes.default_scope(getattr(torchlike, default)):
            for shape in ((2,), (0,), (0, 3), ()):
                theirs, ours = _pair(np.ones(shape, _numpy_dtype(dtype)))
                assert repr(ours) == repr(theirs)
    finally:
        torch.set_default_dtype(torch.float32)


VIEWS = {
    "transposed": lambda t: t.t(),
    "column": lambda t: t[:, 1],
    "row": lambda t: t[0],
    "scalar": lambda t: t[1, 2],
    "conjugate": lambda t: t.conj(),
    "imaginary": lambda t: t.detach().conj().imag,
    "result": lambda t: t * 2,
    "gathered": lambda t: t[[0, 1]],
    "detached": lambda t: t.detach(),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_views_and_results(name: str, dtype: str) -> None:
    if name == "imaginary" and dtype == "float32":
        pytest.skip("real numbers have no imaginary part")
    values = np.arange(6, dtype=dtype).reshape(2, 3) * (1 if dtype == "float32" else 1 - 0.5j)
    theirs, ours = _pair(values.astype(dtype))
    theirs.requires_grad_()
    ours.requires_grad_()
    assert repr(VIEWS[name](ours)) == repr(VIEWS[name](theirs))


@pytest.mark.parametrize("shape", [(), (3,), (0, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_meta(shape: tuple[int, ...], dtype: str) -> None:
    theirs = torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
    ours = torchlike.empty(shape, dtype=getattr(torchlike, dtype), device="meta")
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("value", [3.14159, 3, True, 2 - 1.5j, float("nan"), 1e10])
@pytest.mark.parametrize("spec", ["", ".2f", "10", ">8", "d", "e"])
def test_format(value: Any, spec: str) -> None:
    def outcome(module: Any) -> str:
        try:
            return format(module.tensor(value), spec)
        except (TypeError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    assert outcome(torchlike) == outcome(torch)


def test_format_of_several_elements() -> None:
    assert f"{torchlike.tensor([1.5])}" == f"{torch.tensor([1.5])}"
    for module in (torch, torchlike):
        with pytest.raises(TypeError, match=r"unsupported format string passed to Tensor.__format__"):
            format(module.tensor([1.5]), ".2f")


def test_options() -> None:
    for options in ({"precision": 2}, {"profile": "short"}, {"profile": "full", "sci_mode": True}, {"linewidth": 40}):
        torch.set_printoptions(**options)
        torchlike.set_printoptions(**options)
        assert _printing.get_printoptions() == torch._tensor_str.get_printoptions()
    with _printing.printoptions(precision=7), torch._tensor_str.printoptions(precision=7):
        assert _printing.get_printoptions() == torch._tensor_str.get_printoptions()
    assert _printing.get_printoptions() == torch._tensor_str.get_printoptions()
