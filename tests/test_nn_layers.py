"""Layers hand their options to their functions and show them; tests that need no PyTorch."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import torchlike as torch
from torchlike import nn
from torchlike.nn import functional as F

X2, X3, X4 = torch.arange(12.0).reshape(3, 4) / 7, torch.arange(24.0).reshape(2, 3, 4) / 9, torch.zeros(2, 4, 4, 6)
X4 = X4 + torch.arange(192.0).reshape(2, 4, 4, 6).sin()

# The layer, its text, and what it computes of its input.
SAME: list[tuple[Any, str, Any, Any]] = [
    (nn.MaxPool2d(2, padding=1), "kernel_size=2, stride=2, padding=1, dilation=1, ceil_mode=False", X4,
     lambda x: F.max_pool2d(x, 2, padding=1)),
    (nn.AvgPool1d(2, 1), "kernel_size=(2,), stride=(1,), padding=(0,)", X3, lambda x: F.avg_pool1d(x, 2, 1)),
    (nn.AvgPool2d((2, 3)), "kernel_size=(2, 3), stride=(2, 3), padding=0", X4, lambda x: F.avg_pool2d(x, (2, 3))),
    (nn.LPPool1d(2, 2), "norm_type=2, kernel_size=2, stride=None, ceil_mode=False", X3, lambda x: F.lp_pool1d(x, 2, 2)),
    (nn.AdaptiveMaxPool2d((2, None)), "output_size=(2, None)", X4, lambda x: F.adaptive_max_pool2d(x, (2, None))),
    (nn.ReflectionPad2d((1, 2, 0, 1)), "(1, 2, 0, 1)", X4, lambda x: F.pad(x, (1, 2, 0, 1), "reflect")),
    (nn.CircularPad1d(2), "(2, 2)", X3, lambda x: F.pad(x, (2, 2), "circular")),
    (nn.ConstantPad1d(1, 3.5), "padding=(1, 1), value=3.5", X3, lambda x: F.pad(x, (1, 1), value=3.5)),
    (nn.ZeroPad2d(1), "(1, 1, 1, 1)", X4, lambda x: F.pad(x, (1, 1, 1, 1))),
    (nn.PixelShuffle(2), "upscale_factor=2", X4, lambda x: F.pixel_shuffle(x, 2)),
    (nn.PixelUnshuffle(2), "downscale_factor=2", X4, lambda x: F.pixel_unshuffle(x, 2)),
    (nn.ChannelShuffle(2), "groups=2", X4, lambda x: F.channel_shuffle(x, 2)),
    (nn.Unfold(2, stride=2), "kernel_size=2, dilation=1, padding=0, stride=2", X4, lambda x: F.unfold(x, 2, stride=2)),
    (nn.Upsample(scale_factor=2, mode="bilinear"), "scale_factor=2.0, mode='bilinear'", X4,
     lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    (nn.UpsamplingNearest2d((3, 3)), "size=(3, 3), mode='nearest'", X4, lambda x: F.interpolate(x, (3, 3))),
    (nn.CosineSimilarity(), "", X2, lambda x: torch.ones(3)),
    (nn.PairwiseDistance(eps=0.0), "", X2, lambda x: torch.zeros(3)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "options", "x", "function"), SAME, ids=[type(s[0]).__name__ for s in SAME])
def test_layer_is_its_function(layer, options, x, function):
    assert repr(layer) == f"{type(layer).__name__}({options})"
    arguments = (x, x) if type(layer).__name__ in ("CosineSimilarity", "PairwiseDistance") else (x,)
    assert torch.allclose(layer(*arguments), function(x))


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv2d(4, 8, 3, groups=2), "Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1), groups=2)"),
        (
            nn.Conv1d(1, 2, 3, padding="same", bias=False, padding_mode="circular"),
            "Conv1d(1, 2, kernel_size=(3,), stride=(1,), padding=same, bias=False, padding_mode=circular)",
        ),
        (
            nn.ConvTranspose2d(1, 2, 3, 2, 1, 1),
            "ConvTranspose2d(1, 2, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))",
        ),
    ],
)
def test_text_of_convolutions(layer, text):
    assert repr(layer) == text


def test_indices_lead_back():
    pool, back = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    values, indices = pool(X4)
    restored = back(values, indices)
    assert restored.shape == X4.shape
    assert torch.equal(restored[restored != 0], X4[restored != 0])
    assert int((restored != 0).sum()) == values.numel()
    assert torch.equal(restored.flatten(2).gather(2, indices.flatten(2)), values.flatten(2))


def test_fold_adds_up_what_unfold_reads():
    ones = nn.Fold((4, 6), 2)(nn.Unfold(2)(torch.ones(1, 1, 4, 6)))
    assert ones[0, 0].tolist() == [[1, 2, 2, 2, 2, 1], [2, 4, 4, 4, 4, 2], [2, 4, 4, 4, 4, 2], [1, 2, 2, 2, 2, 1]]


def test_lazy_convolution_becomes_an_ordinary_one():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.LazyConv2d(8, 3, groups=2)
    assert repr(layer.weight) == "<UninitializedParameter>"
    assert layer(X4).shape == (2, 8, 2, 4)
    assert type(layer) is nn.Conv2d
    assert layer.weight.shape == (8, 2, 3, 3)


def test_losses_keep_their_options():
    assert nn.HuberLoss("sum", 0.5)(torch.tensor([1.0]), torch.tensor([3.0])).item() == 0.875
    assert nn.SmoothL1Loss(beta=4.0)(torch.tensor([1.0]), torch.tensor([3.0])).item() == 0.5
    assert nn.MarginRankingLoss(0.5)(torch.ones(1), torch.ones(1), torch.ones(1)).item() == 0.5
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert nn.L1Loss(size_average=False).reduction == "sum"
    with pytest.warns(FutureWarning, match="NLLLoss2d has been deprecated"):
        nn.NLLLoss2d()
    with pytest.warns(FutureWarning, match="`nn.Container` is deprecated"):
        assert repr(nn.Container(a=nn.ReLU())) == "Container(\n  (a): ReLU()\n)"
    with pytest.warns(UserWarning, match="'batchmean' divides only by the batch size"):
        F.kl_div(torch.zeros(2), torch.ones(2))


def test_weights_of_a_parametrised_layer_train():
    torch.manual_seed(0)
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(3, 3, bias=False))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    before = layer.weight.detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.ones(1, 3))[0, 0].backward()
        optimizer.step()
    after = layer.weight.detach()
    assert float((after - before).abs().max()) > 1e-3
    assert torch.allclose(after @ after.mT, torch.eye(3), atol=1e-5)
    assert float(after[0].sum()) < float(before[0].sum())
