"""Devices: the names that tensors live under, and the jax devices behind them.

Importing this module sets jax up the way tensors need it: 64-bit types exist, and the CPU computes before it returns
(which makes memory shared with NumPy well defined; measured at the same cost a call). Both are process-wide, and the
second has no effect once jax has computed something, so import torchlike before using jax.

jax runs a computation where its *committed* inputs are; values that are not committed go to jax's default device, which
is an accelerator when there is one. Therefore everything a tensor holds is committed: ``put`` commits host values, and
a kernel without inputs is compiled with ``out_shardings=device.sharding``.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NoReturn, Self, TypeAlias, final

import jax
from jax.sharding import SingleDeviceSharding

from torchlike._core.naming import TorchNamed

__all__ = ["device", "get_default_device", "set_default_device"]

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_cpu_enable_async_dispatch", False)

JaxDevice: TypeAlias = jax.Device

# The names PyTorch knows, in the order in which its message lists them.
_TYPES: Final = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip

# Beyond PyTorch's: a TPU, which tensors report as PyTorch's "xla".
_KNOWN: Final = frozenset((*_TYPES, "tpu"))

_PATTERN: Final = re.compile(r"([a-zA-Z_]+)(?::(0|[1-9][0-9]*))?")
_MAX_INDEX: Final = 2**31 - 1


def _parse(text: str) -> tuple[str, int | None]:
    if not text:
        raise RuntimeError("Device string must not be empty")
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise RuntimeError(f"Invalid device string: '{text}'")
    name, digits = match.groups()
    if name not in _KNOWN:
        raise RuntimeError(f"Expected one of {', '.join(_TYPES)} device type at start of device string: {name}")
    if digits is None:
        return name, None
    if int(digits) > _MAX_INDEX:
        raise RuntimeError(f"Could not parse device index '{digits}' in device string '{text}'")
    return name, int(digits)


def _bad_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
    got = [type(value).__name__ for value in args] + [f"{key}={type(value).__name__}" for key, value in kwargs.items()]
    if kwargs and not args:
        got.append("")
    raise TypeError(
        f"device() received an invalid combination of arguments - got ({', '.join(got)}), but expected one of:\n"
        " * (torch.device device)\n * (str type, int index = -1)\n"
    )


@final
class device(metaclass=TorchNamed):
    """Where a tensor is: ``device("cuda:1")``, ``device("cuda", 1)``, ``device(1)`` (an accelerator's), ``device(d)``.

    ``type`` is the name and ``index`` the number or None (the current one of its type). As a context manager it is the
    device of the tensors created within the block. Raises RuntimeError for text that names no device.

    >>> torch.device("cuda:1")
    device(type='cuda', index=1)
    >>> torch.device("cpu").index is None
    True
    """

    __module__ = "torch"
    __slots__ = ("_hash", "index", "type")

    type: str
    index: int | None
    _hash: int

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if len(args) == 1 and not kwargs:
            (value,) = args
            if isinstance(value, device):
                return value
            if isinstance(value, str):
                return _of_text(value)
        return _construct(args, kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise TypeError("type 'torch.device' is not an acceptable base type")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        if name in ("type", "index"):
            raise AttributeError(f"attribute '{name}' of 'torch.device' objects is not writable")
        raise AttributeError(f"'torch.device' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"'torch.device' object has no attribute '{name}'")

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        # There is one object a (type, index), see _make.
        return self is other

    def _no_order(self, other: object) -> NoReturn:
        raise TypeError("comparison not implemented")

    __lt__ = __le__ = __gt__ = __ge__ = _no_order

    def __reduce__(self) -> tuple[Any, ...]:
        return (device, (self.type,) if self.index is None else (self.type, self.index))

    def __enter__(self) -> Self:
        _state.entered.append(_state.default)
        _state.default = self
        return self

    def __exit__(self, *exception: object) -> None:
        if not _state.entered:
            raise RuntimeError("trying to pop from empty mode stack")
        _state.default = _state.entered.pop()

    @property
    def jax(self) -> JaxDevice:
        """The jax device behind it; raises as ``jax_device`` does."""
        return jax_device(self)

    @property
    def sharding(self) -> SingleDeviceSharding:
        """The jax sharding of arrays on it; as ``out_shardings`` of a jitted function it commits the results."""
        return _sharding(resolve(self))


_instances: Final[dict[tuple[str, int | None], device]] = {}


def _make(name: str, index: int | None) -> device:
    """Return the one device of this name and index."""
    key = (name, index)
    found = _instances.get(key)
    if found is None:
        made = object.__new__(device)
        for attribute, value in (("type", name), ("index", index), ("_hash", hash(key))):
            object.__setattr__(made, attribute, value)
        found = _instances.setdefault(key, made)
    return found


@cache
def _of_text(text: str) -> device:
    return _make(*_parse(text))


def _construct(args: tuple[Any, ...], kwargs: dict[str, Any]) -> device:
    """Make a device from the less common forms of its arguments."""
    if len(args) + len(kwargs) == 1 and (args or "device" in kwargs):
        value = args[0] if args else kwargs["device"]
        if isinstance(value, device):
            return value
        if isinstance(value, bytes):
            value = value.decode()
        if isinstance(value, str):
            return _of_text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return _accelerator(value)
        _bad_arguments(args, kwargs)
    values = dict(zip(("type", "index"), args, strict=False)) | kwargs
    if len(values) != len(args) + len(kwargs) or not {"type"} <= set(values) <= {"type", "index"}:
        _bad_arguments(args, kwargs)
    name, index = values["type"], values.get("index")
    if isinstance(name, bytes):
        name = name.decode()
    if not isinstance(name, str):
        raise TypeError(f"device(): argument 'type' (position 1) must be str, not {_type_name(name)}")
    if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
        raise TypeError(f"device(): argument 'index' (position 2) must be int, not {_type_name(index)}")
    if _parse(name)[1] is not None:
        raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {name}")
    if index is not None and index < 0:
        raise RuntimeError("Device index must not be negative")
    return _make(name, index)


def _type_name(value: Any) -> str:
    return "torch.device" if isinstance(value, device) else type(value).__name__


def _accelerator(index: int) -> device:
    if index < 0:
        raise RuntimeError("Device index must not be negative")
    for name in ("cuda", "xla"):
        if _jax_devices(name):
            return _make(name, index)
    raise RuntimeError("Cannot access accelerator device when none is available.")


CPU: Final = _make("cpu", None)
META: Final = _make("meta", None)


# The jax devices behind the names ------------------------------------------------------------------------------------

_PLATFORMS: Final = {"cpu": ("cpu",), "cuda": ("gpu",), "xla": ("tpu",), "tpu": ("tpu",)}


@cache
def _jax_devices(name: str) -> tuple[jax.Device, ...]:
    """Return this process's jax devices of a device type; none when its platform is absent."""
    for platform in _PLATFORMS.get(name, ()):
        try:
            return tuple(jax.local_devices(backend=platform))
        except RuntimeError:  # jax's way to say that there is no such platform
            continue
    return ()


def cuda_count() -> int:
    """Return the number of GPUs."""
    return len(_jax_devices("cuda"))


def unavailable(d: device) -> NoReturn:
    """Raise PyTorch's refusal of a device that this machine does not have or that only PyTorch knows."""
    if d.type in ("cuda", "hip"):
        raise AssertionError("Torch not compiled with CUDA enabled")
    if d.type in ("xpu", "mtia"):
        raise AssertionError(f"Torch not compiled with {d.type.upper()} enabled")
    if d.type in ("hpu", "privateuseone"):
        raise ModuleNotFoundError(f"No module named 'torch.{d.type}'")
    raise RuntimeError(f"PyTorch is not linked with support for {d.type} devices")


def resolve(device_like: Any = None) -> device:
    """Return the device that a tensor reports when it is created with ``device=device_like``.

    None is the default device. "cpu" and "meta" lose their index, the others gain the current one; a "tpu" is "xla".
    Raises as ``device`` does for what names no device, and as ``unavailable`` does for one that is not there.
    """
    if device_like is None:
        found = _state.default
        if found is None:
            return CPU
    else:
        found = device_like if isinstance(device_like, device) else device(device_like)
    if found.type == "cpu":
        return CPU
    if found.type == "meta":
        return META
    present = _jax_devices(found.type)
    if not present:
        unavailable(found)
    name = "xla" if found.type == "tpu" else found.type
    index = found.index
    if index is None:
        index = _state.cuda if name == "cuda" else 0
    if index >= len(present):
        raise RuntimeError(
            "CUDA error: invalid device ordinal" if name == "cuda" else f"invalid device ordinal: {found}"
        )
    return _make(name, index)


def jax_device(device_like: Any = None) -> jax.Device:
    """Return the jax device of ``resolve(device_like)``.

    Raises NotImplementedError for the meta device, which has none.
    """
    resolved = resolve(device_like)
    if resolved is META:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    return _jax_devices(resolved.type)[resolved.index or 0]


@cache
def _sharding(resolved: device) -> SingleDeviceSharding:
    return SingleDeviceSharding(jax_device(resolved))


_of_jax: Final[dict[jax.Device, device]] = {}


def of_jax(jax_dev: jax.Device) -> device:
    """Return the device under whose name tensors on this jax device are known."""
    found = _of_jax.get(jax_dev)
    if found is None:
        found = _of_jax[jax_dev] = _name_of(jax_dev)
    return found


def _name_of(jax_dev: jax.Device) -> device:
    for name in ("cpu", "cuda", "xla"):
        present = _jax_devices(name)
        if jax_dev in present:
            return CPU if name == "cpu" else _make(name, present.index(jax_dev))
    raise NotImplementedError(f"tensors on the jax device {jax_dev} (platform {jax_dev.platform})")


def put(value: Any, device_like: Any = None) -> jax.Array:
    """Return ``value`` (a NumPy or jax array, or a number) as a jax array committed to the device."""
    return jax.device_put(value, jax_device(device_like))


# What is current -----------------------------------------------------------------------------------------------------


class _State(threading.local):
    """The default device and the current GPU, of each thread by itself as in PyTorch."""

    default: device | None = None
    cuda: int = 0
    program: device | None = None

    def __init__(self) -> None:
        self.entered: list[device | None] = []


_state: Final = _State()


def program() -> device | None:
    """Return where the jax program runs that is being traced over tensors, None outside of one."""
    return _state.program


@contextlib.contextmanager
def within_program(place: device) -> Iterator[None]:
    """While jax traces a program over tensors: traced tensors are on ``place``.

    What is created meanwhile is not committed, so that the program may run on other devices than one, or on several.
    """
    before = _state.program
    _state.program = place
    try:
        yield
    finally:
        _state.program = before


def current_cuda() -> int:
    """Return the index of the current GPU, that of ``device("cuda")``. Raises AssertionError where there is none."""
    if not cuda_count():
        unavailable(_make("cuda", None))
    return _state.cuda


def set_cuda(index: int) -> None:
    """Make a GPU the current one; a negative index changes nothing."""
    if index < 0:
        return
    _state.cuda = resolve(_make("cuda", index)).index or 0


def get_default_device() -> device:
    """Return the device on which tensors are created when none is named.

    >>> torch.get_default_device()
    device(type='cpu')
    """
    found = _state.default
    if found is None:
        return CPU
    return found if found.index is not None else resolve(found)


def set_default_device(device: Any) -> None:
    """Create tensors on this device from now on (in this thread) when none is named; None restores the CPU.

    >>> torch.set_default_device("meta")
    >>> torch.zeros(2).device
    device(type='meta')
    >>> torch.set_default_device(None)
    """
    _state.default = None if device is None else _as_device(device)


def _as_device(value: Any) -> device:
    return device(value)
