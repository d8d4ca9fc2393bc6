"""``torch.distributed.tensor._utils``: a name that libraries import."""

from torchlike.distributed._unmade import absent_function

compute_local_shape_and_global_offset = absent_function(
    "torch.distributed.tensor._utils", "compute_local_shape_and_global_offset"
)
__all__ = ["compute_local_shape_and_global_offset"]
