"""Attention as one operator: the probabilities are never kept, and made for a block of queries at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from torchlike._core.op import Array, Scalar, defvjp, op

_EXACT = lax.Precision.HIGHEST
# Queries in a block: with this many the scores of a head stay in the cache, and what causality saves is nearly a half.
_BLOCK = 128
_MOST_BLOCKS = 16


def _batch(query: Array, key: Array, value: Array, mask: Array | None) -> tuple[int, ...]:
    """The dimensions before the last two."""
    given = [query, *_repeated(query, key, value), *(() if mask is None else (mask,))]
    return jnp.broadcast_shapes(*(x.shape[:-2] for x in given))


def _flat(query: Array, key: Array, value: Array, batch: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """The operands as (batch, length, features) in the type of the computation; heads in groups are repeated."""
    found = []
    for x in (query, *_repeated(query, key, value)):
        wide = x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x
        found.append(jnp.broadcast_to(wide, (*batch, *x.shape[-2:])).reshape((math.prod(batch), *x.shape[-2:])))
    return found[0], found[1], found[2]


def _repeated(query: Array, key: Array, value: Array) -> tuple[Array, Array]:
    if query.ndim < 3 or key.ndim < 3 or value.ndim < 3:
        return key, value
    heads = query.shape[-3]
    groups = [heads // x.shape[-3] if x.shape[-3] not in (1, heads) else 1 for x in (key, value)]
    return jnp.repeat(key, groups[0], -3), jnp.repeat(value, groups[1], -3)


def _blocks(queries: int, keys: int, is_causal: bool) -> Iterator[tuple[int, int, int]]:
    """The first and last query of each block, and how many keys they look at."""
    size = max(_BLOCK, -(-queries // _MOST_BLOCKS))
    for start in range(0, queries, size):
        stop = min(start + size, queries)
        yield start, stop, min(stop, keys) if is_causal else keys


def _part(mask: Array, start: int, stop: int, keys: int) -> Array:
    rows = mask[..., start:stop, :] if mask.ndim > 1 and mask.shape[-2] != 1 else mask
    return rows[..., :keys] if mask.shape[-1] != 1 else rows


def _scores(
    query: Array, key: Array, mask: Array | None, batch: tuple[int, ...], block: tuple[int, int, int], is_causal: bool
) -> Array:
    """The scores of a block of scaled queries; what is masked is -inf."""
    start, stop, keys = block
    scores = jnp.einsum("bld,bsd->bls", query[:, start:stop], key[:, :keys], precision=_EXACT)
    if mask is not None:
        many = scores.reshape((*batch, *scores.shape[1:]))
        part = _part(mask, start, stop, keys)
        many = jnp.where(part, many, -jnp.inf) if mask.dtype == jnp.bool_ else many + part.astype(many.dtype)
        scores = many.reshape(scores.shape)
    if is_causal:
        scores = jnp.where(jnp.arange(start, stop)[:, None] >= jnp.arange(keys), scores, -jnp.inf)
    return scores


def _factor(scale: Any, query: Array, kind: Any) -> Array:
    return jnp.asarray(1 / math.sqrt(query.shape[-1]) if scale is None else scale).astype(kind)


def _node(pattern: Any, node: str, **_: Any) -> str:
    return node


@op(method=False, out=False, node=_node)
def _attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    kept: Array | None,
    scale: Scalar | None,
    is_causal: bool,
    dropout_p: float,
    node: str,
) -> tuple[Array, Array]:
    """The attention, and the logarithm of the sum of the exponentials of each query's scores.

    ``kept`` says which probabilities dropout keeps. A query that sees nothing gives zeros.
    """
    batch = _batch(query, key, value, mask)
    q, k, v = _flat(query, key, value, batch)
    scaled = q * _factor(scale, query, q.dtype)
    results, sums = [], []
    for block in _blocks(q.shape[1], k.shape[1], is_causal):
        start, stop, keys = block
        scores = _scores(scaled, k, mask, batch, block, is_causal)
        top = jnp.max(scores, -1, keepdims=True, initial=-jnp.inf)
        top = jnp.where(jnp.isneginf(top), 0, top)
        weights = jnp.exp(scores - top)
        total = jnp.sum(weights, -1, keepdims=True)
        nothing = total == 0
        if kept is not None:
            weights = _dropped(weights, kept, start, stop, dropout_p)
        mixed = jnp.einsum("bls,bsd->bld", weights, v[:, :keys], precision=_EXACT)
        results.append(mixed / jnp.where(nothing, 1, total))
        sums.append((top + jnp.log(jnp.where(nothing, 1, total)))[..., 0])
    rows = query.shape[-2]
    if not results:
        empty = jnp.zeros((*batch, rows, value.shape[-1]), query.dtype)
        return empty, jnp.zeros((*batch, rows), q.dtype)
    result = jnp.concatenate(results, 1) if len(results) > 1 else results[0]
    logs = jnp.concatenate(sums, 1) if len(sums) > 1 else sums[0]
    return result.reshape((*batch, rows, value.shape[-1])).astype(query.dtype), logs.reshape((*batch, rows))


def _dropped(weights: Array, kept: Array, start: int, stop: int, dropout_p: float) -> Array:
    flat = kept.reshape((-1, *kept.shape[-2:]))[:, start:stop, : weights.shape[-1]]
    return weights * flat.astype(weights.dtype) * (1 / (1 - dropout_p) if dropout_p < 1 else 0.0)


@defvjp(_attention)
def _(grad, inputs, outputs, is_causal, dropout_p, node):
    query, key, value, mask, kept, scale = inputs
    result, logs = outputs
    batch = tuple(logs.shape[:-1])
    (q, k, v), back = jax.vjp(functools.partial(_flat, batch=batch), query, key, value)
    factor = _factor(scale, query, q.dtype)
    rows, scaled = query.shape[-2], q * factor
    by_result = grad[0].astype(q.dtype).reshape((q.shape[0], rows, v.shape[-1]))
    result = result.astype(q.dtype).reshape(by_result.shape)
    logs, by_logs = logs.reshape((q.shape[0], rows)), grad[1].reshape((q.shape[0], rows))
    by_query, by_mask = [], None if mask is None or mask.dtype == jnp.bool_ else jnp.zeros(mask.shape, q.dtype)
    by_key, by_value = jnp.zeros_like(k), jnp.zeros_like(v)
    for block in _blocks(rows, k.shape[1], is_causal):
        start, stop, keys = block
        weights = jnp.exp(_scores(scaled, k, mask, batch, block, is_causal) - logs[:, start:stop, None])
        g, many = by_result[:, start:stop], weights
        by_weights = jnp.einsum("bld,bsd->bls", g, v[:, :keys], precision=_EXACT)
        if kept is not None:
            many, by_weights = (_dropped(x, kept, start, stop, dropout_p) for x in (weights, by_weights))
        inner = jnp.sum(g * result[:, start:stop], -1, keepdims=True) - by_logs[:, start:stop, None]
        by_scores = weights * (by_weights - inner)
        by_query.append(jnp.einsum("bls,bsd->bld", by_scores, k[:, :keys], precision=_EXACT) * factor)
        more_key = jnp.einsum("bls,bld->bsd", by_scores, scaled[:, start:stop], precision=_EXACT)
        more_value = jnp.einsum("bls,bld->bsd", many, g, precision=_EXACT)
        by_key = by_key.at[:, :keys].add(more_key) if keys < k.shape[1] else by_key + more_key
        by_value = by_value.at[:, :keys].add(more_value) if keys < k.shape[1] else by_value + more_value
        if by_mask is not None:
            found = by_scores.reshape((*batch, *by_scores.shape[1:]))
            spread = functools.partial(_spread, block=block, shape=found.shape)
            by_mask = by_mask + jax.vjp(spread, mask.astype(q.dtype))[1](found)[0]
    whole = jnp.concatenate(by_query, 1) if len(by_query) > 1 else by_query[0] if by_query else jnp.zeros_like(q)
    return *back((whole, by_key, by_value)), by_mask, None, None


def _spread(mask: Array, block: tuple[int, int, int], shape: tuple[int, ...]) -> Array:
    return jnp.broadcast_to(_part(mask, *block), shape)
