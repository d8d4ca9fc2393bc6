"""``torch.nn.init``: fill parameters with their first values. For a seed, the values on the CPU are PyTorch's.

Every function writes into the tensor it is given, without recording the write, and returns that tensor.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from torchlike._core import dispatch, override
from torchlike._core.errors import not_implemented
from torchlike._core.generator import Generator
from torchlike._core.tensor_state import modes
from torchlike.autograd import no_grad
from torchlike.ops.create import empty_like
from torchlike.ops.masked import where
from torchlike.ops.sampling import randperm

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

Tensor = Any

_GAINS = {"sigmoid": 1, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
_LINEAR = ("linear", *(f"conv{way}{n}d" for way in ("", "_transpose") for n in (1, 2, 3)))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which a nonlinearity asks for larger initial weights; ``param`` is leaky_relu's slope.

    Raises ValueError for names that PyTorch does not know and for a slope that is no number.

    >>> torch.nn.init.calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise ValueError(f"negative_slope {param} not a valid number")
    return math.sqrt(2.0 / (1 + slope**2))


def _overridden(function: Callable[..., Any], tensor: Any, **arguments: Any) -> tuple[bool, Any]:
    """Give a foreign tensor class the first say."""
    found = override.overloaded((tensor,))
    if not found and not (modes.function_modes and modes.function_disabled != override.EVERYTHING):
        return False, None
    return True, override.ask(function, (), {"tensor": tensor, **arguments}, found)


# ---------------------------------------------------------------------------------------------------------------------
# One distribution or value


@no_grad()
def _uniform(tensor: Tensor, low: float, high: float, generator: Generator | None) -> Tensor:
    return tensor.uniform_(low, high, generator=generator)


@no_grad()
def _normal(tensor: Tensor, mean: float, std: float, generator: Generator | None) -> Tensor:
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def _fill(tensor: Tensor, value: float) -> Tensor:
    return tensor.fill_(value)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill the tensor uniformly from [a, b).

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.uniform_(torch.empty(3), -1, 1)
    tensor([-0.0075,  0.5364, -0.8230])
    """
    handled, result = _overridden(uniform_, tensor, a=a, b=b, generator=generator)
    return result if handled else _uniform(tensor, a, b, generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill the tensor with normal numbers.

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.normal_(torch.empty(3))
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    handled, result = _overridden(normal_, tensor, mean=mean, std=std, generator=generator)
    return result if handled else _normal(tensor, mean, std, generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill the tensor with normal numbers that lie within [a, b]: those outside are drawn again.

    Where hardly any would lie inside, uniform numbers are drawn and kept in proportion to the density instead. Warns
    where the mean lies more than two deviations outside.

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.trunc_normal_(torch.empty(3))
    tensor([ 1.5410, -0.2934, -1.3986])
    """
    if tensor.is_meta:
        return tensor
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )

    def below(x: float) -> float:
        return (1.0 + math.erf((x - mean) / std / math.sqrt(2.0))) / 2.0

    with no_grad():
        if below(b) - below(a) > 0.3:
            low, high = (tensor.new_full((), bound).item() for bound in (a, b))

            def propose(target: Tensor) -> tuple[Tensor, Tensor]:
                target.normal_(mean, std, generator=generator)
                return target, (target < low) | (target > high)
        else:
            peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

            def propose(target: Tensor) -> tuple[Tensor, Tensor]:
                target.uniform_(a, b, generator=generator)
                density = target.clone().sub_(mean).div_(std).pow_(2).mul_(-0.5).sub_(peak)
                return target, empty_like(target).uniform_(generator=generator).log_() > density

        _, refused = propose(tensor)
        if not refused.any():
            return tensor
        result = tensor
        while True:
            proposed, again = propose(empty_like(tensor))
            result = where(refused, proposed, result)
            refused = refused & again
            if not refused.any():
                return tensor.copy_(result)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill the tensor with one value.

    >>> torch.nn.init.constant_(torch.empty(3), 0.5)
    tensor([0.5000, 0.5000, 0.5000])
    """
    handled, result = _overridden(constant_, tensor, val=val)
    return result if handled else _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill the tensor with ones.

    >>> torch.nn.init.ones_(torch.empty(2))
    tensor([1., 1.])
    """
    return _fill(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill the tensor with zeros.

    >>> torch.nn.init.zeros_(torch.empty(2))
    tensor([0., 0.])
    """
    return _fill(tensor, 0.0)


# ---------------------------------------------------------------------------------------------------------------------
# Identities


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: ones on the diagonal, zeros elsewhere.

    Raises ValueError for other than matrices.

    >>> torch.nn.init.eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    tensor.zero_()
    tensor.diagonal().fill_(1)
    return tensor


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution so that it passes on its input channels, as many as there are, in each group.

    Raises ValueError for other than 3 to 5 dimensions, and where the channels do not divide into the groups.

    >>> torch.nn.init.dirac_(torch.empty(1, 2, 3))
    tensor([[[0., 1., 0.],
             [0., 0., 0.]]])
    """
    if tensor.ndimension() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    channels, _, *kernel = tensor.size()
    if channels % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    if tensor.is_meta:
        return tensor
    tensor.zero_()
    centre = tensor[(slice(None), slice(None), *(n // 2 for n in kernel))]
    per_group = channels // groups
    for group in range(groups):
        centre[group * per_group : (group + 1) * per_group].diagonal().fill_(1)
    return tensor


# ---------------------------------------------------------------------------------------------------------------------
# Scaled to the number of connections


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """The numbers of inputs that reach an output, and of outputs that an input reaches."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    outputs, inputs, *kernel = tensor.shape
    area = math.prod(kernel)
    return inputs * area, outputs * area


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill uniformly with the variance ``2 * gain**2 / (inputs + outputs)`` (Glorot and Bengio, 2010).

    Raises ValueError for fewer than two dimensions.

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.xavier_uniform_(torch.empty(2, 3))
    tensor([[-0.0082,  0.5876, -0.9016],
            [-0.8062, -0.4219,  0.2938]])
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))
    bound = math.sqrt(3.0) * std
    return _uniform(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers of the variance ``2 * gain**2 / (inputs + outputs)`` (Glorot and Bengio, 2010).

    Raises ValueError for fewer than two dimensions.

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.xavier_normal_(torch.empty(1, 2))
    tensor([[ 1.2582, -0.2396]])
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return _normal(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill uniformly with the variance ``gain**2 / fan`` (He and others, 2015).

    ``mode`` says whether the inputs ("fan_in") or the outputs ("fan_out") count, ``a`` is the slope of a leaky_relu.
    Raises ValueError for fewer than two dimensions and for unknown names; warns where there is nothing to fill.

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.kaiming_uniform_(torch.empty(1, 4))
    tensor([[-0.0092,  0.6570, -1.0080, -0.9013]])
    """
    handled, result = _overridden(
        kaiming_uniform_, tensor, a=a, mode=mode, nonlinearity=nonlinearity, generator=generator
    )
    if handled:
        return result
    if 0 in tensor.shape:
        return _nothing(tensor)
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return _uniform(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal numbers of the variance ``gain**2 / fan`` (He and others, 2015); arguments as kaiming_uniform_.

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.kaiming_normal_(torch.empty(1, 4))
    tensor([[ 1.0896, -0.2075, -1.5406,  0.4019]])
    """
    if 0 in tensor.shape:
        return _nothing(tensor)
    return _normal(tensor, 0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _nothing(tensor: Tensor) -> Tensor:
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return tensor


# ---------------------------------------------------------------------------------------------------------------------
# Matrices with a structure


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a matrix whose rows, or whose columns where there are more rows, are orthonormal, times ``gain``.

    Dimensions after the second count as columns. Raises ValueError for fewer than two dimensions.

    >>> _ = torch.manual_seed(0)
    >>> w = torch.nn.init.orthogonal_(torch.empty(3, 5))
    >>> torch.allclose(w @ w.t(), torch.eye(3), atol=1e-6)
    True
    """
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    rows = tensor.size(0)
    columns = tensor.numel() // rows
    dtype = tensor.dtype
    flat = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
    if dtype.name not in ("float32", "float64", "complex64", "complex128"):
        not_implemented("geqrf_cpu", dtype)
    matrix = dispatch.array_of(flat)
    q, r = jnp.linalg.qr(matrix.T if rows < columns else matrix)
    q = q * dispatch.array_of(dispatch.wrap(jnp.diagonal(r)).sign())
    with no_grad():
        tensor.copy_(dispatch.wrap((q.T if rows < columns else q).reshape(tensor.shape)))
        return tensor.mul_(gain)


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with normal numbers, and that share of each column with zeros, at places drawn by chance.

    The places come from the default generator whatever ``generator`` is. Raises ValueError for other than matrices.

    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.sparse_(torch.empty(3, 4), sparsity=0.5).count_nonzero().item()
    4
    """
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if tensor.is_meta:
        return tensor
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[randperm(rows)[:zeros], column] = 0
    return tensor


# ---------------------------------------------------------------------------------------------------------------------
# The names of old


def _deprecated(function: Callable[..., Any]) -> Callable[..., Any]:
    new = function.__name__
    old = new[:-1]

    def renamed(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"Do what ``{new}`` does, with a FutureWarning: this is its name of old."
    return renamed


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
