"""The Kullback-Leibler divergence between two distributions, where there is a closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torchlike import linalg
from torchlike._core import warn
from torchlike.autograd import grad
from torchlike.distributions.bernoulli import Bernoulli
from torchlike.distributions.beta import Beta
from torchlike.distributions.binomial import Binomial
from torchlike.distributions.categorical import Categorical
from torchlike.distributions.cauchy import Cauchy
from torchlike.distributions.continuous_bernoulli import ContinuousBernoulli
from torchlike.distributions.dirichlet import Dirichlet
from torchlike.distributions.distribution import Distribution
from torchlike.distributions.exp_family import ExponentialFamily
from torchlike.distributions.exponential import Exponential
from torchlike.distributions.gamma import Gamma
from torchlike.distributions.geometric import Geometric
from torchlike.distributions.gumbel import Gumbel
from torchlike.distributions.half_normal import HalfNormal
from torchlike.distributions.independent import Independent
from torchlike.distributions.laplace import Laplace
from torchlike.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal, _log_det, _mahalanobis
from torchlike.distributions.multivariate_normal import MultivariateNormal, _batch_mahalanobis
from torchlike.distributions.normal import Normal
from torchlike.distributions.one_hot_categorical import OneHotCategorical
from torchlike.distributions.pareto import Pareto
from torchlike.distributions.poisson import Poisson
from torchlike.distributions.transformed_distribution import TransformedDistribution
from torchlike.distributions.uniform import Uniform
from torchlike.distributions.utils import _sum_rightmost, euler_constant
from torchlike.nn.functional import softplus
from torchlike.ops import _public as ops

__all__ = ["kl_divergence", "register_kl"]

Tensor = Any
Formula = Callable[[Any, Any], Any]

_KL_REGISTRY: dict[tuple[type, type], Formula] = {}
_KL_MEMOIZE: dict[tuple[type, type], Formula | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Formula], Formula]:
    """Enter a function as the divergence of two classes, and of their subclasses where those have none; a decorator.

    >>> class Mine(torch.distributions.Normal): ...
    >>> @torch.distributions.register_kl(Mine, Mine)
    ... def zero(p, q):
    ...     return torch.zeros(())
    >>> torch.distributions.kl_divergence(Mine(0.0, 1.0), Mine(1.0, 1.0))
    tensor(0.)
    """
    for given in (type_p, type_q):
        issubclass(given, Distribution)  # any class will do, as in PyTorch; what is none raises the TypeError of Python

    def enter(function: Formula) -> Formula:
        _KL_REGISTRY[type_p, type_q] = function
        _KL_MEMOIZE.clear()
        return function

    return enter


def _precedes(one: tuple[type, type], other: tuple[type, type]) -> bool:
    """Whether a pair of classes is at least as special as another; the first of two classes that differ decides."""
    for x, y in zip(one, other, strict=True):
        if not issubclass(x, y):
            return False
        if x is not y:
            break
    return True


def _most_special(pairs: list[tuple[type, type]]) -> tuple[type, type]:
    best = pairs[0]
    for pair in pairs[1:]:
        if not _precedes(best, pair):
            best = pair
    return best


def _dispatch(type_p: type, type_q: type) -> Formula | None:
    """The entry for the nearest pair of base classes; where the nearest p and the nearest q disagree, that of p."""
    found = [(p, q) for p, q in _KL_REGISTRY if issubclass(type_p, p) and issubclass(type_q, q)]
    if not found:
        return None
    by_p = _most_special(found)
    by_q = _most_special([(q, p) for p, q in found])[::-1]
    if _KL_REGISTRY[by_p] is not _KL_REGISTRY[by_q]:
        warn.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
            f"Please register_kl({by_p[0].__name__}, {by_q[1].__name__})",
            RuntimeWarning,
        )
    return _KL_REGISTRY[by_p]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return the expected value under ``p`` of ``log p(x) - log q(x)``, one for each pair of the batch.

    Raises NotImplementedError where there is no closed form for the two classes.

    >>> D = torch.distributions
    >>> D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 1.0))
    tensor(0.5000)
    """
    key = type(p), type(q)
    if key not in _KL_MEMOIZE:
        _KL_MEMOIZE[key] = _dispatch(*key)
    formula = _KL_MEMOIZE[key]
    if formula is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {p.__class__.__name__} and q type {q.__class__.__name__}"
        )
    return formula(p, q)


