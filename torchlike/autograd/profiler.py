"""``torch.autograd.profiler``: which operators a program calls, and how long they take."""

from __future__ import annotations

import functools
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from torchlike._core.override import full_name
from torchlike._tensor import Tensor
from torchlike.autograd.profiler_util import EventList, FunctionEvent, FunctionEventAvg, shapes_of
from torchlike.overrides import TorchFunctionMode
from torchlike.utils import _pytree

__all__ = [
    "EnforceUnique",
    "EventList",
    "FunctionEvent",
    "KinetoStepTracker",
    "MemRecordsAcc",
    "emit_itt",
    "emit_nvtx",
    "load_nvprof",
    "parse_nvprof_trace",
    "profile",
    "record_function",
]

Function = Callable[..., Any]


class _Recorder(TorchFunctionMode):
    """Times every operator that is called while it is active, with the operators that those are made of inside."""

    def __init__(self, record_shapes: bool, with_stack: bool, profile_memory: bool) -> None:
        super().__init__()
        self.record_shapes, self.with_stack, self.profile_memory = record_shapes, with_stack, profile_memory
        self.events: list[FunctionEvent] = []
        self.open: list[FunctionEvent] = []
        self.numbers = itertools.count(1)
        self.zero = time.perf_counter_ns()
        self.thread = threading.get_ident()

    def now(self) -> float:
        return (time.perf_counter_ns() - self.zero) / 1e3

    def begin(self, name: str, args: tuple[Any, ...] = (), *, annotation: bool = False) -> FunctionEvent:
        shapes = shapes_of(args) if self.record_shapes else None
        stack = _callers() if self.with_stack else None
        event = FunctionEvent(next(self.numbers), name, 1, self.now(), 0.0, shapes, stack, annotation)
        if self.open:
            self.open[-1].append_cpu_child(event)
        self.events.append(event)
        self.open.append(event)
        return event

    def end(self, event: FunctionEvent) -> None:
        event.time_range.end = self.now()
        while self.open and self.open.pop() is not event:
            pass

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        event = self.begin(f"aten::{_operator_name(func)}", args)
        try:
            inner = getattr(func, "__wrapped__", None)
            if inner is None:
                result = func(*args, **(kwargs or {}))
            else:
                with self:  # what it is composed of is recorded as well
                    result = inner(*args, **(kwargs or {}))
        finally:
            self.end(event)
        if self.profile_memory:
            event.cpu_memory_usage = sum(
                x.nbytes for x in _pytree.tree_leaves(result) if isinstance(x, Tensor) and x._base is None
            )
        return result


def _operator_name(function: Any) -> str:
    name = full_name(function).rpartition(".")[2] if callable(function) else str(function)
    if name in ("__get__", "__set__"):
        return str(getattr(getattr(function, "__self__", None), "__name__", name))
    return name.strip("_") if name.startswith("__") else name


