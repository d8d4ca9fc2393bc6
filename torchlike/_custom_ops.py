"""``torch._custom_ops``: the former names of functions of ``torch.library``."""

from torchlike.library import custom_op, get_ctx, impl, impl_abstract, infer_schema

__all__ = ["custom_op", "get_ctx", "impl", "impl_abstract", "infer_schema"]
