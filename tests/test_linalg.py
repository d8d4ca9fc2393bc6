"""What the recorded cases of linear algebra cannot hold: vectors up to their gauge, errors found in values, shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import torchlike as torch
from torchlike import linalg


def numbers(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if dtype.is_complex else 0)
    return torch.from_numpy(values).to(dtype)


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-9) -> bool:
    return a.shape == b.shape and bool(((a - b).abs() <= tolerance).all())


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3), (3, 5), (2, 0, 3), (0, 3, 3)], ids=str)
def test_factors_multiply_to_the_matrix(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    A = numbers(*shape, dtype=dtype)
    Q, R = linalg.qr(A)
    assert close(Q @ R, A)
    P, L, U = linalg.lu(A)
    assert close(P @ L @ U, A)
    U, S, Vh = linalg.svd(A, full_matrices=False)
    assert close((U * S.unsqueeze(-2)) @ Vh, A)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
def test_eigenvectors(dtype: torch.dtype) -> None:
    A = numbers(2, 4, 4, dtype=dtype)
    L, V = linalg.eig(A)
    assert close(A.to(V.dtype) @ V, V * L.unsqueeze(-2))
    H = A + A.mH
    L, V = linalg.eigh(H)
    assert close(H @ V, V * L.unsqueeze(-2))
    assert bool((L[..., 1:] >= L[..., :-1]).all())


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_ldl_solves_indefinite_equations(n: int, dtype: torch.dtype) -> None:
    A = numbers(3, n, n, dtype=dtype)
    B = numbers(3, n, 2, dtype=dtype, seed=1)
    for M, hermitian in ((A + A.mT, False), (A + A.mH, True)):
        # Nothing on the diagonal: the pivots are blocks of two.
        M = M - torch.diag_embed(M.diagonal(dim1=-2, dim2=-1)) if n > 1 else M
        LD, pivots, info = linalg.ldl_factor_ex(M, hermitian=hermitian)
        assert info.tolist() == [0, 0, 0]
        X = linalg.ldl_solve(LD, pivots, B, hermitian=hermitian)
        assert close(M @ X, B, 1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: linalg.cholesky(z), "linalg.cholesky: (Batch element 1): The factorization could not be completed"),
        (lambda z: linalg.inv(z), "linalg.inv: (Batch element 1): The diagonal element 2 is zero, the inversion"),
        (lambda z: linalg.solve(z, z), "torch.linalg.solve: (Batch element 1): The solver failed because"),
        (lambda z: torch.inverse(z), "linalg.inv: (Batch element 1): The diagonal element 2 is zero"),
        (lambda z: linalg.eigh(z * math.nan), "linalg.eigh: (Batch element 0): The algorithm failed to converge"),
        (lambda z: linalg.svd(z * math.nan), "linalg.svd: (Batch element 0): The algorithm failed to converge"),
    ],
)
def test_singular_matrices_raise(call: object, message: str) -> None:
    matrices = torch.stack((torch.eye(3), torch.diag(torch.tensor([1.0, 0.0, 2.0]))))
    with pytest.raises(linalg.LinAlgError) as caught:
        call(matrices)  # type: ignore[operator]
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, RuntimeError)


def test_infos_instead_of_errors() -> None:
    matrices = torch.stack((torch.eye(3), torch.diag(torch.tensor([1.0, -1.0, 2.0]))))
    assert linalg.cholesky_ex(matrices).info.tolist() == [0, 2]
    singular = torch.diag(torch.tensor([1.0, 0.0, 2.0]))
    assert linalg.inv_ex(singular).info.item() == 2
    assert linalg.lu_factor_ex(singular).info.item() == 2
    assert linalg.solve_ex(singular, torch.ones(3)).info.item() == 2


GRADIENTS = {
    "cholesky": lambda x: linalg.cholesky(x @ x.mH + torch.eye(3, dtype=x.dtype)),
    "qr": lambda x: linalg.qr(x).R,
    "eigh": lambda x: linalg.eigh(x + x.mH)[1].abs(),
    "eigvals": lambda x: linalg.eigvals(x).abs(),
    "svd": lambda x: linalg.svd(x)[0].abs(),
    "svdvals": linalg.svdvals,
    "lu": lambda x: linalg.lu(x).U,
    "inv": linalg.inv,
    "det": linalg.det,
    "slogdet": lambda x: linalg.slogdet(x).logabsdet,
    "pinv": lambda x: linalg.pinv(x[..., :2]),
    "solve": lambda x: linalg.solve(x, x[..., :1] * 2),
    "lstsq": lambda x: linalg.lstsq(x[..., :2], x[..., 2:]).solution,
    "matrix_exp": lambda x: linalg.matrix_exp(x * 3),
    "householder_product": lambda x: linalg.householder_product(x, x[..., 0, :]),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_the_differences(name: str, dtype: torch.dtype) -> None:
    """The gradient along a direction, against the difference of the function's values."""
    function = GRADIENTS[name]
    x = numbers(3, 3, dtype=dtype, seed=3)
    step = numbers(3, 3, dtype=dtype, seed=4) * 1e-6

    def loss(x: torch.Tensor) -> torch.Tensor:
        y = function(x)
        real = torch.view_as_real(y) if y.is_complex() else y
        return (real * torch.arange(1, real.numel() + 1, dtype=torch.float64).reshape(real.shape)).sum()

    leaf = x.clone().requires_grad_()
    loss(leaf).backward()
    expected = (loss(x + step) - loss(x - step)).item() / 2
    found = (leaf.grad.conj() * step).sum()
    found = (found.real if found.is_complex() else found).item()
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_second_derivatives() -> None:
    x = numbers(3, 3, seed=3).requires_grad_()
    right = numbers(3, 1, seed=6)
    for function in (linalg.det, linalg.inv, lambda a: linalg.solve(a, right)):
        (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        direction = numbers(3, 3, seed=5)
        (second,) = torch.autograd.grad((first * direction).sum(), x)
        h = 1e-5

        def slope(at: torch.Tensor, function: object = function) -> torch.Tensor:
            leaf = at.detach().clone().requires_grad_()
            return torch.autograd.grad(function(leaf).sum(), leaf)[0]  # type: ignore[operator]

        difference = (slope(x + h * direction) - slope(x - h * direction)) / (2 * h)
        assert close(second, difference, 1e-4 * float(difference.abs().max()))


def test_matrices_lie_column_by_column() -> None:
    A = numbers(2, 3, 3)
    assert linalg.inv(A).stride() == (9, 1, 3)
    assert linalg.qr(A).Q.stride() == (9, 1, 3)
    assert linalg.lu(A).L.stride() == (9, 3, 1)
    assert linalg.solve(A, A[..., :2]).stride() == (6, 1, 3)


def test_out() -> None:
    A = numbers(3, 3)
    target = torch.empty(0, dtype=torch.float64)
    assert linalg.inv(A, out=target) is target
    assert close(target, linalg.inv(A))
    L = torch.empty(3, 3, dtype=torch.float64)
    info = torch.empty(0, dtype=torch.int32)
    linalg.cholesky_ex(A @ A.mT, out=(L, info))
    assert close(L @ L.mT, A @ A.mT)


def test_lobpcg_finds_extreme_eigenvalues() -> None:
    A = numbers(20, 20)
    A = A + A.mT
    values = linalg.eigvalsh(A)
    torch.manual_seed(0)
    assert close(torch.lobpcg(A, k=2)[0], values.flip(0)[:2], 1e-6)
    assert close(torch.lobpcg(A, k=2, largest=False)[0], values[:2], 1e-6)


def test_lowrank_of_a_matrix_of_low_rank() -> None:
    A = numbers(12, 2) @ numbers(2, 9, seed=1)
    torch.manual_seed(0)
    U, S, V = torch.svd_lowrank(A, q=3)
    assert close((U * S) @ V.mT, A, 1e-8)
    U, S, V = torch.pca_lowrank(A, q=3)
    assert close((U * S) @ V.mT, A - A.mean(0), 1e-8)
