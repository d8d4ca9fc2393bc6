"""Questions that libraries ask of PyTorch's compiled module, and switches of compilers that are not here."""

from __future__ import annotations

from typing import Any

from torchlike import cuda
from torchlike._core.device import device
from torchlike._core.tensor_state import modes


def _get_tracing_state() -> Any:
    """Return None: no TorchScript graph is being recorded."""
    return None


def _are_functorch_transforms_active() -> bool:
    """Return whether code runs inside a transform of ``torch.func``.

    >>> torch._C._are_functorch_transforms_active()
    False
    """
    return bool(modes.levels)


def _is_torch_function_mode_enabled() -> bool:
    """Return whether a ``TorchFunctionMode`` is active."""
    return bool(modes.function_modes)


def _get_accelerator(check: bool | None = None) -> device:
    """Return the accelerator that programs should take; the CPU where there is none."""
    return device("cuda" if cuda.is_available() else "cpu")


def _log_api_usage_once(event: str) -> None:
    """Tell nobody: there is no log of which functions a program uses."""


def _jit_override_can_fuse_on_cpu(enabled: bool, /) -> None:
    """Accepted: TorchScript's fusers do not exist, XLA's always run."""


def _jit_override_can_fuse_on_gpu(enabled: bool, /) -> None:
    """Accepted: TorchScript's fusers do not exist, XLA's always run."""


def _jit_set_texpr_fuser_enabled(enabled: bool, /) -> None:
    """Accepted: TorchScript's fusers do not exist, XLA's always run."""


def _jit_set_profiling_executor(enabled: bool, /) -> bool:
    """Accepted: TorchScript's executor does not exist. Returns the previous setting, PyTorch's default."""
    return True


def _jit_set_profiling_mode(enabled: bool, /) -> bool:
    """Accepted: TorchScript's executor does not exist. Returns the previous setting, PyTorch's default."""
    return True
