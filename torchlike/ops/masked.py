"""Choosing by masks: where, masked_fill, masked_select, masked_scatter, nonzero, argwhere.

The results of some have a size that only the values tell. Those are found on the host, where the CPU's arrays already
lie; a compiled kernel could not have them.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from torchlike._core import dispatch, layout, overlap
from torchlike._core.errors import broadcast_shapes, check, scalar_type
from torchlike._core.kernels import cast, in_place
from torchlike._core.lifted import Batched, no_dynamic_shape
from torchlike._core.op import Array, ArrayLike, composite, op, operands_given
from torchlike._core.promote import NO_OPMATH, compute_and_result, of_number
from torchlike._core.tensor_state import TensorBase
from torchlike.ops import _bounds
from torchlike.ops._checks import BARE, UNSIGNED, refuse
from torchlike.ops._geometry import expanded, show
from torchlike.ops._positions import gather_flat, index_type

__all__ = ["argwhere", "masked_fill", "masked_scatter", "masked_select", "nonzero", "where"]

Tensor = Any

_NUMBERS = (bool, int, float, complex, np.number, np.bool_)


def values_of(tensor: Any) -> np.ndarray[Any, Any]:
    """The values of a tensor on the host; no copy where they are there already."""
    array = dispatch.array_of(tensor)
    if isinstance(array, Batched):
        raise no_dynamic_shape("nonzero")
    return np.asarray(array)


# ---------------------------------------------------------------------------------------------------------------------
# where


def _where_check(condition: Any, input: Any, other: Any) -> None:
    if not isinstance(condition, TensorBase) or not all(isinstance(x, (TensorBase, *_NUMBERS)) for x in (input, other)):
        raise _invalid(condition, input, other)
    numbers: list[Any] = [x for x in (input, other) if isinstance(x, _NUMBERS)]
    numbers = [x for x in numbers if not 0 <= abs(x) < 128]  # what every dtype holds needs no look
    if numbers:
        operands = [_operand(x) for x in (input, other)]
        for x in numbers:
            _bounds.check_number(x, compute_and_result(NO_OPMATH, operands)[1])


def _operand(x: Any) -> Any:
    if isinstance(x, TensorBase):
        geometry = dispatch.geometry_of(x)
        return geometry.dtype, "dim" if geometry.size else "zero"
    return of_number(type(x)), "number"


@op(method=False, check=_where_check, node="WhereBackward0")
def _where(condition: Array, input: ArrayLike, other: ArrayLike) -> Array:
    kind = compute_and_result(NO_OPMATH, operands_given()[1:])[1]  # type: ignore[arg-type]
    check(
        condition.dtype in (jnp.bool_, jnp.uint8),
        f"where expected condition to be a boolean tensor, but got a tensor with dtype {scalar_type(condition.dtype)}",
    )
    shape = broadcast_shapes(condition.shape, jnp.shape(input), jnp.shape(other))
    chosen = jnp.where(condition.astype(jnp.bool_), cast(input, kind), cast(other, kind))
    return jnp.broadcast_to(chosen, shape)


@composite(method=False)
def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Tensor | None = None) -> Any:
    """Return elements of ``input`` where ``condition`` holds, else of ``other``; with ``condition`` alone, its indices.

    ``input`` and ``other`` are tensors or numbers, promoted to a common dtype; all three are broadcast. ``condition``
    is a bool tensor, RuntimeError otherwise. ``where(condition)`` is ``nonzero(condition, as_tuple=True)``.

    >>> x = torch.tensor([-1., 2., -3.])
    >>> torch.where(x > 0, x, 0.)
    tensor([0., 2., 0.])
    >>> torch.where(x < 0)
    (tensor([0, 2]),)
    """
    if input is None and other is None and out is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None or (out is not None and not isinstance(other, TensorBase)):
        raise _invalid(condition, input, other)
    return _laid_out(_where(condition, input, other, out=out), condition, input, other)


def _laid_out(result: Tensor, *operands: Any) -> Tensor:
    """Give an elementwise result the strides that follow from its operands."""
    tensors = [t for t in operands if isinstance(t, TensorBase)]
    if any(t._geometry is not None or t._storage.stride is not None for t in tensors):
        strides = layout.elementwise_strides(result._storage.array, tensors)
        if strides is not None and result._geometry is None:
            result._storage.replace(result._storage.array, strides)
    return result


def _invalid(*given: Any) -> TypeError:
    kinds = ", ".join(type(x).__name__ for x in given if x is not None)
    return TypeError(f"where() received an invalid combination of arguments - got ({kinds}), but expected one of:")


@composite(name="where", method="only")
def _where_method(self: Tensor, condition: Any = None, other: Any = None) -> Tensor:
    """Return the elements of this tensor where ``condition`` holds, else of ``other``; see :func:`torch.where`.

    >>> torch.tensor([1, 2, 3]).where(torch.tensor([True, False, True]), 0)
    tensor([1, 0, 3])
    """
    if not isinstance(condition, TensorBase) or other is None:
        raise _invalid(condition, other)
    return _laid_out(_where(condition, self, other), condition, self, other)


# ---------------------------------------------------------------------------------------------------------------------
# masked_fill and masked_scatter


def _fill_check(input: Any, mask: Any, value: Any) -> None:
    if not isinstance(mask, TensorBase) or not isinstance(value, (TensorBase, *_NUMBERS)):
        kinds = ", ".join(type(x).__name__ for x in (input, mask, value))
        raise TypeError(
            f"masked_fill() received an invalid combination of arguments - got ({kinds}), but expected one of:"
        )
    if isinstance(input, TensorBase):
        kind = dispatch.geometry_of(input).dtype.np
        if not isinstance(value, TensorBase):
            _bounds.check_number(value, kind)
        elif dispatch.geometry_of(value).dtype.np != kind and not dispatch.shape_of(value):
            number = _bounds.host(value)
            if number is not None:
                _bounds.check_number(number.item(), kind)


@op(inplace=True, out=False, check=_fill_check, node=lambda pattern: f"MaskedFillBackward{int(pattern[2] == 'T')}")
def masked_fill(input: Array, mask: Array, value: ArrayLike) -> Array:
    """Return ``input`` with ``value`` where ``mask`` holds; both are broadcast to each other.

    ``mask`` is a bool tensor and ``value`` a number or a 0-dim tensor, RuntimeError otherwise; so is a number that the
    dtype of ``input`` cannot hold.

    >>> torch.tensor([[1., 2.], [3., 4.]]).masked_fill(torch.tensor([True, False]), 0.)
    tensor([[0., 2.],
            [0., 4.]])
    """
    value = jnp.asarray(value)
    broadcast_shapes(input.shape, mask.shape) if in_place() else broadcast_shapes(mask.shape, input.shape)
    check(
        mask.dtype == jnp.bool_,
        "masked_fill_ only supports boolean masks, but got mask with dtype"
        f" {_C_NAMES.get(mask.dtype.name, mask.dtype.name)}",
    )
    check(
        value.ndim == 0,
        f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s).",
    )
    refuse("masked_fill", input, BARE)
    return jnp.where(mask, cast(value, input.dtype), input)


_C_NAMES = {
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


@op(method=False, node="MaskedScatterBackward0", inplace=True, out=False)
def _masked_scatter(input: Array, mask: Array, source: Array, numbers: Array) -> Array:
    """``numbers`` says for each True of the mask the how manieth it is."""
    refuse("masked_scatter", input, BARE)
    if source.size == 0:
        return input
    return jnp.where(mask, gather_flat(source, numbers), input)


def _numbered(input: Tensor, mask: Any, source: Any, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Check the arguments of masked_scatter; returns the broadcast mask and the number of each of its elements."""
    for position, (name, x) in enumerate((("mask", mask), ("source", source)), 1):
        if not isinstance(x, TensorBase):
            raise TypeError(
                f"masked_scatter(): argument '{name}' (position {position}) must be Tensor, not {type(x).__name__}"
            )
    ours, theirs, of_mask = (dispatch.geometry_of(t).dtype for t in (input, source, mask))
    check(
        ours is theirs,
        f"masked_scatter: expected self and source to have same dtypes but got{scalar_type(ours)} and"
        f" {scalar_type(theirs)}",
    )
    check(
        of_mask.np == np.bool_,
        f"masked_scatter_ only supports boolean masks, but got mask with dtype {scalar_type(of_mask)}",
    )
    chosen = np.broadcast_to(values_of(mask), shape)
    numbers = np.cumsum(chosen.reshape(-1), dtype=np.dtype(index_type(chosen.size)))
    count = int(numbers[-1]) if numbers.size else 0
    available = dispatch.geometry_of(source).numel
    check(count <= available, "Number of elements of source < number of ones in mask")
    numbers -= 1
    device = dispatch.device_of(input)
    return dispatch.wrap_host(np.ascontiguousarray(chosen), device), dispatch.wrap_host(numbers.reshape(shape), device)


