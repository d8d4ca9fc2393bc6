"""``rearrange``: the dimensions of a tensor by a pattern, ``"b c (h w) -> b h w c"`` (the notation is einops')."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from torchlike._core.tensor_state import TensorBase
from torchlike.ops import _public as ops

__all__ = ["rearrange"]

Tensor = Any
Group = list[str]
_TOKEN = re.compile(r"\.\.\.|[A-Za-z_]\w*|1(?!\w)|[()]|\s+")
_ELLIPSIS = "..."


def _parsed(side: str) -> list[Group | str]:
    """One side of a pattern: names, the ellipsis, and groups of names; a 1 is an empty group."""
    parts: list[Group | str] = []
    group: Group | None = None
    at = 0
    while at < len(side):
        match = _TOKEN.match(side, at)
        if match is None:
            raise ValueError(f"Unknown character {side[at]!r}")
        token, at = match.group(), match.end()
        if token.isspace():
            continue
        if token == "(":
            if group is not None:
                raise ValueError("Brackets inside brackets are not allowed")
            group = []
        elif token == ")":
            if group is None:
                raise ValueError(f"Imbalanced parentheses in expression: {side!r}")
            parts.append(group)
            group = None
        elif token == "1":
            parts.append([])
        elif group is not None:
            group.append(token)
        else:
            parts.append(token)
    if group is not None:
        raise ValueError(f"Imbalanced parentheses in expression: {side!r}")
    names = _names(parts)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Indexing expression contains duplicate dimension {name!r}")
    return parts


def _names(parts: Sequence[Group | str]) -> list[str]:
    return [name for part in parts for name in ([part] if isinstance(part, str) else part)]


def _sides(pattern: str, lengths: dict[str, int]) -> tuple[list[Group | str], list[Group | str]]:
    halves = pattern.split("->")
    if len(halves) != 2:
        raise ValueError("Pattern must contain a single '->' separator")
    left, right = _parsed(halves[0]), _parsed(halves[1])
    if _ELLIPSIS in _names(right) and _ELLIPSIS not in _names(left):
        raise ValueError(f"Ellipsis found in right side, but not left side of a pattern {pattern}")
    if any(isinstance(part, list) and _ELLIPSIS in part for part in left):
        raise ValueError(f"Ellipsis is parenthesis in the left side is not allowed: {pattern}")
    alone = set(_names(left)) ^ set(_names(right))
    if alone:
        raise ValueError(f"Identifiers only on one side of rearrange expression (should be on both): {alone}")
    unknown = lengths.keys() - set(_names(left))
    if unknown:
        raise ValueError(f"Identifiers not found in rearrange expression: {unknown}")
    return left, right


def _sizes(left: Sequence[Group | str], shape: Sequence[int], lengths: dict[str, int]) -> dict[str, int]:
    """The size of each name: one of a group may follow from the others."""
    found = dict(lengths)
    for part, size in zip(left, shape, strict=True):
        group = [part] if isinstance(part, str) else part
        unknown = [name for name in group if name not in found]
        known = math.prod(found[name] for name in group if name in found)
        if len(unknown) > 1:
            raise ValueError(f"cannot infer the sizes of two dimensions at once {unknown[0]} and {unknown[1]}")
        if unknown:
            if known == 0 or size % known:
                raise ValueError(
                    f"inferred dimension does not evenly fit into larger dimension: {size} vs"
                    f" {tuple(found.get(name, '?') for name in group)}"
                )
            found[unknown[0]] = size // known
        elif known != size:
            raise ValueError(
                f"Dimension sizes to do not match ({size} != {known}) when matching dimension pack {tuple(group)}"
            )
    return found


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Tensor:
    """Return a tensor with its dimensions in another order, joined or split, as a pattern says.

    Both sides of ``"left -> right"`` name the same dimensions; names in parentheses share one, and the sizes of all but
    one of them are to be given. ``...`` stands for any number of dimensions, ``1`` or ``()`` for one of size 1. A list
    of tensors is stacked along a first dimension. Raises ValueError for a pattern that is none or does not fit.

    >>> x = torch.arange(6).reshape(2, 3)
    >>> torch.func.rearrange(x, "a b -> b a").shape
    torch.Size([3, 2])
    >>> torch.func.rearrange(x, "a b -> (b a)")
    tensor([0, 3, 1, 4, 2, 5])
    """
    if not isinstance(tensor, TensorBase):
        tensor = ops.stack(list(tensor))
    left, right = _sides(pattern, axes_lengths)
    spread = [f"...{i}" for i in range(tensor.dim() - len(left) + 1)] if _ELLIPSIS in left else []
    if (len(left) != tensor.dim() and _ELLIPSIS not in left) or len(left) - 1 > tensor.dim():
        raise ValueError(
            f"Number of dimensions in pattern ({len(left)}) must be equal to the number of dimensions in the tensor"
            f" ({tensor.dim()})"
        )

    def expanded(parts: Sequence[Group | str]) -> list[Group | str]:
        """The ellipsis as the dimensions that it stands for."""
        result: list[Group | str] = []
        for part in parts:
            if part == _ELLIPSIS:
                result.extend(spread)
            elif isinstance(part, list):
                result.append([name for x in part for name in (spread if x == _ELLIPSIS else [x])])
            else:
                result.append(part)
        return result

    left, right = expanded(left), expanded(right)
    sizes = _sizes(left, tensor.shape, axes_lengths)
    names = _names(left)
    split = tensor.reshape([sizes[name] for name in names])
    ordered = split.permute([names.index(name) for name in _names(right)])
    return ordered.reshape([math.prod(sizes[name] for name in ([p] if isinstance(p, str) else p)) for p in right])
