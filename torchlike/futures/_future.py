"""A value that another thread may give, with callbacks for when it is there."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

__all__ = ["Future", "collect_all", "wait_all"]

T = TypeVar("T")


class Future(Generic[T]):
    """A value that is set once, from whatever thread.

    ``devices`` is accepted: jax orders the work of its devices itself.

    >>> future = torch.futures.Future()
    >>> later = future.then(lambda f: f.value() + 1)
    >>> future.set_result(1)
    >>> later.wait()
    2
    """

    def __init__(self, *, devices: Sequence[Any] | None = None) -> None:
        self._condition = threading.Condition()
        self._is_done = False
        self._result: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Future[T]], Any]] = []

    def done(self) -> bool:
        """Return whether the value, or an exception in its place, is there."""
        return self._is_done

    def wait(self) -> T:
        """Wait for the value and return it; raises the exception that was set in its place."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_done)
        return self.value()

    def value(self) -> T:
        """Return the value; RuntimeError before it is there."""
        if not self._is_done:
            raise RuntimeError("torch.futures.Future.value: the future is not complete")
        if self._error is not None:
            raise self._error
        result: T = self._result
        return result

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        """Return a future of what a callback returns once this one is done."""
        if not callable(callback):
            raise TypeError("then(): incompatible function arguments. The following argument types are supported:")
        following: Future[Any] = Future()

        def run(done: Future[T]) -> None:
            try:
                result = callback(done)
            except Exception as error:  # noqa: BLE001 - whatever it is, it goes on to the next future
                text = f"Got the following error when running the callback: {type(error).__name__}: {error}"
                where = "".join(traceback.format_tb(error.__traceback__))
                following.set_exception(RuntimeError(f"{text}\n\nAt:\n{where}"))
            else:
                following.set_result(result)

        self._when_done(run)
        return following

    def add_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Call a function once the value is there, at once if it is."""
        self._when_done(callback)

    def _when_done(self, callback: Callable[[Future[T]], Any]) -> None:
        with self._condition:
            if not self._is_done:
                self._callbacks.append(callback)
                return
        callback(self)

    def set_result(self, result: T) -> None:
        """Set the value and run the callbacks; RuntimeError the second time."""
        self._complete(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Set an exception in place of the value."""
        assert isinstance(result, Exception), f"{result} is of type {type(result)}, not an Exception."
        self._complete(None, result)

    def _complete(self, result: Any, error: BaseException | None) -> None:
        with self._condition:
            if self._is_done:
                raise RuntimeError(
                    "Attempting to mark a completed Future as complete again. Note that a Future can only be marked"
                    " completed once."
                )
            self._result, self._error, self._is_done = result, error, True
            waiting, self._callbacks = self._callbacks, []
            self._condition.notify_all()
        for callback in waiting:
            callback(self)


def collect_all(futures: list[Future[Any]]) -> Future[list[Future[Any]]]:
    """Return a future of the futures, done when all of them are.

    >>> a, b = torch.futures.Future(), torch.futures.Future()
    >>> both = torch.futures.collect_all([a, b])
    >>> a.set_result(1); b.set_result(2)
    >>> [f.value() for f in both.wait()]
    [1, 2]
    """
    collected: Future[list[Future[Any]]] = Future()
    lock = threading.Lock()
    left = len(futures)
    if not futures:
        collected.set_result([])

    def one_less(_: Future[Any]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            collected.set_result(list(futures))

    for future in futures:
        future.add_done_callback(one_less)
    return collected


def wait_all(futures: list[Future[Any]]) -> list[Any]:
    """Wait for all futures and return their values; raises the first exception among them.

    >>> future = torch.futures.Future()
    >>> future.set_result(3)
    >>> torch.futures.wait_all([future])
    [3]
    """
    return [future.wait() for future in collect_all(futures).wait()]
