"""Mixed precision: the types that operators choose, and the scale of losses."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

import torchlike as torch
from torchlike.nn import functional as F


def test_operators_choose_their_type() -> None:
    x, h = torch.ones(2, 2), torch.ones(2, 2, dtype=torch.bfloat16)
    with torch.autocast("cpu"):
        assert torch.is_autocast_enabled("cpu")
        assert (x @ x).dtype is x.mm(x).dtype is F.linear(x, x).dtype is torch.bfloat16
        assert F.mse_loss(h, h).dtype is torch.cat([x, h]).dtype is (x + x).dtype is torch.float32
        assert (x.double() @ x.double()).dtype is torch.float64
        assert F.cross_entropy(h, torch.tensor([0, 1])).dtype is torch.float32
        with torch.autocast("cpu", enabled=False):
            assert (x @ x).dtype is torch.float32
        assert (x @ x).dtype is torch.bfloat16
    assert not torch.is_autocast_enabled("cpu")
    assert (x @ x).dtype is torch.float32
    with torch.autocast("cpu", dtype=torch.float16):
        assert (x @ x).dtype is torch.get_autocast_dtype("cpu") is torch.float16
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16


def test_modules_keep_their_gradients_in_float32() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3), torch.nn.Linear(3, 1))

    @torch.autocast("cpu")
    def run(x: Any) -> Any:
        return model(x)

    out = run(torch.ones(2, 3))
    assert out.dtype is torch.bfloat16
    out.float().sum().backward()
    assert all(p.grad.dtype is torch.float32 for p in model.parameters())


def test_refusals() -> None:
    with pytest.raises(
        RuntimeError, match=r"Expected one of cpu, cuda, .* device type at start of device string: moon"
    ):
        torch.autocast("moon")
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        torch.autocast(5)
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        torch.autocast("cpu", dtype=torch.float64)
    with pytest.raises(TypeError, match=r"autocast\(\)\(func\) requires a callable, but got int"):
        torch.autocast("cpu")(5)


def test_custom_functions() -> None:
    class Product(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x @ x

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            return grad @ x.t() + x.t() @ grad

    x = torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu"):
        y = Product.apply(x)
    assert y.dtype is torch.float32
    y.sum().backward()
    assert x.grad.tolist() == [[4.0, 4.0], [4.0, 4.0]]


def test_the_scale_grows_and_falls() -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    w = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([w], lr=0.25)
    scales, weights = [], []
    for factor in (1.0, math.inf, 1.0, 1.0):
        optimizer.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        weights.append(w.item())
    assert scales == [8.0, 4.0, 4.0, 8.0]
    assert weights == [0.75, 0.75, 0.5, 0.25]
    twin = torch.amp.GradScaler("cpu")
    twin.load_state_dict(scaler.state_dict())
    assert twin.state_dict() == pickle.loads(pickle.dumps(scaler)).state_dict() == scaler.state_dict()


def test_the_order_of_calls() -> None:
    scaler = torch.amp.GradScaler("cpu")
    w = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([w], lr=0.5)
    with pytest.raises(AssertionError, match="Attempted step but _scale is None"):
        scaler.step(optimizer)
    [loss] = scaler.scale([w.sum()])
    loss.backward()
    scaler.unscale_(optimizer)
    assert w.grad.item() == 1.0
    with pytest.raises(RuntimeError, match=r"unscale_\(\) has already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called since the last update"):
        scaler.step(optimizer)
    assert torch.amp.GradScaler("cpu", enabled=False).scale(5) == 5


def test_the_former_names() -> None:
    with pytest.warns(FutureWarning, match=r"torch\.cuda\.amp\.GradScaler\(args\.\.\.\)` is deprecated"):
        scaler = torch.cuda.amp.GradScaler(enabled=False)
    assert isinstance(scaler, torch.amp.GradScaler)
    with pytest.warns(FutureWarning, match=r"torch\.cuda\.amp\.autocast\(args\.\.\.\)` is deprecated"):
        torch.cuda.amp.autocast(enabled=False)
