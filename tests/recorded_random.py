"""The recorded random numbers, and the comparison of this package's with them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import random_cases as cases
from documents import RECORDED

import torchlike
from torchlike._core import dispatch

RECORD: dict[str, Any] = json.loads(gzip.decompress((RECORDED / "random.json.gz").read_bytes()))

# Another C library may round a logarithm or a sine the other way; on the recording machine's nothing differs.
FLOAT64_UNITS = 4


def report(calls: Iterable[str], family: str, allowed: float = 0.0) -> None:
    """Fail with the calls that do not give what was recorded (orthogonal matrices: to ``allowed``)."""
    different = []
    for call in calls:
        found = _difference(call, RECORD[family][call], allowed)
        if found:
            different.append(f"{call}: {found}")
    assert not different, f"{len(different)} differ\n" + "\n".join(different[:10])


def _difference(call: str, expected: Any, allowed: float) -> str:
    result = cases.evaluate(torchlike, call)
    if isinstance(result, str) or isinstance(expected, str):
        return "" if result == expected else f"gives {result}, recorded was {expected}"
    results = result if isinstance(result, tuple) else (result,)
    for tensor, (dtype, size, stride, data) in zip(results, expected["results"], strict=True):
        if (str(tensor.dtype), list(tensor.shape), list(tensor.stride())) != (f"torch.{dtype}", size, stride):
            return f"is a {tensor.dtype} of {list(tensor.shape)} with strides {list(tensor.stride())}"
        ours = cases.ends(np.asarray(dispatch.array_of(tensor.detach())).ravel())
        theirs = np.frombuffer(base64.b64decode(data), ours.dtype)
        if not _near(ours, theirs, allowed):
            return f"gives {ours[:8]}, recorded was {theirs[:8]}"
    if torchlike.rand(1).item() != expected["next"]:
        return "leaves the generator elsewhere"
    return ""


def _near(ours: Any, theirs: Any, allowed: float) -> bool:
    if np.array_equal(ours, theirs) or bytes(ours.tobytes()) == bytes(theirs.tobytes()):
        return True
    if allowed:
        return bool(np.allclose(ours, theirs, rtol=0, atol=allowed))
    if ours.dtype.kind == "c":
        ours, theirs = (x.view(x.real.dtype) for x in (ours, theirs))
    units = FLOAT64_UNITS if ours.dtype == np.float64 else 1
    return ours.dtype.kind == "f" and bool(np.all(np.abs(ours - theirs) <= units * np.spacing(np.abs(theirs))))
