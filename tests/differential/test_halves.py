"""Half precisions: PyTorch rounds between the steps of some operators and not of others; so do we."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torchlike

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

Function = Callable[..., Any]


def _u(*shape: int, low: float = -2, high: float = 2, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


_IMAGE, _VOLUME = _u(2, 3, 9, 8), _u(2, 2, 5, 6, 7)
_PLACES, _POINTS = _u(2, 4, 5, 2, low=-1.3, high=1.3, seed=1), _u(2, 3, 2, 3, 3, low=-1.3, high=1.3, seed=1)
_POSITIVE, _PAIR = _u(6, 5, low=0.2, high=3), (_u(6, 5), _u(6, 5, low=0.2, high=3, seed=1))
_PROBABILITIES = _u(6, 5, low=0.02, high=0.98, seed=2)

# The values are compared bit for bit; a fused multiply-add more or less may move one.
EXACT: dict[str, tuple[Function, tuple[Any, ...]]] = {
    **{
        f"grid_sample {mode} {padding} {align}": (
            lambda m, x, g, mode=mode, padding=padding, align=align: m.nn.functional.grid_sample(
                x, g, mode, padding, align
            ),
            (_IMAGE, _PLACES),
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for padding, align in (("zeros", False), ("border", True), ("reflection", False))
    },
    "grid_sample 3d": (lambda m, x, g: m.nn.functional.grid_sample(x, g, align_corners=False), (_VOLUME, _POINTS)),
    "affine_grid": (lambda m, t: m.nn.functional.affine_grid(t, (2, 3, 4, 5), align_corners=False), (_u(2, 2, 3),)),
    "affine_grid 3d": (
        lambda m, t: m.nn.functional.affine_grid(t, (2, 3, 4, 5, 7), align_corners=True),
        (_u(2, 3, 4),),
    ),
    "linear": (lambda m, x: m.nn.functional.interpolate(x, scale_factor=1.7, mode="linear"), (_u(2, 3, 12),)),
    "bilinear": (lambda m, x: m.nn.functional.interpolate(x, scale_factor=1.7, mode="bilinear"), (_IMAGE,)),
    "bicubic": (lambda m, x: m.nn.functional.interpolate(x, scale_factor=1.7, mode="bicubic"), (_IMAGE,)),
    "trilinear": (lambda m, x: m.nn.functional.interpolate(x, scale_factor=1.7, mode="trilinear"), (_VOLUME,)),
    "adaptive_avg_pool3d": (lambda m, x: m.nn.functional.adaptive_avg_pool3d(x, (2, 4, 8)), (_VOLUME,)),
    "adaptive_avg_pool2d": (lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, 4), (_IMAGE,)),
    "pow 3": (lambda m, x: m.pow(x, 3), (_u(6, 5),)),
    "pow -2": (lambda m, x: m.pow(x, -2), (_POSITIVE,)),
    "xlogy": (lambda m, x, y: m.xlogy(x, y), _PAIR),
    "xlog1py": (lambda m, x, y: m.special.xlog1py(x, y), _PAIR),
    "entr": (lambda m, x: m.special.entr(x), (_POSITIVE,)),
    "batch_norm": (lambda m, x: m.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)[0], (_u(5, 6, 7),)),
}

# The gradients of 24 elements and more to PyTorch's usual tolerance: one rounding more or less would not pass.
GRADIENTS: dict[str, tuple[Function, tuple[Any, ...]]] = {
    "div": (lambda m, x, y: x / y, (_u(40, 5), _u(5, low=0.2, seed=1))),
    "mul": (lambda m, x, y: x * y, (_u(40, 5), _u(5, seed=1))),
    "outer": (lambda m, x, y: m.outer(x, y), (_u(40), _u(5, seed=1))),
    "pow": (lambda m, x, y: m.pow(x, y), (_POSITIVE, _u(5, seed=1))),
    "sinc": (lambda m, x: m.sinc(x), (_u(40, 5),)),
    "entr": (lambda m, x: m.special.entr(x), (_POSITIVE,)),
    "ndtr": (lambda m, x: m.special.ndtr(x), (_u(40, 5),)),
    "std": (lambda m, x: m.std(x, 1), (_u(40, 5),)),
    "norm": (lambda m, x: m.norm(x, dim=1), (_u(40, 5),)),
    "glu": (lambda m, x: m.nn.functional.glu(x, 1), (_u(40, 6),)),
    "softsign": (lambda m, x: m.nn.functional.softsign(x), (_u(40, 5),)),
    "normalize": (lambda m, x: m.nn.functional.normalize(x), (_u(40, 5),)),
    "group_norm": (lambda m, x, w, b: m.nn.functional.group_norm(x, 2, w, b), (_u(3, 6, 5), _u(6), _u(6, seed=1))),
    "instance_norm": (lambda m, x: m.nn.functional.instance_norm(x), (_u(3, 6, 5),)),
    "batch_norm": (
        lambda m, x, w, b: m.nn.functional.batch_norm(x, None, None, w, b, True),
        (_u(3, 6, 5), _u(6), _u(6, seed=1)),
    ),
    "bilinear": (
        lambda m, x, y, w: m.nn.functional.bilinear(x, y, w),
        (_u(30, 8), _u(30, 6, seed=1), _u(5, 8, 6, seed=2)),
    ),
    "cross entropy of logits": (
        lambda m, x, y: m.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none"),
        (_u(6, 5), _PROBABILITIES),
    ),
    "cross entropy": (
        lambda m, x, y: m.nn.functional.binary_cross_entropy(x, y.detach(), reduction="none"),
        (_PROBABILITIES, _u(6, 5, low=0, high=1)),
    ),
    **{
        f"pad {mode} {dims}d": (
            lambda m, x, mode=mode, dims=dims: m.nn.functional.pad(x, (2, 1) * dims, mode=mode),
            (_IMAGE if dims == 2 else _VOLUME,),
        )
        for mode in ("reflect", "replicate", "circular")
        for dims in (2, 3)
    },
    "pad circular and cut": (lambda m, x: m.nn.functional.pad(x, (-1, 2, 3, -2), mode="circular"), (_IMAGE,)),
    "adaptive_avg_pool2d": (lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, (4, 10)), (_IMAGE,)),
    "adaptive_avg_pool3d": (lambda m, x: m.nn.functional.adaptive_avg_pool3d(x, (4, 8, 3)), (_VOLUME,)),
    "max_pool2d": (lambda m, x: m.nn.functional.max_pool2d(x, 3, 1, 1), (_IMAGE,)),
    "max_pool3d": (lambda m, x: m.nn.functional.max_pool3d(x, 3, 1, 1), (_VOLUME,)),
    "avg_pool1d": (lambda m, x: m.nn.functional.avg_pool1d(x, 3, 2, 1), (_u(2, 3, 12),)),
    "avg_pool2d": (lambda m, x: m.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False), (_IMAGE,)),
    "unfold": (lambda m, x: m.nn.functional.unfold(x, 3, padding=1), (_IMAGE,)),
    "triplets": (
        lambda m, x, y, z: m.nn.functional.triplet_margin_loss(x, y, z),
        (_u(5, 10), _u(5, 10, seed=1), _u(5, 10, seed=2)),
    ),
}


def _run(module: Any, function: Function, arrays: tuple[Any, ...], gradients: bool) -> list[np.ndarray[Any, Any]]:
    inputs = [module.tensor(a).bfloat16().requires_grad_(gradients) for a in arrays]
    result = function(module, *inputs)
    if not gradients:
        return [result.float().numpy()]
    weights = np.random.default_rng(9).standard_normal(tuple(result.shape)).astype(np.float32)
    result.backward(module.tensor(weights).bfloat16())
    return [x.grad.float().numpy() for x in inputs if x.grad is not None]


@pytest.mark.parametrize("name", EXACT)
def test_values_are_those_of_pytorch_bit_for_bit(name: str) -> None:
    function, arrays = EXACT[name]
    (expected,) = _run(torch, function, arrays, False)
    (found,) = _run(torchlike, function, arrays, False)
    np.testing.assert_allclose(found, expected, rtol=0.016, atol=1e-5)
    assert (found == expected).mean() > 0.98


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_rounded_as_in_pytorch(name: str) -> None:
    function, arrays = GRADIENTS[name]
    expected = _run(torch, function, arrays, True)
    found = _run(torchlike, function, arrays, True)
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.016, atol=1e-5)
