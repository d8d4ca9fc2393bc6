"""Ranges, identity matrices and the indices of triangles.

The values are computed on the host, in the steps in which PyTorch's CPU kernels compute them, so that they are equal to
the last bit; XLA would choose its own order of roundings.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import device as devices
from torchlike._core import dispatch, layout
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_int
from torchlike._core.errors import check, invalid_combination, not_implemented, scalar_type
from torchlike._core.op import composite
from torchlike._core.tensor_state import TensorBase
from torchlike._core.warn import warn
from torchlike.ops._bounds import check_number
from torchlike.ops._checks import BARE, BOOL, COMPLEX, UNSIGNED
from torchlike.ops._fill import check_options, compiled, dtype_argument, finished, number

__all__ = ["arange", "eye", "linspace", "logspace", "range", "tril_indices", "triu_indices"]

Tensor = Any
_Array = np.ndarray[Any, Any]


def _result(array: _Array, out: Tensor | None, device: Any, requires_grad: bool) -> Tensor:
    if out is None:
        return finished(dispatch.wrap_host(array, device), requires_grad)
    layout.write_out(out, layout.put(array, dispatch.device_of(out)), dispatch.write)
    return out


def _out_dtype(dtype: Any, out: Tensor | None) -> Any:
    if out is None:
        return dtype
    have = dispatch.geometry_of(out).dtype
    check(
        dtype is None or dtype is have,
        f"dtype {scalar_type(dtype)} does not match dtype of out parameter ({scalar_type(have)})",
    )
    return have


# ---------------------------------------------------------------------------------------------------------------------
# arange


@composite(method=False)
def arange(
    start: Any = None,
    end: Any = None,
    step: Any = None,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the numbers from ``start`` (0) up to but not including ``end``, ``step`` apart.

    ``arange(end)`` gives ``start`` its default. The dtype is int64 if all arguments are integers, else the default
    dtype. Raises RuntimeError for a step of 0 and for a step of the wrong sign.

    >>> torch.arange(1, 4)
    tensor([1, 2, 3])
    >>> torch.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    if end is None:
        if start is None or step is not None:
            given = [x for x in (start, step) if x is not None]
            invalid_combination("arange", given, "(Number end)", "(Number start, Number end, Number step = 1)")
        start, end = 0, start
    elif start is None:
        start = 0
    if step is None:
        step = 1
    if layout is not None or pin_memory:
        check_options(layout, pin_memory, "arange")
    if not (type(start) is type(end) is type(step) is int):
        start = number("arange", "start", 1, start)
        end = number("arange", "end", 1 if type(start) is int and start == 0 else 2, end)
        step = number("arange", "step", 3, step)
    wanted = _out_dtype(dtype_argument("arange", dtype), out)
    if wanted is None:
        real = any(isinstance(x, float) for x in (start, end, step))
        wanted = dtypes.get_default_dtype() if real else dtypes.int64
    count = _count(start, end, step, wanted, closed=False)
    if out is None and not wanted.is_floating_point:
        check(not requires_grad, "Only Tensors of floating point and complex dtype can require gradients")
        return dispatch.wrap(_integers(int(start), int(step), count, wanted, devices.resolve(device)))
    return _result(_values(start, step, count, wanted, closed=False), out, device, requires_grad)


def _integers(start: int, step: int, count: int, wanted: dtypes.dtype, place: devices.device) -> Any:
    """A range of integers, which every compiler computes alike: compiled once for a length."""

    def body(first: Any, each: Any) -> Any:
        return (first + each * jnp.arange(count, dtype=jnp.int64)).astype(wanted.np)

    return compiled(("arange", count, wanted, place), body, place, (count,), wanted)(start, step)


def _count(start: Any, end: Any, step: Any, wanted: dtypes.dtype, closed: bool) -> int:
    if any(wanted.np in group for group in (BOOL, COMPLEX, BARE)):
        not_implemented("arange_cpu" if not closed else "range_cpu", wanted)
    for x in (start, end, step):
        check(not isinstance(x, complex), "value cannot be converted to type double without overflow")
    check(step != 0, "step must be nonzero")
    check(
        math.isfinite(start) and math.isfinite(end),
        f"unsupported range: {start:g} -> {end:g}",
    )
    check(
        (step > 0 and end >= start) or (step < 0 and end <= start),
        "upper bound and lower bound inconsistent with step sign",
    )
    if wanted is dtypes.int64 and not closed:
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError("step must be nonzero")
        return -((start - end) // step)
    return int((end - start) / step + 1) if closed else math.ceil((end - start) / step)


def _values(start: Any, step: Any, count: int, wanted: dtypes.dtype, closed: bool) -> _Array:
    if not wanted.is_floating_point:
        first, each = np.int64(int(start)), np.int64(int(step))
        return (first + each * np.arange(count, dtype=np.int64)).astype(wanted.np)
    if closed:
        return _fused(start, step, np.arange(count), wanted)
    return _in_vectors(start, step, count, wanted)


def _in_vectors(start: float, step: float, count: int, wanted: dtypes.dtype) -> _Array:
    """``start + step * i`` in blocks of a vector register, each block from its rounded first number on."""
    width = 32 // wanted.itemsize
    index = np.arange(count)
    exact = _fused(start, step, index, wanted)
    accumulate: Any = (
        np.longdouble if wanted is dtypes.float64 else np.float64 if wanted is dtypes.float32 else np.float32
    )
    lane = accumulate(step) * (index % width).astype(accumulate)
    values = (exact[index // width * width].astype(accumulate) + lane).astype(wanted.np)
    rest = count // (2 * width) * (2 * width)
    values[rest:] = exact[rest:]
    return values


def _fused(start: Any, step: Any, index: _Array, wanted: dtypes.dtype) -> _Array:
    """``start + step * index`` rounded once."""
    wide: Any = np.longdouble if wanted is dtypes.float64 else np.float64 if wanted is dtypes.float32 else np.float32
    found: _Array = (wide(start) + wide(step) * index.astype(wide)).astype(wanted.np)
    return found


@composite(method=False)
def range(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the numbers from ``start`` up to and including ``end``. Deprecated: use :func:`torch.arange`.

    >>> torch.range(1, 2, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with"
        " Python's range builtin. Instead, use torch.arange, which produces values in [start, end)."
    )
    if end is None:
        raise TypeError('range() missing 1 required positional arguments: "end"')
    check_options(layout, pin_memory, "range")
    start, end = number("range", "start", 1, start), number("range", "end", 2, end)
    step = number("range", "step", 3, step)
    wanted = _out_dtype(dtype_argument("range", dtype), out) or dtypes.get_default_dtype()
    count = _count(start, end, step, wanted, closed=True)
    return _result(_values(start, step, count, wanted, closed=True), out, device, requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# linspace and logspace


def _spaced(
    function: str, start: Any, end: Any, steps: Any, dtype: Any, out: Tensor | None
) -> tuple[Any, Any, int, dtypes.dtype]:
    plain = isinstance(steps, int) and not isinstance(steps, bool)
    if not plain or not all(isinstance(x, TensorBase | int | float | complex | np.number) for x in (start, end)):
        signatures = [f"({a} start, {b} end, int steps)" for a in ("Tensor", "Number") for b in ("Tensor", "Number")]
        invalid_combination(function, (start, end, steps), *signatures)
    for name, x in (("start", start), ("end", end)):
        if isinstance(x, TensorBase):
            ndim = len(dispatch.shape_of(x))
            check(
                ndim == 0,
                f"{function} only supports 0-dimensional start and end tensors, but got {name} with {ndim}"
                " dimension(s).",
            )
    start, end = number(function, "start", 1, start), number(function, "end", 2, end)
    check(steps >= 0, "number of steps must be non-negative")
    wanted = _out_dtype(dtype_argument(function, dtype), out)
    if isinstance(start, complex) or isinstance(end, complex):
        inferred = dtypes.default_complex()
        wanted = wanted or inferred
        check(
            wanted.is_complex,
            f"torch.{function}(): inferred dtype {_cpp(inferred)} can't be safely cast to passed dtype"
            f" {scalar_type(wanted)}",
        )
    wanted = wanted or dtypes.get_default_dtype()
    if wanted.np in BOOL or wanted.np in BARE:
        not_implemented(f"{function}_cpu", wanted)
    if not (wanted.is_floating_point or wanted.is_complex):
        for value in (start, end):
            check_number(value, wanted.np)
    return start, end, steps, wanted


def _cpp(dtype: dtypes.dtype) -> str:
    return "c10::complex<float>" if dtype is dtypes.complex64 else "c10::complex<double>"


def evenly_spaced(start: Any, end: Any, steps: int, wanted: dtypes.dtype) -> _Array:
    """Evenly spaced numbers in the arithmetic of ``wanted``: the first half from the start, the second from the end."""
    if steps == 1:
        return np.asarray([start]).astype(wanted.np)
    index = np.arange(steps)
    rest = steps - 1 - index
    if wanted.is_complex:
        part = wanted.to_real()
        both = complex(start), complex(end)
        found = np.empty(steps, wanted.np)
        found.real = evenly_spaced(both[0].real, both[1].real, steps, part)
        found.imag = evenly_spaced(both[0].imag, both[1].imag, steps, part)
        return found
    if not wanted.is_floating_point:
        first, last = (np.asarray(int(x)).astype(wanted.np) for x in (start, end))
        step = (int(last) - int(first)) / (steps - 1) if steps > 1 else 0.0
        ups, downs = int(first) + step * index, int(last) - step * rest
        return np.where(index < steps // 2, ups, downs).astype(np.int64).astype(wanted.np)
    kind = wanted.np.type
    first, last = kind(start), kind(end)
    if wanted.itemsize == 2:  # every operation of these is rounded
        step = (last - first) / kind(max(steps - 1, 1))
        ups, downs = first + step * index.astype(kind), last - step * rest.astype(kind)
    else:
        step = (last - first) / kind(max(steps - 1, 1))
        ups, downs = _fused(first, step, index, wanted), _fused(last, -step, rest, wanted)
    found = np.where(index < steps // 2, ups, downs)
    return found.astype(wanted.np)


@composite(method=False)
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    >>> torch.linspace(3, 10, steps=5)
    tensor([ 3.0000,  4.7500,  6.5000,  8.2500, 10.0000])
    """
    check_options(layout, pin_memory, "linspace")
    start, end, steps, wanted = _spaced("linspace", start, end, steps, dtype, out)
    return _result(evenly_spaced(start, end, steps, wanted), out, device, requires_grad)


