"""Models sharded over several processes: names to ask about, none can be made."""

from torchlike.distributed.fsdp.fully_sharded_data_parallel import *
