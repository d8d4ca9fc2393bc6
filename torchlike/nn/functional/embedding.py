"""Looking up rows of a table, singly and in bags."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, defvjp, op
from torchlike.autograd import no_grad
from torchlike.nn.functional._shared import expect_tensor, ndim, no_complex_gradient, seen_on_host

__all__ = ["embedding", "embedding_bag"]

Tensor = Any


def _in_table(weight: Any, indices: Any, *rest: Any) -> None:
    """Refuse rows that the table does not have."""
    rows = seen_on_host(indices)
    if rows is None or not rows.size or rows.dtype.kind not in "iu":
        return
    if int(rows.min()) < 0 or int(rows.max()) >= dispatch.shape_of(weight)[0]:
        raise IndexError("index out of range in self")


def _check_indices(function: str, indices: Array, name: str = "indices", position: int = 1) -> None:
    check(
        indices.dtype in (jnp.int64, jnp.int32),
        f"Expected tensor for argument #{position} '{name}' to have one of the following scalar types: Long, Int; but"
        f" got torch.{scalar_type(indices.dtype)}Tensor instead (while checking arguments for {function})",
    )


@op(method=False, check=_in_table, node="EmbeddingBackward0")
def _embedding(weight: Array, indices: Array, padding_idx: int, scale_grad_by_freq: bool) -> Array:
    """The rows of a table."""
    check(weight.ndim == 2, "'weight' must be 2-D")
    _check_indices("embedding", indices)
    return jnp.take(weight, indices, axis=0, mode="clip")


@defvjp(_embedding)
def _(grad, inputs, outputs, padding_idx, scale_grad_by_freq):
    weight, indices = inputs
    rows = indices.reshape(-1)
    values = grad.reshape((rows.shape[0], weight.shape[1]))
    if scale_grad_by_freq:
        counts = jnp.zeros(weight.shape[0], values.dtype).at[rows].add(1)
        values = values / counts[rows][:, None]
    if padding_idx >= 0:
        values = jnp.where((rows == padding_idx)[:, None], 0, values)
    return jnp.zeros(weight.shape, values.dtype).at[rows].add(values, mode="drop"), None


def _padding_row(padding_idx: int | None, rows: int, message: str) -> int:
    """The row of a padding index, -1 for none."""
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError(message)
    return padding_idx % rows


@op(method=False)
def _renormed(weight: Array, indices: Array, max_norm: float, norm_type: float) -> Array:
    """A table whose rows that are looked up have at most a certain norm."""
    rows = indices.reshape(-1)
    norms = jnp.linalg.norm(weight, ord=norm_type, axis=1, keepdims=True)
    scale = jnp.where(norms > max_norm, max_norm / (norms + 1e-7), 1).astype(weight.dtype)
    used = jnp.zeros((weight.shape[0], 1), bool).at[rows].set(True)
    return jnp.where(used, weight * scale, weight)


def _renorm(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    with no_grad():
        weight.copy_(_renormed(weight, indices, float(max_norm), float(norm_type)))


@composite
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows ``weight[input]``: indices of any shape (...) and a table (rows, d) give (..., d).

    The row ``padding_idx`` gets no gradient. With ``max_norm`` the rows that are used are first shrunk in place to that
    norm; with ``scale_grad_by_freq`` gradients are divided by how often their row occurs. ``sparse`` is accepted, the
    gradient is dense. Raises IndexError for rows that are not there, AssertionError for such a ``padding_idx``.

    >>> torch.nn.functional.embedding(torch.tensor([2, 0]), torch.tensor([[1.], [2.], [3.]]))
    tensor([[3.],
            [1.]])
    """
    expect_tensor("embedding", "indices", 2, input)
    expect_tensor("embedding", "weight", 1, weight)
    check(ndim(weight) == 2, "'weight' must be 2-D")
    row = _padding_row(padding_idx, weight.size(0), "Padding_idx must be within num_embeddings")
    if max_norm is not None:
        _in_table(weight, input)
        _renorm(weight, input, max_norm, norm_type)
    no_complex_gradient("embedding", weight)
    return _embedding(weight, input, row, bool(scale_grad_by_freq))


# ---------------------------------------------------------------------------------------------------------------------
# Bags


