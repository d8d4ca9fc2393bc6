"""Activation functions."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike import ops
from torchlike._core import errors
from torchlike._core.dtype import dtype as Dtype
from torchlike._core.errors import check
from torchlike._core.halves import rounded
from torchlike._core.op import DEFAULT, Array, composite, defvjp, op
from torchlike._core.warn import warn
from torchlike.nn.functional._shared import expect_tensor, ndim, no_complex_gradient
from torchlike.ops._arrays import widened
from torchlike.ops._checks import BARE, BOOL, COMPLEX, INTEGERS, refuse

__all__ = [
    "celu",
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
]

Tensor = Any

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _floats(kernel: str, input: Array) -> None:
    refuse(kernel, input, BOOL, INTEGERS, BARE, COMPLEX)


def _pick(inplace: bool, function: Any, *args: Any) -> Any:
    """Call an operator, or its in-place twin."""
    return function.op.inplace_function(*args) if inplace else function(*args)


def _numbered(name: str) -> Any:
    """The node of an operator whose in-place form has one of its own."""
    return lambda pattern, inplace, **_: f"{name}Backward{int(inplace)}"


# ---------------------------------------------------------------------------------------------------------------------
# Pieces of straight lines


@composite
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``max(input, 0)`` elementwise; ``inplace`` writes it into ``input``.

    >>> torch.nn.functional.relu(torch.tensor([-1., 2.]))
    tensor([0., 2.])
    """
    return ops.relu.op.inplace_function(input) if inplace else ops.relu(input)


@composite
def relu_(input: Tensor) -> Tensor:
    """In-place version of `relu`."""
    return ops.relu.op.inplace_function(input)


@op(promote=DEFAULT, method=False, inplace=True, node="HardtanhBackward0")
def _hardtanh(input: Array, min_val: float, max_val: float) -> Array:
    """The input between two bounds; its gradient is 0 at the bounds too."""
    if input.dtype == jnp.bool_:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if jnp.issubdtype(input.dtype, jnp.complexfloating):
        raise NotImplementedError("clamp is not supported for complex types")
    if not jnp.issubdtype(input.dtype, jnp.floating):
        min_val, max_val = int(min_val), int(max_val)
        unsigned = jnp.issubdtype(input.dtype, jnp.unsignedinteger)
        check(not (unsigned and min_val < 0), "cannot do hardtanh on an unsigned type with negative limits")
    low, high = jnp.asarray(min_val, input.dtype), jnp.asarray(max_val, input.dtype)
    return jnp.where(input < low, low, jnp.where(input > high, high, input))


@defvjp(_hardtanh)
def _(grad, inputs, outputs, min_val, max_val):
    (input,) = inputs
    return (jnp.where((input <= min_val) | (input >= max_val), 0, grad),)


