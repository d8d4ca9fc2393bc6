"""Padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core.errors import check
from torchlike._core.halves import rounded
from torchlike._core.kernels import cast
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.nn.functional._halves import added_in_turn, sources
from torchlike.nn.functional._shared import expect_tensor, ndim
from torchlike.ops._arrays import widened
from torchlike.ops._checks import BARE, BOOL, HALF, is_in, refuse
from torchlike.ops._geometry import show

__all__ = ["pad"]

Tensor = Any
_KERNELS = {"reflect": "reflection_pad", "replicate": "replication_pad"}
_NODES = {"reflect": "ReflectionPad{}DBackward0", "replicate": "ReplicationPad{}DBackward0"}


def _pairs(pad: tuple[int, ...], dims: int) -> tuple[tuple[int, int], ...]:
    """The padding at both ends of every dimension; the list starts with the last one."""
    given = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return (*((0, 0),) * (dims - len(given)), *given[::-1])


@op(method=False, out=False, node="ConstantPadNdBackward0")
def _constant_pad_nd(input: Array, pad: tuple[int, ...], value: complex | float | None) -> Array:
    """The input with a constant around it; a negative padding cuts."""
    edges = _pairs(pad, input.ndim)
    for size, (before, after) in zip(input.shape, edges, strict=True):
        check(size + min(before, 0) + min(after, 0) >= 0, "narrow(): length must be non-negative.")
    fill = cast(jnp.asarray(0 if value is None else value), input.dtype)
    return lax.pad(input, fill, tuple((a, b, 0) for a, b in edges))


@op(method=False, out=False, node=lambda pattern, node, **_: node)
def _pad_from_input(input: Array, pad: tuple[int, ...], mode: str, node: str) -> Array:
    """The input continued: by its mirror image, its edge values, or itself around."""
    if mode != "circular":
        refuse(f"{_KERNELS[mode]}{len(pad) // 2}d", input, BOOL, BARE)
    return _continued(input, _pairs(pad, input.ndim), mode)


def _continued(x: Array, edges: tuple[tuple[int, int], ...], mode: str) -> Array:
    for axis, (before, after) in enumerate(edges):
        if before or after:
            x = _extended(x, axis, before, after, mode)
    return x


@defvjp(_pad_from_input)
def _(grad, inputs, outputs, pad, mode, node):
    (input,) = inputs
    edges = _pairs(pad, input.ndim)
    if not (is_in(grad, HALF) and grad.size and input.size):
        like = jnp.zeros(input.shape, grad.dtype)
        return jax.vjp(lambda x: _continued(x, edges, mode), like)[1](grad)
    g = widened(grad)
    if mode == "circular":
        for axis in range(input.ndim):
            g = _gathered_round(g, axis, input.shape[axis], edges[axis], grad.dtype)
        return (g,)
    axes = []
    for n, (before, after) in zip(input.shape[-len(pad) // 2 :], edges[-len(pad) // 2 :], strict=True):
        place = np.arange(-before, n + after)
        place = np.clip(place, 0, n - 1) if mode == "replicate" else n - 1 - np.abs(n - 1 - np.abs(place))
        axes.append(sources(place, n))
    return (added_in_turn(g, axes, grad.dtype),)


def _gathered_round(g: Array, axis: int, size: int, edges: tuple[int, int], kind: Any) -> Array:
    """The gradient of an axis that was continued from its other ends: first the end's, then the beginning's part."""
    before, after = edges
    cut = max(-before, 0), max(-after, 0)
    left, right = max(before, 0), max(after, 0)
    count = size - sum(cut)
    middle = lax.slice_in_dim(g, left, left + count, axis=axis)
    for start, width, to in ((left + count, right, 0), (0, left, count - left)):
        # What wraps around is never longer than the axis, unless that was cut.
        for done in range(0, width, max(count, 1)):
            part = lax.slice_in_dim(g, start + done, start + min(done + count, width), axis=axis)
            room = [(0, 0, 0)] * g.ndim
            at = to if width <= count else 0
            room[axis] = (at, count - at - part.shape[axis], 0)
            middle = rounded(middle + lax.pad(part, jnp.zeros((), g.dtype), room), kind)
    room = [(0, 0, 0)] * g.ndim
    room[axis] = (*cut, 0)
    return lax.pad(middle, jnp.zeros((), g.dtype), room)


def _extended(x: Array, axis: int, before: int, after: int, mode: str) -> Array:
    """One axis continued, or cut where a width is negative. Of slices: the gradient of a lookup is a slow scatter."""

    def piece(source: Array, start: int, stop: int) -> Array:
        return lax.slice_in_dim(source, start, stop, axis=axis)

    size = x.shape[axis]
    middle = piece(x, max(-before, 0), size - max(-after, 0))
    parts = [middle]
    if mode == "circular":
        size = middle.shape[axis]  # what was cut does not come back at the other end
        if max(before, after) > size:
            return jnp.take(middle, np.arange(-before, size + after) % size, axis=axis)
        if before > 0:
            parts.insert(0, piece(middle, size - before, size))
        if after > 0:
            parts.append(piece(middle, 0, after))
    elif mode == "reflect":
        if before > 0:
            parts.insert(0, jnp.flip(piece(x, 1, before + 1), axis))
        if after > 0:
            parts.append(jnp.flip(piece(x, size - 1 - after, size - 1), axis))
    else:
        if before > 0:
            parts.insert(0, jnp.repeat(piece(x, 0, 1), before, axis))
        if after > 0:
            parts.append(jnp.repeat(piece(x, size - 1, size), after, axis))
    return jnp.concatenate(parts, axis)


def _check_continued(size: Sequence[int], pad: tuple[int, ...], mode: str) -> None:
    """Refuse widths that the input is too small for."""
    count = len(pad) // 2
    spatial = tuple(size[len(size) - count :])
    widths = _pairs(pad, count)
    if mode == "circular":
        for n, (before, after) in zip(spatial, widths, strict=True):
            check(before <= n and after <= n, "Padding value causes wrapping around more than once.")
            check(before + after + n >= 0, "Negative padding value is resulting in an empty dimension")
        return
    body = size[1:] if len(size) == count + 2 else size
    check(
        all(n > 0 for n in body),
        f"Expected {count + 1}D or {count + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero"
        " dimensions for"
        f" input, but got: {show(size)}",
    )
    if mode == "reflect":
        for back in range(1, count + 1):  # the last dimension is the first pair of widths
            before, after = widths[-back]
            check(
                before < spatial[-back] and after < spatial[-back],
                f"Argument #{2 * back + 2}: Padding size should be less than the corresponding input dimension, but"
                " got: padding"
                f" ({before}, {after}) at dimension {len(size) - back} of input {show(size)}",
            )
    out = [n + before + after for n, (before, after) in zip(spatial, widths, strict=True)]
    letters = "DHW"[3 - count :]
    given = ", ".join(f"{c}: {n}" for c, n in zip(letters, spatial, strict=True))
    found = " ".join(f"{c}: {n}" for c, n in zip(letters, out, strict=True))
    check(all(n >= 1 for n in out), f"input ({given}) is too small. Calculated output {found}")


@composite
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Return the input with a border: ``pad`` holds the widths before and after, the last dimension first.

    ``mode``: "constant" (with ``value``, 0 by default; negative widths cut), "reflect" (mirrored without the edge),
    "replicate" (the edge repeated) or "circular" (continued from the other end). The last three take one, two or three
    dimensions of an input with one or two more. Raises as PyTorch does for widths that do not fit.

    >>> torch.nn.functional.pad(torch.tensor([1., 2.]), (1, 2))
    tensor([0., 1., 2., 0., 0.])
    >>> torch.nn.functional.pad(torch.tensor([[1., 2., 3.]]), (1, 1), mode="reflect")
    tensor([[2., 1., 2., 3., 2.]])
    """
    expect_tensor("pad", "input", 1, input)
    widths = tuple(int(w) for w in pad)
    dims = ndim(input)
    check(len(widths) % 2 == 0, "Padding length must be divisible by 2")
    check(
        len(widths) <= 2 * dims,
        "Padding length should be less than or equal to two times the input dimension but got padding length"
        f" {len(widths)} and"
        f" input of dimension {dims}",
    )
    if mode == "constant":
        return _constant_pad_nd(input, widths, value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    check(value is None or value == 0, f'Padding mode "{mode}" doesn\'t take in value argument')
    count = len(widths) // 2
    if not (count in (1, 2, 3) and dims in (count + 1, count + 2)):
        raise NotImplementedError(
            f"Padding size {len(widths)} is not supported for {dims}D input tensor.\nSupported combinations for"
            " non-constant"
            " padding:\n  - 2D or 3D input: padding size = 2 (pads last dimension)\n  - 3D or 4D input: padding size"
            " = 4 (pads last"
            " 2 dimensions)\n  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    _check_continued(input.size(), widths, mode)
    node = _NODES.get(mode, "torch::autograd::CopySlices").format(count)
    return _pad_from_input(input, widths, mode, node)
