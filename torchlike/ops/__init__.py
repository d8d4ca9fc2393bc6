"""Every operator of the public namespace, one family a file."""

from torchlike._core.spaces import load_library
from torchlike._core.spaces import namespace as __getattr__  # torch.ops.mylib: namespaces of custom operators
from torchlike.ops._public import *
