"""Algorithms over several processes: names to ask about."""

from torchlike.distributed.algorithms import join

__all__ = ["join"]
