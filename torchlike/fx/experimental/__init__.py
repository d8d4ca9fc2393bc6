"""Parts of ``torch.fx`` that other compilers of PyTorch use."""
