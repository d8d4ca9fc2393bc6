"""Devices: parsing, the default, the current GPU, and the jax devices behind the names."""

import copy
import pickle
import threading

import jax
import numpy as np
import pytest

import torchlike as torch
from torchlike._core import device as devices

EXPECTED_ONE_OF = (
    "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, mps, "
    "meta, hpu, mtia, privateuseone device type at start of device string: "
)

needs_no_gpu = pytest.mark.skipif(devices.cuda_count() > 0, reason="shows what happens without a GPU")


@pytest.mark.parametrize(
    ("arguments", "type_", "index"),
    [
        (("cpu",), "cpu", None),
        (("cpu:0",), "cpu", 0),
        (("cpu", 3), "cpu", 3),
        (("cuda:1",), "cuda", 1),
        (("cuda", 0), "cuda", 0),
        (("cuda", None), "cuda", None),
        ((b"cuda:2",), "cuda", 2),
        (("meta",), "meta", None),
        (("xla:0",), "xla", 0),
        (("tpu",), "tpu", None),
        (("mps",), "mps", None),
        (("xpu:7",), "xpu", 7),
        (("privateuseone",), "privateuseone", None),
    ],
)
def test_construction(arguments, type_, index):
    d = torch.device(*arguments)
    assert (d.type, d.index) == (type_, index)
    assert torch.device(d) is d
    assert torch.device(str(d)) == d
    assert torch.device(device=d) == d
    assert torch.device(type=d.type, index=d.index) == d
    assert repr(d) == (f"device(type='{type_}')" if index is None else f"device(type='{type_}', index={index})")
    assert str(d) == f"{d}" == (type_ if index is None else f"{type_}:{index}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Device string must not be empty"),
        ("foo", EXPECTED_ONE_OF + "foo"),
        ("gpu", EXPECTED_ONE_OF + "gpu"),
        ("CPU", EXPECTED_ONE_OF + "CPU"),
        ("foo:1", EXPECTED_ONE_OF + "foo"),
        (" cpu", "Invalid device string: ' cpu'"),
        ("cuda:", "Invalid device string: 'cuda:'"),
        ("cuda:x", "Invalid device string: 'cuda:x'"),
        ("cuda:01", "Invalid device string: 'cuda:01'"),
        ("cuda:-1", "Invalid device string: 'cuda:-1'"),
        ("cuda:1:2", "Invalid device string: 'cuda:1:2'"),
        ("cuda0", "Invalid device string: 'cuda0'"),
        ("cuda:0\n", "Invalid device string: 'cuda:0\n'"),
        ("cuda:99999999999999", "Could not parse device index '99999999999999' in device string 'cuda:99999999999999'"),
    ],
)
def test_text_that_names_no_device(text, message):
    with pytest.raises(RuntimeError) as caught:
        torch.device(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: torch.device("cpu", -1), RuntimeError, "Device index must not be negative"),
        (lambda: torch.device(-1), RuntimeError, "Device index must not be negative"),
        (lambda: torch.device("cuda:1", 1), RuntimeError, "type (string) must not include an index because index was"),
        (
            lambda: torch.device("cuda", 1.0),
            TypeError,
            "device(): argument 'index' (position 2) must be int, not float",
        ),
        (
            lambda: torch.device("cuda", True),
            TypeError,
            "device(): argument 'index' (position 2) must be int, not bool",
        ),
        (lambda: torch.device(3, 1), TypeError, "device(): argument 'type' (position 1) must be str, not int"),
        (lambda: torch.device(1.5), TypeError, "device() received an invalid combination of arguments - got (float), "),
        (lambda: torch.device(None), TypeError, "device() received an invalid combination of arguments - got (NoneTyp"),
        (lambda: torch.device(True), TypeError, "device() received an invalid combination of arguments - got (bool), "),
        (lambda: torch.device(), TypeError, "device() received an invalid combination of arguments - got (), but"),
        (lambda: torch.device(index=1), TypeError, "device() received an invalid combination of arguments - got (inde"),
        (lambda: torch.device("cpu", 0, 1), TypeError, "device() received an invalid combination of arguments - got ("),
        (lambda: torch.device("cpu", type="cpu"), TypeError, "device() received an invalid combination of arguments"),
    ],
)
def test_refused_arguments(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_devices_are_values():
    assert torch.device("cuda", 1) == torch.device("cuda:1")
    assert torch.device("cpu") != torch.device("cpu:0")
    assert torch.device("cpu") != "cpu"
    assert {torch.device("cuda:1"): 1}[torch.device("cuda", 1)] == 1
    with pytest.raises(TypeError, match="comparison not implemented"):
        _ = torch.device("cpu") < torch.device("cuda")


def test_devices_cannot_be_changed_or_subclassed():
    d = torch.device("cpu")
    with pytest.raises(AttributeError, match=r"attribute 'index' of 'torch\.device' objects is not writable"):
        d.index = 1
    with pytest.raises(AttributeError, match=r"'torch\.device' object has no attribute 'foo'"):
        d.foo = 1
    with pytest.raises(AttributeError, match=r"'torch\.device' object has no attribute 'foo'"):
        _ = d.foo
    with pytest.raises(TypeError, match=r"type 'torch\.device' is not an acceptable base type"):
        type("Mine", (torch.device,), {})
    assert repr(torch.device) == "<class 'torch.device'>"


@pytest.mark.parametrize("text", ["cpu", "cuda:1", "meta"])
def test_copies_and_pickles(text):
    d = torch.device(text)
    assert copy.deepcopy(d) == copy.copy(d) == d
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(d, protocol)) == d
    assert pickle.loads(pickle.dumps(torch.device)) is torch.device


