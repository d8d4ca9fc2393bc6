"""``torch.cuda``: NVIDIA GPUs, through jax's CUDA plugin."""

from torchlike.cuda._devices import *
