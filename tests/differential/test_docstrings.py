"""The examples in the docstrings print what real PyTorch prints for them."""

from __future__ import annotations

import pytest
from docstrings import documented, failures

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

# What PyTorch does not have.
OWN = {"torch.as_torch", "torch.install_as_torch"}


@pytest.mark.filterwarnings("ignore")  # PyTorch warns of what it will change; the examples are about what they print
@pytest.mark.parametrize(("path", "text"), [item for item in documented().items() if item[0] not in OWN])
def test_docstring(path: str, text: str):
    torch.manual_seed(0)
    assert failures(text, path, {"torch": torch}) == ""
