"""What operators may say about themselves: ``torch.Tag``."""

from __future__ import annotations

from enum import Enum
from typing import Any

__all__ = ["Tag", "as_tags"]


class Tag(Enum):
    """A property of an operator. ``inplace`` and ``out`` let one give back an argument that it has written to.

    >>> torch.Tag.inplace
    <Tag.inplace: 6>
    """

    core = 0
    cudagraph_unsafe = 1
    data_dependent_output = 2
    dynamic_output_shape = 3
    flexible_layout = 4
    generated = 5
    inplace = 6
    inplace_view = 7
    maybe_aliasing_or_mutating = 8
    needs_contiguous_strides = 9
    needs_exact_strides = 10
    needs_fixed_stride_order = 11
    nondeterministic_bitwise = 12
    nondeterministic_seeded = 13
    out = 14
    out_variant = 15
    pointwise = 16
    pt2_compliant_tag = 17
    reduction = 18
    view_copy = 19


def as_tags(tags: Any) -> tuple[Tag, ...]:
    """One tag, several or none, as a tuple."""
    if tags is None:
        return ()
    return (tags,) if isinstance(tags, Tag) else tuple(tags)
