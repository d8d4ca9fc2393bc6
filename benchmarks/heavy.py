"""Operators where the work counts, not the way of the call: forward, and forward with backward."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from benchmarks.measure import Case, Run

FORWARD = "heavy operators, forward"
BOTH = "heavy operators, with backward"

Make = Callable[[ModuleType], tuple[Callable[..., Any], tuple[Any, ...]]]


def _layer_norm(torch: ModuleType) -> Any:
    return torch.nn.functional.layer_norm, (torch.rand(64, 64, 256), (256,), torch.rand(256), torch.rand(256))


def _group_norm(torch: ModuleType) -> Any:
    return torch.nn.functional.group_norm, (torch.rand(8, 32, 32, 32), 8, torch.rand(32), torch.rand(32))


def _batch_norm(torch: ModuleType) -> Any:
    norm = torch.nn.BatchNorm2d(32)
    return norm, (torch.rand(8, 32, 32, 32),)


def _softmax(torch: ModuleType) -> Any:
    return torch.softmax, (torch.rand(64, 64, 256), -1)


def _gelu(torch: ModuleType) -> Any:
    return torch.nn.functional.gelu, (torch.randn(64, 64, 256),)


def _cross_entropy(torch: ModuleType) -> Any:
    return torch.nn.functional.cross_entropy, (torch.randn(1024, 1000), torch.randint(0, 1000, (1024,)))


def _linear(torch: ModuleType) -> Any:
    return torch.nn.functional.linear, (torch.rand(128, 512), torch.rand(512, 512), torch.rand(512))


def _batched_matmul(torch: ModuleType) -> Any:
    return torch.bmm, (torch.rand(32, 64, 64), torch.rand(32, 64, 64))


def _attention(torch: ModuleType) -> Any:
    q, k, v = (torch.randn(4, 4, 128, 64) for _ in range(3))
    attend = torch.nn.functional.scaled_dot_product_attention
    return (lambda q, k, v: attend(q, k, v, is_causal=True)), (q, k, v)


def _embedding(torch: ModuleType) -> Any:
    indices = torch.randint(0, 1000, (64, 64))
    return (lambda weight: torch.nn.functional.embedding(indices, weight)), (torch.randn(1000, 128),)


def _cumsum(torch: ModuleType) -> Any:
    return torch.cumsum, (torch.rand(256, 1024), 1)


def _cumsum_first(torch: ModuleType) -> Any:
    return torch.cumsum, (torch.rand(1024, 256), 0)


def _sort(torch: ModuleType) -> Any:
    return (lambda x: torch.sort(x, dim=1)[0]), (torch.rand(128, 1024),)


def _topk(torch: ModuleType) -> Any:
    return (lambda x: torch.topk(x, 10, dim=1)[0]), (torch.rand(128, 1024),)


def _maximum(torch: ModuleType) -> Any:
    return (lambda x: torch.max(x, dim=1)[0]), (torch.rand(512, 512),)


def _gather(torch: ModuleType) -> Any:
    return torch.gather, (torch.rand(512, 512), 1, torch.randint(0, 512, (512, 512)))


def _index_select(torch: ModuleType) -> Any:
    return torch.index_select, (torch.rand(1000, 128), 0, torch.randint(0, 1000, (2000,)))


def _convolution(torch: ModuleType) -> Any:
    return torch.nn.functional.conv2d, (torch.rand(8, 16, 32, 32), torch.rand(32, 16, 3, 3), torch.rand(32), 1, 1)


def _depthwise(torch: ModuleType) -> Any:
    inputs = (torch.rand(8, 64, 32, 32), torch.rand(64, 1, 3, 3), None, 1, 1, 1, 64)
    return torch.nn.functional.conv2d, inputs


def _pointwise_convolution(torch: ModuleType) -> Any:
    return torch.nn.functional.conv2d, (torch.rand(8, 64, 32, 32), torch.rand(64, 64, 1, 1))


def _convolution_1d(torch: ModuleType) -> Any:
    return torch.nn.functional.conv1d, (torch.rand(16, 32, 256), torch.rand(32, 32, 5), torch.rand(32), 1, 2)


def _max_pool(torch: ModuleType) -> Any:
    return torch.nn.functional.max_pool2d, (torch.rand(8, 32, 32, 32), 2)


def _average_pool(torch: ModuleType) -> Any:
    return torch.nn.functional.avg_pool2d, (torch.rand(8, 32, 32, 32), 2)


_MAKES: dict[str, Make] = {
    "linear 128x512 by 512x512": _linear,
    "bmm 32x64x64": _batched_matmul,
    "causal attention 4x4x128x64": _attention,
    "layer_norm 64x64x256": _layer_norm,
    "group_norm 8x32x32x32": _group_norm,
    "batch_norm 8x32x32x32": _batch_norm,
    "softmax 64x64x256": _softmax,
    "gelu 64x64x256": _gelu,
    "cross_entropy 1024x1000": _cross_entropy,
    "embedding 64x64 of 1000x128": _embedding,
    "cumsum 256x1024, last dim": _cumsum,
    "cumsum 1024x256, first dim": _cumsum_first,
    "sort 128x1024": _sort,
    "topk 10 of 128x1024": _topk,
    "max 512x512, dim": _maximum,
    "gather 512x512": _gather,
    "index_select 2000 of 1000x128": _index_select,
    "conv2d 3x3, 16 to 32, 8x32x32": _convolution,
    "conv2d 3x3, depthwise 64": _depthwise,
    "conv2d 1x1, 64 to 64": _pointwise_convolution,
    "conv1d 5, 32 to 32": _convolution_1d,
    "max_pool2d 2": _max_pool,
    "avg_pool2d 2": _average_pool,
}


def _forward(make: Make) -> Callable[[ModuleType], Run]:
    def prepare(torch: ModuleType) -> Run:
        torch.manual_seed(0)
        function, arguments = make(torch)

        def run() -> Any:
            with torch.no_grad():
                return function(*arguments)

        return run

    return prepare


def _both(make: Make) -> Callable[[ModuleType], Run]:
    def prepare(torch: ModuleType) -> Run:
        torch.manual_seed(0)
        function, arguments = make(torch)
        inputs = [x for x in arguments if isinstance(x, torch.Tensor) and x.is_floating_point()]
        for x in inputs:
            x.requires_grad_()
        weight = torch.rand_like(function(*arguments).detach())

        def run() -> Any:
            return torch.autograd.grad(function(*arguments), inputs, weight)

        return run

    return prepare


CASES = [Case(FORWARD, name, _forward(make)) for name, make in _MAKES.items()]
CASES += [Case(BOTH, name, _both(make)) for name, make in _MAKES.items()]
