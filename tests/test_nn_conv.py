"""The forms that convolutions are computed in give the same numbers as the sum that defines them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import torchlike as torch
from torchlike.nn import functional as F


def by_definition(x, w, stride, padding, dilation, groups):
    """A convolution of (n, c, ...) in NumPy, one product a position and group."""
    dims = w.ndim - 2
    x = np.pad(x, ((0, 0), (0, 0), *((padding, padding),) * dims))
    out = [(n - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    result = np.zeros((x.shape[0], w.shape[0], *out))
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for at in itertools.product(*map(range, w.shape[2:])):
        starts = [p * dilation for p in at]
        window = [slice(a, a + (n - 1) * stride + 1, stride) for a, n in zip(starts, out, strict=True)]
        part = x[(slice(None), slice(None), *window)]
        for g in range(groups):
            rows = slice(g * per_out, (g + 1) * per_out)
            factor = w[(rows, slice(None), *at)]
            result[:, rows] += np.einsum("oi,ni...->no...", factor, part[:, g * per_in : (g + 1) * per_in])
    return result


# (dims, groups, out channels, kernel, stride, padding, dilation): one for every form.
FORMS = {
    "ordinary": (2, 1, 3, 3, 2, 1, 1),
    "one element": (2, 1, 6, 1, 2, 0, 1),
    "one element in groups": (1, 2, 6, 1, 1, 0, 1),
    "groups": (2, 2, 6, 2, 2, 1, 2),
    "depthwise": (2, 4, 4, 3, 2, 1, 1),
    "depthwise, two kernels a channel": (1, 4, 8, 3, 1, 2, 2),
    "large depthwise": (2, 4, 4, 8, 1, 4, 1),
    "planes": (3, 1, 3, 2, 2, 1, 1),
    "planes in groups": (3, 2, 4, 2, 1, 0, 2),
    "depthwise planes": (3, 4, 4, 2, 1, 1, 1),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(name):
    dims, groups, channels, kernel, stride, padding, dilation = FORMS[name]
    random = np.random.RandomState(0)
    size = (7, 6, 5)[:dims]
    xs, ws = random.randn(2, 4, *size), random.randn(channels, 4 // groups, *(kernel,) * dims)
    x, w = (torch.tensor(a, requires_grad=True) for a in (xs, ws))
    convolve = getattr(F, f"conv{dims}d")
    y = convolve(x, w, None, stride, padding, dilation, groups)
    expected = by_definition(xs, ws, stride, padding, dilation, groups)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-9, atol=1e-9)
    g = random.randn(*y.shape)
    y.backward(torch.tensor(g))
    # The map is linear in both: its gradients are what the product with g says they are.
    for leaf, other in ((x, "x"), (w, "w")):
        step = random.randn(*leaf.shape)
        moved = (
            by_definition(step, ws, stride, padding, dilation, groups)
            if other == "x"
            else by_definition(xs, step, stride, padding, dilation, groups)
        )
        np.testing.assert_allclose((leaf.grad.numpy() * step).sum(), (g * moved).sum(), rtol=1e-8)


@pytest.mark.parametrize("name", FORMS)
def test_transpose(name):
    dims, groups, channels, kernel, stride, padding, dilation = FORMS[name]
    random = np.random.RandomState(1)
    size = (7, 6, 5)[:dims]
    xs, ws = random.randn(2, 4, *size), random.randn(channels, 4 // groups, *(kernel,) * dims)
    forward = by_definition(xs, ws, stride, padding, dilation, groups)
    g, w = (torch.tensor(a, requires_grad=True) for a in (random.randn(*forward.shape), ws))
    covered = [(n - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 for n in forward.shape[2:]]
    outer = [n - c for n, c in zip(size, covered, strict=True)]
    back = getattr(F, f"conv_transpose{dims}d")(g, w, None, stride, padding, outer, groups, dilation)
    np.testing.assert_allclose((back.detach().numpy() * xs).sum(), (forward * g.detach().numpy()).sum(), rtol=1e-8)
    back.backward(torch.tensor(xs))
    np.testing.assert_allclose(g.grad.numpy(), forward, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose((w.grad.numpy() * ws).sum(), (forward * g.detach().numpy()).sum(), rtol=1e-8)
