"""Ints and tuples of ints among the arguments of a call, and PyTorch's words for what is none."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from torchlike._core.dtype import dtype
from torchlike._core.tensor_state import TensorBase


def is_int(x: Any) -> bool:
    """Whether a value can stand for an int: an int but no bool, a NumPy integer, a 0-d integer tensor."""
    if type(x) is int:
        return True
    if isinstance(x, TensorBase):
        dtype = x.dtype  # type: ignore[attr-defined]
        whole = not (dtype.is_floating_point or dtype.is_complex) and dtype.name != "bool"
        return whole and x.dim() == 0  # type: ignore[attr-defined]
    return hasattr(x, "__index__") and not isinstance(x, bool | np.bool_)


def as_int(function: str, name: str, position: int, x: Any) -> int:
    """The int that a value stands for; TypeError if it stands for none."""
    if not is_int(x):
        given = type(x).__name__
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be int, not {given}")
    return x if type(x) is int else operator.index(x)


def as_ints(function: str, name: str, position: int, given: Any) -> tuple[int, ...]:
    """The ints of a sequence; TypeError if it is none, or where an element is no int."""
    if not isinstance(given, tuple | list):
        kind = type(given).__name__
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be tuple of ints, not {kind}")
    found = []
    for place, x in enumerate(given):
        if type(x) is not int:
            if not is_int(x):
                raise _not_an_int(function, name, place, type(x).__name__)
            x = operator.index(x)
        found.append(x)
    return tuple(found)


def check_numbers(function: str, parameters: Sequence[Any], statics: Sequence[Any]) -> None:
    """Refuse a tensor of several elements where a number is meant."""
    for p, value in zip(parameters, statics, strict=False):
        if isinstance(value, TensorBase) and value.numel() != 1:  # type: ignore[attr-defined]
            wanted = "int" if p.annotation.startswith("int") else "Number"
            raise TypeError(
                f"{function}(): argument '{p.name}' (position {p.position + 1}) must be {wanted}, not Tensor"
            )


def check_kind(function: str, name: str, annotation: str, value: Any) -> None:
    """Refuse a static argument that is no bool (or dtype, or None) where one is declared."""
    if value is None and annotation.endswith("| None"):
        return
    wanted = "torch.dtype" if "dtype" in annotation.lower() else "bool"
    if not isinstance(value, dtype if wanted == "torch.dtype" else bool | np.bool_):
        raise TypeError(f"{function}(): argument '{name}' must be {wanted}, not {type(value).__name__}")


def _not_an_int(function: str, name: str, place: int, kind: str) -> TypeError:
    if place:
        return TypeError(
            f"{function}(): argument '{name}' failed to unpack the object at pos {place + 1} with error"
            f' "type must be tuple of ints,but got {kind}"'
        )
    return TypeError(
        f"{function}(): argument '{name}' must be tuple of ints, but found element of type {kind} at pos 0"
    )


def given_ints(function: str, name: str, varargs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The ints of a method that takes them one by one, as one sequence, or by their name."""
    if named:
        if varargs or set(named) != {name}:
            wrong = next((key for key in named if key != name), name)
            raise TypeError(f"{function}() got an unexpected keyword argument '{wrong}'")
        return named[name]
    if not varargs:
        raise TypeError(f'{function}() missing 1 required positional arguments: "{name}"')
    if len(varargs) == 1 and not is_int(varargs[0]):
        return varargs[0]
    return varargs
