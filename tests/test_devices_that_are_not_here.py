"""The names of devices of other makers, and of the accelerator that may be there."""

from __future__ import annotations

import pytest

import torchlike as torch


def test_other_makers():
    assert not torch.xpu.is_available()
    assert not torch.mps.is_available()
    assert (torch.xpu.device_count(), torch.mps.device_count()) == (0, 0)
    with pytest.raises(AssertionError, match=r"^Torch not compiled with XPU enabled$"):
        torch.xpu.current_device()
    with pytest.raises(RuntimeError, match=r"^Cannot execute emptyCache\(\) without MPS backend\.$"):
        torch.mps.empty_cache()


def test_the_processor():
    assert (torch.cpu.device_count(), torch.cpu.current_device(), torch.cpu.is_available()) == (1, "cpu", True)
    stream = torch.cpu.Stream()
    with torch.cpu.stream(stream):
        assert torch.cpu.current_stream() is stream
    assert torch.cpu.current_stream() is not stream
    torch.cpu.synchronize()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_no_accelerator():
    assert torch.accelerator.current_accelerator() is None
    assert not torch.accelerator.is_available()
    assert torch.accelerator.device_count() == 0
    for ask in (torch.accelerator.current_device_index, torch.accelerator.synchronize, torch.accelerator.memory_stats):
        with pytest.raises(RuntimeError, match=r"^Cannot access accelerator device when none is available\.$"):
            ask()
    with torch.accelerator.device_index(None):
        pass


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator")
def test_the_accelerator():
    assert torch.accelerator.current_accelerator() == torch.device("cuda")
    with torch.accelerator.device_index(0):
        assert torch.accelerator.current_device_index() == 0
    torch.accelerator.synchronize()
    assert torch.accelerator.memory_stats()["allocated_bytes.all.current"] >= 0


def test_the_module_of_a_device():
    assert torch.get_device_module("cuda:0") is torch.cuda
    assert torch.get_device_module(torch.device("cpu")) is torch.cpu
    assert torch.get_device_module() is (torch.cuda if torch.cuda.is_available() else torch.cpu)
    with pytest.raises(RuntimeError, match=r"^Invalid value of device '3', expect torch\.device, str, or None$"):
        torch.get_device_module(3)
    with pytest.raises(RuntimeError, match=r"^Device 'meta' does not have a corresponding module registered"):
        torch.get_device_module("meta")
