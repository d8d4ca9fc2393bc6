"""`autocast`: a mode in which operators choose the type that they compute in."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from torchlike import cuda
from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core.tensor_state import TensorBase
from torchlike.amp import _rules
from torchlike.overrides import TorchFunctionMode

__all__ = ["autocast", "autocast_decorator", "custom_bwd", "custom_fwd", "is_autocast_available"]

HALF = dtypes.float16

_WIDTHS = {dtypes.float16: 1, dtypes.bfloat16: 1, dtypes.float32: 2, dtypes.float64: 3}


class _State(threading.local):
    """Of each kind of device: whether autocast is on, and the smaller type."""

    def __init__(self) -> None:
        self.enabled: dict[str, bool] = {}
        self.dtype: dict[str, Any] = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16, "xla": dtypes.bfloat16}
        self.cache = True
        self.nesting = 0


_state = _State()


def is_autocast_available(device_type: str) -> bool:
    """Return whether there are rules for a kind of device.

    >>> torch.amp.is_autocast_available("cpu")
    True
    """
    return device_type in ("cpu", "cuda", "xla")


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return whether autocast is on for a kind of device.

    >>> with torch.autocast("cpu"):
    ...     torch.is_autocast_enabled("cpu")
    True
    """
    return _state.enabled.get(device_type, False)


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Set whether autocast counts as on for a kind of device."""
    _state.enabled[device_type] = enabled


def get_autocast_dtype(device_type: str) -> Any:
    """Return the smaller type of a kind of device.

    >>> torch.get_autocast_dtype("cpu")
    torch.bfloat16
    """
    kind = devices.device(device_type).type
    if kind not in _state.dtype:
        raise RuntimeError(f"unsupported scalarType for autocast device type '{device_type}'")
    return _state.dtype[kind]


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Set the smaller type of a kind of device."""
    _state.dtype[device_type] = dtype


