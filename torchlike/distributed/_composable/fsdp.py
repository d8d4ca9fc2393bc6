"""``torch.distributed._composable.fsdp``: names to ask about."""

from torchlike.distributed.fsdp.fully_sharded_data_parallel import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)

__all__ = ["CPUOffloadPolicy", "FSDPModule", "MixedPrecisionPolicy", "OffloadPolicy", "fully_shard"]
