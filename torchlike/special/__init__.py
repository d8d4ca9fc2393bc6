"""Special functions: ``torch.special``."""

from torchlike.ops.pointwise_unary import exp2, expm1, log1p, round, sinc
from torchlike.ops.pointwise_unary import sigmoid as expit
from torchlike.ops.softmax import log_softmax, logsumexp, softmax
from torchlike.ops.special_functions import digamma, erf, erfc, erfinv, i0, logit, polygamma, xlogy
from torchlike.ops.special_functions import digamma as psi
from torchlike.ops.special_functions import igamma as gammainc
from torchlike.ops.special_functions import igammac as gammaincc
from torchlike.ops.special_functions import lgamma as gammaln
from torchlike.ops.special_functions import mvlgamma as multigammaln
from torchlike.special.bessel import *
from torchlike.special.modified_bessel import *
from torchlike.special.polynomials import *
from torchlike.special.probability import *
