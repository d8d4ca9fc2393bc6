"""``torch.cpu``: the processor under the names that accelerators have."""

from __future__ import annotations

from typing import Any

__all__ = [
    "Event",
    "Stream",
    "StreamContext",
    "current_device",
    "current_stream",
    "device_count",
    "is_available",
    "is_initialized",
    "set_device",
    "stream",
    "synchronize",
]


class Stream:
    """A queue of work that does not exist: the processor has done what it was asked for."""

    def __init__(self, priority: int = -1) -> None:
        pass

    def wait_stream(self, stream: Stream) -> None:
        """Wait for another queue: there is nothing to wait for."""

    def record_event(self) -> None:
        """Mark a place in the queue."""

    def wait_event(self, event: Event) -> None:
        """Wait for a mark: there is nothing to wait for."""


class Event:
    """A mark in a queue of work that does not exist."""

    def query(self) -> bool:
        """Return True: all that was asked for is done."""
        return True

    def record(self, stream: Stream | None = None) -> None:
        """Mark a place."""

    def synchronize(self) -> None:
        """Wait: there is nothing to wait for."""

    def wait(self, stream: Stream | None = None) -> None:
        """Wait: there is nothing to wait for."""


_streams = [Stream()]


class StreamContext:
    """A block whose work goes to a queue."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            _streams.append(self.stream)

    def __exit__(self, *error: object) -> None:
        if self.stream is not None:
            _streams.pop()


def is_available() -> bool:
    """Return True: there is a processor.

    >>> torch.cpu.is_available()
    True
    """
    return True


def is_initialized() -> bool:
    """Return True: nothing is to be prepared."""
    return True


def synchronize(device: Any = None) -> None:
    """Wait for the processor: there is nothing to wait for."""


def current_device() -> str:
    """Return ``"cpu"``."""
    return "cpu"


def device_count() -> int:
    """Return 1."""
    return 1


def set_device(device: Any) -> None:
    """Make the processor the current one, which it is."""


def current_stream(device: Any = None) -> Stream:
    """Return the queue that a block of `stream` says, or the one of all work."""
    return _streams[-1]


def stream(stream: Stream) -> StreamContext:
    """Return a block whose work goes to a queue."""
    return StreamContext(stream)
