"""Normal samples as PyTorch's CPU kernels make them.

There are two streams. A contiguous tensor of 16 or more elements is filled by blocks of 16 uniform numbers, the first
eight giving the radii and the last eight the angles of Box and Muller's transformation; float32 (and the 16-bit types)
with the single-precision polynomials of the Cephes library, float64 with the C library. Everything else draws pairs of
float64 uniforms one after the other, and keeps the second normal of a pair for the next call.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from torchlike._core.generator import Generator
from torchlike._core.rounding import Host, fma32, fma64, is_half, libm, narrow

BLOCK = 16

_f = np.float32

# Cephes, single precision: the logarithm on [sqrt(1/2), sqrt(2)), sine and cosine on [-pi/4, pi/4].
_LOG = tuple(
    _f(c)
    for c in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
_SIN = (_f(-1.9515295891e-4), _f(8.3321608736e-3), _f(-1.6666654611e-1))
_COS = (_f(2.443315711809948e-5), _f(-1.388731625493765e-3), _f(4.166664568298827e-2))
# log(2) and pi/4 as sums of short numbers, whose products with small integers are exact.
_LN2_HIGH, _LN2_LOW = _f(0.693359375), _f(-2.12194440e-4)
_QUARTER_PI = (_f(0.78515625), _f(2.4187564849853515625e-4), _f(3.77489497744594108e-8))

# So many elements at a time keep every intermediate array in the cache.
_CHUNK = 16384


def normal(
    generator: Generator, count: int, dtype: np.dtype[Any], mean: float, std: float, *, contiguous: bool
) -> Host:
    """Return ``count`` normal samples in the order in which PyTorch fills a tensor (``contiguous`` or not)."""
    if not contiguous or count < BLOCK:
        return narrow(fma64(serial(generator, count), std, mean), dtype)
    if dtype == np.float64:
        return _fill64(generator, count, mean, std)
    return _fill32(generator, count, dtype, mean, std)


# One after the other --------------------------------------------------------------------------------------------------


def serial(generator: Generator, count: int) -> Host:
    """Return ``count`` standard normals from float64 pairs; an odd one is kept in the generator."""
    samples = np.empty(count)
    start = 0
    if count and generator.next_normal is not None:
        samples[0] = generator.next_normal
        generator.next_normal = None
        start = 1
    pairs = (count - start + 1) // 2
    if not pairs:
        return samples
    uniform = uniform53(generator, 2 * pairs)
    radius = np.sqrt(-2.0 * libm(math.log1p, -uniform[1::2]))
    angle = (2.0 * math.pi) * uniform[0::2]
    both = np.empty(2 * pairs)
    both[0::2] = radius * np.cos(angle)
    both[1::2] = radius * np.sin(angle)
    samples[start:] = both[: count - start]
    if 2 * pairs > count - start:
        generator.next_normal = float(both[-1])
    return samples


def uniform53(generator: Generator, count: int) -> Host:
    """Return ``count`` float64 uniforms on [0, 1) with 53 random bits."""
    return (generator.words64(count) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53


def uniform24(generator: Generator, count: int) -> Host:
    """Return ``count`` float32 uniforms on [0, 1) with 24 random bits."""
    return _scale24(generator.words32(count))


def _scale24(words: Host) -> Host:
    scaled = (words.astype(np.uint32) & np.uint32(2**24 - 1)).astype(np.float32)
    scaled *= _f(2.0**-24)
    return scaled


# By blocks ------------------------------------------------------------------------------------------------------------


def _fill64(generator: Generator, count: int, mean: float, std: float) -> Host:
    uniform = uniform53(generator, count)
    full = count // BLOCK * BLOCK
    samples = np.empty(count)
    samples[:full] = _block64(uniform[:full], mean, std)
    if full < count:  # the last 16 elements are drawn anew, so that they are a block too
        samples[-BLOCK:] = _block64(uniform53(generator, BLOCK), mean, std)
    return samples


def _block64(uniform: Host, mean: float, std: float) -> Host:
    blocks = uniform.reshape(-1, 2, BLOCK // 2)
    radius = np.sqrt(-2.0 * libm(math.log, 1.0 - blocks[:, 0]))
    angle = (2.0 * math.pi) * blocks[:, 1]
    samples = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return fma64(samples, std, mean).ravel()


def _fill32(generator: Generator, count: int, dtype: np.dtype[Any], mean: float, std: float) -> Host:
    full = count // BLOCK * BLOCK
    uniform = uniform24(generator, full if is_half(dtype) else count)
    samples = np.empty(count, dtype)
    for start in range(0, full, _CHUNK):
        end = min(start + _CHUNK, full)
        samples[start:end] = _block32(uniform[start:end], _f(mean), _f(std))
    if full < count:
        samples[-BLOCK:] = _block32(uniform24(generator, BLOCK), _f(mean), _f(std))
    return samples


def _block32(uniform: Host, mean: np.float32, std: np.float32) -> Host:
    blocks = uniform.reshape(-1, 2, BLOCK // 2)
    radius = np.sqrt(_f(-2) * _log32(_f(1) - blocks[:, 0].ravel()))
    sine, cosine = _sincos32(_f(2 * math.pi) * blocks[:, 1].ravel())
    samples = np.empty(blocks.shape, np.float32)
    samples[:, 0] = (radius * cosine).reshape(-1, BLOCK // 2)
    samples[:, 1] = (radius * sine).reshape(-1, BLOCK // 2)
    if std == 1 and mean == 0:
        return samples.ravel()
    return fma32(samples, std, mean).ravel()


def _round32(wide: Host) -> Host:
    """Round float64 values to float32 where they lie."""
    np.copyto(wide, wide.astype(np.float32))
    return wide


def _horner(x: Host, coefficients: tuple[np.float32, ...]) -> Host:
    """Return the polynomial of x, highest coefficient first; float32 values in float64, every step rounded once."""
    y = x * coefficients[0]
    y += coefficients[1]
    _round32(y)
    for coefficient in coefficients[2:]:
        y *= x
        y += coefficient
        _round32(y)
    return y


def _log32(x: Host) -> Host:
    fraction, exponent = np.frexp(x)
    small = fraction < _f(0.707106781186547524)
    e = np.subtract(exponent, small, dtype=np.float64)
    r = fraction.astype(np.float64)
    r *= 1.0 + small
    r -= 1.0
    square = _round32(r * r)
    y = _round32(_horner(r, _LOG) * r)
    y *= square
    y += _round32(e * _LN2_LOW)
    _round32(y)
    y -= square * 0.5
    y = _round32(y)
    y += r
    _round32(y)
    y += e * _LN2_HIGH
    return y.astype(np.float32)


def _sincos32(x: Host) -> tuple[Host, Host]:
    """Sine and cosine of angles that are not negative."""
    octant = (x * _f(4 / math.pi)).astype(np.int32)
    octant += 1
    octant &= ~1
    r = x.astype(np.float64)
    for part in _QUARTER_PI:
        r -= octant * np.float64(part)
        _round32(r)
    square = _round32(r * r)
    sine = _round32(_horner(square, _SIN) * square)
    sine *= r
    sine += r
    cosine = _round32(_horner(square, _COS) * square)
    cosine *= square
    cosine -= 0.5 * square
    _round32(cosine)
    cosine += 1.0
    # In every other quadrant the two change places; the signs are bits of the quadrant's number too.
    sine_bits, cosine_bits = (v.astype(np.float32).view(np.int32) for v in (sine, cosine))
    swap = sine_bits ^ cosine_bits
    swap &= -((octant >> 1) & 1)
    sine_bits ^= swap
    sine_bits ^= (octant & 4) << 29
    cosine_bits ^= swap
    cosine_bits ^= ((octant + 2) & 4) << 29
    return sine_bits.view(np.float32), cosine_bits.view(np.float32)
