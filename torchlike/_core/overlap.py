"""Memory that is written and read by one operation: what PyTorch refuses, by the operator."""

from __future__ import annotations

from torchlike._core.views import Geometry, dense_order

# Operators that write into expanded tensors, each element perhaps several times.
EXPANDED = frozenset(
    {
        "zero",
        "fill_with_number",
        "fill_diagonal",
        "index_fill",
        "masked_fill",
        "index_put",
        "tril",
        "triu",
        "threshold",
        "addmv",
        "baddbmm",
    }
)
# Operators whose inputs must not lie in the memory written to, and those that do not look.
_APART = frozenset(
    {
        "addr",
        "index_add",
        "index_copy",
        "index_put",
        "index_reduce",
        "put",
        "scatter",
        "scatter_add",
        "scatter_reduce",
    }
)
_FREE = frozenset(
    {
        "addbmm",
        "addmm",
        "addmv",
        "baddbmm",
        "bernoulli",
        "fill_with_tensor",
        "index_fill",
        "masked_fill",
        "masked_scatter",
        "cumsum",
        "cumprod",
    }
)
_OUT_APART = frozenset(
    {
        "cat",
        "concat",
        "concatenate",
        "gather",
        "index_select",
        "kthvalue",
        "masked_select",
        "stack",
        "take",
    }
)
_OUT_CHECKED = frozenset(
    {
        "cumsum",
        "cumprod",
        "sort",
        "topk",
    }
)


def refuse_inner() -> None:
    """Raise for a written-to tensor of which several elements are one memory location."""
    raise RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location."
        " Please clone() the tensor before performing the operation."
    )


def _status(a: Geometry, b: Geometry) -> str:
    """How two tensors on one storage share memory: full, partial, no, or hard (to tell)."""
    if a == b:
        return "full"
    if not a.numel or not b.numel:
        return "no"
    if dense_order(a.size, a.stride) is None or dense_order(b.size, b.stride) is None:
        return "hard"
    a_begin, b_begin = a.offset * a.dtype.itemsize, b.offset * b.dtype.itemsize
    a_end, b_end = a_begin + a.numel * a.dtype.itemsize, b_begin + b.numel * b.dtype.itemsize
    if (a_begin, a_end) == (b_begin, b_end):
        return "full" if a.stride == b.stride else "partial"
    return "partial" if a_begin < b_end and b_begin < a_end else "no"


def check(name: str, target: Geometry, source: Geometry) -> None:
    """Refuse an in-place operator that reads memory which it writes, unless it is the same elements (or it may)."""
    name = name.strip("_")
    if name not in _FREE:
        _refuse(_status(target, source), apart=name in _APART)


def check_out(name: str, elementwise: bool, target: Geometry, source: Geometry) -> None:
    """The same for a tensor given as ``out=``."""
    name = name.strip("_")
    if elementwise or name in _OUT_CHECKED or name in _OUT_APART:
        _refuse(_status(target, source), apart=name in _OUT_APART)


def must_be_apart(name: str) -> bool:
    """Whether a tensor given as ``out=`` is refused for overlapping itself before it is resized."""
    return name.strip("_") in _OUT_APART


def _refuse(status: str, *, apart: bool) -> None:
    if status == "partial" or (apart and status == "full"):
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single"
            " memory"
            " location. Please clone() the tensor before performing the operation."
        )


def may_expand(name: str) -> bool:
    """Whether an operator may write into an expanded tensor."""
    return name.strip("_") in EXPANDED
