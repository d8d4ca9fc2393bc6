"""Activation functions of torch.nn.functional."""

from opcases.case import case

_F = "bool int half float complex"
_SAMPLES = ("x", "special()", "values()", "values(0, 2)", "x.t()")

CASES = [
    case("nn.functional.relu", *_SAMPLES, "x * 1, True", dtypes=_F),
    case("nn.functional.relu6", *_SAMPLES, "x * 1, True", inputs={"x": "values(2, 3, low=-3, high=9)"}, dtypes=_F),
    case(
        "nn.functional.hardtanh",
        *_SAMPLES,
        "x, -0.5, 0.25",
        "x, 0, 2",
        "x * 1, -2, 2, True",
        dtypes=_F,
        bad=("torch.nn.functional.hardtanh(x, 2, 1)", "torch.nn.functional.hardtanh(torch.ones(2, dtype=torch.uint8))"),
    ),
    case("nn.functional.threshold", "x, 0.5, 9.0", "special(), 0.5, 9", "x * 1, 1, 2, True", dtypes=_F),
    case("nn.functional.leaky_relu", *_SAMPLES, "x, 0.3", "x, -0.5", "x * 1, 0.2, True", dtypes=_F),
    case(
        "nn.functional.prelu",
        "x, w",
        "x, one",
        "values(), one",
        "values(2, 3, 2), w",
        inputs={"w": "values(3, seed=3)", "one": "values(1, seed=4)"},
        dtypes="half float",
        bad=(
            "torch.nn.functional.prelu(x, values(2))",
            "torch.nn.functional.prelu(x, values(3, 2))",
            "torch.nn.functional.prelu(x, values(1).to(torch.float16 if dtype is not torch.float16 else torch.float32))",
            "torch.nn.functional.prelu(values(), values(2))",
        ),
    ),
    case("nn.functional.hardshrink", *_SAMPLES, "x, 1.5", dtypes=_F),
    case("nn.functional.softshrink", *_SAMPLES, "x, 1.5", dtypes=_F, signed_zeros=False, bad=("torch.nn.functional.softshrink(x, -1.0)",)),
    case("nn.functional.hardsigmoid", *_SAMPLES, "x * 2", "x * 1, True", dtypes=_F),
    case("nn.functional.hardswish", *_SAMPLES, "x * 2", "x * 1, True", dtypes=_F),
    case("nn.functional.elu", *_SAMPLES, "x, 0.5", "x, alpha=-2.0", dtypes=_F),
    case("nn.functional.selu", *_SAMPLES, dtypes=_F),
    case("nn.functional.celu", *_SAMPLES, "x, 0.5", dtypes=_F, bad=("torch.nn.functional.celu(x, 0.0)",)),
    case("nn.functional.gelu", "x", "values()", "values(0, 2)", "x.t()", 'x, approximate="tanh"', dtypes=_F, tolerance=4, bad=('torch.nn.functional.gelu(x, approximate="erf")',)),
    case("nn.functional.silu", *_SAMPLES, dtypes="bool int half float", tolerance=2),
    case("nn.functional.mish", *_SAMPLES, dtypes=_F, tolerance=4),
    case("nn.functional.logsigmoid", *_SAMPLES, dtypes=_F, tolerance=2),
    case("nn.functional.softplus", *_SAMPLES, "x, 2.0", "x * 20, 0.5, 3.0", dtypes=_F, tolerance=4),
    case(
        "nn.functional.glu",
        "x, 0",
        "values(3, 4)",
        "values(4)",
        dtypes=_F,
        tolerance=2,
        bad=("torch.nn.functional.glu(x)", "torch.nn.functional.glu(values())", "torch.nn.functional.glu(x, 5)"),
    ),
    case("nn.functional.tanh", "x", dtypes="float"),
    case("nn.functional.sigmoid", "x", dtypes="float"),
    case("nn.functional.tanhshrink", "x", "special()", dtypes=_F, tolerance=2),
    case("nn.functional.softsign", "x", "special()", dtypes=_F),
    case("nn.functional.softmax", "x, 0", "x, 1", "x", "x, -1, dtype=torch.float64", dtypes=_F, tolerance=2),
    case("nn.functional.softmin", "x, 0", "x", "x, -1, dtype=torch.float64", dtypes=_F, tolerance=2),
    case("nn.functional.log_softmax", "x, 0", "x", "x, -1, dtype=torch.float64", dtypes=_F, tolerance=2),
    case("nn.functional.rrelu", "x", "x, 0.1, 0.2", "x * 1, 0.1, 0.2, False, True", dtypes=_F),
]
