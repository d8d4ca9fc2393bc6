"""One module on several GPUs, each with a part of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from torchlike import cuda
from torchlike._core.device import device as Device
from torchlike._core.tape import grad_enabled
from torchlike.nn.modules.module import Module
from torchlike.nn.parallel.parallel_apply import parallel_apply
from torchlike.nn.parallel.replicate import replicate
from torchlike.nn.parallel.scatter_gather import gather, scatter_kwargs

__all__ = ["DataParallel", "data_parallel"]


def _number(device: Any) -> int:
    if isinstance(device, int):
        return device
    found = Device(device)
    return found.index if found.index is not None else cuda.current_device()


class DataParallel(Module):
    """Call a module on several GPUs, each with a part of the batch, and gather the results on ``output_device``.

    Where there is no GPU it simply calls the module. Gradients add up in the module itself, whose parameters must lie
    on the first device (RuntimeError).

    >>> torch.nn.DataParallel(torch.nn.ReLU())(torch.tensor([-1., 2.]))
    tensor([0., 2.])
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module: Any
        self.device_ids: list[int]
        if not cuda.is_available():
            self.module = module
            self.device_ids = []
            return
        ids = list(range(cuda.device_count())) if device_ids is None else list(device_ids)
        self.dim = dim
        self.module = module
        self.device_ids = [_number(d) for d in ids]
        self.output_device = _number(ids[0] if output_device is None else output_device)
        self.src_device_obj = Device("cuda", self.device_ids[0])
        if len(self.device_ids) == 1:
            self.module.to(self.src_device_obj)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Call the module on all devices."""
        if not self.device_ids:
            return self.module(*inputs, **kwargs)
        _check_place(self.module, self.src_device_obj)
        parts, named = self.scatter(inputs, kwargs, self.device_ids)
        if not parts:
            parts, named = ((),), ({},)
        if len(self.device_ids) == 1:
            return self.module(*parts[0], **named[0])
        replicas = self.replicate(self.module, self.device_ids[: len(parts)])
        return self.gather(self.parallel_apply(replicas, parts, named), self.output_device)

    def replicate(self, module: Any, device_ids: Sequence[Any]) -> list[Any]:
        """Return a copy of the module for each device."""
        return replicate(module, device_ids, not grad_enabled())

    def scatter(self, inputs: tuple[Any, ...], kwargs: dict[str, Any] | None, device_ids: Sequence[Any]) -> Any:
        """Cut the arguments into parts for the devices."""
        return scatter_kwargs(inputs, kwargs, device_ids, dim=self.dim)

    def parallel_apply(self, replicas: Sequence[Any], inputs: Sequence[Any], kwargs: Any) -> list[Any]:
        """Call the copies."""
        return parallel_apply(replicas, inputs, kwargs, self.device_ids[: len(replicas)])

    def gather(self, outputs: Any, output_device: Any) -> Any:
        """Bring the results together."""
        return gather(outputs, output_device, dim=self.dim)


def _check_place(module: Module, device: Any) -> None:
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.device != device:
            raise RuntimeError(
                f"module must have its parameters and buffers on device {device} (device_ids[0]) but found one of them"
                f" on device: {tensor.device}"
            )


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """Do once what `DataParallel` does at every call. Raises RuntimeError where there is no GPU."""
    args = inputs if isinstance(inputs, tuple) else () if inputs is None else (inputs,)
    if not cuda.is_available():
        raise RuntimeError("device type could not be determined")
    ids = [_number(d) for d in (range(cuda.device_count()) if device_ids is None else device_ids)]
    _check_place(module, Device("cuda", ids[0]))
    parts, named = scatter_kwargs(args, module_kwargs, ids, dim)
    if not parts:
        parts, named = ((),), ({},)
    if len(ids) == 1:
        return module(*parts[0], **named[0])
    used = ids[: len(parts)]
    outputs = parallel_apply(replicate(module, used), parts, named, used)
    return gather(outputs, ids[0] if output_device is None else _number(output_device), dim)
