"""Layers on real PyTorch and on torchlike: first weights, text, results and gradients for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import torchlike

pytestmark = pytest.mark.torch

# The layer, and the shapes of its inputs.
LAYERS: dict[str, tuple[Callable[[Any], Any], tuple[tuple[int, ...], ...]]] = {
    "conv1d same": (lambda nn: nn.Conv1d(2, 4, 3, padding="same", dilation=2), ((2, 2, 7),)),
    "conv2d reflect": (lambda nn: nn.Conv2d(2, 4, (3, 2), (1, 2), (2, 1), padding_mode="reflect"), ((1, 2, 5, 6),)),
    "conv2d circular same": (lambda nn: nn.Conv2d(2, 2, 4, padding="same", padding_mode="circular"), ((2, 5, 6),)),
    "conv2d groups": (lambda nn: nn.Conv2d(4, 6, 3, groups=2, bias=False), ((1, 4, 5, 5),)),
    "conv2d depthwise": (lambda nn: nn.Conv2d(4, 8, 3, 2, 1, groups=4), ((1, 4, 5, 5),)),
    "conv3d valid": (lambda nn: nn.Conv3d(1, 2, 2, padding="valid"), ((1, 1, 3, 3, 3),)),
    "conv transpose 1d": (lambda nn: nn.ConvTranspose1d(2, 3, 3, 2, 1, 1, dilation=2), ((1, 2, 4),)),
    "conv transpose 2d": (lambda nn: nn.ConvTranspose2d(4, 2, 3, 2, groups=2), ((1, 4, 3, 2),)),
    "conv transpose 3d": (lambda nn: nn.ConvTranspose3d(1, 2, 2, 2), ((1, 2, 2, 2),)),
    "max pool 2d": (lambda nn: nn.MaxPool2d(3, 2, 1, ceil_mode=True), ((1, 2, 6, 5),)),
    "average pool 1d": (lambda nn: nn.AvgPool1d(3, 2, 1), ((1, 2, 7),)),
    "average pool 2d": (lambda nn: nn.AvgPool2d((3, 2), padding=1, divisor_override=4), ((1, 2, 6, 5),)),
    "average pool 3d": (lambda nn: nn.AvgPool3d(2, count_include_pad=False, padding=1), ((1, 1, 4, 4, 4),)),
    "lp pool": (lambda nn: nn.LPPool2d(2, (2, 3)), ((1, 2, 6, 6),)),
    "fractional pool": (lambda nn: nn.FractionalMaxPool2d(2, output_ratio=0.6), ((1, 2, 6, 6),)),
    "adaptive": (lambda nn: nn.Sequential(nn.AdaptiveAvgPool2d((3, None)), nn.AdaptiveMaxPool2d(2)), ((1, 2, 5, 4),)),
    "pads": (
        lambda nn: nn.Sequential(nn.ReflectionPad2d(1), nn.ReplicationPad2d((1, 0, 2, 1)), nn.CircularPad2d(2)),
        ((1, 2, 3, 4),),
    ),
    "constant pads": (lambda nn: nn.Sequential(nn.ZeroPad2d((1, -1, 0, 2)), nn.ConstantPad1d(1, 3.5)), ((1, 2, 3),)),
    "shuffles": (lambda nn: nn.Sequential(nn.PixelShuffle(2), nn.ChannelShuffle(2)), ((1, 8, 2, 3),)),
    "unshuffle": (lambda nn: nn.PixelUnshuffle(2), ((1, 1, 4, 6),)),
    "fold": (lambda nn: nn.Sequential(nn.Unfold(2, padding=1), nn.Fold((4, 5), 2, padding=1)), ((1, 2, 4, 5),)),
    "upsample": (lambda nn: nn.Upsample(scale_factor=(1.5, 2), mode="bilinear"), ((1, 2, 4, 3),)),
    "upsample to": (lambda nn: nn.Upsample((3, 4), mode="bicubic", align_corners=True), ((1, 2, 4, 3),)),
    "upsampling": (lambda nn: nn.Sequential(nn.UpsamplingNearest2d(5), nn.UpsamplingBilinear2d(7)), ((1, 2, 4, 3),)),
    "distances": (lambda nn: nn.PairwiseDistance(3.0, keepdim=True), ((4, 3), (4, 3))),
    "cosine": (lambda nn: nn.CosineSimilarity(dim=0), ((4, 3), (4, 3))),
    "cross map": (lambda nn: nn.CrossMapLRN2d(3, 0.5), ((2, 6, 2, 2),)),
    "cross map even": (lambda nn: nn.CrossMapLRN2d(4, 0.5, 0.5, 2), ((2, 7, 2, 1),)),
    "local response": (lambda nn: nn.LocalResponseNorm(3), ((1, 4, 2, 2),)),
    "batch norm mean": (lambda nn: nn.BatchNorm2d(2, momentum=None), ((3, 2, 4, 4),)),
    "instance norm": (lambda nn: nn.InstanceNorm2d(2, affine=True, track_running_stats=True), ((3, 2, 4, 4),)),
    "alpha dropout": (lambda nn: nn.Sequential(nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.4)), ((3, 2, 4, 4),)),
    "dropouts": (lambda nn: nn.Sequential(nn.Dropout1d(0.5), nn.Dropout(0.2)), ((3, 4, 5),)),
    "bilinear": (lambda nn: nn.Bilinear(3, 4, 2), ((5, 3), (5, 4))),
}


def both(program: Callable[[Any], Any]) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    outcomes = []
    for library in (torch, torchlike):
        library.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcomes.append(program(library))
    return outcomes[0], outcomes[1]


def assert_close(expected: Any, found: Any) -> None:
    torch = pytest.importorskip("torch")
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    make, shapes = LAYERS[name]

    def program(torch: Any) -> Any:
        layer = make(torch.nn)
        state = {key: value.tolist() for key, value in layer.state_dict().items()}
        inputs = [torch.randn(shape).requires_grad_() for shape in shapes]
        result = layer(*inputs)
        torch.manual_seed(1)
        result.backward(torch.randn(result.shape))
        grads = [x.grad.tolist() for x in (*inputs, *layer.parameters())]
        after = {key: value.tolist() for key, value in layer.state_dict().items()}
        return repr(layer), state, result.tolist(), grads, after

    expected, found = both(program)
    assert found[:2] == expected[:2]
    assert_close(expected[2], found[2])
    for one, other in zip(expected[3], found[3], strict=True):
        assert_close(one, other)
    assert list(found[4]) == list(expected[4])
    for key, value in expected[4].items():
        assert_close(value, found[4][key])


LOSSES: dict[str, Callable[[Any], Any]] = {
    "smooth": lambda nn: nn.SmoothL1Loss(beta=0.5),
    "huber": lambda nn: nn.HuberLoss("sum", 2.0),
    "poisson": lambda nn: nn.PoissonNLLLoss(full=True, reduction="none"),
    "kl": lambda nn: nn.KLDivLoss(reduction="batchmean", log_target=True),
    "hinge": lambda nn: nn.HingeEmbeddingLoss(0.5),
    "soft margin": lambda nn: nn.SoftMarginLoss(size_average=False),
    "labels": lambda nn: nn.MultiLabelSoftMarginLoss(),
    "logits": lambda nn: nn.BCEWithLogitsLoss(reduce=False),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name: str) -> None:
    def program(torch: Any) -> Any:
        loss = LOSSES[name](torch.nn)
        x, y = torch.randn(4, 3).requires_grad_(), torch.rand(4, 3)
        result = loss(x, y)
        result.sum().backward()
        return repr(loss), result.tolist(), x.grad.tolist()

    expected, found = both(program)
    assert found[0] == expected[0]
    assert_close(expected[1], found[1])
    assert_close(expected[2], found[2])


def test_adaptive_softmax() -> None:
    def program(torch: Any) -> Any:
        layer = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, head_bias=True)
        x, y = torch.randn(6, 8).requires_grad_(), torch.tensor([0, 15, 5, 19, 3, 9])
        result = layer(x, y)
        result.loss.backward()
        grads = [p.grad.tolist() for p in (x, *layer.parameters())]
        single = layer(x[1].detach(), y[1]).output
        return result.output.tolist(), result.loss.tolist(), layer.log_prob(x).tolist(), single.tolist(), *grads

    for one, other in zip(*both(program), strict=True):
        assert_close(one, other)


ERRORS: dict[str, Callable[[Any], Any]] = {
    "groups": lambda nn: nn.Conv2d(3, 4, 3, groups=2),
    "output groups": lambda nn: nn.Conv2d(4, 3, 3, groups=2),
    "no groups": lambda nn: nn.Conv2d(4, 3, 3, groups=0),
    "padding": lambda nn: nn.Conv2d(4, 3, 3, stride=2, padding="same"),
    "transposed mode": lambda nn: nn.ConvTranspose1d(1, 1, 1, padding_mode="reflect"),
    "fractions": lambda nn: nn.FractionalMaxPool2d(2),
    "both fractions": lambda nn: nn.FractionalMaxPool3d(2, 2, 0.5),
    "ratio": lambda nn: nn.FractionalMaxPool2d(2, output_ratio=1.5),
    "cutoffs": lambda nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]),
    "no cutoffs": lambda nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, []),
    "delta": lambda nn: nn.HuberLoss(delta="1"),
    "p": lambda nn: nn.MultiMarginLoss(p=3),
    "margin": lambda nn: nn.TripletMarginLoss(margin=0),
    "circular": lambda nn: nn.CircularPad1d(1)(nn.Parameter()),
    "lazy": lambda nn: nn.LazyConv2d(4, 3, groups=2)(nn.Linear(3, 3).weight),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str) -> None:
    def program(torch: Any) -> Any:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is compared
            ERRORS[name](torch.nn)
        return type(caught.value).__name__, str(caught.value).split("\n")[0]

    expected, found = both(program)
    assert found == expected


def test_output_sizes_of_a_transposed_convolution() -> None:
    def program(torch: Any) -> Any:
        layer = torch.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)
        x, seen = torch.ones(1, 1, 3, 3), [tuple(layer(torch.ones(1, 1, 3, 3), (6, 5)).shape)]
        for size in ((7, 5), (5,), (1, 1, 6, 6)):
            try:
                seen.append(tuple(layer(x, output_size=size).shape))
            except ValueError as error:
                seen.append(str(error))
        return seen

    expected, found = both(program)
    assert found == expected


def test_lazy_convolutions() -> None:
    def program(torch: Any) -> Any:
        model = torch.nn.Sequential(torch.nn.LazyConv2d(4, 3, groups=2), torch.nn.LazyConvTranspose2d(2, 2, bias=False))
        text = repr(model)
        shape = tuple(model(torch.ones(1, 2, 5, 5)).shape)
        return text, shape, repr(model), [p.tolist() for p in model.parameters()]

    expected, found = both(program)
    assert found == expected
