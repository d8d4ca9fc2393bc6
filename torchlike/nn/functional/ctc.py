"""Connectionist temporal classification: labels for sequences whose alignment nobody knows.

Source: Graves et al., "Connectionist Temporal Classification" (2006). The forward variables run over the labels with
blanks between them, in log space, all sequences of a batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike import ops
from torchlike._construct import from_numpy
from torchlike._core import dispatch
from torchlike._core.errors import check, not_implemented
from torchlike._core.op import Array, NoDerivative, composite, defvjp, op
from torchlike.nn.functional._shared import expect_tensor, known_reduction, ndim

__all__ = ["ctc_loss"]

Tensor = Any


def _log_sum(*terms: Any) -> Any:
    """``log(sum(exp(terms)))`` that is -inf, with gradients of 0, where all terms are."""
    stacked = jnp.stack(terms)
    largest = lax.stop_gradient(jnp.max(stacked, 0))
    base = jnp.where(jnp.isfinite(largest), largest, 0)
    total = jnp.sum(jnp.exp(stacked - base), 0)
    possible = total > 0
    return jnp.where(possible, base + jnp.log(jnp.where(possible, total, 1)), -jnp.inf)


class _Lattice(NamedTuple):
    """What an alignment may run through: the labels of each sequence with blanks between, and who may be skipped to."""

    labels: Any  # (batch, places)
    skips: Any  # whether a place may be reached from the second before it
    ends: Any  # (batch, 1): the place of the last blank

    def emitted(self, frame: Any) -> Any:
        """The scores of the labels at all places, of a frame's scores of the classes."""
        return jnp.take_along_axis(frame, self.labels, axis=1, mode="clip")


def _lattice(targets: Any, target_lengths: Any, blank: int) -> _Lattice:
    batch, count = targets.shape
    labels = jnp.full((batch, 2 * count + 1), blank, targets.dtype).at[:, 1::2].set(targets)
    # A label may follow the one before it without a blank between them, unless both are the same.
    previous = jnp.pad(labels, ((0, 0), (2, 0)), constant_values=blank)[:, :-2]
    return _Lattice(labels, (labels != blank) & (labels != previous), 2 * target_lengths[:, None])


def _moved(values: Any, steps: int) -> Any:
    """Values moved to later places (to earlier ones for negative steps), nothing possible coming in."""
    places = values.shape[1]
    edges = (min(steps, places), 0) if steps > 0 else (0, min(-steps, places))
    padded = jnp.pad(values, ((0, 0), edges), constant_values=-jnp.inf)
    return padded[:, :places] if steps > 0 else padded[:, -places:]