@composite
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Return ``input`` with the elements of ``source``, in order, where ``mask`` holds.

    ``mask`` (bool) and ``input`` are broadcast to each other; ``source`` has the dtype of ``input`` and at least as
    many elements as the mask has True ones, RuntimeError otherwise.

    >>> torch.masked_scatter(torch.zeros(4), torch.tensor([True, False, False, True]), torch.tensor([5., 6., 7.]))
    tensor([5., 0., 0., 6.])
    """
    shape = dispatch.shape_of(input)
    if isinstance(mask, TensorBase):
        shape = broadcast_shapes(dispatch.shape_of(mask), shape)
    mask, numbers = _numbered(input, mask, source, shape)
    return _masked_scatter(input, mask, source, numbers)


@composite(method="only")
def masked_scatter_(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Write the elements of ``source``, in order, where ``mask`` holds; see :func:`torch.masked_scatter`.

    >>> torch.zeros(3).masked_scatter_(torch.tensor([True, False, True]), torch.tensor([5., 6.]))
    tensor([5., 0., 6.])
    """
    shape = dispatch.shape_of(self)
    if isinstance(mask, TensorBase):
        theirs = dispatch.shape_of(mask)
        check(
            len(theirs) <= len(shape),
            f"expand(CPU{scalar_type(dispatch.geometry_of(mask).dtype)}Type{{{show(theirs)}}}, size={show(shape)}): the"
            f" number of sizes provided ({len(shape)}) must be greater or equal to the number of dimensions in the"
            f" tensor ({len(theirs)})",
        )
        expanded(dispatch.geometry_of(mask), shape)  # raises PyTorch's sentence where it does not fit
    mask, numbers = _numbered(self, mask, source, shape)
    return _masked_scatter.op.inplace_function(self, mask, source, numbers)


