"""Every operator's first sample under the transforms: ``vmap`` against a loop, forward mode against reverse mode."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from opcases.case import OpCase, families, load
from opcases.harness import Bench

import torchlike as torch

# Operators whose results are no function of their inputs' values alone, or not at all tensors of floating types.
LEFT_OUT = re.compile(
    r"rand|bernoulli|multinomial|normal|poisson|binomial|dropout|rrelu|gumbel|dirichlet|gamma$|empty|uniform|exponential|"
    r"geometric|cauchy|_state|fractional_max|lowrank|feature_alpha|resize|set_$|data_ptr|storage|seed"
)


def cases() -> dict[str, OpCase]:
    """All cases that have a sample in float64, by name."""
    found = {}
    for family in families():
        for case in load(family):
            if "float64" in case.dtype_names and not LEFT_OUT.search(case.name):
                found[case.name] = case
    return found


def function_of(case: OpCase, dtype: str = "float64") -> tuple[Callable[..., Any], list[str], dict[str, Any]] | None:
    """The first sample as a function of its floating point inputs; None where it has none or cannot be evaluated."""
    bench = Bench(torch, dtype)
    scope = bench.namespace(case)
    sample = case.samples[0]
    names = [
        name
        for name in dict.fromkeys(re.findall(r"\b[a-zA-Z_]\w*\b", sample))
        if isinstance(scope.get(name), torch.Tensor) and (scope[name].is_floating_point() or scope[name].is_complex())
    ]
    if not names:
        return None
    target = case.name
    if target.startswith("Tensor."):
        first, _, rest = sample.partition(",")
        source = f"({first}).{target.removeprefix('Tensor.')}({rest})"
    else:
        source = f"torch.{target}({sample})"
    code = compile(source, f"<{case.name}>", "eval")

    def function(*values: Any) -> Any:
        return eval(code, {**scope, **dict(zip(names, values, strict=True))})

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*[scope[n] for n in names])
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, AttributeError):
        return None  # the sample itself is refused in this dtype
    return function, names, scope


def tensors(result: Any) -> Iterator[Any]:
    """The tensors of a result."""
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from tensors(part)


def check_vmap(case: OpCase) -> str | None:
    """Compare ``vmap`` with a loop; returns what differs."""
    made = function_of(case)
    if made is None:
        return None
    function, names, scope = made
    batches = [torch.stack([scope[n], scope[n] * 0.9]) for n in names]
    loop = [list(tensors(function(*[b[i] for b in batches]))) for i in range(2)]
    if not loop[0] or [t.shape for t in loop[0]] != [t.shape for t in loop[1]]:
        return None
    found = list(tensors(torch.vmap(lambda *v: tuple(tensors(function(*v))))(*batches)))
    for number, (whole, *parts) in enumerate(zip(found, *loop, strict=True)):
        wanted = np.stack([np.asarray(p.detach().resolve_conj().resolve_neg().tolist()) for p in parts])
        have = np.asarray(whole.detach().resolve_conj().resolve_neg().tolist())
        if not np.allclose(have, wanted, rtol=1e-6, atol=1e-9, equal_nan=True):
            return f"output {number}: {have} instead of {wanted}"
    return None


def check_forward(case: OpCase) -> str | None:
    """Compare forward mode with reverse mode: both are the same bilinear form; returns what differs."""
    made = function_of(case)
    if made is None:
        return None
    function, names, scope = made
    inputs = [scope[n].detach() for n in names]

    def real(*values: Any) -> tuple[Any, ...]:
        return tuple(
            [
                torch.view_as_real(t.resolve_conj()) if t.is_complex() else t
                for t in tensors(function(*values))
                if t.is_floating_point() or t.is_complex()
            ]
        )

    outs, pull = torch.func.vjp(real, *inputs)
    if not outs:
        return None
    rng = np.random.default_rng(0)

    def like(t: Any) -> Any:
        return torch.tensor(rng.standard_normal(tuple(t.shape)), dtype=t.dtype)

    weights, directions = tuple(like(o) for o in outs), tuple(like(x) for x in inputs)
    moved = torch.func.jvp(real, tuple(inputs), directions)[1]
    forward = sum(float((w * m).sum()) for w, m in zip(weights, moved, strict=True))
    reverse = sum(float((g * d).sum()) for g, d in zip(pull(weights), directions, strict=True))
    if not np.isclose(forward, reverse, rtol=1e-6, atol=1e-8, equal_nan=True):
        return f"forward mode {forward}, reverse mode {reverse}"
    return None
