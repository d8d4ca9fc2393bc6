"""Methods of tensors that are no operators of their own, and what only tensors of other layouts can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from torchlike._core import dispatch, layout, tape
from torchlike._core import dtype as dtypes
from torchlike._core.arguments import given_ints
from torchlike._core.errors import check, cpp_type
from torchlike._core.op import composite
from torchlike._core.tensor_state import TensorBase
from torchlike.ops.matmul import matmul
from torchlike.ops.rearrange import flip

__all__ = ["dequantize", "detach", "detach_", "get_device", "resize_as_"]

Tensor = Any


# Element by element in Python -----------------------------------------------------------------------------------------


def _no_gradient(name: str, *tensors: Tensor) -> None:
    for tensor in tensors:
        if tape.requires_grad(tensor):
            raise RuntimeError(
                f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead."
            )


def _mapped(name: str, self: Tensor, others: tuple[Tensor, ...], function: Callable[..., Any]) -> Tensor:
    own = dispatch.geometry_of(self).dtype
    for word, other in zip(("other",) if len(others) == 1 else ("x", "y"), others, strict=False):
        theirs = dispatch.geometry_of(other).dtype
        if theirs is not own:
            raise TypeError(f"{name}: expected {cpp_type(own)} for '{word}' (got {cpp_type(theirs)})")
    _no_gradient(name, self, *others)
    shape = dispatch.shape_of(self)
    values = [np.broadcast_to(np.asarray(dispatch.array_of(t)), shape).ravel().tolist() for t in (self, *others)]
    results = [function(*numbers) for numbers in zip(*values, strict=True)]
    return dispatch.write_host(self, np.asarray(results, own.np).reshape(shape))


@composite(method="only")
def apply_(self: Tensor, callable: Callable[[Any], Any], /) -> Tensor:
    """Replace each element by ``callable(element)``, in Python; only on the CPU and outside any graph.

    >>> torch.tensor([1.0, 2.0]).apply_(lambda v: v * 10)
    tensor([10., 20.])
    """
    if dispatch.device_of(self).type != "cpu":
        raise TypeError("apply_ is only implemented on CPU tensors")
    return _mapped("apply_", self, (), callable)


@composite(method="only")
def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any], /) -> Tensor:
    """Replace each element by ``callable(element, element of tensor)``, in Python.

    >>> torch.tensor([1.0, 2.0]).map_(torch.tensor([3.0, 4.0]), lambda a, b: a * b)
    tensor([3., 8.])
    """
    return _mapped("map_", self, (tensor,), callable)


@composite(method="only")
def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any], /) -> Tensor:
    """Replace each element by ``callable(element, element of x, element of y)``, in Python.

    >>> torch.tensor([1.0]).map2_(torch.tensor([3.0]), torch.tensor([4.0]), lambda a, b, c: a + b * c)
    tensor([13.])
    """
    return _mapped("map2_", self, (x, y), callable)


# Shapes --------------------------------------------------------------------------------------------------------------


@composite(method="only")
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write a number into the main diagonal; of a tall matrix with ``wrap`` again and again below.

    Raises RuntimeError for fewer than two dimensions, and for three or more that are not equal.

    >>> torch.zeros(2, 3).fill_diagonal_(7)
    tensor([[7., 0., 0.],
            [0., 7., 0.]])
    """
    geometry = dispatch.geometry_of(self)
    size = geometry.size
    check(len(size) >= 2, "dimensions must larger than 1")
    check(len(size) == 2 or len(set(size)) == 1, "all dimensions of input must be of equal length")
    if isinstance(fill_value, TensorBase):
        check(not dispatch.shape_of(fill_value), "fill_value must be a 0-dim tensor")
        fill_value = fill_value.item()  # type: ignore[attr-defined]
    if not geometry.numel:
        return self
    step, short = sum(geometry.stride), min(size)
    self.as_strided((short,), (step,), geometry.offset).fill_(fill_value)
    if wrap and len(size) == 2 and size[0] > size[1] + 1:
        _fill_below(self, geometry, fill_value)
    return self


def _fill_below(self: Tensor, geometry: Any, fill_value: Any) -> None:
    """The diagonal that goes on in the rows below, one row left free each time."""
    (rows, columns), (down, right) = geometry.size, geometry.stride
    start = geometry.offset + down * (columns + 1)
    count = (rows * columns - (columns * columns + columns) + columns) // (columns + 1)
    step = down + right
    for first in range(0, count, columns):
        part = min(columns, count - first)
        self.as_strided((part,), (step,), start).fill_(fill_value)
        start += down * (columns + 1)


