"""Forward-mode gradients: tensors that carry a tangent along.

Inside a ``dual_level`` a tensor made by ``make_dual`` has a tangent, and so has everything that is computed from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torchlike._core import dispatch, errors, tape
from torchlike._core.levels import enter, leave
from torchlike._core.lifted import Dual, JvpLevel
from torchlike._core.tape import Input
from torchlike._core.tensor_state import TensorBase, modes

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]

Tensor = Any


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent, None where it has none."""

    primal: Tensor
    tangent: Tensor | None


# The levels entered by enter_dual_level, the number of each being its place.
_levels: list[JvpLevel] = []


def enter_dual_level() -> int:
    """Begin a level in which tensors may have tangents; returns its number. Prefer `dual_level`.

    Raises RuntimeError inside another one.
    """
    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    level = JvpLevel(len(modes.levels) + 1, public=True)
    _levels.append(level)
    enter(level)
    return len(_levels) - 1


def exit_dual_level(*, level: int | None = None) -> None:
    """End a level: all tangents of it are gone.

    Raises RuntimeError for a level that is not the current one.
    """
    if not _levels:
        raise RuntimeError("Dual level must be a positive number.")
    current = len(_levels) - 1
    if level is not None and level != current:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    leave(_levels.pop())


class dual_level:
    """A block in which tensors may have tangents.

    >>> fwAD = torch.autograd.forward_ad
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(torch.tensor([1., 2.]), torch.tensor([1., 0.]))
    ...     fwAD.unpack_dual(x * x).tangent
    tensor([2., 0.])
    """

    def __enter__(self) -> int:
        self.number = enter_dual_level()
        return self.number

    def __exit__(self, *exception: object) -> None:
        exit_dual_level(level=self.number)


def _level(number: int | None, what: str) -> JvpLevel | None:
    if not _levels:
        if number is None:
            return None
        raise RuntimeError(f"Trying to {what} outside of a dual level")
    if number is None:
        return _levels[-1]
    return _levels[number] if 0 <= number < len(_levels) else None


def check_tangent(tensor: Tensor, tangent: Tensor) -> None:
    """Refuse what cannot be the tangent of a tensor."""
    mine, given = dispatch.geometry_of(tensor), dispatch.geometry_of(tangent)
    errors.check(
        mine.size == given.size,
        "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not"
        f" supported. Tensor is of size {list(mine.size)} while the given forward gradient is of size"
        f" {list(given.size)}.",
    )
    errors.check(
        mine.dtype is given.dtype or (mine.dtype.is_complex and not given.dtype.is_complex),
        "Expected this->scalar_type() == new_grad_.scalar_type() to be true, but got false.  (Could this error"
        " message be improved?  If so, please report an enhancement request to PyTorch.)",
    )


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """Return ``tensor`` with a tangent, to be used within the current `dual_level`.

    Raises RuntimeError outside of one, and where shape or type of the tangent are others than the tensor's.

    >>> fwAD = torch.autograd.forward_ad
    >>> with fwAD.dual_level():
    ...     fwAD.make_dual(torch.tensor([1., 2.]), torch.ones(2)).exp()
    tensor([2.7183, 7.3891], tangent=tensor([2.7183, 7.3891]))
    """
    here = _level(level, "make_dual")
    if here is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, x in (("primal", tensor), ("tangent", tangent)):
        if isinstance(x, TensorBase) and not dispatch.geometry_of(x).dtype.is_floating_point:
            kind = dispatch.geometry_of(x).dtype
            if not kind.is_complex:
                raise ValueError(f"Expected {name} to be floating point or complex, but got: {kind}")
    check_tangent(tensor, tangent)
    dual = dispatch.wrap(Dual(here, _primal(tensor, here), tangent))
    edge = tape.gradient_edge(tensor) if modes.grad else None
    if edge is not None:
        dual._grad_fn = tape.named(Input, "AliasBackward0")(edge)
        dual._requires_grad = True
    return dual


def _primal(tensor: Tensor, level: JvpLevel) -> Tensor:
    held = dispatch.array_of(tensor)
    return held.inner if isinstance(held, Dual) and held.level is level else tensor


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Return the tensor without its tangent, and the tangent (None if it has none).

    >>> fwAD = torch.autograd.forward_ad
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(torch.tensor([1., 2.]), torch.ones(2))
    ...     fwAD.unpack_dual(x.sum())
    UnpackedDualTensor(primal=tensor(3.), tangent=tensor(2.))
    """
    here = _level(level, "unpack_dual")
    if here is None:
        return UnpackedDualTensor(tensor, None)
    held = dispatch.array_of(tensor)
    if isinstance(held, Dual) and held.level is here:
        return UnpackedDualTensor(held.inner, held.tangent)
    return UnpackedDualTensor(tensor, None)


@contextmanager
def _set_fwd_grad_enabled(mode: bool) -> Iterator[None]:
    """A block in which tangents are computed or not."""
    previous = modes.forward_grad
    modes.forward_grad = mode
    try:
        yield
    finally:
        modes.forward_grad = previous
