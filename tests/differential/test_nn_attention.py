"""Attention and transformer modules on real PyTorch and on torchlike: weights, results, gradients, text, errors."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch

Program = Callable[[Any], Any]


def outcome(torch: Any, program: Program) -> Any:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(program(torch))
        except Exception as error:  # noqa: BLE001 - the error is the outcome
            return [type(error).__name__, str(error).split("\n")[0]]


def plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.detach().tolist() if hasattr(value, "detach") else value


def agree(program: Program, tolerance: float = 2e-5) -> None:
    """Run a program on both libraries and compare the numbers, texts or errors it gives."""
    torch = pytest.importorskip("torch")
    expected, found = outcome(torch, program), outcome(torchlike, program)
    assert not (wrong := list(differences(expected, found, tolerance))), wrong[:3]


def differences(expected: Any, found: Any, tolerance: float) -> Any:
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for e, f in zip(expected, found, strict=True):
            yield from differences(e, f, tolerance)
    elif isinstance(expected, float) and isinstance(found, float) and expected == expected:
        if abs(expected - found) > tolerance * (1 + abs(expected)):
            yield expected, found
    elif not (expected == found or (expected != expected and found != found)):
        yield expected, found


def trained(torch: Any, module: Any, inputs: list[Any], call: Callable[[], Any]) -> Any:
    """What a module shows and gives, and the gradients of its inputs and parameters (of its result when evaluating)."""
    with contextlib.nullcontext() if module.training else torch.no_grad():
        result = call()
    outputs = result if isinstance(result, tuple) else (result,)
    shown = [repr(module), list(module.state_dict()), list(module.state_dict().values()), list(outputs)]
    if module.training:
        first = outputs[0]
        (first * torch.arange(first.numel()).view(first.shape)).sum().backward()
        shown.append([x.grad for x in [*inputs, *module.parameters()]])
    return shown


def heads(
    torch: Any,
    sizes: tuple[tuple[int, ...], ...] = ((4, 2, 8), (5, 2, 8), (5, 2, 8)),
    *,
    options: dict[str, Any] | None = None,
    train: bool = True,
    same: bool = False,
    **call: Any,
) -> Any:
    module = torch.nn.MultiheadAttention(8, 2, **(options or {})).train(train)
    inputs = [torch.randn(*size, requires_grad=True) for size in sizes]
    given = inputs[:1] * 3 if same else inputs
    call = {name: make(torch) if callable(make) else make for name, make in call.items()}
    return trained(torch, module, inputs, lambda: module(*given, **call))


def bools(*size: int) -> Program:
    return lambda torch: torch.rand(*size) > 0.7


def numbers(*size: int) -> Program:
    return lambda torch: torch.randn(*size)


def causal(size: int) -> Program:
    return lambda torch: torch.nn.Transformer.generate_square_subsequent_mask(size)


FIRST = ((2, 4, 8), (2, 5, 8), (2, 5, 8))
HEADS: dict[str, Program] = {
    "plain": heads,
    "self": lambda t: heads(t, same=True),
    "other sizes": lambda t: heads(t, ((4, 2, 8), (5, 2, 5), (5, 2, 6)), options={"kdim": 5, "vdim": 6}),
    "added": lambda t: heads(
        t,
        options={"add_bias_kv": True, "add_zero_attn": True},
        key_padding_mask=bools(2, 5),
        attn_mask=bools(4, 5),
    ),
    "added, no weights": lambda t: heads(
        t,
        options={"add_bias_kv": True, "add_zero_attn": True},
        key_padding_mask=bools(2, 5),
        attn_mask=bools(4, 4, 5),
        need_weights=False,
    ),
    "dropout": lambda t: heads(t, FIRST, options={"batch_first": True, "dropout": 0.3}),
    "dropout, no weights": lambda t: heads(t, FIRST, options={"batch_first": True, "dropout": 0.3}, need_weights=False),
    "unbatched": lambda t: heads(
        t,
        ((4, 8), (5, 8), (5, 8)),
        average_attn_weights=False,
        key_padding_mask=numbers(5),
        attn_mask=numbers(2, 4, 5),
    ),
    "causal": lambda t: heads(t, same=True, is_causal=True, need_weights=False, attn_mask=causal(4)),
    "causal with weights": lambda t: heads(t, same=True, is_causal=True, attn_mask=causal(4)),
    "evaluation": lambda t: heads(t, FIRST[:1], options={"bias": False, "batch_first": True}, same=True, train=False),
    "causal without a mask": lambda t: heads(t, is_causal=True),
    "heads that do not divide": lambda t: t.nn.MultiheadAttention(7, 2),
    "no features": lambda t: t.nn.MultiheadAttention(0, 2),
    "wrong features": lambda t: heads(t, ((4, 2, 7), (5, 2, 8), (5, 2, 8))),
    "mask of integers": lambda t: heads(t, attn_mask=lambda t: t.ones(4, 5, dtype=t.int64)),
    "mask of one dimension": lambda t: heads(t, attn_mask=bools(5)),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads(name: str) -> None:
    agree(HEADS[name])


def encoder(
    torch: Any,
    *,
    options: dict[str, Any] | None = None,
    stack: dict[str, Any] | None = None,
    size: tuple[int, ...] = (2, 5, 8),
    train: bool = True,
    **call: Any,
) -> Any:
    layer = torch.nn.TransformerEncoderLayer(8, 2, **{"dim_feedforward": 16, "batch_first": True, **(options or {})})
    norm = torch.nn.LayerNorm(8)
    torch.nn.init.ones_(norm.bias)
    module = torch.nn.TransformerEncoder(layer, 2, norm, **(stack or {})).train(train)
    x = torch.randn(*size, requires_grad=True)
    call = {name: make(torch) if callable(make) else make for name, make in call.items()}
    return trained(torch, module, [x], lambda: module(x, **call))


def padding(*rows: list[bool]) -> Program:
    return lambda torch: torch.tensor(rows)


AT_THE_END = padding([False, False, False, True, True], [False] * 5)
AT_THE_FRONT = padding([True, False, False, True, True], [False] * 5)


def transformer(torch: Any, batch_first: bool, **call: Any) -> Any:
    module = torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=batch_first)
    source, target = torch.randn(2, 5, 8, requires_grad=True), torch.randn(2, 3 if batch_first else 5, 8)
    mask = module.generate_square_subsequent_mask(target.size(1 if batch_first else 0))
    return trained(torch, module, [source], lambda: module(source, target, tgt_mask=mask, **call))


STACKS: dict[str, Program] = {
    "plain": encoder,
    "norm first": lambda t: encoder(t, options={"norm_first": True, "activation": "gelu", "bias": False}),
    "function, length first": lambda t: encoder(
        t, options={"batch_first": False, "activation": t.nn.functional.silu}, mask=causal(2)
    ),
    "unbatched": lambda t: encoder(t, size=(5, 8)),
    "padding skipped": lambda t: encoder(t, train=False, src_key_padding_mask=AT_THE_END),
    "padding not at the end": lambda t: encoder(t, train=False, src_key_padding_mask=AT_THE_FRONT),
    "padding computed": lambda t: encoder(
        t, stack={"enable_nested_tensor": False}, train=False, src_key_padding_mask=AT_THE_END
    ),
    "unknown activation": lambda t: encoder(t, options={"activation": "x"}),
    "both": lambda t: transformer(t, True),
    "both, length first": lambda t: transformer(t, False, memory_key_padding_mask=None),
    "batches differ": lambda t: t.nn.Transformer(8, 2, 1, 1, 16)(t.zeros(2, 5, 8), t.zeros(2, 3, 8)),
    "features differ": lambda t: t.nn.Transformer(8, 2, 1, 1, 16)(t.zeros(2, 5, 8), t.zeros(2, 5, 7)),
}


@pytest.mark.parametrize("name", STACKS)
def test_stacks(name: str) -> None:
    agree(STACKS[name], 1e-3)  # gradients through several normalisations, times up to 80
