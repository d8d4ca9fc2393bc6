"""Element types: ``torch.float32`` and its siblings, the default dtype, ``finfo`` and ``iinfo``."""

from __future__ import annotations

import builtins  # this module defines bool, int and float
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, Self, final

import jax.numpy as jnp
import numpy as np

from torchlike._core.errors import scalar_type
from torchlike._core.naming import TorchNamed

NumpyDtype = np.dtype[Any]

__all__ = [
    "bfloat16",
    "bit",
    "bits1x8",
    "bits2x4",
    "bits4x2",
    "bits8",
    "bits16",
    "bool",
    "cdouble",
    "cfloat",
    "chalf",
    "complex32",
    "complex64",
    "complex128",
    "double",
    "dtype",
    "finfo",
    "float",
    "float4_e2m1fn_x2",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "half",
    "iinfo",
    "int",
    "int1",
    "int2",
    "int3",
    "int4",
    "int5",
    "int6",
    "int7",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "qint8",
    "qint32",
    "quint2x4",
    "quint4x2",
    "quint8",
    "set_default_dtype",
    "short",
    "uint1",
    "uint2",
    "uint3",
    "uint4",
    "uint5",
    "uint6",
    "uint7",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]


@final
class dtype(metaclass=TorchNamed):
    """The type of a tensor's elements. There is one object per dtype; they are compared by identity.

    >>> torch.float32
    torch.float32
    >>> torch.float32.itemsize, torch.float32.is_floating_point
    (4, True)
    """

    __module__ = "torch"

    name: str
    np: NumpyDtype
    abbr: str
    itemsize: builtins.int
    is_floating_point: builtins.bool
    is_complex: builtins.bool
    is_signed: builtins.bool

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        raise TypeError("cannot create 'torch.dtype' instances")

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise TypeError("type 'torch.dtype' is not an acceptable base type")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        if name in self.__dict__:
            raise AttributeError(f"attribute '{name}' of 'torch.dtype' objects is not writable")
        raise AttributeError(f"'torch.dtype' object has no attribute '{name}'")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("np", "abbr"):
            raise NotImplementedError(f"tensors of {self!r}: jax has no such element type")
        if name == "is_signed":
            quantized = self.name.startswith("q")
            raise RuntimeError(
                "isSignedType not supported for quantized types" if quantized else "Bits types are undefined"
            )
        raise AttributeError(f"'torch.dtype' object has no attribute '{name}'")

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        # A name: pickle looks it up in the instance's __module__ (this package) and copy returns the object itself.
        return self.name

    def to_complex(self) -> dtype:
        """Return the complex dtype with this precision: complex64 for bfloat16, float32 and complex64.

        Raises RuntimeError for dtypes that have none.

        >>> torch.float64.to_complex()
        torch.complex128
        """
        try:
            return _TO_COMPLEX[self]
        except KeyError:
            raise RuntimeError(f"Unknown Complex ScalarType for {scalar_type(self)}") from None

    def to_real(self) -> dtype:
        """Return the dtype of the real part; a dtype that is not complex is returned as it is.

        >>> torch.complex128.to_real()
        torch.float64
        """
        return _TO_REAL.get(self, self)


BY_NUMPY: Final[dict[NumpyDtype, dtype]] = {}
"""The dtype of every NumPy (and jax's own) dtype that tensors can have."""

BY_NAME: Final[dict[str, dtype]] = {}
"""The dtype of every canonical name: "float32", "bool" ..."""


def _make(name: str, abbr: str, numpy_type: type, *, signed: builtins.bool = True) -> dtype:
    numpy_dtype = np.dtype(numpy_type)
    self: dtype = object.__new__(dtype)
    self.__dict__.update(
        __module__="torchlike",
        name=name,
        np=numpy_dtype,
        abbr=abbr,
        itemsize=numpy_dtype.itemsize,
        is_floating_point="float" in name,
        is_complex="complex" in name,
        is_signed=signed,
    )
    BY_NUMPY[numpy_dtype] = BY_NAME[name] = self
    return self


bool = _make("bool", "b8", np.bool_, signed=False)
uint8 = _make("uint8", "u8", np.uint8, signed=False)
uint16 = _make("uint16", "u16", np.uint16, signed=False)
uint32 = _make("uint32", "u32", np.uint32, signed=False)
uint64 = _make("uint64", "u64", np.uint64, signed=False)
int8 = _make("int8", "i8", np.int8)
int16 = short = _make("int16", "i16", np.int16)
int32 = int = _make("int32", "i32", np.int32)
int64 = long = _make("int64", "i64", np.int64)
float16 = half = _make("float16", "f16", np.float16)
bfloat16 = _make("bfloat16", "bf16", jnp.bfloat16)
float32 = float = _make("float32", "f32", np.float32)
float64 = double = _make("float64", "f64", np.float64)
complex64 = cfloat = _make("complex64", "c64", np.complex64)
complex128 = cdouble = _make("complex128", "c128", np.complex128)
float8_e4m3fn = _make("float8_e4m3fn", "f8e4m3fn", jnp.float8_e4m3fn)
float8_e5m2 = _make("float8_e5m2", "f8e5m2", jnp.float8_e5m2)
float8_e4m3fnuz = _make("float8_e4m3fnuz", "f8e4m3fnuz", jnp.float8_e4m3fnuz)
float8_e5m2fnuz = _make("float8_e5m2fnuz", "f8e5m2fnuz", jnp.float8_e5m2fnuz)
float8_e8m0fnu = _make("float8_e8m0fnu", "f8e8m0fnu", jnp.float8_e8m0fnu, signed=False)


