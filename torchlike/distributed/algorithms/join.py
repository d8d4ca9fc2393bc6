"""``torch.distributed.algorithms.join``: names to ask about."""

from torchlike.distributed._unmade import absent_class

_HOME = "torch.distributed.algorithms.join"
Join = absent_class(_HOME, "Join")
Joinable = absent_class(_HOME, "Joinable")
JoinHook = absent_class(_HOME, "JoinHook")
__all__ = ["Join", "JoinHook", "Joinable"]
