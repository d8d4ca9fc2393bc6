"""Switches of PyTorch's computing libraries, for programs that set them.

XLA computes here: it is deterministic and has no libraries to choose among, so most switches are kept and change
nothing. Those of attention (`cuda.enable_math_sdp` ...) choose kernels as they do in PyTorch.
"""

from torchlike.backends import cpu, cuda, cudnn, mha, mkl, mkldnn, mps, nnpack, openmp, opt_einsum, xeon

__all__ = ["cpu", "cuda", "cudnn", "mha", "mkl", "mkldnn", "mps", "nnpack", "openmp", "opt_einsum", "xeon"]
