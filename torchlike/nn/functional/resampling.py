"""Changing the resolution of signals, images and volumes.

All modes are separable: along each dimension an output element is a weighted sum of a few input elements, whose
places and weights depend on sizes only. They are worked out in NumPy while the kernel is traced. The gradient is the
product with the transposed matrix of weights, since XLA's scatter on the CPU is slow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core.errors import check
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.warn import warn
from torchlike.nn.functional.adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from torchlike.ops._checks import BARE, BOOL, COMPLEX, HALF, INTEGERS, is_in, refuse
from torchlike.ops._geometry import show

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

Tensor = Any
Ints = tuple[int, ...]
Numbers = np.ndarray[Any, Any]

_BYTE = frozenset([np.dtype("uint8")])
_AREA = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
# Up to so many elements an output element is a sum of shifted reads, beyond it a matrix product.
_FEW = 6


# ---------------------------------------------------------------------------------------------------------------------
# Places and weights along one dimension


def _scale(n: int, out: int, align_corners: bool, factor: float | None, kind: Any) -> Any:
    """How far the input moves for one step of the output."""
    if align_corners:
        return kind(n - 1) / kind(out - 1) if out > 1 else kind(0)
    if factor is not None and factor > 0:
        return kind(1.0 / factor)
    return kind(n) / kind(out)


def _nearest(n: int, out: int, factor: float | None, exact: bool, kind: Any) -> tuple[Numbers, Numbers]:
    scale = _scale(n, out, False, factor, kind)
    place = np.arange(out, dtype=kind)
    if exact:
        place = place + kind(0.5)
    index = np.minimum(np.floor(place * scale).astype(np.int64), n - 1)
    return index[:, None], np.ones((out, 1), kind)


def _source(n: int, out: int, align_corners: bool, factor: float | None, kind: Any, cubic: bool) -> Numbers:
    scale = _scale(n, out, align_corners, factor, kind)
    place = np.arange(out, dtype=kind)
    if align_corners:
        return scale * place
    source = scale * (place + kind(0.5)) - kind(0.5)
    return source if cubic else np.maximum(source, kind(0))


def _linear(n: int, out: int, align_corners: bool, factor: float | None, kind: Any) -> tuple[Numbers, Numbers]:
    if n == out:
        return np.arange(n)[:, None], np.ones((n, 1), kind)
    source = _source(n, out, align_corners, factor, kind, False)
    low = np.minimum(source.astype(np.int64), n - 1)
    high = low + (low < n - 1)
    share = np.clip(source - low.astype(kind), kind(0), kind(1))
    return np.stack([low, high], 1), np.stack([kind(1) - share, share], 1)


def _cubic_near(x: Numbers, a: float) -> Numbers:
    return ((a + 2) * x - (a + 3)) * x * x + 1


def _cubic_far(x: Numbers, a: float) -> Numbers:
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


def _cubic(n: int, out: int, align_corners: bool, factor: float | None, kind: Any) -> tuple[Numbers, Numbers]:
    if n == out:
        return np.arange(n)[:, None], np.ones((n, 1), kind)
    source = _source(n, out, align_corners, factor, kind, True)
    low = np.minimum(np.floor(source).astype(np.int64), n - 1)
    t = np.clip(source - low.astype(kind), kind(0), kind(1))
    u = kind(1) - t
    weights = [
        _cubic_far(t + kind(1), kind(-0.75)),
        _cubic_near(t, kind(-0.75)),
        _cubic_near(u, kind(-0.75)),
        _cubic_far(u + kind(1), kind(-0.75)),
    ]
    places = np.clip(low[:, None] + np.arange(-1, 3), 0, n - 1)
    return places, np.stack(weights, 1).astype(kind)


def _triangle(x: Numbers) -> Numbers:
    return np.maximum(1 - np.abs(x), 0)


def _cubic_filter(x: Numbers) -> Numbers:
    x = np.abs(x)
    return np.where(x < 1, _cubic_near(x, -0.5), np.where(x < 2, _cubic_far(x, -0.5), 0))


def _lanczos_filter(x: Numbers) -> Numbers:
    return np.where((x >= -3) & (x < 3), np.sinc(x) * np.sinc(x / 3), 0)


_FILTERS: dict[str, tuple[Callable[[Numbers], Numbers], int]] = {
    "bilinear": (_triangle, 2),
    "bicubic": (_cubic_filter, 4),
    "lanczos": (_lanczos_filter, 6),
}


def _filtered(
    n: int, out: int, align_corners: bool, factor: float | None, kind: Any, mode: str
) -> tuple[Numbers, Numbers]:
    """The places and weights of a filter that is as wide as the output's pixels."""
    shape, width = _FILTERS[mode]
    scale = float(_scale(n, out, align_corners, factor, kind))
    support = width * 0.5 * max(scale, 1.0)
    steep = 1 / scale if scale >= 1 else 1.0
    center = scale * (np.arange(out) + 0.5)
    start = np.maximum((center - support + 0.5).astype(np.int64), 0)
    count = np.minimum((center + support + 0.5).astype(np.int64), n) - start
    count = np.clip(count, 0, math.ceil(support) * 2 + 1)
    taps = np.arange(max(int(count.max(initial=1)), 1))
    places = start[:, None] + taps
    weights = np.where(taps < count[:, None], shape((places - center[:, None] + 0.5) * steep), 0)
    total = weights.sum(1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    return np.clip(places, 0, n - 1), weights.astype(kind)


def _plan(n: int, out: int, mode: str, align_corners: bool, factor: float | None, kind: Any) -> tuple[Numbers, Numbers]:
    if mode in ("nearest", "nearest-exact"):
        return _nearest(n, out, factor, mode == "nearest-exact", kind)
    if mode.endswith("+antialias"):
        return _filtered(n, out, align_corners, factor, kind, mode.partition("+")[0])
    return (_cubic if mode == "bicubic" else _linear)(n, out, align_corners, factor, kind)


# ---------------------------------------------------------------------------------------------------------------------
# The kernel


def _matrix(n: int, places: Numbers, weights: Numbers) -> Numbers:
    matrix = np.zeros((len(places), n), weights.dtype)
    np.add.at(matrix, (np.arange(len(places))[:, None], places), weights)
    return matrix


def _along(x: Array, axis: int, places: Numbers, weights: Numbers) -> Array:
    """The weighted sums along one axis."""
    out, taps = places.shape
    n = x.shape[axis]
    if taps == 1 and n == out:
        return x
    if taps > _FEW:
        return _product(x, axis, _matrix(n, places, weights))
    if taps == 1 and out % n == 0 and (places[:, 0] == np.arange(out) // (out // n)).all():
        return jnp.repeat(x, out // n, axis)
    total: Any = None
    shape = [1] * x.ndim
    shape[axis] = out
    for tap in range(taps):
        part = jnp.take(x, jnp.asarray(places[:, tap]), axis=axis, indices_are_sorted=True, mode="clip")
        if taps > 1:
            part = part * jnp.asarray(weights[:, tap].reshape(shape), x.dtype)
        total = part if total is None else total + part
    return total


def _product(x: Array, axis: int, matrix: Numbers) -> Array:
    """The axis replaced by the products with the rows of a matrix."""
    result = lax.dot_general(
        x, jnp.asarray(matrix, x.dtype), (((axis,), (1,)), ((), ())), precision=lax.Precision.HIGHEST
    )
    return jnp.moveaxis(result, -1, axis)


def _opmath(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def _plans(size: Ints, out: Ints, mode: str, align_corners: bool, factors: Any, kind: Any) -> list[Any]:
    given = factors if factors is not None else (None,) * len(out)
    return [
        _plan(n, o, mode, align_corners, f, kind)
        for n, o, f in zip(size[len(size) - len(out) :], out, given, strict=True)
    ]


def _in_halves(weights: Numbers, kind: Any) -> Numbers:
    """Weights as PyTorch keeps those of halves, in all modes but "bilinear": two of them add up to 1 when rounded."""
    if weights.shape[1] == 2:
        last = weights[:, 1:].astype(kind).astype(weights.dtype)
        weights = np.concatenate([1 - last, last], 1)
    return weights.astype(kind).astype(weights.dtype)


@op(method=False, out=False, node=lambda pattern, node, **_: node)
def _resample(
    input: Array, output_size: Ints, mode: str, align_corners: bool, factors: tuple[float, ...] | None, node: str
) -> Array:
    whole = input.dtype == jnp.uint8
    kernel, takes_bytes = _kernel_name(mode, len(output_size))
    refuse(kernel, input, BOOL, INTEGERS - _BYTE if takes_bytes else INTEGERS, BARE, COMPLEX)
    exact_index = mode in ("nearest", "nearest-exact")
    x = input if exact_index else input.astype(jnp.float32) if whole else _opmath(input)
    kind = np.float64 if x.dtype == jnp.float64 else np.float32
    dims = len(output_size)
    plans = _plans(input.shape, output_size, mode, align_corners, factors, kind)
    if is_in(input, HALF) and mode in ("linear", "trilinear", "bicubic"):
        plans = [(places, _in_halves(weights, input.dtype)) for places, weights in plans]
    for axis in range(dims - 1, -1, -1):
        x = _along(x, input.ndim - dims + axis, *plans[axis])
    if whole and not exact_index:
        x = jnp.clip(jnp.floor(x + 0.5), 0, 255)
    return x.astype(input.dtype)


def _kernel_name(mode: str, dims: int) -> tuple[str, bool]:
    """How PyTorch calls what it has no dtype for, and whether it has one for bytes."""
    if mode.endswith("+antialias"):
        return "compute_index_ranges_weights", True
    if mode in ("nearest", "nearest-exact"):
        return "upsample_nearest2d_channels_last" if dims == 2 else "compute_indices_weights_nearest", True
    if mode == "bicubic":
        return "compute_indices_weights_cubic", True
    return ("upsample_bilinear2d_channels_last", True) if dims == 2 else ("compute_indices_weights_linear", False)


@defvjp(_resample)
def _(grad, inputs, outputs, output_size, mode, align_corners, factors, node):
    (input,) = inputs
    g = _opmath(grad)
    kind = np.float64 if g.dtype == jnp.float64 else np.float32
    dims = len(output_size)
    plans = _plans(input.shape, output_size, mode, align_corners, factors, kind)
    for axis in range(dims):
        at = input.ndim - dims + axis
        places, weights = plans[axis]
        out, n = places.shape[0], input.shape[at]
        if places.shape[1] == 1 and n == out:
            continue
        if places.shape[1] == 1 and out % n == 0 and (places[:, 0] == np.arange(out) // (out // n)).all():
            g = g.reshape((*g.shape[:at], n, out // n, *g.shape[at + 1 :])).sum(at + 1)
        else:
            g = _product(g, at, _matrix(n, places, weights).T)
    return (g.astype(input.dtype),)


# ---------------------------------------------------------------------------------------------------------------------
# Public functions


def _node(mode: str, dims: int, antialias: bool) -> str:
    if mode in ("nearest", "nearest-exact"):
        return f"Upsample{'NearestExact' if mode == 'nearest-exact' else 'Nearest'}{dims}DBackward0"
    return f"Upsample{mode.capitalize()}{dims}D{'Aa' if antialias else ''}Backward0"


def _check_sizes(size: Ints, out: Ints) -> None:
    names = "DHW"[3 - len(out) :]
    given = ", ".join(f"{c}: {n}" for c, n in zip(names, size[2:], strict=True))
    wanted = ", ".join(f"{c}: {n}" for c, n in zip(names, out, strict=True))
    if len(out) == 1:
        given, wanted = f"W: {size[2]}", f"W: {out[0]}"
    check(
        all(n > 0 for n in (*size[2:], *out)),
        f"Input and output sizes should be greater than 0, but got input ({given}) and output ({wanted})"
        if len(out) == 1
        else f"Input and output sizes should be greater than 0, but got input ({given}) output ({wanted})",
    )
    check(
        all(n > 0 for n in size[1:]),
        f"Non-empty {len(out) + 2}D data tensor expected but got a tensor with sizes {show(size)}",
    )


def _wanted_size(size: Ints, given: Any, scale_factor: Any, recompute: bool) -> tuple[Ints, tuple[float, ...] | None]:
    """The output sizes, and the factors where they count beside them."""
    dims = len(size) - 2
    shown = f"but got input with spatial dimensions of {list(size[2:])} and"
    if given is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if given is not None:
        if not isinstance(given, tuple | list):
            return (int(given),) * dims, None
        if len(given) != dims:
            raise ValueError(
                f"Input and output must have the same number of spatial dimensions, {shown} output size of {given}."
                " Please provide input tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK)"
                " format."
            )
        if not all(isinstance(n, int | np.integer) for n in given):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size"
                f" with types {[type(n) for n in given]}"
            )
        return tuple(int(n) for n in given), None
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    factors = scale_factor if isinstance(scale_factor, tuple | list) else (scale_factor,) * dims
    if len(factors) != dims:
        raise ValueError(
            f"Input and scale_factor must have the same number of spatial dimensions, {shown} scale_factor of shape"
            f" {scale_factor}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1,"
            " s2, ...,sK) format."
        )
    factors = tuple(float(f) for f in factors)
    out = tuple(int(n * f) for n, f in zip(size[2:], factors, strict=True))
    return out, None if recompute else factors


_NEEDS = {"linear": 3, "bilinear": 4, "trilinear": 5}


@composite
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resize the dimensions after the second of (n, c, ...) to ``size``, or by ``scale_factor``.

    Modes: "nearest", "nearest-exact" and "area" for 3 to 5 dimensions, "linear" for 3, "bilinear", "bicubic" and (with
    ``antialias``) "lanczos" for 4, "trilinear" for 5. ``align_corners`` keeps the corner pixels' centres in place;
    ``recompute_scale_factor`` takes the scale from the sizes instead of ``scale_factor``; ``antialias`` filters when
    the image shrinks. Raises ValueError, TypeError and NotImplementedError for what does not fit.

    >>> F = torch.nn.functional
    >>> F.interpolate(torch.tensor([[[1., 3.]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    shape = dispatch.shape_of(input)
    dims = len(shape)
    corners = bool(align_corners)
    if recompute_scale_factor and size is not None and scale_factor is None:
        _wanted_size(shape, size, None, False)
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    out, factors = _wanted_size(shape, size, scale_factor, bool(recompute_scale_factor) or mode == "area")
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and dims == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if mode == "area" and dims in _AREA:
        return _AREA[dims](input, out)
    if mode == "lanczos" and dims == 4:
        if corners:
            raise ValueError("Lanczos mode does not support align_corners=True")
        if not antialias:
            raise ValueError("Lanczos mode requires antialias=True")
    elif not (
        (mode in ("nearest", "nearest-exact") and dims in (3, 4, 5))
        or _NEEDS.get(mode) == dims
        or (mode == "bicubic" and dims == 4)
    ):
        if mode in _NEEDS and dims in (3, 4, 5):
            raise NotImplementedError(f"Got {dims}D input, but {mode} mode needs {_NEEDS[mode]}D input")
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {dims}D) for the modes: nearest | linear |"
            f" bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
        )
    _check_sizes(shape, out)
    kind = f"{mode}+antialias" if antialias else mode
    return _resample(input, out, kind, corners, factors, _node(mode, dims - 2, antialias))


def _deprecated(old: str) -> None:
    warn(f"`nn.functional.{old}` is deprecated. Use `nn.functional.interpolate` instead.")


@composite
def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """Do what `interpolate` does, with a warning: this is its name of old."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@composite
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Resize by repeating pixels, with a warning: `interpolate` is the name now."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


@composite
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Resize images linearly, the corners kept in place, with a warning: `interpolate` is the name now."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
