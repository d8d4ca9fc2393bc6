"""Programs of function transforms: what they give, in a form that can be recorded and compared."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import textwrap
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

_NAMES = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]


def outcome(torch: Any, source: str) -> Any:
    """Run a program against one library; it leaves what it finds in ``result`` and may print."""
    torch.manual_seed(0)
    source = textwrap.dedent(source)
    scope: dict[str, Any] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    scope.update({name: getattr(torch.func, name) for name in _NAMES})
    importlib.import_module(f"{torch.__name__}.utils.checkpoint")
    scope["fwAD"] = torch.autograd.forward_ad
    text = io.StringIO()
    with contextlib.redirect_stdout(text), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(source, "<program>", "exec"), scope)
            found = described(torch, scope.get("result"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the program gives
            found = {"error": type(error).__name__, "text": first_sentence(str(error))}
        finally:
            torch.set_grad_enabled(True)
    printed = text.getvalue()
    return {"result": found, "printed": printed} if printed else {"result": found}


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0]


def described(torch: Any, value: Any) -> Any:
    """A value as JSON knows it; tensors as shape, dtype and values."""
    if isinstance(value, torch.Tensor):
        plain = value.detach()
        if plain.is_complex():
            plain = torch.view_as_real(plain.resolve_conj())
        return {
            "shape": list(value.shape),
            "dtype": str(value.dtype),
            "requires_grad": value.requires_grad,
            "values": np.asarray(plain.resolve_neg().tolist(), dtype=object).reshape(-1).tolist(),
        }
    if isinstance(value, Mapping):
        return {str(k): described(torch, v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [described(torch, v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(type(value).__name__)


def same(a: Any, b: Any) -> bool:
    """Whether two outcomes agree, numbers up to rounding."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True))
    return bool(a == b)
