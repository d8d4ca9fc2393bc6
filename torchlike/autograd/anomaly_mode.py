"""Anomaly mode: an error or a NaN in the backward is traced back to the line of the forward."""

from __future__ import annotations

import os
import traceback
import warnings

from torchlike._core.backward import running
from torchlike._core.tape import Node, extras_of, watching

__all__ = ["detect_anomaly", "set_detect_anomaly"]


# The lines of the user's program are wanted, not ours.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def _note(node: Node) -> None:
    """Remember where a node was made, and which node's backward made it."""
    metadata = extras_of(node).metadata
    metadata["traceback_"] = traceback.format_list(
        [frame for frame in traceback.extract_stack() if not frame.filename.startswith((_PACKAGE, "<torchlike"))]
    )
    task = running.task
    if task is not None and task.node is not None:
        metadata["parent_"] = task.node


def _explain(node: Node) -> None:
    """Warn with the line of the forward that made a node whose backward failed."""
    name = node.name()
    current: Node | None = node
    first = True
    while current is not None:
        metadata = {} if current.extras is None else current.extras.metadata
        lines = metadata.get("traceback_")
        if first:
            text = f"Error detected in {name}. "
            text += (
                "No forward pass information available. Enable detect anomaly during forward pass for more information."
                if lines is None
                else f"Traceback of forward call that caused the error:\n{''.join(lines)}"
            )
        else:
            before = (
                ""
                if lines is None
                else f"Traceback of forward call that induced the previous calculation:\n{''.join(lines)}"
            )
            text = f"\n\nPrevious calculation was induced by {current.name()}. {before}"
        warnings.warn(text, UserWarning, stacklevel=2)
        current = metadata.get("parent_")
        first = False


watching.note = _note
watching.explain = _explain


class set_detect_anomaly:
    """Switch anomaly mode on or off, at once as a function or for a block as a context manager.

    Each recorded operation then remembers its place in the program, and with ``check_nan`` a NaN among the gradients
    raises RuntimeError. This is slow: for debugging only.

    >>> with torch.autograd.set_detect_anomaly(True):
    ...     x = torch.tensor(2., requires_grad=True)
    ...     (x * x).backward()
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.previous = watching.anomaly, watching.check_nan
        _set(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        _set(*self.previous)


class detect_anomaly:
    """A block in anomaly mode, see `set_detect_anomaly`; warns that it is slow."""

    def __init__(self, check_nan: bool = True) -> None:
        self.previous = watching.anomaly, watching.check_nan
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for"
            " debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self.previous = watching.anomaly, watching.check_nan
        _set(True, self.check_nan)

    def __exit__(self, *exception: object) -> None:
        _set(*self.previous)


def _set(mode: bool, check_nan: bool) -> None:
    watching.anomaly = mode
    watching.check_nan = check_nan
    watching.update()


def is_anomaly_enabled() -> bool:
    """Return whether anomaly mode is on."""
    return watching.anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether anomaly mode looks for NaN."""
    return watching.check_nan
