"""The same programs on a GPU, where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike import nn, optim

pytestmark = pytest.mark.gpu


def test_a_tensor_goes_there_and_back() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    there = x.to("cuda")
    assert there.device == torch.device("cuda:0")
    assert there.is_cuda
    assert repr(there).endswith("device='cuda:0')")
    assert there.cpu().tolist() == x.tolist()
    assert x.device == torch.device("cpu")


def test_results_stay_where_their_operands_are() -> None:
    x = torch.arange(6.0, device="cuda").reshape(2, 3)
    for result in (x + 1, x @ x.t(), x.sum(), x[1], x > 2, torch.zeros_like(x), torch.cat([x, x]), x.softmax(1)):
        assert result.device == x.device
    assert (torch.ones(3) + 1).device.type == "cpu"


def test_values_agree_with_the_cpu() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(5, 7), torch.randn(7, 3)
    for f in (lambda a, b: a @ b, lambda a, b: (a @ b).softmax(1), lambda a, b: (a.exp() @ b).sum(0)):
        np.testing.assert_allclose(f(x.cuda(), y.cuda()).cpu().numpy(), f(x, y).numpy(), rtol=2e-2, atol=1e-2)


def test_operands_on_two_devices_are_refused() -> None:
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        torch.ones(3) + torch.ones(3, device="cuda")


def test_a_0_dim_cpu_tensor_joins_the_others() -> None:
    result = torch.ones(3, device="cuda") * torch.tensor(2.0)
    assert result.device.type == "cuda"
    assert result.tolist() == [2.0, 2.0, 2.0]


def test_gradients_cross_devices() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x.cuda() * 3).sum().backward()
    assert x.grad is not None
    assert x.grad.device.type == "cpu"
    assert x.grad.tolist() == [3.0, 3.0]


def losses(device: str, run: Any = lambda step: step) -> list[float]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).to(device)
    x, y = torch.randn(6, 4).to(device), torch.randint(0, 3, (6,)).to(device)
    opt = optim.Adam(model.parameters(), lr=0.01)

    def step() -> Any:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    again = run(step)
    return [again().item() for _ in range(5)]


def test_training_agrees_with_the_cpu() -> None:
    np.testing.assert_allclose(losses("cuda"), losses("cpu"), rtol=1e-2)


def test_compiled_training_agrees_with_eager() -> None:
    np.testing.assert_allclose(losses("cuda", torch.compile), losses("cuda"), rtol=1e-2)


def test_numpy_refuses_what_is_not_on_the_host() -> None:
    with pytest.raises(TypeError, match=r"can't convert cuda:0 device type tensor to numpy"):
        torch.ones(1, device="cuda").numpy()


def test_writes_in_place_and_through_views() -> None:
    x = torch.zeros(3, 3, device="cuda")
    x[1] = 4.0
    x.t()[2].add_(1)
    assert x.cpu().tolist() == [[0.0, 0.0, 1.0], [4.0, 4.0, 5.0], [0.0, 0.0, 1.0]]
