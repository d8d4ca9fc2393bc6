"""Normalisation by the statistics of single instances."""

from __future__ import annotations

import warnings
from typing import Any

from torchlike.nn import functional as F
from torchlike.nn.modules.batchnorm import _LazyNormBase, _NormBase

__all__ = [
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]

Tensor = Any


class _InstanceNorm(_NormBase):
    """What the instance normalisations share."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _get_no_batch_dim(self) -> int:
        return self._dims[0]

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Explain statistics in states from when they were kept by default."""
        if local_metadata.get("version") is None and not self.track_running_stats:
            found = [prefix + n for n in ("running_mean", "running_var") if prefix + n in state_dict]
            if found:
                names, kind = " and ".join(f'"{key}"' for key in found), type(self).__name__
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {names} for {kind} with track_running_stats=False. If"
                    f" state_dict is a checkpoint saved before 0.4.0, this may be expected because {kind} does not"
                    " track running stats by default since 0.4.0. Please remove these keys from state_dict. If the"
                    f" running stats are actually needed, instead set track_running_stats=True in {kind} to enable"
                    f" them. See the documentation of {kind} for details."
                )
                for key in found:
                    state_dict.pop(key)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def forward(self, input: Tensor) -> Tensor:
        """Normalise; with running statistics, while training, move them towards those of the input."""
        self._check_input_dim(input)
        unbatched = input.dim() == self._get_no_batch_dim()
        channels = input.dim() - self._get_no_batch_dim()
        found = input.size(channels)
        if found != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={channels} to match num_features ({self.num_features}), but got:"
                    f" {found}."
                )
            warnings.warn(
                f"input's size at dim={channels} does not match num_features. You can silence this warning by not"
                " passing in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        result = F.instance_norm(
            input.unsqueeze(0) if unbatched else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return result.squeeze(0) if unbatched else result


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each instance of (n, c, l) or (c, l); ``affine`` adds scale and shift.

    >>> torch.nn.InstanceNorm1d(1)(torch.tensor([[[1., 3.]]])).shape
    torch.Size([1, 1, 2])
    """

    _dims, _expected = (2, 3), "2D or 3D"


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each instance of (n, c, h, w) or (c, h, w); ``affine`` adds scale and shift."""

    _dims, _expected = (3, 4), "3D or 4D"


class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each instance of (n, c, d, h, w) or (c, d, h, w); ``affine`` adds scale and shift."""

    _dims, _expected = (4, 5), "4D or 5D"


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """An `InstanceNorm1d` that learns ``num_features`` from its first input."""

    cls_to_become = InstanceNorm1d
    _dims, _expected = (2, 3), "2D or 3D"


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """An `InstanceNorm2d` that learns ``num_features`` from its first input."""

    cls_to_become = InstanceNorm2d
    _dims, _expected = (3, 4), "3D or 4D"


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """An `InstanceNorm3d` that learns ``num_features`` from its first input."""

    cls_to_become = InstanceNorm3d
    _dims, _expected = (4, 5), "4D or 5D"
