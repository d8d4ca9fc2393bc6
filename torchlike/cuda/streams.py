"""Streams and events of a GPU: XLA orders its work itself, so there are none to be made."""

from __future__ import annotations

from typing import Any

from torchlike.cuda._device import is_available

__all__ = ["Event", "ExternalStream", "Stream", "StreamContext", "stream"]


def refuse(name: str, text: str) -> None:
    """Raise PyTorch's error of a machine without a GPU, NotImplementedError where there is one."""
    if is_available():
        raise NotImplementedError(f"torch.cuda.{name}: XLA orders the work of a GPU itself")
    raise RuntimeError(text)


class Stream:
    """A queue of work on a GPU: RuntimeError without a GPU, NotImplementedError with one."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        refuse("Stream", "torch.cuda.Stream requires CUDA support")


class ExternalStream(Stream):
    """A queue that another library made."""

    def __init__(self, stream_ptr: int, device: Any = None, **kwargs: Any) -> None:
        super().__init__(device)


class Event:
    """A mark in a queue of work on a GPU: RuntimeError without a GPU, NotImplementedError with one."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, external: bool = False
    ) -> None:
        refuse("Event", "Tried to instantiate dummy base class Event")


class StreamContext:
    """A block whose work goes to a stream; with None it goes where it went before."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


def stream(stream: Stream | None) -> StreamContext:
    """Return a context in which work goes to a stream; for None it changes nothing.

    >>> with torch.cuda.stream(None):
    ...     x = torch.ones(1)
    """
    return StreamContext(stream)
