"""The layers, one family a file."""

from torchlike.nn.modules.activation import *
from torchlike.nn.modules.container import *
from torchlike.nn.modules.dropout import *
from torchlike.nn.modules.flatten import *
from torchlike.nn.modules.linear import *
from torchlike.nn.modules.loss import *
from torchlike.nn.modules.module import Module
