"""Changing the type and the place of a module's tensors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

from torchlike import __future__ as switches
from torchlike import ops
from torchlike._core import device as devices
from torchlike._core import dtype as dtypes
from torchlike._core.tensor_state import TensorBase
from torchlike.autograd import no_grad
from torchlike.nn.parameter import Parameter
from torchlike.utils._swap import swap_tensors


class Convertible:
    """The part of a module that converts its parameters and buffers."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]

    def children(self) -> Any:
        """Return an iterator over the direct children."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:
        """Replace every parameter, gradient and buffer by what ``fn`` makes of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for key, parameter in self._parameters.items():
            if parameter is not None:
                self._convert_parameter(key, parameter, fn)
        for key, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[key] = fn(buffer)
        return self

    def _convert_parameter(self, key: str, parameter: Any, fn: Callable[[Any], Any]) -> None:
        with no_grad():
            converted = fn(parameter)
        grad = parameter._grad
        with no_grad():
            new_grad = None if grad is None else fn(grad)
        if switches.get_swap_module_params_on_conversion():
            parameter.grad = None
            swap_tensors(parameter, Parameter(converted, parameter.requires_grad))
            if new_grad is not None:
                swap_tensors(grad, new_grad.requires_grad_(grad.requires_grad))
                parameter.grad = grad
        elif switches.get_overwrite_module_params_on_conversion() or converted.is_meta is not parameter.is_meta:
            fresh = self._parameters[key] = Parameter(converted, parameter.requires_grad)
            if new_grad is not None:
                fresh.grad = new_grad.requires_grad_(grad.requires_grad)
        else:
            parameter.data = converted
            if new_grad is not None:
                parameter._grad.data = new_grad

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move and convert the parameters and buffers, in place; returns the module.

        ``to(device, dtype, non_blocking)``, ``to(dtype)``, ``to(tensor)`` or ``to(memory_format=...)``. Only floating
        point and complex tensors change their type, and only to such types (TypeError otherwise); ``memory_format``
        concerns the 4-dim and 5-dim ones.

        >>> torch.nn.Linear(2, 2).to(torch.float64).weight.dtype
        torch.float64
        """
        device, dtype, non_blocking, memory_format = _parse_to(args, kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(
                    f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
                )
            if dtype.is_complex:
                warnings.warn(
                    "Complex modules are a new feature under active development whose design may change, and some"
                    " modules might not work as expected when using complex tensors as parameters or buffers. Please"
                    " file an issue at https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml if a"
                    " complex module does not work as expected.",
                    stacklevel=2,
                )

        def convert(tensor: Any) -> Any:
            options: dict[str, Any] = {}
            if memory_format is not None and tensor.dim() in (4, 5):
                options["memory_format"] = memory_format
            kind = dtype if tensor.is_floating_point() or tensor.is_complex() else None
            try:
                return tensor.to(
                    tensor.device if device is None else device, kind or tensor.dtype, non_blocking, **options
                )
            except NotImplementedError as error:
                if str(error) != "Cannot copy out of meta tensor; no data!":
                    raise
                raise NotImplementedError(
                    f"{error} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving module"
                    " from meta to a different device."
                ) from None

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move the parameters and buffers to a device without copying their values; returns the module."""
        return self._apply(lambda t: ops.empty_like(t, device=device), recurse=recurse)

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers to a type, in place; returns the module."""
        return self._apply(lambda t: t.type(dst_type))

    def _to_float(self, dtype: dtypes.dtype) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Self:
        """Convert the floating point parameters and buffers to float32, in place; returns the module."""
        return self._to_float(dtypes.float32)

    def double(self) -> Self:
        """Convert the floating point parameters and buffers to float64, in place; returns the module."""
        return self._to_float(dtypes.float64)

    def half(self) -> Self:
        """Convert the floating point parameters and buffers to float16, in place; returns the module."""
        return self._to_float(dtypes.float16)

    def bfloat16(self) -> Self:
        """Convert the floating point parameters and buffers to bfloat16, in place; returns the module."""
        return self._to_float(dtypes.bfloat16)

    def cpu(self) -> Self:
        """Move the parameters and buffers to the CPU; returns the module."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Move the parameters and buffers to a GPU; returns the module."""
        return self._apply(lambda t: t.cuda(device))

    def _to_accelerator(self, kind: str, device: Any) -> Self:
        place = (
            devices.device(kind if device is None else f"{kind}:{device}") if not isinstance(device, str) else device
        )
        return self._apply(lambda t: t.to(place))

    def ipu(self, device: Any = None) -> Self:
        """Move the parameters and buffers to an IPU: no such device exists here (RuntimeError)."""
        return self._to_accelerator("ipu", device)

    def xpu(self, device: Any = None) -> Self:
        """Move the parameters and buffers to an XPU: no such device exists here (RuntimeError)."""
        return self._to_accelerator("xpu", device)

    def mtia(self, device: Any = None) -> Self:
        """Move the parameters and buffers to an MTIA device: no such device exists here (RuntimeError)."""
        return self._to_accelerator("mtia", device)

    def share_memory(self) -> Self:
        """Call ``share_memory_`` on every parameter and buffer; returns the module."""
        return self._apply(lambda t: t.share_memory_())


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool, Any]:
    """Sort out the forms of ``Module.to``: device, dtype, non_blocking, memory_format."""
    names: tuple[str, ...] = ("device", "dtype", "non_blocking", "copy")
    given: dict[str, Any] = {}
    rest = list(args)
    if rest and isinstance(rest[0], TensorBase):
        other: Any = rest.pop(0)
        given["device"], given["dtype"] = other.device, other.dtype
        names = ("non_blocking", "copy")
    elif rest and isinstance(rest[0], dtypes.dtype):
        names = ("dtype", "non_blocking", "copy")
    given.update(zip(names, rest, strict=False))
    other = kwargs.pop("tensor", None) if "tensor" in kwargs else kwargs.pop("other", None)
    if other is not None:
        given["device"], given["dtype"] = other.device, other.dtype
    allowed = {"device", "dtype", "non_blocking", "copy", "memory_format"}
    if not set(kwargs) <= allowed or len(rest) > len(names):
        described = ", ".join([type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in kwargs.items()])
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({described}), but expected one of:\n"
            " * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *,"
            " torch.memory_format memory_format = None)\n"
            " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format"
            " = None)\n * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format"
            " memory_format = None)\n"
        )
    given.update(kwargs)
    device = given.get("device")
    return (
        None if device is None else devices.resolve(device),
        given.get("dtype"),
        given.get("non_blocking", False),
        given.get("memory_format"),
    )
