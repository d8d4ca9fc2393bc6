"""The operator cases that differ from PyTorch's recording, and how. Strict: one that agrees again fails the test."""

from __future__ import annotations

DIFFERENCES = {
    "addr-float32": "in place on an overlapping input another refusal comes first",
    "nn.functional.conv2d-float32": "the text for a dilation that is not positive",
    "nn.functional.conv_transpose1d-float16": "sums are rounded once, PyTorch's a few times",
    "cummax-complex128": "the forward refuses complex numbers, PyTorch's gradient does",
    "cummin-complex128": "the forward refuses complex numbers, PyTorch's gradient does",
    "select_copy-complex128": "complex gradients exist, PyTorch refuses them",
    "slice_copy-complex128": "complex gradients exist, PyTorch refuses them",
}

# Programs of tests/snippets whose outcome differs, and how.
SNIPPETS: dict[str, str] = {}
