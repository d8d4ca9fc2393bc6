"""What PyTorch does and this package does not do yet: the one list of known gaps. A gap that closes fails here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

import torchlike as torch


def _half_complex() -> None:
    torch.ones(1, dtype=torch.float16) + 1j


GAPS: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "complex32": (_half_complex, NotImplementedError),
}

MODULES = ["sparse"]


def _gap(name: str, exception: type[Exception]) -> Any:
    return pytest.param(name, marks=pytest.mark.xfail(raises=exception, strict=True), id=name)


@pytest.mark.parametrize("name", [_gap(name, exception) for name, (_, exception) in GAPS.items()])
def test_gap(name: str) -> None:
    GAPS[name][0]()


@pytest.mark.parametrize("name", [_gap(name, ModuleNotFoundError) for name in MODULES])
def test_missing_module(name: str) -> None:
    importlib.import_module(f"torchlike.{name}")
