"""The text of a tensor: what ``repr``, ``str`` and ``print`` show, to the character.

The way down: ``tensor_text`` decides what stands around the values (name, ``dtype=``, ``grad_fn=`` ...),
``format_array`` lays out the values of a NumPy array, ``_cells`` writes the numbers of one array so that they all have
one width. A large tensor is cut to the corners that are shown before any of it leaves its device.
"""

from __future__ import annotations

import contextlib
import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from torchlike._core import dispatch, levels
from torchlike._core import dtype as dtypes
from torchlike._core.lifted import Batched, Dual, GradLevel, Lifted
from torchlike._core.tensor_state import modes

__all__ = ["PRINT_OPTS", "format_array", "get_printoptions", "printoptions", "set_printoptions", "tensor_text"]


@dataclasses.dataclass
class PrintOptions:
    """How tensors are printed; see :func:`set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PRINT_OPTS = PrintOptions()

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": float("inf"), "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed; what is None stays as it is, except ``sci_mode``.

    Args:
        precision: digits after the decimal point (4 at the start).
        threshold: tensors with more elements are summarised (1000).
        edgeitems: how many elements a summary shows at each end of a dimension (3).
        linewidth: characters in a line before values wrap (80).
        profile: ``"default"``, ``"short"`` (two digits, two edge items) or ``"full"`` (nothing is summarised); the
            other arguments override it, and an unknown name changes nothing.
        sci_mode: True or False for always or never scientific notation; None, also when left out, lets the values
            decide: when the largest magnitude is above 1e8, the smallest below 1e-4, or their ratio above 1000.

    Example::

        >>> torch.set_printoptions(precision=2)
        >>> torch.tensor([1.12345])
        tensor([1.12])
        >>> torch.set_printoptions(threshold=5)
        >>> torch.arange(10)
        tensor([0, 1, 2,  ..., 7, 8, 9])
        >>> torch.set_printoptions(profile="default")
        >>> torch.tensor([1.12345])
        tensor([1.1235])
    """
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    chosen = dict(_PROFILES.get(profile, {})) if profile is not None else {}
    chosen.update((name, value) for name, value in given.items() if value is not None)
    for name, value in chosen.items():
        setattr(PRINT_OPTS, name, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the options in force, in a form that ``set_printoptions(**options)`` takes back."""
    return dataclasses.asdict(PRINT_OPTS)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Print with other options inside a ``with`` block; takes what :func:`set_printoptions` takes."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_text(tensor: Any, *, contents: str | None = None) -> str:
    """Return what ``repr(tensor)`` shows; ``contents`` replaces the values between the parentheses.

    A class that prints as ``tensor(...)`` says so by ``_printed_as`` in its own body; a subclass prints its own name.
    """
    kind = type(tensor)
    plain = vars(kind).get("_printed_as")
    prefix = f"{plain or kind.__name__}("
    held = tensor._storage.array
    if contents is None and (modes.levels or isinstance(held, Lifted)):
        inside = _inside_transform(tensor)
        if inside is not None:
            return inside
    if contents is None:
        contents = _contents(tensor, len(prefix))
    text = _with_suffixes(prefix + contents, _suffixes(tensor), len(prefix))
    if plain is None and getattr(tensor, "_is_param", False):
        return f"Parameter({text})"
    return text


def _inside_transform(tensor: Any) -> str | None:
    """How PyTorch shows a tensor inside a function transform: which one, and what is behind it."""
    held = dispatch.array_of(tensor)
    level = modes.levels[-1] if modes.levels else None
    if isinstance(level, GradLevel) and getattr(tensor._storage, "born", 0) == level.id:
        with levels.only(levels.below(level)):
            inner = repr(dispatch.alias(tensor))
        return f"GradTrackingTensor(lvl={level.depth}, value=\n{textwrap.indent(inner, ' ' * 4)}\n)"
    if isinstance(held, Batched):
        dim = 0 if held.batched else -1
        head, inner = f"BatchedTensor(lvl={held.level.depth}, bdim={dim}, value=", repr(held.inner)
    elif isinstance(held, Dual):
        if held.level.public:
            inner = repr(held.inner)
            if held.tangent is None:
                return inner
            # A number as Python prints it, as PyTorch does.
            tangent = repr(held.tangent) if held.shape else format(held.tangent, "")
            return f"{inner[:-1]}, tangent={tangent})"
        head, inner = f"GradTrackingTensor(lvl={held.level.depth}, value=", repr(held.inner)
    else:
        return None
    return f"{head}\n{textwrap.indent(inner, ' ' * 4)}\n)"


def _contents(tensor: Any, indent: int) -> str:
    if tensor.device.type == "meta":
        return "..."
    if 0 in tensor.shape:
        return "[]"
    array = dispatch.array_of(tensor)
    if tensor.device.type == "cpu":
        array = np.asarray(array)  # no copy
    summarise = array.size > PRINT_OPTS.threshold
    return format_array(_corners(array) if summarise else np.asarray(array), tuple(tensor.shape), indent)


def _suffixes(tensor: Any) -> list[str]:
    device, shape, dtype = tensor.device, tuple(tensor.shape), tensor.dtype
    default = dtypes.get_default_dtype()
    suffixes = []
    if device.type != "cpu":
        suffixes.append(f"device='{device}'")
    if device.type == "meta" or 0 in shape:
        # No value tells that these are int64, bool or complex: everything but the default dtype is named.
        if device.type == "meta" or len(shape) != 1:
            suffixes.append(f"size={shape}")
        named = dtype != default
    else:
        if not PRINT_OPTS.edgeitems:
            suffixes.append(f"size={shape}")
        default_complex = dtypes.complex128 if default == dtypes.float64 else dtypes.complex64
        named = dtype not in (default, default_complex, dtypes.int64, dtypes.bool)
    if named:
        suffixes.append(f"dtype={dtype}")
    name = _grad_fn_name(tensor)
    if name is not None:
        suffixes.append(f"grad_fn=<{name}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return suffixes


def _grad_fn_name(tensor: Any) -> str | None:
    try:
        grad_fn = tensor.grad_fn
    except RuntimeError:
        # A view made without gradients and then written to has no history that could be rebuilt.
        return "Invalid"
    return None if grad_fn is None else grad_fn.name().rpartition("::")[2]


def _with_suffixes(text: str, suffixes: Sequence[str], indent: int) -> str:
    """Close ``text`` with ``suffixes``, each on the line so far where it fits, else on a new one."""
    parts = [text]
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > PRINT_OPTS.linewidth:
            parts.append(",\n" + " " * indent + suffix)
            length = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            length += len(suffix) + 2
    return "".join(parts) + ")"


def _corners(array: Any) -> np.ndarray:
    """Return what a summary shows of an array (NumPy's, or a device's, which is cut before it is copied)."""
    edge = PRINT_OPTS.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            ends = [*range(edge), *range(size - edge, size)]
            array = array.take(np.asarray(ends, dtype=np.int64), axis=axis)
    return np.asarray(array)


def format_array(array: np.ndarray, shape: tuple[int, ...], indent: int) -> str:
    """Return the values in nested brackets.

    ``array`` has the shape ``shape``, or, for a summary, along each longer dimension only the first and last
    ``edgeitems`` entries. ``indent`` is the column of the first bracket.
    """
    if array.size == 0:
        return "[...]"  # a summary of no edge items
    cells, width = _complex_cells(array) if array.dtype.kind == "c" else _cells(array)
    if not shape:
        return cells[0]
    per_line = max(1, (PRINT_OPTS.linewidth - indent - (len(shape) - 1)) // (width + 2))
    cut = [full != shown for full, shown in zip(shape, array.shape, strict=True)]
    return _block(cells, array.shape, cut, indent, int(per_line))


def _block(cells: list[str], shape: tuple[int, ...], cut: list[bool], indent: int, per_line: int) -> str:
    """Return the brackets around ``cells``, the values of ``shape`` in order; ``cut`` marks summarised dimensions."""
    ndim = len(shape)
    if ndim == 1:
        entries, between, gap = cells, ", ", " ..."
    else:
        step = len(cells) // shape[0]
        parts = (cells[i : i + step] for i in range(0, len(cells), step))
        entries = [_block(part, shape[1:], cut[1:], indent + 1, per_line) for part in parts]
        between, gap = "," + "\n" * (ndim - 1) + " " * (indent + 1), "..."
    if cut[0]:
        middle = len(entries) // 2
        entries = [*entries[:middle], gap, *entries[middle:]]
    if ndim == 1 and len(entries) > per_line:
        lines = [between.join(entries[i : i + per_line]) for i in range(0, len(entries), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    return "[" + between.join(entries) + "]"


def _cells(array: np.ndarray) -> tuple[list[str], int]:
    """Return the text of each value, padded to a common width, and that width."""
    if array.dtype.kind in "biu":
        cells = [str(value) for value in array.reshape(-1).tolist()]
        width = max(map(len, cells))
    else:
        cells, width = _float_cells(array)
    return [cell.rjust(width) for cell in cells], width


def _float_cells(array: np.ndarray) -> tuple[list[str], int]:
    # Magnitudes are compared in float64 whatever the dtype.
    values = array.reshape(-1).astype(np.float64)
    if array.dtype.name == "float8_e8m0fnu":
        # It has no zero: PyTorch's comparison with 0 finds the least number instead, and its isfinite finds no nan.
        judged = values != 2.0**-127
    else:
        judged = (values != 0) & np.isfinite(values)
    if not judged.any():
        return [_integral(value) for value in values.tolist()], 1
    magnitudes = np.abs(values[judged])
    if PRINT_OPTS.sci_mode is None:
        low, high = magnitudes.min(), magnitudes.max()
        scientific = bool(high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4)
    else:
        scientific = bool(PRINT_OPTS.sci_mode)
    integral = bool((magnitudes == np.ceil(magnitudes)).all())
    if integral and not scientific:
        cells = [_integral(value) for value in values.tolist()]
    else:
        spec = f".{PRINT_OPTS.precision}{'e' if scientific else 'f'}"
        cells = [format(value, spec) for value in values.tolist()]
    # Zeros and non-finite values do not widen the column.
    width = max(len(cell) for cell, counts in zip(cells, judged.tolist(), strict=True) if counts)
    return cells, width


def _integral(value: float) -> str:
    text = format(value, ".0f")
    return text if text[-1] in "fn" else text + "."  # inf, nan


def _complex_cells(array: np.ndarray) -> tuple[list[str], int]:
    real, real_width = _cells(array.real)
    imaginary, imaginary_width = _cells(array.imag)
    cells = []
    for re, im in zip(real, imaginary, strict=True):
        im = im.lstrip()
        cells.append(f"{re}{im}j" if im[0] in "+-" else f"{re}+{im}j")
    return cells, real_width + imaginary_width + 1
