"""The methods that fill a tensor with random numbers: ``uniform_``, ``normal_``, ``random_``, ``bernoulli_`` ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from torchlike._core import dispatch, keyed, samplers
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, not_implemented, scalar_type, type_name
from torchlike._core.op import composite
from torchlike._core.tensor_state import TensorBase
from torchlike.ops import _laws
from torchlike.ops._bounded import check_normal, check_uniform, random_range
from torchlike.ops._laws import Law
from torchlike.ops.sampling import _gaussian, bernoulli_law, check_bernoulli_dtypes, check_probability, integer

__all__: list[str] = []

Tensor = Any

_REAL = ("float16", "bfloat16", "float32", "float64")
_MISSING: Any = object()


def _number(function: str, name: str, position: int, value: Any) -> float:
    """A float argument, also from a tensor with one element; TypeError with PyTorch's words otherwise."""
    if isinstance(value, TensorBase) and not dispatch.shape_of(value):
        return float(np.asarray(dispatch.array_of(value)))
    if not isinstance(value, (int, float, np.number)):
        raise TypeError(
            f"{function}(): argument '{name}' (position {position}) must be float, not {type(value).__name__}"
        )
    return float(value)


def _from(function: str, given: Any, named: dict[str, Any], default: Any) -> Any:
    """The argument that PyTorch calls ``from``, which Python can only pass by position or as ``**{"from": ...}``."""
    unexpected = [name for name in named if name != "from"]
    if unexpected:
        raise TypeError(f"{function}() got an unexpected keyword argument '{unexpected[0]}'")
    if given is _MISSING:
        return named.get("from", default)
    if named:
        raise TypeError(f"{function}() got multiple values for argument 'from'")
    return given


def _state(self: Tensor) -> tuple[dtypes.dtype, bool]:
    """The dtype of a tensor, and whether it is empty: PyTorch checks less of those."""
    geometry = dispatch.geometry_of(self)
    return geometry.dtype, geometry.numel == 0


@composite(method="only")
def uniform_(self: Tensor, from_: Any = _MISSING, to: Any = 1.0, *, generator: Any = None, **named: Any) -> Tensor:
    """Fill the tensor with numbers drawn uniformly from [from, to); returns the tensor.

    Raises RuntimeError where ``from`` exceeds ``to`` or the range does not fit the dtype.

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).uniform_(-1, 1)
    tensor([-0.0075,  0.5364, -0.8230])
    """
    low = _number("uniform_", "from", 1, _from("uniform_", from_, named, 0.0))
    high = _number("uniform_", "to", 2, to)
    stream = _laws.generator_argument("uniform_", generator)
    check_uniform(dispatch.geometry_of(self).dtype, low, high)
    return _laws.fill(self, "UniformBackward0", _laws.uniform(low, high), stream)


@composite(method="only")
def normal_(self: Tensor, mean: Any = 0.0, std: Any = 1.0, *, generator: Any = None) -> Tensor:
    """Fill the tensor with normal numbers of a mean and a standard deviation; returns the tensor.

    Raises RuntimeError for a negative ``std``.

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).normal_(2, 0.5)
    tensor([2.7705, 1.8533, 0.9106])
    """
    centre, deviation = _number("normal_", "mean", 1, mean), _number("normal_", "std", 2, std)
    stream = _laws.generator_argument("normal_", generator)
    dtype, empty = _state(self)
    check_normal(dtype, deviation, empty)
    return _laws.fill(self, "NormalBackward0", _gaussian(centre, deviation, dtype), stream)


