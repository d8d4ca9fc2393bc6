"""``torch.compile``: unmodified eager code as one XLA program."""

from torchlike._compile.api import compile
from torchlike._compile.capture import is_compiling

__all__ = ["compile", "is_compiling"]
