"""Building blocks of neural networks."""

from torchlike.nn import functional, init, modules, parameter
from torchlike.nn.modules import *
from torchlike.nn.modules import Module
from torchlike.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
