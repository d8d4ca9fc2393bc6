"""Reading images and volumes at the points of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, op
from torchlike._core.warn import warn
from torchlike.nn.functional._shared import expect_tensor
from torchlike.ops._arrays import widened
from torchlike.ops._checks import BARE, BOOL, COMPLEX, HALF_FLOAT, INTEGERS, refuse
from torchlike.ops._geometry import show
from torchlike.ops.ranges import evenly_spaced

__all__ = ["affine_grid", "grid_sample"]

Tensor = Any
_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


# ---------------------------------------------------------------------------------------------------------------------
# Grids


@op(method=False, out=False)
def _affine_grid_generator(theta: Array, size: tuple[int, ...], align_corners: bool) -> Array:
    """The points that the matrices send the pixel centres of images of a size to."""
    if 1 in size[2:]:
        refuse("tensor_cpu", theta, HALF_FLOAT)
    axes: list[np.ndarray[Any, Any]] = []
    kind = theta.dtype
    for n in size[2:]:
        line = np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1)
        if kind in (jnp.float16, jnp.bfloat16):  # PyTorch makes the points in halves, too
            line = evenly_spaced(-1.0, 1.0, n, dtypes.of(kind)) if n > 1 else line.astype(kind)
            line = line if align_corners or n < 1 else line * line.dtype.type(n - 1) / line.dtype.type(n)
            axes.append(line.astype(np.float32))
        else:
            axes.append(line if align_corners or n < 1 else line * ((n - 1) / n))
    grids = np.meshgrid(*axes, indexing="ij")
    points = np.stack([*grids[::-1], np.ones(size[2:])], -1)
    wide = widened(theta)
    base = jnp.asarray(points.reshape(-1, len(size) - 1), wide.dtype)
    grid = jnp.einsum("pk,nik->npi", base, wide, precision=lax.Precision.HIGHEST)
    return grid.reshape((theta.shape[0], *size[2:], len(size) - 2)).astype(kind)


@composite
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """Return the points (n, h, w, 2) or (n, d, h, w, 3), for `grid_sample`, where affine maps send an output's pixels.

    ``theta`` is (n, 2, 3) for a ``size`` (n, c, h, w), (n, 3, 4) for one of five numbers. Coordinates run from -1 to 1:
    between the corner pixels' centres with ``align_corners``, else between the image's edges. Raises ValueError and
    NotImplementedError for what does not fit.

    >>> theta = torch.tensor([[[1., 0., 0.], [0., 1., 0.]]])
    >>> torch.nn.functional.affine_grid(theta, (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    if align_corners is None:
        _warn_of_default()
        align_corners = False
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    shape = dispatch.shape_of(theta)
    dims = len(size) - 2
    if dims not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size"
            f" {size}."
        )
    if len(shape) != 3 or shape[1:] != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {size}. Got"
            f" {theta.shape}."
        )
    if align_corners and min(size[2:]) == 1:
        warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is"
            " not an intended use case of affine_grid. See the documentation of affine_grid for details.",
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    check(
        shape[0] == size[0],
        f"Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, {dims + 1}] but got: [{shape[0]},"
        f" {dims + 1}].",
    )
    return _affine_grid_generator(theta, tuple(int(n) for n in size), bool(align_corners))


def _warn_of_default() -> None:
    warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify"
        " align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Samples


# PyTorch computes the samples of halves in halves: ``r`` is what rounds after each step, or nothing.
Rounding = Callable[[Array], Array]


def _pixels(x: Array, n: int, align_corners: bool, r: Rounding) -> Array:
    """Coordinates from -1 to 1 as pixel numbers."""
    return r(r(r(x + 1) / 2) * (n - 1)) if align_corners else r(r(r(x + 1) * n) - 1) / 2


