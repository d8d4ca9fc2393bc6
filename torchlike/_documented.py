"""The signatures that PyTorch documents, where a declaration has other defaults or takes more.

They are what ``inspect.signature`` and ``help`` show. A declaration differs where its body wants another default (no
dimensions instead of None) or another way to gather the arguments (sizes one by one); a default shown here means the
same. Documented names that PyTorch itself does not take (``Tensor.mul(value=2)``) are left out.
"""

from __future__ import annotations

import inspect

from torchlike import _construct, ops
from torchlike._core import dtype as dtypes
from torchlike._core import promote
from torchlike._core.layout import contiguous_format, preserve_format, strided
from torchlike._core.tensor_state import TensorBase

_TENSOR = "dtype=None, layout=strided, device=None, requires_grad=False"
_PINNED = f"{_TENSOR}, pin_memory=False"
_LIKE = "dtype=None, layout=None, device=None, requires_grad=False, memory_format=preserve_format"
_WINDOW = f"(window_length, periodic=True, *, {_TENSOR})"
_SIZED = f"(*size, out=None, {_TENSOR})"
_DRAWN = f"(*size, generator=None, out=None, {_PINNED})"
_INDICES = "(row, col, offset=0, *, dtype=long, device='cpu', layout=strided)"
_SPREAD = "(input, dim=None, *, correction=1, keepdim=False, out=None)"
_NEW = "*, dtype=None, device=None, requires_grad=False, layout=strided, pin_memory=False)"
_DEVICE = "(self, device=None, non_blocking=False, memory_format=preserve_format)"

_FUNCTIONS = {
    "amax": "(input, dim=None, keepdim=False, *, out=None)",
    "amin": "(input, dim=None, keepdim=False, *, out=None)",
    "asarray": "(obj, *, dtype=None, device=None, copy=None, requires_grad=None)",
    "bartlett_window": _WINDOW,
    "blackman_window": _WINDOW,
    "clone": "(input, *, memory_format=preserve_format)",
    "einsum": "(equation, *operands)",
    "empty": f"(*size, out=None, {_PINNED}, memory_format=contiguous_format)",
    "empty_like": f"(input, *, {_LIKE})",
    "eye": f"(n, m=None, *, out=None, {_TENSOR})",
    "full": f"(size, fill_value, *, out=None, {_TENSOR})",
    "full_like": f"(input, fill_value, *, {_TENSOR}, memory_format=preserve_format)",
    "hann_window": _WINDOW,
    "kaiser_window": f"(window_length, periodic=True, beta=12.0, *, {_TENSOR})",
    "kthvalue": "(input, k, dim=None, keepdim=False, *, out=None)",
    "linspace": f"(start, end, steps, *, out=None, {_TENSOR})",
    "logspace": f"(start, end, steps, base=10.0, *, out=None, {_TENSOR})",
    "nan_to_num": "(input, nan=0.0, posinf=None, neginf=None, *, out=None)",
    "ones": _SIZED,
    "ones_like": f"(input, *, {_LIKE})",
    "pdist": "(input, p=2)",
    "rand": _DRAWN,
    "rand_like": f"(input, *, generator=None, {_LIKE})",
    "randn": _DRAWN,
    "randn_like": f"(input, *, generator=None, {_LIKE})",
    "randperm": "(n, *, generator=None, out=None, dtype=int64, layout=strided, device=None, requires_grad=False,"
    " pin_memory=False)",
    "result_type": "(tensor1, tensor2)",
    "roll": "(input, shifts, dims=None)",
    "std": _SPREAD,
    "std_mean": _SPREAD,
    "topk": "(input, k, dim=None, largest=True, sorted=True, *, out=None)",
    "tril_indices": _INDICES,
    "triu_indices": _INDICES,
    "var": _SPREAD,
    "var_mean": _SPREAD,
    "zeros": _SIZED,
    "zeros_like": f"(input, *, {_LIKE})",
}

_METHODS = {
    "amax": "(self, dim=None, keepdim=False)",
    "amin": "(self, dim=None, keepdim=False)",
    "cauchy_": "(self, median=0, sigma=1, *, generator=None)",
    "ccol_indices": "(self)",
    "chalf": "(self, memory_format=preserve_format)",
    "clone": "(self, *, memory_format=preserve_format)",
    "coalesce": "(self)",
    "col_indices": "(self)",
    "contiguous": "(self, memory_format=contiguous_format)",
    "crow_indices": "(self)",
    "exponential_": "(self, lambd=1, *, generator=None)",
    "flip": "(self, dims)",
    "indices": "(self)",
    "int_repr": "(self)",
    "ipu": _DEVICE,
    "is_coalesced": "(self)",
    "kthvalue": "(self, k, dim=None, keepdim=False)",
    "log_normal_": "(self, mean=1, std=2, *, generator=None)",
    "max": "(self, dim=None, keepdim=False)",
    "min": "(self, dim=None, keepdim=False)",
    "mode": "(self, dim=None, keepdim=False)",
    "mtia": _DEVICE,
    "nan_to_num": "(self, nan=0.0, posinf=None, neginf=None)",
    "nan_to_num_": "(self, nan=0.0, posinf=None, neginf=None)",
    "new_empty": f"(self, size, {_NEW}",
    "new_empty_strided": f"(self, size, stride, {_NEW[3:]}",
    "new_full": f"(self, size, fill_value, {_NEW}",
    "new_ones": f"(self, size, {_NEW}",
    "new_tensor": f"(self, data, {_NEW}",
    "new_zeros": f"(self, size, {_NEW}",
    "normal_": "(self, mean=0, std=1, *, generator=None)",
    "q_per_channel_axis": "(self)",
    "q_per_channel_scales": "(self)",
    "q_per_channel_zero_points": "(self)",
    "q_scale": "(self)",
    "q_zero_point": "(self)",
    "qscheme": "(self)",
    "row_indices": "(self)",
    "smm": "(self, mat)",
    "sparse_mask": "(self, mask)",
    "sparse_resize_": "(self, size, sparse_dim, dense_dim)",
    "sparse_resize_and_clear_": "(self, size, sparse_dim, dense_dim)",
    "sspaddmm": "(self, mat1, mat2, *, beta=1, alpha=1)",
    "std": "(self, dim=None, *, correction=1, keepdim=False)",
    "tile": "(self, dims)",
    "to_mkldnn": "(self)",
    "to_padded_tensor": "(self, padding, output_size=None)",
    "to_sparse_bsc": "(self, blocksize, dense_dim=None)",
    "to_sparse_bsr": "(self, blocksize, dense_dim=None)",
    "to_sparse_coo": "(self)",
    "to_sparse_csc": "(self, dense_dim=None)",
    "to_sparse_csr": "(self, dense_dim=None)",
    "topk": "(self, k, dim=None, largest=True, sorted=True)",
    "values": "(self)",
    "var": "(self, dim=None, *, correction=1, keepdim=False)",
    "xpu": _DEVICE,
}

_NAMES = {
    "contiguous_format": contiguous_format,
    "int64": dtypes.int64,
    "long": dtypes.long,
    "preserve_format": preserve_format,
    "strided": strided,
}


def _signature(text: str) -> inspect.Signature:
    return inspect.signature(eval(f"lambda {text[1:-1]}: None", dict(_NAMES)))


def _apply() -> None:
    for name, text in _FUNCTIONS.items():
        function = next(vars(home)[name] for home in (ops, _construct, promote) if name in vars(home))
        function.__signature__ = _signature(text)
    for name, text in _METHODS.items():
        vars(TensorBase)[name].__signature__ = _signature(text)


_apply()
