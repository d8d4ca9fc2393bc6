"""Random numbers: for a seed they are PyTorch's."""

from opcases.case import case

_G = "generator=torch.Generator().manual_seed(3)"
_SEEDED = "(torch.manual_seed(3), x)[1]"
_FLOATS = "float16 bfloat16 float32 float64"
_P = {"p": "values(4, 5, low=0, high=1)", "rate": "values(4, 5, low=0, high=9)"}


def _sized(name: str) -> object:
    return case(
        name,
        f"20, {_G}, dtype=dtype",
        f"(2, 3), {_G}, dtype=dtype",
        f"0, {_G}",
        dtypes=f"int64 {_FLOATS} complex64",
        grad=False,
        tolerance=4,
        bad=(
            f"torch.{name}()",
            f"torch.{name}(-1)",
            f"torch.{name}(2, dtype=torch.int64)",
        ),
    )


def _like(name: str, rest: str = "") -> object:
    return case(name, f"x{rest}, {_G}", f"x.t(){rest}, {_G}", dtypes=f"int64 {_FLOATS}", grad=False, tolerance=4)


CASES = [
    _sized("rand"),
    _sized("randn"),
    _like("rand_like"),
    _like("randn_like"),
    _like("randint_like", ", 9"),
    case(
        "randint",
        f"9, (20,), {_G}, dtype=dtype",
        f"-3, 9, (2, 3), {_G}",
        dtypes=f"uint8 int64 {_FLOATS}",
        grad=False,
        bad=(
            "torch.randint(0, (2,))",
            "torch.randint(3, 1, (2,))",
            "torch.randint(300, (2,), dtype=torch.uint8)",
            "torch.randint(3)",
        ),
    ),
    case(
        "randperm",
        f"20, {_G}, dtype=dtype",
        f"0, {_G}",
        dtypes="uint8 int64 float32",
        grad=False,
        bad=("torch.randperm(-1)", "torch.randperm(300, dtype=torch.uint8)", "torch.randperm('a')"),
    ),
    case(
        "bernoulli",
        f"p, {_G}",
        f"p, 0.3, {_G}",
        inputs=_P,
        dtypes=f"int64 {_FLOATS}",
        grad=False,
        bad=("torch.bernoulli(x * 9)", "torch.bernoulli(p, 1.5)"),
    ),
    case("poisson", f"rate, {_G}", inputs=_P, dtypes=f"int64 {_FLOATS}", grad=False, bad=("torch.poisson(-rate)",)),
    case("binomial", f"rate.round(), p, {_G}", inputs=_P, dtypes="float32 float64", grad=False),
    case(
        "multinomial",
        f"p, 2, {_G}",
        f"p[0], 9, True, {_G}",
        f"p, 3, False, {_G}",
        inputs=_P,
        dtypes=_FLOATS,
        grad=False,
        bad=(
            "torch.multinomial(p, 9)",
            "torch.multinomial(-p, 1)",
            "torch.multinomial(p, 0)",
            "torch.multinomial(p[None], 1)",
        ),
    ),
    case(
        "normal",
        f"x, y.abs(), {_G}",
        f"x, 2.0, {_G}",
        f"0.5, y.abs(), {_G}",
        f"0.5, 2.0, (20,), {_G}",
        dtypes=_FLOATS,
        grad=False,
        tolerance=4,
        bad=("torch.normal(x, -1.0)", "torch.normal(x, y[:, :2].abs())", "torch.normal(0.0, 1.0)"),
    ),
    case(
        "nn.functional.dropout",
        f"{_SEEDED}, 0.4",
        f"{_SEEDED}, 1.0",
        "x, 0.4, False",
        dtypes=_FLOATS,
        bad=("torch.nn.functional.dropout(x, 1.5)",),
    ),
    case("nn.functional.alpha_dropout", f"{_SEEDED}, 0.4, True", "x, 0.4", dtypes=_FLOATS, tolerance=4),
    case("nn.functional.feature_alpha_dropout", f"{_SEEDED}, 0.4, True", dtypes="float32 float64", tolerance=4),
    *(
        case(
            f"nn.functional.dropout{n}d",
            f"{_SEEDED}, 0.4",
            inputs={"x": f"values(2, 3, {', '.join('2' * n)})"},
            dtypes="float32 float64",
        )
        for n in (1, 2, 3)
    ),
    case(
        "nn.functional.gumbel_softmax",
        f"{_SEEDED}, 0.5",
        f"{_SEEDED}, 0.5, True",
        dtypes="float32 float64",
        grad=False,
        tolerance=8,
    ),
]
