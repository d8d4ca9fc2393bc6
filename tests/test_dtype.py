"""Dtypes, the default dtype, finfo and iinfo."""

import copy
import pickle
import threading

import numpy as np
import pytest

import torchlike as torch
from torchlike._core import dtype as dtypes

NAMES = [
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
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
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
]

ALIASES = {
    "half": "float16",
    "float": "float32",
    "double": "float64",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "cfloat": "complex64",
    "cdouble": "complex128",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_one_object_with_pytorchs_name(name):
    d = getattr(torch, name)
    assert repr(d) == str(d) == f"torch.{name}"
    assert d.name == name
    assert dtypes.of(d.np) is d
    assert dtypes.BY_NUMPY[np.zeros(1, d.np).dtype] is d
    assert d.itemsize == d.np.itemsize
    assert copy.copy(d) is d
    assert copy.deepcopy([d])[0] is d
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(d, protocol)) is d


def test_all_dtypes_are_known_by_name():
    assert list(dtypes.BY_NAME) == NAMES


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases(alias, name):
    assert getattr(torch, alias) is getattr(torch, name)


def test_kinds():
    assert [n for n in NAMES if getattr(torch, n).is_floating_point] == [n for n in NAMES if "float" in n]
    assert [n for n in NAMES if getattr(torch, n).is_complex] == ["complex64", "complex128"]
    assert [n for n in NAMES if not getattr(torch, n).is_signed] == [
        "bool", "uint8", "uint16", "uint32", "uint64", "float8_e8m0fnu"
    ]  # fmt: skip


def test_the_class_shows_pytorchs_name_and_is_pickled():
    assert repr(torch.dtype) == "<class 'torch.dtype'>"
    assert type(torch.float32) is torch.dtype
    assert pickle.loads(pickle.dumps(torch.dtype)) is torch.dtype
    assert copy.deepcopy(torch.dtype) is torch.dtype


def test_dtypes_cannot_be_made_changed_or_subclassed():
    with pytest.raises(TypeError, match=r"cannot create 'torch\.dtype' instances"):
        torch.dtype("float32")
    with pytest.raises(TypeError, match=r"type 'torch\.dtype' is not an acceptable base type"):
        type("Mine", (torch.dtype,), {})
    with pytest.raises(AttributeError, match=r"'torch\.dtype' object has no attribute 'foo'"):
        torch.float32.foo = 1
    with pytest.raises(AttributeError, match="is not writable"):
        torch.float32.itemsize = 1
    with pytest.raises(AttributeError, match=r"'torch\.dtype' object has no attribute 'foo'"):
        _ = torch.float32.foo
    assert torch.float32.itemsize == 4


def test_complex_and_real_siblings():
    assert torch.float32.to_complex() is torch.bfloat16.to_complex() is torch.complex64.to_complex() is torch.complex64
    assert torch.float64.to_complex() is torch.complex128
    assert torch.complex64.to_real() is torch.float32
    assert torch.complex128.to_real() is torch.float64
    assert torch.int8.to_real() is torch.int8
    with pytest.raises(RuntimeError, match=r"^Unknown Complex ScalarType for Byte$"):
        torch.uint8.to_complex()
    with pytest.raises(RuntimeError, match=r"^Unknown Complex ScalarType for Float8_e5m2$"):
        torch.float8_e5m2.to_complex()
    assert torch.float16.to_complex() is torch.complex32 is torch.chalf
    assert torch.complex32.to_real() is torch.float16


def test_types_that_are_names_only():
    assert repr(torch.float4_e2m1fn_x2) == "torch.float4_e2m1fn_x2"
    assert (torch.qint32.itemsize, torch.bits16.itemsize, torch.int4.itemsize) == (4, 2, 1)
    assert torch.bit is torch.uint1
    assert not torch.uint3.is_signed
    assert pickle.loads(pickle.dumps(torch.quint8)) is torch.quint8
    with pytest.raises(NotImplementedError, match=r"^tensors of torch\.int4: jax has no such element type"):
        torch.zeros(2, dtype=torch.int4)
    with pytest.raises(NotImplementedError, match=r"torch\.complex32"):
        torch.ones(2, dtype=torch.float16).to(torch.complex32)
    with pytest.raises(RuntimeError, match="isSignedType not supported for quantized types"):
        _ = torch.qint8.is_signed
    with pytest.raises(RuntimeError, match="Bits types are undefined"):
        _ = torch.bits8.is_signed
    with pytest.raises(TypeError, match="requires an integer input type"):
        torch.iinfo(torch.int4)


