"""Activation functions that draw random numbers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from torchlike import ops
from torchlike._core import dispatch
from torchlike._core.errors import check
from torchlike._core.op import DEFAULT, Array, composite, op
from torchlike.nn.functional.activation import _numbered, _pick, softmax
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, refuse
from torchlike.ops._laws import draw, uniform

__all__ = ["gumbel_softmax", "rrelu", "rrelu_"]

Tensor = Any


@op(promote=DEFAULT, method=False, inplace=True, node=_numbered("RreluWithNoise"))
def _rrelu_with_noise(input: Array, noise: Array, inplace: bool) -> Array:
    """The input, its negative part scaled by random slopes."""
    refuse("rrelu_with_noise_out_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    return jnp.where(input <= 0, input * noise, input)


@op(promote=DEFAULT, method=False, inplace=True, node=_numbered("RreluWithNoise"))
def _rrelu_mean(input: Array, slope: float, inplace: bool) -> Array:
    """The input, its negative part scaled by the mean slope."""
    refuse("leaky_relu_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    return jnp.where(input > 0, input, input * jnp.asarray(slope, input.dtype))


@composite
def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return ``input`` where it is positive, elsewhere scaled: by the mean of the bounds, or while training at random.

    >>> torch.nn.functional.rrelu(torch.tensor([-1., 2.]), 0.25, 0.25)
    tensor([-0.2500,  2.0000])
    """
    check(lower <= upper, "Lower bound should be less than or equal to the upper bound")
    if not training:
        return _pick(inplace, _rrelu_mean, input, (lower + upper) / 2, inplace)
    geometry = dispatch.geometry_of(input)
    values = draw(uniform(lower, upper), None, dispatch.device_of(input), geometry.size, geometry.dtype)
    return _pick(inplace, _rrelu_with_noise, input, dispatch.wrap(values), inplace)


@composite
def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """In-place version of `rrelu`."""
    return rrelu(input, lower, upper, training, True)


@composite
def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Draw from the Gumbel-softmax distribution of ``logits``: softened samples, or one-hot ones with soft gradients.

    >>> torch.nn.functional.gumbel_softmax(torch.zeros(2, 3), hard=True).sum(1)
    tensor([1., 1.])
    """
    noise = -ops.empty_like(logits).exponential_().log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    picked = ops.zeros_like(logits).scatter_(dim, index, 1.0)
    return picked - soft.detach() + soft
