"""Few singular values or eigenvalues of large matrices, by random projections and by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchlike._core import dispatch
from torchlike._core.errors import check
from torchlike._core.op import composite
from torchlike.linalg.eigen import eigh
from torchlike.linalg.norms import vector_norm
from torchlike.linalg.qr_factors import qr
from torchlike.linalg.singular import svd
from torchlike.ops.join import cat
from torchlike.ops.matmul import matmul
from torchlike.ops.sampling import randn

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]

Tensor = Any


# ---------------------------------------------------------------------------------------------------------------------
# Random projections


def _range(A: Tensor, q: int, niter: int, M: Tensor | None) -> Tensor:
    """An orthonormal basis that nearly spans the range of ``A - M``, by ``niter`` steps of subspace iteration."""

    def times(X: Tensor) -> Tensor:
        return matmul(A, X) if M is None else matmul(A, X) - matmul(M, X)

    def turned(X: Tensor) -> Tensor:
        return matmul(A.mH, X) if M is None else matmul(A.mH, X) - matmul(M.mH, X)

    start = randn(dispatch.shape_of(A)[-1], q, dtype=A.dtype, device=A.device)
    Q = qr(times(start)).Q
    for _ in range(niter):
        Q = qr(turned(Q)).Q
        Q = qr(times(Q)).Q
    return Q


def _svd_lowrank(A: Tensor, q: int, niter: int, M: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    m, n = dispatch.shape_of(A)[-2:]
    if M is not None:
        M = M.broadcast_to(A.size())
    wide = m < n
    if wide:
        A, M = A.mH, None if M is None else M.mH
    Q = _range(A, q, niter, M)
    B = matmul(Q.mH, A)
    if M is not None:
        B = B - matmul(Q.mH, M)
    U, S, Vh = svd(B, full_matrices=False)
    U, V = matmul(Q, U), Vh.mH
    return (V, S, U) if wide else (U, S, V)


@composite(method=False)
def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, S and V of nearly the largest ``q`` singular values of A (of ``A - M``): ``A ~ U diag(S) V^H``.

    A random projection improved by ``niter`` steps of subspace iteration; draws from the default generator.

    >>> torch.svd_lowrank(torch.diag(torch.tensor([3.0, 2.0, 1.0])), q=3)[1].round()
    tensor([3., 2., 1.])
    """
    return _svd_lowrank(A, 6 if q is None else q, 2 if niter is None else niter, M)


