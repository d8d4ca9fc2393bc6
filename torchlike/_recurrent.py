"""Whole recurrent networks as functions of the torch namespace, with PyTorch's flat lists of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from torchlike import ops
from torchlike._construct import from_numpy
from torchlike._core.errors import check
from torchlike.nn.functional.dropout import dropout as drop
from torchlike.nn.functional.recurrent import (
    _pack_padded_sequence,
    _pad_packed_sequence,
    _recurrent_cell,
    _recurrent_layer,
)

__all__ = [
    "gru",
    "gru_cell",
    "lstm",
    "lstm_cell",
    "rnn_relu",
    "rnn_relu_cell",
    "rnn_tanh",
    "rnn_tanh_cell",
]

Tensor = Any


class Packing:
    """The places of packed rows in a padded array, from the number of sequences at each step."""

    def __init__(self, batch_sizes: Tensor) -> None:
        counts: Any = np.asarray(batch_sizes.numpy())
        self.steps, self.batch = len(counts), int(counts[0])
        self.rows = from_numpy(np.concatenate([t * self.batch + np.arange(n) for t, n in enumerate(counts)]))
        self.lengths = from_numpy((counts[:, None] > np.arange(self.batch)).sum(0))

    def packed(self, padded: Tensor) -> Tensor:
        """The rows of (steps, batch, ...) that belong to sequences."""
        return _pack_padded_sequence(padded, self.rows)

    def padded(self, data: Tensor, steps: int | None = None, value: float = 0.0) -> Tensor:
        """The rows in (steps, batch, ...), ``value`` elsewhere."""
        return _pad_packed_sequence(data, self.rows, self.steps if steps is None else steps, self.batch, float(value))


def _network(
    mode: str,
    input: Tensor,
    state: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    packing: Packing | None,
) -> tuple[Tensor, ...]:
    """Outputs and last states of all layers, over inputs (time, batch, features) or packed ones."""
    directions = 2 if bidirectional else 1
    each = len(params) // (num_layers * directions)
    projected = each == (5 if has_biases else 3)
    last: list[list[Tensor]] = [[] for _ in state]
    lengths = None if packing is None else packing.lengths
    value = input if packing is None else packing.padded(input)
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            number = layer * directions + direction
            weights = params[number * each : (number + 1) * each]
            b_ih, b_hh = (weights[2], weights[3]) if has_biases else (None, None)
            w_hr = weights[-1] if projected else None
            cell = state[1][number] if len(state) > 1 else None
            output, *final = _recurrent_layer(
                value, state[0][number], cell, weights[0], weights[1], b_ih, b_hh, w_hr, lengths, mode, direction == 1
            )
            outputs.append(output)
            for found, part in zip(last, final, strict=True):
                found.append(part)
        value = outputs[0] if directions == 1 else ops.cat(outputs, 2)
        if dropout and train and layer < num_layers - 1:
            # PyTorch draws for the packed rows, in their order.
            value = drop(value, dropout) if packing is None else packing.padded(drop(packing.packed(value), dropout))
    return (value if packing is None else packing.packed(value)), *(ops.stack(part) for part in last)


def _given(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of either form: (input, hx, params, ...) or (data, batch_sizes, hx, params, ...)."""
    packed = len(args) > 3 and isinstance(args[3], list | tuple)
    check(
        len(args) == 9,
        f"{name}() takes (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first) or"
        " (data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)",
        TypeError,
    )
    if packed:
        data, sizes, hx, params, *options = args
        return data, hx, params, options, False, Packing(sizes)
    value, hx, params, *options, batch_first = args
    return value, hx, params, options, batch_first, None


def _run(name: str, mode: str, args: tuple[Any, ...]) -> tuple[Tensor, ...]:
    value, hx, params, options, batch_first, packing = _given(name, args)
    state = tuple(hx) if mode == "LSTM" else (hx,)
    if batch_first:
        value = value.transpose(0, 1)
    has_biases, num_layers, dropout, train, bidirectional = options
    output, *last = _network(mode, value, state, params, has_biases, num_layers, dropout, train, bidirectional, packing)
    if batch_first:
        output = output.transpose(0, 1) if mode == "LSTM" else output.transpose_(0, 1)
    return output, *last


