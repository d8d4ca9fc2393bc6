"""Type promotion: the table, the categories and the kinds."""

import numpy as np
import pytest

import torchlike as torch
from torchlike._core import dtype as dtypes
from torchlike._core import promote
from torchlike._core.promote import (
    ALWAYS_BOOL,
    BOOL_TO_LONG,
    COMPLEX_TO_FLOAT,
    DEFAULT,
    DEFAULT_WIDE,
    INT_TO_FLOAT,
    INT_TO_FLOAT_WIDE,
    NO_OPMATH,
    compute_and_result,
)

# The join of the classic dtypes, one row a dtype, columns in the same order.
ORDER = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
TABLE = """
b1 u1 i1 i2 i4 i8 f2 bf f4 f8 c8 c16
u1 u1 i2 i2 i4 i8 f2 bf f4 f8 c8 c16
i1 i2 i1 i2 i4 i8 f2 bf f4 f8 c8 c16
i2 i2 i2 i2 i4 i8 f2 bf f4 f8 c8 c16
i4 i4 i4 i4 i4 i8 f2 bf f4 f8 c8 c16
i8 i8 i8 i8 i8 i8 f2 bf f4 f8 c8 c16
f2 f2 f2 f2 f2 f2 f2 f4 f4 f8 c8 c16
bf bf bf bf bf bf f4 bf f4 f8 c8 c16
f4 f4 f4 f4 f4 f4 f4 f4 f4 f8 c8 c16
f8 f8 f8 f8 f8 f8 f8 f8 f8 f8 c16 c16
c8 c8 c8 c8 c8 c8 c8 c8 c8 c16 c8 c16
c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16
"""
SHORT = dict(zip(["b1", "u1", "i1", "i2", "i4", "i8", "f2", "bf", "f4", "f8", "c8", "c16"], ORDER, strict=True))

F8 = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]


class Fake:
    """What promotion wants of a tensor."""

    def __init__(self, dtype, ndim=1):
        self.dtype = dtype
        self.ndim = ndim

    def dim(self):
        return self.ndim


def test_the_table():
    for a, row in zip(ORDER, TABLE.split("\n")[1:-1], strict=True):
        for b, expected in zip(ORDER, row.split(), strict=True):
            assert torch.promote_types(getattr(torch, a), getattr(torch, b)).name == SHORT[expected], (a, b)


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_the_late_unsigned_integers(name):
    d = getattr(torch, name)
    assert torch.promote_types(d, d) is d
    for other in ("float16", "bfloat16", "float32", "float64"):
        assert torch.promote_types(getattr(torch, other), d).name == other
    for other in ("bool", "uint8", "int64", "complex64"):
        with pytest.raises(RuntimeError, match=r"^Promotion for uint16, uint32, uint64 types is not supported"):
            torch.promote_types(d, getattr(torch, other))
    with pytest.raises(RuntimeError, match=r"attempted to promote UInt16 and Char$"):
        torch.promote_types(torch.uint16, torch.int8)


@pytest.mark.parametrize("name", F8)
def test_8_bit_floats_are_not_promoted(name):
    d = getattr(torch, name)
    assert torch.promote_types(d, d) is d
    for other in dtypes.BY_NAME.values():
        if other is not d:
            with pytest.raises(
                RuntimeError, match=r"^Promotion for Float8 Types is not supported, attempted to promote"
            ):
                torch.promote_types(d, other)


def test_python_types_are_dtypes_of_promote_types_and_can_cast():
    assert torch.promote_types(float, int) is torch.float64
    assert torch.promote_types(type1=bool, type2=torch.int8) is torch.int8
    assert torch.can_cast(int, float)
    assert not torch.can_cast(from_=complex, to=torch.float64)


def test_refused_arguments():
    with pytest.raises(
        TypeError, match=r"^promote_types\(\): argument 'type1' \(position 1\) must be torch.dtype, not int$"
    ):
        torch.promote_types(1, torch.bool)
    with pytest.raises(TypeError, match=r"^can_cast\(\): argument 'to' \(position 2\) must be torch.dtype, not str$"):
        torch.can_cast(torch.bool, "int")
    with pytest.raises(
        TypeError, match=r"^result_type\(\) received an invalid combination of arguments - got \(str, int\)"
    ):
        torch.result_type("a", 2)
    with pytest.raises(TypeError, match=r"^result_type\(\) received an invalid combination of arguments - got \(int\)"):
        torch.result_type(2)


