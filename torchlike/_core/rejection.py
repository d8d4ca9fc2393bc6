"""Samplers that try until a number fits: Poisson, binomial, gamma and Dirichlet, as PyTorch's CPU kernels do it.

How many words an element takes depends on the words, so these go element by element, in Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from torchlike._core.generator import Generator
from torchlike._core.normals import uniform53
from torchlike._core.rounding import Host, narrow


class Uniforms:
    """float64 uniforms one by one, drawn in advance by the block; the generator ends up as if drawn one by one."""

    def __init__(self, generator: Generator, expected: int) -> None:
        self._generator = generator
        self._ahead = min(max(expected, 16), 2**16)
        self._drawn = 0
        self._numbers: Iterator[float] = iter(())
        self.draw = self._numbers.__next__

    def __enter__(self) -> Self:
        self._start = self._generator.mark()
        self._numbers = self._blocks()
        self.draw = self._numbers.__next__
        return self

    def _blocks(self) -> Iterator[float]:
        while True:
            for number in uniform53(self._generator, self._ahead).tolist():
                self._drawn += 1
                yield number

    def __exit__(self, *exception: object) -> None:
        self._generator.rewind(self._start)
        self._generator.words32(2 * self._drawn)


def poisson(generator: Generator, rates: Host) -> Host:
    """Return Poisson samples for a flat array of rates, in its dtype."""
    with Uniforms(generator, 4 * rates.size) as uniforms:
        samples = [_poisson(rate, uniforms) for rate in rates.astype(np.float64).tolist()]
    return narrow(np.array(samples, np.float64), rates.dtype)


def _poisson(rate: float, uniforms: Uniforms) -> float:
    draw = uniforms.draw
    if rate == 0:
        return 0.0
    if not rate >= 10:  # multiply uniforms until the product falls below exp(-rate)
        bound = math.exp(-rate)
        product, count = 1.0, 0
        while True:
            product *= draw()
            if not product > bound:
                return float(count)
            count += 1
    # Transformed rejection with squeeze (Hörmann's PTRS).
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = math.log(1.1239 + 1.1328 / (b - 3.4))
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = draw() - 0.5
        v = draw()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = (2 * a / us + b) * u + rate + 0.43
        k = float(math.floor(k)) if math.isfinite(k) else _NO_INTEGER
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        if _log(v) + log_inverse_alpha - math.log(a / (us * us) + b) <= -rate + k * log_rate - math.lgamma(k + 1):
            return k


# What PyTorch's processors give for the integer part of infinity.
_NO_INTEGER = -(2.0**63)


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def binomial(generator: Generator, counts: Host, probabilities: Host) -> Host:
    """Return binomial samples for flat arrays of counts and probabilities of one floating dtype."""
    # PyTorch computes in the dtype of the tensors; NumPy scalars of that type do the same.
    real = np.float64 if counts.dtype == np.float64 else np.float32
    with Uniforms(generator, 4 * counts.size) as uniforms, np.errstate(all="ignore"):
        pairs = zip(counts.astype(real), probabilities.astype(real), strict=True)
        samples = [_binomial(n, p, uniforms) for n, p in pairs]
    return narrow(np.array(samples, np.float64), counts.dtype)


def _binomial(count: Any, probability: Any, uniforms: Uniforms) -> Any:
    if count <= 0 or probability <= 0:
        return 0.0
    if count != count:  # PyTorch looks for this number for ever
        return math.nan
    if probability >= 1:
        return count
    one = type(count)(1)
    if probability <= 0.5:
        return _binomial_low(count, probability, uniforms)
    if probability > 0.5:
        return count - _binomial_low(count, one - probability, uniforms)
    return math.nan


def _binomial_low(count: Any, probability: Any, uniforms: Uniforms) -> Any:
    if count * probability >= 10:
        return _binomial_rejection(count, probability, uniforms)
    return _binomial_inversion(count, probability, uniforms)


def _binomial_inversion(count: Any, probability: Any, uniforms: Uniforms) -> Any:
    """Sum geometric waiting times until they exceed the count."""
    real = type(count)
    log_miss = np.log1p(-probability)
    total, hits = real(0), real(0)
    while True:
        total += np.ceil(np.log(real(uniforms.draw())) / log_miss)
        if total > count:
            return hits
        hits += real(1)


def _binomial_rejection(count: Any, probability: Any, uniforms: Uniforms) -> Any:
    """Transformed rejection with squeeze (Hörmann's BTRS)."""
    real = type(count)
    one = real(1)
    deviation = np.sqrt(count * probability * (one - probability))
    b = real(1.15 + 2.53 * float(deviation))
    a = real(-0.0873 + 0.0248 * float(b) + 0.01 * float(probability))
    c = real(float(count * probability) + 0.5)
    v_r = real(0.92 - 4.2 / float(b))
    r = probability / (one - probability)
    alpha = real((2.83 + 5.1 / float(b)) * float(deviation))
    # Set up in the type of the tensors; from here on in float64, as the uniforms are.
    r, alpha, v_r = float(r), float(alpha), float(v_r)
    m = _floor(float((count + one) * probability))
    n, a, b, c = float(count), float(a), float(b), float(c)
    while True:
        u = uniforms.draw() - 0.5
        v = uniforms.draw()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = _floor((2 * a / us + b) * u + c)
        if us >= 0.07 and v <= v_r:
            return real(k)
        if k < 0 or k > n:
            continue
        v = _log(v * alpha / (a / (us * us) + b))
        bound = (
            (m + 0.5) * math.log((m + 1) / (r * (n - m + 1)))
            + (n + 1) * math.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * math.log(r * (n - k + 1) / (k + 1))
            + _stirling_tail(m)
            + _stirling_tail(n - m)
            - _stirling_tail(k)
            - _stirling_tail(n - k)
        )
        if v <= bound:
            return real(k)


# log(k!) less the leading terms of Stirling's series, for k = 0 ... 9.
_TAILS = tuple(
    math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi)) for k in range(10)
)


