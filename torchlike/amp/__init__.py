"""Mixed precision: operators in a smaller type where that is safe, losses scaled so that gradients do not vanish."""

from torchlike.amp.autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from torchlike.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
