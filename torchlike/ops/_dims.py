"""The ``dim`` argument of reductions: what it may be, and PyTorch's words for what it may not."""

from __future__ import annotations

from typing import Any

from torchlike._core import errors
from torchlike._core.arguments import is_int

Dims = int | tuple[int, ...] | None


class _Tensor:
    """Stands for the tensor among the arguments of a call; bodies see an array in its place."""


_Tensor.__name__ = "Tensor"
TENSOR = _Tensor()

# The two signatures of the reductions that are overloaded; the third, of names, cannot be reached.
_OVER_ALL = "(Tensor input, *, torch.dtype dtype = None)"
_OVER_DIMS = (
    "(Tensor input, tuple of ints dim, bool keepdim = False, *, torch.dtype dtype = None, Tensor out = None)",
    "(Tensor input, int dim, bool keepdim = False, *, torch.dtype dtype = None, Tensor out = None)",
)


def reduced_dims(name: str, dim: Any, ndim: int, *, overloaded: bool = False) -> tuple[int, ...]:
    """Return the dimensions that ``dim`` (an int, some ints or None for all) stands for, counted from the front."""
    if dim is not None and not is_int(dim) and not (isinstance(dim, tuple) and all(map(is_int, dim))):
        if overloaded:
            errors.invalid_combination(name, (TENSOR, dim), _OVER_ALL, *_OVER_DIMS)
        if isinstance(dim, tuple):
            wrong, position = next((type(d).__name__, i) for i, d in enumerate(dim) if not is_int(d))
            raise TypeError(
                f"{name}(): argument 'dim' must be tuple of ints, but found element of type {wrong} at pos {position}"
            )
        raise TypeError(f"{name}(): argument 'dim' (position 2) must be tuple of ints, not {type(dim).__name__}")
    return errors.wrap_dims(dim, ndim)


def reduced_dim(name: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the one dimension that ``dim`` stands for, or all of them for None."""
    if dim is not None and not is_int(dim):
        raise TypeError(f"{name}(): argument 'dim' (position 2) must be int, not {type(dim).__name__}")
    return errors.wrap_dims(dim, ndim)
