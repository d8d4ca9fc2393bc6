"""Recurrent layers: one operator for all time steps of a layer and direction, on lax.scan; cells of one step.

The gates of LSTM (Hochreiter & Schmidhuber, 1997; projections by Sak et al., 2014) and GRU (Cho et al., 2014) are
stacked in the weights in PyTorch's order: input, forget, cell, output; reset, update, new.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from torchlike._core.op import Array, op

__all__: list[str] = []

# The parts of a layer's state: (hidden,) or (hidden, cell).
State = tuple[Any, ...]


def _wide(x: Any) -> Any:
    """Halves as float32: gates are computed in it and rounded once."""
    return x.astype(jnp.float32) if x is not None and x.dtype in (jnp.float16, jnp.bfloat16) else x


def _product(x: Any, weight: Any) -> Any:
    """``x @ weight.T`` over the last dimension."""
    return lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())), precision=lax.Precision.HIGHEST)


def _plus(x: Any, bias: Any) -> Any:
    return x if bias is None else x + bias


def _step(mode: str, gates: Any, state: State, w_hh: Any, b_hh: Any, w_hr: Any) -> State:
    """The state after one time step, given the products of the step's input with its weights."""
    hidden = state[0]
    if mode == "GRU":
        from_input = jnp.split(gates, 3, -1)
        from_hidden = jnp.split(_plus(_product(hidden, w_hh), b_hh), 3, -1)
        reset = jax.nn.sigmoid(from_input[0] + from_hidden[0])
        update = jax.nn.sigmoid(from_input[1] + from_hidden[1])
        new = jnp.tanh(from_input[2] + reset * from_hidden[2])
        return (new + update * (hidden - new),)
    gates = gates + _plus(_product(hidden, w_hh), b_hh)
    if mode == "RNN_TANH":
        return (jnp.tanh(gates),)
    if mode == "RNN_RELU":
        return (jax.nn.relu(gates),)
    enter, forget, cell, leave = jnp.split(gates, 4, -1)
    kept = jax.nn.sigmoid(forget) * state[1] + jax.nn.sigmoid(enter) * jnp.tanh(cell)
    shown = jax.nn.sigmoid(leave) * jnp.tanh(kept)
    return (shown if w_hr is None else _product(shown, w_hr)), kept


def _node(pattern: Any, **options: Any) -> str:
    # PyTorch hands an LSTM without projection to oneDNN, which is a node of its own.
    cell, projection = pattern[2], pattern[7]
    return "StackBackward0" if cell is type(None) or projection is not type(None) else "MkldnnRnnLayerBackward0"


@op(method=False, out=False, residuals="vjp", node=_node)
def _recurrent_layer(
    input: Array,
    hidden: Array,
    cell: Array | None,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    w_hr: Array | None,
    lengths: Array | None,
    mode: str,
    reverse: bool,
) -> Any:
    """Outputs (time, batch, hidden) of a layer over inputs (time, batch, features), and its last state.

    ``lengths`` (batch) says how many steps each sequence has; beyond them the state stays, so that a reversed layer
    starts at the last step of each sequence.
    """
    kind = input.dtype
    w_hh, b_hh, w_hr = _wide(w_hh), _wide(b_hh), _wide(w_hr)
    gates = _plus(_product(_wide(input), _wide(w_ih)), _wide(b_ih))
    start: State = (hidden,) if cell is None else (hidden, cell)
    steps = jnp.arange(input.shape[0])

    def step(state: State, inputs: Any) -> tuple[State, Any]:
        number, part = inputs
        new = _step(mode, part, tuple(_wide(s) for s in state), w_hh, b_hh, w_hr)
        new = tuple(n.astype(kind) for n in new)
        if lengths is not None:
            runs = (number < lengths)[:, None]
            new = tuple(jnp.where(runs, n, s) for n, s in zip(new, state, strict=True))
        return new, new[0]

    last, outputs = lax.scan(step, start, (steps, gates), reverse=reverse)
    return (outputs, *last)


_CELL_NODES = {"LSTM": "MulBackward0", "GRU": "AddBackward0", "RNN_TANH": "TanhBackward0", "RNN_RELU": "ReluBackward0"}


def _cell_node(pattern: Any, mode: str) -> str:
    return _CELL_NODES[mode]


@op(method=False, out=False, node=_cell_node)
def _recurrent_cell(
    input: Array,
    hidden: Array,
    cell: Array | None,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    mode: str,
) -> Any:
    """The state after one step of inputs (batch, features)."""
    state: State = (hidden,) if cell is None else (hidden, cell)
    gates = _plus(_product(_wide(input), _wide(w_ih)), _wide(b_ih))
    new = _step(mode, gates, tuple(_wide(s) for s in state), _wide(w_hh), _wide(b_hh), None)
    rounded = tuple(n.astype(input.dtype) for n in new)
    return rounded if len(rounded) > 1 else rounded[0]


# ---------------------------------------------------------------------------------------------------------------------
# Sequences of different lengths, packed: the rows of all sequences at step 0, then those at step 1 ...


@op(method=False, out=False, node="PackPaddedSequenceBackward0")
def _pack_padded_sequence(input: Array, rows: Array) -> Array:
    """The rows of (time, batch, ...) that belong to sequences, one after the other."""
    return jnp.take(input.reshape(-1, *input.shape[2:]), rows, axis=0, mode="clip")


@op(method=False, out=False, node="PadPackedSequenceBackward0")
def _pad_packed_sequence(input: Array, rows: Array, steps: int, batch: int, value: float) -> Array:
    """The rows put back at their places in (steps, batch, ...), ``value`` elsewhere."""
    full = jnp.full((steps * batch, *input.shape[1:]), value, input.dtype)
    return full.at[rows].set(input).reshape(steps, batch, *input.shape[1:])
