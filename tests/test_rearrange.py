"""Dimensions by a pattern; the expectations are PyTorch's."""

from __future__ import annotations

import pytest

import torchlike as torch

X = torch.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("pattern", "lengths", "shape", "first"),
    [
        ("a b c -> c a b", {}, (4, 2, 3), [0, 4, 8, 12]),
        ("a b c -> (a b) c", {}, (6, 4), [0, 1, 2, 3]),
        ("a b (h w) -> a h b w", {"h": 2}, (2, 2, 3, 2), [0, 1, 4, 5]),
        ("a ... -> ... a", {}, (3, 4, 2), [0, 12, 1, 13]),
        ("a b c -> a 1 b c ()", {}, (2, 1, 3, 4, 1), [0, 1, 2, 3]),
        ("(a1 a2) b c -> a2 (a1 b) c", {"a1": 2}, (1, 6, 4), [0, 1, 2, 3]),
        ("... -> (...)", {}, (24,), [0, 1, 2, 3]),
    ],
)
def test_patterns(pattern: str, lengths: dict[str, int], shape: tuple[int, ...], first: list[int]):
    found = torch.func.rearrange(X, pattern, **lengths)
    assert tuple(found.shape) == shape
    assert found.flatten()[:4].tolist() == first


def test_lists_are_stacked():
    assert torch.func.rearrange([X, X], "n a b c -> a n b c").shape == (2, 2, 3, 4)


@pytest.mark.parametrize(
    ("pattern", "lengths", "message"),
    [
        ("a b c -> a b", {}, "Identifiers only on one side of rearrange expression (should be on both): {'c'}"),
        (
            "a b -> b a",
            {},
            "Number of dimensions in pattern (2) must be equal to the number of dimensions in the tensor (3)",
        ),
        ("a a b -> a b", {}, "Indexing expression contains duplicate dimension 'a'"),
        ("a b c", {}, "Pattern must contain a single '->' separator"),
        ("a b c -> a (b c", {}, "Imbalanced parentheses in expression: ' a (b c'"),
        ("a b c -> a b c", {"q": 3}, "Identifiers not found in rearrange expression: {'q'}"),
        ("a b c -> ... c", {}, "Ellipsis found in right side, but not left side of a pattern a b c -> ... c"),
        ("a b c -> a b -1", {}, "Unknown character '-'"),
        (
            "a b (h w) -> a b h w",
            {"h": 3},
            "inferred dimension does not evenly fit into larger dimension: 4 vs (3, '?')",
        ),
    ],
)
def test_refusals(pattern: str, lengths: dict[str, int], message: str):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message follows
        torch.func.rearrange(X, pattern, **lengths)
    assert str(caught.value) == message
