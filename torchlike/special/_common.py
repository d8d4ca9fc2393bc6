"""What the special functions share."""

from __future__ import annotations

from typing import Any

from torchlike._core import errors
from torchlike._core.op import NotDifferentiable, operands_given
from torchlike._core.promote import common_dtype
from torchlike.ops._checks import COMPLEX, FLOAT8, HALF, refuse


def refuse_usual(name: str, input: Any) -> None:
    """Refuse the dtypes that most special functions refuse: halves, complex numbers and 8-bit floats."""
    refuse(f"{name}_cpu", input, COMPLEX, FLOAT8)
    given = [g for g in operands_given() if g is not None]
    # The body sees halves widened.
    if given and (common := common_dtype(given)).np in HALF:
        errors.not_implemented(f"{name}_cpu", common)


def no_gradient(grad: Any, inputs: Any, outputs: Any) -> Any:
    """The formula of functions that PyTorch does not differentiate: their results take part in no graph."""
    raise NotDifferentiable("not differentiable")
