"""The examples in the docstrings print what real PyTorch prints for them."""

from __future__ import annotations

import pytest
from docstrings import documented, failures

torch = pytest.importorskip("torch")
for name in ("torch.nn.utils.prune", "torch.nn.attention.flex_attention"):  # which `import torch` alone leaves out
    pytest.importorskip(name)

pytestmark = pytest.mark.torch


# What PyTorch does on GPUs only; here the copies may also be on the CPU.
_GPU_ONLY = {"torch.nn.parallel.gather", "torch.nn.parallel.replicate", "torch.nn.parallel.scatter"}


# PyTorch compiles these from their source, which a docstring's functions have not.
_FROM_SOURCE = {f"torch.jit.{name}" for name in ("ScriptFunction", "export", "interface", "trace", "unused")}


def _own(path: str) -> bool:
    """Whether PyTorch does not have it, or not on a CPU or not in a docstring."""
    return (
        path in _FROM_SOURCE
        or path in _GPU_ONLY
        or path in ("torch.as_torch", "torch.install_as_torch")
        or path.startswith("torch.jax.")
    )


SHARED = [item for item in documented().items() if not _own(item[0])]


@pytest.mark.filterwarnings("ignore")  # PyTorch warns of what it will change; the examples are about what they print
@pytest.mark.parametrize(("path", "text"), SHARED)
def test_docstring(path: str, text: str):
    torch.manual_seed(0)
    assert failures(text, path, {"torch": torch}) == ""
