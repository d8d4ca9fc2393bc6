"""Activation functions that draw random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike import ops
from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike._core.generator import Generator
from torchlike._core.halves import rounded
from torchlike._core.normals import uniform53
from torchlike._core.op import DEFAULT, Array, composite, defvjp, op
from torchlike.nn.functional._shared import seen_on_host
from torchlike.nn.functional.activation import _numbered, _pick, softmax
from torchlike.ops._checks import BARE, BOOL, COMPLEX, HALF_FLOAT, INTEGERS, refuse
from torchlike.ops._laws import Host, draw, on_host, uniform

__all__ = ["gumbel_softmax", "rrelu", "rrelu_"]

Tensor = Any


@op(method=False, inplace=True, node=_numbered("RreluWithNoise"))
def _rrelu_with_noise(input: Array, noise: Array, inplace: bool) -> Array:
    """The input, its negative part scaled by random slopes, which are float32 for halves."""
    refuse("rrelu_with_noise_out_cpu", input, BOOL, INTEGERS, BARE, COMPLEX, HALF_FLOAT)
    x = input.astype(noise.dtype)
    return jnp.where(x <= 0, x * noise, x).astype(input.dtype)


@defvjp(_rrelu_with_noise)
def _(grad: Array, inputs: Any, outputs: Any, inplace: bool) -> Any:
    input, noise = inputs
    # The slopes that PyTorch keeps are halves.
    slopes = jnp.where(input <= 0, rounded(noise, grad.dtype), 1)
    return (grad.astype(noise.dtype) * slopes).astype(grad.dtype), None


@op(promote=DEFAULT, method=False, inplace=True, node=_numbered("RreluWithNoise"))
def _rrelu_mean(input: Array, slope: float, inplace: bool) -> Array:
    """The input, its negative part scaled by the mean slope."""
    refuse("leaky_relu_cpu", input, BOOL, INTEGERS, BARE, COMPLEX)
    return jnp.where(input > 0, input, input * jnp.asarray(slope, input.dtype))


def rrelu_drawn(
    input: Tensor, lower: float, upper: float, training: bool, inplace: bool, source: Generator | None
) -> Tensor:
    """`rrelu` with numbers from a generator, None being the default one."""
    check(lower <= upper, "Lower bound should be less than or equal to the upper bound")
    if not training:
        return _pick(inplace, _rrelu_mean, input, (lower + upper) / 2, inplace)
    geometry, device = dispatch.geometry_of(input), dispatch.device_of(input)
    kind = dtypes.float64 if geometry.dtype is dtypes.float64 else dtypes.float32
    law = uniform(lower, upper)
    if geometry.dtype.is_floating_point and on_host(device) and (seen := seen_on_host(input)) is not None:
        law = law._replace(host=_slopes(seen.reshape(-1) <= 0, lower, upper, kind.np))
    values = draw(law, source, device, geometry.size, kind)
    return _pick(inplace, _rrelu_with_noise, input, dispatch.wrap(values), inplace)


def _slopes(chosen: Host, lower: float, upper: float, bounds: Any) -> Callable[[Generator, int, Any, bool], Host]:
    """Slopes of the elements that get one, in double precision as PyTorch draws them; 1 for the others."""
    low, high = float(np.asarray(lower).astype(bounds)), float(np.asarray(upper).astype(bounds))

    def host(source: Generator, count: int, kind: Any, contiguous: bool) -> Host:
        slopes = np.ones(count, kind)
        slopes[chosen] = uniform53(source, int(chosen.sum())) * (high - low) + low
        return slopes

    return host


@composite
def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return ``input`` where it is positive, elsewhere scaled: by the mean of the bounds, or while training at random.

    >>> torch.nn.functional.rrelu(torch.tensor([-1., 2.]), 0.25, 0.25)
    tensor([-0.2500,  2.0000])
    """
    return rrelu_drawn(input, lower, upper, training, inplace, None)


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
