"""Modules on several devices: here twice on the same one, which is all there is to the functions."""

from __future__ import annotations

from collections import namedtuple

import pytest

import torchlike as torch
from torchlike.nn.parallel import gather, parallel_apply, replicate, scatter

TWICE = ["cpu", "cpu"]
Pair = namedtuple("Pair", "a b")


def test_data_parallel_without_gpu_is_the_module():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    layer = torch.nn.Linear(2, 1)
    wrapped = torch.nn.DataParallel(layer)
    x = torch.ones(3, 2)
    assert torch.equal(wrapped(x), layer(x))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with pytest.raises(RuntimeError, match="device type could not be determined"):
        torch.nn.parallel.data_parallel(layer, x)


def test_scatter_cuts_tensors_and_repeats_the_rest():
    parts = scatter(({"x": torch.arange(4)}, [torch.ones(2, 1)], Pair(torch.zeros(4), 5), "name"), TWICE)
    assert [p[0]["x"].tolist() for p in parts] == [[0, 1], [2, 3]]
    assert [p[1][0].shape for p in parts] == [(1, 1), (1, 1)]
    assert [(type(p[2]), p[2].a.tolist(), p[2].b, p[3]) for p in parts] == [(Pair, [0.0, 0.0], 5, "name")] * 2


def test_gather_joins():
    outputs = [{"y": torch.tensor([1.0]), "z": (torch.tensor([2.0]), None)} for _ in TWICE]
    found = gather(outputs, "cpu")
    assert found["y"].tolist() == [1.0, 1.0]
    assert found["z"][0].tolist() == [2.0, 2.0]
    assert found["z"][1] is None
    with pytest.warns(UserWarning, match="all input tensors were scalars"):
        assert gather([torch.tensor(1.0), torch.tensor(2.0)], "cpu").tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="same number of keys"):
        gather([{"a": torch.ones(1)}, {}], "cpu")


def test_gradients_of_copies_add_up_in_the_module():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2, affine=False).eval())
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    copies = replicate(net, TWICE)
    assert list(copies[0].parameters()) == []
    assert not copies[0][0].weight.is_leaf
    assert "running_mean" in copies[1][1]._buffers
    inputs = [(part,) for part in scatter(x, TWICE)]
    gather(parallel_apply(copies, inputs), "cpu").sum().backward()
    found = net[0].weight.grad.clone()
    net.zero_grad()
    net(x).sum().backward()
    assert torch.allclose(found, net[0].weight.grad)
    assert replicate(net, TWICE, detach=True)[0][0].weight.requires_grad is False


def test_parallel_apply_wants_as_many_arguments_as_modules():
    with pytest.raises(ValueError, match="number of modules 1 is not equal to the number of inputs 2"):
        parallel_apply([torch.nn.ReLU()], [torch.ones(1), torch.ones(1)])
    assert parallel_apply([torch.nn.ReLU(), torch.nn.Identity()], [torch.tensor(-1.0)] * 2) == [0.0, -1.0]
