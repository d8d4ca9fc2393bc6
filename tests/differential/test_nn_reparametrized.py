"""Parametrised, normalised, pruned and fused modules on real PyTorch and on torchlike."""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch


def both(program: Callable[[Any], Any]) -> None:
    """Run a program on both libraries and compare the numbers and texts it returns, or its errors."""
    torch = pytest.importorskip("torch")
    outcomes = []
    for library in (torch, torchlike):
        importlib.import_module(f"{library.__name__}.nn.utils.prune")
        library.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcomes.append(program(library))
            except Exception as error:  # noqa: BLE001 - the error is the outcome
                outcomes.append([type(error).__name__, str(error)])
    compare(outcomes[0], outcomes[1])


def compare(expected: Any, found: Any) -> None:
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected), (expected, found)
        for one, other in zip(expected, found, strict=True):
            compare(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=2e-5, abs=2e-6)
    else:
        assert found == expected


def trained(module: Any, x: Any) -> list[Any]:
    """What a module computes and what gradients its parameters get."""
    result = module(x)
    (result * result).sum().backward()
    grads = [None if p.grad is None else p.grad.tolist() for p in module.parameters()]
    return [result.tolist(), grads, list(module.state_dict()), repr(module)]


PARAMETRIZED: dict[str, Callable[[Any], Any]] = {
    "weight norm": lambda t: t.nn.utils.parametrizations.weight_norm(t.nn.Linear(4, 3)),
    "weight norm last": lambda t: t.nn.utils.parametrizations.weight_norm(t.nn.Linear(4, 3), dim=1),
    "weight norm all": lambda t: t.nn.utils.parametrizations.weight_norm(t.nn.Linear(4, 3), dim=None),
    "spectral norm": lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(4, 3), n_power_iterations=2),
    "spectral norm vector": lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(4, 3), "bias"),
    "old weight norm": lambda t: t.nn.utils.weight_norm(t.nn.Linear(4, 3)),
    "old spectral norm": lambda t: t.nn.utils.spectral_norm(t.nn.Linear(4, 3)),
    "orthogonal": lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(4, 4)),
    "orthogonal wide": lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(4, 3)),
    "cayley": lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(4, 4), orthogonal_map="cayley"),
    "plain householder": lambda t: t.nn.utils.parametrizations.orthogonal(
        t.nn.Linear(4, 3), orthogonal_map="householder", use_trivialization=False
    ),
    "pruned": lambda t: t.nn.utils.prune.l1_unstructured(t.nn.Linear(4, 3), "weight", 5),
    "pruned at random": lambda t: t.nn.utils.prune.random_unstructured(t.nn.Linear(4, 3), "weight", 0.5),
    "pruned slices": lambda t: t.nn.utils.prune.ln_structured(t.nn.Linear(4, 3), "weight", 2, n=2, dim=1),
    "pruned random slices": lambda t: t.nn.utils.prune.random_structured(t.nn.Linear(4, 3), "weight", 1, dim=0),
    "pruned twice": lambda t: t.nn.utils.prune.ln_structured(
        t.nn.utils.prune.l1_unstructured(t.nn.Linear(4, 3), "weight", 3), "weight", 1, n=1, dim=0
    ),
}


@pytest.mark.parametrize("name", PARAMETRIZED)
def test_module(name: str) -> None:
    both(lambda t: trained(PARAMETRIZED[name](t), t.randn(2, 4)))


def test_convolutions_have_their_rows_elsewhere() -> None:
    def program(t: Any) -> Any:
        layer = t.nn.utils.parametrizations.spectral_norm(t.nn.ConvTranspose2d(2, 3, 2))
        old = t.nn.utils.spectral_norm(t.nn.ConvTranspose1d(2, 3, 2))
        return trained(layer, t.randn(1, 2, 3, 3)), trained(old, t.randn(1, 2, 3))

    both(program)


