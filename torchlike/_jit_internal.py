"""Names that libraries take from ``torch._jit_internal``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from torchlike.jit._declarations import export, ignore, is_scripting, unused
from torchlike.jit._script import _overload as _overload
from torchlike.jit._script import _overload_method as _overload_method
from torchlike.jit.annotations import BroadcastingList1, BroadcastingList2, BroadcastingList3

__all__ = [
    "BroadcastingList1",
    "BroadcastingList2",
    "BroadcastingList3",
    "Final",
    "boolean_dispatch",
    "export",
    "ignore",
    "is_scripting",
    "unused",
]

F = TypeVar("F")


def _copy_to_script_wrapper(fn: F) -> F:
    """Mark a method to be copied to scripted modules; returns it as it is."""
    return fn


def boolean_dispatch(
    arg_name: str,
    arg_index: int,
    default: bool,
    if_true: Callable[..., Any],
    if_false: Callable[..., Any],
    module_name: str,
    func_name: str,
) -> Callable[..., Any]:
    """Return a function that calls one of two, as an argument of its call says.

    >>> from torchlike._jit_internal import boolean_dispatch
    >>> f = boolean_dispatch("flag", 1, False, lambda x, flag: "yes", lambda x, flag=False: "no", "m", "f")
    >>> f(0), f(0, True), f(0, flag=True)
    ('no', 'yes', 'yes')
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        chosen = default
        if arg_name in kwargs:
            chosen = kwargs[arg_name]
        elif arg_index < len(args):
            chosen = args[arg_index]
        return (if_true if chosen else if_false)(*args, **kwargs)

    function.__name__, function.__module__ = func_name, module_name
    return function
