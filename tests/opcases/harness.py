"""Runs the samples of a case with either library and describes what happened in plain data that JSON can hold."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import re
import warnings
from pathlib import Path
from typing import Any

from opcases.case import DEFAULT_INPUTS, OpCase

RECORDED = Path(__file__).parent.parent / "recorded"
SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.5, -2.5, 1e-3, 3e4, -7.0]

Outcome = dict[str, Any]


class Bench:
    """One library with helpers that make the same inputs in both."""

    def __init__(self, torch: Any, dtype: str) -> None:
        self.torch = torch
        self.dtype = getattr(torch, dtype)

    def tensor(self, data: Any, dtype: Any = None) -> Any:
        dtype = dtype or self.dtype
        if "float8" in str(dtype):  # neither library makes one from a list of numbers without trouble
            return self.torch.tensor(data, dtype=self.torch.float32).to(dtype)
        return self.torch.tensor(data, dtype=dtype)

    def values(self, *shape: int, low: float = -3.0, high: float = 3.0, seed: int = 0, dtype: Any = None) -> Any:
        """A tensor of fixed numbers in a range (whole ones for integers, two parts for complex dtypes)."""
        dtype = dtype or self.dtype
        count = math.prod(shape)
        state = 12345 + 7919 * seed
        numbers = []
        for _ in range(2 * count):
            state = (1103515245 * state + 12345) % 2**31
            numbers.append(low + (high - low) * (state >> 8) / 2**23)
        data: list[Any] = numbers[:count]
        if dtype is self.torch.bool:
            data = [v > (low + high) / 2 for v in data]
        elif dtype.is_complex:
            data = [complex(a, b) for a, b in zip(data, numbers[count:], strict=True)]
        elif not dtype.is_floating_point:
            data = [abs(round(v)) if str(dtype).startswith("torch.uint") else round(v) for v in data]
        made = self.tensor(_nested(data, shape), dtype)
        return made if count else made.reshape(shape)

    def special(self, *, turned: bool = False, dtype: Any = None) -> Any:
        """Zeros of both signs, infinities, nan and a few ordinary numbers; small integers, finite complex numbers."""
        dtype = dtype or self.dtype
        data: list[Any]
        if dtype.is_complex:
            # Finite: what PyTorch gives for infinite parts depends on how many elements there are.
            data = [complex(a, b) for a, b in itertools.product([0.0, 1.0, -1.5], repeat=2)]
        elif dtype.is_floating_point:
            data = SPECIAL
        elif dtype is self.torch.bool:
            data = [True, False, False] * 4
        else:
            signed = not str(dtype).startswith("torch.uint")
            data = [0, 1, 2, 3, 5, 7, 11, 100, *([-1, -2, -7, -128] if signed else [4, 6, 8, 9])]
        return self.tensor(data[::-1] if turned else data, dtype)

    def namespace(self, case: OpCase) -> dict[str, Any]:
        """What the expressions of a case may name."""
        scope = {
            "torch": self.torch,
            "values": self.values,
            "special": self.special,
            "tensor": self.tensor,
            "dtype": self.dtype,
            "inf": math.inf,
            "nan": math.nan,
            "math": math,
        }
        text = " ".join([*case.samples, *case.bad, *case.inputs.values()])
        names = set(re.findall(r"\w+", text))
        for name, expression in {**DEFAULT_INPUTS, **case.inputs}.items():
            if name in names or name in case.inputs or name == "x":
                scope[name] = eval(expression, scope)
        return scope


def _nested(data: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return data[0]
    if len(shape) == 1:
        return data
    step = len(data) // shape[0] if shape[0] else 0
    return [_nested(data[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


# Running -------------------------------------------------------------------------------------------------------------


def describe(result: Any) -> Any:
    """A result in plain data: tensors as dtype, shape, strides where unusual, and values."""
    if hasattr(result, "storage_offset"):
        return _describe_tensor(result)
    if isinstance(result, tuple | list) and type(result).__name__ != "Size":
        return {"kind": type(result).__name__, "items": [describe(r) for r in result]}
    if isinstance(result, bool | int | str) or result is None:
        return {"value": result}
    if isinstance(result, float):
        return {"value": result}
    return {"text": str(result)}


def _describe_tensor(t: Any) -> Outcome:
    dtype = str(t.dtype).removeprefix("torch.")
    shape, stride = list(t.shape), list(t.stride())
    t = t.clone()  # PyTorch's gradients that are zero everywhere may have no memory of their own
    t = t.detach().resolve_conj().resolve_neg() if t.dtype.is_complex else t.detach()
    if "float8" in dtype:
        t = t.float()
    flat = t.contiguous().reshape(-1).tolist()
    if dtype.startswith("complex"):
        flat = [[v.real, v.imag] for v in flat]
    outcome: Outcome = {"d": dtype, "s": shape, "v": flat}
    expected, running = [], 1
    for size in reversed(shape):
        expected.append(running)
        running *= size or 1
    if stride != expected[::-1] and running > 1 and 0 not in shape:
        outcome["t"] = stride
    return outcome


def first_sentence(message: str) -> str:
    """What is compared of an error's message."""
    line = message.strip().split("\n")[0]
    return re.split(r"(?<=[.!?])\s", line)[0][:300]


