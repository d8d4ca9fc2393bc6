"""Values that are not there yet: ``torch.futures``."""

from torchlike.futures._future import Future, collect_all, wait_all

__all__ = ["Future", "collect_all", "wait_all"]
