"""Elementwise arithmetic, comparison, bits and truth values of two or three tensors."""

from opcases.case import case

# Numbers of every kind, 0-dim tensors of other dtypes, broadcasting, views.
_PAIRS = (
    "x, y",
    "special(), special(turned=True)",
    "x, 2",
    "x, 2.5",
    "x, True",
    "x, 1 + 2j",
    "x, values(3, seed=1)",
    "x, values(2, 1, seed=1)",
    "x, values(seed=1, dtype=torch.float64)",
    "x, tensor(3, dtype=torch.int64)",
    "x, values(2, 3, seed=1, dtype=torch.float32)",
    "x, values(2, 3, seed=1, dtype=torch.int32)",
    "x, values(2, 3, seed=1, dtype=torch.uint8)",
    "x.t(), y.t()",
    "values(0, 3), y[:1]",
    "values(), values(seed=1)",
)
_NUMBER_FIRST = ("2, x", "2.5, x", "1j, x")
_NONZERO = {"y": "tensor([[1, 2, 3], [4, 5, 7]])", "x": "values(2, 3, low=-20, high=20)"}
_WRONG = ("values(2, 3), values(4)", "values(2, 3), 'a'", "values(2, 3), None")


def _bad(name: str, *more: str) -> tuple[str, ...]:
    return tuple(f"torch.{name}({arguments})" for arguments in _WRONG) + more


_DIVIDED = (
    "x, y",
    "x, 2",
    "x, 2.5",
    "x, -3",
    "x, values(2, 3, seed=3, low=1, high=9, dtype=torch.float32)",
    "x.t(), y.t()",
)
_ZEROS = ("x, 0", "x, 0.0", "x, y * 0")

