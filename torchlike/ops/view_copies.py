"""What the view operators give, as tensors of their own; and view operators that change a tensor itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core import dispatch, layout, tape
from torchlike._core.dtype import dtype as DType
from torchlike._core.errors import check
from torchlike._core.op import Array, composite, defvjp, op
from torchlike._core.tensor_state import modes
from torchlike.ops import complex_views, shape, slicing
from torchlike.ops._geometry import of_shape

__all__ = [
    "alias_copy",
    "as_strided_",
    "as_strided_copy",
    "detach_copy",
    "diagonal_copy",
    "expand_copy",
    "narrow_copy",
    "permute_copy",
    "select_copy",
    "slice_copy",
    "split_copy",
    "split_with_sizes_copy",
    "squeeze_copy",
    "t_copy",
    "transpose_copy",
    "unbind_copy",
    "unfold_copy",
    "unsafe_chunk",
    "unsafe_split",
    "unsafe_split_with_sizes",
    "unsqueeze_copy",
    "view_as_complex_copy",
    "view_as_real_copy",
    "view_copy",
]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Copies


def _copy_of(view: Callable[..., Any], name: str, says: str, example: str) -> Any:
    """Declare an operator that computes what a view operator shows, in memory of its own."""
    body, geometry, node = view.op.body, view.op.view, view.op.node  # type: ignore[attr-defined]
    statics = [p.name for p in view.op.static_params]  # type: ignore[attr-defined]

    @functools.wraps(body)
    def run(input: Array, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(statics, args, strict=False)) | kwargs
        geometry(of_shape(input), *[given[p] for p in statics])  # raises what the view operator raises
        return body(input, *args, **kwargs)

    def named(pattern: Any, **values: Any) -> str:
        return f"{node(pattern, **values)}_copy"

    run.__name__ = name
    run.__doc__ = f"{says}, as :func:`torch.{name.removesuffix('_copy')}` does, but in new memory.\n\n{example}"
    return op(run, method=False, node=f"{node}_copy" if isinstance(node, str) else named)


alias_copy = _copy_of(
    shape._alias,
    "alias_copy",
    "Return the same elements",
    "    >>> torch.alias_copy(torch.tensor([1]))\n    tensor([1])",
)
diagonal_copy = _copy_of(
    slicing.diagonal,
    "diagonal_copy",
    "Return a diagonal of two dimensions",
    "    >>> torch.diagonal_copy(torch.tensor([[1, 2], [3, 4]]))\n    tensor([1, 4])",
)
expand_copy = _copy_of(
    shape.expand,
    "expand_copy",
    "Return the tensor with dimensions of size 1 repeated",
    "    >>> torch.expand_copy(torch.tensor([1]), (2,))\n    tensor([1, 1])",
)
permute_copy = _copy_of(
    shape.permute,
    "permute_copy",
    "Return the dimensions in another order",
    "    >>> torch.permute_copy(torch.zeros(2, 3), (1, 0)).shape\n    torch.Size([3, 2])",
)
select_copy = _copy_of(
    slicing.select,
    "select_copy",
    "Return one index of a dimension",
    "    >>> torch.select_copy(torch.tensor([[1], [2]]), 0, 1)\n    tensor([2])",
)
split_with_sizes_copy = _copy_of(
    slicing.split_with_sizes,
    "split_with_sizes_copy",
    "Return consecutive pieces of the given sizes",
    "    >>> torch.split_with_sizes_copy(torch.tensor([1, 2, 3]), [1, 2])\n    (tensor([1]), tensor([2, 3]))",
)
squeeze_copy = _copy_of(
    shape.squeeze,
    "squeeze_copy",
    "Return the tensor without dimensions of size 1",
    "    >>> torch.squeeze_copy(torch.zeros(1, 2)).shape\n    torch.Size([2])",
)
t_copy = _copy_of(
    shape.t,
    "t_copy",
    "Return the transpose of a matrix",
    "    >>> torch.t_copy(torch.zeros(2, 3)).shape\n    torch.Size([3, 2])",
)
transpose_copy = _copy_of(
    shape.transpose,
    "transpose_copy",
    "Return two dimensions exchanged",
    "    >>> torch.transpose_copy(torch.zeros(2, 3), 0, 1).shape\n    torch.Size([3, 2])",
)
unbind_copy = _copy_of(
    slicing.unbind,
    "unbind_copy",
    "Return all indices of a dimension",
    "    >>> torch.unbind_copy(torch.tensor([[1], [2]]))\n    (tensor([1]), tensor([2]))",
)
unfold_copy = _copy_of(
    slicing.unfold,
    "unfold_copy",
    "Return all windows along a dimension",
    "    >>> torch.unfold_copy(torch.tensor([1, 2, 3]), 0, 2, 1)\n    tensor([[1, 2],\n            [2, 3]])",
)
unsqueeze_copy = _copy_of(
    shape.unsqueeze,
    "unsqueeze_copy",
    "Return the tensor with a new dimension of size 1",
    "    >>> torch.unsqueeze_copy(torch.tensor([1]), 0)\n    tensor([[1]])",
)
view_as_complex_copy = _copy_of(
    complex_views.view_as_complex,
    "view_as_complex_copy",
    "Return the last dimension, of size 2, read as complex numbers",
    "    >>> torch.view_as_complex_copy(torch.tensor([1.0, 2.0]))\n    tensor(1.+2.j)",
)
view_as_real_copy = _copy_of(
    complex_views._view_as_real,
    "view_as_real_copy",
    "Return complex numbers as pairs of reals",
    "    >>> torch.view_as_real_copy(torch.tensor(1 + 2j))\n    tensor([1., 2.])",
)
_split_copy = _copy_of(slicing._split, "_split_copy", "Pieces of one size", "")
_slice_copy = _copy_of(slicing._slice, "_slice_copy", "A range of indices", "")
_view_copy = _copy_of(shape._view, "_view_copy", "Another shape", "")


@composite(method=False)
def detach_copy(input: Tensor, *, out: Any = None) -> Tensor:
    """Return the same elements in new memory and outside any graph.

    >>> torch.detach_copy(torch.tensor([1]))
    tensor([1])
    """
    found = input.detach().clone(memory_format=layout.contiguous_format)
    return found if out is None else out.copy_(found)


@composite(method=False)
def split_copy(input: Tensor, split_size: int, dim: int = 0, *, out: Any = None) -> tuple[Tensor, ...]:
    """Return consecutive pieces of one size, as :func:`torch.split` does, but in new memory.

    >>> torch.split_copy(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    return _split_copy(input, split_size, dim, out=out)


@composite(method=False)
def slice_copy(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1, *, out: Any = None
) -> Tensor:
    """Return every ``step``-th index from ``start`` to ``end`` of a dimension, in new memory.

    >>> torch.slice_copy(torch.tensor([1, 2, 3]), 0, 1)
    tensor([2, 3])
    """
    return _slice_copy(input, dim, start, end, step, out=out)


@composite(method=False)
def view_copy(input: Tensor, size: Any, *, out: Any = None) -> Tensor:
    """Return the same data with another shape or dtype, as ``Tensor.view`` does, but in new memory.

    >>> torch.view_copy(torch.tensor([[1, 2]]), (2,))
    tensor([1, 2])
    """
    if isinstance(size, DType):
        found = input.view(size).clone()
        return found if out is None else out.copy_(found)
    return _view_copy(input, size, out=out)


@composite
def narrow_copy(input: Tensor, dim: int, start: Any, length: int, *, out: Any = None) -> Tensor:
    """Return ``length`` indices of a dimension from ``start`` on, as :func:`torch.narrow` does, but in new memory.

    >>> torch.narrow_copy(torch.tensor([1, 2, 3]), 0, 1, 2)
    tensor([2, 3])
    """
    size = dispatch.shape_of(input)
    check(
        not size or dim < len(size),
        "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  (Could this error message"
        " be improved?  If so, please report an enhancement request to PyTorch.)",
    )
    if length < 0 and size:
        here = size[dim]
        check(False, f"start ({start % here if here else start}) + length ({length}) exceeds dimension size ({here}).")
    dim, first = slicing.narrowed(size, dim, start, length)
    return _narrow_copy(input, dim, first, length, out=out)


@op(method=False, node="NarrowCopyBackward0")
def _narrow_copy(input: Array, dim: int, start: int, length: int) -> Array:
    return slicing._slice.op.body(input, dim, start, start + length, 1)


@composite(method=False)
def as_strided_copy(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None, *, out: Any = None
) -> Tensor:
    """Return what :func:`torch.as_strided` shows, in new memory.

    >>> torch.as_strided_copy(torch.arange(4), (2,), (2,))
    tensor([0, 2])
    """
    statics = slicing.strided_statics(input, size, stride, storage_offset)
    slicing._as_strided.op.view(dispatch.geometry_of(input), *statics)
    if input.requires_grad:
        return _as_strided_copy(input, *statics, out=out)
    # What the input does not show of its memory is read as well.
    found = slicing.as_strided(input, size, stride, storage_offset).clone(memory_format=layout.contiguous_format)
    return found if out is None else out.copy_(found)


@op(method=False, node="AsStridedBackward0_copy")
def _as_strided_copy(input: Array, size: Any, stride: Any, storage_offset: int, origin: Any, memory: Any) -> Array:
    return slicing._as_strided.op.body(input, size, stride, storage_offset, origin, memory)


# ---------------------------------------------------------------------------------------------------------------------
# Pieces that autograd does not know as views


@op(view=slicing._split.op.view, method=False, node="UnsafeSplitBackward0")
def _unsafe_split(input: Array, split_size: int, dim: int) -> tuple[Array, ...]:
    return slicing._split.op.body(input, split_size, dim)


defvjp(_unsafe_split)(slicing._split.op.formula)


@op(view=slicing.split_with_sizes.op.view, method=False, node="UnsafeSplitWithSizesBackward0")
def _unsafe_split_with_sizes(input: Array, split_sizes: Any, dim: int) -> tuple[Array, ...]:
    return slicing.split_with_sizes.op.body(input, split_sizes, dim)


defvjp(_unsafe_split_with_sizes)(slicing.split_with_sizes.op.formula)


def _cut_loose(pieces: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if modes.inference:
        return pieces  # there the pieces are ordinary views
    for piece in pieces:
        piece._base = None
        if piece._extra is not None:
            piece._extra.creation = "default"
        tape.count_apart(piece)
    return pieces


@composite
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return pieces of one size which autograd lets be written to; see :func:`torch.split`.

    >>> torch.unsafe_split(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    return _cut_loose(_unsafe_split(input, split_size, dim))


@composite
def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return pieces of the given sizes which autograd lets be written to; see :func:`torch.split_with_sizes`.

    >>> torch.unsafe_split_with_sizes(torch.tensor([1, 2, 3]), [1, 2])
    (tensor([1]), tensor([2, 3]))
    """
    return _cut_loose(_unsafe_split_with_sizes(input, tuple(split_sizes), dim))


@composite
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return a number of equal pieces which autograd lets be written to; see :func:`torch.chunk`.

    >>> torch.unsafe_chunk(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    piece = slicing.chunk_size(dispatch.shape_of(input), chunks, dim)
    return unsafe_split(input, piece, dim) if piece else unsafe_split_with_sizes(input, (0,) * chunks, dim)


# ---------------------------------------------------------------------------------------------------------------------
# The tensor itself seen otherwise


def _becomes(self: Tensor, view: Callable[..., Any], *statics: Any) -> Tensor:
    """Let a tensor be what a view operator shows of it: another geometry over the same memory."""
    if self._requires_grad or self._base is not None:
        dispatch.check_history(self, ())
    seen = dispatch.call_view(view.op, (self,), statics)  # type: ignore[attr-defined]
    self._geometry = seen._geometry
    self._value, self._value_version = None, -1
    dispatch.touch(self)
    node = seen._grad_fn
    if node is not None:
        # PyTorch counts the variants of a formula, and those in place come after the others.
        name, number = type(node).__name__[:-1], int(type(node).__name__[-1])
        variants = 3 if name == "SqueezeBackward" else 1
        node.__class__ = tape.named(type(node).__bases__[0], f"{name}{number + variants}")
        self._grad_fn, self._output_nr, self._requires_grad = node, seen._output_nr, True
        self._view_version = tape.version_of(self)
    return self


@composite(method="only")
def t_(self: Tensor) -> Tensor:
    """Transpose a matrix in place: the tensor itself gets other sizes and strides.

    >>> torch.zeros(2, 3).t_().shape
    torch.Size([3, 2])
    """
    ndim = len(dispatch.shape_of(self))
    if ndim > 2:
        if self._requires_grad or self._base is not None:
            dispatch.check_history(self, ())
        raise RuntimeError(f"t_() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return _becomes(self, shape.t)


@composite(method="only")
def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions in place: the tensor itself gets other sizes and strides.

    >>> torch.zeros(2, 3).transpose_(0, 1).shape
    torch.Size([3, 2])
    """
    return _becomes(self, shape.transpose, dim0, dim1)


@composite(method="only")
def swapaxes_(self: Tensor, axis0: int, axis1: int) -> Tensor:
    """Exchange two dimensions in place; another name of ``transpose_``.

    >>> torch.zeros(2, 3).swapaxes_(0, 1).shape
    torch.Size([3, 2])
    """
    return _becomes(self, shape.transpose, axis0, axis1)


@composite(method="only")
def swapdims_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions in place; another name of ``transpose_``.

    >>> torch.zeros(2, 3).swapdims_(0, 1).shape
    torch.Size([3, 2])
    """
    return _becomes(self, shape.transpose, dim0, dim1)


@composite(method="only")
def squeeze_(self: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Remove dimensions of size 1 in place.

    >>> torch.zeros(1, 2).squeeze_().shape
    torch.Size([2])
    """
    return _becomes(self, shape.squeeze, tuple(dim) if isinstance(dim, list) else dim)


@composite(method="only")
def unsqueeze_(self: Tensor, dim: int) -> Tensor:
    """Put in a dimension of size 1 in place.

    >>> torch.zeros(2).unsqueeze_(0).shape
    torch.Size([1, 2])
    """
    return _becomes(self, shape.unsqueeze, dim)


@composite
def as_strided_(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """Give a tensor other sizes, strides and offset over its memory, in place.

    >>> torch.arange(4).as_strided_((2,), (2,))
    tensor([0, 2])
    """
    return _becomes(input, slicing._as_strided, *slicing.strided_statics(input, size, stride, storage_offset))
