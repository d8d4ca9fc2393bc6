"""``torch.Size``: the shape of a tensor, a tuple of ints."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, NoReturn, Self, SupportsIndex, final, overload

from torchlike._core.naming import TorchNamed

__all__ = ["Size"]

_LIMIT = 2**63


@final
class Size(tuple[int, ...], metaclass=TorchNamed):
    """The shape of a tensor: a tuple whose slices, sums and repetitions are Sizes too.

    Raises TypeError for what is not an iterable of ints.

    >>> torch.Size([2, 3])
    torch.Size([2, 3])
    >>> torch.Size([2, 3]).numel()
    6
    >>> torch.Size([2, 3])[1:] + (4,)
    torch.Size([3, 4])
    """

    __module__ = "torch"
    __slots__ = ()

    def __new__(cls, iterable: Iterable[SupportsIndex] = (), /) -> Self:
        if type(iterable) is cls:
            return iterable
        return tuple.__new__(cls, [_item(position, value) for position, value in enumerate(iterable)])

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise TypeError("type 'torch.Size' is not an acceptable base type")

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape.

        >>> torch.Size([]).numel()
        1
        """
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(repr, self))}])"

    def __reduce__(self) -> tuple[Any, ...]:
        return Size, (tuple(self),)

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> Size: ...
    def __getitem__(self, key: Any) -> Any:
        found = tuple.__getitem__(self, key)
        return tuple.__new__(Size, found) if type(key) is slice else found

    def __add__(self, other: Any) -> Any:
        if isinstance(other, tuple):
            return Size(tuple.__add__(self, other))
        # A list would otherwise take part through its own reflected addition, which tuples do not have.
        if hasattr(other, "__radd__"):
            return NotImplemented
        raise TypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")

    def __radd__(self, other: Any) -> Any:
        return Size(tuple.__add__(other, self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count: SupportsIndex) -> Size:
        if not hasattr(count, "__index__"):
            raise TypeError(f"can't multiply sequence by non-int of type '{type(count).__name__}'")
        return tuple.__new__(Size, tuple.__mul__(self, count))

    __rmul__ = __mul__


def _item(position: int, value: Any) -> int:
    if type(value) is int and -_LIMIT <= value < _LIMIT:
        return value
    try:
        number = operator.index(value)
    except (TypeError, RuntimeError, ValueError):
        kind = type(value)
        name = (
            kind.__name__
            if kind.__module__ in ("builtins", "torch", "torchlike")
            else f"{kind.__module__}.{kind.__name__}"
        )
        raise TypeError(f"torch.Size() takes an iterable of 'int' (item {position} is '{name}')") from None
    if not -_LIMIT <= number < _LIMIT:
        raise ValueError("Overflow when unpacking long long")
    return number
