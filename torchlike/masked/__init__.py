"""Operators on the elements that a mask keeps: ``torch.masked``."""

from torchlike.masked._ops import *
