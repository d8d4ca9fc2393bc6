"""The functions of ``torch.onnx``: none exports, since there is no graph of PyTorch's operators to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


class OnnxExporterError(RuntimeError):
    """An error of an export."""


def is_in_onnx_export() -> bool:
    """Return False: nothing is being exported.

    >>> torch.onnx.is_in_onnx_export()
    False
    """
    return False


def export(*args: Any, **kwargs: Any) -> NoReturn:
    """Write a model as an ONNX file: NotImplementedError. jax has exporters of its own (``jax.export``)."""
    raise NotImplementedError("torch.onnx.export")


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Callable[..., Any], opset_version: int) -> None:
    """Take a rule for the export of an operator; it is never asked for, as there is no export."""


def unregister_custom_op_symbolic(symbolic_name: str, opset_version: int) -> None:
    """Forget a rule for the export of an operator."""