# What tensors report


def test_resolved_devices():
    assert devices.resolve() == torch.device("cpu")
    assert devices.resolve("cpu:3") == torch.device("cpu")
    assert devices.resolve(torch.device("meta:1")) == torch.device("meta")
    with pytest.raises(TypeError, match=r"device\(\) received an invalid combination"):
        devices.resolve(3.5)


@needs_no_gpu
@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("cuda", AssertionError, "Torch not compiled with CUDA enabled"),
        ("cuda:3", AssertionError, "Torch not compiled with CUDA enabled"),
        ("xpu", AssertionError, "Torch not compiled with XPU enabled"),
        ("mtia", AssertionError, "Torch not compiled with MTIA enabled"),
        ("mps", RuntimeError, "PyTorch is not linked with support for mps devices"),
        ("vulkan", RuntimeError, "PyTorch is not linked with support for vulkan devices"),
        ("hpu", ModuleNotFoundError, "No module named 'torch.hpu'"),
    ],
)
def test_absent_devices(text, error, message):
    with pytest.raises(error) as caught:
        devices.resolve(text)
    assert str(caught.value) == message
    with pytest.raises(error):
        _ = torch.device(text).jax


@needs_no_gpu
def test_without_a_gpu():
    assert devices.cuda_count() == 0
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        devices.current_cuda()
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        devices.set_cuda(0)
    devices.set_cuda(-1)


@pytest.mark.gpu
@pytest.mark.skipif(devices.cuda_count() == 0, reason="needs a GPU")
def test_with_a_gpu():
    gpu = jax.local_devices(backend="gpu")[0]
    assert devices.resolve("cuda") == torch.device("cuda:0") == torch.device(0)
    assert torch.device("cuda:0").jax is gpu
    assert devices.of_jax(gpu) == torch.device("cuda:0")
    assert devices.current_cuda() == 0
    assert devices.put(np.ones(3), "cuda").device == gpu
    assert devices.put(np.ones(3)).device == jax.devices("cpu")[0]
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        devices.resolve(f"cuda:{devices.cuda_count()}")


class OtherJaxDevice:
    """A device of a platform that has no name here."""

    platform = "abacus"


def test_the_jax_devices_of_the_cpu_and_of_nothing():
    cpu = jax.devices("cpu")[0]
    assert torch.device("cpu").jax is torch.device("cpu:5").jax is devices.jax_device() is cpu
    assert devices.of_jax(cpu) == torch.device("cpu")
    assert torch.device("cpu").sharding.device_set == {cpu}
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor; no data!"):
        devices.jax_device("meta")
    with pytest.raises(NotImplementedError, match="abacus"):
        devices.of_jax(OtherJaxDevice())


def test_arrays_are_committed_and_wide_types_exist():
    array = devices.put(np.arange(3))
    assert array.committed
    assert array.dtype == np.int64
    made = jax.jit(lambda: jax.numpy.zeros(3), out_shardings=torch.device("cpu").sharding)()
    assert made.committed
    assert made.dtype == np.float64


# The default device


def test_the_default_device():
    assert torch.get_default_device() == torch.device("cpu")
    torch.set_default_device("meta")
    try:
        assert torch.get_default_device() == devices.resolve() == torch.device("meta")
        with torch.device("cpu"):
            assert devices.resolve() == torch.device("cpu")
        assert devices.resolve() == torch.device("meta")
    finally:
        torch.set_default_device(None)
    assert torch.get_default_device() == torch.device("cpu")


def test_a_device_as_a_context():
    meta = torch.device("meta")
    with meta as entered:
        assert entered is meta
        with meta:
            assert devices.resolve() == meta
        assert devices.resolve() == meta
        with torch.device("cpu:0"):
            assert torch.get_default_device() == torch.device("cpu:0")
            assert devices.resolve() == torch.device("cpu")
    assert devices.resolve() == torch.device("cpu")


def test_a_context_is_left_after_an_error():
    with pytest.raises(KeyError), torch.device("meta"):
        raise KeyError
    assert devices.resolve() == torch.device("cpu")


def test_a_default_set_within_a_context_lasts_as_long_as_the_context():
    with torch.device("meta"):
        torch.set_default_device("cpu")
        assert devices.resolve() == torch.device("cpu")
    assert devices.resolve() == torch.device("cpu")


def test_the_default_device_belongs_to_a_thread():
    seen = []
    with torch.device("meta"):
        thread = threading.Thread(target=lambda: seen.append(torch.get_default_device()))
        thread.start()
        thread.join()
    assert seen == [torch.device("cpu")]


def test_a_context_that_was_not_entered():
    with pytest.raises(RuntimeError, match="trying to pop from empty mode stack"):
        torch.device("cpu").__exit__(None, None, None)


@needs_no_gpu
def test_a_default_that_is_absent():
    with pytest.raises(RuntimeError, match="Cannot access accelerator device when none is available"):
        torch.set_default_device(0)
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        torch.set_default_device("foo")
    torch.set_default_device("cuda")
    try:
        with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
            torch.get_default_device()
    finally:
        torch.set_default_device(None)
