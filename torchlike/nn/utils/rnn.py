"""Sequences of different lengths in one tensor: padded, or packed step by step for recurrent layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from torchlike import ops
from torchlike._construct import as_tensor, from_numpy
from torchlike._core.errors import check
from torchlike._recurrent import Packing
from torchlike._tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """The data of sequences, the first steps of all of them, then the second ones ..., longest sequence first.

    ``data`` (total steps, ...); ``batch_sizes``, on the CPU, how many sequences have each step; ``sorted_indices`` and
    ``unsorted_indices``, how the batch was sorted and how to undo it, or None. Made by `pack_sequence` and
    `pack_padded_sequence`.

    >>> rnn = torch.nn.utils.rnn
    >>> packed = rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            # The older form: one pair.
            check(
                isinstance(data, list | tuple) and len(data) == 2,
                "Expected data to be a list or tuple of length 2",
                AssertionError,
            )
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually."
                " They should be instantiated by functions like pack_sequence and pack_padded_sequences in"
                " nn.utils.rnn."
                " https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert the data as `Tensor.to` does; the indices follow its device. The same object if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        copy = {name: value for name, value in kwargs.items() if name in ("copy", "non_blocking")}

        def moved(indices: Tensor | None) -> Tensor | None:
            return None if indices is None else indices.to(data.device, **copy)

        return type(self)(data, self.batch_sizes, moved(self.sorted_indices), moved(self.unsorted_indices))

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """Move to a GPU."""
        probe = ops.zeros(1).to(*args, **kwargs)
        return self.to(*args, **kwargs) if probe.is_cuda else self.to(*args, device="cuda", **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """Move to the CPU."""
        probe = ops.zeros(1).to(*args, **kwargs)
        return self.to(*args, **kwargs) if probe.device.type == "cpu" else self.to(*args, device="cpu", **kwargs)

    def pin_memory(self) -> Self:
        """Pin the memory of data and indices."""

        def pinned(indices: Tensor | None) -> Tensor | None:
            return None if indices is None else indices.pin_memory()

        return type(self)(
            self.data.pin_memory(), self.batch_sizes, pinned(self.sorted_indices), pinned(self.unsorted_indices)
        )

    def double(self) -> Self:
        """Convert the data to float64."""
        return self.to(dtype=ops.zeros(0).double().dtype)

    def float(self) -> Self:
        """Convert the data to float32."""
        return self.to(dtype=ops.zeros(0).float().dtype)

    def half(self) -> Self:
        """Convert the data to float16."""
        return self.to(dtype=ops.zeros(0).half().dtype)

    def long(self) -> Self:
        """Convert the data to int64."""
        return self.to(dtype=ops.zeros(0).long().dtype)

    def int(self) -> Self:
        """Convert the data to int32."""
        return self.to(dtype=ops.zeros(0).int().dtype)

    def short(self) -> Self:
        """Convert the data to int16."""
        return self.to(dtype=ops.zeros(0).short().dtype)

    def char(self) -> Self:
        """Convert the data to int8."""
        return self.to(dtype=ops.zeros(0).char().dtype)

    def byte(self) -> Self:
        """Convert the data to uint8."""
        return self.to(dtype=ops.zeros(0).byte().dtype)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return bool(self.data.is_cuda)

    def is_pinned(self) -> bool:
        """Whether the data is in pinned memory."""
        return bool(self.data.is_pinned())


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes one; None for None.

    >>> torch.nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    places = ops.arange(0, permutation.numel(), device=permutation.device)
    return ops.empty_like(permutation).scatter_(0, permutation, places)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch (steps, batch, ...), or (batch, steps, ...) with ``batch_first``.

    ``lengths`` are those of the sequences, a list or a CPU tensor; they must fall unless ``enforce_sorted=False``,
    which sorts the batch. Raises RuntimeError for lengths that are not positive, not in order, or not as many as the
    sequences.

    >>> rnn = torch.nn.utils.rnn
    >>> rnn.pack_padded_sequence(torch.tensor([[1, 3], [2, 0]]), [2, 1]).data
    tensor([1, 3, 2])
    """
    if not isinstance(lengths, Tensor):
        lengths = as_tensor(lengths, dtype=ops.arange(0).dtype, device="cpu")
    order = None
    if not enforce_sorted:
        lengths, order = ops.sort(lengths, descending=True)
        order = order.to(input.device)
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    check(input.numel() > 0, "Cannot pack empty tensors.")
    check(
        lengths.dim() == 1 and lengths.device.type == "cpu",
        f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D {lengths.device}"
        f" {lengths.type().rpartition('.')[2].removesuffix('Tensor')} tensor",
    )
    counts = lengths.numpy().astype(np.int64)
    steps, batch = input.size(0), input.size(1)
    check(
        len(counts) == batch,
        f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={batch})",
    )
    check(
        bool((counts > 0).all()),
        "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0",
    )
    check(
        bool((np.diff(counts) <= 0).all()),
        "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass"
        " `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do"
        " not need ONNX exportability.",
    )
    check(int(counts[0]) <= steps, f"Expected lengths of at most {steps}, the steps of the input, but got {counts[0]}")
    sizes = from_numpy((counts[None, :] > np.arange(counts[0])[:, None]).sum(1))
    return PackedSequence(Packing(sizes).packed(input), sizes, order, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the padded batch (steps, batch, ...) of packed sequences, and their lengths, in their original order.

    ``total_length`` pads to more steps than the longest sequence has. Raises ValueError for fewer.

    >>> rnn = torch.nn.utils.rnn
    >>> rnn.pad_packed_sequence(rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]), batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    packing = Packing(sequence.batch_sizes)
    steps = packing.steps
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got"
                f" total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    padded, lengths = packing.padded(sequence.data, steps, padding_value), packing.lengths
    if batch_first:
        padded = padded.transpose(0, 1)
    order = sequence.unsorted_indices
    if order is not None:
        return padded.index_select(0 if batch_first else 1, order), lengths[order.cpu()]
    return padded, lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Stack tensors (steps, ...) of different lengths into (steps, batch, ...), padded on one side.

    Raises RuntimeError for no sequence at all, for trailing sizes that differ, and for another ``padding_side``.

    >>> torch.nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    elif not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tuple(sequences)
    check(len(sequences) > 0, "received an empty list of sequences")
    check(
        padding_side in ("left", "right"), f"Expected padding_side to be one of left or right, but got {padding_side}."
    )
    longest = max(s.size(0) for s in sequences)
    trailing = sequences[0].shape[1:]
    size = (len(sequences), longest) if batch_first else (longest, len(sequences))
    result = sequences[0].new_full((*size, *trailing), padding_value)
    for number, s in enumerate(sequences):
        start = 0 if padding_side == "right" else longest - s.size(0)
        place = slice(start, start + s.size(0))
        part = result[number, place] if batch_first else result[place, number]
        part.copy_(s)
    return result


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences of a padded batch, each with its own length: undoes `pad_sequence`.

    >>> torch.nn.utils.rnn.unpad_sequence(torch.ones(2, 2), torch.tensor([2, 1]), batch_first=True)
    [tensor([1., 1.]), tensor([1.])]
    """
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    steps = ops.arange(padded_sequences.shape[1], device=lengths.device)
    return [s[steps < n] for s, n in zip(padded_sequences, lengths, strict=False)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors (steps, ...) of different lengths, which must fall unless ``enforce_sorted=False``.

    >>> torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]).batch_sizes
    tensor([2, 1])
    """
    lengths = as_tensor([s.size(0) for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences that were packed: undoes `pack_sequence`.

    >>> rnn = torch.nn.utils.rnn
    >>> rnn.unpack_sequence(rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
