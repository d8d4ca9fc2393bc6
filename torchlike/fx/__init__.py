"""Programs as graphs: tracing modules and functions, changing the graphs, and running them."""

from torchlike.fx import graph, graph_module, immutable_collections, interpreter, node, passes, proxy, subgraph_rewriter
from torchlike.fx._symbolic_trace import PH, Tracer, symbolic_trace, wrap
from torchlike.fx.graph import CodeGen, Graph
from torchlike.fx.graph_module import GraphModule
from torchlike.fx.interpreter import Interpreter, Transformer
from torchlike.fx.node import Node, has_side_effect, map_arg
from torchlike.fx.proxy import Proxy
from torchlike.fx.subgraph_rewriter import replace_pattern

__all__ = [
    "Graph",
    "GraphModule",
    "Interpreter",
    "Node",
    "Proxy",
    "Tracer",
    "Transformer",
    "has_side_effect",
    "map_arg",
    "replace_pattern",
    "symbolic_trace",
    "wrap",
]
