"""What programs ask of torch.distributed when they run alone."""

from __future__ import annotations

import importlib

import pytest

import torchlike as torch
from torchlike import distributed

QUESTIONS = [name for name in distributed.distributed_c10d.__all__ if name.startswith("is_")]


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_program_runs_alone(name: str):
    assert getattr(distributed, name)() is False


@pytest.mark.parametrize("name", ["get_rank", "get_world_size", "all_reduce", "barrier", "broadcast", "new_group"])
def test_what_needs_a_group(name: str):
    with pytest.raises(ValueError, match=r"^Default process group has not been initialized, please make sure to call"):
        getattr(distributed, name)(torch.ones(1))


def test_groups_cannot_be_made():
    with pytest.raises(NotImplementedError, match="init_process_group"):
        distributed.init_process_group("gloo", rank=0, world_size=1)
    with pytest.raises(NotImplementedError, match="ProcessGroup"):
        distributed.ProcessGroup()
    with pytest.raises(AssertionError, match="Process group cannot be None"):
        distributed.destroy_process_group()
    assert distributed.group.WORLD is None
    assert repr(distributed.ReduceOp.SUM) == "<RedOpType.SUM: 0>"
    assert distributed.Backend("NCCL") == distributed.Backend.NCCL


@pytest.mark.parametrize(
    "path",
    [
        "tensor.DTensor",
        "tensor.placement_types.Shard",
        "device_mesh.DeviceMesh",
        "fsdp.FullyShardedDataParallel",
        "_composable.fsdp.fully_shard",
        "algorithms.join.Join",
        "nn.RemoteModule",
    ],
)
def test_names_to_ask_about(path: str):
    home, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(f"torchlike.distributed.{home}"), name)
    assert not (isinstance(found, type) and isinstance(torch.ones(1), found))
    with pytest.raises(NotImplementedError, match=name):
        found()
