"""Samplers on jax's counter-based generators, for accelerators and for compiled code.

Each takes a key, a shape, a NumPy dtype and the parameters, and is a pure jax function. The distributions are those of
``samplers.py``; the numbers are not.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

Shape = tuple[int, ...]


def _real(dtype: Any) -> Any:
    """The type that a sampler computes in: float32 for the 16-bit types and for integers."""
    return np.dtype(np.float64) if dtype == np.float64 else np.dtype(np.float32)


def uniform(key: Any, shape: Shape, dtype: Any, low: Any, high: Any) -> jax.Array:
    """Samples on [low, high)."""
    real = _real(dtype)
    samples = random.uniform(key, shape, real) * jnp.asarray(high - low, real) + jnp.asarray(low, real)
    return samples.astype(dtype)


def normal(key: Any, shape: Shape, dtype: Any, mean: Any, std: Any) -> jax.Array:
    """Normal samples."""
    real = _real(dtype)
    return (random.normal(key, shape, real) * jnp.asarray(std, real) + jnp.asarray(mean, real)).astype(dtype)


def integers(key: Any, shape: Shape, dtype: Any, low: Any, size: Any) -> jax.Array:
    """Integers from ``low`` on, ``size`` of them; size 0 stands for all 2**64."""
    words = random.bits(key, shape, np.uint64)
    size = jnp.asarray(size, np.uint64)
    words = jnp.where(size == 0, words, words % jnp.maximum(size, np.uint64(1)))
    return (words.astype(np.int64) + jnp.asarray(low, np.int64)).astype(dtype)


def bernoulli(key: Any, shape: Shape, dtype: Any, probability: Any) -> jax.Array:
    """Ones with one probability or with a probability each."""
    real = _real(probability.dtype) if hasattr(probability, "dtype") else np.dtype(np.float32)
    return (random.uniform(key, shape, real) < jnp.asarray(probability, real)).astype(dtype)


def exponential(key: Any, shape: Shape, dtype: Any, rate: Any) -> jax.Array:
    """Exponential samples."""
    real = _real(dtype)
    return (random.exponential(key, shape, real) / jnp.asarray(rate, real)).astype(dtype)


def geometric(key: Any, shape: Shape, dtype: Any, probability: Any) -> jax.Array:
    """Numbers of trials up to the first success."""
    real = _real(dtype)
    logs = jnp.log(random.uniform(key, shape, real, minval=np.finfo(real).tiny))
    return jnp.ceil(logs / jnp.log1p(-jnp.asarray(probability, real))).astype(dtype)


def cauchy(key: Any, shape: Shape, dtype: Any, median: Any, sigma: Any) -> jax.Array:
    """Cauchy samples."""
    real = _real(dtype)
    return (random.cauchy(key, shape, real) * jnp.asarray(sigma, real) + jnp.asarray(median, real)).astype(dtype)


def log_normal(key: Any, shape: Shape, dtype: Any, mean: Any, std: Any) -> jax.Array:
    """Samples whose logarithms are normal."""
    return jnp.exp(normal(key, shape, _real(dtype), mean, std)).astype(dtype)


def poisson(key: Any, shape: Shape, dtype: Any, rates: jax.Array) -> jax.Array:
    """Poisson samples, a rate each."""
    return random.poisson(key, rates.astype(_real(dtype)), shape).astype(dtype)


def binomial(key: Any, shape: Shape, dtype: Any, counts: jax.Array, probabilities: jax.Array) -> jax.Array:
    """Binomial samples, a count and a probability each."""
    return random.binomial(key, counts, probabilities, shape, dtype)


def gamma(key: Any, shape: Shape, dtype: Any, shapes: jax.Array) -> jax.Array:
    """Gamma samples, a shape parameter each."""
    return random.gamma(key, shapes, shape, dtype)


def dirichlet(key: Any, shape: Shape, dtype: Any, concentrations: jax.Array) -> jax.Array:
    """Dirichlet samples along the last dimension."""
    return random.dirichlet(key, concentrations, shape[:-1], dtype)


def permutation(key: Any, shape: Shape, dtype: Any) -> jax.Array:
    """The numbers below ``shape[0]`` in random order."""
    return random.permutation(key, jnp.arange(shape[0])).astype(dtype)


def choices(key: Any, shape: Shape, dtype: Any, weights: jax.Array) -> jax.Array:
    """Indices drawn by weight along the last dimension, with replacement."""
    cumulative = jnp.cumsum(weights.astype(_real(weights.dtype)), axis=-1)
    cumulative = cumulative / cumulative[..., -1:]
    points = random.uniform(key, shape, cumulative.dtype)
    found = jnp.sum(points[..., :, None] >= cumulative[..., None, :], axis=-1)
    return jnp.minimum(found, weights.shape[-1] - 1).astype(dtype)


def distinct_choices(key: Any, shape: Shape, dtype: Any, weights: jax.Array) -> jax.Array:
    """Indices drawn by weight along the last dimension, no index twice."""
    real = _real(weights.dtype)
    scores = weights.astype(real) / random.exponential(key, weights.shape, real)
    return lax.top_k(scores, shape[-1])[1].astype(dtype)
