"""The profiler with a schedule of steps: what is recorded in some of them is handed to a function."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from torchlike.autograd import profiler as autograd_profiler
from torchlike.autograd.profiler import record_function
from torchlike.autograd.profiler_util import EventList
from torchlike.cuda import is_available as cuda_is_available

__all__ = [
    "DeviceType",
    "ExecutionTraceObserver",
    "ProfilerAction",
    "ProfilerActivity",
    "kineto_available",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerAction(Enum):
    """What a profiler does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3
    DEVICE_STOPPED = 4


class ProfilerActivity(Enum):
    """What kinds of work can be recorded."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5

    def __repr__(self) -> str:
        return f"<ProfilerActivity.{self.name}: {self.value}>"


class DeviceType(Enum):
    """Kinds of devices in events."""

    CPU = 0
    CUDA = 1


def supported_activities() -> set[ProfilerActivity]:
    """Return the kinds of work of the devices that are here."""
    return {ProfilerActivity.CPU} | ({ProfilerActivity.CUDA} if cuda_is_available() else set())


def kineto_available() -> bool:
    """Return False: PyTorch's tracer of devices is not here."""
    return False


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """Return a function that says for each step what a profiler does.

    After ``skip_first`` steps come cycles of ``wait`` steps without recording, ``warmup`` steps whose records are
    thrown away, and ``active`` ones whose records are kept; ``repeat`` cycles, or without end for 0. Raises
    AssertionError for negative numbers.

    >>> plan = torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
    >>> [plan(step).name for step in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    assert wait >= 0 and warmup >= 0 and active > 0 and repeat >= 0 and skip_first >= 0, (  # noqa: PT018 - one message
        f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0),"
        f" active={active} (need > 0), repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
    )

    def plan(step: int) -> ProfilerAction:
        assert step >= 0, f"Step must be non-negative. Got {step}."
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait and step >= 0:
            step += wait  # the first cycle does not wait
        length = wait + warmup + active
        if repeat > 0 and step // length >= repeat:
            return ProfilerAction.NONE
        within = step % length
        if within < wait:
            return ProfilerAction.NONE
        if within < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if within == length - 1 else ProfilerAction.RECORD

    return plan


def _always(_: int) -> ProfilerAction:
    return ProfilerAction.RECORD


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False, use_python_export: bool = False
) -> Callable[[profile], None]:
    """Return a function for ``on_trace_ready`` that writes traces to a folder, named as TensorBoard expects."""

    def handler(prof: profile) -> None:
        Path(dir_name).mkdir(parents=True, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json{'.gz' if use_gzip else ''}"
        prof.export_chrome_trace(str(Path(dir_name) / name))

    return handler


class profile:
    """A context that records the operators called in it; `step` says that a step of the program is over.

    ``schedule`` says in which steps to record (always without one), ``on_trace_ready`` is called with this object after
    each cycle. Only the calls on this thread's CPU are timed, whatever ``activities`` asks for; for the work of a GPU
    there is ``jax.profiler``.

    >>> x = torch.ones(2)
    >>> with torch.profiler.profile(record_shapes=True) as prof:
    ...     y = x + x
    >>> [(event.key, event.count) for event in prof.key_averages()]
    [('aten::add', 1)]
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Callable[[], str] | None = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:
        self.activities = supported_activities() if activities is None else set(activities)
        assert len(self.activities) > 0, "No valid profiler activities found"
        self.schedule = schedule or _always
        self._record_steps = schedule is not None
        self.on_trace_ready = on_trace_ready
        self.record_shapes, self.profile_memory, self.with_stack = record_shapes, profile_memory, with_stack
        self.with_flops, self.with_modules = with_flops, with_modules
        self.acc_events = acc_events
        self.step_num = 0
        self.current_action = self.schedule(0)
        self.profiler: autograd_profiler.profile | None = None
        self._running = False
        self._step_block: record_function | None = None
        self._metadata: dict[str, str] = {}

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin with the first step."""
        self._begin(self.current_action)
        self._mark_step()

    def stop(self) -> None:
        """End, and hand over what was recorded."""
        self._unmark_step()
        if self._running:
            recording = self.current_action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
            self._end()
            if recording:
                self._ready()

    def step(self) -> None:
        """Say that a step is over; the schedule decides about the next."""
        self._unmark_step()
        before = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        if before is ProfilerAction.RECORD_AND_SAVE:
            self._end()
            self._ready()
            self._begin(self.current_action)
        elif before is ProfilerAction.WARMUP and self.current_action is not ProfilerAction.WARMUP:
            self._end()  # what was recorded to warm up is thrown away
            self._begin(self.current_action)
        elif not self._running:
            self._begin(self.current_action)
        elif self.current_action is ProfilerAction.NONE:
            self._end()
        self._mark_step()

    def _begin(self, action: ProfilerAction) -> None:
        if action is ProfilerAction.NONE:
            return
        self.profiler = autograd_profiler.profile(
            record_shapes=self.record_shapes, profile_memory=self.profile_memory, with_stack=self.with_stack
        )
        self.profiler.__enter__()
        self._running = True

    def _end(self) -> None:
        if self._running and self.profiler is not None:
            self.profiler.__exit__(None, None, None)
            self._running = False

    def _ready(self) -> None:
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def _mark_step(self) -> None:
        if self._record_steps and self._running:
            self._step_block = record_function(f"ProfilerStep#{self.step_num}")
            self._step_block.__enter__()

    def _unmark_step(self) -> None:
        if self._step_block is not None:
            self._step_block.__exit__(None, None, None)
            self._step_block = None

    def _finished(self, what: str) -> autograd_profiler.profile:
        assert self.profiler is not None, f"Profiler must be initialized before {what}"
        return self.profiler

    def events(self) -> EventList:
        """Return the events of the last cycle."""
        return self._finished("getting events").function_events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """Return averages over the calls of each operator, by shapes or callers too if asked for."""
        return self._finished("getting key averages").key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path: str) -> None:
        """Write the events of the last cycle for Chrome's and Perfetto's viewers; a name in ``.gz`` is compressed."""
        finished = self._finished("exporting chrome trace")
        if not str(path).endswith(".gz"):
            finished.export_chrome_trace(path)
            self._add_metadata(path)
            return
        plain = str(path)[: -len(".gz")]
        finished.export_chrome_trace(plain)
        self._add_metadata(plain)
        with Path(plain).open("rb") as source, gzip.open(path, "wb") as target:
            shutil.copyfileobj(source, target)
        Path(plain).unlink()

    def _add_metadata(self, path: str) -> None:
        if self._metadata:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            Path(path).write_text(json.dumps({**found, **self._metadata}), encoding="utf-8")

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write the callers of the events for flame graphs; needs ``with_stack``."""
        self._finished("exporting stacks").export_stacks(path, metric)

    def add_metadata(self, key: str, value: str) -> None:
        """Add a string to the trace."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Add a value, given as JSON, to the trace."""
        self._metadata[key] = json.loads(value)

    def preset_metadata_json(self, key: str, value: str) -> None:
        """Add a value, given as JSON, to the trace, before it begins."""
        self.add_metadata_json(key, value)

    def toggle_collection_dynamic(self, enable: bool, activities: Iterable[ProfilerActivity]) -> None:
        """Switch the recording of a kind of work on or off while it runs: NotImplementedError."""
        raise NotImplementedError("torch.profiler.profile.toggle_collection_dynamic")

    def export_memory_timeline(self, path: str, device: str | None = None) -> None:
        """Write how memory was used over time: NotImplementedError."""
        raise NotImplementedError(
            "torch.profiler.profile.export_memory_timeline; see jax.profiler.save_device_memory_profile"
        )


class ExecutionTraceObserver:
    """Records the operators of a program for a replay of them: NotImplementedError."""

    def __init__(self) -> None:
        raise NotImplementedError("torch.profiler.ExecutionTraceObserver")