@composite
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Return the elements brought between ``min_val`` and ``max_val``; ``inplace`` writes them into ``input``.

    Raises ValueError when the bounds are the wrong way round.

    >>> torch.nn.functional.hardtanh(torch.tensor([-2., 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _pick(inplace, _hardtanh, input, min_val, max_val)


@composite
def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place version of `hardtanh`."""
    return hardtanh(input, min_val, max_val, True)


@composite
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the elements brought between 0 and 6.

    >>> torch.nn.functional.relu6(torch.tensor([-1., 7.]))
    tensor([0., 6.])
    """
    return _pick(inplace, _hardtanh, input, 0, 6)


@op(promote=DEFAULT, method=False, inplace=True, node=_numbered("Threshold"))
def _threshold(input: Array, threshold: float, value: float, inplace: bool) -> Array:
    """The elements above a threshold, a value in place of the others."""
    refuse("threshold_cpu", input, BOOL, BARE, COMPLEX)
    if not jnp.issubdtype(input.dtype, jnp.floating):
        threshold, value = int(threshold), int(value)
    return jnp.where(input <= jnp.asarray(threshold, input.dtype), jnp.asarray(value, input.dtype), input)


@composite
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return the elements above ``threshold``, with ``value`` in place of the others.

    >>> torch.nn.functional.threshold(torch.tensor([0.1, 2.]), 0.5, 9.)
    tensor([9., 2.])
    """
    return _pick(inplace, _threshold, input, threshold, value, inplace)


@composite
def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place version of `threshold`."""
    return _pick(True, _threshold, input, threshold, value, True)


@op(promote=DEFAULT, method=False, inplace=True, node=_numbered("LeakyRelu"))
def _leaky_relu(input: Array, negative_slope: float, inplace: bool) -> Array:
    """The input, its negative part scaled."""
    _floats("leaky_relu_cpu", input)
    return jnp.where(input > 0, input, input * jnp.asarray(negative_slope, input.dtype))


@defvjp(_leaky_relu)
def _(grad, inputs, outputs, negative_slope, inplace):
    (input,) = inputs
    return (jnp.where(input > 0, grad, grad * jnp.asarray(negative_slope, grad.dtype)),)


@composite
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return ``input`` where it is positive, ``negative_slope * input`` elsewhere.

    >>> torch.nn.functional.leaky_relu(torch.tensor([-1., 2.]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    return _pick(inplace, _leaky_relu, input, negative_slope, inplace)


@composite
def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """In-place version of `leaky_relu`."""
    return _pick(True, _leaky_relu, input, negative_slope, True)


@op(promote=DEFAULT, method=False, node="PreluKernelBackward0")
def _prelu_kernel(input: Array, weight: Array) -> Array:
    """The input, its negative part scaled by weights of its own shape."""
    return jnp.where(input > 0, input, input * weight)


@composite
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return ``input`` where it is positive, ``weight * input`` elsewhere; one weight, or one a channel (dimension 1).

    Raises RuntimeError for a number of weights that is neither.

    >>> torch.nn.functional.prelu(torch.tensor([-1., 2.]), torch.tensor([0.25]))
    tensor([-0.2500,  2.0000])
    """
    expect_tensor("prelu", "input", 1, input)
    expect_tensor("prelu", "weight", 2, weight)
    kinds = input.dtype, weight.dtype
    check(
        kinds[0] is kinds[1],
        f"prelu: Type promoting not supported. Got {errors.scalar_type(kinds[0])} and {errors.scalar_type(kinds[1])}",
    )
    dims, count = ndim(input), weight.numel()
    if count != 1:
        check(dims > 0, "Not allow zero-dim input tensor.")
        channels = input.size(1) if dims > 1 else 1
        check(
            channels == count,
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel size"
            f" = {channels}.",
        )
    check(
        ndim(weight) <= 1,
        f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {ndim(weight)}",
    )
    if ndim(weight) == 1:
        weight = weight.reshape([count if d == 1 else 1 for d in range(dims)] if dims > 1 else [1] * dims)
    return _prelu_kernel(input, weight)


@op(promote=DEFAULT)
def hardshrink(input: Array, lambd: float = 0.5) -> Array:
    """Return the elements whose magnitude is above ``lambd``, 0 in place of the others.

    >>> torch.nn.functional.hardshrink(torch.tensor([0.3, -0.7]))
    tensor([ 0.0000, -0.7000])
    """
    _floats("hardshrink_cpu", input)
    bound = jnp.asarray(lambd, input.dtype)
    return jnp.where((input >= -bound) & (input <= bound), 0, input)


@op(promote=DEFAULT, method=False)
def softshrink(input: Array, lambd: float = 0.5) -> Array:
    """Return the elements moved towards 0 by ``lambd``, those within it becoming 0.

    Raises RuntimeError for a negative ``lambd``.

    >>> torch.nn.functional.softshrink(torch.tensor([0.3, -0.7]))
    tensor([ 0.0000, -0.2000])
    """
    _floats("softshrink_check", input)
    check(
        lambd >= 0,
        f"lambda must be in range [0, 3.40282e+38] for input dtype {errors.scalar_type(input.dtype)}, but found"
        f" {lambd:g}",
    )
    bound = jnp.asarray(lambd, input.dtype)
    return jnp.where(input > bound, input - bound, jnp.where(input < -bound, input + bound, input * 0))


@defvjp(softshrink)
def _(grad, inputs, outputs, lambd):
    (input,) = inputs
    return (jnp.where((input >= -lambd) & (input <= lambd), 0, grad),)


@op(promote=DEFAULT, method=False, inplace=True, node="HardsigmoidBackward0")
def _hardsigmoid(input: Array) -> Array:
    """``relu6(input + 3) / 6``."""
    _floats("hardsigmoid_cpu", input)
    return jnp.clip(input + 3, 0, 6) / 6


@defvjp(_hardsigmoid)
def _(grad, inputs, outputs):
    (input,) = inputs
    sixth = jnp.asarray(np.float32(1) / np.float32(6), grad.dtype)  # in every precision the one of float32
    return (jnp.where((input > -3) & (input < 3), grad * sixth, 0),)


@composite
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``relu6(input + 3) / 6``.

    >>> torch.nn.functional.hardsigmoid(torch.tensor([-4., 0., 4.]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _pick(inplace, _hardsigmoid, input)


@op(promote=DEFAULT, method=False, inplace=True, node="HardswishBackward0")
def _hardswish(input: Array) -> Array:
    """``input * relu6(input + 3) / 6``."""
    _floats("hardswish_cpu", input)
    return input * jnp.clip(input + 3, 0, 6) / 6


@defvjp(_hardswish)
def _(grad, inputs, outputs):
    (input,) = inputs
    inner = grad * ((input / 3) + 0.5)
    return (jnp.where(input <= -3, 0, jnp.where(input < 3, inner, grad)),)


@composite
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * relu6(input + 3) / 6``.

    >>> torch.nn.functional.hardswish(torch.tensor([-4., 3.]))
    tensor([-0., 3.])
    """
    return _pick(inplace, _hardswish, input)


# ---------------------------------------------------------------------------------------------------------------------
# Exponentials


@op(promote=DEFAULT, method=False, inplace=True, node=_numbered("Elu"))
def _elu(input: Array, alpha: float, scale: float, inplace: bool) -> Array:
    """``scale * input`` above 0, ``scale * alpha * (exp(input) - 1)`` below."""
    _floats("elu_cpu", input)
    factor = jnp.asarray(alpha * scale, input.dtype)
    negative = jnp.expm1(jnp.minimum(input, 0)) * factor
    return jnp.where(input <= 0, negative, input * jnp.asarray(scale, input.dtype))


@defvjp(_elu)
def _(grad, inputs, outputs, alpha, scale, inplace):
    (input,) = inputs
    factor = jnp.asarray(alpha * scale, grad.dtype)
    return (
        jnp.where(input <= 0, grad * factor * jnp.exp(jnp.minimum(input, 0)), grad * jnp.asarray(scale, grad.dtype)),
    )


@composite
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``input`` above 0 and ``alpha * (exp(input) - 1)`` below.

    >>> torch.nn.functional.elu(torch.tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
    """
    return _pick(inplace, _elu, input, alpha, 1.0, inplace)


@composite
def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place version of `elu`."""
    return _pick(True, _elu, input, alpha, 1.0, True)


@composite
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return `elu` scaled so that mean 0 and variance 1 are kept from layer to layer.

    >>> torch.nn.functional.selu(torch.tensor([-1., 2.]))
    tensor([-1.1113,  2.1014])
    """
    return _pick(inplace, _elu, input, _SELU_ALPHA, _SELU_SCALE, inplace)


@composite
def selu_(input: Tensor) -> Tensor:
    """In-place version of `selu`."""
    return selu(input, True)


@op(promote=DEFAULT, method=False, inplace=True, node=_numbered("Celu"))
def _celu(input: Array, alpha: float, inplace: bool) -> Array:
    """``input`` above 0, ``alpha * (exp(input / alpha) - 1)`` below."""
    _floats("elu_cpu", input)
    a = jnp.asarray(alpha, input.dtype)
    return jnp.where(input <= 0, jnp.expm1(jnp.where(input <= 0, input, 0) / a) * a, input)


@composite
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``max(input, 0) + min(0, alpha * (exp(input / alpha) - 1))``. Raises RuntimeError for an ``alpha`` of 0.

    >>> torch.nn.functional.celu(torch.tensor([-1., 2.]), 2.)
    tensor([-0.7869,  2.0000])
    """
    check(alpha != 0, "ZeroDivisionError: alpha cannot be 0 for CELU")
    return _pick(inplace, _celu, input, alpha, inplace)


@composite
def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place version of `celu`."""
    return celu(input, alpha, True)


@op(promote=DEFAULT, method=False)
def gelu(input: Array, *, approximate: str = "none") -> Array:
    """Return ``input`` times the normal distribution's cumulative function of it, exact or by a tanh ("tanh").

    Raises RuntimeError for another ``approximate``.

    >>> torch.nn.functional.gelu(torch.tensor([-1., 2.]))
    tensor([-0.1587,  1.9545])
    """
    check(approximate in ("none", "tanh"), "approximate argument must be either none or tanh.")
    _floats("GeluKernelImpl", input)
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (input + 0.044715 * input * input * input)
        return 0.5 * input * (1 + jnp.tanh(inner))
    return input * 0.5 * (1 + lax.erf(input * math.sqrt(0.5)))


@op(promote=DEFAULT, method=False, inplace=True, node="SiluBackward0")
def _silu(input: Array) -> Array:
    """``input * sigmoid(input)``."""
    refuse("silu_cpu", input, BOOL, INTEGERS, BARE)
    return input / (1 + jnp.exp(-input))


@defvjp(_silu)
def _(grad, inputs, outputs):
    (input,) = inputs
    s = 1 / (1 + jnp.exp(-input))
    return (grad * s * (1 + input * (1 - s)),)


@composite
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * sigmoid(input)``.

    >>> torch.nn.functional.silu(torch.tensor([-1., 2.]))
    tensor([-0.2689,  1.7616])
    """
    no_complex_gradient("silu", input)
    return _pick(inplace, _silu, input)


def _log1p_exp(x: Array) -> Array:
    return jnp.logaddexp(x, jnp.zeros((), x.dtype))


@op(promote=DEFAULT, method=False, inplace=True, node="MishBackward0")
def _mish(input: Array) -> Array:
    """``input * tanh(log(1 + exp(input)))``."""
    _floats("mish_cpu", input)
    return input * jnp.tanh(_log1p_exp(input))


@defvjp(_mish)
def _(grad, inputs, outputs):
    (input,) = inputs
    t = jnp.tanh(_log1p_exp(input))
    return (grad * (t + input * jax.nn.sigmoid(input) * (1 - t * t)),)


@composite
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * tanh(softplus(input))``.

    >>> torch.nn.functional.mish(torch.tensor([-1., 2.]))
    tensor([-0.3034,  1.9440])
    """
    return _pick(inplace, _mish, input)


def _opmath(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


@op(method=False, node="LogSigmoidBackward0", out=True)
def logsigmoid(input: Array) -> Array:
    """Return ``log(sigmoid(input))``, computed without overflow.

    >>> torch.nn.functional.logsigmoid(torch.tensor([-1., 2.]))
    tensor([-1.3133, -0.1269])
    """
    _floats("log_sigmoid_cpu", input)
    x = _opmath(input)
    return (jnp.minimum(x, 0) - jnp.log1p(jnp.exp(-jnp.abs(x)))).astype(input.dtype)


@defvjp(logsigmoid)
def _(grad, inputs, outputs):
    (input,) = inputs
    x, g = _opmath(input), _opmath(grad)
    z = jnp.exp(-jnp.abs(x))
    return (g * jnp.where(x < 0, 1 / (1 + z), z / (1 + z)),)


@op(promote=DEFAULT, method=False)
def softplus(input: Array, beta: float = 1, threshold: float = 20) -> Array:
    """Return ``log(1 + exp(beta * input)) / beta``; where ``beta * input`` exceeds ``threshold``, ``input`` itself.

    >>> torch.nn.functional.softplus(torch.tensor([-1., 100.]))
    tensor([  0.3133, 100.0000])
    """
    _floats("softplus_cpu", input)
    scaled = input * jnp.asarray(beta, input.dtype)
    above = scaled > threshold
    return jnp.where(above, input, jnp.log1p(jnp.exp(jnp.where(above, 0, scaled))) / jnp.asarray(beta, input.dtype))


@op(method=False)
def glu(input: Array, dim: int = -1) -> Array:
    """Return the first half of ``input`` along ``dim`` times the sigmoid of the second.

    Raises RuntimeError when the size of the dimension is odd.

    >>> torch.nn.functional.glu(torch.tensor([1., 2., 0., 0.]))
    tensor([0.5000, 1.0000])
    """
    check(input.ndim > 0, "glu does not support scalars because halving size must be even")
    dim = errors.wrap_dim(dim, input.ndim)
    size = input.shape[dim]
    check(size % 2 == 0, f"Halving dimension must be even, but dimension {dim} is size {size}")
    _floats("glu_cpu", input)
    wide = input.astype(jnp.float32) if input.dtype in (jnp.float16, jnp.bfloat16) else input
    first, second = jnp.split(wide, 2, axis=dim)
    return (first * jax.nn.sigmoid(second)).astype(input.dtype)


@defvjp(glu)
def _(grad, inputs, outputs, dim):
    (input,) = inputs
    g, x = widened(grad), widened(input)
    first, second = jnp.split(x, 2, axis=errors.wrap_dim(dim, input.ndim))
    gate = rounded(jax.nn.sigmoid(second), input.dtype)
    return (jnp.concatenate([g * gate, (1 - gate) * gate * g * first], errors.wrap_dim(dim, input.ndim)),)


@composite
def tanh(input: Tensor) -> Tensor:
    """Return the hyperbolic tangent elementwise.

    >>> torch.nn.functional.tanh(torch.tensor([0.5]))
    tensor([0.4621])
    """
    return ops.tanh(input)


@composite
def sigmoid(input: Tensor) -> Tensor:
    """Return ``1 / (1 + exp(-input))`` elementwise.

    >>> torch.nn.functional.sigmoid(torch.tensor([0.]))
    tensor([0.5000])
    """
    return ops.sigmoid(input)


@composite
def tanhshrink(input: Tensor) -> Tensor:
    """Return ``input - tanh(input)``.

    >>> torch.nn.functional.tanhshrink(torch.tensor([1.]))
    tensor([0.2384])
    """
    return input - input.tanh()


@composite
def softsign(input: Tensor) -> Tensor:
    """Return ``input / (1 + abs(input))``.

    >>> torch.nn.functional.softsign(torch.tensor([-1.]))
    tensor([-0.5000])
    """
    return input / (input.abs() + 1)


# ---------------------------------------------------------------------------------------------------------------------
# Softmax


def _softmax_dim(name: str, dims: int, stacklevel: int) -> int:
    """The dimension that a call without ``dim`` means, with PyTorch's warning."""
    warn(f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.")
    return 0 if dims in (0, 1, 3) else 1


@composite
def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None) -> Tensor:
    """Return ``exp(input) / sum(exp(input))`` along ``dim``; with ``dtype`` the input is converted first.

    >>> torch.nn.functional.softmax(torch.tensor([0., 0.]), dim=0)
    tensor([0.5000, 0.5000])
    """
    if dim is None:
        dim = _softmax_dim("softmax", ndim(input), _stacklevel + 1)
    return ops.softmax(input, dim) if dtype is None else ops.softmax(input, dim, dtype)


@composite
def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None) -> Tensor:
    """Return `softmax` of ``-input``.

    >>> torch.nn.functional.softmin(torch.tensor([0., 0.]), dim=0)
    tensor([0.5000, 0.5000])
    """
    if dim is None:
        dim = _softmax_dim("softmin", ndim(input), _stacklevel + 1)
    return ops.softmax(-input, dim) if dtype is None else ops.softmax(-input, dim, dtype)


@composite
def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None) -> Tensor:
    """Return ``log(softmax(input, dim))``, computed without overflow.

    >>> torch.nn.functional.log_softmax(torch.tensor([0., 0.]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    if dim is None:
        dim = _softmax_dim("log_softmax", ndim(input), _stacklevel + 1)
    return ops.log_softmax(input, dim) if dtype is None else ops.log_softmax(input, dim, dtype)