def test_can_cast_goes_up_the_kinds_only():
    kinds = [["bool"], ["uint8", "uint64", "int8", "int64"], ["float16", "float8_e5m2", "float64"], ["complex64"]]
    for i, sources in enumerate(kinds):
        for j, targets in enumerate(kinds):
            for a in sources:
                for b in targets:
                    assert torch.can_cast(getattr(torch, a), getattr(torch, b)) is (i <= j)


@pytest.mark.parametrize(
    ("operands", "expected"),
    [
        ([("int8", "dim"), ("int64", "zero")], "int8"),
        ([("int8", "zero"), ("int64", "dim")], "int64"),
        ([("int8", "dim"), ("float64", "zero")], "float64"),
        ([("float16", "dim"), ("float64", "zero")], "float16"),
        ([("float16", "dim"), ("complex64", "zero")], "complex32"),
        ([("bfloat16", "dim"), ("complex128", "zero")], "complex64"),
        ([("float64", "dim"), ("complex64", "number")], "complex128"),
        ([("bool", "dim"), ("int64", "number")], "int64"),
        ([("bool", "dim"), ("uint8", "zero")], "uint8"),
        ([("bool", "zero"), ("int64", "number")], "int64"),
        ([("uint8", "dim"), ("float32", "number")], "float32"),
        ([("int8", "dim"), ("uint8", "dim"), ("int64", "zero")], "int16"),
        ([("int8", "zero"), ("float32", "number"), ("bool", "dim")], "float32"),
        ([("uint16", "dim"), ("int64", "number")], "uint16"),
        ([("uint16", "dim"), ("complex64", "zero")], "complex64"),
        ([("float8_e5m2", "dim"), ("float32", "number")], "float8_e5m2"),
        ([("float8_e5m2", "dim"), ("float64", "zero")], "float8_e5m2"),
        ([("int32", "number"), ("float32", "number")], "float32"),
        ([("complex64", "dim"), ("float64", "zero")], "complex64"),
        ([("float32", "dim"), ("float64", "dim")], "float64"),
    ],
)
def test_categories(operands, expected):
    described = [(getattr(torch, name), category) for name, category in operands]
    assert promote.common_dtype(described).name == expected


def test_no_operands_have_no_common_dtype():
    with pytest.raises(ValueError, match="no operands"):
        promote.common_dtype([])


def test_result_type_of_tensors_and_numbers():
    assert torch.result_type(Fake(torch.int8), Fake(torch.int64, 0)) is torch.int8
    assert torch.result_type(Fake(torch.uint8), 1.5) is torch.float32
    assert torch.result_type(1j, Fake(torch.float64)) is torch.complex128
    assert torch.result_type(1, 2.0) is torch.float32
    assert torch.result_type(True, True) is torch.bool
    assert torch.result_type(np.float64(1), Fake(torch.int8)) is torch.float32
    assert torch.result_type(tensor=Fake(torch.int8), other=1) is torch.int8
    assert torch.result_type(scalar=1.0, tensor=Fake(torch.int8)) is torch.float32
    assert torch.result_type(scalar1=1, scalar2=True) is torch.int64
    with dtypes.default_scope(torch.float64):
        assert torch.result_type(1, 2.0) is torch.float64
        assert torch.result_type(1j, 2) is torch.complex128


