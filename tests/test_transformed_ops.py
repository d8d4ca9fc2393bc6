"""Every operator under the transforms: ``vmap`` is the loop, forward mode agrees with reverse mode.

A sample of the operators runs by default; all of them where TORCHLIKE_ALL_OPERATORS is set, for a quarter of an hour.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from transforms import operators
from transforms.operators import cases

CASES = cases()
pytestmark = pytest.mark.filterwarnings("ignore")  # what is deprecated, here and in the cases

# Operators for which vmap raises PyTorch's error: they ask for values.
BY_VALUE = frozenset(
    [
        "argwhere",
        "histc",
        "histogram",
        "histogramdd",
        "nonzero",
        "nonzero_static",
        "nn.functional.gaussian_nll_loss",
        "bincount",
        "masked_select",
        "unique",
        "unique_consecutive",
        "allclose",
        "equal",
        "is_nonzero",
        "Tensor.item",
        "Tensor.tolist",
        "Tensor.numpy",
    ]
)
# Operators without a derivative, in either library, or with one that is not the derivative of the values they give.
UNDERIVED = {
    "as_strided_scatter": "PyTorch's gradient is that of what was replaced",
    "linalg.eig": "eigenvectors are defined up to a phase",
    "linalg.eigvalsh": "reads one triangle of a matrix that is not symmetric here",
    "linalg.eigh": "reads one triangle of a matrix that is not symmetric here",
    "nn.functional.soft_margin_loss": "the target has no gradient",
}
_NONE = (
    "derivative for",
    "not differentiable",
    "does not support automatic differentiation",
    "non-empty output",
    "leaf Variable",
    "is not implemented",
    "is not differentiable",
)


def _some(names: Iterable[str], step: int) -> list[str]:
    """Every so many of the operators, or all."""
    return sorted(names)[:: 1 if os.environ.get("TORCHLIKE_ALL_OPERATORS") else step]


@pytest.mark.parametrize("name", _some(CASES, 16))
def test_vmap_is_the_loop(name: str) -> None:
    try:
        found = operators.check_vmap(CASES[name])
    except RuntimeError as error:
        if name in BY_VALUE and "vmap" in str(error):
            return
        raise
    assert found is None, found


@pytest.mark.parametrize("name", _some(set(CASES) - set(UNDERIVED), 16))
def test_forward_mode_agrees_with_reverse_mode(name: str) -> None:
    try:
        found = operators.check_forward(CASES[name])
    except (RuntimeError, NotImplementedError) as error:
        if any(part in str(error) for part in _NONE):
            pytest.skip(str(error)[:80])
        raise
    assert found is None, found
