"""``torch.onnx.symbolic_opset11``: PyTorch's own rules for an export, of which there are none here."""
