"""Switches and biases of `torch.nn.functional.scaled_dot_product_attention`."""

from torchlike.nn.attention import bias, flex_attention
from torchlike.nn.attention.backends import SDPBackend, sdpa_kernel