def _make_name(name: str, itemsize: builtins.int = 1, *, signed: builtins.bool | None = None) -> dtype:
    """A dtype that programs can name and compare with, of which there are no tensors: jax lacks the element type."""
    self: dtype = object.__new__(dtype)
    self.__dict__.update(
        __module__="torchlike",
        name=name,
        itemsize=itemsize,
        is_floating_point="float" in name,
        is_complex="complex" in name,
    )
    if signed is not None:
        self.__dict__["is_signed"] = signed
    return self


complex32 = chalf = _make_name("complex32", 4, signed=True)
float4_e2m1fn_x2 = _make_name("float4_e2m1fn_x2", signed=True)
int1 = _make_name("int1", signed=True)
int2 = _make_name("int2", signed=True)
int3 = _make_name("int3", signed=True)
int4 = _make_name("int4", signed=True)
int5 = _make_name("int5", signed=True)
int6 = _make_name("int6", signed=True)
int7 = _make_name("int7", signed=True)
uint1 = bit = _make_name("uint1", signed=False)
uint2 = _make_name("uint2", signed=False)
uint3 = _make_name("uint3", signed=False)
uint4 = _make_name("uint4", signed=False)
uint5 = _make_name("uint5", signed=False)
uint6 = _make_name("uint6", signed=False)
uint7 = _make_name("uint7", signed=False)
bits1x8 = _make_name("bits1x8")
bits2x4 = _make_name("bits2x4")
bits4x2 = _make_name("bits4x2")
bits8 = _make_name("bits8")
bits16 = _make_name("bits16", 2)
qint8 = _make_name("qint8")
quint8 = _make_name("quint8")
qint32 = _make_name("qint32", 4)
quint4x2 = _make_name("quint4x2")
quint2x4 = _make_name("quint2x4")

FLOAT8: Final = frozenset({float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, float8_e8m0fnu})

_TO_COMPLEX: Final = {
    float16: complex32,
    complex32: complex32,
    bfloat16: complex64,
    float32: complex64,
    float64: complex128,
    complex64: complex64,
    complex128: complex128,
}
_TO_REAL: Final = {complex32: float16, complex64: float32, complex128: float64}
_OF_PYTHON: Final[dict[type, dtype]] = {
    builtins.bool: bool,
    builtins.int: int64,
    builtins.float: float64,
    complex: complex128,
}


def of(numpy_dtype: NumpyDtype) -> dtype:
    """Return the dtype of a NumPy dtype (of a NumPy or jax array).

    Raises TypeError, in PyTorch's words, when tensors cannot have it. Hot paths read ``BY_NUMPY`` instead.
    """
    found = BY_NUMPY.get(numpy_dtype)
    if found is None:
        raise TypeError(
            f"can't convert np.ndarray of type {np.dtype(numpy_dtype).type.__module__}."
            f"{np.dtype(numpy_dtype).type.__qualname__}. The only supported types are: float64, float32, float16, "
            "complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
        )
    return found


# The default dtype ---------------------------------------------------------------------------------------------------


class _Default:
    """The dtype of Python floats and that of Python complex numbers."""

    real: dtype = float32
    complex: dtype = complex64


_default: Final = _Default()
_listeners: Final[list[Callable[[], object]]] = []


def on_default_change(callback: Callable[[], object]) -> Callable[[], object]:
    """Call ``callback()`` after every change of the default dtype; returns it, so that it can be a decorator."""
    _listeners.append(callback)
    return callback


def get_default_dtype() -> dtype:
    """Return the dtype that tensors made of Python floats get.

    >>> torch.get_default_dtype()
    torch.float32
    """
    return _default.real


def default_complex() -> dtype:
    """Return the dtype that tensors made of Python complex numbers get."""
    if _default.real is float16:
        raise NotImplementedError("complex numbers with the default dtype torch.float16: jax has no complex32")
    return _default.complex


