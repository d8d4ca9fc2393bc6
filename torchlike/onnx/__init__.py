"""``torch.onnx`` for libraries that register rules for an export; there is no export."""

from torchlike.onnx import symbolic_helper, symbolic_opset11
from torchlike.onnx._export import (
    OnnxExporterError,
    export,
    is_in_onnx_export,
    register_custom_op_symbolic,
    unregister_custom_op_symbolic,
)

__all__ = [
    "OnnxExporterError",
    "export",
    "is_in_onnx_export",
    "register_custom_op_symbolic",
    "unregister_custom_op_symbolic",
]
