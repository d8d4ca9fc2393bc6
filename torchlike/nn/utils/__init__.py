"""Helpers around parameters and gradients."""

from torchlike.nn.utils import parametrizations, parametrize, rnn, stateless
from torchlike.nn.utils.clip_grad import *
from torchlike.nn.utils.convert_parameters import *
from torchlike.nn.utils.fusion import *
from torchlike.nn.utils.init import *
from torchlike.nn.utils.memory_format import *
from torchlike.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from torchlike.nn.utils.weight_norm import remove_weight_norm, weight_norm
