"""The adaptive softmax: frequent classes in the head, rare ones in clusters of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from torchlike import ops
from torchlike._sharing import from_numpy
from torchlike.nn import functional as F
from torchlike.nn.modules.container import ModuleList, Sequential
from torchlike.nn.modules.linear import Linear
from torchlike.nn.modules.module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

Tensor = Any


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log likelihood of targets under a softmax in two steps, for many classes ordered from frequent to rare.

    Classes below ``cutoffs[0]`` are in the head; those between two cutoffs share a cluster, whose projection has
    ``in_features / div_value**i`` features. Takes (n, in_features) or (in_features) and (n) or () class indices; the
    result has the fields ``output`` (the log likelihoods) and ``loss`` (their negative mean). Raises ValueError for
    cutoffs that are not increasing, RuntimeError for shapes and targets that do not fit.

    >>> layer = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[4, 10], div_value=2.)
    >>> layer(torch.zeros(3, 8), torch.tensor([0, 5, 19])).output.shape
    torch.Size([3])
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(set(cutoffs))
            or cutoffs[0] <= 0
            or cutoffs[-1] > n_classes - 1
            or any(int(c) != c for c in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each"
                " value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            members = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, device=device, dtype=dtype),
                    Linear(hidden, members, bias=False, device=device, dtype=dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw the first values of all weights."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Return the log likelihoods of the targets, and the loss."""
        dims = target_.dim()
        if dims > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if dims == 1 and input_.size(0) != target_.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input_.dim() != dims + 1:
            raise RuntimeError(
                f"{dims}D target tensor expects {dims + 1}D input tensors, but found inputs with size {input_.size()}"
            )
        input, target = (input_, target_) if dims else (input_.unsqueeze(0), target_.unsqueeze(0))
        wanted = target.detach().cpu().numpy()
        if ((wanted < 0) | (wanted >= self.n_classes)).any():
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range"
                f" [{wanted.min()}, {wanted.max()}] were found. "
            )
        in_head = target
        output = None
        for i in range(self.n_clusters):
            low, high = self.cutoffs[i], self.cutoffs[i + 1]
            members = (wanted >= low) & (wanted < high)
            if not members.any():
                continue
            within = (target >= low) & (target < high)
            found = self._in_cluster(i, input, target - low, members)
            part = ops.where(within, found, ops.zeros_like(found))
            output = part if output is None else output + part
            in_head = in_head.masked_fill(within, self.shortlist_size + i)
        log_prob = F.log_softmax(self.head(input), dim=1).gather(1, in_head.unsqueeze(1)).squeeze(1)
        output = log_prob if output is None else output + log_prob
        loss = (-output).mean()
        return _ASMoutput(output if dims else output.squeeze(0), loss)

    def _in_cluster(self, cluster: int, input: Tensor, relative: Tensor, members: np.ndarray[Any, Any]) -> Tensor:
        """The log likelihoods within a cluster, for all rows; those of rows outside it mean nothing."""
        rows = np.flatnonzero(members)
        # Filled up to a power of two, so that batches of different mixtures share their kernels.
        count = min(1 << (len(rows) - 1).bit_length(), len(members))
        chosen = np.zeros(count, np.int64)
        chosen[: len(rows)] = rows
        back = np.zeros(len(members), np.int64)
        back[rows] = np.arange(len(rows))
        picked = from_numpy(chosen).to(input.device)
        log_prob = F.log_softmax(self.tail[cluster](input.index_select(0, picked)), dim=1)
        size = self.cutoffs[cluster + 1] - self.cutoffs[cluster]
        local = relative.index_select(0, picked).clamp(0, size - 1)
        found = log_prob.gather(1, local.unsqueeze(1)).squeeze(1)
        return found.index_select(0, from_numpy(back).to(input.device))

    def _get_full_log_prob(self, input: Tensor, head_output: Tensor) -> Tensor:
        """The log likelihoods of all classes, from the output of the head."""
        head = F.log_softmax(head_output, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i in range(self.n_clusters):
            cluster = F.log_softmax(self.tail[i](input), dim=1)
            parts.append(cluster + head[:, self.shortlist_size + i].unsqueeze(1))
        return ops.cat(parts, 1)

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log likelihoods of all classes: (n, n_classes) for (n, in_features)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """Return the likeliest class of every row; a cluster is looked into only where it wins in the head.

        >>> layer = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[4, 10], div_value=2.)
        >>> layer.predict(torch.zeros(3, 8)).shape
        torch.Size([3])
        """
        head_output = self.head(input)
        best = head_output.argmax(dim=1)
        rare = best >= self.shortlist_size
        if not bool(rare.any()):
            return best
        return ops.where(rare, self._get_full_log_prob(input, head_output).argmax(dim=1), best)