def test_numpy_types_that_tensors_cannot_have():
    with pytest.raises(
        TypeError, match=r"^can't convert np\.ndarray of type numpy\.str_\. The only supported types are"
    ):
        dtypes.of(np.dtype("U3"))
    with pytest.raises(TypeError, match=r"^can't convert np\.ndarray of type numpy\.object_\."):
        dtypes.of(np.dtype(object))


# The default dtype


def test_the_default_dtype():
    assert torch.get_default_dtype() is torch.float32
    assert dtypes.default_complex() is torch.complex64
    with dtypes.default_scope(torch.float64):
        assert torch.get_default_dtype() is torch.float64
        assert dtypes.default_complex() is torch.complex128
        with dtypes.default_scope(torch.bfloat16):
            assert torch.get_default_dtype() is torch.bfloat16
            assert dtypes.default_complex() is torch.complex64
        with dtypes.default_scope(torch.float16), pytest.raises(NotImplementedError, match="complex32"):
            dtypes.default_complex()
    assert torch.get_default_dtype() is torch.float32


def test_the_default_scope_is_left_after_an_error():
    with pytest.raises(KeyError), dtypes.default_scope(torch.float64):
        raise KeyError
    assert torch.get_default_dtype() is torch.float32


def test_the_default_dtype_is_that_of_all_threads():
    seen = []
    with dtypes.default_scope(torch.float64):
        thread = threading.Thread(target=lambda: seen.append(torch.get_default_dtype()))
        thread.start()
        thread.join()
    assert seen == [torch.float64]


def test_listeners_hear_of_changes_only():
    heard = []

    @dtypes.on_default_change
    def listener():
        heard.append(torch.get_default_dtype())

    try:
        torch.set_default_dtype(torch.float32)
        assert heard == []
        with dtypes.default_scope(torch.float64):
            assert heard == [torch.float64]
        assert heard == [torch.float64, torch.float32]
    finally:
        dtypes._listeners.remove(listener)


@pytest.mark.parametrize("name", ["int32", "bool", "complex64"])
def test_a_default_that_is_not_floating(name):
    with pytest.raises(TypeError, match=r"^only floating-point types are supported as the default type$"):
        torch.set_default_dtype(getattr(torch, name))


@pytest.mark.parametrize("bad", ["float", float, None, np.float32])
def test_a_default_that_is_no_dtype(bad):
    with pytest.raises(
        TypeError, match=r"^invalid dtype object: only floating-point types are supported as the default type$"
    ):
        torch.set_default_dtype(bad)


def test_an_8_bit_default():
    with pytest.raises(TypeError, match=r"^couldn't find storage object Float8_e5m2Storage$"):
        torch.set_default_dtype(torch.float8_e5m2)
    assert torch.get_default_dtype() is torch.float32


# finfo and iinfo


FINFO = {
    # name: (bits, resolution, min, max, eps, smallest_normal), as PyTorch 2.13 gives them
    "float16": (16, 0.001, -65504.0, 65504.0, 0.0009765625, 6.103515625e-05),
    "bfloat16": (16, 0.01, -3.3895313892515355e38, 3.3895313892515355e38, 0.0078125, 1.1754943508222875e-38),
    "float32": (32, 1e-06, -3.4028234663852886e38, 3.4028234663852886e38, 1.1920928955078125e-07, 2.0**-126),
    "float64": (64, 1e-15, -1.7976931348623157e308, 1.7976931348623157e308, 2.220446049250313e-16, 2.0**-1022),
    "float8_e4m3fn": (8, 1.0, -448.0, 448.0, 0.125, 0.015625),
    "float8_e5m2": (8, 1.0, -57344.0, 57344.0, 0.25, 6.103515625e-05),
    "float8_e4m3fnuz": (8, 1.0, -240.0, 240.0, 0.125, 0.0078125),
    "float8_e5m2fnuz": (8, 1.0, -57344.0, 57344.0, 0.125, 3.0517578125e-05),
    "float8_e8m0fnu": (8, 1.0, 5.877471754111438e-39, 1.7014118346046923e38, 1.0, 5.877471754111438e-39),
}