def _losses(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> tuple[Any, Any]:
    """The negative log likelihood of each sequence, and the forward variables (time, batch, places)."""
    lattice = _lattice(targets, target_lengths, blank)

    def step(alpha: Any, frame: tuple[Any, Any]) -> tuple[Any, Any]:
        number, scores = frame
        jumped = jnp.where(lattice.skips, _moved(alpha, 2), -jnp.inf)
        following = _log_sum(alpha, _moved(alpha, 1), jumped) + lattice.emitted(scores)
        following = jnp.where((number < input_lengths)[:, None], following, alpha)
        return following, following

    # Before the first frame everything stands at the first blank, as if one more frame had been seen.
    place = jnp.arange(lattice.labels.shape[1])
    start = jnp.where((place < 2) & (place <= lattice.ends), lattice.emitted(log_probs[0]), -jnp.inf)
    alpha, rest = lax.scan(step, start, (jnp.arange(1, log_probs.shape[0]), log_probs[1:]))
    last = jnp.take_along_axis(alpha, lattice.ends, axis=1)[:, 0]
    before = jnp.take_along_axis(alpha, jnp.maximum(lattice.ends - 1, 0), axis=1)[:, 0]
    likelihood = jnp.where(target_lengths > 0, _log_sum(last, before), last)
    empty = jnp.where(target_lengths > 0, -jnp.inf, 0.0).astype(likelihood.dtype)
    return -jnp.where(input_lengths > 0, likelihood, empty), jnp.concatenate([start[None], rest])


def _log_shares(log_probs: Any, alphas: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> Any:
    """The logarithm of what runs through each class in each frame (time, batch, classes), times the class's own score.

    In log space and in this order, as in PyTorch: the rounding of numbers in the hundreds is what one sees.
    """
    lattice = _lattice(targets, target_lengths, blank)
    place = jnp.arange(lattice.labels.shape[1])
    within = place <= lattice.ends
    final = within & (place >= lattice.ends - 1)
    from_two = jnp.pad(lattice.skips, ((0, 0), (0, 2)))[:, 2:]  # whether the second place behind may be skipped to

    def step(beta: Any, frame: tuple[Any, Any]) -> tuple[Any, Any]:
        number, scores = frame
        own = lattice.emitted(scores)
        jumped = jnp.where(from_two, _moved(beta, -2), -jnp.inf)
        earlier = jnp.where(within, _log_sum(beta, _moved(beta, -1), jumped) + own, -jnp.inf)
        begun = jnp.where(final, own, -jnp.inf)
        at_end = (number == input_lengths - 1)[:, None]
        beta = jnp.where(at_end, begun, jnp.where((number < input_lengths)[:, None], earlier, -jnp.inf))
        return beta, beta

    nothing = jnp.full(alphas.shape[1:], -jnp.inf, alphas.dtype)
    frames = (jnp.arange(log_probs.shape[0]), log_probs)
    _, betas = lax.scan(step, nothing, frames, reverse=True)
    through = jnp.where(within, alphas + betas, -jnp.inf)
    rows = jnp.arange(log_probs.shape[1])

    def gather(total: Any, at: tuple[Any, Any]) -> tuple[Any, None]:
        label, value = at
        so_far = total[:, rows, label]
        return total.at[:, rows, label].set(jnp.where(jnp.isneginf(so_far), value, _log_sum(so_far, value))), None

    start = jnp.full_like(log_probs, -jnp.inf)
    total, _ = lax.scan(gather, start, (lattice.labels.T, jnp.moveaxis(through, 2, 0)), reverse=True)
    return total


def _runs(log_probs: Any, input_lengths: Any) -> Any:
    """Whether a frame belongs to its sequence (time, batch, 1)."""
    return (jnp.arange(log_probs.shape[0])[:, None] < input_lengths)[:, :, None]


@jax.custom_vjp
def _gradient(grad: Any, log_probs: Any, log_shares: Any, losses: Any, input_lengths: Any) -> Any:
    """PyTorch's gradient: that of the log softmax in front is taken in, so that it sums to zero over the classes."""
    shares = jnp.exp(log_shares + losses[:, None] - log_probs)
    return jnp.where(_runs(log_probs, input_lengths), (jnp.exp(log_probs) - shares) * grad[:, None], 0)


def _no_second_derivative(residuals: Any, grad: Any) -> Any:
    raise NoDerivative("derivative for aten::_ctc_loss_backward is not implemented")


_gradient.defvjp(lambda *operands: (_gradient(*operands), None), _no_second_derivative)


@op(method=False, out=False, node="CtcLossBackward0")
def _ctc_loss(
    log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array, blank: int, zero_infinity: bool
) -> tuple[Array, Array]:
    return _losses(log_probs, targets, input_lengths, target_lengths, blank)


@defvjp(_ctc_loss)
def _(grad: Any, inputs: Any, outputs: Any, blank: int, zero_infinity: bool) -> Any:
    log_probs, targets, input_lengths, target_lengths = inputs
    losses, alphas = outputs
    shares = _log_shares(log_probs, alphas, targets, input_lengths, target_lengths, blank)
    slopes = _gradient(grad[0], log_probs, shares, losses, input_lengths)
    # A sequence without an alignment has no gradient either.
    impossible = jnp.isposinf(losses)[:, None] & _runs(log_probs, input_lengths)
    return jnp.where(impossible, 0 if zero_infinity else jnp.nan, slopes), None, None, None


def _counts(name: str, lengths: Any, batch: int) -> np.ndarray[Any, Any]:
    values = np.asarray(lengths.tolist() if hasattr(lengths, "tolist") else list(lengths), np.int64).reshape(-1)
    check(len(values) == batch, f"{name} must be of size batch_size")
    return values


_WHERE = "(while checking arguments for ctc_loss_allocate_outputs)"


def _checked(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int
) -> tuple[Tensor, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Padded targets (batch, labels) and the lengths, after PyTorch's checks."""
    check(
        ndim(log_probs) == 3,
        f"Expected 3-dimensional tensor, but got {ndim(log_probs)}-dimensional tensor for argument #1 'log_probs'"
        f" {_WHERE}",
    )
    steps, batch, classes = dispatch.shape_of(log_probs)
    check(0 <= blank < classes, "blank must be in label range")
    given = _counts("input_lengths", input_lengths, batch)
    wanted = _counts("target_lengths", target_lengths, batch)
    for name, values in (("input_lengths", given), ("target_lengths", wanted)):
        for value in values:
            check(value >= 0, f"Expected {name} to have value at least 0, but got value {value} {_WHERE}")
    shape = dispatch.shape_of(targets)
    if len(shape) == 1:
        total = int(wanted.sum())
        check(
            shape[0] == total,
            f"Expected tensor to have size {total} at dimension 0, but got size {shape[0]} for argument #2 'targets'"
            f" {_WHERE}",
        )
        starts = np.concatenate([[0], np.cumsum(wanted)[:-1]])
        places = np.minimum(starts[:, None] + np.arange(max(int(wanted.max(initial=0)), 1)), max(total - 1, 0))
        targets = targets[from_numpy(places)] if total else targets.new_zeros(batch, 1)
    else:
        check(
            len(shape) == 2,
            f"Expected 1 to 2 dimensions, but got {len(shape)}-dimensional tensor for argument #2 'targets' {_WHERE}",
        )
        check(
            shape[0] == batch,
            f"Expected tensor to have size {batch} at dimension 0, but got size {shape[0]} for argument #2 'targets'"
            f" {_WHERE}",
        )
        longest = int(wanted.max(initial=0))
        check(
            shape[1] >= longest,
            f"Expected tensor to have size at least {longest} at dimension 1, but got size {shape[1]} for argument #2"
            f" 'targets' {_WHERE}",
        )
    for value in given:
        check(value <= steps, f"Expected input_lengths to have value at most {steps}, but got value {value} {_WHERE}")
    return targets, given, wanted


@composite
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return the negative log likelihood of label sequences, summed over all their alignments with the frames.

    ``log_probs`` are log softmax values (time, batch, classes) or (time, classes); ``targets`` the labels, padded
    (batch, labels) or one after the other; the lengths say how much of each is meant. ``blank`` is the class between
    labels. "mean" divides each loss by its number of labels, then takes the mean of the batch. A sequence with fewer
    frames than labels has an infinite loss, or 0 with ``zero_infinity``. The gradient is PyTorch's: right for log_probs
    that come from a log softmax. Raises RuntimeError for sizes and lengths that do not fit, NotImplementedError for
    halves.

    >>> log_probs = torch.full((4, 1, 3), 1 / 3).log()
    >>> torch.nn.functional.ctc_loss(log_probs, torch.tensor([[1, 2]]), [4], [2], reduction="sum")
    tensor(1.6864)
    """
    expect_tensor("ctc_loss", "log_probs", 1, log_probs)
    expect_tensor("ctc_loss", "targets", 2, targets)
    known_reduction(reduction)
    single = ndim(log_probs) == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.reshape(1, -1) if ndim(targets) == 1 else targets
    kind = log_probs.dtype
    if kind.itemsize < 4 or not kind.is_floating_point:
        not_implemented("ctc_loss_cpu", kind.np)
    padded, given, wanted = _checked(log_probs, targets, input_lengths, target_lengths, blank)
    longest = from_numpy(wanted).to(log_probs.device)
    labels = padded.to(log_probs.device).long()
    losses, _ = _ctc_loss(log_probs, labels, from_numpy(given).to(log_probs.device), longest, blank, zero_infinity)
    if zero_infinity:
        losses = ops.where(losses == float("inf"), ops.zeros((), dtype=kind, device=log_probs.device), losses)
    if reduction == "mean":
        return (losses / longest.clamp(min=1).to(kind)).mean()
    if reduction == "sum":
        return losses.sum()
    return losses.squeeze(0) if single else losses
