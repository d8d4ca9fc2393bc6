"""Parametrisations that come with the package: orthogonal matrices, bounded spectra, lengths and directions."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from torchlike import linalg, ops
from torchlike._core import dtype as dtypes
from torchlike._core.tensor_state import TensorBase
from torchlike.autograd import no_grad
from torchlike.nn import functional as F
from torchlike.nn.functional.weights import power_iterations, weight_norm_of
from torchlike.nn.modules.conv import _ConvTransposeNd
from torchlike.nn.modules.module import Module
from torchlike.nn.utils import parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

Tensor = Any


def _tensor_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, TensorBase):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


# ---------------------------------------------------------------------------------------------------------------------
# Orthogonal matrices


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.size(-2), q.size(-1)
    tolerance = 10.0 * n * dtypes.finfo(q.dtype).eps
    return bool(ops.allclose(q.mH @ q, ops.eye(k, dtype=q.dtype, device=q.device), atol=tolerance))


def _made_orthogonal(a: Tensor) -> Tensor:
    """The orthogonal factor of a matrix, unique by the signs of the other factor's diagonal."""
    x, tau = ops.geqrf(a)
    q = linalg.householder_product(x, tau)
    return q * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


class _Orthogonal(Module):
    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the orthogonal matrix."""
        wide = x.size(-2) < x.size(-1)
        if wide:
            x = x.mT
        q = self._reflected(x) if self.orthogonal_map == _OrthMaps.householder else self._turned(x)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if wide else q

    def _reflected(self, x: Tensor) -> Tensor:
        """The product of the reflections whose vectors lie under the diagonal."""
        below = x.tril(diagonal=-1)
        tau = 2.0 / (1.0 + (below * below).sum(dim=-2))
        q = linalg.householder_product(below, tau)
        # The diagonal is 1 or -1; as integers it takes no gradient.
        return q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)

    def _turned(self, x: Tensor) -> Tensor:
        """The rotation of the skew-symmetric matrix whose lower half this is."""
        n, k = x.size(-2), x.size(-1)
        x = x.tril()
        if n != k:
            x = ops.cat([x, x.new_zeros(n, n - k).expand(*x.shape[:-2], -1, -1)], dim=-1)
        a = x - x.mH
        if self.orthogonal_map == _OrthMaps.matrix_exp:
            q = ops.matrix_exp(a)
        else:
            one = ops.eye(n, dtype=a.dtype, device=a.device)
            q = linalg.solve(ops.add(one, a, alpha=-0.5), ops.add(one, a, alpha=0.5))
        return q if n == k else q[..., :k]

    @no_grad()
    def right_inverse(self, q: Tensor) -> Tensor:
        """Return what gives an orthogonal matrix."""
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {q.shape}."
            )
        given = q
        wide = q.size(-2) < q.size(-1)
        if wide:
            q = q.mT
        n, k = q.size(-2), q.size(-1)
        if not hasattr(self, "base"):
            if self.orthogonal_map != _OrthMaps.householder:
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley parametrizations when"
                    " use_trivialization=False."
                )
            a, tau = ops.geqrf(q)
            diagonal = a.diagonal(dim1=-2, dim2=-1)
            diagonal.sign_()
            diagonal[tau == 0.0] *= -1
            return a.mT if wide else a
        if n != k:
            filling = ops.randn(*q.size()[:-2], n, n - k, dtype=q.dtype, device=q.device)
            q = _made_orthogonal(ops.cat([q, filling], dim=-1))
        else:
            q = q.clone() if _is_orthogonal(q) else _made_orthogonal(q)
        self.base = q
        start = ops.zeros_like(given)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep a matrix (or a batch of them) of a module orthogonal; returns the module.

    ``orthogonal_map`` is "matrix_exp", "cayley" or "householder"; by default the first for square and complex matrices,
    else the last. With ``use_trivialization`` the map starts at the matrix there is. Raises ValueError for what is no
    matrix and for unknown maps.

    >>> m = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 3))
    >>> torch.allclose(m.weight @ m.weight.mT, torch.eye(3), atol=1e-5)
    True
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    chosen = getattr(_OrthMaps, orthogonal_map, None)
    if chosen is None:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    orth = _Orthogonal(weight, chosen, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, orth, unsafe=True)


# ---------------------------------------------------------------------------------------------------------------------
# Lengths and directions


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Return the directions with the lengths."""
        return weight_norm_of(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lengths, and the weight for the directions."""
        return ops.norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Let the lengths of a weight's slices along ``dim`` and their directions be parameters of their own.

    They are ``original0`` and ``original1`` of the parametrisation; states of the old ``nn.utils.weight_norm`` load
    into them. ``dim=None`` takes one length for all. Returns the module.

    >>> m = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(20, 40))
    >>> m.parametrizations.weight.original0.size()
    torch.Size([40, 1])
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state_dict: Any, prefix: str, *_: Any) -> None:
        old = [f"{prefix}{name}_{part}" for part in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


# ---------------------------------------------------------------------------------------------------------------------
# Spectra


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight)
            rows, columns = matrix.size()
            u, v = (matrix.new_empty(n).normal_(0, 1) for n in (rows, columns))
            self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
            self._improve(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        if self.dim != 0:
            weight = weight.permute(self.dim, *(d for d in range(weight.dim()) if d != self.dim))
        return weight.flatten(1)

    @no_grad()
    def _improve(self, matrix: Tensor, steps: int) -> None:
        """Bring the singular vectors nearer by a few steps, in place."""
        u, v = power_iterations(matrix, self._u, self._v, steps, self.eps, left_first=True)
        self._u.copy_(u)
        self._v.copy_(v)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight divided by its largest singular value."""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._improve(matrix, self.n_power_iterations)
        # Copies: a later call changes the buffers, and the backward of this one needs them as they are.
        u, v = self._u.clone(), self._v.clone()
        return weight / ops.vdot(u, ops.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return the value itself: it may already have the spectrum wanted."""
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight of a module by its largest singular value, found by power iteration; returns the module.

    Further dimensions count as columns; ``dim`` is that of the rows, by default 1 for transposed convolutions, else 0.
    Every use while training makes ``n_power_iterations`` steps. Raises ValueError for unknown names.

    >>> m = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 4))
    >>> bool(torch.linalg.matrix_norm(m.weight, 2) < 1.2)
    True
    """
    weight = _tensor_of(module, name)
    if dim is None:
        dim = 1 if isinstance(module, _ConvTransposeNd) else 0
    return parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