def attempt(expression: str, scope: dict[str, Any]) -> tuple[Any, Outcome | None]:
    """The value of an expression, or the description of its error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return eval(expression, scope), None
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the outcome
        return None, {"error": type(error).__name__, "message": first_sentence(str(error))}


def call_of(case: OpCase, sample: str) -> str:
    """The expression of a sample: a call of the function or of the method."""
    if case.name.startswith("Tensor."):
        receiver, rest = split_first(sample)
        return f"{receiver}.{case.name[7:]}({rest})"
    return f"torch.{case.name}({sample})"


def split_first(sample: str) -> tuple[str, str]:
    """The first argument of a list and the rest."""
    depth = 0
    for i, c in enumerate(sample):
        depth += c in "([{"
        depth -= c in ")]}"
        if c == "," and depth == 0:
            return sample[:i].strip(), sample[i + 1 :].strip()
    return sample.strip(), ""


def run_sample(torch: Any, case: OpCase, sample: str, dtype: str, *, variants: bool) -> Outcome:
    """What one sample gives in one dtype: the result or error; the same through method, in-place method and out=."""
    bench = Bench(torch, dtype)
    scope = bench.namespace(case)
    result, error = attempt(call_of(case, sample), scope)
    outcome: Outcome = {"result": error or describe(result)}
    if variants and case.variants and not case.name.startswith("Tensor."):
        outcome.update(_run_variants(bench, case, sample, result))
    return outcome


def _run_variants(bench: Bench, case: OpCase, sample: str, result: Any) -> Outcome:
    torch = bench.torch
    outcome: Outcome = {}
    receiver, rest = split_first(sample)
    name = case.name.rpartition(".")[2] if case.name.startswith("special.") else case.name
    calls = {}
    if receiver.isidentifier() and "." not in name:
        if hasattr(torch.Tensor, name):
            calls["method"] = f"{receiver}.{name}({rest})"
        if hasattr(torch.Tensor, name + "_"):
            calls["inplace"] = f"{receiver}.{name}_({rest})"
    if hasattr(result, "storage_offset"):
        calls["out"] = f"torch.{case.name}({sample}, out=__out)"
    for kind, expression in calls.items():
        scope = bench.namespace(case)
        if kind == "out":
            scope["__out"] = torch.empty_like(result)
        value, error = attempt(expression, scope)
        if kind == "out" and error is not None and error["error"] == "TypeError":
            continue  # PyTorch does not take out= here
        if kind == "inplace" and error is None:
            outcome["inplace"] = describe(scope[receiver])
            outcome["inplace_returns_self"] = value is scope[receiver]
        else:
            outcome[kind] = error or describe(value)
    return outcome


def run_gradients(torch: Any, case: OpCase, sample: str, dtype: str) -> Outcome | None:
    """The gradients of a sample's inputs for fixed output gradients, and the node's name; None where there are none."""
    bench = Bench(torch, dtype)
    scope = bench.namespace(case)
    leaves = {
        name: value
        for name, value in scope.items()
        if hasattr(value, "storage_offset") and (value.dtype.is_floating_point or value.dtype.is_complex)
    }
    for leaf in leaves.values():
        leaf.requires_grad_()
    result, error = attempt(call_of(case, sample), scope)
    if error is not None:
        return {"error": error["error"], "message": error["message"]}
    outputs = [result] if hasattr(result, "storage_offset") else [r for r in _flat(result) if hasattr(r, "grad_fn")]
    outputs = [o for o in outputs if o.requires_grad and o.grad_fn is not None]
    if not outputs:
        return None
    node = outputs[0].grad_fn.name()
    try:
        weights = [bench.values(*o.shape, seed=9 + i, dtype=o.dtype) for i, o in enumerate(outputs)]
        torch.autograd.backward(outputs, weights)
    except RuntimeError as failure:
        return {"node": node, "error": "RuntimeError", "message": first_sentence(str(failure))}
    return {"node": node, "grads": {name: None if x.grad is None else describe(x.grad) for name, x in leaves.items()}}


def _flat(result: Any) -> list[Any]:
    if isinstance(result, tuple | list):
        return [r for part in result for r in _flat(part)]
    return [result]


def run_bad(torch: Any, case: OpCase, expression: str) -> Outcome:
    """The error of an expression that PyTorch refuses."""
    value, error = attempt(expression, Bench(torch, "float32").namespace(case))
    return error or {"result": describe(value)}


GRADIENT_DTYPES = ("float64", "complex128")


def run_case(torch: Any, case: OpCase, dtype: str) -> Outcome:
    """Everything about a case in one dtype."""
    main = dtype == "float32"
    samples = case.samples if dtype in ("float32", "float64", "int64", case.dtype_names[0]) else case.samples[:2]
    outcome: Outcome = {
        "samples": [run_sample(torch, case, s, dtype, variants=i == 0 or main) for i, s in enumerate(samples)]
    }
    if dtype in ((case.grad,) if isinstance(case.grad, str) else GRADIENT_DTYPES if case.grad else ()):
        outcome["gradients"] = [
            run_gradients(torch, case, s, dtype) for s in case.samples if "dtype=torch.int" not in s
        ]
    if dtype == case.dtype_names[0]:
        outcome["bad"] = [run_bad(torch, case, b) for b in case.bad]
    return outcome


# Comparing -----------------------------------------------------------------------------------------------------------

_TOLERANCES = {
    "float64": (1e-10, 1e-12),
    "complex128": (1e-10, 1e-12),
    "float32": (4e-6, 1e-6),
    "complex64": (4e-6, 1e-6),
    "float16": (2e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
}


def differences(case: OpCase, expected: Any, found: Any, where: str = "") -> list[str]:
    """What differs between two outcomes, in words."""
    if expected is None and "grads" in where and isinstance(found, dict) and not any(_parts(found.get("v", [1]))):
        return []  # PyTorch leaves out a gradient that is zero everywhere
    if isinstance(expected, dict) and isinstance(found, dict):
        if "d" in expected and "d" in found:
            return _tensor_differences(case, expected, found, where)
        if "result" in expected and "out" not in expected:
            found = {k: v for k, v in found.items() if k != "out"}  # to take more than PyTorch is no fault
        keys = [k for k in expected if k not in found] + [k for k in found if k not in expected]
        if keys:
            return [f"{where}: expected {expected}, found {found}"]
        return [d for k in expected for d in differences(case, expected[k], found[k], f"{where}.{k}" if where else k)]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{where}: expected {len(expected)} items, found {len(found)}: {expected} / {found}"]
        return [
            d
            for i, (e, f) in enumerate(zip(expected, found, strict=True))
            for d in differences(case, e, f, f"{where}[{i}]")
        ]
    if isinstance(expected, float) and isinstance(found, float):
        return [] if _close(expected, found, 1e-6, 1e-8, True) else [f"{where}: expected {expected}, found {found}"]
    return (
        []
        if expected == found and type(expected) is type(found)
        else [f"{where}: expected {expected!r}, found {found!r}"]
    )


def _parts(values: list[Any]) -> list[Any]:
    return [part for v in values for part in (v if isinstance(v, list) else [v])]


def _tensor_differences(case: OpCase, expected: Outcome, found: Outcome, where: str) -> list[str]:
    wrong = [
        f"{where}: {what} expected {expected.get(key)}, found {found.get(key)}"
        for key, what in (("d", "dtype"), ("s", "shape"), ("t", "strides"))
        if expected.get(key) != found.get(key)
    ]
    if wrong:
        return wrong
    relative, absolute = _TOLERANCES.get(expected["d"], (0.0, 0.0))
    relative, absolute = relative * case.tolerance, absolute * case.tolerance
    for i, (e, f) in enumerate(zip(expected["v"], found["v"], strict=True)):
        parts = zip(e, f, strict=True) if isinstance(e, list) else [(e, f)]
        # The signs of zeros in gradients and in complex numbers vary with PyTorch's ways to compute them.
        signed_zeros = case.signed_zeros and not isinstance(e, list) and "gradients" not in where
        if not all(_close(a, b, relative, absolute, signed_zeros) for a, b in parts):
            return [f"{where}: element {i} expected {e}, found {f} (all: {expected['v']} / {found['v']})"[:600]]
    return []


def _close(a: Any, b: Any, relative: float, absolute: float, signed_zeros: bool) -> bool:
    if not isinstance(a, float) or not isinstance(b, float):
        return a == b
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == b:
        return a != 0 or not signed_zeros or math.copysign(1, a) == math.copysign(1, b)
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= absolute + relative * abs(a)


# Recordings ----------------------------------------------------------------------------------------------------------


def recording_path(family: str) -> Path:
    return RECORDED / f"op{family}.json.gz"


def read_recording(family: str) -> dict[str, Any]:
    with gzip.open(recording_path(family), "rt", encoding="utf-8") as file:
        recording: dict[str, Any] = json.load(file)
    return recording


def write_recording(family: str, recording: dict[str, Any]) -> None:
    text = json.dumps(recording, separators=(",", ":"), sort_keys=True)
    # No time stamp, so that an unchanged recording is an unchanged file.
    recording_path(family).write_bytes(gzip.compress(text.encode(), mtime=0))
