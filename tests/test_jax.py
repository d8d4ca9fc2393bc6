"""torchlike and jax in one program: arrays, gradients across the border, modules under jax's transformations."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from documents import ROOT

import torchlike as torch
import torchlike.jax as tj
from torchlike import nn


def floats(*shape: int, seed: int = 0) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape, jnp.float32)


# Arrays ---------------------------------------------------------------------------------------------------------------


def test_a_tensor_over_an_array_is_no_copy():
    array = floats(3, 2)
    tensor = tj.from_array(array)
    assert tj.to_array(tensor) is array
    assert (tensor.dtype, tensor.shape, tensor.requires_grad) == (torch.float32, (3, 2), False)
    chex.assert_trees_all_equal(tj.to_array(tensor.t()), array.T)


def test_a_write_to_the_tensor_leaves_the_array():
    array = floats(3)
    before = np.asarray(array).copy()
    tensor = tj.from_array(array)
    tensor.mul_(2)
    tensor[0] = 7
    assert tensor[0] == 7
    np.testing.assert_array_equal(array, before)


def test_weak_types_do_not_come_in():
    tensor = tj.from_array(jnp.asarray(1.0))
    assert not tj.to_array(tensor).weak_type
    assert tensor.dtype is torch.float64  # torchlike runs jax with 64-bit types


@pytest.mark.parametrize("value", [1.0, np.ones(2), [1]])
def test_what_is_no_jax_array_is_refused(value: Any):
    with pytest.raises(TypeError, match=r"expected a jax\.Array"):
        tj.from_array(value)


def test_types_that_pytorch_lacks_are_refused():
    with pytest.raises(TypeError, match="cannot hold elements of type int4"):
        tj.from_array(jnp.zeros(2, jnp.int4))
    with pytest.raises(TypeError, match="expected a Tensor"):
        tj.to_array(jnp.zeros(2))  # type: ignore[arg-type]


# Pytrees --------------------------------------------------------------------------------------------------------------


def test_tensors_are_pytree_nodes():
    model = nn.Linear(2, 1)
    state = dict(model.named_parameters())
    doubled = jax.tree.map(lambda a: 2 * a, state)
    assert type(doubled["weight"]) is nn.Parameter
    assert doubled["weight"].requires_grad
    assert torch.equal(doubled["weight"], 2 * model.weight)
    assert jax.tree.map(jnp.shape, state) == {"weight": (1, 2), "bias": (1,)}
    leaves, tree = jax.tree.flatten(model.state_dict())
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    assert list(jax.tree.unflatten(tree, leaves)) == ["weight", "bias"]


def test_jax_transformations_take_and_give_tensors():
    x = tj.from_array(floats(3))

    def f(x: torch.Tensor) -> torch.Tensor:
        return (x * torch.ones(3)).relu().sum()

    assert torch.equal(jax.jit(f)(x), f(x))
    gradient = jax.grad(lambda x: tj.to_array(f(x)))(x)
    assert torch.equal(gradient, (x > 0).float())
    rows = tj.from_array(floats(4, 3))
    assert torch.equal(jax.vmap(f)(rows), torch.stack([f(row) for row in rows]))


def test_a_computed_tensor_is_no_leaf_when_it_comes_back():
    w = torch.ones(2, requires_grad=True)
    (back,) = jax.tree.unflatten(jax.tree.structure([w * 2]), jax.tree.leaves([w * 2]))
    assert not back.requires_grad
    assert jax.tree.map(lambda a: a, w).requires_grad


def test_arrays_and_tensors_are_inverse():
    tree = {"w": torch.arange(3), "n": 2, "s": ["name", torch.zeros(1)]}
    given = tj.arrays(tree)
    assert isinstance(given["w"], jax.Array)
    back = tj.tensors(given)
    assert torch.equal(back["w"], tree["w"])
    assert back["s"][0] == "name"


# jax functions in torch-style code ------------------------------------------------------------------------------------


def test_gradients_flow_through_a_jax_function():
    f = tj.from_jax(lambda d, power: {"y": jnp.tanh(d["a"]) @ d["b"] ** power, "power": power})
    a = torch.randn(2, 3, requires_grad=True, dtype=torch.float64)
    b = torch.randn(3, 1, requires_grad=True, dtype=torch.float64)
    out = f({"a": a, "b": b}, 2)
    assert out["power"] == 2
    assert out["y"].grad_fn.name() == "JaxFunctionBackward0"
    (2 * out["y"].sum()).backward()
    expected_a, expected_b = a.grad.clone(), b.grad.clone()
    a.grad = b.grad = None
    (2 * (torch.tanh(a) @ b**2).sum()).backward()
    chex.assert_trees_all_close(tj.arrays([expected_a, expected_b]), tj.arrays([a.grad, b.grad]), rtol=1e-12)


def test_second_derivatives_through_a_jax_function():
    cube = tj.from_jax(lambda x: x**3)
    x = torch.tensor([2.0], requires_grad=True)
    (first,) = torch.autograd.grad(cube(x), x, create_graph=True)
    first.backward()
    assert (first.item(), x.grad.item()) == (12.0, 12.0)


def test_a_custom_rule_of_jax_is_kept():
    @jax.custom_vjp
    def straight_through(x: jax.Array) -> jax.Array:
        return jnp.round(x)

    straight_through.defvjp(lambda x: (jnp.round(x), None), lambda _, g: (g,))
    x = torch.tensor([0.3, 1.7], requires_grad=True)
    tj.from_jax(straight_through)(x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_jax_function_is_compiled_once_a_structure():
    traces = []

    def f(x: jax.Array, scale: float) -> jax.Array:
        traces.append(x.shape)
        return x * scale

    call = tj.from_jax(f)
    x = torch.ones(2, requires_grad=True)
    for _ in range(3):
        call(x, 2.0).sum().backward()
    before = len(traces)
    call(x, 2.0).sum().backward()
    assert len(traces) == before
    assert torch.equal(call(x, 3.0), torch.full((2,), 3.0))
    assert len(traces) > before


def test_what_cannot_be_an_argument_of_a_jax_function():
    with pytest.raises(TypeError, match="neither an array nor hashable"):
        tj.from_jax(lambda x, y: x)(torch.ones(1), {1, 2})


def test_random_keys_are_arguments_of_a_jax_function():
    noisy = tj.from_jax(lambda x, key: x + jax.random.normal(key, x.shape, x.dtype))
    x = torch.zeros(3, requires_grad=True)
    y = noisy(x, jax.random.key(1))
    y.sum().backward()
    np.testing.assert_array_equal(tj.to_array(y), jax.random.normal(jax.random.key(1), (3,), jnp.float32))
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


# Modules as functions -------------------------------------------------------------------------------------------------


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))


def test_a_module_as_a_function_computes_what_the_module_does():
    model = network().eval()
    apply, params, buffers = tj.functional(model)
    x = floats(5, 3)
    with torch.no_grad():
        expected = tj.to_array(model(tj.from_array(x)))
    outputs, after = apply(params, buffers, x)
    chex.assert_trees_all_close(outputs, expected, rtol=1e-6)
    chex.assert_trees_all_close(jax.jit(apply)(params, buffers, x)[0], expected, rtol=1e-6)
    chex.assert_trees_all_equal(after, buffers)


def test_buffers_come_out_and_the_module_stays():
    model = network()
    apply, params, buffers = tj.functional(model)
    before = tj.arrays(model.state_dict())
    _, after = jax.jit(apply)(params, buffers, floats(5, 3), key=jax.random.key(0))
    assert after["1.num_batches_tracked"] == 1
    assert not np.allclose(after["1.running_mean"], buffers["1.running_mean"])
    chex.assert_trees_all_equal(tj.arrays(model.state_dict()), before)
    tj.load(model, params, after)
    assert model[1].num_batches_tracked == 1


def test_gradients_equal_those_of_backward():
    model = network().eval()
    apply, params, buffers = tj.functional(model)
    x = floats(5, 3)

    def loss(params: Any) -> jax.Array:
        return (apply(params, buffers, x)[0] ** 2).sum()

    (model(tj.from_array(x)) ** 2).sum().backward()
    expected = {name: tj.to_array(p.grad) for name, p in model.named_parameters()}
    chex.assert_trees_all_close(jax.grad(loss)(params), expected, rtol=1e-5)
    chex.assert_trees_all_close(jax.jit(jax.grad(jax.checkpoint(loss)))(params), expected, rtol=1e-5)


def test_vmap_over_parameters_and_keys():
    apply, params, buffers = tj.functional(network())
    x = floats(5, 3)
    stacked = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), params)
    keys = jax.random.split(jax.random.key(0))

    def call(params: Any, key: Any) -> Any:
        return apply(params, buffers, x, key=key)

    outputs, _ = jax.vmap(call)(stacked, keys)
    single, _ = call(jax.tree.map(lambda p: 2 * p, params), keys[1])
    chex.assert_trees_all_close(outputs[1], single, rtol=1e-5)
    assert not np.allclose(outputs[0], outputs[1])


def test_randomness_without_a_key():
    apply, params, buffers = tj.functional(nn.Dropout(0.5))
    x = floats(100)
    torch.manual_seed(0)
    eager, _ = apply(params, buffers, x)
    torch.manual_seed(0)
    assert torch.equal(tj.from_array(eager), nn.functional.dropout(tj.from_array(x)))
    with pytest.raises(RuntimeError, match="needs a key"):
        jax.jit(apply)(params, buffers, x)


def test_tied_parameters_stay_tied():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    apply, params, buffers = tj.functional(model)
    assert list(params) == ["0.weight"]
    outputs, _ = apply({"0.weight": 2 * jnp.eye(2, dtype=jnp.float32)}, buffers, jnp.ones(2, jnp.float32))
    assert outputs.tolist() == [4.0, 4.0]


def test_wrong_parameters_are_refused():
    apply, params, buffers = tj.functional(nn.Linear(2, 1))
    x = jnp.ones(2, jnp.float32)
    with pytest.raises(KeyError, match=r"missing \['bias'\], unexpected \['b'\]"):
        apply({"weight": params["weight"], "b": params["bias"]}, buffers, x)
    with pytest.raises(ValueError, match=r"weight: expected shape \(1, 2\), got \(2, 1\)"):
        apply({**params, "weight": jnp.ones((2, 1))}, buffers, x)
    with pytest.raises(KeyError, match="neither a parameter nor a buffer"):
        tj.load(nn.Linear(2, 1), {"w": x})
    with pytest.raises(ValueError, match="expected float32"):
        tj.load(nn.Linear(2, 1), {"weight": jnp.ones((1, 2), jnp.float64)})


def test_scan_over_a_module():
    cell = nn.Linear(2, 2)
    apply, params, buffers = tj.functional(cell)
    steps = floats(4, 2)

    def step(carry: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
        return jnp.tanh(apply(params, buffers, carry)[0] + x), None

    final, _ = jax.lax.scan(step, jnp.zeros(2, jnp.float32), steps)
    hidden = torch.zeros(2)
    for x in tj.from_array(steps):
        hidden = torch.tanh(cell(hidden) + x)
    chex.assert_trees_all_close(final, tj.to_array(hidden.detach()), rtol=1e-5)


SHARDED = """
    import jax, jax.numpy as jnp, numpy as np
    import torchlike as torch, torchlike.jax as tj
    from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 2)
        def forward(self, x):
            return torch.relu(self.linear(x) + torch.ones(2) * torch.tensor([1.0, 2.0]))

    apply, params, buffers = tj.functional(Net())
    x = jnp.arange(24, dtype=jnp.float32).reshape(6, 4)
    loss = lambda params, x: (apply(params, buffers, x)[0] ** 2).mean()
    expected = jax.grad(loss)(params, x)
    mesh = Mesh(np.array(jax.devices()), ("data",))
    params = jax.device_put(params, NamedSharding(mesh, P()))
    part = jax.shard_map(
        lambda params, x: jax.grad(lambda p: jax.lax.pmean(loss(p, x), "data"))(params),
        mesh=mesh, in_specs=(P(), P("data")), out_specs=P(),
    )
    found = jax.jit(part)(params, x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, expected)
    spread = jax.device_put(x, NamedSharding(mesh, P("data")))
    assert tj.from_array(spread).device.type == "cpu"
    print(len(jax.devices()), apply(params, buffers, spread)[0].shape)
"""


def test_a_module_under_shard_map_on_two_devices():
    flags = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SHARDED)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": flags},
        check=False,
    )
    assert done.stdout == "2 (6, 2)\n", done.stderr
