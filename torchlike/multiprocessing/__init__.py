"""Python's ``multiprocessing``, with PyTorch's functions that start a group of processes."""

import multiprocessing
from multiprocessing import *

from torchlike.multiprocessing import spawn as _spawn_module
from torchlike.multiprocessing._sharing import (
    get_all_sharing_strategies,
    get_sharing_strategy,
    set_sharing_strategy,
)
from torchlike.multiprocessing.spawn import (
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = ["get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy"]
__all__ += multiprocessing.__all__
