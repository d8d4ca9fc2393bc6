"""Attention with a rule for each score, ``flex_attention`` (Dong et al., 2024).

The rules are run over all positions by vmap, and XLA fuses them with the products; blocks that a mask leaves out are
computed and masked all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

from torchlike._core import dtype as dtypes
from torchlike.nn.attention._block_mask import (
    _DEFAULT_SPARSE_BLOCK_SIZE as _DEFAULT_SPARSE_BLOCK_SIZE,
)
from torchlike.nn.attention._block_mask import (
    BlockMask,
    and_masks,
    create_block_mask,
    create_mask,
    noop_mask,
    or_masks,
    over_positions,
    positions,
)
from torchlike.ops import _public as ops

__all__ = [
    "AuxOutput",
    "AuxRequest",
    "BlockMask",
    "FlexKernelOptions",
    "and_masks",
    "create_block_mask",
    "create_mask",
    "flex_attention",
    "noop_mask",
    "or_masks",
]

Tensor = Any


class FlexKernelOptions(TypedDict, total=False):
    """Options of PyTorch's kernels, which are accepted and change nothing."""

    BLOCK_M: int
    BLOCK_N: int
    num_stages: int
    num_warps: int


class AuxRequest(NamedTuple):
    """What `flex_attention` should return besides its result."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What `flex_attention` returned besides its result."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


def _check(query: Tensor, key: Tensor, value: Tensor, block_mask: BlockMask | None, grouped: bool) -> None:
    if not query.dim() == key.dim() == value.dim() == 4:
        raise NotImplementedError("NYI: query, key, and value must be 4D tensors")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            "Expect query and key/value to have the same embedding dimension but got"
            f" E={query.shape[-1]} and E={key.shape[-1]}."
        )
    heads, key_heads = query.shape[1], key.shape[1]
    if not grouped and heads != key_heads:
        raise ValueError(
            f"Expect query and key/value to have the same number of heads but got Hq={heads} and Hkv={key_heads}. Try"
            " setting enable_gqa=True for GQA."
        )
    if grouped and heads % key_heads:
        raise ValueError(
            f"Expect number of query heads to be a multiple of kv heads for GQA but got Hq={heads} and Hkv={key_heads}."
        )
    if block_mask is not None:
        _check_lengths(block_mask, query.shape[-2], key.shape[-2])


def _check_lengths(block_mask: BlockMask, queries: int, keys: int) -> None:
    rows, columns = block_mask.seq_lengths
    if (rows, columns) == (queries, keys):
        return
    start = f"block_mask was created for block_mask.shape={block_mask.shape} but got q_len={queries} and kv_len={keys}."
    if queries > rows or keys > columns:
        raise ValueError(
            f"{start} As the block mask was created for a smaller length than you're using it for, you likely need to"
            " create a new block mask."
        )
    raise ValueError(
        f"{start} As the block mask was created for a larger length than you're using it for, you can either 1. create"
        " a new block mask with the correct length, or 2. 'adjust' the existing block mask to the correct length by"
        " calling block_mask._adjust(q_len, kv_len). This essentially 'crops' the block mask to the upper left corner,"
        " which does not work for all mask_mods!"
    )


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: Callable[..., Any] | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: FlexKernelOptions | None = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """Return ``softmax(score_mod(query @ key.T * scale)) @ value``, over what ``block_mask`` keeps.

    ``query`` is ``(B, Hq, L, E)``, ``key`` and ``value`` are ``(B, Hkv, S, E)`` and ``(B, Hkv, S, Ev)``; the result is
    ``(B, Hq, L, Ev)``. ``score_mod(score, b, h, q, kv)`` changes one score. With ``enable_gqa`` several heads of
    queries share one of keys. ``return_aux`` asks for the logarithm of the sums of exponentials too. A query of which
    nothing is kept gives zeros. Gradients flow to the inputs and to tensors that the rules use.

    Raises ValueError for shapes that do not fit, NotImplementedError for other than four dimensions.

    >>> flex = torch.nn.attention.flex_attention
    >>> x = torch.eye(2).reshape(1, 1, 2, 2)
    >>> flex.flex_attention(x, x, x, score_mod=lambda s, b, h, q, kv: s + 10 * (q == kv)).round()
    tensor([[[[1., 0.],
              [0., 1.]]]])
    """
    _check(query, key, value, block_mask, enable_gqa)
    if return_lse and return_aux is not None:
        raise ValueError(
            "Cannot specify both return_lse and return_aux. return_lse is deprecated, please use"
            " return_aux=AuxRequest(lse=True) instead."
        )
    if return_aux is not None and return_aux.max_scores and query.device.type == "cpu":
        raise NotImplementedError("Returning max scores is not supported on CPU/MPS.")
    wide = dtypes.float64 if query.dtype is dtypes.float64 else dtypes.float32
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (ops.repeat_interleave(x, groups, 1) for x in (key, value))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = ops.matmul(query.to(wide), key.to(wide).transpose(-2, -1)) * factor
    batch, heads, queries, keys = scores.shape
    at = positions(batch, heads, queries, keys, query.device)
    if score_mod is not None:
        scores = over_positions(score_mod, scores=True)(scores, *at).to(wide)
    if block_mask is not None:
        kept = over_positions(block_mask.mask_mod, scores=False)(*at) & _inside(block_mask, scores)
        scores = ops.where(kept, scores, ops.full((), -math.inf, dtype=wide, device=scores.device))
    lse = ops.logsumexp(scores, -1)
    empty = ops.isneginf(lse)[..., None]
    weights = ops.exp(scores - ops.where(empty, ops.zeros_like(lse)[..., None], lse[..., None]))
    result = ops.matmul(weights, value.to(wide)).to(query.dtype)
    if return_aux is not None:
        highest = ops.amax(scores, -1) if return_aux.max_scores else None
        return result, AuxOutput(lse if return_aux.lse else None, highest)
    return (result, lse) if return_lse else result


def _inside(block_mask: BlockMask, scores: Tensor) -> Tensor:
    """Which positions are in blocks that are computed; a mask may be made of blocks alone."""
    rows, columns = block_mask.BLOCK_SIZE
    blocks = block_mask.to_dense().to(dtypes.bool)
    spread = ops.repeat_interleave(ops.repeat_interleave(blocks, rows, -2), columns, -1)
    return spread[..., : scores.shape[-2], : scores.shape[-1]]
