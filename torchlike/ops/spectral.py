"""Short-time Fourier transforms and their inverse."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, op
from torchlike.fft._transforms import BY_ROOT, BY_SIZE, NONE, c2c, c2r, r2c
from torchlike.linalg._common import check_tensors
from torchlike.ops._bounds import host
from torchlike.ops._checks import HALF
from torchlike.ops.complex_views import view_as_real

__all__ = ["istft", "stft"]

Tensor = Any

_PADDINGS = {"reflect": "reflect", "constant": "constant", "replicate": "edge", "circular": "wrap"}
_NODES = {"reflect": "ReflectionPad1D", "replicate": "ReplicationPad1D", "circular": "Copy"}


def _pad_node(pattern: Any, before: int, after: int, mode: str) -> str:
    return "ConstantPadNdBackward0" if mode == "constant" else f"{_NODES[mode]}Backward0"


@op(method=False, node=_pad_node)
def _pad_ends(input: Array, before: int, after: int, mode: str) -> Array:
    """The last dimension continued at both ends."""
    return jnp.pad(input, [(0, 0)] * (input.ndim - 1) + [(before, after)], mode=_PADDINGS[mode])


@op(method=False)
def _overlap_add(frames: Array, hop: int) -> Array:
    """The sum of frames (*, count, length), each ``hop`` after the one before it."""
    count, length = frames.shape[-2:]
    total = (count - 1) * hop + length
    places = jnp.arange(count)[:, None] * hop + jnp.arange(length)[None, :]
    return jnp.zeros((*frames.shape[:-2], total), frames.dtype).at[..., places].add(frames)


def _shown(window: Tensor | None) -> str:
    if window is None:
        return "None"
    return f"torch.{scalar_type(window.dtype)}Tensor{{{list(dispatch.shape_of(window))}}}"


def _flag(value: bool | None) -> str:
    return "None" if value is None else str(int(value))


def _centred(window: Tensor, n_fft: int) -> Tensor:
    """A window continued with zeros to the length of a frame."""
    length = dispatch.shape_of(window)[0]
    if length >= n_fft:
        return window
    left = (n_fft - length) // 2
    return _pad_ends(window, left, n_fft - length - left, "constant")


def _check_padding(input: Tensor, pad: int, mode: str) -> None:
    if mode not in _PADDINGS:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    shape = dispatch.shape_of(input)
    size = shape[-1]
    whole = list(shape) if len(shape) > 1 else [1, 1, size]
    whole = whole if len(whole) == 3 else [1, *whole]
    if mode == "reflect":
        check(
            pad < size,
            "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
            f"({pad}, {pad}) at dimension 2 of input {whole}",
        )
    if mode == "circular":
        check(pad <= size, "Padding value causes wrapping around more than once.")


@composite(method=False)
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Return the Fourier transforms of overlapping frames of a signal (T) or a batch of signals (B, T).

    A frame has ``n_fft`` samples and begins ``hop_length`` (default ``n_fft // 4``) after the one before it; with
    ``center`` the signal is continued at both ends by ``pad_mode`` so that frame t is around ``t * hop_length``. The
    result is (B, frequencies, frames), complex; of real signals half the frequencies unless ``onesided=False``.
    ``return_complex=False`` gives real and imaginary parts in a last dimension; real signals must say which.

    >>> torch.stft(torch.ones(8), n_fft=4, window=torch.ones(4), return_complex=True).shape
    torch.Size([3, 9])
    """
    check_tensors("stft", input=input)
    check(not center or align_to_window is None, "stft align_to_window should only be set when center = false")
    given = input
    if center:
        _check_padding(input, n_fft // 2, pad_mode)
        input = _pad_ends(input, n_fft // 2, n_fft // 2, pad_mode)
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    complex_given = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None:
        check(
            complex_given,
            "stft requires the return_complex parameter be given for real inputs, and will further require that"
            " return_complex=True in a future PyTorch release.",
        )
    wants_complex = True if return_complex is None else return_complex
    shape = dispatch.shape_of(input)
    shown = (
        f"stft(torch.{scalar_type(input.dtype)}Tensor{list(shape)}, n_fft={n_fft}, hop_length={hop}, "
        f"win_length={length}, window={_shown(window)}, normalized={int(normalized)}, onesided={_flag(onesided)}, "
        f"return_complex={_flag(wants_complex)}, align_to_window={_flag(align_to_window)}) : "
    )
    check(
        input.is_floating_point() or input.is_complex(),
        shown + "expected a tensor of floating point or complex values",
    )
    check(len(shape) in (1, 2), shown + f"expected a 1D or 2D tensor, got {len(shape)}D")
    size = dispatch.shape_of(given)[-1] if center else shape[-1]
    check(0 < n_fft <= shape[-1], shown + f"expected 0 < n_fft < {size}, but got n_fft={n_fft}")
    check(hop > 0, shown + f"expected hop_length > 0, but got hop_length={hop}")
    check(0 < length <= n_fft, shown + f"expected 0 < win_length <= n_fft, but got win_length={length}")
    _check_window(window, length, shown)
    half = not complex_given if onesided is None else onesided
    check(not (half and complex_given), "Cannot have onesided output if window or input is complex")
    check(input.dtype.np not in HALF, f"MKL FFT doesn't support tensors of type: {scalar_type(input.dtype)}")
    frames = _frames(input, n_fft, hop, length, window, bool(align_to_window) and not center)
    scale = BY_ROOT if normalized else NONE
    where = (frames.dim() - 1,)
    result = c2c(frames, where, scale, True) if frames.is_complex() else r2c(frames, where, scale, half)
    result = result.transpose(-2, -1)
    return result if wants_complex else view_as_real(result)


def _check_window(window: Tensor | None, length: int, shown: str) -> None:
    if window is not None:
        shape = dispatch.shape_of(window)
        check(
            shape == (length,),
            shown + f"expected a 1D window tensor of size equal to win_length={length}, but got window with size "
            f"{list(shape)}",
        )


def _frames(input: Tensor, n_fft: int, hop: int, length: int, window: Tensor | None, align: bool) -> Tensor:
    """The frames of a signal times its window, (*, count, n_fft)."""
    if align:
        # The window begins with the signal; what surrounds it in a frame is cut off by its zeros.
        before = (n_fft - length) // 2
        input = _pad_ends(input, before, n_fft - length - before, "constant") if length < n_fft else input
    frames = input.unfold(-1, n_fft, hop)
    if window is None and length < n_fft:
        window = input.new_ones(length)
    return frames if window is None else frames * _centred(window, n_fft)


@composite(method="only", name="stft")
def _stft_method(
    self: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Return the Fourier transforms of overlapping frames; see :func:`torch.stft`."""
    return stft(
        self,
        n_fft,
        hop_length,
        win_length,
        window,
        center,
        pad_mode,
        normalized,
        onesided,
        return_complex,
        align_to_window,
    )


@composite(method=False)
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Return the signal whose :func:`stft`, taken with the same arguments, is ``input``.

    Frames are added up where they overlap, weighted by the window, and divided by the sum of its squares, which must
    not be zero anywhere. ``length`` cuts the signal off or continues it with zeros.

    >>> x = torch.arange(8.0)
    >>> torch.istft(torch.stft(x, 4, return_complex=True), 4).round()
    tensor([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    check_tensors("istft", input=input)
    check(
        input.is_complex(),
        "istft requires a complex-valued input tensor matching the output from stft with return_complex=True.",
    )
    hop = n_fft // 4 if hop_length is None else hop_length
    size = n_fft if win_length is None else win_length
    shape = dispatch.shape_of(input)
    shown = (
        f"istft(CPU{scalar_type(input.dtype)}Type{list(shape)}, n_fft={n_fft}, hop_length={hop}, win_length={size}, "
        f"window={_shown(window)}, center={int(center)}, normalized={int(normalized)}, onesided={_flag(onesided)}, "
        f"length={length}, return_complex={int(return_complex)}) "
    )
    check(0 not in shape, shown + ": input tensor cannot be empty.")
    # PyTorch counts a last dimension for the two parts of a complex number.
    check(
        len(shape) in (2, 3),
        shown + f": expected a tensor with 3 or 4 dimensions, but got {len(shape) + 1}",
    )
    frequencies, count = shape[-2:]
    half = frequencies != n_fft if onesided is None else onesided
    if half:
        check(
            n_fft // 2 + 1 == frequencies,
            shown + ": expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1"
            f" when onesided=True, but got {frequencies}",
        )
    else:
        check(
            n_fft == frequencies,
            shown + ": expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when"
            f" onesided=False, but got {frequencies}",
        )
    check(0 < hop <= size, shown + ": expected 0 < hop_length <= win_length")
    check(0 < size <= n_fft, shown + ": expected 0 < win_length <= n_fft")
    if window is not None:
        check(
            dispatch.shape_of(window) == (size,),
            shown + ": Invalid window shape. window has to be 1D and length of `win_length`",
        )
        check(
            return_complex or not window.is_complex(),
            "Complex windows are incompatible with return_complex=False",
        )
    check(not (half and return_complex), "Cannot have onesided output if window or input is complex")
    kind = dtypes.float32 if input.dtype is dtypes.complex64 else dtypes.float64
    weights = _centred(input.new_ones(size, dtype=kind) if window is None else window, n_fft)
    spectrum = input.transpose(-2, -1)
    where = (spectrum.dim() - 1,)
    scale = BY_ROOT if normalized else BY_SIZE
    if return_complex:
        frames = c2c(spectrum, where, scale, False)
    else:
        frames = c2r(spectrum if half else spectrum.narrow(-1, 0, n_fft // 2 + 1), where, scale, n_fft)
    total = _overlap_add(frames * weights, hop)
    envelope = _overlap_add((weights * weights).expand(count, n_fft), hop)
    whole = n_fft + hop * (count - 1)
    start = n_fft // 2 if center else 0
    end = whole
    if length is not None:
        end = min(start + length, whole)
    elif center:
        end = whole - n_fft // 2
    total, envelope = total.narrow(-1, start, end - start), envelope.narrow(-1, start, end - start)
    least = host(envelope.abs().min()) if end > start else None
    check(
        least is None or float(least) > 1e-11,
        shown + "window overlap add min: 1",
    )
    result = total / envelope
    missing = 0 if length is None else length - (end - start)
    return _pad_ends(result, 0, missing, "constant") if missing > 0 else result


@composite(method="only", name="istft")
def _istft_method(
    self: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Return the signal of a short-time Fourier transform; see :func:`torch.istft`."""
    return istft(self, n_fft, hop_length, win_length, window, center, normalized, onesided, length, return_complex)
