"""What programs take from PyTorch's private modules."""

from __future__ import annotations

import pytest

import torchlike as torch

Key, Keys = torch._C.DispatchKey, torch._C.DispatchKeySet


def test_dispatch_keys_are_sets():
    both = Keys(Key.AutocastCPU) | Keys(Key.CPU)
    assert repr(both) == "DispatchKeySet(CPU, AutocastCPU)"
    assert both.has(Key.CPU)
    assert both - Keys(Key.CPU) == Keys(Key.AutocastCPU) == both.remove(Key.CPU)
    assert repr(Key.CPU) == "<DispatchKey.CPU: 49>"
    assert (Key.AutogradMeta, Key.CompositeExplicitAutogradNonFunctional) == (149, 155)


def test_a_guard_excludes_autocast():
    a = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with torch._C._ExcludeDispatchKeyGuard(Keys(Key.AutocastCPU) | Keys(Key.AutocastXPU)):
            assert (a @ a).dtype is torch.float32
        assert (a @ a).dtype is torch.bfloat16
    with pytest.raises(NotImplementedError, match="CPU"):
        torch._C._ExcludeDispatchKeyGuard(Keys(Key.CPU))


def test_functions_have_their_compiled_names():
    assert torch._C._nn.gelu is torch.nn.functional.gelu
    assert torch._C._nn.log_sigmoid is torch.nn.functional.logsigmoid
    assert torch._C._linalg.linalg_det is torch.linalg.det
    assert torch._C._fft.fft_rfft is torch.fft.rfft
    assert torch._C._special.special_erfcx is torch.special.erfcx
    assert torch._C._nn._parse_to(torch.ones(1)) == (torch.device("cpu"), torch.float32, False, None)
    for module in (torch._C._nn, torch._C._linalg, torch._C._fft, torch._C._special):
        with pytest.raises(AttributeError, match="has no attribute 'nope'"):
            _ = module.nope


def test_questions():
    assert torch._C._get_tracing_state() is None
    assert torch._C._LinAlgError is torch.linalg.LinAlgError
    seen = []
    torch.func.vmap(lambda x: seen.append(torch._C._are_functorch_transforms_active()) or x)(torch.ones(2))
    assert seen == [True]
    assert not torch._C._are_functorch_transforms_active()
    assert torch._C._get_accelerator().type in ("cpu", "cuda")


def test_nothing_is_exported_to_onnx():
    assert not torch.onnx.is_in_onnx_export()
    with pytest.raises(NotImplementedError, match=r"torch\.onnx\.export"):
        torch.onnx.export(torch.nn.ReLU(), torch.ones(1), "file")
    assert torch.onnx.symbolic_helper.parse_args("v", "i")(len) is len
    torch.onnx.register_custom_op_symbolic("torchvision::nms", len, 11)


def test_names_of_the_tracer():
    dynamo = torch._dynamo
    assert dynamo.utils.is_compile_supported("cpu")
    assert dynamo.eval_frame.OptimizedModule is dynamo.OptimizedModule
    with dynamo.config.patch(cache_size_limit=3, verbose=True):
        assert (dynamo.config.cache_size_limit, dynamo.config.verbose) == (3, True)
    with dynamo.config.patch("verbose", True):
        assert dynamo.config.verbose
    assert (dynamo.config.cache_size_limit, dynamo.config.verbose) == (8, False)
    x = torch.arange(6).reshape(2, 3)
    with dynamo._trace_wrapped_higher_order_op.TransformGetItemToIndex():
        picked = torch.vmap(lambda i: x[0, i])(torch.tensor([2, 0]))
    assert picked.tolist() == [2, 0]
    dynamo.mark_dynamic(x, 0)


def test_what_a_gpu_would_have():
    with torch.cuda.stream(None):
        assert not torch.cuda.is_current_stream_capturing()
    kind = NotImplementedError if torch.cuda.is_available() else RuntimeError
    for make in (torch.cuda.Stream, torch.cuda.Event, torch.cuda.CUDAGraph):
        with pytest.raises(kind, match=make.__name__):
            make()
