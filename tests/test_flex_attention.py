"""Attention with a rule for each score."""

from __future__ import annotations

import math
from typing import Any

import pytest

import torchlike as torch
from torchlike.nn.attention.flex_attention import (
    AuxRequest,
    BlockMask,
    and_masks,
    create_block_mask,
    create_mask,
    flex_attention,
    noop_mask,
    or_masks,
)


def causal(b: Any, h: Any, q: Any, kv: Any) -> Any:
    return q >= kv


@pytest.fixture
def tensors() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    shapes = ((2, 4, 20, 8), (2, 2, 30, 8), (2, 2, 30, 6))
    return tuple(torch.randn(shape, requires_grad=True) for shape in shapes)


def by_hand(q: Any, k: Any, v: Any, bias: Any, kept: Any) -> Any:
    k, v = (x.repeat_interleave(2, 1) for x in (k, v))
    scores = q @ k.transpose(-2, -1) / math.sqrt(8) + bias
    return scores.masked_fill(~kept, -math.inf).softmax(-1) @ v


def test_rules_and_their_gradients(tensors: tuple[torch.Tensor, ...]):
    q, k, v = tensors
    bias = torch.randn(4, 20, 30, requires_grad=True)
    mask = create_block_mask(causal, 2, 4, 20, 30, device="cpu", BLOCK_SIZE=8)
    found = flex_attention(q, k, v, lambda s, b, h, i, j: s + bias[h, i, j], block_mask=mask, enable_gqa=True)
    wanted = by_hand(q, k, v, bias, create_mask(causal, 1, 1, 20, 30, device="cpu"))
    torch.testing.assert_close(found, wanted)
    ours = torch.autograd.grad(found.square().sum(), (*tensors, bias))
    theirs = torch.autograd.grad(wanted.square().sum(), (*tensors, bias))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_is_returned_besides(tensors: tuple[torch.Tensor, ...]):
    q, k, v = tensors
    result, lse = flex_attention(q, k, v, enable_gqa=True, return_lse=True)
    scores = q @ k.repeat_interleave(2, 1).transpose(-2, -1) / math.sqrt(8)
    torch.testing.assert_close(lse, scores.logsumexp(-1))
    again, aux = flex_attention(q, k, v, enable_gqa=True, return_aux=AuxRequest(lse=True))
    torch.testing.assert_close((again, aux.lse), (result, lse))
    assert aux.max_scores is None
    nothing = create_block_mask(lambda b, h, i, j: i < 0, 1, 1, 20, 30, device="cpu")
    empty, minus = flex_attention(q, k, v, block_mask=nothing, enable_gqa=True, return_lse=True)
    assert not empty.any()
    assert minus.isneginf().all()


def test_masks():
    either = or_masks(causal, lambda b, h, q, kv: kv == 3)
    assert create_mask(either, 1, 1, 2, 4, device="cpu").tolist() == [
        [[[True, False, False, True], [True, True, False, True]]]
    ]
    both = and_masks(causal, lambda b, h, q, kv: kv > 0)
    assert create_mask(both, 1, 1, 2, 2, device="cpu").tolist() == [[[[False, False], [False, True]]]]
    assert create_mask(noop_mask, 2, 1, 2, 2, device="cpu").all()
    gone = create_mask(lambda s, b, h, q, kv: s.where(q >= kv, -math.inf), 1, 1, 2, 2, device="cpu")
    assert gone.tolist() == [[[[True, False], [True, True]]]]
    with pytest.raises(RuntimeError, match=r"^All inputs should be callable mask_mods"):
        and_masks(causal, 3)  # type: ignore[arg-type]


def test_block_masks():
    mask = create_block_mask(causal, 1, 1, 512, 512, device="cpu")
    assert (mask.shape, mask.sparsity(), mask.numel()) == ((1, 1, 512, 512), 37.5, 512 * 512)
    assert mask.kv_num_blocks.tolist() == [[[1, 1, 1, 1]]]
    assert mask.full_kv_num_blocks.tolist() == [[[0, 1, 2, 3]]]
    assert mask.full_q_num_blocks.tolist() == [[[3, 2, 1, 0]]]
    assert mask.kv_indices[0, 0, 1].tolist() == [1, 0, 2, 3]
    assert mask.to_dense()[0, 0].tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    picture = "(0, 0)\n██      \n████    \n██████  \n████████"
    assert str(mask) == f"BlockMask(shape=(1, 1, 512, 512), sparsity=37.50%, \n{picture}\n)"
    assert "    kv_indices=torch.Size([1, 1, 4, 4]),\n" in repr(mask)
    assert mask._adjust(100, 100).shape == (1, 1, 100, 100)
    assert mask[:, 0].shape == (1, 1, 512, 512)
    assert len(mask.as_tuple()) == 13
    several = create_block_mask(causal, 2, 3, 300, 200, device="cpu")
    assert "To print out more, set BlockMask.to_string(limit=N)" in str(several)
    counts, indices = torch.ones(1, 1, 2, dtype=torch.int32), torch.zeros(1, 1, 2, 2, dtype=torch.int32)
    assert BlockMask.from_kv_blocks(counts, indices).to_dense().tolist() == [[[[1, 0], [1, 0]]]]


def test_refusals(tensors: tuple[torch.Tensor, ...]):
    q, k, v = tensors
    with pytest.raises(NotImplementedError, match="query, key, and value must be 4D tensors"):
        flex_attention(q[0], k, v)
    with pytest.raises(ValueError, match=r"same number of heads but got Hq=4 and Hkv=2"):
        flex_attention(q, k, v)
    with pytest.raises(ValueError, match=r"same embedding dimension but got E=8 and E=3\."):
        flex_attention(q, k[..., :3], v, enable_gqa=True)
    mask = create_block_mask(causal, 1, 1, 128, 128, device="cpu")
    with pytest.raises(
        ValueError, match=r"^block_mask was created for block_mask\.shape=\(1, 1, 128, 128\) but got q_len=20"
    ):
        flex_attention(q, k, v, block_mask=mask, enable_gqa=True)
    with pytest.raises(AssertionError, match=r"^Expected 4 or 5 positional args, got 1$"):
        create_block_mask(lambda b: b, 1, 1, 8, 8, device="cpu")
    with pytest.raises(ValueError, match=r"^Cannot specify both return_lse and return_aux"):
        flex_attention(q, k, v, enable_gqa=True, return_lse=True, return_aux=AuxRequest(lse=True))
