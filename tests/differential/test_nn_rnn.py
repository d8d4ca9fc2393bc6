"""Recurrent networks against PyTorch's: initial weights, outputs, gradients, dropout, packing, text, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torchlike

torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning:torch")]

NETWORKS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("GRU", {"num_layers": 2, "batch_first": True, "dropout": 0.5}),
    ("GRU", {"bidirectional": True, "bias": False}),
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "dropout": 0.3, "batch_first": True}),
    ("LSTM", {"proj_size": 2, "num_layers": 2}),
]


def arrays(value: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(value, tuple):
        return [a for part in value if part is not None for a in arrays(part)]
    return [value.detach().numpy()]


def trained(lib: Any, name: str, options: dict[str, Any], run: Any) -> tuple[str, list[Any]]:
    lib.manual_seed(0)
    net = getattr(lib.nn, name)(3, 4, **options)
    found = [p.detach().numpy().copy() for p in net.parameters()]
    x = lib.randn(2, 5, 3, requires_grad=True) if options.get("batch_first") else lib.randn(5, 2, 3, requires_grad=True)
    result = run(lib, net, x)
    found += arrays(result)
    sum((lib.as_tensor(part).sin().sum() for part in flat(result)), lib.zeros(())).backward()
    found += [x.grad.numpy(), *(p.grad.numpy() for p in net.parameters())]
    return repr(net), found


def flat(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return [t for part in value if part is not None for t in flat(part) if t.is_floating_point()]
    return [value]


def plain(lib: Any, net: Any, x: Any) -> Any:
    return net(x)


def packed(lib: Any, net: Any, x: Any) -> Any:
    rnn = lib.nn.utils.rnn
    value = rnn.pack_padded_sequence(x, [3, 5], batch_first=net.batch_first, enforce_sorted=False)
    output, state = net(value)
    return rnn.pad_packed_sequence(output, padding_value=2.0, total_length=6), state


@pytest.mark.parametrize("run", [plain, packed])
@pytest.mark.parametrize(("name", "options"), NETWORKS, ids=str)
def test_network(name: str, options: dict[str, Any], run: Any) -> None:
    text, ours = trained(torchlike, name, options, run)
    expected_text, theirs = trained(torch, name, options, run)
    assert text == expected_text
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("batched", [True, False])
def test_cell(name: str, batched: bool) -> None:
    found = []
    for lib in (torchlike, torch):
        lib.manual_seed(1)
        cell = getattr(lib.nn, name)(3, 4)
        x = lib.randn(2, 3) if batched else lib.randn(3)
        state = cell(x)
        state = cell(x, state)
        (state[0] if isinstance(state, tuple) else state).sum().backward()
        found.append([repr(cell), *arrays(state), *(p.grad.numpy() for p in cell.parameters())])
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


REFUSED = [
    "nn.LSTM(3, 4)(torch.ones(2, 3, 4))",
    "nn.LSTM(3, 4)(torch.ones(2))",
    "nn.LSTM(3, 4)(torch.ones(2, 3, 3), (torch.ones(1, 2, 4), torch.ones(1, 3, 4)))",
    "nn.LSTM(3, 4)(torch.ones(2, 3, 3), (torch.ones(1, 3, 4), torch.ones(3, 4)))",
    "nn.LSTM(3, 4)(torch.ones(2, 3, 3).double())",
    "nn.GRU(3, 4)(torch.ones(2, 3, 3), torch.ones(2, 4))",
    "nn.GRU(3, 4)(torch.ones(2, 3), torch.ones(2, 3, 4))",
    "nn.RNN(3, 4)(torch.ones(2, 2, 2, 3))",
    "nn.RNN(3, 4, nonlinearity='x')",
    "nn.GRU(3, 4, proj_size=2)",
    "nn.LSTM(3, 4, proj_size=4)",
    "nn.LSTM(3, 4, dropout=2)",
    "nn.LSTM(3, 0)",
    "nn.LSTM(3, 4.0)",
    "nn.LSTM(3, 4, bias=1)",
    "nn.LSTM(3, 4, num_layers=0)",
    "nn.LSTMCell(3, 4)(torch.ones(2, 4))",
    "nn.LSTMCell(3, 4)(torch.ones(2, 2, 3))",
    "nn.GRUCell(3, 4)(torch.ones(2, 3), torch.ones(3, 4))",
    "nn.GRUCell(3, 4)(torch.ones(2, 3), torch.ones(2, 5))",
    "nn.RNNCell(3, 4, nonlinearity='x')(torch.ones(2, 3))",
    "rnn.pack_padded_sequence(torch.ones(4, 3, 2), [4, 2])",
    "rnn.pack_padded_sequence(torch.ones(4, 3, 2), [1, 2, 4])",
    "rnn.pack_padded_sequence(torch.ones(4, 3, 2), [4, 2, 0])",
    "rnn.pack_padded_sequence(torch.ones(4, 3, 2), torch.tensor([[4, 2, 1]]))",
    "rnn.pack_padded_sequence(torch.ones(3, 0, 2), [])",
    "rnn.pad_packed_sequence(rnn.pack_sequence([torch.ones(3)]), total_length=2)",
    "rnn.pad_sequence([])",
    "rnn.pad_sequence([torch.ones(3, 2), torch.ones(2, 3)])",
    "rnn.pad_sequence([torch.ones(3)], padding_side='x')",
    "rnn.PackedSequence(torch.ones(3))",
]


@pytest.mark.parametrize("call", REFUSED)
def test_refusal(call: str) -> None:
    outcome = []
    for lib in (torchlike, torch):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is compared
            eval(call, {"torch": lib, "nn": lib.nn, "rnn": lib.nn.utils.rnn})
        outcome.append((caught.type.__name__, str(caught.value).split(". ")[0]))
    assert outcome[0] == outcome[1]


def test_packing_prints_as_pytorch() -> None:
    texts = []
    for lib in (torchlike, torch):
        rnn = lib.nn.utils.rnn
        parts = [lib.arange(2), lib.arange(4), lib.arange(3)]
        value = rnn.pack_sequence(parts, enforce_sorted=False)
        left = rnn.pad_sequence(parts, batch_first=True, padding_value=-1, padding_side="left")
        texts.append([repr(value), repr(rnn.pad_packed_sequence(value)), repr(rnn.unpack_sequence(value)), repr(left)])
    assert texts[0] == texts[1]
