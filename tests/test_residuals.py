"""Operators that keep what their forward computed on the way (``residuals="vjp"``)."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

import torchlike as torch
from torchlike._core import dispatch
from torchlike._core.keeping import KeepingNode
from torchlike._core.op import Array, Arrays, Scalar, defvjp, op, registry

runs: list[str] = []


def _counted(x: Any) -> Any:
    """Count at run time how often the forward is computed."""
    jax.debug.callback(lambda _: runs.append("forward"), x.ravel()[0])
    return x


class Scanned(NamedTuple):
    states: Any
    last: Any


@pytest.fixture(scope="module")
def scanned() -> Iterator[Any]:
    """A small recurrent operator: states h' = tanh(x + scale * h @ w) of a sequence."""

    def kept_scan(input: Array, weights: Arrays, length: int, *, scale: Scalar = 1) -> Array:
        """Scan."""
        (w,) = weights

        def step(h: Any, x: Any) -> Any:
            new = jnp.tanh(_counted(x) + scale * (h @ w))
            return new, new

        last, states = jax.lax.scan(step, jnp.zeros_like(input[0]), input[:length])
        return Scanned(states, last)  # type: ignore[return-value]

    before = set(registry)
    count = len(dispatch.all_ops)
    yield op(kept_scan, residuals="vjp", method=False)
    for key in set(registry) - before:
        del registry[key]
    del dispatch.all_ops[count:]


def _reference(x: torch.Tensor, w: torch.Tensor, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    h = torch.zeros_like(x[0])
    states = []
    for row in x:
        h = torch.tanh(row + scale * (h @ w))
        states.append(h)
    return torch.stack(states), h


def _inputs() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(4, 2, 3).requires_grad_()
    w = torch.linspace(-0.5, 0.7, 9, dtype=torch.float64).reshape(3, 3).requires_grad_()
    return x, w


def test_values_and_gradients(scanned: Any) -> None:
    x, w = _inputs()
    y = scanned(x, [w], 4, scale=0.5)
    assert type(y).__name__ == "Scanned"
    assert isinstance(y.states.grad_fn, KeepingNode)
    assert y.last.grad_fn is y.states.grad_fn
    expected = _reference(x, w, 0.5)
    for got, want in zip(y, expected, strict=True):
        assert torch.allclose(got, want)
    got = torch.autograd.grad((y.states * y.states).sum() + y.last.sum(), [x, w])
    want = torch.autograd.grad((expected[0] * expected[0]).sum() + expected[1].sum(), [x, w])
    for a, b in zip(got, want, strict=True):
        assert torch.allclose(a, b)


def test_one_output_and_one_input(scanned: Any) -> None:
    x, w = _inputs()
    got = torch.autograd.grad(scanned(x.detach(), [w], 4).last.sum(), w)[0]
    want = torch.autograd.grad(_reference(x.detach(), w)[1].sum(), w)[0]
    assert torch.allclose(got, want)


def test_second_derivative(scanned: Any) -> None:
    x, w = _inputs()

    def second(states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        (g,) = torch.autograd.grad((states**2).sum(), x, create_graph=True)
        found: tuple[torch.Tensor, ...] = torch.autograd.grad((g**2).sum(), [x, w])
        return found

    for a, b in zip(second(scanned(x, [w], 4).states), second(_reference(x, w)[0]), strict=True):
        assert torch.allclose(a, b)


def test_the_forward_runs_once(scanned: Any) -> None:
    x, w = _inputs()
    scanned(x, [w], 4).states.sum().backward()
    jax.effects_barrier()
    runs.clear()
    y = scanned(x, [w], 4).states.sum()
    jax.effects_barrier()
    assert len(runs) == 4
    y.backward()
    jax.effects_barrier()
    assert len(runs) == 4, "the backward computed the forward again"


def test_other_shapes_have_leaves_of_their_own(scanned: Any) -> None:
    x, w = _inputs()
    first = scanned(x, [w], 4).states
    short = scanned(x[:2], [w], 2).states
    assert torch.allclose(
        torch.autograd.grad(short.sum(), w)[0], torch.autograd.grad(_reference(x[:2], w)[0].sum(), w)[0]
    )
    assert torch.allclose(torch.autograd.grad(first.sum(), w)[0], torch.autograd.grad(_reference(x, w)[0].sum(), w)[0])


def test_the_graph_is_freed(scanned: Any) -> None:
    x, w = _inputs()
    y = scanned(x, [w], 4).states.sum()
    node = y.grad_fn.next_functions[0][0]
    leaves = [weakref.ref(leaf) for leaf in node.leaves]
    assert leaves
    y.backward()
    gc.collect()
    assert not node.leaves
    assert not [leaf for leaf in leaves if leaf() is not None]
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()


def test_overwritten_inputs_are_noticed(scanned: Any) -> None:
    x, w = _inputs()
    v = w * 1
    y = scanned(x, [v], 4).states.sum()
    v.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_without_gradients_nothing_is_kept(scanned: Any) -> None:
    x, w = _inputs()
    with torch.no_grad():
        assert scanned(x, [w], 4).states.grad_fn is None
    assert scanned(x.detach(), [w.detach()], 4).states.grad_fn is None


def test_saved_tensor_hooks_see_everything_that_is_saved(scanned: Any) -> None:
    x, w = _inputs()
    packed: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> int:
        packed.append(tensor)
        return len(packed) - 1

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda at: packed[at]):
        y = scanned(x, [w], 4).states
    assert packed
    assert not y.grad_fn.leaves
    assert torch.allclose(torch.autograd.grad(y.sum(), w)[0], torch.autograd.grad(_reference(x, w)[0].sum(), w)[0])


def test_refused_declarations(scanned: Any) -> None:
    with pytest.raises(ValueError, match="residuals"):
        op(lambda input: input, residuals="all")
    with pytest.raises(ValueError, match="keeps the leaves"):
        defvjp(scanned)(lambda grad, inputs, outputs: (grad,))