def test_removal() -> None:
    def program(t: Any) -> Any:
        utils, x, seen = t.nn.utils, t.randn(2, 4), []
        for make, remove in (
            (utils.parametrizations.weight_norm, lambda m: utils.parametrize.remove_parametrizations(m, "weight")),
            (utils.parametrizations.spectral_norm, lambda m: utils.parametrize.remove_parametrizations(m, "weight")),
            (
                utils.parametrizations.spectral_norm,
                lambda m: utils.parametrize.remove_parametrizations(m, "weight", leave_parametrized=False),
            ),
            (utils.weight_norm, utils.remove_weight_norm),
            (utils.spectral_norm, utils.remove_spectral_norm),
            (lambda m: utils.prune.l1_unstructured(m, "weight", 2), lambda m: utils.prune.remove(m, "weight")),
        ):
            layer = remove(make(t.nn.Linear(4, 3)))
            seen.append(trained(layer, x))
            seen.append([type(layer).__name__, len(layer._forward_pre_hooks), layer.weight.is_leaf])
        return seen

    both(program)


class Symmetric:
    """A parametrisation, for either library."""

    @staticmethod
    def of(t: Any, inverse: bool = False) -> Any:
        class Found(t.nn.Module):
            def forward(self, x: Any) -> Any:
                return x.triu() + x.triu(1).mT

        if inverse:
            Found.right_inverse = lambda self, a: a.triu()
        Found.__name__ = "Found"
        return Found()


def test_parametrize() -> None:
    def program(t: Any) -> Any:
        p = t.nn.utils.parametrize
        layer = p.register_parametrization(t.nn.Linear(3, 3), "weight", Symmetric.of(t, inverse=True))
        p.register_parametrization(layer, "weight", Symmetric.of(t, inverse=True))
        seen: list[Any] = [
            layer.weight.tolist(),
            repr(layer),
            p.is_parametrized(layer),
            p.is_parametrized(layer, "bias"),
        ]
        layer.weight = t.arange(9.0).reshape(3, 3)
        seen += [layer.weight.tolist(), layer.parametrizations.weight.original.tolist(), list(layer.state_dict())]
        copied = copy.deepcopy(layer)
        seen += [copied.weight.tolist(), type(copied).__name__, p.type_before_parametrizations(copied).__name__]
        with p.cached():
            seen.append(layer.weight is layer.weight)
        seen.append(layer.weight is layer.weight)
        moved = p.transfer_parametrizations_and_params(layer, t.nn.Linear(3, 3))
        return [*seen, moved.weight.tolist(), len(moved.parametrizations.weight)]

    both(program)


def _assign(module: Any, value: Any) -> None:
    module.weight = value


