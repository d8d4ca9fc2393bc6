"""Every operator of the public namespace, one family a file."""

from torchlike.ops._public import *
