"""``torch._dynamo.eval_frame``: where libraries look for the class of compiled modules."""

from torchlike._compile.api import OptimizedModule

__all__ = ["OptimizedModule"]
