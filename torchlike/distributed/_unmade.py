"""Names of classes and functions that work on groups of processes: programs ask about them, and cannot use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


def absent_class(home: str, name: str) -> type:
    """A class without instances, for ``isinstance``."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{home}.{name}: groups of processes")

    return type(
        name, (), {"__init__": __init__, "__doc__": "A class without instances: it needs a group of processes."}
    )


def absent_function(home: str, name: str) -> Callable[..., Any]:
    """A function that raises NotImplementedError."""

    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"{home}.{name}: groups of processes")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "Work on a group of processes: NotImplementedError."
    return function
