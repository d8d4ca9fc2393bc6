"""Groups of dtypes, and the refusals that operators' bodies make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from torchlike._core import dtype as dtypes
from torchlike._core import errors
from torchlike._core.halves import rounded
from torchlike._core.op import operands_given
from torchlike._core.promote import common_dtype

Dtypes = frozenset[np.dtype[Any]]


def _group(*members: dtypes.dtype) -> Dtypes:
    return frozenset(d.np for d in members)


BOOL: Final = _group(dtypes.bool)
INTEGERS: Final = _group(dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64)
UNSIGNED: Final = _group(dtypes.uint16, dtypes.uint32, dtypes.uint64)
HALF: Final = _group(dtypes.float16, dtypes.bfloat16)
HALF_FLOAT: Final = _group(dtypes.float16)
FLOATS: Final = _group(dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
COMPLEX: Final = _group(dtypes.complex64, dtypes.complex128)
FLOAT8: Final = frozenset(d.np for d in dtypes.FLOAT8)
# The dtypes that most operators have no kernel for.
BARE: Final = UNSIGNED | FLOAT8


def refuse(operator: str, array: Any, *groups: Dtypes) -> None:
    """Raise ``"operator" not implemented for 'Bool'`` when the array's dtype is in one of the groups."""
    if any(np.dtype(array.dtype) in group for group in groups):
        errors.not_implemented(operator, array.dtype)


def refuse_with(
    message: str, arrays: Any | Iterable[Any], group: Dtypes, exception: type[Exception] = RuntimeError
) -> None:
    """Raise ``exception(message)`` when the dtype of one of the arrays is in the group."""
    for array in arrays if isinstance(arrays, tuple | list) else (arrays,):
        if np.dtype(array.dtype) in group:
            raise exception(message)


def refuse_numbers(function: str, signatures: tuple[str, ...]) -> None:
    """Raise PyTorch's TypeError when the operands of the body that asks were all Python numbers."""
    given = [g for g in operands_given() if g is not None]
    if all(category == "number" for _, category in given):
        stand_ins = {"bool": True, "int64": 0}
        numbers = [stand_ins.get(d.name, 0j if d.is_complex else 0.0) for d, _ in given]
        errors.invalid_combination(function, numbers, *signatures)


def is_in(array: Any, group: Dtypes) -> bool:
    """Return whether the array's dtype is in the group."""
    return np.dtype(array.dtype) in group


def as_given(x: Any) -> Any:
    """Round float32 numbers to the half precision in which the operands were given, if they were."""
    first = operands_given()[0]
    return x if first is None else rounded(x, first[0].np)


def stepwise() -> Callable[[Any], Any]:
    """What rounds a number between the steps of a formula to the half precision that the operands have in common.

    A formula that PyTorch writes in terms of other operators rounds after each of them.
    """
    given = [g for g in operands_given() if g is not None]
    kind = common_dtype(given).np
    return lambda x: rounded(x, kind)


def unfused(x: Any) -> Any:
    """A number as it is, but rounded: the compiler may not fuse the product that it is with a sum that it is in.

    Barriers and conversions there and back are seen through; a choice is not, though both sides come to the same.
    """
    return jnp.where(x == x, x, -x)


def squared(x: Any) -> Any:
    """The square, rounded, as PyTorch's is before it is taken from 1; a fused product would lose what both have."""
    return stepwise()(unfused(x * x))
