"""Functions of probability and entropy in torch.special."""

from opcases.case import case

KINDS = "bool int64 uint16 half float complex64 float8"
SAMPLES = ("x", "special()", "values(2, 3, low=-30, high=30)", "x.t()", "values(0, 2)")

CASES = [
    *(case(f"special.{name}", *SAMPLES, dtypes=KINDS, tolerance=4) for name in ("entr", "erfcx", "log_ndtr", "ndtr")),
    case("special.ndtri", *SAMPLES, dtypes=KINDS, tolerance=4, inputs={"x": "values(2, 3, low=0.02, high=0.98)"}),
    case(
        "special.xlog1py",
        "x, y",
        "special(), special(turned=True)",
        "2, y",
        "x, 2.5",
        "0, special()",
        dtypes=KINDS,
        inputs={"y": "values(2, 3, low=-0.9, high=4, seed=1)"},
        bad=("torch.special.xlog1py(2, 3)",),
    ),
    case(
        "special.zeta",
        "x, y",
        "special(), special(turned=True)",
        "2, y",
        "x, 2.5",
        "tensor([2, 3, 4]), tensor([-2.5, -1.25, -7.5])",
        dtypes=KINDS,
        inputs={"x": "values(2, 3, low=1.1, high=9)", "y": "values(2, 3, low=0.2, high=14, seed=1)"},
        tolerance=10,
        bad=("torch.special.zeta(2, 3)",),
    ),
]
