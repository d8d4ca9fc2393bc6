"""Random tensors: of a size, in the size of another tensor, and drawn element by element from tensors of parameters.

For a seed, the numbers on the CPU are PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import lax

from torchlike._core import device as devices
from torchlike._core import dispatch, keyed, layout, normals, rejection, samplers
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_int, as_ints
from torchlike._core.errors import broadcast_shapes, check, invalid_combination, not_implemented, scalar_type
from torchlike._core.kernels import Kernel, run
from torchlike._core.op import Array, composite, op
from torchlike._core.promote import promote_types
from torchlike._core.tensor_state import TensorBase
from torchlike.ops import _laws
from torchlike.ops._bounded import check_normal, check_uniform, random_range
from torchlike.ops._examples import per_example
from torchlike.ops._fill import check_number, check_options, check_sizes, dtype_argument, finished, sizes
from torchlike.ops._laws import Law

__all__ = [
    "_sample_dirichlet",
    "_standard_gamma",
    "bernoulli",
    "binomial",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]

Tensor = Any

_UNIT = _laws.uniform(0.0, 1.0)
_STANDARD = _laws.normal(0.0, 1.0)
_STANDARD_COMPLEX = _laws.normal(0.0, 1 / math.sqrt(2))


def _gaussian(mean: float, std: float, dtype: dtypes.dtype) -> Law:
    """Of complex numbers, the real and the imaginary part have half the variance each."""
    if (mean, std) == (0.0, 1.0):
        return _STANDARD_COMPLEX if dtype.is_complex else _STANDARD
    return _laws.normal(mean, std / math.sqrt(2) if dtype.is_complex else std)


# ---------------------------------------------------------------------------------------------------------------------
# Of a size


def _made(
    function: str,
    size: tuple[int, ...],
    law: Any,
    source: Any,
    out: Tensor | None,
    dtype: Any,
    layout_: Any,
    device: Any,
    pin_memory: bool,
    requires_grad: bool,
) -> Tensor:
    """A tensor of samples; ``law`` is a function of its dtype, which may refuse it."""
    stream = _laws.generator_argument(function, source)
    if layout_ is not None or pin_memory:
        check_options(layout_, pin_memory, function)
    check_sizes(size)
    wanted = dtype_argument(function, dtype)
    if out is not None:
        return _laws.into(out, function, size, wanted, law(dispatch.geometry_of(out).dtype), stream)
    if wanted is None:
        wanted = dtypes.get_default_dtype()
    array = _laws.draw(law(wanted), stream, devices.resolve(device), size, wanted)
    return finished(dispatch.wrap(array), requires_grad)


def _unit_law(dtype: dtypes.dtype) -> Law:
    check_uniform(dtype, 0.0, 1.0)
    return _UNIT


def _standard_law(dtype: dtypes.dtype) -> Law:
    check_normal(dtype, 1.0)
    return _gaussian(0.0, 1.0, dtype)


@composite(method=False)
def rand(
    *size: Any,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Return numbers drawn uniformly from [0, 1), of a floating or complex dtype.

    The size is given as ints or as one sequence. Raises NotImplementedError for other dtypes and RuntimeError for
    negative sizes.

    >>> _ = torch.manual_seed(0)
    >>> torch.rand(2, 3)
    tensor([[0.4963, 0.7682, 0.0885],
            [0.1320, 0.3074, 0.6341]])
    """
    shape = sizes("rand", size, named)
    return _made("rand", shape, _unit_law, generator, out, dtype, layout, device, pin_memory, requires_grad)


