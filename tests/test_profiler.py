"""Recording the operators that a program calls."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import torchlike as torch
from torchlike import nn, profiler
from torchlike.autograd import profiler as autograd_profiler
from torchlike.profiler import ProfilerAction, ProfilerActivity


@pytest.fixture(scope="module")
def recorded() -> profiler.profile:
    linear, x = nn.Linear(4, 4), torch.ones(2, 4)
    with profiler.profile(
        activities=[ProfilerActivity.CPU], record_shapes=True, with_stack=True, profile_memory=True
    ) as prof:
        with profiler.record_function("mine"):
            y = linear(x)
        (y + 1).sum()
    return prof


def test_events_nest(recorded: profiler.profile):
    events = recorded.events()
    assert [event.name for event in events if event.cpu_parent is None] == ["mine", "aten::add", "aten::sum"]
    mine = events[0]
    assert [child.name for child in mine.cpu_children] == ["aten::linear"]
    assert mine.cpu_time_total >= mine.cpu_children[0].cpu_time_total > 0
    assert mine.self_cpu_time_total == pytest.approx(mine.cpu_time_total - mine.cpu_children[0].cpu_time_total)
    add = next(event for event in events if event.name == "aten::add")
    assert add.input_shapes == [[2, 4], []]
    assert add.cpu_memory_usage == 32
    assert "recorded" in add.stack[0]
    assert repr(add).startswith(f"<FunctionEvent id={add.id} name=aten::add overload_name= device_type=DeviceType.CPU")


def test_tables(recorded: profiler.profile):
    averages = recorded.key_averages()
    table = averages.table(sort_by="cpu_time_total", row_limit=2)
    lines = table.splitlines()
    assert lines[0] == lines[2] == lines[5]
    assert lines[1].split("  ")[-2].strip() == "# of Calls"
    assert [line.split()[0] for line in lines[3:5]] == ["mine", "aten::linear"]
    assert lines[3].endswith("  ")
    assert lines[6].startswith("Self CPU time total: ")
    grouped = recorded.key_averages(group_by_input_shape=True).table()
    assert "Input Shapes" in grouped
    assert "[[2, 4], []]" in grouped
    with pytest.raises(AttributeError, match="'FunctionEventAvg' object has no attribute 'nope'"):
        averages.table(sort_by="nope")
    assert averages.total_average().key == "Total"


def test_traces(recorded: profiler.profile, tmp_path: Path):
    recorded.add_metadata_json("what", "[1, 2]")
    recorded.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["what"] == [1, 2]
    found = {event["name"]: event for event in trace["traceEvents"]}
    assert found["mine"]["cat"] == "user_annotation"
    assert found["aten::add"]["args"] == {"Input Dims": [[2, 4], []]}
    assert found["aten::add"]["dur"] > 0
    recorded.export_chrome_trace(str(tmp_path / "trace.json.gz"))
    assert json.loads(gzip.decompress((tmp_path / "trace.json.gz").read_bytes()))["traceEvents"]
    recorded.export_stacks(str(tmp_path / "stacks"))
    assert "recorded" in (tmp_path / "stacks").read_text()


def test_schedules():
    plan = profiler.schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
    names = [plan(step).name for step in range(11)]
    cycle = ["NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE"]
    assert names == ["NONE", *cycle, *cycle, "NONE", "NONE"]
    assert plan(4) is ProfilerAction.RECORD_AND_SAVE
    with pytest.raises(AssertionError, match=r"^Invalid profiler schedule arguments. Got wait=-1"):
        profiler.schedule(wait=-1, warmup=0, active=1)


def test_steps(tmp_path: Path):
    ready: list[Any] = []

    def keep(prof: profiler.profile) -> None:
        ready.append((prof.step_num, [event.name for event in prof.events()]))

    plan = profiler.schedule(wait=1, warmup=1, active=2, repeat=2)
    with profiler.profile(schedule=plan, on_trace_ready=keep) as prof:
        for _ in range(10):
            torch.ones(1)
            prof.step()
    steps = ["ProfilerStep#{}", "aten::ones", "ProfilerStep#{}", "aten::ones"]
    assert ready == [
        (4, [steps[0].format(2), steps[1], steps[2].format(3), steps[3]]),
        (8, [steps[0].format(6), steps[1], steps[2].format(7), steps[3]]),
    ]
    assert "ProfilerStep*" in {average.key for average in prof.key_averages()}
    folder = tmp_path / "log"
    with profiler.profile(on_trace_ready=profiler.tensorboard_trace_handler(str(folder), "worker")):
        torch.ones(1)
    (written,) = folder.iterdir()
    assert written.name.startswith("worker.")
    assert written.name.endswith(".pt.trace.json")


def test_nothing_is_recorded_outside():
    with autograd_profiler.profile() as prof:
        torch.ones(1)
    torch.zeros(1)
    with autograd_profiler.record_function("nobody listens"):
        torch.zeros(1)
    assert [event.name for event in prof.function_events] == ["aten::ones"]
    with autograd_profiler.profile(enabled=False) as off:
        assert off is None

    @autograd_profiler.record_function("named")
    def run() -> torch.Tensor:
        return torch.ones(1)

    with autograd_profiler.profile() as prof:
        run()
    assert [event.name for event in prof.function_events] == ["named", "aten::ones"]
    unfinished = autograd_profiler.profile()
    assert str(unfinished) == "<unfinished torch.autograd.profile>"
    with pytest.raises(RuntimeError, match="Profiler didn't finish running"):
        unfinished.key_averages()
    with pytest.raises(NotImplementedError, match="NVTX"), autograd_profiler.emit_nvtx():
        pass


def test_small_helpers():
    unique = autograd_profiler.EnforceUnique()
    unique.see("a", 1)
    with pytest.raises(RuntimeError, match="duplicate key"):
        unique.see("a", 1)
    tracker = autograd_profiler.KinetoStepTracker
    tracker.init_step_count("test")
    before = tracker.current_step()
    assert tracker.increment_step("test") == before + 1
    assert tracker.erase_step_count("test")
    assert not tracker.erase_step_count("test")
