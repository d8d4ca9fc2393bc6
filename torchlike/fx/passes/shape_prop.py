"""Noting the shape and the type of each node's value, by running a graph on an example."""

from __future__ import annotations

from typing import Any, NamedTuple

from torchlike._core import layout
from torchlike._tensor import Tensor
from torchlike.fx.interpreter import Interpreter
from torchlike.fx.node import Node, map_aggregate

__all__ = ["ShapeProp", "TensorMetadata"]


class TensorMetadata(NamedTuple):
    """What is noted of a tensor."""

    shape: Any
    dtype: Any
    requires_grad: bool
    stride: tuple[int, ...]
    memory_format: Any
    is_quantized: bool
    qparams: dict[str, Any]


_FORMATS = (layout.contiguous_format, layout.channels_last, layout.channels_last_3d)


def _metadata(tensor: Tensor) -> TensorMetadata:
    found = None
    for candidate in _FORMATS:
        dims = {layout.channels_last: 4, layout.channels_last_3d: 5}.get(candidate)
        if (dims is None or tensor.dim() == dims) and tensor.is_contiguous(memory_format=candidate):
            found = candidate
            break
    return TensorMetadata(tensor.shape, tensor.dtype, tensor.requires_grad, tensor.stride(), found, False, {})


class ShapeProp(Interpreter):
    """Runs a graph on an example, and notes in ``meta["tensor_meta"]`` of each node what tensors it gave.

    >>> traced = torch.fx.symbolic_trace(lambda x: x + 1)
    >>> _ = torch.fx.passes.shape_prop.ShapeProp(traced).propagate(torch.ones(2, 3))
    >>> [tuple(node.meta["tensor_meta"].shape) for node in traced.graph.nodes]
    [(2, 3), (2, 3), (2, 3)]
    """

    def run_node(self, n: Node) -> Any:
        """Run a node and note its value's shape."""
        result = super().run_node(n)
        seen = False

        def note(value: Any) -> Any:
            nonlocal seen
            if isinstance(value, Tensor):
                seen = True
                return _metadata(value)
            return value

        noted = map_aggregate(result, note)
        if seen:
            n.meta["tensor_meta"] = noted
        n.meta["type"] = type(result)
        return result

    def propagate(self, *args: Any) -> Any:
        """Run the graph on an example and return its value."""
        return super().run(*args)
