"""`BlockMask`: which blocks of an attention matrix are computed, and how programs say so."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

from torchlike._core import dtype as dtypes
from torchlike.func._vmap import vmap
from torchlike.ops import _public as ops

__all__ = ["BlockMask", "and_masks", "create_block_mask", "create_mask", "noop_mask", "or_masks"]

Tensor = Any
Mod = Callable[..., Any]
_DEFAULT_SPARSE_BLOCK_SIZE = 128
_TENSORS = (
    *("kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices"),
    *("q_num_blocks", "q_indices", "full_q_num_blocks", "full_q_indices"),
)


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """Keep everything: True for every position."""
    return ops.ones((), dtype=dtypes.bool, device=batch.device)


def _joined(mods: tuple[Mod, ...], join: Callable[[Any, Any], Any]) -> Mod:
    if not all(callable(mod) for mod in mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mods}")

    def joined(b: Tensor, h: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        found = None
        for mod in mods:
            one = mod(b, h, q, kv)
            found = one if found is None else join(found, one)
        return found

    return joined


def or_masks(*mask_mods: Mod) -> Mod:
    """Return a rule that keeps what any of some rules keeps.

    >>> flex = torch.nn.attention.flex_attention
    >>> rule = flex.or_masks(lambda b, h, q, kv: q == kv, lambda b, h, q, kv: kv == 0)
    >>> flex.create_mask(rule, 1, 1, 2, 2, device="cpu")
    tensor([[[[ True, False],
              [ True,  True]]]])
    """
    return _joined(mask_mods, lambda a, b: a | b)


def and_masks(*mask_mods: Mod) -> Mod:
    """Return a rule that keeps what all of some rules keep."""
    return _joined(mask_mods, lambda a, b: a & b)


def over_positions(mod: Mod, *, scores: bool) -> Mod:
    """A rule for one position as one for batches, heads, queries and keys at once; scores come before the positions."""
    given = (0,) if scores else ()
    for axis in (3, 2, 1, 0):
        where = tuple(0 if i == axis else None for i in range(4))
        mod = vmap(mod, in_dims=(*given, *where))
    return mod


def positions(batch: int, heads: int, queries: int, keys: int, device: Any) -> tuple[Tensor, ...]:
    """The numbers of the batches, heads, queries and keys."""
    return tuple(ops.arange(size, device=device) for size in (batch, heads, queries, keys))


def _arguments(mod: Mod) -> int:
    parameters = inspect.signature(mod).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters)


def create_mask(mod_fn: Mod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None) -> Tensor:
    """Return the mask, ``(B, H, Q_LEN, KV_LEN)`` booleans, of a rule for one position.

    The rule takes the numbers of a batch, a head, a query and a key, or a score before them; a score that becomes -inf
    is masked. Raises AssertionError for a rule with other arguments.

    >>> flex = torch.nn.attention.flex_attention
    >>> flex.create_mask(lambda b, h, q, kv: q >= kv, 1, 1, 2, 2, device="cpu")
    tensor([[[[ True, False],
              [ True,  True]]]])
    """
    count = _arguments(mod_fn)
    assert count in (4, 5), f"Expected 4 or 5 positional args, got {count}"
    at = positions(B or 1, H or 1, Q_LEN, KV_LEN, device)
    if count == 4:
        found = over_positions(mod_fn, scores=False)(*at)
        return found.to(dtypes.bool)
    zeros = ops.zeros(tuple(len(p) for p in at), device=device)
    return ~ops.isneginf(over_positions(mod_fn, scores=True)(zeros, *at))


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _ordered(dense: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks of each row are set, and the columns with the set ones first."""
    dense = dense.to(dtypes.int32)
    order = ops.argsort(dense, dim=-1, descending=True, stable=True)
    return dense.sum(-1).to(dtypes.int32), order.to(dtypes.int32)


def _dense(counts: Tensor, indices: Tensor, columns: int) -> Tensor:
    """The matrix of blocks, 0 or 1, that counts and columns describe."""
    rank = ops.arange(indices.shape[-1], device=indices.device)
    kept = (rank < counts[..., None]).to(dtypes.int32)
    empty = ops.zeros((*indices.shape[:-1], columns), dtype=dtypes.int32, device=indices.device)
    return empty.scatter_add(-1, indices.long(), kept)


