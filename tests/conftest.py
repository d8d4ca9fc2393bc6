"""What every test relies on: strict jax, a known state, and a reason for each test that is skipped."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import hypothesis
import jax
import pytest

import torchlike

# Only promote.py decides dtypes; a place that leaves the choice to jax shows itself here.
jax.config.update("jax_numpy_dtype_promotion", "strict")

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def _has_cuda() -> bool:
    return any(device.platform == "gpu" for device in jax.devices())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needs = {
        "torch": (importlib.util.find_spec("torch") is not None, "real PyTorch is not installed"),
        "gpu": (_has_cuda(), "jax sees no CUDA device"),
    }
    for item in items:
        for marker, (present, reason) in needs.items():
            if not present and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def known_state() -> Iterator[None]:
    """Every test starts from seed 0 and leaves the switches that outlive it as it found them."""
    torchlike.manual_seed(0)
    yield
    assert torchlike.is_grad_enabled(), "the test left gradients switched off"
    assert torchlike.get_default_dtype() is torchlike.float32, "the test left another default dtype"
