"""``torch.distributed`` as of a process that belongs to no group; groups of processes are not here.

`is_available` says no, and what needs a group raises PyTorch's error for a program that has made none. On several
devices of one process jax's own sharding serves: see ``torchlike.jax``.
"""

from torchlike.distributed import distributed_c10d, nn
from torchlike.distributed.distributed_c10d import *