def _reflected(x: Array, twice_low: int, twice_high: int, r: Rounding) -> Array:
    """Coordinates mirrored at both ends until they lie between."""
    if twice_low == twice_high:
        return jnp.zeros_like(x)
    low, span = twice_low / 2, (twice_high - twice_low) / 2
    away = r(x - low)
    away = jnp.where(away < 0, -away, away)
    extra = lax.rem(away, jnp.asarray(span, x.dtype))
    flips = jnp.floor(r(away / span))
    return jnp.where(lax.rem(flips, jnp.asarray(2, x.dtype)) == 0, r(extra + low), r(r(span - extra) + low))


def _inside(x: Array, n: int, padding_mode: str, align_corners: bool, r: Rounding) -> Array:
    """Pixel numbers brought into the image, where the padding says so."""
    if padding_mode == "reflection":
        x = _reflected(x, 0, 2 * (n - 1), r) if align_corners else _reflected(x, -1, 2 * n - 1, r)
    if padding_mode != "zeros":
        x = lax.clamp(jnp.asarray(0, x.dtype), x, jnp.asarray(n - 1, x.dtype))
    return x


def _read(flat: Array, size: tuple[int, ...], places: list[Array]) -> Array:
    """The elements (n, c, points) at integer pixel numbers, zeros outside the image."""
    index: Any = 0
    within: Any = True
    for n, place in zip(size, places, strict=True):
        within = within & (place >= 0) & (place < n)
        index = index * n + jnp.clip(place, 0, n - 1)
    found = jnp.take_along_axis(flat, index[:, None, :], 2, mode="clip")
    return jnp.where(within[:, None, :], found, 0)


def _whole(x: Array) -> Array:
    """Whole numbers of float ones; what is far out stays out."""
    return jnp.where((x > -(2**30)) & (x < 2**30), x, -(2**30)).astype(jnp.int32)


@op(method=False, out=False, node=lambda pattern, mode, node, **_: node)
def _grid_sampler(input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool, node: str) -> Array:
    dims = grid.shape[-1]
    refuse(
        "grid_sampler_2d_cpu_kernel_impl" if dims == 2 else "grid_sampler3d_cpu", input, BOOL, INTEGERS, BARE, COMPLEX
    )
    kind = input.dtype
    input, grid = widened(input), widened(grid)

    def r(x: Array) -> Array:
        return rounded(x, kind)

    size = input.shape[2:]
    count = grid.shape[0]
    out = (count, input.shape[1], *grid.shape[1:-1])
    points = grid.reshape((count, -1, dims))
    flat = input.reshape((*input.shape[:2], -1))
    # The grid names the last dimension first.
    at = [_pixels(points[..., dims - 1 - i], n, align_corners, r) for i, n in enumerate(size)]
    if mode == "bicubic":
        return _bicubic(flat, size, at, padding_mode, align_corners, r).reshape(out).astype(kind)
    at = [_inside(x, n, padding_mode, align_corners, r) for x, n in zip(at, size, strict=True)]
    if mode == "nearest":
        return _read(flat, size, [_whole(jnp.round(lax.stop_gradient(x))) for x in at]).reshape(out).astype(kind)
    low = [jnp.floor(lax.stop_gradient(x)) for x in at]
    total: Any = 0
    for corner in itertools.product((0, 1), repeat=dims):
        weight: Any = 1
        for x, start, high in list(zip(at, low, corner, strict=True))[::-1]:
            weight = r(weight * (r(x - start) if high else r(start + 1 - x)))
        found = _read(flat, size, [_whole(start + high) for start, high in zip(low, corner, strict=True)])
        total = r(total + r(found * weight[:, None, :]))
    return total.reshape(out).astype(kind)


def _cubic_weights(t: Array, r: Rounding) -> list[Array]:
    a = -0.75

    def near(x: Array) -> Array:
        return r(r(r(r(r((a + 2) * x) - (a + 3)) * x) * x) + 1)

    def far(x: Array) -> Array:
        return r(r(r(r(r(r(a * x) - 5 * a) * x) + 8 * a) * x) - 4 * a)

    return [far(r(t + 1)), near(t), near(r(1 - t)), far(r(2 - t))]


