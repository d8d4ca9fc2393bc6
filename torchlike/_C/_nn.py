"""``torch._C._nn``: the functions of ``torch.nn.functional`` under the names of PyTorch's compiled code."""

from __future__ import annotations

from typing import Any

from torchlike.nn import functional
from torchlike.nn.modules._convert import _parse_to as _parse_module_to

_OTHER_NAMES = {"log_sigmoid": "logsigmoid"}


def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """Sort out the arguments of ``to``: device, dtype, non_blocking, memory_format.

    >>> torch._C._nn._parse_to("cpu", torch.float64)
    (device(type='cpu'), torch.float64, False, None)
    """
    return _parse_module_to(args, kwargs)


def __getattr__(name: str) -> Any:
    found = None if name.startswith("__") else getattr(functional, _OTHER_NAMES.get(name, name), None)
    if not callable(found):
        raise AttributeError(f"module 'torch._C._nn' has no attribute '{name}'")
    return found
