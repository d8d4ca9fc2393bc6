"""What tensors print as. The texts in recorded/printing.txt are those of PyTorch 2.13."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike import _printing

RECORDED = (Path(__file__).parent / "recorded" / "printing.txt").read_text()


@pytest.fixture(autouse=True)
def restored_options() -> Iterator[None]:
    yield
    torch.set_printoptions(profile="default")


def examples() -> list[tuple[str, str]]:
    """The recorded pairs of source and printed text; what stands before a semicolon sets the options."""
    blocks = RECORDED.removesuffix("\n").split(">>> ")[1:]
    return [tuple(block.removesuffix("\n").split("\n", 1)) for block in blocks]  # type: ignore[misc]


@pytest.mark.parametrize(("source", "text"), examples(), ids=[source for source, _ in examples()])
def test_text(source: str, text: str) -> None:
    names = {"torch": torch, "nan": math.nan, "inf": math.inf}
    *setup, expression = source.split("; ")
    for statement in setup:
        exec(statement, names)
    assert repr(eval(expression, names)) == text


def test_options_are_given_back_after_a_block() -> None:
    with _printing.printoptions(precision=1, profile="short"):
        assert repr(torch.tensor([1.25])) == "tensor([1.2])"
        assert _printing.get_printoptions()["edgeitems"] == 2
    assert repr(torch.tensor([1.25])) == "tensor([1.2500])"


def test_a_meta_tensor_shows_no_values() -> None:
    assert repr(torch.empty(3, device="meta")) == "tensor(..., device='meta', size=(3,))"
    meta = torch.empty((), dtype=torch.int32, device="meta")
    assert repr(meta) == "tensor(..., device='meta', size=(), dtype=torch.int32)"


def test_parameters_and_subclasses() -> None:
    class Mine(torch.Tensor):
        pass

    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    assert repr(parameter) == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"
    mine = torch.tensor([1.0, 2.0]).as_subclass(Mine)
    assert repr(mine) == "Mine([1., 2.])"
    mine._is_param = True  # what torch.nn.Parameter(mine) does
    assert repr(mine) == "Parameter(Mine([1., 2.]))"

    class Special(torch.nn.Parameter):
        pass

    special = Special(torch.tensor([1.0]))
    assert repr(special) == "Parameter containing:\nParameter(Special([1.], requires_grad=True))"


def test_contents_can_be_replaced() -> None:
    assert (
        _printing.tensor_text(torch.tensor([1.0], dtype=torch.float64), contents="...")
        == "tensor(..., dtype=torch.float64)"
    )


def test_format() -> None:
    assert f"{torch.tensor(3.14159):.2f}" == "3.14"
    assert f"{torch.tensor(3):5d}" == "    3"
    assert f"{torch.tensor(2.5, requires_grad=True)}" == "2.5"
    assert f"{torch.tensor([1.5])}" == "tensor([1.5000])"
    with pytest.raises(TypeError, match=r"unsupported format string passed to Tensor.__format__"):
        format(torch.tensor([1.5]), ".2f")


def test_only_the_corners_of_a_large_tensor_are_formatted() -> None:
    class Cornered(np.ndarray[Any, Any]):
        def tolist(self) -> Any:
            assert self.size <= 36, "more was formatted than is shown"
            return super().tolist()

    array = np.arange(10_000.0).reshape(100, 100).view(Cornered)
    corners = _printing._corners(array)
    assert corners.shape == (6, 6)
    assert corners[0, 0] == 0
    assert corners[-1, -1] == 9999
    assert _printing.format_array(corners, (100, 100), 7).count("...,") == 7
