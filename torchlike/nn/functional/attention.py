"""Scaled dot product attention."""

from __future__ import annotations

import warnings
from typing import Any

from torchlike._core import dispatch, tape
from torchlike._core import dtype as dtypes
from torchlike._core.errors import broadcast_shapes, check, not_implemented, scalar_type, type_name, wrap_dim
from torchlike._core.op import composite
from torchlike._core.tensor_state import modes
from torchlike.nn.functional._attention_choice import choice
from torchlike.nn.functional._attention_kernels import _attention
from torchlike.nn.functional._shared import expect_tensor
from torchlike.nn.functional.dropout import keep_mask
from torchlike.ops._checks import COMPLEX, FLOATS

__all__ = ["scaled_dot_product_attention"]

Tensor = Any
_FUSED = "ScaledDotProductFlashAttentionForCpuBackward0"


@composite
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return ``softmax(query @ key.T * scale + mask) @ value``: (..., l, e), (..., s, e), (..., s, v) give (..., l, v).

    ``attn_mask`` broadcasts to (..., l, s): bools say what takes part, floats are added. With ``is_causal`` query i
    sees the keys up to i. ``scale`` defaults to ``1 / sqrt(e)``; ``dropout_p`` drops probabilities, also outside of
    training. With ``enable_gqa`` a group of query heads shares a head of ``key`` and ``value``. Queries that see
    nothing give zeros. What is kept for the gradient grows with l + s, not with their product. Raises RuntimeError for
    types and shapes that do not fit.

    >>> x = torch.eye(3)[None, None]
    >>> torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True, scale=1.0)
    tensor([[[[1.0000, 0.0000, 0.0000],
              [0.2689, 0.7311, 0.0000],
              [0.2119, 0.2119, 0.5761]]]])
    """
    if attn_mask is not None and type(attn_mask) is not type(query) and hasattr(attn_mask, "_attend"):
        return attn_mask._attend(query, key, value, dropout_p, is_causal, scale, enable_gqa)
    _check_types(query, key, value, attn_mask)
    sizes = [dispatch.shape_of(x) for x in (query, key, value)]
    node = _choose(query, sizes, attn_mask, dropout_p, enable_gqa)
    fused = node == _FUSED
    check(
        fused or attn_mask is None or not is_causal,
        "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True",
    )
    batch = _check_shapes(sizes, enable_gqa, fused)
    scores = (*batch, sizes[0][-2], sizes[1][-2])
    if attn_mask is not None:
        size = dispatch.shape_of(attn_mask)
        wrap_dim(-2, len(size) if len(scores) == 4 else 2)
        wide = broadcast_shapes(scores, size)
        check(
            wide == scores,
            f"output with shape {list(scores)} doesn't match the broadcast shape {list(wide)}",
        )
    kind = dispatch.geometry_of(query).dtype
    if kind.np not in FLOATS:
        words = (
            f"expected m1 and m2 to have the same dtype, but got: float != {type_name(kind)}"
            if len(scores) == 2
            else f"expected scalar type Float but found {scalar_type(kind)}"
        )
        check(kind.np in COMPLEX, words)
        not_implemented("softmax_lastdim_kernel_impl", kind)
    kept = None
    if dropout_p:
        check(0 <= dropout_p <= 1, f"dropout probability has to be between 0 and 1, but got {dropout_p:g}")
        kept = keep_mask(scores, dropout_p, dispatch.device_of(query))
    factor = None if scale is None else float(scale)
    result = _attention(query, key, value, attn_mask, kept, factor, bool(is_causal), float(dropout_p), node)[0]
    if fused:
        _lay_as(result, query)
    return result


def _check_types(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> None:
    for position, (name, x) in enumerate((("query", query), ("key", key), ("value", value)), 1):
        expect_tensor("scaled_dot_product_attention", name, position, x)
    if attn_mask is not None:
        expect_tensor("scaled_dot_product_attention", "attn_mask", 4, attn_mask)
    q, k, v = (dispatch.geometry_of(x) for x in (query, key, value))
    check(
        q.dtype is k.dtype and q.dtype is v.dtype,
        f"Expected query, key, and value to have the same dtype, but got query.dtype: {type_name(q.dtype)} key.dtype:"
        f" {type_name(k.dtype)} and value.dtype: {type_name(v.dtype)} instead.",
    )
    dims = [len(g.size) for g in (q, k, v)]
    check(
        min(dims) >= 2,
        f"Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: {dims[0]} key.dim:"
        f" {dims[1]} and value.dim: {dims[2]} instead.",
    )
    if attn_mask is not None:
        kind = dispatch.geometry_of(attn_mask).dtype
        check(
            kind in (dtypes.bool, dtypes.float32, q.dtype),
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype:"
            f" {type_name(kind)} and  query.dtype: {type_name(q.dtype)} instead.",
        )


def _choose(
    query: Tensor, sizes: list[tuple[int, ...]], attn_mask: Tensor | None, dropout_p: float, enable_gqa: bool
) -> str:
    """The node of the backend that PyTorch takes on the CPU, with its refusals where the switches leave none."""
    enabled = choice.enabled
    check(
        enabled["flash"] or enabled["math"],
        "No viable backend for scaled_dot_product_attention was found. This is likely due to turning off both the math"
        " kernel and the fused kernels.",
    )
    q, k, v = sizes
    why = ""
    if dropout_p:
        why = "Both fused kernels do not support non-zero dropout."
    elif not len(q) == len(k) == len(v) == 4:
        why = (
            "All fused kernels requires query, key and value to be 4 dimensional, but got Query dim:"
            f" {len(q)}, Key dim: {len(k)}, Value dim: {len(v)} instead."
        )
    elif not _fits_fused(query, sizes, attn_mask, enable_gqa):
        why = "The fused kernel does not support these shapes, strides or gradients."
    if enabled["flash"] and not why:
        return _FUSED
    if not enabled["math"]:
        warnings.warn("Flash attention kernel not used because:", stacklevel=3)
        warnings.warn(why, stacklevel=3)
        raise RuntimeError("No available kernel.  Aborting execution.")
    if 0 in (q[-2], k[-2]):
        return "AddBackward0"
    if dispatch.geometry_of(query).dtype in (dtypes.float16, dtypes.bfloat16):
        return "ToCopyBackward0"
    return "MmBackward0" if len(q) == len(k) == len(v) == 2 else "UnsafeViewBackward0"


def _fits_fused(query: Tensor, sizes: list[tuple[int, ...]], attn_mask: Tensor | None, enable_gqa: bool) -> bool:
    q, k, v = sizes
    if not q[-1] == k[-1] == v[-1] or not q[0] == k[0] == v[0] or k[1] != v[1] or 0 in (q[-2], k[-2]):
        return False
    if q[1] != k[1] and not (enable_gqa and k[1] and q[1] % k[1] == 0):
        return False
    if dispatch.geometry_of(query).stride[-1] != 1:
        return False
    if attn_mask is None:
        return True
    return len(dispatch.shape_of(attn_mask)) in (2, 4) and not (modes.grad and tape.requires_grad(attn_mask))


def _check_shapes(sizes: list[tuple[int, ...]], enable_gqa: bool, fused: bool) -> tuple[int, ...]:
    """The dimensions before the last two, or PyTorch's refusal of shapes that do not fit."""
    q, k, v = sizes
    if enable_gqa:
        heads = [size[wrap_dim(-3, len(size))] for size in sizes]
        check(
            heads[0] % max(heads[1], 1) == 0 and heads[0] % max(heads[2], 1) == 0,
            "Number of heads in key and value must divide the number of heads in ",
        )
        batch = broadcast_shapes(q[:-3], k[:-3], v[:-3]) + (heads[0],)
    else:
        batch = broadcast_shapes(broadcast_shapes(q[:-2], k[:-2]), v[:-2])
    count = 1
    for n in batch:
        count *= n
    if q[-1] != k[-1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{count}, {q[-1]}] but got:"
            f" [{count}, {k[-1]}]."
            if batch
            else f"mat1 and mat2 shapes cannot be multiplied ({q[-2]}x{q[-1]} and {k[-1]}x{k[-2]})"
        )
    if k[-2] != v[-2]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{count}, {k[-2]}] but got:"
            f" [{count}, {v[-2]}]."
            if batch
            else f"mat1 and mat2 shapes cannot be multiplied ({q[-2]}x{k[-2]} and {v[-2]}x{v[-1]})"
        )
    return batch


def _lay_as(result: Tensor, query: Tensor) -> None:
    """Give a fresh result the order of dimensions in memory that the queries have."""
    geometry = dispatch.geometry_of(query)
    if geometry.is_contiguous:
        return
    size = dispatch.shape_of(result)
    order = sorted(range(4), key=lambda d: (-geometry.stride[d], d))
    strides, step = [0] * 4, 1
    for d in reversed(order):
        strides[d] = step
        step *= size[d]
    result._storage.replace(result._storage.array, tuple(strides))
