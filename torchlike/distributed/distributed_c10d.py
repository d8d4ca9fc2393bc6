"""The questions that programs ask about process groups, and the refusals of what would need one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from enum import Enum
from typing import Any, NoReturn

__all__ = [
    "Backend",
    "GroupMember",
    "P2POp",
    "ProcessGroup",
    "ReduceOp",
    "Store",
    "Work",
    "all_gather",
    "all_gather_coalesced",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "all_reduce_coalesced",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "batch_isend_irecv",
    "broadcast",
    "broadcast_object_list",
    "default_pg_timeout",
    "destroy_process_group",
    "gather",
    "gather_object",
    "get_backend",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "irecv",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "is_ucc_available",
    "is_xccl_available",
    "isend",
    "monitored_barrier",
    "new_group",
    "new_subgroups",
    "recv",
    "recv_object_list",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "scatter_object_list",
    "send",
    "send_object_list",
]

_NO_GROUP = "Default process group has not been initialized, please make sure to call init_process_group."
default_pg_timeout = dt.timedelta(minutes=30)


def is_available() -> bool:
    """Return False: no group of processes can be made, as in a PyTorch that was built without them.

    >>> torch.distributed.is_available() and torch.distributed.is_initialized()
    False
    """
    return False


def is_initialized() -> bool:
    """Return False: this process belongs to no group.

    >>> torch.distributed.is_initialized()
    False
    """
    return False


def is_gloo_available() -> bool:
    """Return False: this backend is not here."""
    return False


def is_mpi_available() -> bool:
    """Return False: this backend is not here."""
    return False


def is_nccl_available() -> bool:
    """Return False: this backend is not here."""
    return False


def is_ucc_available() -> bool:
    """Return False: this backend is not here."""
    return False


def is_xccl_available() -> bool:
    """Return False: this backend is not here."""
    return False


def is_torchelastic_launched() -> bool:
    """Return False: no elastic agent of PyTorch's started this process."""
    return False


def init_process_group(*args: Any, **kwargs: Any) -> NoReturn:
    """Join a group of processes: NotImplementedError."""
    raise NotImplementedError("torch.distributed.init_process_group: groups of processes")


def destroy_process_group(group: Any = None) -> None:
    """Leave a group of processes; AssertionError, since there is none."""
    assert group is not None, "Process group cannot be None"


class ReduceOp(Enum):
    """How a reduction over processes joins their values."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7
    PREMUL_SUM = 8

    def __repr__(self) -> str:
        return f"<RedOpType.{self.name}: {self.value}>"

    def __str__(self) -> str:
        return f"RedOpType.{self.name}"


class Backend(str):
    """The name of a backend, in lower case."""

    __slots__ = ()

    UNDEFINED = "undefined"
    GLOO = "gloo"
    NCCL = "nccl"
    UCC = "ucc"
    MPI = "mpi"
    XCCL = "xccl"

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be string-ish, got {type(name)}")
        return super().__new__(cls, name.lower())


class _Unmade:
    """A class of which there are no instances without a group; programs ask with ``isinstance``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"torch.distributed.{type(self).__name__}: groups of processes")


class ProcessGroup(_Unmade):
    """A group of processes."""


class Work(_Unmade):
    """A communication that is under way."""


class Store(_Unmade):
    """Where processes find each other."""


class P2POp(_Unmade):
    """A message from one process to another."""


class GroupMember:
    """The group of all processes, of which there is none."""

    WORLD: None = None
    NON_GROUP_MEMBER = -100


class group(GroupMember):
    """The group of all processes, of which there is none."""


def _needs_group(name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise ValueError(_NO_GROUP)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "Communicate in a group of processes: ValueError, since this process belongs to none."
    return function


all_gather = _needs_group("all_gather")
all_gather_coalesced = _needs_group("all_gather_coalesced")
all_gather_into_tensor = _needs_group("all_gather_into_tensor")
all_gather_object = _needs_group("all_gather_object")
all_reduce = _needs_group("all_reduce")
all_reduce_coalesced = _needs_group("all_reduce_coalesced")
all_to_all = _needs_group("all_to_all")
all_to_all_single = _needs_group("all_to_all_single")
barrier = _needs_group("barrier")
batch_isend_irecv = _needs_group("batch_isend_irecv")
broadcast = _needs_group("broadcast")
broadcast_object_list = _needs_group("broadcast_object_list")
gather = _needs_group("gather")
gather_object = _needs_group("gather_object")
get_backend = _needs_group("get_backend")
get_rank = _needs_group("get_rank")
get_world_size = _needs_group("get_world_size")
irecv = _needs_group("irecv")
isend = _needs_group("isend")
monitored_barrier = _needs_group("monitored_barrier")
new_group = _needs_group("new_group")
new_subgroups = _needs_group("new_subgroups")
recv = _needs_group("recv")
recv_object_list = _needs_group("recv_object_list")
reduce = _needs_group("reduce")
reduce_scatter = _needs_group("reduce_scatter")
reduce_scatter_tensor = _needs_group("reduce_scatter_tensor")
scatter = _needs_group("scatter")
scatter_object_list = _needs_group("scatter_object_list")
send = _needs_group("send")
send_object_list = _needs_group("send_object_list")