@composite(method="only")
def random_(self: Tensor, from_: Any = _MISSING, to: Any = _MISSING, *, generator: Any = None, **named: Any) -> Tensor:
    """Fill the tensor with integers; returns the tensor.

    ``random_(to)`` draws from 0 on, ``random_(from, to)`` from there; ``to`` itself is not drawn. Without it the range
    ends at the dtype's largest integer (of floating types: the largest up to which they have them all). Raises
    RuntimeError where the range is empty or does not fit the dtype.

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(4, dtype=torch.int64).random_(10)
    tensor([4, 9, 3, 0])
    """
    stream = _laws.generator_argument("random_", generator)
    dtype = dispatch.geometry_of(self).dtype
    first = _from("random_", from_, named, _MISSING)
    if first is _MISSING and to is _MISSING:
        return _laws.fill(self, "RandomBackward2", _whole_range(dtype), stream)
    label = "RandomBackward0"
    if to is _MISSING and "from" not in named:
        first, to, label = 0, first, "RandomBackward1"
    elif first is _MISSING:
        first, label = 0, "RandomBackward1"
    low = integer("random_", "from", 1, first)
    high = None if to is None or to is _MISSING else integer("random_", "to", 2, to)
    return _laws.fill(self, label, _laws.integers(*random_range(dtype, low, high)), stream)


def _whole_range(dtype: dtypes.dtype) -> Law:
    if dtype.is_complex or dtype.name.startswith(("uint16", "uint32", "uint64", "float8")):
        not_implemented("random_kernel_cpu", dtype)
    _, size = random_range(dtype, 0, None)
    return Law(lambda g, n, d, _: samplers.random(g, n, d), keyed.integers, (0, np.uint64(size)))


