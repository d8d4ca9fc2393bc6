"""The losses of the ``torch`` namespace: those of ``nn.functional``, with PyTorch's numbers for the reductions.

0 is "none", 1 "mean", 2 "sum". PyTorch declares the mean as the default, but called from Python they do not reduce.
"""

from __future__ import annotations

from typing import Any

from torchlike.nn import functional as F

__all__ = [
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "ctc_loss",
    "hinge_embedding_loss",
    "kl_div",
    "margin_ranking_loss",
    "poisson_nll_loss",
    "triplet_margin_loss",
]

Tensor = Any
_NAMES = {0: "none", 1: "mean", 2: "sum"}


def _name(reduction: int) -> str:
    # PyTorch's C++ side takes every other number for "none".
    return _NAMES.get(reduction, "none")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 0,
) -> Tensor:
    """Return the binary cross entropy of logits; see ``F.binary_cross_entropy_with_logits``.

    >>> torch.binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1.0]), reduction=1)
    tensor(0.6931)
    """
    return F.binary_cross_entropy_with_logits(input, target, weight, reduction=_name(reduction), pos_weight=pos_weight)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """Return ``1 - cos`` for targets of 1, ``max(0, cos - margin)`` for -1; see ``F.cosine_embedding_loss``.

    >>> torch.cosine_embedding_loss(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor(1))
    tensor(1.)
    """
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_name(reduction))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """Return the loss of connectionist temporal classification; see ``F.ctc_loss``.

    >>> log_probs = torch.full((4, 1, 3), 1 / 3).log()
    >>> torch.ctc_loss(log_probs, torch.tensor([[1, 2]]), [4], [2], reduction=2)
    tensor(1.6864)
    """
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _name(reduction), zero_infinity)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """Return the input for targets of 1, ``max(0, margin - input)`` for -1; see ``F.hinge_embedding_loss``.

    >>> torch.hinge_embedding_loss(torch.tensor([0.25, 0.5]), torch.tensor([1, -1]), reduction=2)
    tensor(0.7500)
    """
    return F.hinge_embedding_loss(input, target, margin, reduction=_name(reduction))


def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """Return the divergence of log probabilities from a target; see ``F.kl_div``.

    >>> torch.kl_div(torch.tensor([0.5, 0.5]).log(), torch.tensor([1.0, 0.0]), 2)
    tensor(0.6931)
    """
    # The mean of nn.functional would warn.
    losses = F.kl_div(input, target, reduction="none", log_target=log_target)
    return losses if reduction not in (1, 2) else losses.mean() if reduction == 1 else losses.sum()


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """Return ``max(0, -target * (input1 - input2) + margin)``; see ``F.margin_ranking_loss``.

    >>> torch.margin_ranking_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor([2.])
    """
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_name(reduction))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """Return the negative log likelihood of counts; see ``F.poisson_nll_loss``.

    >>> torch.poisson_nll_loss(torch.tensor([0.0]), torch.tensor([2.0]), True, False, 1e-8, 1)
    tensor(1.)
    """
    return F.poisson_nll_loss(input, target, log_input, full, None, eps, None, _name(reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 0,
) -> Tensor:
    """Return ``max(0, margin + d(anchor, positive) - d(anchor, negative))``; see ``F.triplet_margin_loss``.

    >>> torch.triplet_margin_loss(torch.tensor([[0.0]]), torch.tensor([[2.0]]), torch.tensor([[1.0]]))
    tensor([2.])
    """
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_name(reduction))
