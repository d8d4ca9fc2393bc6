"""Causal biases: attention masks that are known by their shape alone."""

from __future__ import annotations

import warnings
from enum import IntEnum
from typing import Any

from torchlike import ops
from torchlike._core import dtype as dtypes
from torchlike._tensor import Tensor
from torchlike.nn.functional.attention import scaled_dot_product_attention

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """In which corner the triangle of a causal bias of l queries and s keys begins; the same where l equals s."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """A causal mask that attention takes without making it.

    >>> from torchlike.nn.attention.bias import CausalBias, CausalVariant
    >>> CausalBias(CausalVariant.LOWER_RIGHT, 2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """

    variant: CausalVariant
    seq_len_q: int
    seq_len_kv: int

    def __init__(self, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> None:
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant).__name__}")
        super().__init__()
        self.variant = variant
        self.seq_len_q = seq_len_q
        self.seq_len_kv = seq_len_kv
        if seq_len_q > seq_len_kv and variant == CausalVariant.LOWER_RIGHT:
            warnings.warn(
                "Lower right causal bias will produce NaNs in the output when seq_len_q > seq_len_kv!", stacklevel=2
            )

    def _materialize(self, device: Any = None) -> Any:
        """The mask as a tensor of bools."""
        ones = ops.ones((self.seq_len_q, self.seq_len_kv), device=device or "cpu", dtype=dtypes.bool)
        lower_right = self.variant == CausalVariant.LOWER_RIGHT
        return ops.tril(ones, self.seq_len_kv - self.seq_len_q if lower_right else 0)

    def _attend(
        self, query: Any, key: Any, value: Any, dropout_p: float, is_causal: bool, scale: float | None, enable_gqa: bool
    ) -> Any:
        """Attention under this bias."""
        if is_causal:
            raise ValueError("CausalBias should not be used with causal=True")
        square = self.variant == CausalVariant.UPPER_LEFT or self.seq_len_q == self.seq_len_kv
        mask = None if square else self._materialize(query.device)
        return scaled_dot_product_attention(query, key, value, mask, dropout_p, square, scale, enable_gqa)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:  # type: ignore[override]
        return repr(self._materialize())


def causal_upper_left(*size: int) -> CausalBias:
    """Return the bias by which query i of ``size[0]`` sees the keys up to i of ``size[1]``.

    >>> from torchlike.nn.attention.bias import causal_upper_left
    >>> causal_upper_left(2, 3)
    tensor([[ True, False, False],
            [ True,  True, False]])
    """
    if len(size) != 2:
        raise AssertionError("causal_upper_left only supports 2D tensors")
    return CausalBias(CausalVariant.UPPER_LEFT, *size)


def causal_lower_right(*size: int) -> CausalBias:
    """Return the bias by which the last query sees all keys, and each one before it one key less.

    >>> from torchlike.nn.attention.bias import causal_lower_right
    >>> causal_lower_right(2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    if len(size) != 2:
        raise AssertionError("causal_lower_right only supports 2D tensors")
    return CausalBias(CausalVariant.LOWER_RIGHT, *size)
