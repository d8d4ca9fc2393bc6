"""Every operator's derivatives against differences of its values, in the four ways to have them.

The same checks run on either library, so that what PyTorch itself cannot differentiate is measured, not written down.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from opcases.case import OpCase
from opcases.harness import Bench, split_first

DTYPES = ("float64", "complex128")
# The ways: by the backward, in forward mode, the backward of the backward, forward mode through the backward.
WAYS = ("reverse", "forward", "second", "mixed")

# Where the first sample of a case is no point to differentiate at (equal elements, a matrix that must stay symmetric,
# eigenvectors whose signs and phases are free): a call at another point, of inputs of its own.
_MATRIX = {"A": "values(3, 3) + 2 * torch.diag(tensor([1, 3, 6]))"}
_HERMITIAN = {"A": "values(3, 3, low=-1, high=1) + 2 * torch.diag(tensor([1, 3, 6]))"}
_POSITIVE = {"A": "values(3, 3, low=-1, high=1) + 4 * torch.eye(3, dtype=dtype)"}
_RIGHT = {"B": "values(3, 2, seed=1)"}
_PARTS = "(lambda r: (r[0].abs(), r[1].abs(), r[2].abs()))"
POINTS: dict[str, tuple[dict[str, str], str]] = {
    "mode": ({"x": "values(3, 4)"}, "torch.mode(x, 1)"),
    "linalg.cholesky": (_POSITIVE, "torch.linalg.cholesky(A + A.mH)"),
    "linalg.cholesky_ex": (_POSITIVE, "torch.linalg.cholesky_ex(A + A.mH)"),
    "cholesky": (_POSITIVE, "torch.cholesky(A + A.mH)"),
    "cholesky_inverse": (_POSITIVE, "torch.cholesky_inverse(torch.linalg.cholesky(A + A.mH))"),
    "cholesky_solve": (_POSITIVE | _RIGHT, "torch.cholesky_solve(B, torch.linalg.cholesky(A + A.mH))"),
    "triangular_solve": (_POSITIVE | _RIGHT, "torch.triangular_solve(B, A.triu())"),
    "linalg.lu": (_MATRIX, "torch.linalg.lu(A)[1:]"),
    "lu_unpack": (_MATRIX, "torch.lu_unpack(A, torch.tensor([2, 3, 3], dtype=torch.int32))[1:]"),
    "polar": ({"x": "values(2, 3, low=0.5)"}, "torch.polar(x, y)"),
    "linalg.eig": (_MATRIX, "(lambda r: (r[0], r[1].abs()))(torch.linalg.eig(A))"),
    "linalg.eigh": (_HERMITIAN, "(lambda r: (r[0], r[1].abs()))(torch.linalg.eigh(A + A.mH))"),
    "linalg.eigvalsh": (_HERMITIAN, "torch.linalg.eigvalsh(A + A.mH)"),
    "linalg.svd": (_MATRIX, f"{_PARTS}(torch.linalg.svd(A))"),
    "svd": (_MATRIX, f"{_PARTS}(torch.svd(A))"),
    "special.entr": ({"x": "values(2, 3, low=0.5)"}, "torch.special.entr(x)"),
    "nn.functional.ctc_loss": (
        {"x": "values(6, 2, 4)"},
        "torch.nn.functional.ctc_loss(x.log_softmax(2), torch.tensor([[1, 2, 2], [3, 1, 0]]), [6, 5], [3, 2])",
    ),
}


class Sample:
    """The first sample of a case as a function of its floating point inputs."""

    def __init__(self, torch: Any, case: OpCase, dtype: str, number: int = 0) -> None:
        self.torch = torch
        text = case.samples[number]
        if case.name in POINTS and not number:
            inputs, text = POINTS[case.name]
            case = OpCase(case.name, (text,), inputs)
        scope = Bench(torch, dtype).namespace(case)
        self.names = [
            name
            for name in dict.fromkeys(re.findall(r"(?<![\w.])[a-zA-Z_]\w*\b(?!\s*=)", text))
            if isinstance(scope.get(name), torch.Tensor) and differentiable(scope[name])
        ]
        source = f"torch.{case.name}({text})"
        if case.name in POINTS and not number:
            source = text
        elif case.name.startswith("Tensor."):
            receiver, rest = split_first(text)
            source = f"({receiver}).{case.name.removeprefix('Tensor.')}({rest})"
        self.code = compile(source, f"<{case.name}>", "eval")
        self.scope = scope
        self.inputs = [scope[name].detach() for name in self.names]

    def __call__(self, *values: Any) -> tuple[Any, ...]:
        """The results of floating types."""
        # Copies: operators that write in place are refused leaves.
        given = [v.clone() for v in values]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.torch.manual_seed(0)
            result = eval(self.code, {**self.scope, **dict(zip(self.names, given, strict=True))})
        return tuple([t for t in tensors(self.torch, result) if differentiable(t)])

    def derived(self) -> bool:
        """Whether there is anything to differentiate."""
        leaves = [x.clone().requires_grad_() for x in self.inputs]
        return any(t.requires_grad for t in self(*leaves))

    def check(self, way: str, wanted: Sequence[str]) -> None:
        """Compare the derivatives by the inputs ``wanted`` with differences; raises where they do not agree."""
        gradcheck, gradgradcheck = self.torch.autograd.gradcheck, self.torch.autograd.gradgradcheck
        values = [x.clone().requires_grad_(n in wanted) for n, x in zip(self.names, self.inputs, strict=True)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.torch.manual_seed(0)
            if way == "reverse":
                gradcheck(self, values, fast_mode=True)
            elif way == "forward":
                gradcheck(
                    self,
                    values,
                    fast_mode=True,
                    check_backward_ad=False,
                    check_forward_ad=True,
                    check_undefined_grad=False,
                )
            else:
                gradgradcheck(
                    self,
                    values,
                    fast_mode=True,
                    check_undefined_grad=way == "second",
                    check_rev_over_rev=way == "second",
                    check_fwd_over_rev=way == "mixed",
                )


def differentiable(t: Any) -> bool:
    return bool(t.is_floating_point() or t.is_complex())


def tensors(torch: Any, result: Any) -> Iterator[Any]:
    """The tensors of a result."""
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, (tuple, list)):
        for part in result:
            yield from tensors(torch, part)
