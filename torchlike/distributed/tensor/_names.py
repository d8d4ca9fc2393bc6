"""``torch.distributed.tensor``: names to ask about."""

from torchlike.distributed._unmade import absent_class, absent_function

_HOME = "torch.distributed.tensor"
DTensor = absent_class(_HOME, "DTensor")
distribute_module = absent_function(_HOME, "distribute_module")
distribute_tensor = absent_function(_HOME, "distribute_tensor")
__all__ = ["DTensor", "distribute_module", "distribute_tensor"]
