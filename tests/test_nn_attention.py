"""Attention by other ways: one block of queries or many, masks or hints, switches, biases."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike.nn import functional as F
from torchlike.nn.attention import SDPBackend, sdpa_kernel
from torchlike.nn.attention.bias import causal_lower_right, causal_upper_left


def assert_close(found: Any, expected: Any) -> None:
    if isinstance(found, tuple):
        for f, e in zip(found, expected, strict=True):
            assert_close(f, e)
    else:
        np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-6, atol=1e-6)


def operands(queries: int, keys: int) -> list[Any]:
    torch.manual_seed(0)
    sizes = ((1, 2, queries, 4), (1, 2, keys, 4), (1, 2, keys, 4))
    return [torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in sizes]


def written_out(query: Any, key: Any, value: Any, mask: Any) -> Any:
    scores = query @ key.transpose(-2, -1) * 0.5 + torch.zeros_like(mask, dtype=query.dtype).masked_fill(
        ~mask, float("-inf")
    )
    return scores.softmax(-1) @ value


@pytest.mark.parametrize(("queries", "keys"), [(3, 5), (300, 280), (129, 200)])
def test_many_blocks_are_one_attention(queries: int, keys: int) -> None:
    given = operands(queries, keys)
    mask = torch.ones(queries, keys, dtype=torch.bool).tril()
    weight = torch.randn(1, 2, queries, 4, dtype=torch.float64)
    expected = written_out(*given, mask)
    expected_grads = torch.autograd.grad(expected, given, weight)
    for result in (
        F.scaled_dot_product_attention(*given, is_causal=True),
        F.scaled_dot_product_attention(*given, mask),
        F.scaled_dot_product_attention(*given, causal_upper_left(queries, keys)),
    ):
        assert_close(result, expected)
        assert_close(torch.autograd.grad(result, given, weight), expected_grads)


def test_second_derivative() -> None:
    given = operands(3, 4)
    mask = torch.ones(3, 4, dtype=torch.bool)

    def second(result: Any) -> Any:
        first = torch.autograd.grad((result**2).sum(), given, create_graph=True)
        return torch.autograd.grad(sum((g**2).sum() for g in first), given)

    found = second(F.scaled_dot_product_attention(*given))
    assert_close(found, second(written_out(*given, mask)))


def test_nothing_of_the_size_of_the_scores_is_kept() -> None:
    query, key, value = operands(64, 64)
    node = F.scaled_dot_product_attention(query, key, value).grad_fn
    assert sum(x.size for x in node.saved) == 4 * query.numel() + 2 * 64


def test_queries_that_see_nothing() -> None:
    query, key, value = operands(2, 3)
    mask = torch.tensor([[True, True, True], [False, False, False]])
    result = F.scaled_dot_product_attention(query, key, value, mask)
    assert result[0, :, 1].abs().sum() == 0
    result.sum().backward()
    assert query.grad[0, :, 1].abs().sum() == 0
    assert not query.grad.isnan().any()


def test_memory_order_is_that_of_the_queries() -> None:
    x = torch.randn(2, 4, 18)
    query, key, value = (part.view(2, 4, 3, 2).transpose(1, 2) for part in x.split(6, -1))
    result = F.scaled_dot_product_attention(query, key, value)
    assert result.stride() == (24, 2, 6, 1)
    assert result.transpose(1, 2).view(2, 4, 6).shape == (2, 4, 6)


def test_switches() -> None:
    x = torch.ones(1, 1, 2, 2)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        assert F.scaled_dot_product_attention(x, x, x).sum() == 4
        with pytest.warns(UserWarning, match="Flash|dropout"), pytest.raises(RuntimeError, match="No available kernel"):
            F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)
    with (
        sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION], set_priority=True),
        pytest.raises(RuntimeError, match="No viable backend"),
    ):
        F.scaled_dot_product_attention(x, x, x)
    assert F.scaled_dot_product_attention(x, x, x, dropout_p=0.0).sum() == 4
    with pytest.raises(AssertionError, match="Backend must be an instance"):
        sdpa_kernel(1).__enter__()  # type: ignore[arg-type]


def test_biases() -> None:
    query, key, value = operands(2, 4)
    expected = F.scaled_dot_product_attention(query, key, value, torch.ones(2, 4, dtype=torch.bool).tril(2))
    assert_close(F.scaled_dot_product_attention(query, key, value, causal_lower_right(2, 4)), expected)
    with pytest.raises(ValueError, match="should not be used with causal"):
        F.scaled_dot_product_attention(query, key, value, causal_lower_right(2, 4), is_causal=True)
    with pytest.warns(UserWarning, match="NaNs"):
        causal_lower_right(4, 2)


def test_heads_without_a_batch_are_a_batch_of_one() -> None:
    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(4, 2)
    x = torch.randn(3, 4)
    result, weights = attention(x, x, x)
    batched, batched_weights = attention(*(x[:, None],) * 3)
    assert_close(result, batched[:, 0])
    assert_close(weights, batched_weights[0])
    assert_close(weights.sum(-1), torch.ones(3))


def test_encoder_says_why_padding_is_computed() -> None:
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8)
    with pytest.warns(UserWarning, match="self_attn.batch_first was not True"):
        torch.nn.TransformerEncoder(layer, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
