"""Functions whose arguments PyTorch calls otherwise than its documentation does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def answers_to(**names: str) -> Callable[[F], F]:
    """Let a function be called with other keywords: ``answers_to(input="A")`` takes ``input=`` for its ``A``.

    The documented names are those of the signature; those that PyTorch's parser knows are the others.
    """

    def declare(function: F) -> F:
        @functools.wraps(function)
        def renaming(*args: Any, **kwargs: Any) -> Any:
            if kwargs:
                for other, name in names.items():
                    if other in kwargs:
                        kwargs[name] = kwargs.pop(other)
            return function(*args, **kwargs)

        return renaming  # type: ignore[return-value]

    return declare
