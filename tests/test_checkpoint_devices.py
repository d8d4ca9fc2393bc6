"""The random states of devices that checkpointing asks for."""

from __future__ import annotations

import pytest

import torchlike as torch
from torchlike.utils import checkpoint


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint.DefaultDeviceType, "_default_device_type", None)


def test_the_default_kind_of_device() -> None:
    assert checkpoint.DefaultDeviceType.get_device_type() == ("cuda" if torch.cuda.is_available() else "cpu")
    checkpoint.DefaultDeviceType.set_device_type()
    assert checkpoint.DefaultDeviceType.get_device_type() == "cuda"


def test_the_cpu_has_no_device_states() -> None:
    found = checkpoint.get_device_states(torch.ones(2), [{"a": torch.ones(1, device="meta")}], None)
    assert found == ([], [])
    before = torch.get_rng_state()
    checkpoint.set_device_states(*found)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_device_without_a_generator_is_refused() -> None:
    state = torch.get_rng_state()
    checkpoint.set_device_states([0], [state], device_type="meta")
    checkpoint.set_device_states([0], [])
    with pytest.raises(NotImplementedError, match="set_device_states: cuda"):
        checkpoint.set_device_states([0], [state], device_type="cuda")
