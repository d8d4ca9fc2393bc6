"""Passes over graphs."""

from torchlike.fx.passes import shape_prop

__all__ = ["shape_prop"]
