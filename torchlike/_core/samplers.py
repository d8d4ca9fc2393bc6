"""Samplers: the words of a generator turned into numbers as PyTorch's CPU kernels do it.

Every sampler returns a flat NumPy array in the order in which PyTorch fills a tensor, and takes from the generator as
many words as PyTorch does. Ranges and probabilities are checked by the callers, who know the public function's name.
Normal samples are in ``normals.py``, the samplers that try again until a number fits in ``rejection.py``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from torchlike._core.generator import Generator
from torchlike._core.normals import serial, uniform24, uniform53
from torchlike._core.rounding import Host, fma32, fma64, is_half, libm, narrow

# Ranges of so many values and more take two words a number.
WIDE_RANGE = 2**28

# From so many elements on, a permutation takes two words an element.
WIDE_PERMUTATION = (2**32 - 1) // 20

_PERMUTE_AT_ONCE = 512


def uniform(generator: Generator, count: int, dtype: np.dtype[Any], low: float = 0.0, high: float = 1.0) -> Host:
    """Return samples on [low, high): 53 random bits in float64, 24 in the others."""
    if dtype == np.float64:
        samples = uniform53(generator, count)
        if (low, high) == (0.0, 1.0):
            return samples
        samples = fma64(samples, high - low, low)
        samples[samples == high] = low
        return samples
    samples = uniform24(generator, count)
    first, last = np.float32(low), np.float32(high)
    if (low, high) != (0.0, 1.0):
        samples = fma32(samples, last - first, first)
    elif not is_half(dtype):
        return samples
    samples = narrow(samples, dtype)
    # Rounding may reach the excluded end.
    samples[samples == last.astype(dtype)] = first.astype(dtype)
    return samples


def digits(dtype: np.dtype[Any]) -> int:
    """Return the number of bits in which a floating type counts without a gap."""
    return {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}[dtype.name]


def random(generator: Generator, count: int, dtype: np.dtype[Any]) -> Host:
    """Return the integers of ``random_()``: from 0 to the largest that the type holds exactly."""
    if dtype == np.bool_:
        return (generator.words32(count) & np.uint64(1)).astype(np.bool_)
    if dtype.kind in "iu":
        size = int(np.iinfo(dtype).max) + 1
    else:
        size = 2 ** digits(dtype) + 1
    wide = dtype in (np.dtype(np.int64), np.dtype(np.float64))
    words = generator.words64(count) if wide else generator.words32(count)
    return narrow_integers(words % np.uint64(size), dtype)


def integers(generator: Generator, count: int, dtype: np.dtype[Any], low: int, size: int) -> Host:
    """Return integers from ``low`` to ``low + size - 1``; 2**64 of them are all that int64 has."""
    wide = size >= WIDE_RANGE
    words = generator.words64(count) if wide else generator.words32(count)
    if size < 2**64:
        words = words % np.uint64(size)
    return narrow_integers(words.astype(np.int64) + np.int64(low), dtype)


def narrow_integers(values: Host, dtype: np.dtype[Any]) -> Host:
    """Convert integers, to the 16-bit floating types by way of float32 as PyTorch does."""
    return narrow(values.astype(np.float32), dtype) if is_half(dtype) else values.astype(dtype)


def bernoulli(generator: Generator, count: int, probability: float) -> Host:
    """Return booleans that are true with one probability: dropout's mask, and ``bernoulli_(p)``."""
    return uniform53(generator, count) < probability


def bernoulli_each(generator: Generator, probabilities: Host) -> Host:
    """Return booleans for a flat array of probabilities, 24 bits an element unless they are float64."""
    if probabilities.dtype == np.float64:
        return uniform53(generator, probabilities.size) < probabilities
    return uniform24(generator, probabilities.size) < probabilities.astype(np.float32)


