"""Type promotion: the dtypes in which an operator computes and of which its result is.

PyTorch sorts operands into three categories: tensors with dimensions ("dim"), 0-dim tensors ("zero") and Python numbers
("number"). Within a category dtypes are joined by a table; between categories a lower one only counts when its *kind*
(bool < integer < float < complex) is higher than that of the categories above it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from torchlike._core import dtype as dtypes
from torchlike._core.dtype import dtype
from torchlike._core.errors import scalar_type

__all__ = [
    "ALWAYS_BOOL",
    "BOOL_TO_LONG",
    "COMPLEX_TO_FLOAT",
    "DEFAULT",
    "DEFAULT_WIDE",
    "INT_TO_FLOAT",
    "INT_TO_FLOAT_WIDE",
    "NO_OPMATH",
    "Kind",
    "Operand",
    "can_cast",
    "compute_and_result",
    "of_number",
    "promote_types",
    "result_type",
    "rounded_operands",
]

# The second is the category: "dim", "zero" or "number".
Operand = tuple[dtype, str]


class Kind(enum.Enum):
    """How an operator's compute and result dtypes follow from the common dtype of its operands.

    ========================  ====================================  ==========================================
    kind                      computes in                           gives
    ========================  ====================================  ==========================================
    ``DEFAULT`` (add)         the common dtype, half widened        the common dtype
    ``NO_OPMATH`` (where)     the common dtype                      the common dtype
    ``INT_TO_FLOAT`` (sin)    as DEFAULT, after ...                 ... integers became the default dtype
    ``ALWAYS_BOOL`` (eq)      the common dtype                      bool
    ``COMPLEX_TO_FLOAT`` (abs)  as DEFAULT                          the dtype of the real part
    ``BOOL_TO_LONG`` (pow)    as DEFAULT, after ...                 ... bool became int64
    ========================  ====================================  ==========================================

    Operands are brought to the common dtype before they are widened: ``bfloat16 + 0.1`` adds the bfloat16 nearest to
    0.1. ``DEFAULT_WIDE`` (mul) and ``INT_TO_FLOAT_WIDE`` (div) are DEFAULT and INT_TO_FLOAT but for a last operand that
    is a number or a 0-dim tensor: that one is used as it is.
    """

    DEFAULT = "default"
    NO_OPMATH = "no_opmath"
    INT_TO_FLOAT = "int_to_float"
    ALWAYS_BOOL = "always_bool"
    COMPLEX_TO_FLOAT = "complex_to_float"
    BOOL_TO_LONG = "bool_to_long"
    DEFAULT_WIDE = "default_wide"
    INT_TO_FLOAT_WIDE = "int_to_float_wide"


DEFAULT: Final = Kind.DEFAULT
NO_OPMATH: Final = Kind.NO_OPMATH
INT_TO_FLOAT: Final = Kind.INT_TO_FLOAT
ALWAYS_BOOL: Final = Kind.ALWAYS_BOOL
COMPLEX_TO_FLOAT: Final = Kind.COMPLEX_TO_FLOAT
BOOL_TO_LONG: Final = Kind.BOOL_TO_LONG
DEFAULT_WIDE: Final = Kind.DEFAULT_WIDE
INT_TO_FLOAT_WIDE: Final = Kind.INT_TO_FLOAT_WIDE

# Half-precision operators compute in float32 and round once, as PyTorch's do.
OPMATH: Final = {dtypes.float16: dtypes.float32, dtypes.bfloat16: dtypes.float32}

# The unsigned integers that PyTorch added late; they do not mix with the other integers, nor with complex numbers.
_BAREBONES_UNSIGNED: Final = frozenset({dtypes.uint16, dtypes.uint32, dtypes.uint64})

# Each of these is joined with an earlier one by taking the later; the exceptions follow.
_ORDER: Final = {
    d: rank
    for rank, d in enumerate(
        (
            dtypes.bool,
            dtypes.uint8,
            dtypes.int8,
            dtypes.int16,
            dtypes.int32,
            dtypes.int64,
            dtypes.uint16,
            dtypes.uint32,
            dtypes.uint64,
            dtypes.float16,
            dtypes.bfloat16,
            dtypes.float32,
            dtypes.float64,
            dtypes.complex64,
            dtypes.complex128,
        )
    )
}
_EXCEPTIONS: Final = {
    frozenset({dtypes.uint8, dtypes.int8}): dtypes.int16,
    frozenset({dtypes.float16, dtypes.bfloat16}): dtypes.float32,
    frozenset({dtypes.float64, dtypes.complex64}): dtypes.complex128,
}


def _join(a: dtype, b: dtype) -> dtype:
    """Return the smallest dtype to which both can be converted (PyTorch's table)."""
    if a is b:
        return a
    if a in dtypes.FLOAT8 or b in dtypes.FLOAT8:
        raise RuntimeError(
            f"Promotion for Float8 Types is not supported, attempted to promote {scalar_type(a)} and {scalar_type(b)}"
        )
    for one, other in ((a, b), (b, a)):
        if one in _BAREBONES_UNSIGNED and not other.is_floating_point:
            raise RuntimeError(
                "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
                f"{scalar_type(a)} and {scalar_type(b)}"
            )
    exception = _EXCEPTIONS.get(frozenset({a, b}))
    if exception is not None:
        return exception
    for one in (a, b):
        if one not in _ORDER:
            raise NotImplementedError(f"promotion of {one!r}: jax has no such element type")
    return a if _ORDER[a] > _ORDER[b] else b


def _combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """Return the dtype of a category joined with that of a category which yields to it."""
    if higher is None or lower is None:
        return higher or lower
    if higher.is_complex:
        return higher
    if higher.is_floating_point:
        return higher.to_complex() if lower.is_complex else higher
    if lower.is_complex:
        return lower  # not their join, which the late unsigned integers do not have
    if higher is dtypes.bool or lower.is_floating_point:
        return _join(higher, lower)
    return higher


def common_dtype(operands: Sequence[Operand]) -> dtype:
    """Return the common dtype of ``operands``, pairs of a dtype and a category, by PyTorch's rules."""
    dim: dtype | None = None
    zero: dtype | None = None
    number: dtype | None = None
    for of_operand, category in operands:
        if category == "dim":
            dim = of_operand if dim is None else _join(dim, of_operand)
        elif category == "zero":
            zero = of_operand if zero is None else _join(zero, of_operand)
        else:
            number = of_operand if number is None else _join(number, of_operand)
    common = _combine(dim, _combine(zero, number))
    if common is None:
        raise ValueError("the common dtype of no operands")
    return common


def compute_and_result(kind: Kind, operands: Sequence[Operand]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Return the NumPy dtypes in which an operator of this kind computes, and of its result."""
    return _compute_and_result(kind, tuple(operands))


@lru_cache(maxsize=8192)
def _compute_and_result(kind: Kind, operands: tuple[Operand, ...]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    common = common_dtype(operands)
    if kind is ALWAYS_BOOL:
        return common.np, dtypes.bool.np
    if kind is NO_OPMATH:
        return common.np, common.np
    if kind in (INT_TO_FLOAT, INT_TO_FLOAT_WIDE) and not (common.is_floating_point or common.is_complex):
        common = dtypes.get_default_dtype()
    elif kind is BOOL_TO_LONG and common is dtypes.bool:
        common = dtypes.int64
    compute = OPMATH.get(common, common)
    return compute.np, (common.to_real() if kind is COMPLEX_TO_FLOAT else common).np


dtypes.on_default_change(_compute_and_result.cache_clear)


def rounded_operands(kind: Kind, operands: Sequence[Operand]) -> tuple[np.dtype[Any] | None, ...]:
    """Return for each operand the dtype to which it is rounded before it is widened, None where nothing is widened."""
    compute, result = compute_and_result(kind, operands)
    rounded = None if compute == result or kind in (ALWAYS_BOOL, COMPLEX_TO_FLOAT) else result
    last_is_wide = kind in (DEFAULT_WIDE, INT_TO_FLOAT_WIDE) and operands[-1][1] != "dim"
    last = None if last_is_wide else rounded
    return (*(rounded for _ in operands[:-1]), last)


# Python's numbers ----------------------------------------------------------------------------------------------------


def of_number(number_type: type) -> dtype:
    """Return the dtype that a Python or NumPy number of this type stands for in promotion.

    That is bool, int64, the default dtype or its complex sibling: NumPy's numbers count as Python's.
    Raises TypeError for types that are not numbers.
    """
    if issubclass(number_type, (bool, np.bool_)):
        return dtypes.bool
    if issubclass(number_type, (int, np.integer)):
        return dtypes.int64
    if issubclass(number_type, (float, np.floating)):
        return dtypes.get_default_dtype()
    if issubclass(number_type, (complex, np.complexfloating)):
        return dtypes.default_complex()
    raise TypeError(f"{number_type.__name__} is not a number type")


# The public functions ------------------------------------------------------------------------------------------------

_PYTHON_TYPES: Final[dict[Any, dtype]] = {
    bool: dtypes.bool,
    int: dtypes.int64,
    float: dtypes.float64,
    complex: dtypes.complex128,
}


def _dtype_argument(function: str, name: str, position: int, value: Any) -> dtype:
    if isinstance(value, dtype):
        return value
    if isinstance(value, type) and value in _PYTHON_TYPES:
        return _PYTHON_TYPES[value]
    raise TypeError(
        f"{function}(): argument '{name}' (position {position}) must be torch.dtype, not {type(value).__name__}"
    )


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """Return the dtype with the smallest size and kind to which both dtypes can be converted.

    Raises RuntimeError for the 8-bit floats with any other dtype, and for uint16, uint32 and uint64 with any other
    integer, bool or complex dtype.

    >>> torch.promote_types(torch.int32, torch.float16)
    torch.float16
    >>> torch.promote_types(torch.uint8, torch.int8)
    torch.int16
    """
    return _join(
        _dtype_argument("promote_types", "type1", 1, type1), _dtype_argument("promote_types", "type2", 2, type2)
    )


def can_cast(from_: dtype, to: dtype) -> bool:
    """Return whether converting from one dtype to the other loses no kind: complex > float > integer > bool.

    >>> torch.can_cast(torch.float64, torch.float16)
    True
    >>> torch.can_cast(torch.float32, torch.int64)
    False
    """
    source = _dtype_argument("can_cast", "from_", 1, from_)
    target = _dtype_argument("can_cast", "to", 2, to)
    return _kind_rank(source) <= _kind_rank(target)


def _kind_rank(d: dtype) -> int:
    if d.is_complex:
        return 3
    if d.is_floating_point:
        return 2
    return 0 if d is dtypes.bool else 1


def operand_of(value: Any) -> Operand | None:
    """Return the dtype and category of a tensor (anything with a ``dtype`` and ``dim()``) or a number, else None."""
    value_dtype = getattr(value, "dtype", None)
    if isinstance(value_dtype, dtype):
        return value_dtype, "dim" if value.dim() else "zero"
    if isinstance(value, (bool, int, float, complex, np.number, np.bool_)):
        return of_number(type(value)), "number"
    return None


_RESULT_TYPE_FORMS: Final = (("tensor", "other"), ("scalar", "tensor"), ("scalar1", "scalar2"))


def result_type(*args: Any, **kwargs: Any) -> dtype:
    """Return the dtype of an arithmetic operation on two tensors or numbers.

    The arguments are ``(tensor, other)``, ``(scalar, tensor)`` or ``(scalar1, scalar2)``. Raises TypeError for anything
    else and RuntimeError for dtypes that have no common one.

    >>> torch.result_type(torch.tensor([1, 2], dtype=torch.int32), 1.0)
    torch.float32
    >>> torch.result_type(torch.tensor([1, 2], dtype=torch.uint8), torch.tensor(1))
    torch.uint8
    """
    for names in _RESULT_TYPE_FORMS:
        named = dict(zip(names, args, strict=False)) | kwargs
        if len(args) + len(kwargs) == 2 and set(named) == set(names):
            operands = [operand for name in names if (operand := operand_of(named[name])) is not None]
            if len(operands) == 2:
                return common_dtype(operands)
    got = [type(value).__name__ for value in args] + [f"{key}={type(value).__name__}" for key, value in kwargs.items()]
    if kwargs and not args:
        got.append("")
    raise TypeError(
        f"result_type() received an invalid combination of arguments - got ({', '.join(got)}), but expected one of:\n"
        " * (Tensor tensor, Tensor other)\n * (Number scalar, Tensor tensor)\n"
        " * (Tensor tensor, Number other)\n * (Number scalar1, Number scalar2)\n"
    )
