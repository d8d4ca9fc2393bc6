"""The former names of mixed precision for CUDA; see ``torch.amp``."""

from torchlike.cuda.amp._former import GradScaler, amp_definitely_not_available, autocast, custom_bwd, custom_fwd

__all__ = ["GradScaler", "amp_definitely_not_available", "autocast", "custom_bwd", "custom_fwd"]
