"""torch.special: precision against values computed in thirty digits, and what only this namespace does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import torchlike as torch

VALUES = [
    (
        "bessel_j0",
        (0.3, 4.9, 5.1, 30.0),
        (0.9776262465382961, -0.2097383275853262, -0.14433474706050065, -0.08636798358104021),
    ),
    (
        "bessel_j1",
        (0.3, 4.9, -5.1, 30.0),
        (0.148318816273104, -0.31469467101519066, 0.3370972020182318, -0.11875106261662294),
    ),
    (
        "bessel_y0",
        (0.3, 4.9, 5.1, 30.0),
        (-0.8072735778045195, -0.2920545942440142, -0.3216024491248594, -0.11729573168666403),
    ),
    (
        "bessel_y1",
        (0.3, 4.9, 5.1, 30.0),
        (-2.2931051383885293, 0.18124669204504856, 0.11373644197749973, 0.08442557066174723),
    ),
    (
        "airy_ai",
        (-9.0, -4.0, -0.5, 1.5, 2.5, 20.0),
        (
            -0.022133721547341403,
            -0.07026553294928951,
            0.4757280916105396,
            0.07174949700810541,
            0.01572592338047049,
            1.6916728686705404e-27,
        ),
    ),
    (
        "i1",
        (-0.3, 7.0, 9.0, 60.0),
        (-0.15169384000359276, 156.03909286995545, 1030.9147225169565, 5.844751588390468e24),
    ),
    (
        "modified_bessel_k0",
        (0.3, 1.9, 2.1, 60.0),
        (1.3724600605442974, 0.1288459792760475, 0.10078374088996693, 1.4138978405591078e-27),
    ),
    (
        "modified_bessel_k1",
        (0.3, 1.9, 2.1, 60.0),
        (3.055992033457325, 0.15966015303266762, 0.12274641153350789, 1.4256320265171043e-27),
    ),
    (
        "erfcx",
        (-5.0, -0.3, 0.3, 30.0, 100000.0),
        (144009798674.66104, 1.4537492328427655, 0.7345993345676551, 0.01879588886141675, 5.6418958351954685e-06),
    ),
    ("log_ndtr", (-30.0, -0.5, 2.0), (-454.3212439563432, -1.1759117615936185, -0.02301290932896349)),
    (
        "erfinv",
        (-0.5, 0.9975, 0.99999999, 0.9999999999999999),
        (-0.4769362762044699, 2.1378252338818555, 4.052237243268763, 5.8635847487551676),
    ),
    ("ndtri", (0.02, 0.3, 0.97), (-2.053748910631823, -0.5244005127080408, 1.8807936081512506)),
]
PAIRS = [
    ("zeta", 1.5, 3.0, 1.2588219580922146),
    ("zeta", 9.0, 0.2, 1953125.1946663572),
    ("zeta", 2.0, 300.0, 0.0033388950617146778),
    ("gammainc", 3.0, 1.0, 0.08030139707139419),
    ("gammainc", 26.6, 19.1, 0.06025740784689278),
    ("gammainc", 5000.0, 5100.0, 0.9206711189223811),
    ("gammaincc", 3.0, 1.0, 0.9196986029286058),
    ("gammaincc", 23.7, 30.0, 0.1035443346159041),
    ("gammaincc", 5000.0, 5100.0, 0.07932888107761897),
    ("zeta", 3.0, -2.5, 0.0541020258208637),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), VALUES)
def test_to_double_precision(name: str, arguments: Any, expected: Any) -> None:
    found = getattr(torch.special, name)(torch.tensor(arguments, dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), expected, rtol=4e-14, atol=0)


@pytest.mark.parametrize(("name", "a", "b", "expected"), PAIRS)
def test_pairs_to_double_precision(name: str, a: float, b: float, expected: float) -> None:
    first, second = (torch.tensor([v], dtype=torch.float64) for v in (a, b))
    assert getattr(torch.special, name)(first, second).item() == pytest.approx(expected, rel=1e-13)


def test_high_derivatives_of_digamma_below_zero() -> None:
    x = torch.tensor([-0.5, -1.5, -900.25], dtype=torch.float64)
    # Of an odd power the terms of negative base cancel those of positive base exactly, but for the last few.
    assert torch.special.polygamma(20, x)[0].item() == pytest.approx(-487772949462609.94, rel=1e-12)
    assert math.isinf(torch.special.polygamma(3, torch.tensor(-2.0)).item())


def test_functions_without_a_gradient_end_the_graph() -> None:
    x = torch.ones(2, requires_grad=True)
    assert not torch.special.bessel_j0(x).requires_grad
    assert not torch.special.hermite_polynomial_h(x, 2).requires_grad


def test_a_changing_degree_compiles_nothing_for_tensors() -> None:
    x = torch.tensor([0.25, 2.0], dtype=torch.float64)
    found = [torch.special.legendre_polynomial_p(x, torch.tensor(n))[1].item() for n in range(5)]
    assert found == [1.0, 2.0, 5.5, 17.0, 55.375]


def test_zeta_has_the_gradient_of_its_second_argument_only() -> None:
    s, q = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (2.0, 1.5))
    (gradient,) = torch.autograd.grad(torch.special.zeta(2, q), q)
    assert gradient.item() == pytest.approx(-2 * torch.special.zeta(3, q).item())
    value = torch.special.zeta(s, 1.5)
    with pytest.raises(NotImplementedError, match="the derivative for 'zeta' is not implemented"):
        value.backward()
