"""Functions that PyTorch took out and that say by what they are replaced."""

from __future__ import annotations

from typing import Any, NoReturn

from torchlike._core.op import composite

__all__ = ["eig", "lstsq", "matrix_rank", "solve", "symeig"]

Tensor = Any


def _removed(name: str, instead: str) -> NoReturn:
    raise RuntimeError(
        f"This function was deprecated since version 1.9 and is now removed. Instead of torch.{name} use"
        f" torch.linalg.{instead}."
    )


@composite
def eig(self: Tensor, eigenvectors: bool = False, *, e: Any = None, v: Any = None) -> NoReturn:
    """Raise RuntimeError: :func:`torch.linalg.eig` took its place."""
    _removed("eig", "eig")


@composite
def lstsq(input: Tensor, A: Tensor, *, out: Any = None) -> NoReturn:
    """Raise RuntimeError: :func:`torch.linalg.lstsq` took its place, with its arguments in the other order."""
    _removed("lstsq", "lstsq")


@composite(method=False)
def matrix_rank(input: Tensor, tol: Any = None, symmetric: bool = False, *, out: Any = None) -> NoReturn:
    """Raise RuntimeError: :func:`torch.linalg.matrix_rank` took its place."""
    _removed("matrix_rank", "matrix_rank")


@composite
def solve(input: Tensor, A: Tensor, *, out: Any = None) -> NoReturn:
    """Raise RuntimeError: :func:`torch.linalg.solve` took its place, with its arguments in the other order."""
    _removed("solve", "solve")


@composite
def symeig(input: Tensor, eigenvectors: bool = False, upper: bool = True, *, out: Any = None) -> NoReturn:
    """Raise RuntimeError: :func:`torch.linalg.eigh` took its place."""
    _removed("symeig", "eigh")