CASES = [
    case(
        "add",
        *_PAIRS,
        *_NUMBER_FIRST,
        "x, y, alpha=2",
        "x, y, alpha=2.5",
        "tensor([1, 0]), tensor([2, 1]), alpha=3",
        bad=_bad("add"),
    ),
    case("sub", *_PAIRS, *_NUMBER_FIRST, "x, y, alpha=2", bad=_bad("sub"), aliases=("subtract",)),
    case("rsub", *_PAIRS, "x, y, alpha=2", bad=("torch.rsub(x, None)",)),
    case("mul", *_PAIRS, *_NUMBER_FIRST, bad=_bad("mul"), aliases=("multiply",)),
    case("true_divide", *_PAIRS, *_NUMBER_FIRST, "x, 0", bad=_bad("true_divide"), inputs=_NONZERO),
    case(
        "div",
        *_DIVIDED,
        *_ZEROS,
        *(f"{s}, rounding_mode='floor'" for s in (*_DIVIDED, *_ZEROS)),
        *(f"{s}, rounding_mode='trunc'" for s in (*_DIVIDED, *_ZEROS)),
        inputs=_NONZERO,
        bad=_bad("div", "torch.div(x, y, rounding_mode='up')", "x.div_(y, rounding_mode='up')"),
        aliases=("divide",),
    ),
    case("floor_divide", *_DIVIDED, *_ZEROS, "7, y", inputs=_NONZERO, grad=False, bad=_bad("floor_divide")),
    case("remainder", *_DIVIDED, *_ZEROS, "7, y", inputs=_NONZERO, bad=_bad("remainder")),
    case("fmod", *_DIVIDED, *_ZEROS, inputs=_NONZERO, bad=_bad("fmod")),
    case(
        "pow",
        "x, 2",
        "x, y",
        *(f"x, {e}" for e in ("0", "1", "3", "4", "0.5", "-0.5", "-1", "-2", "1.7", "True", "2.0", "1j")),
        "2, x",
        "0, x",
        "2.5, x",
        "x, tensor([0, 1, 2])",
        "tensor([0, 1, 2]), tensor([0, 0, 3])",
        "tensor([3, 1, 2]), 40",
        inputs={"x": "values(2, 3, low=0.2, high=4)", "y": "values(2, 3, low=0, high=4, seed=1)"},
        bad=_bad("pow", "torch.pow(2, 3)", "torch.pow('a', 2)"),
    ),
    case("float_power", "x, 2", "x, y", "2, x", "x, -1.5", inputs={"x": "values(2, 3, low=0.2, high=4)"}),
    case(
        "atan2",
        "x, y",
        "special(), special(turned=True)",
        "x, values(3, seed=1)",
        bad=_bad("atan2"),
        aliases=("arctan2",),
    ),
    case(
        "maximum",
        "x, y",
        "special(), special(turned=True)",
        "x, x",
        "x, values(3, dtype=torch.int32)",
        bad=_bad("maximum"),
    ),
    case(
        "minimum",
        "x, y",
        "special(), special(turned=True)",
        "x, x",
        "x, values(3, dtype=torch.int32)",
        bad=_bad("minimum"),
    ),
    case("fmax", "x, y", "special(), special(turned=True)", "x, x", bad=_bad("fmax")),
    case("fmin", "x, y", "special(), special(turned=True)", "x, x", bad=_bad("fmin")),
    case(
        "lerp",
        "x, y, 0.3",
        "x, y, z",
        "x, y, 0.8",
        "x, y, 2",
        "x, y, values(3, low=0, high=1)",
        bad=("torch.lerp(x, values(2, 3, dtype=torch.float64), 0.5)", "torch.lerp(x, values(4), 0.5)"),
    ),
    case(
        "addcmul", "x, y, z", "x, y, z, value=2", "x, y, z, value=0.5", "x, values(3), values(2, 1)", "x, y, tensor(2)"
    ),
    case(
        "addcdiv",
        "x, y, z",
        "x, y, z, value=2",
        "x, y, z, value=0.5",
        inputs={"z": "values(2, 3, low=1, high=4)"},
        bad=("torch.addcdiv(x, values(4), x)",),
    ),
    case(
        "clamp",
        "x, y, z",
        "x, -1, 1",
        "special(), -1, 2",
        "x, min=0",
        "x, max=0.5",
        "x, max=1",
        "x, min=y",
        "x, max=y",
        "x, 1, -1",
        "x, values(3, low=-1, high=0), values(2, 1, low=0, high=1)",
        "tensor([1, 2, 3]), 1, 3",
        "special(), min=0.0",
        bad=("torch.clamp(x)", "torch.clamp(x, 'a')", "torch.clamp(x, min=values(4))"),
        aliases=("clip",),
    ),
    case("clamp_min", "x, y", "x, 0.5", "special(), 0", "special(), -0.0"),
    case("clamp_max", "x, y", "x, 0.5", "special(), 0"),
    case("copysign", "x, y", "special(), special(turned=True)", "x, -2", "x, -0.0", "values(0, 3), y[:1]"),
    case("nextafter", "x, y", "special(), special(turned=True)"),
    case("ldexp", "x, y", "x, tensor([1, 2, 3])", "special(), tensor(2)"),
    case("frexp", "x", "special()", "values(0, 2)"),
    case("heaviside", "x, y", "special(), tensor(1)", "x, values(3, dtype=torch.int32)", grad=False),
    case("hypot", "x, y", "special(), special(turned=True)"),
    case("logaddexp", "x, y", "special(), special(turned=True)", "special(), special()"),
    case("logaddexp2", "x, y", "special(), special(turned=True)", "special(), special()"),
    case(
        "gcd",
        "x, y",
        "special(), special(turned=True)",
        "x, tensor([12, 0, 8])",
        inputs={"x": "values(2, 3, low=-40, high=90)"},
    ),
    case("lcm", "x, y", "x, tensor([12, 0, 8])", inputs={"x": "values(2, 3, low=-11, high=11)"}),
    case("angle", "x", "special()", "x.t()"),
    case("conj_physical", "x", "x.t()"),
    # Comparison
    *(
        case(name, *_PAIRS, bad=_bad(name, f"torch.{name}(2, x)"), aliases=aliases)
        for name, aliases in (
            ("eq", ()),
            ("ne", ("not_equal",)),
            ("lt", ("less",)),
            ("le", ("less_equal",)),
            ("gt", ("greater",)),
            ("ge", ("greater_equal",)),
        )
    ),
    *(
        case(name, "x", "special()", "x.t()")
        for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal")
    ),
    case("signbit", "x", "special()", "x.t()"),
    case(
        "isclose",
        "x, x + 0.0001",
        "x, x",
        "special(), special()",
        "special(), special(), equal_nan=True",
        "x, y, rtol=0.5, atol=0.1",
        "x, y, 0, 0",
        bad=(
            "torch.isclose(x, values(2, 3, dtype=torch.float64))",
            "torch.isclose(x, y, rtol=-1)",
            "torch.isclose(x, y, atol=-1)",
        ),
    ),
    case(
        "allclose",
        "x, x",
        "x, y",
        "special(), special(), equal_nan=True",
        bad=("torch.allclose(x, values(2, 3, dtype=torch.float64))",),
    ),
    case(
        "equal", "x, x.clone()", "x, y", "x, values(3)", "special(), special()", "x, values(2, 3, dtype=torch.float64)"
    ),
    # Bits and truth values
    *(
        case(name, "x, y", "x, 3", "6, y", "x, True", "x, tensor([1, 2, 3])", "x, 2.5", bad=_bad(name))
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    ),
    *(
        case(
            name,
            "x, y",
            "x, 3",
            "1, y",
            "x, tensor([1, 2, 3])",
            "x, 70",
            "x, -1",
            "x, 7",
            inputs={"y": "tensor([0, 1, 8])"},
        )
        for name in ("bitwise_left_shift", "bitwise_right_shift")
    ),
    case("bitwise_not", "x", "special()", "x.t()"),
    case("logical_not", "x", "special()", "x.t()"),
    *(
        case(name, "x, y", "special(), special(turned=True)", "x, values(3, dtype=torch.int32)", bad=_bad(name))
        for name in ("logical_and", "logical_or", "logical_xor")
    ),
]