def is_autocast_cache_enabled() -> bool:
    """Return whether PyTorch would keep casts of weights; kept for its sake.

    >>> torch.is_autocast_cache_enabled()
    True
    """
    return _state.cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Set whether PyTorch would keep casts of weights; nothing is kept here."""
    _state.cache = enabled


class _Casting(TorchFunctionMode):
    """Casts the operands of the operators that have a rule."""

    def __init__(self, device: str, small: Any) -> None:
        self.device = device
        self.small = small
        self.rules = _rules.CPU if device == "cpu" else _rules.CUDA

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if not is_autocast_enabled(self.device):
            return func(*args, **kwargs)
        target = None
        if name in self.rules["small"]:
            target = self.small
        elif name in self.rules["float32"]:
            target = dtypes.float32 if kwargs.get("dtype") is None else None
        elif name in self.rules["widest"]:
            target = self._widest((args, kwargs))
        if target is not None:
            return func(*self._cast(args, target), **self._cast(kwargs, target))
        inner = getattr(func, "__wrapped__", None)
        if inner is None:
            return func(*args, **kwargs)
        with self:  # what it is composed of has rules of its own
            return inner(*args, **kwargs)

    def _eligible(self, value: Any) -> bool:
        return bool(
            isinstance(value, TensorBase)
            and value.is_floating_point()  # type: ignore[attr-defined]
            and value.device.type == self.device  # type: ignore[attr-defined]
            and value.dtype in _WIDTHS  # type: ignore[attr-defined]
        )

    def _cast(self, value: Any, target: Any) -> Any:
        if isinstance(value, TensorBase):
            tensor: Any = value
            wide = tensor.dtype is dtypes.float64
            return tensor.to(target) if self._eligible(tensor) and not wide else tensor
        if type(value) in (list, tuple):
            return type(value)([self._cast(entry, target) for entry in value])
        if type(value) is dict:
            return {key: self._cast(entry, target) for key, entry in value.items()}
        return value

    def _widest(self, value: Any) -> Any:
        found = self.small
        for entry in _tensors(value):
            if self._eligible(entry) and _WIDTHS[entry.dtype] > _WIDTHS[found]:
                found = entry.dtype
        return found


def _tensors(value: Any) -> Iterable[Any]:
    if isinstance(value, TensorBase):
        yield value
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _tensors(entry)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


class autocast:
    """A context manager and decorator under which operators choose the type that they compute in.

    Products and convolutions of float32 tensors compute in ``dtype`` (bfloat16 on the CPU, float16 on CUDA), losses and
    what else needs the precision in float32; float64 and integers stay as they are. Raises RuntimeError for a kind of
    device without rules, ValueError for what names none.

    >>> x = torch.ones(2, 2)
    >>> with torch.autocast("cpu"):
    ...     (x @ x).dtype, (x + x).dtype
    (torch.bfloat16, torch.float32)
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self.device = device_type
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self._cache_enabled = _state.cache if cache_enabled is None else cache_enabled
        if enabled and device_type == "cuda" and not cuda.is_available():
            warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2)
            enabled = False
        elif enabled and self.fast_dtype not in (dtypes.bfloat16, dtypes.float16):
            name = device_type.upper()
            warnings.warn(
                f"In {name} autocast, but the target dtype is not supported. Disabling autocast.\n"
                f"{name} Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._entered: list[tuple[Any, ...]] = []

    def __enter__(self) -> autocast:
        mode = _Casting(self.device, self.fast_dtype) if self._enabled else None
        before = (is_autocast_enabled(self.device), _state.dtype[self.device], _state.cache)
        self._entered.append((mode, *before))
        _state.enabled[self.device] = self._enabled
        _state.dtype[self.device] = self.fast_dtype
        _state.cache = self._cache_enabled
        _state.nesting += 1
        if mode is not None:
            mode.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        mode, enabled, dtype, cache = self._entered.pop()
        if mode is not None:
            mode.__exit__(*error)
        _state.nesting -= 1
        _state.enabled[self.device] = enabled
        _state.dtype[self.device] = dtype
        _state.cache = cache

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that runs under this mode."""
        if not callable(func):
            raise TypeError(
                f"autocast()(func) requires a callable, but got {type(func).__name__}. Did you mean to use autocast as"
                " a context manager? For example:\n    with torch.autocast(device_type=...):\n        output ="
                " model(input)"
            )
        return autocast_decorator(self, func)


def autocast_decorator(autocast_instance: autocast, func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs under an autocast mode."""

    @functools.wraps(func)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        with autocast_instance:
            return func(*args, **kwargs)

    return decorated


def _cast(value: Any, device_type: str, dtype: Any) -> Any:
    if isinstance(value, TensorBase):
        tensor: Any = value
        fits = tensor.is_floating_point() and tensor.device.type == device_type
        return tensor.to(dtype) if fits and tensor.dtype is not dtypes.float64 else tensor
    if isinstance(value, (str, bytes, np.ndarray)):
        return value
    if isinstance(value, Mapping):
        return {_cast(k, device_type, dtype): _cast(v, device_type, dtype) for k, v in value.items()}
    if isinstance(value, Iterable):
        entries = [_cast(v, device_type, dtype) for v in value]
        return type(value)(entries) if isinstance(value, (list, tuple)) else iter(entries)
    return value


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Decorate ``forward`` of an ``autograd.Function`` for autocast.

    With ``cast_inputs`` floating point arguments are cast to that type, and the function runs with autocast off. Raises
    ValueError for what names no kind of device.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        context, on = args[0], is_autocast_enabled(device_type)
        context._dtype = get_autocast_dtype(device_type)
        context._fwd_used_autocast = on if cast_inputs is None else False
        if cast_inputs is None or not on:
            return fwd(*args, **kwargs)
        with autocast(device_type, enabled=False):
            casted = [_cast(value, device_type, cast_inputs) for value in args[1:]]
            return fwd(context, *casted, **_cast(kwargs, device_type, cast_inputs))

    return decorated


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorate ``backward`` of an ``autograd.Function``: it runs under autocast if ``forward`` did.

    Raises ValueError for what names no kind of device.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=args[0]._fwd_used_autocast, dtype=args[0]._dtype):
            return bwd(*args, **kwargs)

    return decorated
