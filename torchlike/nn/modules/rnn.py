"""Recurrent networks, and their cells."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any, ClassVar

from torchlike import _recurrent, ops
from torchlike.nn import init
from torchlike.nn.modules.module import Module
from torchlike.nn.parameter import Parameter
from torchlike.nn.utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

Tensor = Any

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_NETWORKS = {
    "LSTM": _recurrent.lstm,
    "GRU": _recurrent.gru,
    "RNN_TANH": _recurrent.rnn_tanh,
    "RNN_RELU": _recurrent.rnn_relu,
}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: the weights of all layers and directions, and the checks of the arguments.

    The weights start uniform within ``1 / sqrt(hidden_size)``. Raises ValueError and TypeError for options that make no
    sense.

    >>> [name for name, _ in torch.nn.RNN(2, 3).named_parameters()]
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """

    __constants__: ClassVar[list[str]] = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        directions = 2 if bidirectional else 1
        gates, shown = _GATES[mode] * hidden_size, proj_size or hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            features = input_size if layer == 0 else shown * directions
            for suffix in ("", "_reverse")[:directions]:
                sizes: dict[str, Any] = {"weight_ih": (gates, features), "weight_hh": (gates, shown)}
                if bias:
                    sizes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size:
                    sizes["weight_hr"] = (proj_size, hidden_size)
                names = {f"{name}_l{layer}{suffix}": size for name, size in sizes.items()}
                for name, size in names.items():
                    setattr(self, name, Parameter(ops.empty(size, device=device, dtype=dtype)))
                self._all_weights.append(list(names))
        self.reset_parameters()

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor]:
        """The weights in the order of the layers, looked up anew: they may have been replaced."""
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Do nothing: PyTorch moves the weights into one block of GPU memory here, which XLA does not need."""

    def reset_parameters(self) -> None:
        """Draw the first values of all weights."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise for an input of another dtype, number of dimensions or features than the weights take."""
        expected = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype != expected:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({expected}). Convert input:"
                f" input.to({expected}), or convert model: model.to({input.dtype})"
            )
        dims = 2 if batch_sizes is not None else 3
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the shape of the hidden state: (layers * directions, batch, hidden or projected size)."""
        batch = int(batch_sizes[0]) if batch_sizes is not None else input.size(0 if self.batch_first else 1)
        return self.num_layers * (2 if self.bidirectional else 1), batch, self.proj_size or self.hidden_size

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise RuntimeError for a state of another shape."""
        if hx.size() != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Check the input and the state."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Reorder the batch of a state."""
        return hx if permutation is None else hx.index_select(1, permutation)

    def extra_repr(self) -> str:
        """The sizes and the options that are not the default."""
        parts = [str(self.input_size), str(self.hidden_size)]
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0}
        options = {name: getattr(self, name) for name in defaults}
        parts += [f"{name}={value}" for name, value in options.items() if value != defaults[name]]
        if self.bidirectional:
            parts.append("bidirectional=True")
        return ", ".join(parts)

    # What the three kinds have in common of ``forward`` ---------------------------------------------------------------

    def _zeros(self, input: Tensor, batch: int, size: int) -> Tensor:
        layers = self.num_layers * (2 if self.bidirectional else 1)
        return ops.zeros(layers, batch, size, dtype=input.dtype, device=input.device)

    def _run_network(self, input: Tensor, batch_sizes: Tensor | None, hx: Any) -> tuple[Any, ...]:
        network = _NETWORKS[self.mode]
        weights = self._flat_weights
        options = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        if batch_sizes is None:
            return network(input, hx, weights, *options, self.batch_first)
        return network(input, batch_sizes, hx, weights, *options)

    def _forward_one(self, input: Any, hx: Tensor | None, kind: str) -> tuple[Any, Tensor]:
        """``forward`` of the networks whose state is one tensor."""
        packed = isinstance(input, PackedSequence)
        if packed:
            value, sizes, order, back = input
            batched = True
            batch = int(sizes[0])
        else:
            value, sizes, order, back = input, None, None, None
            if value.dim() not in (2, 3):
                raise ValueError(f"{kind}: Expected input to be 2D or 3D, got {value.dim()}D {_noun(kind)}instead")
            batched = value.dim() == 3
            if not batched:
                value = value.unsqueeze(0 if self.batch_first else 1)
            if hx is not None:
                _check_dims(hx, batched)
                hx = hx if batched else hx.unsqueeze(1)
            batch = value.size(0 if self.batch_first else 1)
        hx = self._zeros(value, batch, self.hidden_size) if hx is None else self.permute_hidden(hx, order)
        self.check_forward_args(value, hx, sizes)
        output, hidden = self._run_network(value, sizes, hx)
        if packed:
            return PackedSequence(output, sizes, order, back), self.permute_hidden(hidden, back)
        if not batched:
            return output.squeeze(0 if self.batch_first else 1), hidden.squeeze(1)
        return output, hidden


