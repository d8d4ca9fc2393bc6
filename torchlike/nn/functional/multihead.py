"""Attention in several heads, with the projections around it."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

from torchlike import ops
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check
from torchlike._core.op import composite
from torchlike._core.tensor_state import TensorBase
from torchlike.nn.functional.activation import softmax
from torchlike.nn.functional.attention import scaled_dot_product_attention
from torchlike.nn.functional.dropout import dropout
from torchlike.nn.functional.linear import linear
from torchlike.nn.functional.padding import pad

__all__ = ["multi_head_attention_forward"]

Tensor = Any


def _expect(condition: bool, message: str) -> None:
    check(condition, message, AssertionError)


def _none_or_dtype(mask: Tensor | None) -> Any:
    """The dtype of a mask, if there is one."""
    check(mask is None or isinstance(mask, TensorBase), "input to _none_or_dtype() must be None or torch.Tensor")
    return None if mask is None else mask.dtype


def _canonical_mask(
    mask: Tensor | None,
    mask_name: str,
    other_type: Any,
    other_name: str,
    target_type: Any,
    check_other: bool = True,
) -> Tensor | None:
    """A mask as numbers that are added to the scores: -inf where a mask of bools is true."""
    if mask is None:
        return None
    _expect(
        mask.dtype is dtypes.bool or mask.is_floating_point(),
        f"only bool and floating types of {mask_name} are supported",
    )
    if check_other and other_type is not None and mask.dtype is not other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=3,
        )
    if mask.is_floating_point():
        return mask
    return ops.zeros_like(mask, dtype=target_type).masked_fill_(mask, float("-inf"))


def _is_batched(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, attn_mask: Tensor | None, heads: int
) -> bool:
    """Whether the inputs have a batch dimension; refuses numbers of dimensions that do not belong together."""
    dims = query.dim()
    _expect(dims in (2, 3), f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor")
    kind = f"{'batched (3-D)' if dims == 3 else 'unbatched (2-D)'} `query`, expected"
    _expect(
        key.dim() == dims and value.dim() == dims,
        f"For {kind} `key` and `value` to be {dims}-D but found {key.dim()}-D and {value.dim()}-D tensors respectively",
    )
    if padding is not None:
        _expect(
            padding.dim() == dims - 1,
            f"For {kind} `key_padding_mask` to be `None` or {dims - 1}-D but found {padding.dim()}-D tensor instead",
        )
    if attn_mask is not None:
        _expect(
            attn_mask.dim() in (2, 3),
            f"For {kind} `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor instead",
        )
        if dims == 2 and attn_mask.dim() == 3:
            wanted = (heads, query.shape[0], key.shape[0])
            _expect(attn_mask.shape == wanted, f"Expected `attn_mask` shape to be {wanted} but got {attn_mask.shape}")
    return bool(dims == 3)


class _Projections(NamedTuple):
    packed: Tensor | None
    bias: Tensor | None
    query: Tensor | None
    key: Tensor | None
    value: Tensor | None


def _project(query: Tensor, key: Tensor, value: Tensor, by: _Projections, separate: bool) -> tuple[Tensor, ...]:
    """The queries, keys and values of all heads side by side."""
    if separate:
        for name in ("query", "key", "value"):
            _expect(
                getattr(by, name) is not None, f"use_separate_proj_weight is True but {name[0]}_proj_weight is None"
            )
        biases = (None, None, None) if by.bias is None else by.bias.chunk(3)
        given = zip((query, key, value), by[2:], biases, strict=True)
        return tuple(linear(x, weight, bias) for x, weight, bias in given)
    _expect(by.packed is not None, "use_separate_proj_weight is False but in_proj_weight is None")
    size = query.shape[-1]
    if key is value and query is key:
        return tuple(linear(query, by.packed, by.bias).unflatten(-1, (3, size)).unbind(-2))
    weights = by.packed.split(size)  # type: ignore[union-attr]
    biases = (None, None, None) if by.bias is None else by.bias.split(size)
    if key is value:
        weight = by.packed[size:]  # type: ignore[index]
        bias = None if by.bias is None else by.bias[size:]
        both = linear(key, weight, bias).unflatten(-1, (2, size)).unbind(-2)
        return linear(query, weights[0], biases[0]), *both
    return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))


def _shaped_mask(attn_mask: Tensor, batch: int, heads: int, queries: int, keys: int) -> Tensor:
    dims = attn_mask.dim()
    check(dims in (2, 3), f"attn_mask's dimension {dims} is not supported")
    wanted = (queries, keys) if dims == 2 else (batch * heads, queries, keys)
    check(
        attn_mask.shape == wanted, f"The shape of the {dims}D attn_mask is {attn_mask.shape}, but should be {wanted}."
    )
    return attn_mask.unsqueeze(0) if dims == 2 else attn_mask


def _static(given: Tensor, name: str, count: int, size: int) -> Tensor:
    _expect(given.size(0) == count, f"expecting {name}.size(0) of {count}, but got {given.size(0)}")
    _expect(given.size(2) == size, f"expecting {name}.size(2) of {size}, but got {given.size(2)}")
    return given


@composite
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return what ``nn.MultiheadAttention`` returns, given its parameters: the output and the weights or None.

    Inputs are (length, batch, features) or (length, features). Raises AssertionError and RuntimeError for shapes that
    do not fit.

    >>> x, weight = torch.ones(2, 1, 4), torch.eye(4)
    >>> attend = torch.nn.functional.multi_head_attention_forward
    >>> out, shares = attend(x, x, x, 4, 2, weight.repeat(3, 1), None, None, None, False, 0.0, weight, None)
    >>> out.shape, shares
    (torch.Size([2, 1, 4]), tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]]))
    """
    batched = _is_batched(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same = query is key, key is value
        query = query.unsqueeze(1)
        key = query if same[0] else key.unsqueeze(1)
        value = key if same[1] else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    queries, batch, size = query.shape
    keys = key.shape[0]
    key_padding_mask = _canonical_mask(
        key_padding_mask, "key_padding_mask", _none_or_dtype(attn_mask), "attn_mask", query.dtype
    )
    check(
        not is_causal or attn_mask is not None,
        "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method"
        " `generate_square_subsequent_mask` to create this mask.",
    )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the hint says all
    else:
        attn_mask = _canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
        is_causal = is_causal and key_padding_mask is None
    _expect(size == embed_dim_to_check, f"was expecting embedding dimension of {embed_dim_to_check}, but got {size}")
    part = size // num_heads
    _expect(part * num_heads == size, f"embed_dim {size} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        _expect(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
    else:
        _expect(key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}")
    by = _Projections(in_proj_weight, in_proj_bias, q_proj_weight, k_proj_weight, v_proj_weight)
    q, k, v = _project(query, key, value, by, use_separate_proj_weight)
    if attn_mask is not None:
        attn_mask = _shaped_mask(attn_mask, batch, num_heads, queries, keys)
    more = 0
    if bias_k is not None and bias_v is not None:
        _expect(static_k is None, "bias cannot be added to static key.")
        _expect(static_v is None, "bias cannot be added to static value.")
        k = ops.cat([k, bias_k.repeat(1, batch, 1)])
        v = ops.cat([v, bias_v.repeat(1, batch, 1)])
        more = 1
    else:
        _expect(bias_k is None, "bias_k is set but bias_v is None")
        _expect(bias_v is None, "bias_v is set but bias_k is None")
    heads = (batch, num_heads, part)
    q = _in_heads(q, heads)
    k = _in_heads(k, heads) if static_k is None else _static(static_k, "static_k", batch * num_heads, part)
    v = _in_heads(v, heads) if static_v is None else _static(static_v, "static_v", batch * num_heads, part)
    k, v = (x if x.dim() == 4 else x.view(batch, num_heads, -1, part) for x in (k, v))
    if add_zero_attn:
        k, v = (ops.cat([x, ops.zeros((*heads[:2], 1, part), dtype=x.dtype, device=x.device)], 2) for x in (k, v))
        more += 1
    keys = k.size(2)
    mask = _merged_mask(attn_mask, key_padding_mask, more, batch, num_heads, keys)
    dropout_p = dropout_p if training else 0.0
    weights = None
    if need_weights:
        weights = _weights(q, k, mask, is_causal)
        weights = dropout(weights, dropout_p) if dropout_p > 0 else weights
        mixed = weights @ v
        weights = weights.mean(1) if average_attn_weights else weights
        weights = weights if batched else weights.squeeze(0)
    else:
        mixed = scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)
    mixed = mixed.permute(2, 0, 1, 3).reshape(queries * batch, size)
    result = linear(mixed, out_proj_weight, out_proj_bias)
    result = result.view(queries, batch, result.size(1))
    return (result if batched else result.squeeze(1)), weights


def _in_heads(x: Tensor, heads: tuple[int, int, int]) -> Tensor:
    """(length, batch, features) as (batch, heads, length, features of a head)."""
    return x.unflatten(-1, heads[1:]).permute(1, 2, 0, 3)


def _merged_mask(
    attn_mask: Tensor | None, padding: Tensor | None, more: int, batch: int, heads: int, keys: int
) -> Tensor | None:
    """Both masks as one that is added to the scores; the keys that were added are seen by all."""
    if more:
        attn_mask = None if attn_mask is None else pad(attn_mask, (0, more))
        padding = None if padding is None else pad(padding, (0, more))
    if attn_mask is not None:
        attn_mask = attn_mask[None] if attn_mask.size(0) == 1 else attn_mask.view(batch, heads, -1, keys)
    if padding is None:
        return attn_mask
    for dim, wanted in enumerate((batch, keys)):
        found = padding.shape[dim]
        _expect(found == wanted, f"Expected key_padded_mask.shape[{dim}] to be {wanted}, but got {found}")
    padding = padding.view(batch, 1, 1, keys)
    return padding if attn_mask is None else attn_mask + padding


def _weights(q: Tensor, k: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor:
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    _expect(not is_causal or mask is not None, "FIXME: is_causal not implemented for need_weights")
    return softmax(scores if mask is None else scores + mask, -1)
