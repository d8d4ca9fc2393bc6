"""What a profiler has recorded: events, lists of them, averages, tables and traces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchlike._tensor import Tensor

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "Interval"]


def _shown_time(microseconds: float, unit: str | None = None) -> str:
    """A time as tables show it, in the unit that suits it or in the one asked for."""
    if unit is None:
        unit = "s" if microseconds >= 1e6 else "ms" if microseconds >= 1e3 else "us"
    scale = {"s": 1e6, "ms": 1e3, "us": 1.0}
    if unit not in scale:
        raise AttributeError(f"time_unit {unit} is not one of s, ms, us")
    return f"{microseconds / scale[unit]:.3f}{unit}"


def _share(part: float, whole: float) -> str:
    if whole == 0:
        assert part == 0, f"Expected time == 0 but got {part}"
        return "NaN"
    return f"{part * 100 / whole:.2f}%"


def _shown_memory(count: float) -> str:
    for size, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if abs(count) >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count:.0f} B" if count else "0 B"


@dataclass
class Interval:
    """When something began and ended, in microseconds."""

    start: float
    end: float

    def elapsed_us(self) -> float:
        """Return how long it was."""
        return self.end - self.start


class _Times:
    """The times of an event or an average, as properties and as text."""

    cpu_time_total: float
    self_cpu_time_total: float
    count: int

    @property
    def cpu_time(self) -> float:
        """The average time of a call, in microseconds."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def cpu_time_str(self) -> str:
        """The average time of a call as text."""
        return _shown_time(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        """The time of all calls as text."""
        return _shown_time(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        """The time outside of inner calls as text."""
        return _shown_time(self.self_cpu_time_total)

    # Work on accelerators is not timed by operator: XLA runs it later, and jax's own profiler shows it.
    device_time: float = 0.0
    device_time_total: float = 0.0
    self_device_time_total: float = 0.0
    cuda_time: float = 0.0
    cuda_time_total: float = 0.0
    self_cuda_time_total: float = 0.0


class FunctionEvent(_Times):
    """A call of an operator, or a block under ``record_function``."""

    def __init__(
        self,
        id: int,
        name: str,
        thread: int,
        start_us: float,
        end_us: float,
        input_shapes: list[Any] | None = None,
        stack: list[str] | None = None,
        is_user_annotation: bool = False,
        cpu_memory_usage: int = 0,
    ) -> None:
        self.id = id
        self.name = self.trace_name = name
        self.key = "ProfilerStep*" if name.startswith("ProfilerStep#") else name
        self.thread = thread
        self.time_range = Interval(start_us, end_us)
        self.input_shapes = input_shapes or []
        self.stack = stack or []
        self.is_user_annotation = is_user_annotation
        self.cpu_memory_usage = cpu_memory_usage
        self.cpu_children: list[FunctionEvent] = []
        self.cpu_parent: FunctionEvent | None = None
        self.count = 1
        self.flops = 0
        self.is_async = self.is_remote = self.is_legacy = False
        self.node_id = self.sequence_nr = -1

    def append_cpu_child(self, child: FunctionEvent) -> None:
        """Enter an event that happened inside this one."""
        self.cpu_children.append(child)
        child.cpu_parent = self

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """How long the call took, in microseconds."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """How long the call took outside of the calls inside it."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def self_cpu_memory_usage(self) -> int:
        """How much memory the results took outside of the calls inside it, in bytes."""
        return self.cpu_memory_usage - sum(child.cpu_memory_usage for child in self.cpu_children)

    def __repr__(self) -> str:
        children = [child.id for child in self.cpu_children]
        return (
            f"<FunctionEvent id={self.id} name={self.name} overload_name= device_type=DeviceType.CPU"
            f" node_id={self.node_id} cpu_time={self.cpu_time_str} start_us={self.time_range.start:.3f}"
            f" end_us={self.time_range.end:.3f} cpu_children={children} None_time=0.000us name={self.name}"
            f" thread={self.thread} input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage}"
            f" None_memory_usage=0 is_async={self.is_async} is_remote={self.is_remote} seq_nr={self.sequence_nr}"
            f" is_legacy={self.is_legacy}>"
        )


@dataclass
class FunctionEventAvg(_Times):
    """The calls of one operator together."""

    key: str | None = None
    count: int = 0
    cpu_time_total: float = 0.0
    self_cpu_time_total: float = 0.0
    cpu_memory_usage: int = 0
    self_cpu_memory_usage: int = 0
    flops: int = 0
    input_shapes: list[Any] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    is_user_annotation: bool = False

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        """Count another call, or other calls, in."""
        if self.key is None:
            self.key, self.input_shapes, self.stack = other.key, other.input_shapes, other.stack
            self.is_user_annotation = other.is_user_annotation
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        self.self_cpu_time_total += other.self_cpu_time_total
        self.cpu_memory_usage += other.cpu_memory_usage
        self.self_cpu_memory_usage += other.self_cpu_memory_usage
        return self

    def __iadd__(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        return self.add(other)

    def __repr__(self) -> str:
        shapes = "" if not self.input_shapes else str(self.input_shapes)
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str}"
            f" cpu_time={self.cpu_time_str}  self_cuda_time=0.000us cuda_time=0.000us input_shapes={shapes}"
            f" cpu_memory_usage={self.cpu_memory_usage} cuda_memory_usage=0>"
        )


class EventList(list[Any]):
    """Events, or averages of them."""

    def __init__(self, events: Iterable[Any] = (), *, profile_memory: bool = False, with_flops: bool = False) -> None:
        super().__init__(events)
        self._profile_memory = profile_memory
        self._with_flops = with_flops
        self._grouped_by_shape = False
        self._grouped_by_stack = False

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events outside of inner calls, in microseconds."""
        return float(sum(event.self_cpu_time_total for event in self))

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """Return the averages of the events with the same name, and with the same shapes and callers if asked for."""
        groups: dict[Any, FunctionEventAvg] = {}
        for event in self:
            key: tuple[Any, ...] = (event.key, event.is_user_annotation)
            if group_by_input_shapes:
                key = (*key, str(event.input_shapes))
            if group_by_stack_n > 0:
                key = (*key, *event.stack[:group_by_stack_n])
            average = groups.setdefault(key, FunctionEventAvg())
            average.add(event)
        for average in groups.values():
            average.stack = average.stack[:group_by_stack_n]
            average.input_shapes = average.input_shapes if group_by_input_shapes else []
        averages = EventList(groups.values(), profile_memory=self._profile_memory, with_flops=self._with_flops)
        averages._grouped_by_shape = group_by_input_shapes
        averages._grouped_by_stack = group_by_stack_n > 0
        return averages

    def total_average(self) -> FunctionEventAvg:
        """Return one average of all events."""
        total = FunctionEventAvg()
        for event in self:
            total.add(event)
        total.key = "Total"
        return total

    def __str__(self) -> str:
        return self.table()

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """Return the events as a table, sorted by one of their times or counts.

        Raises AttributeError for something that events do not have.
        """
        if not self:
            return ""
        events: list[Any] = list(self)
        if sort_by is not None:
            events.sort(key=lambda event: getattr(event, sort_by), reverse=True)
        if top_level_events_only:
            events = [event for event in events if getattr(event, "cpu_parent", None) is None]
        total = self.self_cpu_time_total
        columns: list[tuple[str, int | None, Callable[[Any], str]]] = [
            ("Name", max_name_column_width, lambda e: str(e.key)),
            ("Self CPU %", None, lambda e: _share(e.self_cpu_time_total, total)),
            ("Self CPU", None, lambda e: _shown_time(e.self_cpu_time_total, time_unit)),
            ("CPU total %", None, lambda e: _share(e.cpu_time_total, total)),
            ("CPU total", None, lambda e: _shown_time(e.cpu_time_total, time_unit)),
            ("CPU time avg", None, lambda e: _shown_time(e.cpu_time, time_unit)),
        ]
        if self._profile_memory:
            columns.append(("CPU Mem", None, lambda e: _shown_memory(e.cpu_memory_usage)))
            columns.append(("Self CPU Mem", None, lambda e: _shown_memory(e.self_cpu_memory_usage)))
        columns.append(("# of Calls", None, lambda e: str(e.count)))
        if self._grouped_by_shape or any(isinstance(e, FunctionEvent) and e.input_shapes for e in events):
            columns.append(("Input Shapes", max_shapes_column_width, lambda e: str(e.input_shapes)))
        if self._grouped_by_stack:
            columns.append(("Source Location", max_src_column_width, lambda e: e.stack[0] if e.stack else ""))
        lines = _laid_out(columns, self, events[:row_limit], header)
        lines.append(f"Self CPU time total: {_shown_time(total, time_unit)}")
        return "\n".join([*lines, ""])

    def export_chrome_trace(self, path: str | Path) -> None:
        """Write the events as a file for Chrome's and Perfetto's viewers of traces."""
        events = [
            {
                "ph": "X",
                "cat": "user_annotation" if event.is_user_annotation else "cpu_op",
                "name": event.name,
                "pid": 0,
                "tid": event.thread,
                "ts": event.time_range.start,
                "dur": event.time_range.elapsed_us(),
                "args": {"Input Dims": event.input_shapes} if event.input_shapes else {},
            }
            for event in self
        ]
        Path(path).write_text(json.dumps({"schemaVersion": 1, "traceEvents": events}), encoding="utf-8")

    def export_stacks(self, path: str | Path, metric: str) -> None:
        """Write the callers of the events with a time of theirs, one line each, for flame graphs."""
        if metric not in ("self_cpu_time_total", "self_cuda_time_total", "self_xpu_time_total"):
            raise ValueError(f"metric should be one of: {['self_cpu_time_total', 'self_cuda_time_total']}")
        lines = [
            f"{';'.join(reversed(event.stack))} {int(getattr(event, metric))}"
            for event in self
            if event.stack and int(getattr(event, metric)) > 0
        ]
        Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


_GAP = 2
_COLUMN = 12


def _laid_out(
    columns: Sequence[tuple[str, int | None, Callable[[Any], str]]],
    everything: Sequence[Any],
    events: Sequence[Any],
    header: str | None,
) -> list[str]:
    """The lines of a table: text is cut to its column's width, everything is flushed right."""
    widths = []
    for name, widest, text in columns:
        if widest is None:
            widths.append(max(_COLUMN, len(name)))
        else:
            longest = max(len(text(event)) for event in everything) + 4
            widths.append(max(min(longest, widest), len(name)))
    rule = (" " * _GAP).join("-" * width for width in widths) + " " * _GAP

    def line(cells: Iterable[str]) -> str:
        return "".join(f"{cell:>{width}}{' ' * _GAP}" for cell, width in zip(cells, widths, strict=True))

    def cut(text: str, width: int, widest: int | None) -> str:
        return text if widest is None or len(text) <= width else f"{text[: width - 3]}..."

    lines = []
    if header is not None:
        lines += ["=" * len(rule.rstrip()), header]
    lines += [rule, line(name for name, _, _ in columns), rule]
    lines += [
        line(cut(text(event), width, widest) for (_, widest, text), width in zip(columns, widths, strict=True))
        for event in events
    ]
    lines.append(rule)
    return lines


def shapes_of(args: Sequence[Any]) -> list[Any]:
    """The shapes of the tensors among arguments; what is no tensor has an empty one."""
    return [list(a.shape) if isinstance(a, Tensor) else [] for a in args]