@composite(method="only")
def sum_to_size(self: Tensor, *size: Any, **named: Any) -> Tensor:
    """Return the tensor summed over dimensions until it has a size that broadcasts to its own.

    >>> torch.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])
    """
    wanted = tuple(given_ints("sum_to_size", "size", size, named))
    own = dispatch.shape_of(self)
    lead = len(own) - len(wanted)
    fits = lead >= 0 and all(w in (1, n) for w, n in zip(wanted, own[max(lead, 0) :], strict=True))
    check(fits, f"size {{{list(wanted)}}} is not expandable to size {{{list(own)}}}.")
    dims = [i for i, n in enumerate(own) if i < lead or (wanted[i - lead] == 1 and n != 1)]
    if not dims:
        return self
    result = self.sum(dims, keepdim=True)
    return result.view(wanted) if lead else result


@composite(method="only")
def dim_order(self: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """Return the dimensions from the outermost in memory to the innermost.

    With ``ambiguity_check`` True, or a list of memory formats, RuntimeError is raised where that is not unique.

    >>> torch.zeros(2, 3).t().dim_order()
    (1, 0)
    """
    geometry = dispatch.geometry_of(self)
    order = _order(geometry.size, geometry.stride)
    if ambiguity_check is True:
        formats: list[Any] = [layout.contiguous_format, layout.channels_last, layout.channels_last_3d]
        ranks = {layout.channels_last: 4, layout.channels_last_3d: 5}
        fitting = [f for f in formats if ranks.get(f, len(order)) == len(order)]
        matches = sum(layout.is_in_format(geometry, f) for f in fitting)
        many = len(set(geometry.stride)) < len(geometry.stride)
        check(
            not many and matches <= 1,
            "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats.",
        )
    elif ambiguity_check:
        check(
            sum(layout.is_in_format(geometry, f) for f in ambiguity_check) == 1,
            "The tensor does not have unique dim order, or cannot map to exact one of the given memory formats.",
        )
    return order


def _order(size: tuple[int, ...], stride: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions by falling strides; insertion keeps those that cannot be told apart where they are."""
    order = list(range(len(size)))
    for i in range(1, len(order)):
        for j in range(i, 0, -1):
            a, b = order[j - 1], order[j]
            swap = stride[a] < stride[b] if stride[a] and stride[b] else False
            if not swap or (stride[a] == stride[b] and size[a] >= size[b]):
                break
            order[j - 1], order[j] = b, a
    return tuple(order)


# Functions of the namespace that are methods first -------------------------------------------------------------------


@composite(method=False)
def detach(input: Tensor) -> Tensor:
    """Return a tensor with the same memory that is cut off from the graph; see :meth:`torch.Tensor.detach`.

    >>> torch.detach(torch.ones(2, requires_grad=True))
    tensor([1., 1.])
    """
    return input.detach()


@composite(method=False)
def detach_(input: Tensor) -> Tensor:
    """Cut a tensor off from the graph that made it; returns the tensor."""
    return input.detach_()


@composite(method=False)
def get_device(input: Tensor) -> int:
    """Return the index of the accelerator a tensor is on, -1 for the CPU.

    >>> torch.get_device(torch.ones(2))
    -1
    """
    index: int = input.get_device()
    return index


@composite(method=False)
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = layout.contiguous_format) -> Tensor:
    """Change the sizes of a tensor in place to those of another; returns the tensor."""
    return input.resize_as_(the_template, memory_format=memory_format)


@composite
def dequantize(input: Tensor) -> Tensor:
    """Return the tensor as float32; quantized tensors do not exist in torchlike.

    >>> torch.dequantize(torch.tensor([1, 2]))
    tensor([1., 2.])
    """
    return input.to(dtypes.float32)


# Other layouts -------------------------------------------------------------------------------------------------------


@composite(method="only")
def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool = True) -> Tensor:
    """Return the tensor itself, which is dense, converted to ``dtype`` where one is given.

    >>> torch.ones(2).to_dense()
    tensor([1., 1.])
    """
    return self if dtype is None else self.to(dtype)


@composite(method="only")
def dense_dim(self: Tensor) -> int:
    """Return the number of dense dimensions: all of them.

    >>> torch.zeros(2, 3).dense_dim()
    2
    """
    return len(dispatch.shape_of(self))


@composite(method="only")
def sparse_dim(self: Tensor) -> int:
    """Return the number of sparse dimensions: none.

    >>> torch.zeros(2, 3).sparse_dim()
    0
    """
    return 0


def _refusing(name: str, message: str, exception: type[Exception] = RuntimeError) -> None:
    """Attach a method that tensors of this library, which are all strided and not quantized, cannot carry out."""

    def refuse(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        raise exception(message)

    refuse.__name__ = name
    refuse.__qualname__ = f"Tensor.{name}"
    refuse.__doc__ = f"Raise {exception.__name__}: only tensors that do not exist in torchlike have ``{name}``."
    composite(refuse, method="only", name=name)


for _name in ("values", "crow_indices", "col_indices", "ccol_indices", "row_indices"):
    _kind = "tensor layout" if _name == "values" else "column compressed tensor layout"
    _kind = "row compressed tensor layout" if _name in ("crow_indices", "col_indices") else _kind
    _refusing(_name, f"{_name} expected sparse {_kind} but got Strided")
for _name in ("indices", "coalesce", "is_coalesced"):
    _refusing(_name, f"{_name} expected sparse coordinate tensor layout but got Strided")
for _name in ("smm", "sspaddmm"):
    _refusing(_name, "tensor.sspaddmm(...) can only be called on sparse tensors")
for _name in (
    "int_repr",
    "q_per_channel_axis",
    "q_per_channel_scales",
    "q_per_channel_zero_points",
    "q_scale",
    "q_zero_point",
    "qscheme",
    "sparse_mask",
    "sparse_resize_",
    "sparse_resize_and_clear_",
    "to_padded_tensor",
):
    _refusing(
        _name,
        f"Could not run 'aten::{_name}' with arguments from the 'CPU' backend. Sparse, quantized and nested tensors do"
        " not exist in torchlike.",
        NotImplementedError,
    )
for _name in ("to_mkldnn", "to_sparse", "to_sparse_bsc", "to_sparse_bsr", "to_sparse_coo", "to_sparse_csc"):
    _refusing(_name, f"Tensor.{_name}: tensors of other layouts than strided do not exist", NotImplementedError)
_refusing("to_sparse_csr", "Tensor.to_sparse_csr: sparse tensors do not exist in torchlike", NotImplementedError)
_refusing("chalf", "Tensor.chalf: complex32 does not exist in torchlike", NotImplementedError)
_refusing("ipu", "PyTorch is not linked with support for ipu devices")
_refusing("xpu", "Torch not compiled with XPU enabled", AssertionError)
_refusing("mtia", "Torch not compiled with MTIA enabled.", AssertionError)


# Python protocols and the rest ----------------------------------------------------------------------------------------


@composite(method="only")
def __reversed__(self: Tensor) -> Tensor:
    """Return the tensor with its first dimension from the end to the start."""
    return flip(self, (0,)) if dispatch.shape_of(self) else self


@composite(method="only")
def __rmatmul__(self: Tensor, other: Tensor) -> Tensor:
    """Return ``other @ self``."""
    return matmul(other, self) if isinstance(other, TensorBase) else NotImplemented


@composite(method="only")
def __long__(self: Tensor) -> int:
    """Return the value of a tensor of one element as an int."""
    if dispatch.geometry_of(self).numel != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return int(self.item())


@composite(method="only")
def __nonzero__(self: Tensor) -> bool:
    """Return whether the one element of the tensor is not zero."""
    return bool(self)


@composite(method="only")
def const_data_ptr(self: Tensor) -> int:
    """Return the number that stands for the address of the first element, for reading only."""
    pointer: int = self.data_ptr()
    return pointer


@composite(method="only")
def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """Return what a module keeps when ``other`` is loaded into this parameter: this tensor written, or ``other``."""
    if assign:
        return other.detach()
    return self.copy_(other).detach()


@composite(method="only")
def is_distributed(self: Tensor) -> bool:
    """Return whether the tensor is spread over several processes: no."""
    return False


def _name_of(self: Tensor) -> None:
    """The name of the tensor; tensors have none."""


def _grad_dtype(self: Tensor) -> dtypes.dtype:
    """The dtype that a gradient of this tensor has: its own."""
    found: dtypes.dtype = dispatch.geometry_of(self).dtype
    return found


TensorBase.name = property(_name_of, doc=_name_of.__doc__)  # type: ignore[attr-defined]
TensorBase.grad_dtype = property(_grad_dtype, doc=_grad_dtype.__doc__)  # type: ignore[attr-defined]
