"""Helpers around parameters and gradients."""

from torchlike.nn.utils.clip_grad import *
from torchlike.nn.utils.convert_parameters import *
