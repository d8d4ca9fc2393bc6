"""Models sharded over several processes, by functions: names to ask about."""

from torchlike.distributed._composable import fsdp

__all__ = ["fsdp"]