def _noun(kind: str) -> str:
    return "tensor " if kind == "RNN" else ""


def _check_dims(hx: Tensor, batched: bool) -> None:
    if batched and hx.dim() != 3:
        raise RuntimeError(f"For batched 3-D input, hx should also be 3-D but got {hx.dim()}-D tensor")
    if not batched and hx.dim() != 2:
        raise RuntimeError(f"For unbatched 2-D input, hx should also be 2-D but got {hx.dim()}-D tensor")


def _check_options(
    input_size: Any, hidden_size: Any, num_layers: int, bias: Any, batch_first: Any, dropout: Any, proj_size: int
) -> None:
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers"
            f" greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value, kind in (("bias", bias, bool), ("batch_first", batch_first, bool)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


def _refuse_projection(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs or len(args) > 7:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """An Elman network: ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`` over the steps of a sequence, in several layers.

    Takes ``input_size``, ``hidden_size``, and the options ``num_layers``, ``nonlinearity`` ("tanh" or "relu"),
    ``bias``, ``batch_first``, ``dropout`` (between layers, in training), ``bidirectional``. The input is (steps, batch,
    features), (batch, steps, features) with ``batch_first``, (steps, features) or a PackedSequence; returns the outputs
    of all steps and the last hidden state (layers * directions, batch, hidden).

    >>> output, hidden = torch.nn.RNN(2, 3)(torch.zeros(5, 1, 2))
    >>> output.shape, hidden.shape
    (torch.Size([5, 1, 3]), torch.Size([1, 1, 3]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(args, kwargs)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return ``(output, h_n)``; ``hx`` is the first hidden state, zeros if None."""
        return self._forward_one(input, hx, "RNN")


class GRU(RNNBase):
    """A network of gated recurrent units; arguments and shapes are those of `RNN`, without ``nonlinearity``.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014).

    >>> output, hidden = torch.nn.GRU(2, 3, bidirectional=True)(torch.zeros(5, 1, 2))
    >>> output.shape, hidden.shape
    (torch.Size([5, 1, 6]), torch.Size([2, 1, 3]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(args, kwargs)
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return ``(output, h_n)``; ``hx`` is the first hidden state, zeros if None."""
        return self._forward_one(input, hx, "GRU")


class LSTM(RNNBase):
    """A network of long short-term memory; arguments are those of `GRU` and ``proj_size``, which projects ``h``.

    The state is a pair ``(h, c)``. Source: Hochreiter & Schmidhuber, "Long Short-Term Memory" (1997).

    >>> output, (hidden, cell) = torch.nn.LSTM(2, 3, num_layers=2)(torch.zeros(5, 1, 2))
    >>> output.shape, hidden.shape, cell.shape
    (torch.Size([5, 1, 3]), torch.Size([2, 1, 3]), torch.Size([2, 1, 3]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the shape of the cell state."""
        layers, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, batch, self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Check the input and both parts of the state."""
        self.check_input(input, batch_sizes)
        expected = self.get_expected_hidden_size(input, batch_sizes)
        self.check_hidden_size(hidden[0], expected, "Expected hidden[0] size {}, got {}")
        expected = self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[1], expected, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Reorder the batch of a state."""
        return hx if permutation is None else tuple(part.index_select(1, permutation) for part in hx)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Return ``(output, (h_n, c_n))``; ``hx`` is the first state ``(h_0, c_0)``, zeros if None."""
        packed = isinstance(input, PackedSequence)
        if packed:
            value, sizes, order, back = input
            batched = True
            batch = int(sizes[0])
        else:
            value, sizes, order, back = input, None, None, None
            if value.dim() not in (2, 3):
                raise ValueError(f"LSTM: Expected input to be 2D or 3D, got {value.dim()}D instead")
            batched = value.dim() == 3
            if not batched:
                value = value.unsqueeze(0 if self.batch_first else 1)
            batch = value.size(0 if self.batch_first else 1)
        state: Any
        if hx is None:
            state = (
                self._zeros(value, batch, self.proj_size or self.hidden_size),
                self._zeros(value, batch, self.hidden_size),
            )
        else:
            if not packed:
                _check_pair(hx, batched)
                hx = hx if batched else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
            state = self.permute_hidden(hx, order)
        self.check_forward_args(value, state, sizes)
        output, hidden, cell = self._run_network(value, sizes, state)
        if packed:
            return PackedSequence(output, sizes, order, back), self.permute_hidden((hidden, cell), back)
        if not batched:
            return output.squeeze(0 if self.batch_first else 1), (hidden.squeeze(1), cell.squeeze(1))
        return output, (hidden, cell)


def _check_pair(hx: Any, batched: bool) -> None:
    dims = 3 if batched else 2
    if hx[0].dim() != dims or hx[1].dim() != dims:
        kind = "batched 3-D" if batched else "unbatched 2-D"
        raise RuntimeError(
            f"For {kind} input, hx and cx should also be {dims}-D but got ({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
        )


# ---------------------------------------------------------------------------------------------------------------------
# Cells


class RNNCellBase(Module):
    """What the cells share: the weights of one step, drawn uniform within ``1 / sqrt(hidden_size)``.

    >>> [name for name, _ in torch.nn.GRUCell(2, 3).named_parameters()]
    ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']
    """

    __constants__: ClassVar[list[str]] = ["input_size", "hidden_size", "bias"]

    input_size: int
    hidden_size: int
    bias: bool
    weight_ih: Tensor
    weight_hh: Tensor

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        self.weight_ih = Parameter(ops.empty((gates, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(ops.empty((gates, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(ops.empty(gates, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def extra_repr(self) -> str:
        """The sizes and the options that are not the default."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def reset_parameters(self) -> None:
        """Draw the first values of the weights."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, function: Any, input: Tensor, hx: Any, kind: str) -> Any:
        """One step over a batch or a single input, from a given state or from zeros."""
        if input.dim() not in (1, 2):
            raise ValueError(f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        pair = kind == "LSTMCell"
        for number, part in enumerate(() if hx is None else hx if pair else (hx,)):
            if part.dim() not in (1, 2):
                name = f"hx[{number}]" if pair else "hidden"
                raise ValueError(f"{kind}: Expected {name} to be 1D or 2D, got {part.dim()}D instead")
        batched = input.dim() == 2
        value = input if batched else input.unsqueeze(0)
        if hx is None:
            zeros = ops.zeros(value.size(0), self.hidden_size, dtype=input.dtype, device=input.device)
            state = (zeros, zeros) if pair else zeros
        elif batched:
            state = hx
        else:
            state = tuple(part.unsqueeze(0) for part in hx) if pair else hx.unsqueeze(0)
        result = function(value, state, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if batched:
            return result
        return tuple(part.squeeze(0) for part in result) if pair else result.squeeze(0)


class RNNCell(RNNCellBase):
    """One step of an Elman network: inputs (batch, features) or (features), state (batch, hidden) or (hidden).

    Raises RuntimeError, when called, for a ``nonlinearity`` other than "tanh" and "relu".

    >>> torch.nn.RNNCell(2, 3)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    __constants__: ClassVar[list[str]] = ["input_size", "hidden_size", "bias", "nonlinearity"]

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state; ``hx`` is the present one, zeros if None."""
        functions = {"tanh": _recurrent.rnn_tanh_cell, "relu": _recurrent.rnn_relu_cell}
        function = functions.get(self.nonlinearity)
        if function is None:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(function, input, hx, "RNNCell")


class GRUCell(RNNCellBase):
    """One step of a GRU; shapes as in `RNNCell`.

    >>> torch.nn.GRUCell(2, 3)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state; ``hx`` is the present one, zeros if None."""
        return self._step(_recurrent.gru_cell, input, hx, "GRUCell")


class LSTMCell(RNNCellBase):
    """One step of an LSTM; shapes as in `RNNCell`, the state is a pair ``(h, c)``.

    >>> h, c = torch.nn.LSTMCell(2, 3)(torch.zeros(4, 2))
    >>> h.shape, c.shape
    (torch.Size([4, 3]), torch.Size([4, 3]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return the next state; ``hx`` is the present one, zeros if None."""
        result: tuple[Tensor, Tensor] = self._step(_recurrent.lstm_cell, input, hx, "LSTMCell")
        return result
