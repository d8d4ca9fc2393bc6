"""The same training steps under torch.compile, against the step written by hand in jax and jitted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

import torchlike
from benchmarks.measure import Case, Run
from benchmarks.training import STEPS


def _arrays(*tensors: Any) -> list[Any]:
    """Copies of tensors as jax arrays, so that donation on the one side takes nothing from the other."""
    return [jnp.asarray(t.detach().numpy().copy()) for t in tensors]


def _cross_entropy(logits: Any, y: Any) -> Any:
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)
    return -jnp.mean(picked)


def _trained(loss: Callable[..., Any], params: list[Any], data: list[Any], lr: float, momentum: float = 0.0) -> Run:
    """A jitted step of gradient descent that owns its parameters, as a careful jax user writes it."""
    rate, decay = jnp.float32(lr), jnp.float32(momentum)

    if momentum:

        @functools.partial(jax.jit, donate_argnums=(0, 1))
        def update(params: Any, velocity: Any, *data: Any) -> Any:
            value, grads = jax.value_and_grad(loss)(params, *data)
            velocity = [decay * v + g for v, g in zip(velocity, grads, strict=True)]
            return [p - rate * v for p, v in zip(params, velocity, strict=True)], velocity, value

    else:

        @functools.partial(jax.jit, donate_argnums=(0,))
        def update(params: Any, velocity: Any, *data: Any) -> Any:
            value, grads = jax.value_and_grad(loss)(params, *data)
            return [p - rate * g for p, g in zip(params, grads, strict=True)], velocity, value

    state = [params, [jnp.zeros_like(p) for p in params] if momentum else []]

    def step() -> Any:
        state[0], state[1], value = update(state[0], state[1], *data)
        return value.block_until_ready()

    return step


def _seed_loop() -> Run:
    torchlike.manual_seed(0)
    model = torchlike.nn.Linear(2, 1)

    def loss(params: Any, x: Any, y: Any) -> Any:
        w, b = params
        return jnp.mean((x @ w.T + b - y) ** 2)

    data = [jnp.array([[1.0, 2.0]], jnp.float32), jnp.array([[5.0]], jnp.float32)]
    return _trained(loss, _arrays(model.weight, model.bias), data, lr=0.01)


def _mlp() -> Run:
    torchlike.manual_seed(0)
    layers = [torchlike.nn.Linear(*size) for size in ((784, 512), (512, 512), (512, 10))]
    params = _arrays(*(p for layer in layers for p in (layer.weight, layer.bias)))

    def loss(params: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = params
        h = jax.nn.relu(x @ w1.T + b1)
        h = jax.nn.relu(h @ w2.T + b2)
        return _cross_entropy(h @ w3.T + b3, y)

    data = _arrays(torchlike.rand(128, 784), torchlike.randint(0, 10, (128,)))
    return _trained(loss, params, data, lr=0.01, momentum=0.9)


def _recurrent() -> Run:
    torchlike.manual_seed(0)
    params = _arrays(*(torchlike.randn(64, 64) * 0.1 for _ in range(2)), torchlike.zeros(64))
    params += _arrays(torchlike.randn(64, 10) * 0.1)

    def loss(params: Any, xs: Any, y: Any) -> Any:
        w_x, w_h, bias, w_o = params
        h = jnp.zeros((16, 64), jnp.float32)
        for x in xs:  # a Python loop here too: the same program as the one it is compared with
            h = jnp.tanh(x @ w_x + h @ w_h + bias)
        return _cross_entropy(h @ w_o, y)

    data = _arrays(torchlike.randn(20, 16, 64), torchlike.randint(0, 10, (16,)))
    return _trained(loss, params, data, lr=0.01)


def _compiled(name: str) -> Callable[[ModuleType], Run]:
    def make(torch: ModuleType) -> Run:
        step: Run = torch.compile(STEPS[name](torch))
        return step

    return make


BY_HAND = dict(zip(STEPS, (_seed_loop, _mlp, _recurrent), strict=True))

CASES = [Case("compiled, against jitted jax", name, _compiled(name), against=BY_HAND[name]) for name in STEPS]
