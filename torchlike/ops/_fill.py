"""The arguments that creation functions share, and how a fresh tensor of one value is made."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from torchlike._core import device as devices
from torchlike._core import dispatch, layout
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import as_ints, is_int
from torchlike._core.errors import check, invalid_combination, scalar_type
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._geometry import show

Tensor = Any

_PYTHON_DTYPES = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool, complex: dtypes.complex128}


def sizes(function: str, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """The size of ``zeros(2, 3)``, ``zeros((2, 3))`` or ``zeros(size=(2, 3))``; TypeError for anything else."""
    if named:
        unexpected = [name for name in named if name != "size"]
        if unexpected:
            raise TypeError(f"{function}() got an unexpected keyword argument '{unexpected[0]}'")
        if given:
            raise TypeError(f"{function}() got multiple values for argument 'size'")
        given = (named["size"],)
    if len(given) == 1 and type(given[0]) is not int:
        (one,) = given
        if not is_int(one):
            return as_ints(function, "size", 1, one)
    elif not given:
        if function in ("rand", "randn"):
            invalid_combination(
                function, (), "(tuple of ints size, *, torch.Generator generator)", "(tuple of ints size)"
            )
        raise TypeError(f'{function}() missing 1 required positional arguments: "size"')
    return as_ints(function, "size", 1, given)


def check_sizes(size: Sequence[int], negative: str | None = None) -> None:
    """Refuse negative and overflowing sizes."""
    worst = min(size, default=0)
    if worst < 0:
        raise RuntimeError(negative or f"Trying to create tensor with negative dimension {worst}: {show(size)}")
    check(math.prod(size) < 2**63, f"Storage size calculation overflowed with sizes={show(size)}")


def dtype_argument(function: str, value: Any) -> dtypes.dtype | None:
    """A dtype argument; Python's number types stand for their widest counterparts."""
    if value is None or isinstance(value, dtypes.dtype):
        return value
    found = _PYTHON_DTYPES.get(value) if isinstance(value, type) else None
    if found is None:
        raise TypeError(f"{function}(): argument 'dtype' must be torch.dtype, not {type(value).__name__}")
    return found


def check_options(wanted: Any, pin_memory: bool, function: str) -> None:
    """Refuse layouts that do not exist here, and pinned memory without an accelerator."""
    if wanted is not None and not isinstance(wanted, layout.layout):
        raise TypeError(f"{function}(): argument 'layout' must be torch.layout, not {type(wanted).__name__}")
    if not isinstance(pin_memory, bool | None):
        raise TypeError(f"{function}(): argument 'pin_memory' must be bool, not {type(pin_memory).__name__}")
    if wanted is not None and wanted is not layout.strided:
        raise NotImplementedError(f"layout={wanted!r}: only torch.strided tensors exist in torchlike")
    if pin_memory and not devices.cuda_count():
        raise RuntimeError(
            "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is"
            " available on this"
            " system."
        )


def finished(result: Tensor, requires_grad: bool) -> Tensor:
    """The result, as a leaf that requires grad where that was asked for."""
    if requires_grad:
        if requires_grad is not True:
            raise TypeError(f"argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
        d = dispatch.geometry_of(result).dtype
        check(
            d.is_floating_point or d.is_complex,
            "Only Tensors of floating point and complex dtype can require gradients",
        )
        result._requires_grad = True
    return result


# ---------------------------------------------------------------------------------------------------------------------
# One value

_kernels: dict[Any, Callable[..., Any]] = {}


def constant(size: tuple[int, ...], value: int, dtype: dtypes.dtype, place: devices.device) -> Any:
    """A fresh array of zeros or ones; the function that makes it is compiled once a shape."""
    key = (size, value, dtype, place)
    made = None if devices.program() else _kernels.get(key)
    if made is None:
        made = compiled(key, lambda: jnp.full(size, value, dtype.np), place, size, dtype)
    return made()


def filled(size: tuple[int, ...], value: Any, dtype: dtypes.dtype, place: devices.device) -> Any:
    """A fresh array of any value, which is an operand of the compiled function."""
    if isinstance(value, jax.Array):
        value = value.astype(dtype.np)
    else:
        check_number(value, dtype, math.prod(size))
        value = number_as(value, dtype)
    return compiled((size, dtype, place), lambda v: jnp.broadcast_to(v, size), place, size, dtype)(value)


def compiled(
    key: Any, body: Callable[..., Any], place: devices.device, size: tuple[int, ...], dtype: dtypes.dtype
) -> Callable[..., Any]:
    """The jitted function under ``key``, whose result is on ``place``; on the meta device only its shape is made."""
    if devices.program() is not None and place is not devices.META:
        return body
    made = _kernels.get(key)
    if made is None:
        if place is devices.META:
            shape = jax.ShapeDtypeStruct(size, dtype.np)
            made = lambda *_: shape  # noqa: E731
        else:
            made = jax.jit(body, out_shardings=place.sharding)
        _kernels[key] = made
    return made


def number(function: str, name: str, position: int, value: Any) -> Any:
    """A Python number, also from a tensor with one value that needs no gradient; TypeError for anything else."""
    if isinstance(value, (bool, int, float, complex)):
        return value
    if isinstance(value, TensorBase):
        if not dispatch.shape_of(value) and not value._requires_grad:
            return dispatch.array_of(value).item()
    elif getattr(value, "ndim", 1) == 0 and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{function}(): argument '{name}' (position {position}) must be Number, not {type(value).__name__}")


def number_as(value: Any, dtype: dtypes.dtype) -> Any:
    """A number as a NumPy scalar of the dtype, wrapped around where unsigned integers wrap in PyTorch."""
    if dtype is dtypes.bool:
        return np.bool_(value != 0)
    if isinstance(value, complex) and not dtype.is_complex:
        value = value.real
    if dtype.is_floating_point or dtype.is_complex:
        with warnings.catch_warnings(), np.errstate(over="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.asarray(value).astype(dtype.np)
    return np.asarray(int(value) % 2**64 if dtype is dtypes.uint64 else int(value)).astype(dtype.np)


_C_NAMES = {
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int",
    "int64": "int64_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def check_number(value: Any, dtype: dtypes.dtype, numel: int = 2) -> None:
    """Refuse a number that the dtype cannot hold, in PyTorch's words."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise RuntimeError("value cannot be converted to type int64_t without overflow")
    if dtype is dtypes.bool or isinstance(value, bool):
        return
    name = _C_NAMES.get(dtype.name, f"c10::{scalar_type(dtype)}")
    narrow = dtype.is_floating_point and dtype.itemsize <= 2
    if narrow and numel == 1:
        name = "double"  # a single element is rounded to such a type rather than checked
    check(_fits(value, dtype, narrow and numel == 1), f"value cannot be converted to type {name} without overflow")


def _fits(value: Any, dtype: dtypes.dtype, rounded: bool) -> bool:
    if isinstance(value, complex):
        if dtype.is_complex:
            return _fits(value.real, dtype.to_real(), False) and _fits(value.imag, dtype.to_real(), False)
        return value.imag == 0 and _fits(value.real, dtype, rounded)
    if dtype.is_floating_point or dtype.is_complex:
        if rounded or dtype.itemsize == 1 or math.isinf(value) or math.isnan(value):
            return True
        limit = float(dtypes.finfo(dtype.to_real()).max)
        return -limit <= value <= limit
    if isinstance(value, float) and not math.isfinite(value):
        return False
    info = dtypes.iinfo(dtype)
    low = info.min if dtype.is_signed or isinstance(value, float) else -info.max
    return low <= value <= info.max