def exponential(generator: Generator, count: int, dtype: np.dtype[Any], rate: float) -> Host:
    """Return samples of the exponential distribution."""
    values = -uniform53(generator, count)
    logs = libm(math.log1p, values) if dtype == np.float64 else np.log1p(values)
    return narrow((-1.0 / rate) * logs, dtype)


def geometric(generator: Generator, count: int, dtype: np.dtype[Any], probability: float) -> Host:
    """Return the numbers of trials up to the first success, from 1 on."""
    with np.errstate(divide="ignore", invalid="ignore"):
        trials = np.ceil(np.log(uniform53(generator, count)) / np.log1p(-np.float64(probability)))
        return trials.astype(dtype) if dtype.kind in "iu" else narrow(trials, dtype)


def cauchy(generator: Generator, count: int, dtype: np.dtype[Any], median: float, sigma: float) -> Host:
    """Return samples of the Cauchy distribution."""
    angle = math.pi * (uniform53(generator, count) - 0.5)
    tangent = libm(math.tan, angle) if dtype == np.float64 else np.tan(angle)
    return narrow(fma64(tangent, sigma, median), dtype)


def log_normal(generator: Generator, count: int, dtype: np.dtype[Any], mean: float, std: float) -> Host:
    """Return samples whose logarithms are normal; their pairs are drawn one after the other at any size."""
    exponents = fma64(serial(generator, count), std, mean)
    with np.errstate(over="ignore"):
        return narrow(_exp64(exponents) if dtype == np.float64 else np.exp(exponents), dtype)


def _exp64(values: Host) -> Host:
    # math.exp raises where the C library's returns infinity.
    return np.where(values > 709.0, np.exp(values), libm(math.exp, np.minimum(values, 709.0)))


def permutation(generator: Generator, count: int, dtype: np.dtype[Any]) -> Host:
    """Return the numbers below ``count`` in the order of Fisher and Yates' shuffle, from the front."""
    if count < 2:
        return np.arange(count, dtype=dtype)
    draws = generator.words64 if count >= WIDE_PERMUTATION else generator.words32
    jumps = (draws(count - 1) % np.arange(count, 1, -1, dtype=np.uint64)).astype(np.int64)
    if count < _PERMUTE_AT_ONCE:
        return narrow_integers(_shuffle_in_turn(jumps, count), dtype)
    return narrow_integers(_shuffle_at_once(jumps, count), dtype)


def _shuffle_in_turn(jumps: Host, count: int) -> Host:
    order = list(range(count))
    for i, jump in enumerate(jumps.tolist()):
        j = i + jump
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


def _shuffle_at_once(jumps: Host, count: int) -> Host:
    """Do all exchanges of a shuffle without a loop over them.

    Exchange i takes what lies at target[i] >= i, and puts there what lay at i. What lies at a place is what the latest
    exchange with that target put there, hence what lay at *its* place at its time, and so on back to a place that
    nobody had written to yet. So every exchange points at an earlier one or at itself, and the chains are followed
    for all at once, doubling the stride each time.
    """
    index = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
    target: Host = index.copy()
    target[:-1] += jumps.astype(index.dtype)
    start = index.copy()
    away = target != index
    start[target[away]] = index[away]  # of several with one target the last assignment stays, as NumPy documents
    while True:
        further = start[start]
        if np.array_equal(further, start):
            break
        start = further
    # Exchange i takes what the exchange with the same target before it put there, else the target itself.
    order = _order_by(target)
    sorted_target = target[order]
    same = np.flatnonzero(sorted_target[1:] == sorted_target[:-1])
    result = target
    result[order[same + 1]] = start[order[same]]
    return result


def _order_by(places: Host) -> Host:
    """Return the stable order of numbers that are not negative, 16 bits at a time: NumPy sorts those by radix."""
    order = np.argsort((places & 0xFFFF).astype(np.uint16), kind="stable").astype(places.dtype)
    for shift in range(16, int(places[-1]).bit_length(), 16):
        order = order[np.argsort((places[order] >> shift).astype(np.uint16), kind="stable")]
    return order
