"""Building blocks of neural networks."""

from torchlike.nn import attention, functional, init, modules, parallel, parameter, utils
from torchlike.nn.modules import *
from torchlike.nn.modules import Module
from torchlike.nn.modules import utils as _modules_utils
from torchlike.nn.modules._factory import factory_kwargs
from torchlike.nn.parallel import DataParallel
from torchlike.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
