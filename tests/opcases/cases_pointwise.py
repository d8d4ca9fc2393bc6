"""Elementwise functions of one tensor."""

from opcases.case import case

_SAMPLES = ("x", "special()", "values()", "values(0, 2)", "x.t()")
_UNIT = {"x": "values(2, 3, low=-0.9, high=0.9)"}
_ABOVE_ONE = {"x": "values(2, 3, low=1.1, high=3)"}
_POSITIVE = {"x": "values(2, 3, low=0.1, high=3)"}

CASES = [
    case("neg", *_SAMPLES, aliases=("negative",)),
    case("abs", *_SAMPLES, "tensor([0, 1, -1])", aliases=("absolute",)),
    case("sign", *_SAMPLES),
    case("sgn", *_SAMPLES, "tensor([0, 1, -1])"),
    case("positive", *_SAMPLES),
    case("relu", *_SAMPLES),
    case("floor", *_SAMPLES),
    case("ceil", *_SAMPLES),
    case("trunc", *_SAMPLES, aliases=("fix",)),
    case("round", *_SAMPLES, "x, decimals=1", "x * 1000, decimals=-2"),
    case("frac", *_SAMPLES),
    case("nan_to_num", *_SAMPLES, "special(), 1.5", "special(), nan=2, posinf=3, neginf=-4", grad="float64"),
    case("sqrt", *_SAMPLES, inputs=_POSITIVE),
    case("rsqrt", *_SAMPLES, inputs=_POSITIVE),
    case("reciprocal", *_SAMPLES, inputs=_POSITIVE),
    case("square", *_SAMPLES),
    case("exp", *_SAMPLES),
    case("exp2", *_SAMPLES),
    case("expm1", *_SAMPLES, "tensor([1e-7, -1e-7])"),
    case("log", *_SAMPLES, inputs=_POSITIVE),
    case("log2", *_SAMPLES, "tensor([0.25, 1, 2, 8, 64])", inputs=_POSITIVE),
    case("log10", *_SAMPLES, "tensor([0.01, 1, 10, 100])", inputs=_POSITIVE),
    case("log1p", *_SAMPLES, "tensor([1e-7, -1e-7])", inputs=_POSITIVE),
    case("sigmoid", *_SAMPLES),
    case("sin", *_SAMPLES),
    case("cos", *_SAMPLES),
    case("tan", *_SAMPLES),
    case("asin", *_SAMPLES, inputs=_UNIT, aliases=("arcsin",)),
    case("acos", *_SAMPLES, inputs=_UNIT, aliases=("arccos",)),
    case("atan", *_SAMPLES, aliases=("arctan",)),
    case("sinh", *_SAMPLES),
    case("cosh", *_SAMPLES),
    case("tanh", *_SAMPLES),
    case("asinh", *_SAMPLES, aliases=("arcsinh",)),
    case("acosh", *_SAMPLES, inputs=_ABOVE_ONE, aliases=("arccosh",)),
    case("atanh", *_SAMPLES, inputs=_UNIT, aliases=("arctanh",)),
    case("sinc", *_SAMPLES),
    case("deg2rad", *_SAMPLES),
    case("rad2deg", *_SAMPLES),
]
