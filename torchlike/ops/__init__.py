"""Every operator of the public namespace, one family a file."""

from torchlike.ops.advanced import *
from torchlike.ops.bitwise import *
from torchlike.ops.comparison import *
from torchlike.ops.complex_views import *
from torchlike.ops.copy import *
from torchlike.ops.create import *
from torchlike.ops.index import *
from torchlike.ops.inplace import *
from torchlike.ops.masked import *
from torchlike.ops.matmul import *
from torchlike.ops.norms import *
from torchlike.ops.operators import *
from torchlike.ops.pointwise_arith import *
from torchlike.ops.pointwise_pairs import *
from torchlike.ops.pointwise_unary import *
from torchlike.ops.ranges import *
from torchlike.ops.reduce import *
from torchlike.ops.scan import *
from torchlike.ops.scatter import *
from torchlike.ops.shape import *
from torchlike.ops.slicing import *
from torchlike.ops.softmax import *
from torchlike.ops.special_functions import *
from torchlike.ops.statistics import *
