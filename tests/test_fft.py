"""Transforms against NumPy's, their inverses, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torchlike as torch


def numbers(*shape: int, complex: bool = False, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if complex else 0)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 3, 9])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_dimension(name: str, n: int | None, norm: str | None) -> None:
    x = numbers(4, 5, complex=name in ("fft", "ifft", "irfft", "hfft"))
    found = getattr(torch.fft, name)(torch.from_numpy(x), n, 0, norm)
    expected = getattr(np.fft, name)(x, n, 0, norm)
    np.testing.assert_allclose(found.resolve_conj().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
def test_four_dimensions(name: str, norm: str | None) -> None:
    x = numbers(3, 4, 2, 5, complex=name in ("fftn", "ifftn", "irfftn"))
    found = getattr(torch.fft, name)(torch.from_numpy(x), norm=norm)
    expected = getattr(np.fft, name)(x, axes=(0, 1, 2, 3), norm=norm)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_inverses(norm: str | None) -> None:
    x = torch.from_numpy(numbers(4, 6))
    for there, back in (("rfft2", "irfft2"), ("ihfft2", "hfft2"), ("fft2", "ifft2")):
        y = getattr(torch.fft, back)(getattr(torch.fft, there)(x, norm=norm), norm=norm)
        np.testing.assert_allclose((y.real if y.is_complex() else y).numpy(), x.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_gradients_are_the_differences(name: str) -> None:
    function = getattr(torch.fft, name)
    x = torch.from_numpy(numbers(5, complex=name in ("fft", "ifft", "irfft", "hfft")))
    step = torch.from_numpy(numbers(5, complex=x.is_complex(), seed=1)) * 1e-6

    def loss(x: torch.Tensor) -> torch.Tensor:
        y = function(x)
        parts = torch.view_as_real(y.resolve_conj()) if y.is_complex() else y
        return (parts * parts * torch.arange(1, parts.numel() + 1).reshape(parts.shape)).sum()

    leaf = x.clone().requires_grad_()
    loss(leaf).backward()
    found = (leaf.grad.conj() * step).sum()
    found = (found.real if found.is_complex() else found).item()
    assert found == pytest.approx((loss(x + step) - loss(x - step)).item() / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.fft.fft(x.half()), "Unsupported dtype Half"),
        (lambda x: torch.fft.rfft(x + 0j), "rfft expects a real input tensor, but got ComplexDouble"),
        (lambda x: torch.fft.fft(x, n=0), "Invalid number of data points (0) specified"),
        (lambda x: torch.fft.fft(x, norm="x"), 'Invalid normalization mode: "x"'),
        (lambda x: torch.fft.fftn(x, dim=(0, 0)), "FFT dims must be unique"),
        (lambda x: torch.fft.fft(x, out=torch.empty(0)), "fft expects a complex output tensor, but got Float"),
        (lambda x: torch.stft(x, 4), "stft requires the return_complex parameter be given for real inputs"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        call(torch.from_numpy(numbers(8)))
    assert str(caught.value).startswith(message)


def test_strides_follow_memory() -> None:
    x = torch.zeros(3, 4, 5)
    assert torch.fft.fft(x, dim=0).stride() == (1, 15, 3)
    assert torch.fft.fft2(x.mT).stride() == (20, 1, 5)


@pytest.mark.parametrize("hop", [1, 2, 3])
@pytest.mark.parametrize("normalized", [False, True])
def test_istft_is_the_inverse(hop: int, normalized: bool) -> None:
    x = torch.from_numpy(numbers(2, 21))
    window = torch.hann_window(8, dtype=torch.float64) + 0.1
    y = torch.stft(x, 8, hop, window=window, normalized=normalized, return_complex=True)
    back = torch.istft(y, 8, hop, window=window, normalized=normalized, length=21)
    np.testing.assert_allclose(back.numpy(), x.numpy(), atol=1e-10)


def test_a_window_that_leaves_gaps_is_refused() -> None:
    y = torch.stft(torch.ones(20), 8, return_complex=True)
    with pytest.raises(RuntimeError, match="window overlap add min: 1"):
        torch.istft(y, 8, window=torch.zeros(8))