def _bicubic(
    flat: Array, size: tuple[int, ...], at: list[Array], padding_mode: str, align_corners: bool, r: Rounding
) -> Array:
    # One read of all 16 pixels of every point: sixteen reads take seconds to compile.
    low = [jnp.floor(lax.stop_gradient(x)) for x in at]
    down, across = (jnp.stack(_cubic_weights(r(x - start), r), 1) for x, start in zip(at, low, strict=True))
    steps = jnp.arange(-1, 3, dtype=at[0].dtype)[None, :, None]
    rows, columns = (
        _whole(_inside(start[:, None, :] + steps, n, padding_mode, align_corners, r))
        for start, n in zip(low, size, strict=True)
    )
    count, points = low[0].shape
    shape = (count, 4, 4, points)
    places = [
        jnp.broadcast_to(rows[:, :, None], shape).reshape(count, -1),
        jnp.broadcast_to(columns[:, None], shape).reshape(count, -1),
    ]
    found = _read(flat, size, places).reshape((count, -1, 4, 4, points))
    lines = _in_turn(r(found * across[:, None, None]), 3, r)
    return _in_turn(r(lines * down[:, None]), 2, r)


def _in_turn(terms: Array, axis: int, r: Rounding) -> Array:
    """The sum over an axis of four, one after the other."""
    first, *rest = (lax.index_in_dim(terms, i, axis, keepdims=False) for i in range(4))
    for term in rest:
        first = r(first + term)
    return first


@composite
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Read (n, c, h, w) at the points of a grid (n, ho, wo, 2), or (n, c, d, h, w) at those of (n, do, ho, wo, 3).

    A point is (x, y) or (x, y, z), each from -1 to 1. ``mode`` is "bilinear", "nearest" or (images only) "bicubic";
    outside lie zeros, the border or the mirror image ("zeros", "border", "reflection"). ``align_corners`` as in
    `affine_grid`. Raises ValueError for unknown modes, RuntimeError for shapes that do not fit.

    >>> image = torch.tensor([[[[1., 2.], [3., 4.]]]])
    >>> torch.nn.functional.grid_sample(image, torch.tensor([[[[0., 0.], [1., 1.]]]]), align_corners=True)
    tensor([[[[2.5000, 4.0000]]]])
    """
    if mode not in _MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got:"
            f" '{padding_mode}'"
        )
    if align_corners is None:
        _warn_of_default()
        align_corners = False
    expect_tensor("grid_sampler", "input", 1, input)
    expect_tensor("grid_sampler", "grid", 2, grid)
    size, points = dispatch.shape_of(input), dispatch.shape_of(grid)
    check(
        bool(points) and bool(size) and size[0] == points[0],
        f"grid_sampler(): expected grid and input to have same batch size, but got input with sizes {show(size)} and"
        f" grid with sizes {show(points)}",
    )
    check(
        points[-1] == len(size) - 2,
        f"grid_sampler(): expected grid to have size {len(size) - 2} in last dimension, but got grid with sizes"
        f" {show(points)}",
    )
    for i, n in enumerate(size[2:], 2):
        check(
            n > 0,
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes"
            f" {show(size)} with dimension {i} being empty",
        )
    check(
        len(size) in (4, 5) and len(size) == len(points),
        "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes"
        f" {show(size)} and grid with sizes {show(points)}",
    )
    check(not (len(size) == 5 and mode == "bicubic"), "grid_sampler(): bicubic interpolation only supports 4D input")
    kinds = [dispatch.geometry_of(t).dtype for t in (input, grid)]
    check(
        kinds[0] is kinds[1] or not kinds[0].is_floating_point,
        f"expected scalar type {scalar_type(kinds[0])} but found {scalar_type(kinds[1])}",
    )
    node = f"GridSampler{len(size) - 2}DBackward0"
    return _grid_sampler(input, grid, mode, padding_mode, bool(align_corners), node)