@op(method=False, node="EmbeddingBagBackward0")
def _embedding_bag(
    weight: Array,
    indices: Array,
    bags: Array,
    per_sample_weights: Array | None,
    count: int,
    mode: str,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> Array:
    """The sums, means or maxima of rows over bags; ``bags`` numbers the bag of every index."""
    kept = indices != padding_idx if padding_idx >= 0 else jnp.ones(indices.shape, bool)
    rows = jnp.take(weight, indices, axis=0, mode="clip")
    wide = rows.astype(jnp.float32) if rows.dtype in (jnp.float16, jnp.bfloat16) else rows
    if scale_grad_by_freq:
        counts = jnp.zeros(weight.shape[0], wide.dtype).at[indices].add(1)
        share = wide / counts[indices][:, None]
        # The value is that of the rows, the gradient that of the shares.
        wide = share + jax.lax.stop_gradient(wide - share)
    sizes = jnp.zeros(count, wide.dtype).at[bags].add(kept.astype(wide.dtype), mode="drop")
    if mode == "max":
        lowest = jnp.full((count, weight.shape[1]), -jnp.inf, wide.dtype)
        best = lowest.at[bags].max(jnp.where(kept[:, None], wide, -jnp.inf), mode="drop")
        return jnp.where(sizes[:, None] > 0, best, 0).astype(weight.dtype)
    if per_sample_weights is not None:
        wide = wide * per_sample_weights.astype(wide.dtype)[:, None]
    total = jnp.zeros((count, weight.shape[1]), wide.dtype).at[bags].add(jnp.where(kept[:, None], wide, 0), mode="drop")
    if mode == "mean":
        total = total / jnp.maximum(sizes, 1)[:, None]
    return total.astype(weight.dtype)


def _bags_of(offsets: np.ndarray[Any, Any], total: int) -> np.ndarray[Any, Any]:
    """The number of the bag that each of ``total`` indices is in."""
    marks = np.zeros(total + 1, np.int64)
    np.add.at(marks, offsets[1:], 1)
    return np.cumsum(marks)[:total]


@composite
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sum, mean or maximum ("sum", "mean", "max") of rows of a table over bags of indices.

    ``input`` is (bags, n), or one-dimensional with ``offsets`` that say where each bag starts; the result is (bags, d).
    The row ``padding_idx`` counts for nothing; ``per_sample_weights`` scale the rows of a sum. Raises as PyTorch does
    for combinations that do not fit.

    >>> F = torch.nn.functional
    >>> F.embedding_bag(torch.tensor([0, 1, 2]), torch.tensor([[1.], [2.], [4.]]), torch.tensor([0, 2]), mode="sum")
    tensor([[3.],
            [4.]])
    """
    if weight.dtype.name == "int64" and input.is_floating_point():
        input, weight = weight, input  # the order of arguments of long ago
    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the same"
            f" shape as the input ({input.shape})"
        )
    check(ndim(weight) == 2, f"weight has to be a 2D Tensor, but got Tensor of dimension {ndim(weight)}")
    if ndim(input) == 2:
        if offsets is not None:
            kind = "Tensor" if hasattr(offsets, "size") else type(offsets).__name__
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length"
                f" sequences. However, found offsets of type {type(offsets) if kind else None}"
            )
        size = input.size()
        starts = np.arange(size[0]) * size[1]
        flat = input.reshape(-1)
        count, include_last_offset = size[0], False
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    elif ndim(input) == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if ndim(offsets) != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        found = seen_on_host(offsets)
        if found is None:
            raise NotImplementedError("embedding_bag: offsets inside compiled code or on a device without host access")
        starts, flat = found, input
        count = len(starts) - 1 if include_last_offset else len(starts)
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {ndim(input)}")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max":
        if scale_grad_by_freq:
            raise ValueError("max mode does not support scaling the gradient by the frequency")
        if sparse:
            raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got"
            f" mode='{mode}'). Please open a feature request on GitHub."
        )
    kinds = (dispatch.geometry_of(flat).dtype.np, dispatch.geometry_of(weight).dtype)
    check(
        kinds[0] in (np.int64, np.int32),
        "expected scalar type Long or Int but found " + scalar_type(kinds[0]),
    )
    total = dispatch.shape_of(flat)[0]
    if len(starts):
        check(
            int(starts[0]) == 0,
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However,"
            f" got {int(starts[0])}",
        )
        check(
            int(starts[-1]) <= total,
            f"offsets[-1] can not be greater than input's length {total} but got offsets[-1] of {int(starts[-1])}",
        )
    row = _padding_row(padding_idx, weight.size(0), "padding_idx must be within the number of embeddings")
    if max_norm is not None:
        _in_table(weight, flat)
        _renorm(weight, flat, max_norm, norm_type)
    _in_table(weight, flat)
    bags = dispatch.wrap_host(_bags_of(np.asarray(starts), total), weight.device)
    return _embedding_bag(weight, flat, bags, per_sample_weights, count, mode, row, bool(scale_grad_by_freq))