def _callers() -> list[str]:
    """The lines of the program that led here, the innermost first."""
    lines = []
    frame = sys._getframe(1)
    own = __name__.partition(".")[0]
    while frame is not None:
        if (frame.f_globals.get("__package__") or "").partition(".")[0] not in (own, "jax"):
            code = frame.f_code
            lines.append(f"{code.co_filename}({frame.f_lineno}): {code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return lines


class _Active(threading.local):
    """The recorders of this thread, the innermost last."""

    def __init__(self) -> None:
        self.recorders: list[_Recorder] = []


_active = _Active()


class record_function:
    """A block, or a function, that a profiler records under a name of its own.

    >>> with torch.autograd.profiler.profile() as prof:
    ...     with torch.autograd.profiler.record_function("step"):
    ...         y = torch.ones(2) + 1
    >>> prof.function_events[0].name
    'step'
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args
        self._open: list[tuple[_Recorder, FunctionEvent]] = []

    def __enter__(self) -> record_function:
        if _active.recorders:
            recorder = _active.recorders[-1]
            self._open.append((recorder, recorder.begin(self.name, annotation=True)))
        return self

    def __exit__(self, *error: object) -> None:
        if self._open:
            recorder, event = self._open.pop()
            recorder.end(event)

    def __call__(self, func: Function) -> Function:
        @functools.wraps(func)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return func(*args, **kwargs)

        return recorded


class profile:
    """A context that records the operators called in it, on this thread.

    ``record_shapes``, ``with_stack`` and ``profile_memory`` add shapes, callers and the size of results. Times are
    those of the calls: on an accelerator XLA works after a call has returned. Operators of the backward are not listed
    one by one.

    >>> x = torch.ones(2)
    >>> with torch.autograd.profiler.profile() as prof:
    ...     y = x + x
    >>> [event.name for event in prof.function_events]
    ['aten::add']
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
        experimental_config: Any = None,
        acc_events: bool = False,
        custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None,
        activity_filters: Any = None,
    ) -> None:
        self.enabled = enabled
        self.record_shapes, self.with_stack, self.profile_memory = record_shapes, with_stack, profile_memory
        self.with_flops, self.with_modules = with_flops, with_modules
        self.entered = False
        self._recorder: _Recorder | None = None
        self._function_events: EventList | None = None

    def __enter__(self) -> profile | None:
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self.entered = True
        self._recorder = _Recorder(self.record_shapes, self.with_stack, self.profile_memory)
        _active.recorders.append(self._recorder)
        self._recorder.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self.enabled and self._recorder is not None:
            recorder, self._recorder = self._recorder, None
            recorder.__exit__(*error)
            _active.recorders.remove(recorder)
            for event in tuple(recorder.open):
                recorder.end(event)
            self._function_events = EventList(recorder.events, profile_memory=self.profile_memory)

    @property
    def function_events(self) -> EventList:
        """The events in the order in which they began."""
        return self._finished()

    def _finished(self) -> EventList:
        if self._function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self._function_events

    def __repr__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._function_events is None else repr(self._function_events)

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._function_events is None else str(self._function_events)

    def table(self, *args: Any, **kwargs: Any) -> str:
        """Return the events as a table; see ``EventList.table``."""
        return self._finished().table(*args, **kwargs)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """Return averages over the calls of each operator; see ``EventList.key_averages``."""
        return self._finished().key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self) -> FunctionEventAvg:
        """Return one average of all events."""
        return self._finished().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events outside of inner calls, in microseconds."""
        return self._finished().self_cpu_time_total

    def export_chrome_trace(self, path: Any) -> None:
        """Write the events as a file for Chrome's and Perfetto's viewers of traces."""
        self._finished().export_chrome_trace(path)

    def export_stacks(self, path: Any, metric: str = "self_cpu_time_total") -> None:
        """Write the callers of the events for flame graphs; needs ``with_stack``."""
        assert self.with_stack, "export_stacks() requires with_stack=True"
        self._finished().export_stacks(path, metric)


class _Emitting:
    """A context that marks operators for a tool of a vendor's: RuntimeError, there is no such tool here."""

    _tool = ""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled

    def __enter__(self) -> _Emitting | None:
        if self.enabled:
            raise NotImplementedError(
                f"torch.autograd.profiler: marks for {self._tool}; jax.profiler has traces of devices"
            )
        return None

    def __exit__(self, *error: object) -> None:
        pass


class emit_nvtx(_Emitting):
    """Mark operators for NVIDIA's tools: NotImplementedError when it is entered."""

    _tool = "NVTX"


class emit_itt(_Emitting):
    """Mark operators for Intel's tools: NotImplementedError when it is entered."""

    _tool = "ITT"


def load_nvprof(path: str) -> NoReturn:
    """Read a file of NVIDIA's former profiler: NotImplementedError."""
    raise NotImplementedError("torch.autograd.profiler.load_nvprof")


def parse_nvprof_trace(path: str) -> NoReturn:
    """Read a file of NVIDIA's former profiler: NotImplementedError."""
    raise NotImplementedError("torch.autograd.profiler.parse_nvprof_trace")


class EnforceUnique:
    """Raises RuntimeError when it sees a key twice.

    >>> unique = torch.autograd.profiler.EnforceUnique()
    >>> unique.see("a")
    """

    def __init__(self) -> None:
        self.seen: set[Any] = set()

    def see(self, *key: Any) -> None:
        """Note a key."""
        if key in self.seen:
            raise RuntimeError("duplicate key: " + str(key))
        self.seen.add(key)


class MemRecordsAcc:
    """Looks up records of memory by the time that they were made at.

    Records are pairs whose first part has ``start_ns``.
    """

    def __init__(self, mem_records: Iterable[Any]) -> None:
        self._records = sorted(mem_records, key=lambda record: record[0].start_ns())

    def in_interval(self, start_us: float, end_us: float) -> Iterable[Any]:
        """Return the records between two times."""
        return (r for r in self._records if start_us * 1000 <= r[0].start_ns() <= end_us * 1000)


class KinetoStepTracker:
    """Counts the steps that several parts of a program announce, each once.

    >>> tracker = torch.autograd.profiler.KinetoStepTracker
    >>> tracker.init_step_count("docs")
    >>> tracker.increment_step("docs")
    1
    """

    _current_step = 0
    _steps: dict[str, int] = {}  # noqa: RUF012 - shared on purpose

    @classmethod
    def init_step_count(cls, requester: str) -> None:
        """Begin to count the steps of a part."""
        cls._steps[requester] = cls._current_step

    @classmethod
    def erase_step_count(cls, requester: str) -> bool:
        """Forget a part; returns whether it was known."""
        return cls._steps.pop(requester, None) is not None

    @classmethod
    def increment_step(cls, requester: str) -> int:
        """Count a step of a part, and return the number of steps that any has made."""
        if requester not in cls._steps:
            cls.init_step_count(requester)
        cls._steps[requester] += 1
        cls._current_step = max(cls._current_step, *cls._steps.values())
        return cls._current_step

    @classmethod
    def current_step(cls) -> int:
        """Return the number of steps that any part has made."""
        return cls._current_step
