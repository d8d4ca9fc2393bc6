"""Names that libraries take from PyTorch's tracer, ``torch._dynamo``; `torchlike.compiler` is behind them."""

from torchlike._compile.api import OptimizedModule
from torchlike._dynamo import _trace_wrapped_higher_order_op, config, eval_frame, exc, utils
from torchlike._dynamo._marks import (
    disallow_in_graph,
    forbid_in_graph,
    graph_break,
    is_dynamo_supported,
    mark_dynamic,
    mark_static,
    mark_static_address,
    maybe_mark_dynamic,
)
from torchlike.compiler import (
    allow_in_graph,
    assume_constant_result,
    disable,
    is_compiling,
    list_backends,
    reset,
    set_stance,
    substitute_in_graph,
)

__all__ = [
    "OptimizedModule",
    "allow_in_graph",
    "assume_constant_result",
    "disable",
    "disallow_in_graph",
    "forbid_in_graph",
    "graph_break",
    "is_compiling",
    "is_dynamo_supported",
    "list_backends",
    "mark_dynamic",
    "mark_static",
    "mark_static_address",
    "maybe_mark_dynamic",
    "reset",
    "set_stance",
    "substitute_in_graph",
]
