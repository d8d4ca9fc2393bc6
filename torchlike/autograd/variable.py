"""``torch.autograd.Variable``: what tensors with a gradient were before they became tensors."""

from __future__ import annotations

from typing import Any

from torchlike._core.backward import running
from torchlike._core.tensor_state import TensorBase

__all__ = ["Variable", "VariableMeta"]


class _Engine:
    """The part of PyTorch's engine object that programs use."""

    @staticmethod
    def queue_callback(callback: Any) -> None:
        """Call ``callback()`` at the end of the backward in progress. Raises RuntimeError if there is none."""
        if running.task is None:
            raise RuntimeError("Final callbacks can only be installed during backward pass.")
        running.task.callbacks.append(callback)


class VariableMeta(type):
    """Makes every tensor an instance of ``Variable``."""

    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, TensorBase)


class Variable(metaclass=VariableMeta):
    """Calling it returns the tensor itself, with ``requires_grad`` as given.

    >>> torch.autograd.Variable(torch.ones(1), requires_grad=True)
    tensor([1.], requires_grad=True)
    """

    _execution_engine = _Engine()

    def __new__(cls, data: Any, requires_grad: bool = False, volatile: bool = False) -> Any:
        """Return the tensor."""
        return data.detach().requires_grad_(requires_grad)
