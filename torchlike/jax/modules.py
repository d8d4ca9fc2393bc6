"""An ``nn.Module`` as a pure function of its parameters and buffers, for jax's transformations and optax."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from torchlike._core import device as devices
from torchlike._core import dispatch, generator, layout
from torchlike._tensor import Tensor
from torchlike.jax.arrays import arrays, from_array, tensors, to_array
from torchlike.nn import Module

Arrays = dict[str, jax.Array]


def functional(module: Module) -> tuple[Callable[..., tuple[Any, Arrays]], Arrays, Arrays]:
    """Return ``(apply, params, buffers)``: a module as a pure function, and its state as dicts of jax arrays.

    ``apply(params, buffers, *args, key=None, **kwargs)`` calls the module with the given arrays in the place of its
    parameters and buffers and returns ``(outputs, buffers)``: the outputs with arrays for tensors, and the buffers as
    the call left them (running statistics ...). Array arguments reach the module as tensors. The module itself is not
    changed. ``apply`` works under `jax.jit`, `jax.grad`, `jax.vmap`, `jax.checkpoint`, `jax.lax.scan` and
    `jax.shard_map`.

    Random operations (dropout) draw from ``key``, a jax random key; without one they draw from torchlike's generator,
    which under a jax transformation raises RuntimeError, since one draw would be built into the program for good.
    Whether the module trains (``module.train()``) is read when ``apply`` is traced. Raises KeyError for names that are
    not the module's, or missing ones, and ValueError for another shape.

    >>> import jax
    >>> import torchlike.jax as tj
    >>> apply, params, buffers = tj.functional(torch.nn.Linear(2, 1, bias=False))
    >>> loss = lambda params, x: apply(params, buffers, x)[0].sum()
    >>> jax.grad(loss)(params, torch.ones(3, 2))
    {'weight': Array([[3., 3.]], dtype=float32)}
    """

    def apply(
        params: Mapping[str, Any], buffers: Mapping[str, Any], *args: Any, key: Any = None, **kwargs: Any
    ) -> tuple[Any, Arrays]:
        values = {name: _tensor(value) for name, value in {**params, **buffers}.items()}
        named = _named(module)
        _check_names(values, named)
        for name, value in values.items():
            if value.shape != named[name].shape:
                raise ValueError(f"{name}: expected shape {tuple(named[name].shape)}, got {tuple(value.shape)}")
        given_args, given_kwargs = tensors((args, kwargs))
        traced = any(
            isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((dict(params), dict(buffers), args, kwargs))
        )
        replacements = {id(named[name]): value for name, value in values.items()}
        with devices.within_program(place), _replaced(module, replacements), _drawing(key, traced):
            outputs = module(*given_args, **given_kwargs)
        return arrays(outputs), {name: to_array(values[name]) for name in buffers}

    state = [*module.parameters(), *module.buffers()]
    place = layout.of_array(dispatch.array_of(state[0])) if state else devices.get_default_device()
    return (
        apply,
        {name: to_array(p) for name, p in module.named_parameters()},
        {name: to_array(b) for name, b in module.named_buffers()},
    )


def load(module: Module, params: Mapping[str, Any], buffers: Mapping[str, Any] | None = None) -> None:
    """Put arrays, as `functional` gives and `apply` returns them, into a module's own parameters and buffers.

    Raises KeyError for names the module does not have, and ValueError for another shape or dtype. Names that are
    left out keep their values.

    >>> import torchlike.jax as tj
    >>> linear = torch.nn.Linear(1, 1)
    >>> tj.load(linear, {"weight": torch.ones(1, 1)})
    >>> linear.weight
    Parameter containing:
    tensor([[1.]], requires_grad=True)
    """
    named = _named(module)
    values = {name: to_array(_tensor(value)) for name, value in {**params, **(buffers or {})}.items()}
    for name, value in values.items():
        if name not in named:
            raise KeyError(f"{name} is neither a parameter nor a buffer of {type(module).__name__}")
        expected = dispatch.shaped(named[name])
        if (value.shape, value.dtype) != (expected.shape, expected.dtype):
            raise ValueError(
                f"{name}: expected {expected.dtype}{list(expected.shape)}, got {value.dtype}{list(value.shape)}"
            )
    for name, value in values.items():
        dispatch.write(named[name], value)


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return from_array(to_array(value))
    return from_array(jax.numpy.asarray(value))


def _named(module: Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _check_names(values: Mapping[str, Any], named: Mapping[str, Any]) -> None:
    missing = [name for name in named if name not in values]
    unexpected = [name for name in values if name not in named]
    if missing or unexpected:
        raise KeyError(f"the module's parameters and buffers: missing {missing}, unexpected {unexpected}")


@contextlib.contextmanager
def _replaced(module: Module, replacements: Mapping[int, Tensor]) -> Iterator[None]:
    """Let other tensors stand for a module's own, wherever they are registered (tied weights at several places)."""
    places = [table for m in module.modules() for table in (m._parameters, m._buffers)]
    before: list[dict[str, Any]] = [dict(table) for table in places]
    try:
        for table in places:
            for name, value in table.items():
                if id(value) in replacements:
                    table[name] = replacements[id(value)]
        yield
    finally:
        for table, old in zip(places, before, strict=True):
            table.clear()
            table.update(old)


@contextlib.contextmanager
def _drawing(key: Any, traced: bool) -> Iterator[None]:
    """Let random operations draw from a jax key; where a draw would be frozen into a program, let them raise."""
    keys = [key]

    def next_key() -> Any:
        if keys[0] is None:
            raise RuntimeError(
                "a random operation under a jax transformation needs a key: call apply(params, buffers, ..., key=key)"
            )
        keys[0], drawn = jax.random.split(keys[0])
        return drawn

    previous = generator.key_source
    if key is not None or traced:
        generator.key_source = next_key
    try:
        yield
    finally:
        generator.key_source = previous
