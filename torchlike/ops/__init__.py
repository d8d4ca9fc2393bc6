"""Every operator of the public namespace, one family a file."""

from torchlike.ops.complex_views import *
from torchlike.ops.copy import *
from torchlike.ops.pointwise_arith import *
from torchlike.ops.pointwise_unary import *
from torchlike.ops.shape import *
from torchlike.ops.slicing import *
