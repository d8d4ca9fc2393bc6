"""Which operators `autocast` computes in the smaller type, which in float32, and which in the widest of their operands.

The names are those of functions; PyTorch's rules for the CPU and for CUDA differ.
"""

from __future__ import annotations

_CONVOLUTIONS = {f"conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)}
_PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "addbmm", "baddbmm", "linear", "vecdot"}
_SMALL = _CONVOLUTIONS | _PRODUCTS | {"prelu", "scaled_dot_product_attention", "einsum", "chain_matmul", "multi_dot"}

_LOSSES = {
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "nll_loss", "cross_entropy", "kl_div", "poisson_nll_loss"),
    *("cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss"),
    *("triplet_margin_loss", "multi_margin_loss", "multilabel_margin_loss", "binary_cross_entropy_with_logits"),
}

CPU = {
    "small": _SMALL,
    "float32": _LOSSES
    | {
        *("avg_pool3d", "max_pool3d", "adaptive_avg_pool3d", "binary_cross_entropy", "grid_sample", "polar", "prod"),
        *("quantile", "nanquantile", "stft", "cdist", "trace", "view_as_complex", "cholesky", "cholesky_inverse"),
        *("cholesky_solve", "inverse", "lu_solve", "orgqr", "ormqr", "pinverse", "ctc_loss"),
        *("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn"),
        *("hfft", "ihfft", "cond", "matrix_rank", "solve", "svdvals", "eigvals", "eigvalsh", "inv", "qr", "svd", "eig"),
        *("eigh", "lstsq", "householder_product", "tensorinv", "tensorsolve"),
    },
    "widest": {"cat", "concat", "concatenate", "stack", "index_copy"},
}

CUDA = {
    "small": _SMALL | {"addmv", "addr", "mv"},
    "float32": _LOSSES
    | {
        *("acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p", "reciprocal", "rsqrt"),
        *("sinh", "tan", "pow", "__pow__", "__rpow__", "softplus", "layer_norm", "group_norm", "norm", "nuclear_norm"),
        *("cosine_similarity", "dist", "pdist", "cdist", "renorm", "logsumexp", "prod", "softmax", "log_softmax"),
        *("cumprod", "cumsum", "vector_norm", "sum", "interpolate"),
    },
    "widest": {
        *("addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "vdot", "grid_sample", "index_put", "tensordot"),
        *("scatter_add", "cat", "concat", "concatenate", "stack"),
    },
}
