"""Views between complex numbers and pairs of reals, and the lazy conjugate and negative bits."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type
from torchlike._core.op import Array, composite, op
from torchlike._core.tensor_state import TensorBase
from torchlike._core.views import Geometry
from torchlike.ops.slicing import select

__all__ = [
    "conj",
    "imag",
    "is_conj",
    "is_neg",
    "real",
    "resolve_conj",
    "resolve_neg",
    "view_as_complex",
    "view_as_real",
]

Tensor = Any

_COMPLEX_OF = {"Half": None, "Float": dtypes.complex64, "Double": dtypes.complex128}


def _real_geometry(g: Geometry) -> Geometry:
    return g._replace(
        size=(*g.size, 2),
        stride=(*[s * 2 for s in g.stride], 1),
        offset=g.offset * 2,
        dtype=g.dtype.to_real(),
        conj=False,
        neg=False,
    )


@op(view=_real_geometry, method=False, node="ViewAsRealBackward0")
def _view_as_real(input: Array) -> Array:
    return jnp.stack([input.real, input.imag], -1)


@composite(method=False)
def view_as_real(input: Tensor) -> Tensor:
    """Return a complex tensor as a view of reals with a last dimension of size 2: real and imaginary parts.

    >>> torch.view_as_real(torch.tensor([1 + 2j, 3 - 1j]))
    tensor([[ 1.,  2.],
            [ 3., -1.]])
    """
    g = dispatch.geometry_of(input)
    check(g.dtype.is_complex, "view_as_real is only supported for complex tensors")
    check(
        not g.conj,
        "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you"
        " can view it as"
        " real, use self.resolve_conj(); however, be warned that the resulting tensor will NOT alias the original.",
    )
    return dispatch.call_view(_view_as_real.op, (input,), ())


def _complex_geometry(g: Geometry) -> Geometry:
    name = scalar_type(g.dtype)
    check(
        name in _COMPLEX_OF,
        "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar"
        f" type: {name}",
    )
    target = _COMPLEX_OF[name]
    if target is None:
        raise NotImplementedError("view_as_complex of float16: complex32 does not exist in torchlike")
    check(bool(g.size), "Input tensor must have one or more dimensions")
    check(g.size[-1] == 2, "Tensor must have a last dimension of size 2")
    check(g.stride[-1] == 1, "Tensor must have a last dimension with stride 1")
    check(all(s % 2 == 0 for s in g.stride[:-1]), "Tensor must have a stride divisible by 2 for all but last dimension")
    check(g.offset % 2 == 0, "Tensor must have a storage_offset divisible by 2")
    return g._replace(
        size=g.size[:-1], stride=tuple([s // 2 for s in g.stride[:-1]]), offset=g.offset // 2, dtype=target
    )


@op(view=_complex_geometry, method=False)
def view_as_complex(input: Array) -> Array:
    """Return a view in which the last dimension, of size 2, is read as real and imaginary part.

    Takes float32 and float64. Raises RuntimeError when size or strides do not allow the view.

    >>> torch.view_as_complex(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
    tensor([1.+2.j, 3.-1.j])
    """
    return lax.complex(input[..., 0], input[..., 1])


def _conj_geometry(g: Geometry) -> Geometry:
    return g._replace(conj=not g.conj)


@op(view=_conj_geometry, method=False, node="ConjBackward0")
def _conj(input: Array) -> Array:
    return lax.conj(input)


def _neg_geometry(g: Geometry) -> Geometry:
    return g._replace(neg=not g.neg)


@op(view=_neg_geometry, method=False, node="NegViewBackward0")
def _neg_view(input: Array) -> Array:
    return -input


@composite
def conj(input: Tensor) -> Tensor:
    """Return the complex conjugate as a view that conjugates when it is read; real tensors come back as they are.

    >>> torch.conj(torch.tensor([1 + 1j])).resolve_conj()
    tensor([1.-1.j])
    """
    return dispatch.call_view(_conj.op, (input,), ()) if dispatch.geometry_of(input).dtype.is_complex else input


@composite
def is_conj(input: Tensor) -> bool:
    """Return whether the tensor is a lazy conjugate.

    >>> torch.tensor([1j]).conj().is_conj()
    True
    """
    return dispatch.geometry_of(input).conj


@composite
def is_neg(input: Tensor) -> bool:
    """Return whether the tensor is a lazy negative, as the imaginary part of a lazy conjugate is.

    >>> torch.tensor([1j]).conj().imag.is_neg()
    True
    """
    return dispatch.geometry_of(input).neg


@composite
def resolve_conj(input: Tensor) -> Tensor:
    """Return a copy with the conjugation carried out if the tensor is a lazy conjugate, else the tensor itself.

    >>> torch.tensor([1j]).conj().resolve_conj().is_conj()
    False
    """
    return input.clone() if dispatch.geometry_of(input).conj else input


@composite
def resolve_neg(input: Tensor) -> Tensor:
    """Return a copy with the negation carried out if the tensor is a lazy negative, else the tensor itself.

    >>> torch.tensor([1j]).conj().imag.resolve_neg()
    tensor([-1.])
    """
    return input.clone() if dispatch.geometry_of(input).neg else input


@composite(method=False)
def real(input: Tensor) -> Tensor:
    """Return the real parts as a view; a real tensor comes back as it is.

    >>> torch.real(torch.tensor([1 + 2j, 3 - 1j]))
    tensor([1., 3.])
    """
    g = dispatch.geometry_of(input)
    if not g.dtype.is_complex:
        return input
    plain = dispatch.call_view(_conj.op, (input,), ()) if g.conj else input
    return select(dispatch.call_view(_view_as_real.op, (plain,), ()), -1, 0)


@composite(method=False)
def imag(input: Tensor) -> Tensor:
    """Return the imaginary parts as a view. Raises RuntimeError for a real tensor.

    >>> torch.imag(torch.tensor([1 + 2j, 3 - 1j]))
    tensor([ 2., -1.])
    """
    g = dispatch.geometry_of(input)
    check(g.dtype.is_complex, "imag is not implemented for tensors with non-complex dtypes.")
    plain = dispatch.call_view(_conj.op, (input,), ()) if g.conj else input
    part = select(dispatch.call_view(_view_as_real.op, (plain,), ()), -1, 1)
    return dispatch.call_view(_neg_view.op, (part,), ()) if g.conj else part


def _set_part(getter: Any) -> Any:
    def assign(self: Tensor, value: Any) -> None:
        getter(self).copy_(value)

    return assign


TensorBase.real = property(real, _set_part(real), doc=real.__doc__)  # type: ignore[attr-defined]
TensorBase.imag = property(imag, _set_part(imag), doc=imag.__doc__)  # type: ignore[attr-defined]
