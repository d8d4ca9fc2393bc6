"""Cases of torch.fft, the short-time transforms and the windows."""

from opcases.case import case

ONE = ("x", "x, 2", "x, 5, 0", "x, norm='ortho'", "x, norm='forward'")
MANY = ("x", "x, (2, 4)", "x, dim=0", "x, norm='ortho'")
KINDS = "bool int64 half float complex"
BAD = ("torch.fft.{0}(x, norm='x')", "torch.fft.{0}(x, 0)", "torch.fft.{0}(x, dim=5)")


def _transform(name: str, *samples: str, bad: tuple[str, ...]) -> object:
    return case(
        f"fft.{name}",
        *samples,
        dtypes=KINDS,
        tolerance=10,
        signed_zeros=False,
        bad=tuple(expression.format(name) for expression in bad),
    )


WINDOWS = ("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window")

CASES = [
    *(_transform(name, *ONE, bad=BAD) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")),
    *(
        # What PyTorch writes into out= for ihfft2 and ihfftn over one dimension is not set.
        _transform(name + end, *(s for s in MANY if name != "ihfft" or s != "x, dim=0"), bad=(BAD[0], BAD[2]))
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for end in ("2", "n")
    ),
    case("fft.fftshift", "x", "x, 0"),
    case("fft.ifftshift", "x", "x, 0"),
    case("fft.fftfreq", "5", "4, 0.5", dtypes="none", grad=False),
    case("fft.rfftfreq", "5", "4, 0.5", dtypes="none", grad=False),
    *(
        case(name, "8", "7, False", dtypes="none", grad=False, tolerance=4, bad=(f"torch.{name}(-1)",))
        for name in WINDOWS
    ),
    case(
        "stft",
        "x, 4, return_complex=True",
        "x, 4, window=torch.hann_window(4, dtype=x.dtype), return_complex=True",
        "x, 4, normalized=True, onesided=False, return_complex=True",
        inputs={"x": "values(2, 12)"},
        dtypes="float",
        grad=False,
        tolerance=10,
        signed_zeros=False,
    ),
    case(
        "istft",
        "x, 4",
        "x, 4, length=6",
        inputs={"x": "values(3, 5)"},
        dtypes="complex",
        grad=False,
        tolerance=20,
    ),
]
