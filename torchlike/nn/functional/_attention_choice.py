"""Which of PyTorch's attention backends may be used: the switches of ``torch.nn.attention``."""

from __future__ import annotations


class Choice:
    """The switches, one a backend, and their order of preference."""

    def __init__(self) -> None:
        self.enabled = {"cudnn": True, "flash": True, "mem_efficient": True, "math": True, "overrideable": True}
        self.order = [1, 2, 0, 3, 4]


choice = Choice()
