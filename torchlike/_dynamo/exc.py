"""Errors of PyTorch's tracer, for those who catch them."""

__all__ = ["InternalTorchDynamoError", "TorchDynamoException", "Unsupported"]


class TorchDynamoException(RuntimeError):
    """An error of the tracer."""


class InternalTorchDynamoError(TorchDynamoException):
    """A fault of the tracer itself."""


class Unsupported(TorchDynamoException):
    """Something that the tracer does not support."""
