"""What programs take from PyTorch's compiled module ``torch._C``, where this package has it under another name."""

from torchlike._C import _fft, _linalg, _nn, _special
from torchlike._C._dispatch_keys import DispatchKey, DispatchKeySet, _ExcludeDispatchKeyGuard
from torchlike._C._questions import (
    _are_functorch_transforms_active,
    _get_accelerator,
    _get_tracing_state,
    _is_torch_function_mode_enabled,
    _jit_override_can_fuse_on_cpu,
    _jit_override_can_fuse_on_gpu,
    _jit_set_profiling_executor,
    _jit_set_profiling_mode,
    _jit_set_texpr_fuser_enabled,
    _log_api_usage_once,
)
from torchlike._core.device import device
from torchlike._core.dtype import dtype
from torchlike._core.generator import Generator
from torchlike._core.layout import layout, memory_format
from torchlike._core.override import DisableTorchFunction, DisableTorchFunctionSubclass
from torchlike._core.override import disabled_torch_function_impl as _disabled_torch_function_impl
from torchlike._core.size import Size
from torchlike._tensor import _TensorMeta
from torchlike.linalg._common import _LinAlgError

__all__ = [
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "DispatchKey",
    "DispatchKeySet",
    "Generator",
    "Size",
    "_ExcludeDispatchKeyGuard",
    "_LinAlgError",
    "_TensorMeta",
    "_are_functorch_transforms_active",
    "_disabled_torch_function_impl",
    "_fft",
    "_get_accelerator",
    "_get_tracing_state",
    "_is_torch_function_mode_enabled",
    "_jit_override_can_fuse_on_cpu",
    "_jit_override_can_fuse_on_gpu",
    "_jit_set_profiling_executor",
    "_jit_set_profiling_mode",
    "_jit_set_texpr_fuser_enabled",
    "_linalg",
    "_log_api_usage_once",
    "_nn",
    "_special",
    "device",
    "dtype",
    "layout",
    "memory_format",
]
