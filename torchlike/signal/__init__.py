"""Signal processing: ``torch.signal``."""

from torchlike.signal import windows as windows
