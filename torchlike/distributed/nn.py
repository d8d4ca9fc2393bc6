"""``torch.distributed.nn``: communication that autograd sees through, which needs a group of processes."""

from torchlike.distributed._unmade import absent_class
from torchlike.distributed.distributed_c10d import (
    all_gather,
    all_reduce,
    all_to_all,
    all_to_all_single,
    broadcast,
    gather,
    reduce,
    reduce_scatter,
    scatter,
)

RemoteModule = absent_class("torch.distributed.nn", "RemoteModule")

__all__ = [
    "RemoteModule",
    "all_gather",
    "all_reduce",
    "all_to_all",
    "all_to_all_single",
    "broadcast",
    "gather",
    "reduce",
    "reduce_scatter",
    "scatter",
]
