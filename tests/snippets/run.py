"""Read the programs of a family, run one on a library, describe what it shows.

A family is a file ``<family>.txt``: programs under headings ``## name``. A program may use ``torch``, ``np``, ``nn``,
``F``, ``math`` and

* ``show(...)``: notes what each argument is (for tensors dtype, shape, strides, values and history);
* ``fails(f)``: calls ``f`` and notes the class and the text of the exception, or the result.

What a program raises itself ends it and is noted too.
"""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FAMILIES = sorted(path.stem for path in HERE.glob("*.txt"))


def snippets(family: str) -> dict[str, str]:
    """Return the programs of a family by their names."""
    found: dict[str, str] = {}
    for part in re.split(r"^## ", (HERE / f"{family}.txt").read_text(), flags=re.MULTILINE)[1:]:
        name, _, source = part.partition("\n")
        assert name.strip() not in found, f"two programs are called {name}"
        found[name.strip()] = source.strip() + "\n"
    return found


def _number(x: Any) -> str:
    if isinstance(x, complex):
        return f"({_number(x.real)}{'+' if x.imag >= 0 or math.isnan(x.imag) else '-'}{_number(abs(x.imag))}j)"
    if isinstance(x, float):
        return f"{x:.5g}"
    return repr(x)


def _values(x: Any) -> str:
    return "[" + ", ".join(_values(y) for y in x) + "]" if isinstance(x, list) else _number(x)


def describe(torch: Any, x: Any) -> str:
    """Return what is to be equal of a value, as text."""
    if isinstance(x, torch.Tensor):
        values = "no values" if x.is_meta else _values(x.detach().resolve_conj().resolve_neg().tolist())
        node = "" if x.grad_fn is None else f" {x.grad_fn.name()}"
        leaf = " requires_grad" if x.requires_grad and x.is_leaf else ""
        inference = " inference" if x.is_inference() else ""
        kind = "" if type(x) is torch.Tensor else f" {type(x).__name__}"
        return f"{x.dtype} {tuple(x.shape)} {x.stride()} {values}{leaf}{node}{inference}{kind}"
    if isinstance(x, tuple | list) and type(x) is not torch.Size:
        return type(x).__name__ + "(" + ", ".join(describe(torch, y) for y in x) + ")"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k!r}: {describe(torch, v)}" for k, v in x.items()) + "}"
    if isinstance(x, float | complex):
        return _number(x)
    return clean(repr(x))


def clean(text: str) -> str:
    """Return a text without what differs between two runs."""
    return re.sub(r"0x[0-9a-f]+", "0x", text).replace("torchlike", "torch")


def outcome(torch: Any, source: str) -> list[str]:
    """Run a program on a library and return what it shows."""
    lines: list[str] = []

    def show(*values: Any) -> None:
        lines.extend(describe(torch, x) for x in values)

    def fails(function: Any) -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - what is raised is the outcome
            lines.append(said(error))
        else:
            lines.append("no error: " + describe(torch, result))

    scope = {
        "torch": torch,
        "np": np,
        "nn": torch.nn,
        "F": torch.nn.functional,
        "math": math,
        "show": show,
        "fails": fails,
        "warnings": warnings,
    }
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, "<snippet>", "exec"), scope)
    except Exception as error:  # noqa: BLE001 - what is raised is the outcome
        lines.append("ended by " + said(error))
    finally:
        torch.set_grad_enabled(True)
    return lines


def said(error: Exception) -> str:
    """Return the class and the text of an exception, without C++ frames and hints on how to debug PyTorch."""
    text = re.split(r"\n(?:Exception raised from|This error is|Compile with)|, but expected one of:", str(error))[0]
    return clean(f"{type(error).__name__}: {text}")