@pytest.mark.parametrize("name", FINFO)
def test_finfo(name):
    info = torch.finfo(getattr(torch, name))
    found = (info.bits, info.resolution, info.min, info.max, info.eps, info.smallest_normal)
    assert found == FINFO[name]
    assert all(type(value) is float for value in found[1:])
    assert info.tiny == info.smallest_normal
    assert info.dtype == name


def test_finfo_of_complex_types_python_types_and_the_default():
    assert torch.finfo(torch.complex64).dtype == "float32"
    assert torch.finfo(torch.complex128) == torch.finfo(torch.float64) == torch.finfo(float) == torch.finfo(complex)
    assert torch.finfo().dtype == "float32"
    with dtypes.default_scope(torch.float64):
        assert torch.finfo().dtype == "float64"
    assert torch.finfo(type=torch.float16).bits == 16


def test_finfo_text():
    assert repr(torch.finfo(torch.float32)) == (
        "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, smallest_normal=1.17549e-38, "
        "tiny=1.17549e-38, dtype=float32)"
    )
    assert repr(type(torch.finfo())) == "<class 'torch.finfo'>"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("uint8", 0, 255),
        ("uint16", 0, 65535),
        ("uint32", 0, 2**32 - 1),
        ("uint64", 0, 2**64 - 1),
        ("int8", -128, 127),
        ("int16", -(2**15), 2**15 - 1),
        ("int32", -(2**31), 2**31 - 1),
        ("int64", -(2**63), 2**63 - 1),
    ],
)
def test_iinfo(name, low, high):
    info = torch.iinfo(getattr(torch, name))
    assert (info.min, info.max, info.dtype) == (low, high, name)
    assert info.bits == 8 * getattr(torch, name).itemsize
    assert type(info.max) is int


def test_iinfo_text():
    assert repr(torch.iinfo(torch.int8)) == "iinfo(min=-128, max=127, dtype=int8)"
    assert repr(torch.iinfo(int)) == "iinfo(min=-9.22337e+18, max=9.22337e+18, dtype=int64)"


def test_info_objects_are_values():
    assert torch.finfo(torch.float32) == torch.finfo(torch.complex64)
    assert torch.finfo(torch.float32) != torch.finfo(torch.float64)
    assert torch.finfo(torch.float32) != torch.iinfo(torch.int32)
    with pytest.raises(TypeError, match="unhashable"):
        hash(torch.finfo())
    with pytest.raises(TypeError, match=r"cannot pickle 'torch\.finfo' object"):
        pickle.dumps(torch.finfo())
    with pytest.raises(AttributeError, match=r"attribute 'max' of 'torch\.finfo' objects is not writable"):
        torch.finfo().max = 1.0
    with pytest.raises(AttributeError, match=r"'torch\.iinfo' object has no attribute 'eps'"):
        _ = torch.iinfo(torch.int8).eps


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: torch.finfo(torch.int8), "torch.finfo() requires a floating point input type. Use torch.iinfo to"),
        (lambda: torch.finfo(torch.bool), "torch.finfo() requires a floating point input type. Use torch.iinfo to"),
        (lambda: torch.finfo("x"), "finfo(): argument 'type' (position 1) must be torch.dtype, not str"),
        (lambda: torch.finfo(None), "finfo(): argument 'type' (position 1) must be torch.dtype, not NoneType"),
        (lambda: torch.iinfo(torch.bool), "torch.bool is not supported by torch.iinfo"),
        (lambda: torch.iinfo(torch.float32), "torch.iinfo() requires an integer input type. Use torch.finfo to"),
        (lambda: torch.iinfo(torch.complex64), "torch.iinfo() requires an integer input type. Use torch.finfo to"),
        (lambda: torch.iinfo(3), "iinfo(): argument 'type' (position 1) must be torch.dtype, not int"),
        (lambda: torch.iinfo(), 'iinfo() missing 1 required positional arguments: "type"'),
    ],
)
def test_info_refusals(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value).startswith(message)