def lstm(*args: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Run an LSTM of several layers: ``(output, h_n, c_n)``.

    Takes ``(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``, or for packed
    sequences ``(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)``. ``hx`` is
    ``(h_0, c_0)``; ``params`` are the weights in the order of `torch.nn.LSTM`.

    >>> net = torch.nn.LSTM(2, 3)
    >>> hx = (torch.zeros(1, 1, 3), torch.zeros(1, 1, 3))
    >>> torch.lstm(torch.ones(4, 1, 2), hx, net._flat_weights, True, 1, 0., False, False, False)[0].shape
    torch.Size([4, 1, 3])
    """
    output, hidden, cell = _run("lstm", "LSTM", args)
    return output, hidden, cell


def gru(*args: Any) -> tuple[Tensor, Tensor]:
    """Run a GRU of several layers: ``(output, h_n)``; the arguments are those of `torch.lstm` with one tensor ``hx``.

    >>> net = torch.nn.GRU(2, 3)
    >>> x, h = torch.ones(4, 1, 2), torch.zeros(1, 1, 3)
    >>> torch.gru(x, h, net._flat_weights, True, 1, 0., False, False, False)[1].shape
    torch.Size([1, 1, 3])
    """
    output, hidden = _run("gru", "GRU", args)
    return output, hidden


def rnn_tanh(*args: Any) -> tuple[Tensor, Tensor]:
    """Run an Elman network with tanh: ``(output, h_n)``; the arguments are those of `torch.gru`.

    >>> net = torch.nn.RNN(2, 3)
    >>> x, h = torch.ones(4, 1, 2), torch.zeros(1, 1, 3)
    >>> torch.rnn_tanh(x, h, net._flat_weights, True, 1, 0., False, False, False)[0].shape
    torch.Size([4, 1, 3])
    """
    output, hidden = _run("rnn_tanh", "RNN_TANH", args)
    return output, hidden


def rnn_relu(*args: Any) -> tuple[Tensor, Tensor]:
    """Run an Elman network with relu: ``(output, h_n)``; the arguments are those of `torch.gru`.

    >>> net = torch.nn.RNN(2, 3, nonlinearity="relu")
    >>> x, h = torch.ones(4, 1, 2), torch.zeros(1, 1, 3)
    >>> torch.rnn_relu(x, h, net._flat_weights, True, 1, 0., False, False, False)[0].shape
    torch.Size([4, 1, 3])
    """
    output, hidden = _run("rnn_relu", "RNN_RELU", args)
    return output, hidden


# ---------------------------------------------------------------------------------------------------------------------
# One step


def _check_cell(input: Tensor, hidden: Tensor, weight: Tensor, label: str) -> None:
    size = weight.shape[1]
    check(
        input.shape[0] == hidden.shape[0],
        f"Input batch size {input.shape[0]} doesn't match hidden{label} batch size {hidden.shape[0]}",
    )
    check(
        hidden.shape[1] == size,
        f"hidden{label} has inconsistent hidden_size: got {hidden.shape[1]}, expected {size}",
    )


def _cell(
    mode: str, input: Tensor, hidden: Tensor, cell: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> Any:
    check(
        input.shape[1] == w_ih.shape[1],
        f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}",
    )
    _check_cell(input, hidden, w_hh, "0")
    if cell is not None:
        _check_cell(input, cell, w_hh, "1")
    return _recurrent_cell(input, hidden, cell, w_ih, w_hh, b_ih, b_hh, mode)


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the state ``(h, c)`` of an LSTM after one step over inputs (batch, features).

    Raises RuntimeError for sizes that do not fit the weights.

    >>> cell = torch.nn.LSTMCell(2, 3)
    >>> h, c = torch.lstm_cell(torch.ones(1, 2), [torch.zeros(1, 3)] * 2, cell.weight_ih, cell.weight_hh)
    >>> h.shape
    torch.Size([1, 3])
    """
    check(len(hx) == 2, "lstm_cell expects two hidden states")
    hidden, cell = _cell("LSTM", input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)
    return hidden, cell


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return the state of a GRU after one step over inputs (batch, features).

    >>> cell = torch.nn.GRUCell(2, 3)
    >>> torch.gru_cell(torch.ones(1, 2), torch.zeros(1, 3), cell.weight_ih, cell.weight_hh).shape
    torch.Size([1, 3])
    """
    return _cell("GRU", input, hx, None, w_ih, w_hh, b_ih, b_hh)


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return ``tanh(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)``.

    >>> torch.rnn_tanh_cell(torch.ones(1, 1), torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    tensor([[0.7616]])
    """
    return _cell("RNN_TANH", input, hx, None, w_ih, w_hh, b_ih, b_hh)


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return ``relu(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)``.

    >>> torch.rnn_relu_cell(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    tensor([[2.]])
    """
    return _cell("RNN_RELU", input, hx, None, w_ih, w_hh, b_ih, b_hh)
