"""Discrete Fourier transforms: ``torch.fft``."""

from torchlike.fft.frequencies import *
from torchlike.fft.many import *
from torchlike.fft.one import *
