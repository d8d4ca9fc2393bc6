"""Which backends attention may use. There is one here; the switches decide what PyTorch would refuse."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import Enum

from torchlike.nn.functional._attention_choice import choice

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(Enum):
    """The backends of scaled dot product attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return int(self.value)


_SWITCHES = {
    SDPBackend.CUDNN_ATTENTION: "cudnn",
    SDPBackend.FLASH_ATTENTION: "flash",
    SDPBackend.EFFICIENT_ATTENTION: "mem_efficient",
    SDPBackend.MATH: "math",
    SDPBackend.OVERRIDEABLE: "overrideable",
}


@contextlib.contextmanager
def sdpa_kernel(backends: list[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[dict[str, object]]:
    """Allow only some backends inside the block, and prefer them in their order with ``set_priority``.

    There is one implementation here. What PyTorch refuses on the CPU is refused: dropout, say, where only
    FLASH_ATTENTION is allowed. Raises AssertionError for what is no backend.

    >>> from torchlike.nn.attention import SDPBackend, sdpa_kernel
    >>> x = torch.ones(1, 1, 2, 2)
    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     torch.nn.functional.scaled_dot_product_attention(x, x, x).sum()
    tensor(4.)
    """
    if not isinstance(backends, list | SDPBackend):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got"
            f" {type(backends).__name__}"
        )
    given = [backends] if isinstance(backends, SDPBackend) else list(dict.fromkeys(backends))
    enabled, order = choice.enabled, choice.order
    choice.enabled = {name: backend in given for backend, name in _SWITCHES.items()}
    if set_priority:
        first = [int(backend) for backend in given]
        choice.order = first + [number for number in order if number not in first]
    try:
        yield {}
    finally:
        choice.enabled, choice.order = enabled, order