@composite(method=False)
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``steps`` numbers from ``base ** start`` to ``base ** end`` whose logarithms are evenly spaced.

    >>> torch.logspace(start=-1, end=1, steps=3)
    tensor([ 0.1000,  1.0000, 10.0000])
    """
    check_options(layout, pin_memory, "logspace")
    start, end, steps, wanted = _spaced("logspace", start, end, steps, dtype, out)
    if wanted.is_floating_point or wanted.is_complex:
        wide = wanted.np.type if wanted.itemsize > 2 else np.float32
        exponents = evenly_spaced(start, end, steps, wanted).astype(wide)
        values = np.power(wide(base), exponents)
    else:
        index = np.arange(steps)
        step = (int(end) - int(start)) / max(steps - 1, 1)
        exponents = np.where(index < steps // 2, int(start) + step * index, int(end) - step * (steps - 1 - index))
        values = np.power(float(base), exponents) if steps != 1 else np.asarray([float(base) ** int(start)])
    return _result(values.astype(wanted.np), out, device, requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# Matrices


@composite(method=False)
def eye(
    n: int,
    m: int | None = None,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the n x m matrix (n x n by default) with ones on the diagonal and zeros elsewhere.

    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_options(layout, pin_memory, "eye")
    n = as_int("eye", "n", 1, n)
    columns = n if m is None else as_int("eye", "m", 2, m)
    check(n >= 0, f"n must be greater or equal to 0, got {n}")
    check(columns >= 0, f"m must be greater or equal to 0, got {columns}")
    wanted = _out_dtype(dtype_argument("eye", dtype), out) or dtypes.get_default_dtype()
    if wanted.np in UNSIGNED:
        not_implemented("eye", wanted)
    place = devices.resolve(device) if out is None else dispatch.device_of(out)
    key = ("eye", n, columns, wanted, place)
    array = compiled(key, lambda: jnp.eye(n, columns, dtype=wanted.np), place, (n, columns), wanted)()
    if out is not None:
        _write_out(out, array)
        return out
    return finished(dispatch.wrap(array), requires_grad)


def _write_out(out: Tensor, array: jax.Array) -> None:
    layout.write_out(out, array, dispatch.write)


def _indices(function: str, row: int, col: int, wanted: dtypes.dtype, rows: _Array, columns: _Array) -> _Array:
    check(row >= 0, f"row must be non-negative, got{row}")
    check(col >= 0, f"col must be non-negative, got{col}")
    if wanted not in (dtypes.int32, dtypes.int64):
        not_implemented(function, wanted)
    return np.stack([rows, columns]).astype(wanted.np)


@composite(method=False)
def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = dtypes.int64,
    device: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return the row and column numbers of the lower triangle of a matrix, row by row, as a 2 x n tensor.

    >>> torch.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    check_options(layout, pin_memory, "tril_indices")
    wanted = dtype_argument("tril_indices", dtype) or dtypes.int64
    found = np.tril_indices(max(row, 0), offset, max(col, 0))
    return dispatch.wrap_host(_indices("tril_indices", row, col, wanted, *found), device)


@composite(method=False)
def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = dtypes.int64,
    device: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return the row and column numbers of the upper triangle of a matrix, row by row, as a 2 x n tensor.

    >>> torch.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    check_options(layout, pin_memory, "triu_indices")
    wanted = dtype_argument("triu_indices", dtype) or dtypes.int64
    found = np.triu_indices(max(row, 0), offset, max(col, 0))
    return dispatch.wrap_host(_indices("triu_indices", row, col, wanted, *found), device)