def create_block_mask(
    mask_mod: Mod,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = _DEFAULT_SPARSE_BLOCK_SIZE,
    _compile: bool = False,
    separate_full_blocks: bool = True,
    compute_dq_write_order: bool = False,
    dq_kv_order: bool = True,
) -> BlockMask:
    """Return the blocks in which a rule for one position keeps anything, and those in which it keeps everything.

    >>> flex = torch.nn.attention.flex_attention
    >>> flex.create_block_mask(lambda b, h, q, kv: q >= kv, 1, 1, 256, 256, device="cpu").sparsity()
    25.0
    """
    if compute_dq_write_order:
        raise NotImplementedError("create_block_mask: compute_dq_write_order")
    rows, columns = _pair(BLOCK_SIZE)
    mask = create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device)
    padded = _padded(mask, rows, columns)
    batch, heads, queries, keys = padded.shape
    counts = padded.reshape(batch, heads, queries // rows, rows, keys // columns, columns).sum((-3, -1))
    full = counts == rows * columns
    partial = (counts > 0) & ~full if separate_full_blocks else counts > 0
    kv_counts, kv_indices = _ordered(partial)
    full_counts, full_indices = _ordered(full) if separate_full_blocks else (None, None)
    return BlockMask.from_kv_blocks(
        kv_counts, kv_indices, full_counts, full_indices, (rows, columns), mask_mod, (Q_LEN, KV_LEN)
    )


def _padded(mask: Tensor, rows: int, columns: int) -> Tensor:
    """A mask with rows and columns of False up to whole blocks."""
    batch, heads, queries, keys = mask.shape
    found = ops.zeros(
        (batch, heads, queries + -queries % rows, keys + -keys % columns), dtype=dtypes.bool, device=mask.device
    )
    found[:, :, :queries, :keys] = mask
    return found


class BlockMask:
    """The blocks of an attention matrix that are computed, by rows and by columns, and the rule inside of them.

    ``kv_num_blocks`` and ``kv_indices`` say for each row of blocks how many are kept in part, and their columns first;
    ``full_...`` which are kept whole, where the rule is not asked; ``q_...`` the same by columns.
    """

    def __init__(
        self,
        seq_lengths: tuple[int, int],
        kv_num_blocks: Tensor,
        kv_indices: Tensor,
        full_kv_num_blocks: Tensor | None,
        full_kv_indices: Tensor | None,
        q_num_blocks: Tensor | None,
        q_indices: Tensor | None,
        full_q_num_blocks: Tensor | None,
        full_q_indices: Tensor | None,
        BLOCK_SIZE: tuple[int, int] = (_DEFAULT_SPARSE_BLOCK_SIZE, _DEFAULT_SPARSE_BLOCK_SIZE),
        mask_mod: Mod = noop_mask,
    ) -> None:
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        assert (full_kv_num_blocks is None) == (full_kv_indices is None), (
            "full_kv_num_blocks and full_kv_indices must be both provided or omitted"
        )
        self.seq_lengths = seq_lengths
        self.kv_num_blocks, self.kv_indices = kv_num_blocks, kv_indices
        self.full_kv_num_blocks, self.full_kv_indices = full_kv_num_blocks, full_kv_indices
        self.q_num_blocks, self.q_indices = q_num_blocks, q_indices
        self.full_q_num_blocks, self.full_q_indices = full_q_num_blocks, full_q_indices
        self.BLOCK_SIZE = BLOCK_SIZE
        self.mask_mod = mask_mod

    @classmethod
    def from_kv_blocks(
        cls,
        kv_num_blocks: Tensor,
        kv_indices: Tensor,
        full_kv_num_blocks: Tensor | None = None,
        full_kv_indices: Tensor | None = None,
        BLOCK_SIZE: int | tuple[int, int] = _DEFAULT_SPARSE_BLOCK_SIZE,
        mask_mod: Mod | None = None,
        seq_lengths: tuple[int, int] | None = None,
        compute_q_blocks: bool = True,
    ) -> BlockMask:
        """Return a mask from what is said by rows; what is said by columns follows from it."""
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        size = _pair(BLOCK_SIZE)
        rows, columns = kv_indices.shape[-2:]
        by_columns: list[Any] = [None] * 4
        if compute_q_blocks:
            by_columns[:2] = _ordered(_dense(kv_num_blocks, kv_indices, columns).transpose(-2, -1))
            if full_kv_num_blocks is not None:
                by_columns[2:] = _ordered(_dense(full_kv_num_blocks, full_kv_indices, columns).transpose(-2, -1))
        lengths = seq_lengths or (rows * size[0], columns * size[1])
        given: Any = (kv_num_blocks, kv_indices, full_kv_num_blocks, full_kv_indices, *by_columns)
        return cls(lengths, **dict(zip(_TENSORS, given, strict=True)), BLOCK_SIZE=size, mask_mod=mask_mod or noop_mask)

    def as_tuple(self, flatten: bool = True) -> tuple[Any, ...]:
        """Return all parts as a tuple, with pairs taken apart if asked for."""
        sizes: tuple[Any, ...] = (*self.BLOCK_SIZE,) if flatten else (self.BLOCK_SIZE,)
        lengths: tuple[Any, ...] = (*self.seq_lengths,) if flatten else (self.seq_lengths,)
        return (*lengths, *(getattr(self, name) for name in _TENSORS), *sizes, self.mask_mod)

    @property
    def shape(self) -> tuple[int, ...]:
        """The batches, heads, queries and keys."""
        return (*self.kv_indices.shape[:-2], *self.seq_lengths)

    def numel(self) -> int:
        """Return how many positions there are."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    def sparsity(self) -> float:
        """Return the share of positions, in percent, that are in no block that is computed."""
        blocks = int(self.kv_num_blocks.sum())
        if self.full_kv_num_blocks is not None:
            blocks += int(self.full_kv_num_blocks.sum())
        return 100 * (1 - blocks * self.BLOCK_SIZE[0] * self.BLOCK_SIZE[1] / self.numel())

    def to_dense(self) -> Tensor:
        """Return the matrix of blocks: 1 for those that are computed."""
        columns = self.kv_indices.shape[-1]
        found = _dense(self.kv_num_blocks, self.kv_indices, columns)
        if self.full_kv_num_blocks is not None:
            found = found | _dense(self.full_kv_num_blocks, self.full_kv_indices, columns)
        return found

    def to_string(self, grid_size: int | tuple[int, int] = (20, 20), limit: int = 4) -> str:
        """Return a picture of the blocks of some batches and heads: full, half full or empty cells."""
        most_rows, most_columns = self.to_dense().shape[-2:] if grid_size == -1 else _pair(grid_size)
        dense = self.to_dense()
        lines: list[str] = []
        for number, place in enumerate(itertools.product(*[range(size) for size in dense.shape[:-2]])):
            if number == limit:
                lines += [
                    "...",
                    "To print out more, set BlockMask.to_string(limit=N)",
                    "You can also index (BlockMask[batch, head]) to choose a specific batch or head",
                ]
                break
            lines.append(_picture(place, dense[place], most_rows, most_columns))
        return "\n".join(lines)

    def __getitem__(self, index: Any) -> BlockMask:
        places = index if isinstance(index, tuple) else (index,)
        # A number keeps the dimension, so that the mask is one of a batch still.
        places = tuple(slice(i, i + 1 or None) if isinstance(i, int) else i for i in places)
        parts = {name: getattr(self, name) for name in _TENSORS[:4]}
        chosen = {name: None if part is None else part[places] for name, part in parts.items()}
        return BlockMask.from_kv_blocks(
            **chosen,
            BLOCK_SIZE=self.BLOCK_SIZE,
            mask_mod=None,
            seq_lengths=self.seq_lengths,
            compute_q_blocks=self.q_indices is not None,
        )

    def _adjust(self, new_q_len: int, new_kv_len: int) -> BlockMask:
        rows = -(-new_q_len // self.BLOCK_SIZE[0])
        columns = -(-new_kv_len // self.BLOCK_SIZE[1])

        def cut(counts: Tensor | None, indices: Tensor | None) -> tuple[Any, Any]:
            if counts is None or indices is None:
                return None, None
            return _ordered(_dense(counts, indices, indices.shape[-1])[..., :rows, :columns])

        partial = cut(self.kv_num_blocks, self.kv_indices)
        full = cut(self.full_kv_num_blocks, self.full_kv_indices)
        return BlockMask.from_kv_blocks(*partial, *full, self.BLOCK_SIZE, self.mask_mod, (new_q_len, new_kv_len))

    def to(self, device: Any) -> BlockMask:
        """Return the mask with its tensors on a device."""
        parts = {name: getattr(self, name) for name in _TENSORS}
        moved: dict[str, Any] = {name: None if part is None else part.to(device) for name, part in parts.items()}
        return BlockMask(self.seq_lengths, **moved, BLOCK_SIZE=self.BLOCK_SIZE, mask_mod=self.mask_mod)

    def __str__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%, \n{self.to_string().strip()}\n)"

    def __repr__(self) -> str:
        shapes = [(name, getattr(self, name)) for name in _TENSORS]
        lines = [f"    {name}={None if part is None else part.shape},\n" for name, part in shapes]
        rule = self.mask_mod.__name__ if hasattr(self.mask_mod, "__name__") else self.mask_mod
        return (
            f"BlockMask(\n{''.join(lines)}    BLOCK_SIZE={self.BLOCK_SIZE},\n    shape={self.shape},\n"
            f"    sparsity={self.sparsity():.2f}%,\n    mask_mod={rule}\n)"
        )


def _picture(place: tuple[int, ...], dense: Tensor, most_rows: int, most_columns: int) -> str:
    rows, columns = dense.shape
    down, across = max(1, -(-rows // most_rows)), max(1, -(-columns // most_columns))

    def cell(row: int, column: int) -> str:
        share = dense[row : row + down, column : column + across].float().mean().item()
        return {1.0: "█", 0.0: " "}.get(share, "░") * 2

    lines = ["".join(cell(r, c) for c in range(0, columns, across)) for r in range(0, rows, down)]
    return f"{place}\n" + "".join(f"{line}\n" for line in lines)
