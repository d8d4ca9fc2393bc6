"""``torch.distributed.fsdp``: names to ask about."""

from torchlike.distributed._unmade import absent_class, absent_function

_HOME = "torch.distributed.fsdp"
CPUOffloadPolicy = absent_class(_HOME, "CPUOffloadPolicy")
FSDPModule = absent_class(_HOME, "FSDPModule")
FullyShardedDataParallel = absent_class(_HOME, "FullyShardedDataParallel")
MixedPrecisionPolicy = absent_class(_HOME, "MixedPrecisionPolicy")
OffloadPolicy = absent_class(_HOME, "OffloadPolicy")
fully_shard = absent_function(_HOME, "fully_shard")
__all__ = [
    "CPUOffloadPolicy",
    "FSDPModule",
    "FullyShardedDataParallel",
    "MixedPrecisionPolicy",
    "OffloadPolicy",
    "fully_shard",
]