@composite(method="only")
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill the tensor with ones, of probability ``p``, and zeros; returns the tensor.

    ``p`` is a number or a tensor that can be expanded to this one's size. Raises RuntimeError outside of [0, 1].

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(5).bernoulli_(0.5)
    tensor([0., 0., 1., 0., 0.])
    """
    stream = _laws.generator_argument("bernoulli_", generator)
    dtype, empty = _state(self)
    if isinstance(p, TensorBase):
        size = dispatch.shape_of(self)
        _check_expands(p, size)
        check_bernoulli_dtypes(dtype, dispatch.geometry_of(p).dtype)
        law = bernoulli_law(p, size)
        geometry = dispatch.geometry_of(self)
        if not geometry.is_contiguous:
            law = law._replace(host=_ordered_probabilities(dispatch.array_of(p), size, geometry.stride))
        return _laws.fill(self, "BernoulliBackward1", law, stream, p)
    probability = check_probability(_number("bernoulli_", "p", 1, p))
    if not empty:
        check_bernoulli_dtypes(dtype)
    law = Law(lambda g, n, d, _: samplers.bernoulli(g, n, probability), keyed.bernoulli, (probability,))
    return _laws.fill(self, "BernoulliBackward2", law, stream)


def _ordered_probabilities(array: Any, size: tuple[int, ...], stride: Any) -> Any:
    """Draw in the order of the memory that is filled, with the probabilities in that order too."""

    def host(generator: Any, count: int, dtype: Any, contiguous: bool) -> Any:
        places = _laws.in_memory_order(np.arange(count), size, stride)
        flat = np.empty(count, array.dtype)
        flat[places.ravel()] = np.broadcast_to(np.asarray(array), size).ravel()
        return samplers.bernoulli_each(generator, flat)

    return host


def _check_expands(p: Tensor, size: tuple[int, ...]) -> None:
    own = dispatch.shape_of(p)
    if len(own) > len(size):
        kind = f"torch.{scalar_type(dispatch.geometry_of(p).dtype)}Tensor"
        raise RuntimeError(
            f"expand({kind}{{{list(own)}}}, size={list(size)}): the number of sizes provided ({len(size)}) must be"
            f" greater or equal to the number of dimensions in the tensor ({len(own)})"
        )
    for i in range(1, len(own) + 1):
        if own[-i] not in (1, size[-i]):
            raise RuntimeError(
                f"The expanded size of the tensor ({size[-i]}) must match the existing size ({own[-i]}) at"
                f" non-singleton dimension {len(size) - i}.  Target sizes: {list(size)}.  Tensor sizes: {list(own)}"
            )


@composite(method="only")
def exponential_(self: Tensor, lambd: Any = 1.0, *, generator: Any = None) -> Tensor:
    """Fill the tensor with numbers drawn from the exponential distribution of a rate; returns the tensor.

    Raises RuntimeError for rates that are not positive.

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).exponential_(2)
    tensor([1.7542, 0.6152, 0.3075])
    """
    rate = _number("exponential_", "lambd", 1, lambd)
    stream = _laws.generator_argument("exponential_", generator)
    check(rate > 0, f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    dtype, empty = _state(self)
    if not empty and dtype.name not in _REAL:
        if dtype.is_floating_point:
            not_implemented("exponential_cpu", dtype)
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you"
            f" specified {scalar_type(dtype)}"
        )
    law = Law(lambda g, n, d, _: samplers.exponential(g, n, d, rate), keyed.exponential, (rate,))
    return _laws.fill(self, "ExponentialBackward0", law, stream)


@composite(method="only")
def geometric_(self: Tensor, p: Any, *, generator: Any = None) -> Tensor:
    """Fill the tensor with the numbers of trials up to the first success of probability ``p``; returns the tensor.

    Raises RuntimeError for a ``p`` that does not lie between 0 and 1.

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(4).geometric_(0.3)
    tensor([1., 1., 3., 1.])
    """
    probability = _number("geometric_", "p", 1, p)
    stream = _laws.generator_argument("geometric_", generator)
    check(0 < probability < 1, f"geometric_ expects p to be in (0, 1), but got p={probability:g}")
    dtype, empty = _state(self)
    refused = (
        dtype.is_complex or dtype is dtypes.bool or dtype.name.startswith(("uint16", "uint32", "uint64", "float8"))
    )
    if not empty and refused:
        not_implemented("geometric_cpu", dtype)
    law = Law(lambda g, n, d, _: samplers.geometric(g, n, d, probability), keyed.geometric, (probability,))
    return _laws.fill(self, "GeometricBackward0", law, stream)


@composite(method="only")
def cauchy_(self: Tensor, median: Any = 0.0, sigma: Any = 1.0, *, generator: Any = None) -> Tensor:
    """Fill the tensor with numbers drawn from the Cauchy distribution; returns the tensor.

    Raises RuntimeError for a ``sigma`` that is not positive, and for integer tensors.

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).cauchy_()
    tensor([10.5977,  0.7648, -0.1283])
    """
    centre, scale = _number("cauchy_", "median", 1, median), _number("cauchy_", "sigma", 2, sigma)
    stream = _laws.generator_argument("cauchy_", generator)
    check(scale > 0, f"cauchy_ expects sigma > 0.0, but found sigma={scale:g}")
    dtype, empty = _state(self)
    check(
        dtype.is_floating_point,
        "Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you specified"
        f" {type_name(dtype)}",
    )
    if not empty and dtype.name not in _REAL:
        not_implemented("cauchy_cpu", dtype)
    law = Law(lambda g, n, d, _: samplers.cauchy(g, n, d, centre, scale), keyed.cauchy, (centre, scale))
    return _laws.fill(self, "CauchyBackward0", law, stream)


@composite(method="only")
def log_normal_(self: Tensor, mean: Any = 1.0, std: Any = 2.0, *, generator: Any = None) -> Tensor:
    """Fill the tensor with numbers whose logarithms are normal with a mean and a deviation; returns the tensor.

    Raises RuntimeError for a ``std`` that is not positive.

    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).log_normal_(0, 1)
    tensor([4.6692, 0.7457, 0.1132])
    """
    centre, deviation = _number("log_normal_", "mean", 1, mean), _number("log_normal_", "std", 2, std)
    stream = _laws.generator_argument("log_normal_", generator)
    check(deviation > 0, f"log_normal_ expects std > 0.0, but found std={deviation:g}")
    dtype, empty = _state(self)
    if not empty and dtype.name not in _REAL:
        not_implemented("log_normal_cpu", dtype)
    law = Law(lambda g, n, d, _: samplers.log_normal(g, n, d, centre, deviation), keyed.log_normal, (centre, deviation))
    return _laws.fill(self, "LogNormalBackward0", law, stream)