def set_default_dtype(d: dtype, /) -> None:
    """Make ``d`` the dtype of tensors made of Python floats, and its complex sibling that of Python complex numbers.

    ``d`` is float32, float64, float16 or bfloat16. Raises TypeError for anything else.

    >>> torch.set_default_dtype(torch.float64)
    >>> torch.tensor([1.5]).dtype
    torch.float64
    >>> torch.set_default_dtype(torch.float32)
    """
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    if d in FLOAT8:
        raise TypeError(f"couldn't find storage object {scalar_type(d)}Storage")
    if d is _default.real:
        return
    _default.real = d
    _default.complex = complex128 if d is float64 else complex64
    for callback in _listeners:
        callback()


@contextmanager
def default_scope(d: dtype) -> Iterator[None]:
    """Have ``d`` as the default dtype within the block."""
    previous = _default.real
    set_default_dtype(d)
    try:
        yield
    finally:
        set_default_dtype(previous)


# finfo and iinfo -----------------------------------------------------------------------------------------------------

# Decimal digits that survive a round trip, by which PyTorch defines the resolution (0 for the 8-bit floats).
_DECIMAL_DIGITS: Final = {bfloat16: 2, float16: 3, float32: 6, float64: 15}

# PyTorch gives this dtype's distance from 1 to the next smaller number as its eps.
_EPS: Final = {float8_e5m2fnuz: 0.125}


def _info_dtype(function: str, value: Any) -> dtype:
    if isinstance(value, dtype):
        return value
    if isinstance(value, type) and value in _OF_PYTHON:
        return _OF_PYTHON[value]
    raise TypeError(f"{function}(): argument 'type' (position 1) must be torch.dtype, not {type(value).__name__}")


class _Info(metaclass=TorchNamed):
    """What ``finfo`` and ``iinfo`` share: read-only attributes and equality by value."""

    _fields: tuple[str, ...] = ()

    bits: builtins.int
    dtype: str

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        cls = type(self).__name__
        if name in self.__dict__:
            raise AttributeError(f"attribute '{name}' of 'torch.{cls}' objects is not writable")
        raise AttributeError(f"'torch.{cls}' object has no attribute '{name}'")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"'torch.{type(self).__name__}' object has no attribute '{name}'")

    def __eq__(self, other: object) -> builtins.bool:
        return type(self) is type(other) and self.dtype == other.dtype

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle 'torch.{type(self).__name__}' object")

    def __repr__(self) -> str:
        numbers = ", ".join(f"{field}={getattr(self, field):g}" for field in self._fields)
        return f"{type(self).__name__}({numbers}, dtype={self.dtype})"


_MISSING: Final = object()


@final
class finfo(_Info):
    """The limits of a floating-point dtype (of the parts, for a complex one); without an argument, of the default.

    Attributes: ``bits``, ``eps``, ``max``, ``min``, ``tiny``, ``smallest_normal``, ``resolution``, ``dtype`` (a str).
    Raises TypeError for a dtype that is not floating point.

    >>> torch.finfo(torch.float16).max
    65504.0
    >>> torch.finfo(torch.bfloat16).eps
    0.0078125
    """

    __module__ = "torch"
    _fields = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    resolution: builtins.float
    min: builtins.float
    max: builtins.float
    eps: builtins.float
    smallest_normal: builtins.float
    tiny: builtins.float

    def __init__(self, type: Any = _MISSING) -> None:
        of_type = _default.real if type is _MISSING else _info_dtype("finfo", type)
        if not (of_type.is_floating_point or of_type.is_complex):
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        of_type = of_type.to_real()
        limits = jnp.finfo(of_type.np)
        self.__dict__.update(
            bits=8 * of_type.itemsize,
            resolution=builtins.float(f"1e-{_DECIMAL_DIGITS.get(of_type, 0)}"),
            min=builtins.float(limits.min),
            max=builtins.float(limits.max),
            eps=_EPS.get(of_type, builtins.float(limits.eps)),
            smallest_normal=builtins.float(limits.smallest_normal),
            tiny=builtins.float(limits.smallest_normal),
            dtype=of_type.name,
        )


@final
class iinfo(_Info):
    """The limits of an integer dtype: ``bits``, ``min``, ``max`` and ``dtype`` (a string).

    Raises TypeError for a dtype that is not an integer.

    >>> torch.iinfo(torch.int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    __module__ = "torch"
    _fields = ("min", "max")

    min: builtins.int
    max: builtins.int

    def __init__(self, type: Any = _MISSING) -> None:
        if type is _MISSING:
            raise TypeError('iinfo() missing 1 required positional arguments: "type"')
        of_type = _info_dtype("iinfo", type)
        if of_type is bool:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if of_type.is_floating_point or of_type.is_complex or "np" not in of_type.__dict__:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        limits = np.iinfo(of_type.np)
        self.__dict__.update(
            bits=8 * of_type.itemsize, min=builtins.int(limits.min), max=builtins.int(limits.max), dtype=of_type.name
        )
