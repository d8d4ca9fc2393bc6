"""Functions that only move elements: between channels and pixels, images and columns of windows, indices and ones."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch
from torchlike._core.errors import check, wrap_dim
from torchlike._core.halves import rounded
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.nn.functional import _windows as windows
from torchlike.nn.functional._shared import expect_tensor, seen_on_host
from torchlike.ops._checks import BARE, INTEGERS, refuse
from torchlike.ops._geometry import show

__all__ = [
    "channel_shuffle",
    "fold",
    "native_channel_shuffle",
    "one_hot",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
]

Tensor = Any
Ints = tuple[int, ...]


# ---------------------------------------------------------------------------------------------------------------------
# Channels and pixels


@op(method=False, out=False, node="PixelShuffleBackward0")
def _pixel_shuffle(input: Array, upscale_factor: int) -> Array:
    r = upscale_factor
    check(
        input.ndim >= 3,
        f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)",
    )
    check(r > 0, f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    check(
        c % (r * r) == 0,
        "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but"
        f" input.size(-3)={c} is not divisible by {r * r}",
    )
    n = len(lead)
    x = input.reshape((*lead, c // (r * r), r, r, h, w))
    return x.transpose((*range(n), n, n + 3, n + 1, n + 4, n + 2)).reshape((*lead, c // (r * r), h * r, w * r))


@composite
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Make pixels of channels: (..., c * r**2, h, w) becomes (..., c, h * r, w * r).

    Raises RuntimeError for sizes that do not divide.

    >>> torch.nn.functional.pixel_shuffle(torch.tensor([1., 2., 3., 4.]).reshape(4, 1, 1), 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    expect_tensor("pixel_shuffle", "self", 1, input)
    return _pixel_shuffle(input, int(upscale_factor))


@op(method=False, out=False, node="PixelUnshuffleBackward0")
def _pixel_unshuffle(input: Array, downscale_factor: int) -> Array:
    r = downscale_factor
    check(
        input.ndim >= 3,
        f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)",
    )
    check(r > 0, f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    for size, name, place in ((h, "height", 2), (w, "width", 1)):
        check(
            size % r == 0,
            f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size(-{place})={size} is"
            f" not divisible by {r}",
        )
    n = len(lead)
    x = input.reshape((*lead, c, h // r, r, w // r, r))
    return x.transpose((*range(n), n, n + 2, n + 4, n + 1, n + 3)).reshape((*lead, c * r * r, h // r, w // r))


@composite
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Make channels of pixels: (..., c, h * r, w * r) becomes (..., c * r**2, h, w); undoes `pixel_shuffle`.

    >>> torch.nn.functional.pixel_unshuffle(torch.tensor([[[1., 2.], [3., 4.]]]), 2).flatten()
    tensor([1., 2., 3., 4.])
    """
    expect_tensor("pixel_unshuffle", "self", 1, input)
    return _pixel_unshuffle(input, int(downscale_factor))


