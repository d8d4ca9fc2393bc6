"""The arguments that a transform differentiates: picked out, checked, put back."""

from __future__ import annotations

from typing import Any

from torchlike._core import dispatch, trees
from torchlike._core.tensor_state import TensorBase

Argnums = int | tuple[int, ...]


def checked_argnums(argnums: Any, count: int) -> Argnums:
    """Refuse what is no choice among ``count`` arguments; negative numbers count from the end."""
    if isinstance(argnums, int):
        return _one(argnums, count)
    if isinstance(argnums, tuple):
        if not argnums:
            raise RuntimeError("argnums must be non-empty")
        if len(set(argnums)) != len(argnums):
            raise RuntimeError(f"argnums elements must be unique, got {argnums}")
        return tuple([_one(n, count) for n in argnums])
    raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")


def _one(argnum: Any, count: int) -> int:
    if not isinstance(argnum, int):
        raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
    if not -count <= argnum < count:
        raise RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")
    return argnum % count


def chosen(args: tuple[Any, ...], argnums: Argnums) -> Any:
    """The arguments that ``argnums`` names: one, or a tuple of them."""
    return args[argnums] if isinstance(argnums, int) else tuple([args[n] for n in argnums])


def replaced(args: tuple[Any, ...], new: Any, argnums: Argnums) -> list[Any]:
    """All arguments, with others in place of the chosen ones."""
    full = list(args)
    if isinstance(argnums, int):
        full[argnums] = new
    else:
        for n, value in zip(argnums, new, strict=True):
            full[n] = value
    return full


def check_complex(function: str, tree: Any, *, is_input: bool) -> None:
    """Refuse complex tensors, for which a Jacobian would be ambiguous."""
    for x in trees.flatten(tree)[0]:
        if isinstance(x, TensorBase) and dispatch.geometry_of(x).dtype.is_complex:
            kind = "inputs" if is_input else "outputs"
            raise RuntimeError(
                f"{function}: Expected all {kind} to be real but received complex tensor at flattened input idx: 0"
            )