# ---------------------------------------------------------------------------------------------------------------------
# Results whose size the values tell


@op(method=False, node="MaskedSelectBackward0")
def _masked_select(input: Array, shape: tuple[int, ...], positions: Array) -> Array:
    """The elements of ``input``, broadcast to ``shape``, at flat positions."""
    refuse("masked_select", input, UNSIGNED)
    return gather_flat(jnp.broadcast_to(input, shape), positions)


@composite
def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the elements of ``input`` where ``mask`` (bool, RuntimeError otherwise) holds, as a vector.

    ``input`` and ``mask`` are broadcast to each other.

    >>> x = torch.tensor([[1, -2], [-3, 4]])
    >>> torch.masked_select(x, x > 0)
    tensor([1, 4])
    """
    for position, (name, x) in enumerate((("input", input), ("mask", mask)), 1):
        if not isinstance(x, TensorBase):
            raise TypeError(
                f"masked_select(): argument '{name}' (position {position}) must be Tensor, not {type(x).__name__}"
            )
    check(dispatch.geometry_of(mask).dtype.np == np.bool_, "masked_select: expected BoolTensor for mask")
    shape = broadcast_shapes(dispatch.shape_of(mask), dispatch.shape_of(input))
    positions = np.flatnonzero(np.broadcast_to(values_of(mask), shape))
    at = dispatch.wrap_host(positions.astype(index_type(max(positions.size, 1))), dispatch.device_of(input))
    if isinstance(out, TensorBase) and out._storage is mask._storage:
        overlap.check_out("masked_select", False, dispatch.geometry_of(out), dispatch.geometry_of(mask))
    return _masked_select(input, shape, at, out=out)


@composite
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: bool = False) -> Any:
    """Return the indices of the elements that are not zero, one a row: an int64 tensor of shape (count, dimensions).

    With ``as_tuple=True`` a tuple with the indices along each dimension, which indexes ``input`` (a 0-dim tensor counts
    as one element then). nan is not zero.

    >>> torch.nonzero(torch.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    >>> torch.nonzero(torch.tensor([0, 7, 8]), as_tuple=True)
    (tensor([1, 2]),)
    """
    if not isinstance(input, TensorBase):
        raise TypeError(f"nonzero(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    values = values_of(input)
    refuse("nonzero_count_cpu", values, BARE)
    device = dispatch.device_of(input)
    found = np.nonzero(np.atleast_1d(values))
    if as_tuple:
        return tuple([dispatch.wrap_host(part, device) for part in found])
    rows = np.stack(found, axis=1).astype(np.int64) if values.ndim else np.zeros((found[0].size, 0), np.int64)
    result = dispatch.wrap_host(rows, device)
    if out is None:
        # PyTorch lays the result out by columns.
        if rows.size:
            result._storage.replace(result._storage.array, (1, rows.shape[0]))
        return result
    kind = dispatch.geometry_of(out).dtype
    check(
        kind.np == np.int64,
        f"nonzero: Expected out tensor to have scalar type Long but got scalar type{scalar_type(kind)}",
    )
    return _copy_rows(result, out=out)


@op(method=False)
def _copy_rows(input: Array) -> Array:
    return input


@composite
def argwhere(input: Tensor) -> Tensor:
    """Return the indices of the elements that are not zero, one a row; see :func:`torch.nonzero`.

    >>> torch.argwhere(torch.tensor([1, 0, 1]))
    tensor([[0],
            [2]])
    """
    return nonzero(input)
