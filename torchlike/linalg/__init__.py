"""Linear algebra: ``torch.linalg``."""

from torchlike.linalg._common import LinAlgError as LinAlgError
from torchlike.linalg.cholesky_factors import *
from torchlike.linalg.determinants import *
from torchlike.linalg.eigen import *
from torchlike.linalg.inverses import *
from torchlike.linalg.ldl_factors import *
from torchlike.linalg.least_squares import *
from torchlike.linalg.lu_factors import *
from torchlike.linalg.norms import *
from torchlike.linalg.powers import *
from torchlike.linalg.products import *
from torchlike.linalg.qr_factors import *
from torchlike.linalg.singular import *
from torchlike.linalg.solvers import *