def _infinite_like(tensor: Tensor) -> Tensor:
    return ops.full_like(tensor, math.inf)


def _x_log_x(tensor: Tensor) -> Tensor:
    return ops.xlogy(tensor, tensor)


# A distribution and another of its class -----------------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def _(p: Any, q: Any) -> Tensor:
    t1 = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    t1[q.probs == 0] = math.inf
    t1[p.probs == 0] = 0
    t2 = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    t2[q.probs == 1] = math.inf
    t2[p.probs == 1] = 0
    return t1 + t2


@register_kl(Beta, Beta)
def _(p: Any, q: Any) -> Tensor:
    sum_p = p.concentration1 + p.concentration0
    sum_q = q.concentration1 + q.concentration0
    t1 = q.concentration1.lgamma() + q.concentration0.lgamma() + sum_p.lgamma()
    t2 = p.concentration1.lgamma() + p.concentration0.lgamma() + sum_q.lgamma()
    t3 = (p.concentration1 - q.concentration1) * ops.digamma(p.concentration1)
    t4 = (p.concentration0 - q.concentration0) * ops.digamma(p.concentration0)
    return t1 - t2 + t3 + t4 + (sum_q - sum_p) * ops.digamma(sum_p)


@register_kl(Binomial, Binomial)
def _(p: Any, q: Any) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    too_many = p.total_count > q.total_count
    kl[too_many] = _infinite_like(kl[too_many])
    return kl


@register_kl(Categorical, Categorical)
def _(p: Any, q: Any) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    t[(q.probs == 0).expand_as(t)] = math.inf
    t[(p.probs == 0).expand_as(t)] = 0
    return t.sum(-1)


@register_kl(Cauchy, Cauchy)
def _(p: Any, q: Any) -> Tensor:
    # Chyzak and Nielsen, 2019.
    distance = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return distance.log() - (4 * p.scale * q.scale).log()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _(p: Any, q: Any) -> Tensor:
    t1 = p.mean * (p.logits - q.logits)
    t2 = p._cont_bern_log_norm() + ops.log1p(-p.probs)
    t3 = -q._cont_bern_log_norm() - ops.log1p(-q.probs)
    return t1 + t2 + t3


@register_kl(Dirichlet, Dirichlet)
def _(p: Any, q: Any) -> Tensor:
    sum_p, sum_q = p.concentration.sum(-1), q.concentration.sum(-1)
    t1 = sum_p.lgamma() - sum_q.lgamma()
    t2 = (p.concentration.lgamma() - q.concentration.lgamma()).sum(-1)
    t3 = (p.concentration - q.concentration) * (p.concentration.digamma() - sum_p.digamma().unsqueeze(-1))
    return t1 - t2 + t3.sum(-1)