@pytest.mark.parametrize(
    ("kind", "name", "compute", "result"),
    [
        (DEFAULT, "float32", "float32", "float32"),
        (DEFAULT, "bfloat16", "float32", "bfloat16"),
        (DEFAULT, "float16", "float32", "float16"),
        (DEFAULT, "int8", "int8", "int8"),
        (DEFAULT, "bool", "bool", "bool"),
        (DEFAULT, "complex64", "complex64", "complex64"),
        (NO_OPMATH, "bfloat16", "bfloat16", "bfloat16"),
        (NO_OPMATH, "int8", "int8", "int8"),
        (INT_TO_FLOAT, "int64", "float32", "float32"),
        (INT_TO_FLOAT, "bool", "float32", "float32"),
        (INT_TO_FLOAT, "uint16", "float32", "float32"),
        (INT_TO_FLOAT, "float16", "float32", "float16"),
        (INT_TO_FLOAT, "complex128", "complex128", "complex128"),
        (ALWAYS_BOOL, "bfloat16", "bfloat16", "bool"),
        (ALWAYS_BOOL, "int64", "int64", "bool"),
        (COMPLEX_TO_FLOAT, "complex128", "complex128", "float64"),
        (COMPLEX_TO_FLOAT, "complex64", "complex64", "float32"),
        (COMPLEX_TO_FLOAT, "int8", "int8", "int8"),
        (COMPLEX_TO_FLOAT, "bfloat16", "float32", "bfloat16"),
        (DEFAULT_WIDE, "bfloat16", "float32", "bfloat16"),
        (INT_TO_FLOAT_WIDE, "int64", "float32", "float32"),
        (BOOL_TO_LONG, "bool", "int64", "int64"),
        (BOOL_TO_LONG, "uint8", "uint8", "uint8"),
        (BOOL_TO_LONG, "float16", "float32", "float16"),
    ],
)
def test_kinds(kind, name, compute, result):
    found = compute_and_result(kind, [(getattr(torch, name), "dim")])
    assert found == (getattr(torch, compute).np, getattr(torch, result).np)


def test_kinds_follow_the_default_dtype():
    operands = [(torch.int8, "dim")]
    assert compute_and_result(INT_TO_FLOAT, operands) == (torch.float32.np, torch.float32.np)
    with dtypes.default_scope(torch.float64):
        assert compute_and_result(INT_TO_FLOAT, operands) == (torch.float64.np, torch.float64.np)
    with dtypes.default_scope(torch.bfloat16):
        assert compute_and_result(INT_TO_FLOAT, operands) == (torch.float32.np, torch.bfloat16.np)
    assert compute_and_result(INT_TO_FLOAT, operands) == (torch.float32.np, torch.float32.np)


def test_the_dtypes_of_numbers():
    assert promote.of_number(bool) is promote.of_number(np.bool_) is torch.bool
    assert promote.of_number(int) is promote.of_number(np.uint8) is torch.int64
    assert promote.of_number(float) is promote.of_number(np.float16) is torch.float32
    assert promote.of_number(complex) is promote.of_number(np.complex128) is torch.complex64
    with dtypes.default_scope(torch.float64):
        assert promote.of_number(float) is torch.float64
        assert promote.of_number(complex) is torch.complex128
    with pytest.raises(TypeError, match="str is not a number type"):
        promote.of_number(str)


@pytest.mark.parametrize(
    ("kind", "name", "category", "expected"),
    [
        (DEFAULT, "bfloat16", "number", ["bfloat16", "bfloat16"]),
        (DEFAULT_WIDE, "bfloat16", "number", ["bfloat16", None]),
        (DEFAULT_WIDE, "float16", "zero", ["float16", None]),
        (INT_TO_FLOAT_WIDE, "float16", "number", ["float16", None]),
        (DEFAULT, "float32", "number", [None, None]),
        (NO_OPMATH, "bfloat16", "number", [None, None]),
        (ALWAYS_BOOL, "bfloat16", "number", [None, None]),
    ],
)
def test_half_operands_are_rounded_before_they_are_widened(kind, name, category, expected):
    operands = [(getattr(torch, name), "dim"), (torch.float32, category)]
    rounded = promote.rounded_operands(kind, operands)
    assert [None if r is None else dtypes.of(r).name for r in rounded] == expected


def test_a_wide_operand_with_dimensions_is_rounded():
    operands = [(torch.bfloat16, "dim"), (torch.int64, "dim")]
    assert promote.rounded_operands(DEFAULT_WIDE, operands) == (torch.bfloat16.np, torch.bfloat16.np)
