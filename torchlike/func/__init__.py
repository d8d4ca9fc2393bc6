"""Function transforms: ``torch.func``."""

from torchlike.func._forward import hessian, jacfwd, jvp, linearize
from torchlike.func._modules import functional_call, functionalize, replace_all_batch_norm_modules_, stack_module_state
from torchlike.func._rearrange import rearrange
from torchlike.func._reverse import grad, grad_and_value, jacrev, vjp
from torchlike.func._vmap import vmap

__all__ = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "rearrange",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