ERRORS: dict[str, Callable[[Any], Any]] = {
    "unknown": lambda t: t.nn.utils.parametrize.register_parametrization(t.nn.Linear(1, 1), "x", t.nn.ReLU()),
    "dtype": lambda t: t.nn.utils.parametrize.register_parametrization(
        t.nn.Linear(1, 1), "weight", t.nn.Linear(1, 1).double()
    ),
    "shape": lambda t: t.nn.utils.parametrize.register_parametrization(t.nn.Linear(1, 2), "weight", t.nn.Flatten(0)),
    "second shape": lambda t: t.nn.utils.parametrize.register_parametrization(
        t.nn.utils.parametrizations.weight_norm(t.nn.Linear(1, 2)), "weight", t.nn.Flatten(0)
    ),
    "no inverse": lambda t: _assign(
        t.nn.utils.parametrize.register_parametrization(t.nn.Linear(3, 3), "weight", Symmetric.of(t)), t.zeros(3, 3)
    ),
    "not parametrized": lambda t: t.nn.utils.parametrize.remove_parametrizations(t.nn.Linear(1, 1), "weight"),
    "sequence": lambda t: t.nn.utils.parametrize.remove_parametrizations(
        t.nn.utils.parametrizations.weight_norm(t.nn.Linear(1, 2)), "weight", leave_parametrized=False
    ),
    "pickle": lambda t: t.nn.utils.parametrizations.weight_norm(t.nn.Linear(1, 2)).__getstate__(),
    "orthogonal vector": lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(1, 2), "bias"),
    "orthogonal map": lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(1, 2), orthogonal_map="qr"),
    "orthogonal name": lambda t: t.nn.utils.parametrizations.orthogonal(t.nn.Linear(1, 2), "x"),
    "steps": lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(1, 2), n_power_iterations=0),
    "dimension": lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(1, 2), dim=2),
    "twice": lambda t: t.nn.utils.weight_norm(t.nn.utils.weight_norm(t.nn.Linear(1, 2))),
    "spectral twice": lambda t: t.nn.utils.spectral_norm(t.nn.utils.spectral_norm(t.nn.Linear(1, 2))),
    "nothing to remove": lambda t: t.nn.utils.remove_weight_norm(t.nn.Linear(1, 2)),
    "no spectrum to remove": lambda t: t.nn.utils.remove_spectral_norm(t.nn.Linear(1, 2)),
    "amount": lambda t: t.nn.utils.prune.l1_unstructured(t.nn.Linear(1, 2), "weight", 1.5),
    "kind of amount": lambda t: t.nn.utils.prune.l1_unstructured(t.nn.Linear(1, 2), "weight", "1"),
    "too much": lambda t: t.nn.utils.prune.l1_unstructured(t.nn.Linear(1, 2), "weight", 5),
    "slices of a vector": lambda t: t.nn.utils.prune.ln_structured(t.nn.Linear(1, 2), "bias", 1, 2, 0),
    "slices elsewhere": lambda t: t.nn.utils.prune.ln_structured(t.nn.Linear(1, 2), "weight", 1, 2, 4),
    "not pruned": lambda t: t.nn.utils.prune.remove(t.nn.Linear(1, 2), "weight"),
    "fused while training": lambda t: t.nn.utils.fuse_conv_bn_eval(t.nn.Conv1d(1, 1, 1), t.nn.BatchNorm1d(1)),
    "no module": lambda t: t.nn.utils.skip_init(int, 3),
    "no device": lambda t: t.nn.utils.skip_init(t.nn.ReLU),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str) -> None:
    both(ERRORS[name])


def test_global_pruning() -> None:
    def program(t: Any) -> Any:
        prune, net = t.nn.utils.prune, t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Linear(4, 2))
        pairs = [(net[0], "weight"), (net[1], "weight")]
        prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.4)
        prune.global_unstructured(pairs, prune.RandomUnstructured, amount=3)
        masks = [b.tolist() for b in net.buffers()]
        return masks, prune.is_pruned(net), type(next(iter(net[0]._forward_pre_hooks.values()))).__name__

    both(program)


@pytest.mark.parametrize("transpose", [False, True])
def test_fusion(transpose: bool) -> None:
    def program(t: Any) -> Any:
        kind = t.nn.ConvTranspose2d if transpose else t.nn.Conv2d
        conv, bn = kind(2, 3, 2, bias=not transpose).eval(), t.nn.BatchNorm2d(3)
        bn(t.randn(4, 3, 5, 5))
        fused = t.nn.utils.fuse_conv_bn_eval(conv, bn.eval(), transpose)
        linear, norm = t.nn.Linear(4, 3), t.nn.BatchNorm1d(3)
        norm(t.randn(4, 3))
        flat = t.nn.utils.fuse_linear_bn_eval(linear.eval(), norm.eval())
        return [p.tolist() for m in (fused, flat) for p in m.parameters()]

    both(program)


def test_old_states_load_into_the_new_weight_norm() -> None:
    def program(t: Any) -> Any:
        old, new = t.nn.utils.weight_norm(t.nn.Linear(3, 2)), t.nn.utils.parametrizations.weight_norm(t.nn.Linear(3, 2))
        text = repr(new.load_state_dict(old.state_dict()))
        return text, new.weight.tolist(), t.equal(new.weight, old.weight)

    both(program)
