"""``torch.distributed.tensor.placement_types``: names to ask about."""

from torchlike.distributed._unmade import absent_class

_HOME = "torch.distributed.tensor"
Placement = absent_class(_HOME, "Placement")
Partial = absent_class(_HOME, "Partial")
Replicate = absent_class(_HOME, "Replicate")
Shard = absent_class(_HOME, "Shard")
_StridedShard = absent_class(_HOME, "_StridedShard")
__all__ = ["Partial", "Placement", "Replicate", "Shard"]
