"""Recurrent networks: against the recurrence written out, and what they share with modules and the tape."""

from __future__ import annotations

import copy
from typing import Any

import chex
import pytest

import torchlike as torch
import torchlike.jax as tj
from torchlike import nn
from torchlike.nn.utils import rnn


def written_out(net: nn.LSTM, x: torch.Tensor) -> torch.Tensor:
    h = c = torch.zeros(x.shape[1], net.hidden_size, dtype=x.dtype)
    outputs = []
    for step in x:
        gates = step @ net.weight_ih_l0.t() + net.bias_ih_l0 + h @ net.weight_hh_l0.t() + net.bias_hh_l0
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs)


def gradients(net: nn.Module, value: torch.Tensor) -> Any:
    return tj.arrays(torch.autograd.grad(value.sin().sum(), list(net.parameters()), create_graph=True))


def test_an_lstm_is_its_recurrence_and_so_are_its_gradients() -> None:
    net = nn.LSTM(2, 3, dtype=torch.float64)
    x = torch.randn(4, 2, 2, dtype=torch.float64)
    output, (h, _) = net(x)
    expected = written_out(net, x)
    chex.assert_trees_all_close(tj.arrays([output, h[0]]), tj.arrays([expected, expected[-1]]), rtol=1e-12)
    chex.assert_trees_all_close(gradients(net, output), gradients(net, expected), rtol=1e-10)


def test_second_derivatives() -> None:
    net = nn.GRU(1, 2, dtype=torch.float64)
    x = torch.randn(3, 1, 1, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(net(x)[0].sum(), x, create_graph=True)
    first.pow(2).sum().backward()
    step = 1e-6
    moved = x.detach().clone()
    moved[0] += step
    moved.requires_grad_()
    (other,) = torch.autograd.grad(net(moved)[0].sum(), moved)
    slope = (other.pow(2).sum() - first.detach().pow(2).sum()) / step
    assert abs(slope - x.grad[0, 0, 0]) < 1e-4


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_packed_sequences_equal_each_sequence_alone(kind: Any) -> None:
    net = kind(2, 3, num_layers=2, bidirectional=True)
    sequences = [torch.randn(n, 2) for n in (2, 4, 1)]
    output, _ = net(rnn.pack_sequence(sequences, enforce_sorted=False))
    for found, alone in zip(rnn.unpack_sequence(output), sequences, strict=True):
        chex.assert_trees_all_close(tj.to_array(found.detach()), tj.to_array(net(alone)[0].detach()), rtol=1e-5)


def test_replaced_weights_are_used() -> None:
    net = nn.LSTM(2, 3)
    other = copy.deepcopy(net)
    x = torch.randn(4, 1, 2)
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
        assert not torch.equal(net(x)[0], other(x)[0])
    assert torch.equal(torch.func.functional_call(net, dict(other.named_parameters()), (x,))[0], other(x)[0])
    net.load_state_dict(other.state_dict())
    assert torch.equal(net(x)[0], other(x)[0])
    assert [len(weights) for weights in net.all_weights] == [4]


def test_repeated_calls_trace_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.LSTM(2, 3)
    x = torch.randn(4, 1, 2)
    for _ in range(2):
        net(x)[0].sum().backward()
    with monkeypatch.context() as patched:
        patched.setattr("torchlike.nn.functional.recurrent._step", None)  # called by a trace only
        net(x)[0].sum().backward()


def test_dropout_between_layers_is_for_training() -> None:
    net = nn.LSTM(2, 3, num_layers=2, dropout=0.5)
    x = torch.randn(4, 1, 2)
    assert not torch.equal(net(x)[0], net(x)[0])
    net.eval()
    assert torch.equal(net(x)[0], net(x)[0])
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        nn.GRU(2, 3, dropout=0.5)


def test_a_packed_sequence_converts() -> None:
    packed = rnn.pack_sequence([torch.ones(3), torch.ones(2)])
    assert packed.double().data.dtype is torch.float64
    assert packed.to(torch.float32) is packed
    assert packed.cpu() is packed
    assert not packed.is_cuda
    assert isinstance(packed, tuple)
