"""Orthogonal polynomials."""

from opcases.case import case

NAMES = (
    *(f"{shifted}chebyshev_polynomial_{kind}" for shifted in ("", "shifted_") for kind in "tuvw"),
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
)

CASES = [
    case(
        f"special.{name}",
        "x, tensor([0, 1, 2])",
        "x, 3",
        "values(4, 1, low=-0.9, high=0.9), torch.arange(0, 12)",
        "special(), special(turned=True)",
        "tensor([0, 1, -1, 0.5]), 7.9",
        "0.5, tensor([0, 4, 9, 30])",
        "1.5, tensor([-1, 2, 5, 20])",
        "values(0, 2), 3",
        dtypes="bool int64 uint16 half float complex64 float8",
        tolerance=4,
        bad=(f"torch.special.{name}(2.0, 3)", f"torch.special.{name}(values(2, 3), values(4))"),
    )
    for name in NAMES
]