@composite(method=False)
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, S and V of nearly the ``q`` (default: up to 6) principal components of A's columns.

    With ``center=True`` the mean of every column is taken away first. Raises ValueError for a q or niter out of range.

    >>> torch.pca_lowrank(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), q=1)[1].round(decimals=3)
    tensor([1.4140])
    """
    m, n = dispatch.shape_of(A)[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - A.mean(dim=-2, keepdim=True)
    return _svd_lowrank(A, q, niter, None)


# ---------------------------------------------------------------------------------------------------------------------
# LOBPCG


def _inner(X: Tensor, B: Tensor | None, Y: Tensor) -> Tensor:
    return matmul(X.mT, Y if B is None else matmul(B, Y))


def _orthonormal(S: Tensor, B: Tensor | None, drop: float) -> Tensor:
    """A basis of the columns of S that is orthonormal in the product by B; nearly dependent columns are left out."""
    lengths = _inner(S, B, S).diagonal().clamp(min=0).sqrt()
    S = S[:, lengths > drop] / lengths[lengths > drop]
    values, vectors = eigh(_inner(S, B, S))
    kept = values > drop * values.max()
    return matmul(S, vectors[:, kept] / values[kept].sqrt())


def _extreme_pairs(
    A: Tensor,
    X: Tensor,
    B: Tensor | None,
    k: int,
    iK: Tensor | None,
    niter: int,
    tol: float,
    largest: bool,
    tracker: Callable[[Any], None] | None,
) -> tuple[Tensor, Tensor]:
    """The iteration: Rayleigh-Ritz on the span of the pairs, their preconditioned residuals and the last steps."""
    drop = 10 * _epsilon(A)
    count = dispatch.shape_of(X)[-1]
    X = _orthonormal(X, B, drop)
    values, vectors = eigh(_inner(X, None, matmul(A, X)))
    order = _order(values, count, largest)
    values, X = values[order], matmul(X, vectors[:, order])
    step: Tensor | None = None
    size_a = vector_norm(A)
    size_b = None if B is None else vector_norm(B)
    for iteration in range(niter):
        image = X if B is None else matmul(B, X)
        residual = matmul(A, X) - image * values
        scale = vector_norm(X, dim=0) * (size_a + (values.abs() if size_b is None else values.abs() * size_b))
        errors = vector_norm(residual, dim=0) / scale
        if tracker is not None:
            tracker(_State(iteration, values[:k], X[:, :k], errors[:k]))
        if bool((errors[:k] < tol).all()):
            break
        W = residual if iK is None else matmul(iK, residual)
        W = W - matmul(X, _inner(X, B, W))
        S = _orthonormal(cat((X, W) if step is None else (X, W, step), -1), B, drop)
        found, vectors = eigh(_inner(S, None, matmul(A, S)))
        order = _order(found, dispatch.shape_of(X)[-1], largest)
        new = matmul(S, vectors[:, order])
        # The step is what the new pairs have outside the old ones.
        step = new - matmul(X, _inner(X, B, new))
        values, X = found[order], new
    return values[:k], X[:, :k]


class _State:
    """What a tracker sees of an iteration."""

    def __init__(self, iteration: int, values: Tensor, vectors: Tensor, errors: Tensor) -> None:
        self.istep = iteration
        self.E = values
        self.X = vectors
        self.rerr = errors


def _epsilon(A: Tensor) -> float:
    return 1.1920928955078125e-07 if A.dtype.itemsize == 4 else 2.220446049250313e-16


def _order(values: Tensor, count: int, largest: bool) -> Tensor:
    return values.argsort(descending=largest)[:count]


@composite(method=False)
def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: dict[str, int] | None = None,
    ortho_fparams: dict[str, float] | None = None,
    ortho_bparams: dict[str, bool] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the ``k`` largest (``largest=False``: smallest) eigenvalues of a symmetric A, and their vectors.

    With B those of ``A x = lambda B x`` for positive-definite B. The iteration begins with ``X`` (or ``n`` random
    vectors), is preconditioned by ``iK`` and ends when the residuals are below ``tol`` or after ``niter`` steps
    (default 1000). ``tracker`` is called with the state of every step. One method serves "basic" and "ortho", and
    its parameters ``ortho_*`` have no effect here. Raises NotImplementedError where a gradient is asked for.

    >>> A = torch.diag(torch.arange(1.0, 13.0))
    >>> torch.lobpcg(A, k=1, X=torch.ones(12, 1))[0].round()
    tensor([12.])
    """
    shape = dispatch.shape_of(A)
    if len(shape) < 2 or shape[-2] != shape[-1]:
        raise ValueError(f"lobpcg: A must be batches of square matrices, but has the shape {list(shape)}")
    if A.requires_grad or (B is not None and B.requires_grad):
        raise NotImplementedError("torchlike: the gradient of lobpcg; take torch.linalg.eigh of a dense matrix")
    m = shape[-1]
    count = n if X is None else dispatch.shape_of(X)[-1]
    if k is None:
        k = 1 if count is None else count
    if count is None:
        count = k
    if m < 3 * count:
        raise ValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the number of"
            f" requested eigenpairs (={count})"
        )
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg: method must be 'basic' or 'ortho', not {method!r}")
    check(k <= count, f"lobpcg: k={k} must not exceed the number of vectors, {count}")
    tol = _epsilon(A) ** 0.5 if tol is None else tol
    steps = 1000 if niter is None else niter if niter >= 0 else 10_000
    chosen = (k, iK, steps, tol, largest is not False, tracker)
    if X is None:
        X = randn(*shape[:-1], count, dtype=A.dtype, device=A.device)
    if len(shape) == 2:
        return _extreme_pairs(A, X, B, *chosen)

    def matrices(t: Tensor) -> Tensor:
        return t.expand(*shape[:-2], *t.shape[-2:]).reshape(-1, *t.shape[-2:])

    many, starts = matrices(A), matrices(X)
    weights = [None] * len(many) if B is None else list(matrices(B))
    pairs = [_extreme_pairs(many[i], starts[i], weights[i], *chosen) for i in range(len(many))]
    values = cat([e.unsqueeze(0) for e, _ in pairs]).reshape(*shape[:-2], k)
    return values, cat([v.unsqueeze(0) for _, v in pairs]).reshape(*shape[:-2], m, k)
