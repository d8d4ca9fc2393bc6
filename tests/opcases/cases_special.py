"""Special functions."""

from opcases.case import case

_REAL = "bool int unsigned half float complex float8"
_SAMPLES = ("x", "special()", "x.t()", "values(0, 2)")

CASES = [
    case("erf", *_SAMPLES),
    case("erfc", *_SAMPLES),
    case("erfinv", *_SAMPLES, inputs={"x": "values(2, 3, low=-0.95, high=0.95)"}, tolerance=4),
    case("lgamma", *_SAMPLES, tolerance=4),
    case("digamma", *_SAMPLES, "tensor([1, 2, 5])", tolerance=10),
    case(
        "polygamma",
        "1, x",
        "2, x",
        "0, x",
        "3, x",
        inputs={"x": "values(2, 3, low=0.5, high=4)"},
        tolerance=10,
        bad=("torch.polygamma(-1, x)",),
    ),
    case(
        "mvlgamma",
        "x, 2",
        "x, 1",
        "x, 3",
        inputs={"x": "values(2, 3, low=2, high=5)"},
        tolerance=4,
        bad=("torch.mvlgamma(x, 0)",),
    ),
    case(
        "igamma",
        "x, y",
        "y, x",
        "special(), special(turned=True)",
        inputs={"x": "values(2, 3, low=0.2, high=5)", "y": "values(2, 3, low=0, high=5, seed=1)"},
        tolerance=20,
    ),
    case(
        "igammac",
        "x, y",
        "y, x",
        "special(), special(turned=True)",
        inputs={"x": "values(2, 3, low=0.2, high=5)", "y": "values(2, 3, low=0, high=5, seed=1)"},
        tolerance=20,
    ),
    case("i0", *_SAMPLES, tolerance=4),
    case("logit", *_SAMPLES, "x, 0.3", "special(), 0.1", inputs={"x": "values(2, 3, low=0.05, high=0.95)"}),
    case(
        "xlogy",
        "x, y",
        "special(), special(turned=True)",
        "2, y",
        "x, 2.5",
        "0, special()",
        inputs={"y": "values(2, 3, low=0.1, high=4, seed=1)"},
        bad=("torch.xlogy(2, 3)",),
    ),
]