@register_kl(Exponential, Exponential)
def _(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _(p: Any, q: Any) -> Tensor:
    if type(p) is not type(q):
        raise NotImplementedError(
            # With the blanks of PyTorch's sentence.
            "The cross KL-divergence between different exponential families cannot{}be computed using Bregman"
            " divergences".format(" " * 29)
        )
    parameters = [x.detach().requires_grad_() for x in p._natural_params]
    normalizer = p._log_normalizer(*parameters)
    gradients = grad(normalizer.sum(), parameters, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for mine, its, gradient in zip(parameters, q._natural_params, gradients, strict=True):
        result = result - _sum_rightmost((its - mine) * gradient, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _(p: Any, q: Any) -> Tensor:
    t1 = q.concentration * (p.rate / q.rate).log()
    t2 = ops.lgamma(q.concentration) - ops.lgamma(p.concentration)
    t3 = (p.concentration - q.concentration) * ops.digamma(p.concentration)
    t4 = (q.rate - p.rate) * (p.concentration / p.rate)
    return t1 + t2 + t3 + t4


@register_kl(Gumbel, Gumbel)
def _(p: Any, q: Any) -> Tensor:
    ratio = p.scale / q.scale
    p_loc, q_loc = p.loc / q.scale, q.loc / q.scale
    t1 = -ratio.log() - q_loc + p_loc
    t2 = ratio * euler_constant
    t3 = ops.exp(q_loc + (1 + ratio).lgamma() - p_loc)
    return t1 + t2 + t3 - (1 + euler_constant)


@register_kl(Geometric, Geometric)
def _(p: Any, q: Any) -> Tensor:
    return -p.entropy() - ops.log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _(p: Any, q: Any) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _(p: Any, q: Any) -> Tensor:
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    t3 = ratio * ops.exp(-distance / p.scale)
    return -ratio.log() + distance / q.scale + t3 - 1


def _trace(lower: Tensor, other: Tensor, n: int) -> Tensor:
    """The trace of ``(L L^T)^-1 X X^T``, the squares of ``L^-1 X``, broadcast over batches."""
    return linalg.solve_triangular(lower, other, upper=False).pow(2).sum((-2, -1))


@register_kl(MultivariateNormal, MultivariateNormal)
def _(p: Any, q: Any) -> Tensor:
    _same_events("Multivariate Normals", p, q)
    lower_p, lower_q = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    term1 = lower_q.diagonal(dim1=-2, dim2=-1).log().sum(-1) - lower_p.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    batch = ops.broadcast_shapes(lower_q.shape[:-2], lower_p.shape[:-2])
    n = p.event_shape[0]
    term2 = _trace(lower_q.expand((*batch, n, n)), lower_p.expand((*batch, n, n)), n)
    term3 = _batch_mahalanobis(lower_q, q.loc - p.loc)
    return term1 + 0.5 * (term2 + term3 - n)


def _same_events(what: str, p: Any, q: Any) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(f"KL-divergence between two {what} with different event shapes cannot be computed")


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _(p: Any, q: Any) -> Tensor:
    _same_events("Low Rank Multivariate Normals", p, q)
    return _to_low_rank(p, q, [p._unbroadcasted_cov_factor, ops.diag_embed(p._unbroadcasted_cov_diag.sqrt())])


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _(p: Any, q: Any) -> Tensor:
    _same_events("(Low Rank) Multivariate Normals", p, q)
    return _to_low_rank(p, q, [p._unbroadcasted_scale_tril])


def _to_low_rank(p: Any, q: Any, factors: list[Tensor]) -> Tensor:
    """The divergence from a normal distribution whose covariance is the sum of the squares of factors."""
    W, D, inner = q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag, q._capacitance_tril
    log_det_q = _log_det(W, D, inner)
    if len(factors) == 2:
        log_det_p = _log_det(p._unbroadcasted_cov_factor, p._unbroadcasted_cov_diag, p._capacitance_tril)
    else:
        log_det_p = 2 * factors[0].diagonal(dim1=-2, dim2=-1).log().sum(-1)
    distance = _mahalanobis(W, D, q.loc - p.loc, inner)
    scaled = W.mT / D.unsqueeze(-2)
    A = linalg.solve_triangular(inner, scaled, upper=False)
    trace: Any = 0.0
    for factor in factors:
        trace = trace + (factor.pow(2) / D.unsqueeze(-1)).sum((-2, -1)) - ops.matmul(A, factor).pow(2).sum((-2, -1))
    return 0.5 * (log_det_q - log_det_p + distance + trace - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _(p: Any, q: Any) -> Tensor:
    _same_events("(Low Rank) Multivariate Normals", p, q)
    lower = q._unbroadcasted_scale_tril
    log_det_q = 2 * lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    log_det_p = _log_det(p._unbroadcasted_cov_factor, p._unbroadcasted_cov_diag, p._capacitance_tril)
    n = p.event_shape[0]
    batch = ops.broadcast_shapes(lower.shape[:-2], p._unbroadcasted_cov_factor.shape[:-2])
    lower_q = lower.expand((*batch, n, n))
    factor = p.cov_factor.expand((*batch, n, p.cov_factor.size(-1)))
    diagonal = ops.diag_embed(p.cov_diag.sqrt()).expand((*batch, n, n))
    trace = _trace(lower_q, factor, n) + _trace(lower_q, diagonal, n)
    distance = _batch_mahalanobis(lower, q.loc - p.loc)
    return 0.5 * (log_det_q - log_det_p + distance + trace - n)


@register_kl(Normal, Normal)
def _(p: Any, q: Any) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    distance = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + distance - 1 - ratio.log())


@register_kl(OneHotCategorical, OneHotCategorical)
def _(p: Any, q: Any) -> Tensor:
    return kl_divergence(p._categorical, q._categorical)


@register_kl(Pareto, Pareto)
def _(p: Any, q: Any) -> Tensor:
    ratio = p.scale / q.scale
    slope = q.alpha / p.alpha
    result = q.alpha * ratio.log() - slope.log() + slope - 1
    result[p.support.lower_bound < q.support.lower_bound] = math.inf
    return result


@register_kl(Poisson, Poisson)
def _(p: Any, q: Any) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _(p: Any, q: Any) -> Tensor:
    if p.transforms != q.transforms:
        raise NotImplementedError
    if p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _(p: Any, q: Any) -> Tensor:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    result[(q.low > p.low) | (q.high < p.high)] = math.inf
    return result


@register_kl(Independent, Independent)
def _(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# Distributions of two classes: the entropy of p and what log q expects of the moments of p ----------------------------


def _against_exponential(p: Any, q: Any) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


def _against_normal(p: Any, q: Any) -> Tensor:
    squares = p.variance + (p.mean - q.loc).pow(2)
    return -p.entropy() + 0.5 * math.log(2 * math.pi) + q.scale.log() + squares / (2 * q.scale.pow(2))


def _against_gamma(p: Any, q: Any, mean_of_log: Tensor) -> Tensor:
    return (
        -p.entropy()
        + q.concentration.lgamma()
        - q.concentration * q.rate.log()
        - (q.concentration - 1) * mean_of_log
        + q.rate * p.mean
    )


def _against_gumbel(p: Any, q: Any, mean_of_exp: Tensor) -> Tensor:
    """``mean_of_exp`` is the expected value of ``exp(-x / scale)``."""
    return -p.entropy() + q.scale.log() + (p.mean - q.loc) / q.scale + ops.exp(q.loc / q.scale) * mean_of_exp


@register_kl(Bernoulli, Poisson)
def _(p: Any, q: Any) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _(p: Any, q: Any) -> Tensor:
    return -p.entropy() - p.mean * q.logits - ops.log1p(-q.probs) - q._cont_bern_log_norm()


@register_kl(Beta, Gamma)
def _(p: Any, q: Any) -> Tensor:
    mean_of_log = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    return _against_gamma(p, q, mean_of_log)


def _outside(p: Any, q: Any, low: float, high: float) -> Any:
    """Where q does not cover the interval on which p lives."""
    return (q.low > low) | (q.high < high)


@register_kl(Beta, Uniform)
def _(p: Any, q: Any) -> Tensor:
    result = -p.entropy() + (q.high - q.low).log()
    result[_outside(p, q, 0.0, 1.0).expand(result.shape)] = math.inf
    return result


@register_kl(ContinuousBernoulli, Uniform)
def _(p: Any, q: Any) -> Tensor:
    result = -p.entropy() + (q.high - q.low).log()
    outside = _outside(p, q, 0.0, 1.0)
    return ops.where(outside, ops.ones_like(result) * math.inf, result)


@register_kl(Exponential, Gamma)
def _(p: Any, q: Any) -> Tensor:
    return _against_gamma(p, q, -euler_constant - p.rate.log())


@register_kl(Exponential, Gumbel)
def _(p: Any, q: Any) -> Tensor:
    product = p.rate * q.scale
    return _against_gumbel(p, q, product / (product + 1))


@register_kl(Gamma, Gumbel)
def _(p: Any, q: Any) -> Tensor:
    return _against_gumbel(p, q, (1 + 1 / (p.rate * q.scale)).pow(-p.concentration))


@register_kl(Laplace, Normal)
def _(p: Any, q: Any) -> Tensor:
    return _against_normal(p, q)


@register_kl(Normal, Gumbel)
def _(p: Any, q: Any) -> Tensor:
    return _against_gumbel(p, q, ops.exp(-p.loc / q.scale + (p.scale / q.scale).pow(2) / 2))


@register_kl(Normal, Laplace)
def _(p: Any, q: Any) -> Tensor:
    distance = p.loc - q.loc
    ratio = distance / p.scale
    mean_distance = math.sqrt(2 / math.pi) * p.scale * ops.exp(-0.5 * ratio.pow(2)) + distance * ops.erf(
        math.sqrt(0.5) * ratio
    )
    return -p.entropy() + ops.log(2 * q.scale) + mean_distance / q.scale


@register_kl(Pareto, Exponential)
def _(p: Any, q: Any) -> Tensor:
    result = _against_exponential(p, q)
    result[p.alpha <= 1] = math.inf
    return result


@register_kl(Pareto, Gamma)
def _(p: Any, q: Any) -> Tensor:
    result = _against_gamma(p, q, p.scale.log() + p.alpha.reciprocal())
    result[p.alpha <= 1] = math.inf
    return result


@register_kl(Pareto, Normal)
def _(p: Any, q: Any) -> Tensor:
    result = _against_normal(p, q)
    result[p.alpha <= 2] = math.inf
    return result


@register_kl(Uniform, Beta)
def _(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    at_one = (q.concentration1 - 1) * (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    at_zero = (q.concentration0 - 1) * (_x_log_x(1 - p.high) - _x_log_x(1 - p.low) + width) / width
    log_beta = q.concentration1.lgamma() + q.concentration0.lgamma() - (q.concentration1 + q.concentration0).lgamma()
    result = log_beta - ops.log(width) - at_one + at_zero
    result[(p.high > q.support.upper_bound) | (p.low < q.support.lower_bound)] = math.inf
    return result


@register_kl(Uniform, ContinuousBernoulli)
def _(p: Any, q: Any) -> Tensor:
    result = -p.entropy() - p.mean * q.logits - ops.log1p(-q.probs) - q._cont_bern_log_norm()
    outside = (p.high >= q.support.upper_bound) | (p.low <= q.support.lower_bound)
    return ops.where(outside, ops.ones_like(result) * math.inf, result)


@register_kl(Uniform, Exponential)
def _(p: Any, q: Any) -> Tensor:
    result = _against_exponential(p, q)
    result[p.low < q.support.lower_bound] = math.inf
    return result


@register_kl(Uniform, Gamma)
def _(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    result = _against_gamma(p, q, (_x_log_x(p.high) - _x_log_x(p.low)) / width - 1)
    result[p.low < q.support.lower_bound] = math.inf
    return result


@register_kl(Uniform, Gumbel)
def _(p: Any, q: Any) -> Tensor:
    ends = ops.exp(-p.low / q.scale) - ops.exp(-p.high / q.scale)
    return _against_gumbel(p, q, q.scale * ends / (p.high - p.low))


@register_kl(Uniform, Pareto)
def _(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    mean_of_log = (_x_log_x(p.high) - _x_log_x(p.low)) / width - 1
    result = -p.entropy() - (q.alpha * q.scale.pow(q.alpha)).log() + (q.alpha + 1) * mean_of_log
    result[p.low < q.support.lower_bound] = math.inf
    return result


_PAIRED: tuple[tuple[type, type, Formula], ...] = (
    (Beta, Exponential, _against_exponential),
    (Beta, Normal, _against_normal),
    (ContinuousBernoulli, Exponential, _against_exponential),
    (ContinuousBernoulli, Normal, _against_normal),
    (Exponential, Normal, _against_normal),
    (Gamma, Exponential, _against_exponential),
    (Gamma, Normal, _against_normal),
    (Gumbel, Normal, _against_normal),
    (Uniform, Normal, _against_normal),
)
for _one, _other, _formula in _PAIRED:
    register_kl(_one, _other)(_formula)


# Where p has values that q never takes --------------------------------------------------------------------------------


def _never(parameter: str) -> Formula:
    def formula(p: Any, q: Any) -> Tensor:
        return _infinite_like(getattr(p, parameter))

    return formula


_UNCOVERED: tuple[tuple[type, str, tuple[type, ...]], ...] = (
    (Beta, "concentration1", (Pareto,)),
    (ContinuousBernoulli, "probs", (Pareto,)),
    (Exponential, "rate", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gamma, "concentration", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gumbel, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Laplace, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Normal, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Pareto, "scale", (Beta, ContinuousBernoulli, Uniform)),
    (Poisson, "rate", (Bernoulli, Binomial)),
)
for _one, _parameter, _others in _UNCOVERED:
    for _other in _others:
        register_kl(_one, _other)(_never(_parameter))