@composite(method=False)
def randn(
    *size: Any,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Return numbers drawn from the normal distribution with mean 0 and variance 1, of a floating or complex dtype.

    Of a complex number the real and the imaginary part have variance 1/2 each.

    >>> _ = torch.manual_seed(0)
    >>> torch.randn(4)
    tensor([ 1.5410, -0.2934, -2.1788,  0.5684])
    """
    shape = sizes("randn", size, named)
    return _made("randn", shape, _standard_law, generator, out, dtype, layout, device, pin_memory, requires_grad)


@composite(method=False)
def randint(
    *bounds: Any,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Return integers from ``low`` (0 unless given) to ``high - 1``.

    Called as ``randint(high, size)`` or ``randint(low, high, size)``. The dtype is int64 unless given; any integer or
    real floating type will do. Raises RuntimeError where the range is
    empty or does not fit the dtype.

    >>> _ = torch.manual_seed(0)
    >>> torch.randint(3, 10, (2, 2))
    tensor([[7, 6],
            [3, 5]])
    """
    low, high, size = _bounds_and_size("randint", bounds, named)
    shape = as_ints("randint", "size", 2, size)
    wanted = dtype
    if dtype is None and out is None:
        wanted = dtypes.int64

    def law(dtype: dtypes.dtype) -> Law:
        return _laws.integers(*random_range(dtype, low, high))

    return _made("randint", shape, law, generator, out, wanted, layout, device, pin_memory, requires_grad)


def _bounds_and_size(function: str, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, int, Any]:
    """The three arguments of ``randint(high, size)`` and ``randint(low, high, size)``, by position or by name."""
    names = ("low", "high", "size") if len(given) + len(named) >= 3 else ("high", "size")
    fits = len(given) <= len(names) and set(names[len(given) :]) == set(named)
    if not fits:
        invalid_combination(
            function,
            (*given, *named.values()),
            "(int high, tuple of ints size)",
            "(int low, int high, tuple of ints size)",
        )
    values = dict(zip(names, given, strict=False)) | named
    for position, name in enumerate(names[:-1]):
        values[name] = integer(function, name, position + 1, values[name])
    return values.get("low", 0), values["high"], values["size"]


def integer(function: str, name: str, position: int, value: Any) -> int:
    """An int argument, also from a 0-dim integer tensor; TypeError with PyTorch's words otherwise."""
    value = as_int(function, name, position, value)
    check(-(2**63) <= value < 2**63, "Overflow when unpacking long long", ValueError)
    return value


# The largest permutation whose numbers a type tells apart; None: no limit that PyTorch checks.
_LARGEST_PERMUTATION = {"float16": 2**11 + 1, "float32": 2**24 + 1, "float64": 2**53 + 1}


@composite(method=False)
@per_example
def randperm(
    n: int,
    *,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return the integers from 0 to ``n - 1`` in random order, of dtype int64 unless given.

    Raises RuntimeError where the dtype cannot tell so many numbers apart.

    >>> _ = torch.manual_seed(0)
    >>> torch.randperm(4)
    tensor([0, 1, 3, 2])
    """
    count = integer("randperm", "n", 1, n)
    wanted = dtype
    if dtype is None and out is None:
        wanted = dtypes.int64

    def law(dtype: dtypes.dtype) -> Law:
        limit = _LARGEST_PERMUTATION.get(dtype.name)
        if limit is not None:
            check(count <= limit, f"n cannot be greater than {limit} for {scalar_type(dtype)} type.")
        elif not dtype.is_floating_point and not dtype.is_complex and dtype is not dtypes.bool and count:
            check_number(count - 1, dtype)
        if dtype.is_complex or dtype is dtypes.bool or dtype.name.startswith(("uint16", "uint32", "uint64", "float8")):
            not_implemented("randperm", dtype)
        return Law(lambda g, n, d, _: samplers.permutation(g, n, d), keyed.permutation)

    shape = (count,)
    return _made("randperm", shape, law, generator, out, wanted, layout, device, pin_memory, requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# In the size of another tensor


def _like(
    function: str,
    input: Tensor,
    law: Any,
    source: Any,
    dtype: Any,
    layout_: Any,
    device: Any,
    pin_memory: bool,
    requires_grad: bool,
    memory_format: Any,
) -> Tensor:
    if not isinstance(input, TensorBase):
        raise TypeError(f"{function}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    stream = _laws.generator_argument(function, source)
    if layout_ is not None or pin_memory:
        check_options(layout_, pin_memory, function)
    geometry = dispatch.geometry_of(input)
    wanted = dtype_argument(function, dtype) or geometry.dtype
    place = dispatch.device_of(input) if device is None else devices.resolve(device)
    stride = layout.strides_in_format(geometry, memory_format)
    array = _laws.draw(law(wanted), stream, place, geometry.size, wanted, stride)
    return finished(dispatch.wrap(array, stride), requires_grad)


@composite(method=False)
def rand_like(
    input: Tensor,
    *,
    generator: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return numbers drawn from [0, 1) in the size, dtype, device and memory layout of ``input``.

    >>> _ = torch.manual_seed(0)
    >>> torch.rand_like(torch.zeros(3))
    tensor([0.4963, 0.7682, 0.0885])
    """
    return _like(
        "rand_like", input, _unit_law, generator, dtype, layout, device, pin_memory, requires_grad, memory_format
    )


@composite(method=False)
def randn_like(
    input: Tensor,
    *,
    generator: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return standard normal numbers in the size, dtype, device and memory layout of ``input``.

    >>> _ = torch.manual_seed(0)
    >>> torch.randn_like(torch.zeros(3))
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    return _like(
        "randn_like", input, _standard_law, generator, dtype, layout, device, pin_memory, requires_grad, memory_format
    )


@composite(method=False)
def randint_like(
    input: Tensor,
    *bounds: Any,
    generator: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: Any = None,
    **named: Any,
) -> Tensor:
    """Return integers from ``low`` (0 unless given) to ``high - 1`` in the size, dtype, device and layout of ``input``.

    Called as ``randint_like(input, high)`` or ``randint_like(input, low, high)``.

    >>> _ = torch.manual_seed(0)
    >>> torch.randint_like(torch.zeros(3), 10)
    tensor([4., 9., 3.])
    """
    low, high, _ = _bounds_and_size("randint_like", (*bounds,), {**named, "size": ()})

    def law(dtype: dtypes.dtype) -> Law:
        return _laws.integers(*random_range(dtype, low, high))

    return _like("randint_like", input, law, generator, dtype, layout, device, pin_memory, requires_grad, memory_format)


# ---------------------------------------------------------------------------------------------------------------------
# Normal, with numbers or tensors for the mean and the deviation


def _scale_and_shift(samples: Any, std: Any, mean: Any) -> Any:
    """Each step in the type PyTorch takes for it, its result rounded to the type of the samples.

    On arrays of NumPy or of jax; compiled, the two steps may become one, which rounds only once.
    """
    if std is not None:
        wide = _common(samples, std)
        samples = (samples.astype(wide) * std.astype(wide)).astype(samples.dtype)
    wide = _common(samples, mean)
    return (samples.astype(wide) + mean.astype(wide)).astype(samples.dtype)


def _common(a: Any, b: Any) -> Any:
    return promote_types(dtypes.of(a.dtype), dtypes.of(b.dtype)).np


_scale_and_shift_kernel = Kernel(_scale_and_shift, "normal", "NormalBackward0")


@composite(method=False)
@per_example
def normal(
    mean: Any,
    std: Any = None,
    size: Any = None,
    *,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers drawn from normal distributions.

    ``mean`` and ``std`` are tensors (broadcast together, an element from each) or numbers, at least one of them a
    tensor; or both are numbers and ``size`` says how many to draw. Raises RuntimeError for a negative ``std``.

    >>> _ = torch.manual_seed(0)
    >>> torch.normal(torch.tensor([1., 2., 3.]), 0.1)
    tensor([1.1541, 1.9707, 2.7821])
    >>> torch.normal(2., 3., size=(2,))
    tensor([ 3.7053, -1.2536])
    """
    stream = _laws.generator_argument("normal", generator)
    if std is None:  # 1, if mean is a tensor
        if size is None:
            _need_tensor("normal", "mean", 1, mean)
        std = 1.0
    if size is not None:
        return _normal_of_size(mean, std, size, stream, out, dtype, layout, device, pin_memory, requires_grad)
    if not isinstance(mean, TensorBase) and not isinstance(std, TensorBase):
        invalid_combination(
            "normal",
            (mean, std),
            "(Tensor mean, Tensor std)",
            "(Tensor mean, float std = 1)",
            "(float mean, Tensor std)",
            "(float mean, float std, tuple of ints size)",
        )
    return _normal_of_tensors(mean, std, stream, out)


def _normal_of_size(
    mean: Any, std: Any, size: Any, stream: Any, out: Any, dtype: Any, layout_: Any, device: Any, pin: bool, grad: bool
) -> Tensor:
    for x in (mean, std):
        if not _is_number(x) or not isinstance(size, (tuple, list)):
            invalid_combination("normal", (mean, std, size), "(float mean, float std, tuple of ints size)")
    mean, std = float(mean), float(std)

    def law(dtype: dtypes.dtype) -> Law:
        check_normal(dtype, std)
        return _gaussian(mean, std, dtype)

    shape = as_ints("normal", "size", 3, size)
    return _made("normal", shape, law, stream, out, dtype, layout_, device, pin, grad)


def _is_number(x: Any) -> bool:
    if isinstance(x, TensorBase):
        return not dispatch.shape_of(x)
    return isinstance(x, (int, float, np.number))


def _normal_of_tensors(mean: Any, std: Any, stream: Any, out: Tensor | None) -> Tensor:
    sources = [t for t in (mean, std) if isinstance(t, TensorBase)]
    shape = broadcast_shapes(*(dispatch.shape_of(t) for t in sources))
    dtype = dispatch.geometry_of(sources[0]).dtype
    place = dispatch.device_of(sources[0])
    if isinstance(std, TensorBase):
        check(not dispatch.geometry_of(std).dtype.is_complex, "normal expects standard deviation to be non-complex")
        if _laws.on_host(place):
            fine = bool(np.all(_laws.host_values(std) >= 0))
            check(fine, "normal expects all elements of std >= 0.0")
        deviation, scale = 1.0, dispatch.array_of(std)
    else:
        deviation, scale = float(std), None
    if out is not None:
        dtype = dispatch.geometry_of(out).dtype
    check_normal(dtype, deviation)
    samples = _laws.draw(_gaussian(0.0, deviation, dtype), stream, place, shape, dtype)
    shift = dispatch.array_of(mean) if isinstance(mean, TensorBase) else np.asarray(mean, dtype.np)
    if place is devices.META:
        values = samples
    elif _laws.on_host(place):
        steps = [None if x is None else np.asarray(x) for x in (samples, scale, shift)]
        values = layout.put(_scale_and_shift(*steps), place)
    else:
        values = run(_scale_and_shift_kernel, [samples, scale, shift])
    if out is not None:
        _laws.refuse_graph("normal", out)
        layout.write_out(out, values, dispatch.write)
        return out
    label = "NormalBackward3" if len(sources) == 2 else "NormalBackward1" if sources[0] is mean else "NormalBackward2"
    return _laws.related(dispatch.wrap(values), label, *sources)


# ---------------------------------------------------------------------------------------------------------------------
# Element by element


def _floating(tensor: Tensor, function: str, dtypes_: Sequence[str] = ("float32", "float64")) -> dtypes.dtype:
    dtype: dtypes.dtype = dispatch.geometry_of(tensor).dtype
    if dtype.name not in dtypes_:
        not_implemented(function, dtype)
    return dtype


_REAL = ("float16", "bfloat16", "float32", "float64")


def _need_tensor(function: str, name: str, position: int, value: Any) -> None:
    if not isinstance(value, TensorBase):
        raise TypeError(
            f"{function}(): argument '{name}' (position {position}) must be Tensor, not {type(value).__name__}"
        )


def bernoulli_law(p: Tensor, size: tuple[int, ...]) -> Law:
    """Ones with the probabilities in ``p``, which has the size of what is drawn."""
    host = not isinstance(p, TensorBase) or not _laws.on_host(dispatch.device_of(p))
    array = dispatch.array_of(p)
    if not host:
        values = np.broadcast_to(_laws.host_values(p), size)
        fine = bool(np.all((values >= 0) & (values <= 1)))
        check(
            fine,
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If so,"
            " please report an enhancement request to PyTorch.)",
        )
    return Law(
        lambda g, n, d, _: samplers.bernoulli_each(g, np.broadcast_to(np.asarray(array), size).ravel()),
        keyed.bernoulli,
        (array,),
    )


@composite
@per_example
def bernoulli(input: Tensor, p: Any = None, *, generator: Any = None, out: Tensor | None = None) -> Tensor:
    """Return ones and zeros, each a one with the probability at its place in ``input``, or with the probability ``p``.

    The result has the dtype of ``input``. Raises RuntimeError for a probability outside of [0, 1].

    >>> _ = torch.manual_seed(0)
    >>> torch.bernoulli(torch.tensor([0.1, 0.5, 0.9]))
    tensor([0., 0., 1.])
    """
    _need_tensor("bernoulli", "input", 1, input)
    stream = _laws.generator_argument("bernoulli", generator)
    geometry = dispatch.geometry_of(input)
    size, place = geometry.size, dispatch.device_of(input)
    if p is not None:
        return _bernoulli_of_number(input, p, stream, out)
    dtype = dispatch.geometry_of(input if out is None else out).dtype
    check_bernoulli_dtypes(dtype, geometry.dtype)
    law = bernoulli_law(input, size)
    if out is not None:
        return _laws.into(out, "bernoulli", size, None, law, stream)
    result = dispatch.wrap(_laws.draw(law, stream, place, size, dtype))
    return _laws.related(result, "BernoulliBackward0", input)


def _bernoulli_of_number(input: Tensor, p: Any, stream: Any, out: Tensor | None) -> Tensor:
    probability = check_probability(p)
    geometry = dispatch.geometry_of(input)
    law = Law(lambda g, n, d, _: samplers.bernoulli(g, n, probability), keyed.bernoulli, (probability,))
    check_bernoulli_dtypes(geometry.dtype)
    if out is not None:
        return _laws.into(out, "bernoulli", geometry.size, None, law, stream)
    array = _laws.draw(law, stream, dispatch.device_of(input), geometry.size, geometry.dtype)
    result = dispatch.wrap(array)
    edges = _laws.edges_of(input)
    if edges:
        result._grad_fn = _laws.underivable("bernoulli", edges)
        result._requires_grad = True
    return result


def check_probability(p: Any) -> float:
    """The ``p`` of ``bernoulli_``; RuntimeError outside of [0, 1]."""
    check(0 <= p <= 1, f"bernoulli_ expects p to be in [0, 1], but got p={float(p):g}")
    return float(p)


def check_bernoulli_dtypes(dtype: dtypes.dtype, probabilities: dtypes.dtype | None = None) -> None:
    """Refuse the types that cannot hold the results, or the probabilities."""
    if dtype.is_complex or dtype.name.startswith(("uint16", "uint32", "uint64", "float8")):
        not_implemented("bernoulli_scalar_cpu_" if probabilities is None else "bernoulli_tensor_cpu_self_", dtype)
    if probabilities is not None and probabilities.name not in _REAL:
        not_implemented("bernoulli_tensor_cpu_p_", probabilities)


@composite(method=False)
@per_example
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Return numbers drawn from Poisson distributions with the rates in ``input``, in its dtype.

    Raises RuntimeError for negative rates.

    >>> _ = torch.manual_seed(0)
    >>> torch.poisson(torch.tensor([1., 5., 20.]))
    tensor([ 2.,  6., 19.])
    """
    _need_tensor("poisson", "input", 1, input)
    stream = _laws.generator_argument("poisson", generator)
    dtype = _floating(input, "poisson_cpu", _REAL)
    size, place = dispatch.shape_of(input), dispatch.device_of(input)
    array = dispatch.array_of(input)
    if _laws.on_host(place):
        fine = bool(np.all(np.asarray(array) >= 0))
        check(fine, "invalid Poisson rate, expected rate to be non-negative")
    law = Law(lambda g, n, d, _: rejection.poisson(g, np.asarray(array).ravel()), keyed.poisson, (array,))
    return _laws.related(dispatch.wrap(_laws.draw(law, stream, place, size, dtype)), "PoissonBackward0", input)


@composite(method=False)
@per_example
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """Return how many of ``count`` trials succeed with probability ``prob`` each; the two are broadcast together.

    Both have the same floating dtype, which is that of the result.

    >>> _ = torch.manual_seed(0)
    >>> torch.binomial(torch.tensor([10., 100.]), torch.tensor([0.5, 0.1]))
    tensor([ 7., 11.])
    """
    _need_tensor("binomial", "count", 1, count)
    _need_tensor("binomial", "prob", 2, prob)
    stream = _laws.generator_argument("binomial", generator)
    for name, t in (("count", count), ("prob", prob)):
        d = dispatch.geometry_of(t).dtype
        if not d.is_floating_point:
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {scalar_type(d)}")
    size = broadcast_shapes(dispatch.shape_of(count), dispatch.shape_of(prob))
    dtype, other = _floating(count, "binomial_cpu"), dispatch.geometry_of(prob).dtype
    check(other is dtype, f"Found dtype {scalar_type(other)} but expected {scalar_type(dtype)}")
    arrays = dispatch.array_of(count), dispatch.array_of(prob)

    def host(g: Any, n: int, d: Any, _: bool) -> Any:
        counts, probabilities = (np.broadcast_to(np.asarray(a), size).ravel() for a in arrays)
        return rejection.binomial(g, counts, probabilities)

    place = dispatch.device_of(count)
    result = dispatch.wrap(_laws.draw(Law(host, keyed.binomial, arrays), stream, place, size, dtype))
    edges = _laws.edges_of(count, prob)
    if edges:
        result._grad_fn = _laws.underivable("binomial", edges)
        result._requires_grad = True
    return result


@op(method=False, node="StandardGammaBackward0")
def _reparametrized_gamma(input: Array, sample: Array) -> Array:
    """Gamma samples as a function of their shape parameters; the samples are drawn already."""
    return lax.stop_gradient(sample) + (input - lax.stop_gradient(input)) * lax.stop_gradient(
        lax.random_gamma_grad(input, sample)
    )


@composite(method=False)
@per_example
def _standard_gamma(self: Tensor, generator: Any = None) -> Tensor:
    """Return gamma samples of scale 1 with the shape parameters in ``self``; gradients flow back to those.

    >>> _ = torch.manual_seed(0)
    >>> torch._standard_gamma(torch.tensor([1., 5.]))
    tensor([2.8824, 4.0611])
    """
    stream = _laws.generator_argument("_standard_gamma", generator)
    dtype = _floating(self, "gamma_cpu")
    array = dispatch.array_of(self)
    law = Law(lambda g, n, d, _: rejection.gamma(g, np.asarray(array).ravel()), keyed.gamma, (array,))
    sample = dispatch.wrap(_laws.draw(law, stream, dispatch.device_of(self), dispatch.shape_of(self), dtype))
    return _reparametrized_gamma(self, sample) if _laws.edges_of(self) else sample


@composite(method=False)
@per_example
def _sample_dirichlet(self: Tensor, generator: Any = None) -> Tensor:
    """Return samples of Dirichlet distributions whose concentrations lie along the last dimension.

    >>> _ = torch.manual_seed(0)
    >>> torch._sample_dirichlet(torch.tensor([1., 1., 2.]))
    tensor([0.7281, 0.1148, 0.1571])
    """
    stream = _laws.generator_argument("_sample_dirichlet", generator)
    dtype = _floating(self, "dirichlet")
    array = dispatch.array_of(self)
    size = dispatch.shape_of(self)
    law = Law(lambda g, n, d, _: rejection.dirichlet(g, np.asarray(array)).ravel(), keyed.dirichlet, (array,))
    result = dispatch.wrap(_laws.draw(law, stream, dispatch.device_of(self), size, dtype))
    edges = _laws.edges_of(self)
    if edges:
        result._grad_fn = _laws.underivable("_sample_dirichlet", edges)
        result._requires_grad = True
    return result


# ---------------------------------------------------------------------------------------------------------------------
# By weight


@composite
@per_example
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Tensor | None = None
) -> Tensor:
    """Return indices drawn by the weights in ``input``, ``num_samples`` from each row, as int64.

    ``input`` has one or two dimensions; its rows need not sum to 1. Without ``replacement`` no index comes twice.
    Raises RuntimeError for weights that are negative, not finite or all zero, and where a row has too few.

    >>> _ = torch.manual_seed(0)
    >>> torch.multinomial(torch.tensor([0., 10., 3., 0.]), 2)
    tensor([1, 2])
    """
    _need_tensor("multinomial", "input", 1, input)
    stream = _laws.generator_argument("multinomial", generator)
    count = integer("multinomial", "num_samples", 2, num_samples)
    geometry = dispatch.geometry_of(input)
    if out is not None:
        have = dispatch.geometry_of(out).dtype
        check(have is dtypes.int64, f"multinomial expects Long tensor out, got: {scalar_type(have)}")
    check(0 < len(geometry.size) <= 2, "prob_dist must be 1 or 2 dim")
    check(
        geometry.dtype.is_floating_point,
        f"multinomial only supports floating-point dtypes for input, got: {scalar_type(geometry.dtype)}",
    )
    check(count > 0, "cannot sample n_sample <= 0 samples")
    categories = geometry.size[-1]
    check(replacement or count <= categories, "cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    check(categories <= 2**24, "number of categories cannot exceed 2^24")
    size = (*geometry.size[:-1], count)
    array = dispatch.array_of(input)
    stride = None if geometry.is_contiguous else geometry.stride
    if not replacement or count == 1:
        law = Law(lambda g, n, d, _: _distinct(g, np.asarray(array), stride, count), keyed.distinct_choices, (array,))
    else:
        law = Law(lambda g, n, d, _: _with_replacement(g, np.asarray(array), count), keyed.choices, (array,))
    if out is not None:
        return _laws.into(out, "multinomial", size, None, law, stream)
    return dispatch.wrap(_laws.draw(law, stream, dispatch.device_of(input), size, dtypes.int64))


def _distinct(generator: Any, weights: Any, stride: Any, count: int) -> Any:
    """The largest of weight / exponential: an index for each sample, by falling quotient."""
    wide = weights.astype(np.float64)
    fine = bool(np.all(np.isfinite(wide) & (wide >= 0)))
    check(fine, "probability tensor contains either `inf`, `nan` or element < 0")
    check(bool(np.all(wide.sum(axis=-1) > 0)), "invalid multinomial distribution (sum of probabilities <= 0)")
    waiting = samplers.exponential(generator, weights.size, weights.dtype, 1.0)
    if stride is None:
        waiting = waiting.reshape(weights.shape)
    else:
        waiting = _laws.in_memory_order(waiting, weights.shape, stride)
    with np.errstate(all="ignore"):
        quotients = (weights / waiting).astype(weights.dtype).astype(np.float64)
    quotients[np.isnan(quotients)] = np.inf
    if count == 1:
        return np.argmax(quotients, axis=-1).ravel()
    return np.argsort(-quotients, axis=-1, kind="stable")[..., :count].reshape(-1)


def _with_replacement(generator: Any, weights: Any, count: int) -> Any:
    """Where uniform numbers fall among the running sums of the weights."""
    rows = weights.reshape(-1, weights.shape[-1])
    real = np.float64 if rows.dtype == np.float64 else np.float32
    rows = rows.astype(real)
    check(bool(np.all(~(rows < 0))), "invalid multinomial distribution (encountering probability entry < 0)")
    check(
        bool(np.all(np.isfinite(rows))),
        "invalid multinomial distribution (encountering probability entry = infinity or NaN)",
    )
    sums: Any = np.cumsum(rows, axis=-1, dtype=real)
    check(bool(np.all(sums[:, -1:] > 0)), "invalid multinomial distribution (sum of probabilities <= 0)")
    sums /= sums[:, -1:].copy()
    sums[:, -1] = 1
    points = normals.uniform53(generator, len(rows) * count).reshape(len(rows), count)
    found = [np.searchsorted(s.astype(np.float64), p) for s, p in zip(sums, points, strict=True)]
    return np.concatenate(found) if found else np.empty(0, np.int64)
