"""The functions behind the layers of ``torch.nn``."""

from torchlike.nn.functional.activation import *
from torchlike.nn.functional.adaptive import *
from torchlike.nn.functional.attention import *
from torchlike.nn.functional.classification import *
from torchlike.nn.functional.conv import *
from torchlike.nn.functional.ctc import *
from torchlike.nn.functional.distance import *
from torchlike.nn.functional.dropout import *
from torchlike.nn.functional.embedding import *
from torchlike.nn.functional.grids import *
from torchlike.nn.functional.linear import *
from torchlike.nn.functional.linear_cross_entropy import *
from torchlike.nn.functional.margins import *
from torchlike.nn.functional.multihead import *
from torchlike.nn.functional.normalization import *
from torchlike.nn.functional.padding import *
from torchlike.nn.functional.pooling import *
from torchlike.nn.functional.random_activation import *
from torchlike.nn.functional.rearranging import *
from torchlike.nn.functional.regression import *
from torchlike.nn.functional.resampling import *