def _floor(x: float) -> float:
    return math.floor(x) if math.isfinite(x) else x


def _stirling_tail(k: float) -> float:
    if k <= 9:
        return _TAILS[int(k)]
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def gamma(generator: Generator, shapes: Host) -> Host:
    """Return gamma samples of scale 1 for a flat array of shape parameters, in its dtype."""
    dtype = shapes.dtype
    # fmax: where there is no number, PyTorch's result is the smallest one.
    return np.fmax(narrow(_gammas(generator, shapes), dtype), _smallest(dtype))


def _gammas(generator: Generator, shapes: Host) -> Host:
    """Marsaglia and Tsang's method; shapes below 1 by way of the next. Shapes alone are computed in their dtype."""
    real = shapes.dtype.type
    below = shapes < 1
    with np.errstate(all="ignore"):
        powers = np.where(below, real(1) / shapes, real(0)).astype(np.float64).tolist()
        d = (np.where(below, shapes + real(1), shapes) - _THIRD).astype(np.float64)
        c = (1.0 / np.sqrt(9.0 * d)).tolist()
    with Uniforms(generator, 4 * shapes.size) as uniforms:
        rows = zip(shapes.tolist(), powers, d.tolist(), c, strict=True)
        values = [_gamma(*row, uniforms, generator) for row in rows]
    return np.array(values, np.float64)


# PyTorch subtracts a third in single precision, whatever the dtype.
_THIRD = np.float32(1.0 / 3.0)


def _smallest(dtype: np.dtype[Any]) -> Any:
    """Return the smallest normal number of a floating type."""
    return np.finfo(dtype).smallest_normal


def _normal(uniforms: Uniforms, generator: Generator) -> float:
    kept = generator.next_normal
    if kept is not None:
        generator.next_normal = None
        return kept
    angle = 2.0 * math.pi * uniforms.draw()
    radius = math.sqrt(-2.0 * math.log1p(-uniforms.draw()))
    generator.next_normal = radius * math.sin(angle)
    return radius * math.cos(angle)


def _gamma(shape: float, power: float, d: float, c: float, uniforms: Uniforms, generator: Generator) -> float:
    if shape == 0:
        return 0.0
    scale = float(np.float64(1.0 - uniforms.draw()) ** power) if shape < 1 else 1.0
    while True:
        y = 0.0
        while y <= 0:
            x = _normal(uniforms, generator)
            y = 1.0 + c * x
        v = y * y * y
        u = 1.0 - uniforms.draw()
        square = x * x
        if u < 1.0 - 0.0331 * square * square or math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v


def dirichlet(generator: Generator, concentrations: Host) -> Host:
    """Return Dirichlet samples along the last dimension, in the dtype of the concentrations."""
    dtype = concentrations.dtype
    gammas = gamma(generator, concentrations.ravel().astype(np.float64)).reshape(concentrations.shape)
    with np.errstate(all="ignore"):
        ratios = gammas / _row_sums(gammas)[..., None]
    below_one = np.nextafter(dtype.type(1), dtype.type(0))
    return np.clip(ratios.astype(dtype), _smallest(dtype), below_one)


def _row_sums(rows: Host) -> Host:
    """Sum along the last dimension in the order of PyTorch's float64 sum: four lanes, four such vectors at a time."""
    lanes = 4
    vectors = rows.shape[-1] // lanes
    partial = np.zeros((lanes, *rows.shape[:-1], lanes))
    for i in range(vectors):
        place = i % lanes if i < vectors // lanes * lanes else 0
        partial[place] += rows[..., lanes * i : lanes * (i + 1)]
    total = partial[0] + partial[1] + partial[2] + partial[3]
    result = np.zeros(rows.shape[:-1])
    for i in range(lanes * vectors, rows.shape[-1]):
        result += rows[..., i]
    for lane in range(lanes):
        result += total[..., lane]
    return result