def _shuffled(input: Array, groups: int) -> Array:
    n, c, *rest = input.shape
    return input.reshape((n, groups, c // groups, *rest)).swapaxes(1, 2).reshape(input.shape)


def _check_shuffle(size: Ints, groups: int) -> None:
    check(len(size) > 2, f"channel_shuffle expects input with > 2 dims, but got input with sizes {show(size)}")
    check(groups > 0, f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    check(
        size[1] % groups == 0,
        f"Number of channels must be divisible by groups. Got {size[1]} channels and {groups} groups.",
    )


@op(method=False, out=False, node=lambda pattern, node, **_: node)
def _channel_shuffle(input: Array, groups: int, node: str) -> Array:
    return _shuffled(input, groups)


@composite
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Take one channel of each group in turn: the channels (dimension 1) seen as (groups, c / groups), transposed.

    Raises RuntimeError for fewer than three dimensions and for channels that do not divide.

    >>> torch.nn.functional.channel_shuffle(torch.arange(4.).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    expect_tensor("channel_shuffle", "input", 1, input)
    _check_shuffle(dispatch.shape_of(input), groups)
    return _channel_shuffle(input, int(groups), "ChannelShuffleBackward0")


@composite
def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Another name of `channel_shuffle`.

    >>> torch.nn.functional.native_channel_shuffle(torch.arange(4.).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    return channel_shuffle(input, groups)


# ---------------------------------------------------------------------------------------------------------------------
# Images and columns


def _pair(value: Any) -> Ints:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def _two(name: str, value: Any) -> Ints:
    pair = _pair(value)
    check(len(pair) == 2, f"It is expected {name} equals to 2, but got size {len(pair)}")
    return tuple(int(v) for v in pair)


def _check_columns(kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> None:
    for name, short, (h, w), low in (
        ("kernel size", "kernel", kernel, 1),
        ("dilation", "dilation", dilation, 1),
        ("padding", "pad", padding, 0),
        ("stride", "stride", stride, 1),
    ):
        bound = "greater than zero" if low else "non-negative"
        check(h >= low and w >= low, f"{name} should be {bound}, but got {short}_height: {h} {short}_width: {w}")


@op(method=False, out=False, node="Im2ColBackward0")
def _im2col(input: Array, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Array:
    refuse("im2col_out_cpu", input, INTEGERS, BARE)
    unbatched = input.ndim == 3
    x = input[None] if unbatched else input
    size = x.shape[2:]
    out = tuple(windows.output_size(*args, False) for args in zip(size, kernel, stride, padding, dilation, strict=True))
    padded = jnp.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    parts = [windows.strided(padded, at, out, stride, dilation) for at in windows.positions(kernel)]
    columns = jnp.stack(parts, 2).reshape((x.shape[0], x.shape[1] * len(parts), out[0] * out[1]))
    return columns[0] if unbatched else columns


def _columns_back(
    columns: Array, size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints, out: Ints
) -> Array:
    """Columns (n, c * kh * kw, l) added up where their windows lay in images of a size."""
    n = columns.shape[0]
    area = kernel[0] * kernel[1]
    parts = columns.reshape((n, columns.shape[1] // area, area, *out))
    padded = tuple(s + 2 * p for s, p in zip(size, padding, strict=True))
    wide = parts.astype(jnp.float32) if parts.dtype in (jnp.float16, jnp.bfloat16) else parts
    total: Any = jnp.zeros((n, parts.shape[1], *padded), wide.dtype)
    for i, position in enumerate(windows.positions(kernel)):
        part = windows.spread_back(wide[:, :, i], position, padded, stride, dilation)
        total = rounded(total + part, columns.dtype)
    cut = tuple(slice(p, p + s) for s, p in zip(size, padding, strict=True))
    return total[(slice(None), slice(None), *cut)].astype(columns.dtype)


@defvjp(_im2col)
def _(grad, inputs, outputs, kernel, dilation, padding, stride):
    (input,) = inputs
    size = input.shape[-2:]
    out = tuple(windows.output_size(*args, False) for args in zip(size, kernel, stride, padding, dilation, strict=True))
    g = grad[None] if input.ndim == 3 else grad
    return (_columns_back(g, size, kernel, dilation, padding, stride, out).reshape(input.shape),)


@composite
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Lay out the windows of (n, c, h, w) or (c, h, w) as columns: (n, c * kh * kw, l), a column a window.

    Raises RuntimeError for windows that do not fit.

    >>> torch.nn.functional.unfold(torch.arange(6.).reshape(1, 1, 2, 3), 2)
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    expect_tensor("im2col", "self", 1, input)
    kernel, dilations = _two("kernel_size", kernel_size), _two("dilation", dilation)
    pads, strides = _two("padding", padding), _two("stride", stride)
    size = dispatch.shape_of(input)
    _check_columns(kernel, dilations, pads, strides)
    wrap_dim(2, len(size))
    check(
        (len(size) == 3 and all(size)) or (len(size) == 4 and all(size[1:])),
        "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but"
        f" got: {show(size)}",
    )
    out = tuple(
        windows.output_size(*args, False) for args in zip(size[-2:], kernel, strides, pads, dilations, strict=True)
    )
    check(
        min(out) >= 1,
        f"Given input with spatial size ({size[-2]}, {size[-1]}), kernel_size=({kernel[0]}, {kernel[1]}),"
        f" dilation=({dilations[0]}, {dilations[1]}), padding=({pads[0]}, {pads[1]}), calculated shape of the array of"
        f" sliding blocks as ({out[0]}, {out[1]}), but its components must be at least one.",
    )
    return _im2col(input, kernel, dilations, pads, strides)


@op(method=False, out=False, node="Col2ImBackward0")
def _col2im(input: Array, output_size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Array:
    refuse("col2im_out_cpu", input, INTEGERS, BARE)
    unbatched = input.ndim == 2
    x = input[None] if unbatched else input
    out = tuple(
        windows.output_size(*args, False) for args in zip(output_size, kernel, stride, padding, dilation, strict=True)
    )
    result = _columns_back(x, output_size, kernel, dilation, padding, stride, out)
    return result[0] if unbatched else result


@composite
def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Add up the columns (n, c * kh * kw, l) or (c * kh * kw, l) of an `unfold` where their windows lay.

    Raises RuntimeError for sizes that do not fit.

    >>> torch.nn.functional.fold(torch.ones(1, 4, 4), (3, 3), 2)
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    expect_tensor("col2im", "self", 1, input)
    wanted = _two("output_size", output_size)
    kernel, dilations = _two("kernel_size", kernel_size), _two("dilation", dilation)
    pads, strides = _two("padding", padding), _two("stride", stride)
    size = dispatch.shape_of(input)
    _check_columns(kernel, dilations, pads, strides)
    check(
        (len(size) == 2 and all(size)) or (len(size) == 3 and all(size[1:])),
        "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input,"
        f" but got: {show(size)}",
    )
    area = kernel[0] * kernel[1]
    check(
        size[-2] % area == 0,
        "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)="
        f"{size[-2]} and kernel_size=({kernel[0]}, {kernel[1]}).",
    )
    out = tuple(
        windows.output_size(*args, False) for args in zip(wanted, kernel, strides, pads, dilations, strict=True)
    )
    given = (
        f"Given output_size=({wanted[0]}, {wanted[1]}), kernel_size=({kernel[0]}, {kernel[1]}),"
        f" dilation=({dilations[0]}, {dilations[1]}), padding=({pads[0]}, {pads[1]}), stride=({strides[0]},"
        f" {strides[1]}), "
    )
    check(
        size[-1] == out[0] * out[1],
        given + f"expected size of input's dimension 2 to match the calculated number of sliding blocks {out[0]} *"
        f" {out[1]} = {out[0] * out[1]}, but got input.size(2)={size[-1]}.",
    )
    check(
        min(wanted) >= 1,
        f"Expected output spatial size to be positive, but got: output_size=({wanted[0]}, {wanted[1]}).",
    )
    return _col2im(input, wanted, kernel, dilations, pads, strides)


# ---------------------------------------------------------------------------------------------------------------------
# Indices


@op(method=False, out=False)
def _one_hot(input: Array, num_classes: int) -> Array:
    return (input[..., None] == jnp.arange(num_classes)).astype(jnp.int64)


@composite
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return int64 vectors with a 1 where the indices say: (...) becomes (..., num_classes).

    By default there are as many classes as the largest index asks for. Raises RuntimeError for other dtypes than int64
    and for indices that are negative or too large.

    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    expect_tensor("one_hot", "self", 1, tensor)
    check(
        dispatch.geometry_of(tensor).dtype.name == "int64",
        "one_hot is only applicable to index tensor of type LongTensor.",
    )
    if 0 in dispatch.shape_of(tensor):
        check(num_classes > 0, "Can not infer total number of classes from empty tensor.")
        return _one_hot(tensor, num_classes)
    values = seen_on_host(tensor)
    if values is not None:
        check(int(values.min()) >= 0, "Class values must be non-negative.")
        if num_classes == -1:
            num_classes = int(values.max()) + 1
        else:
            check(num_classes > int(values.max()), "Class values must be smaller than num_classes.")
    elif num_classes == -1:
        num_classes = int(tensor.max()) + 1
    return _one_hot(tensor, num_classes)
