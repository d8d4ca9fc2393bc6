"""Bessel functions and Airy's."""

from opcases.case import case

KINDS = "bool int64 uint16 half float complex64 float8"
SAMPLES = ("x", "special()", "values(2, 3, low=-30, high=30)", "x.t()", "values(0, 2)")
POSITIVE = {"x": "values(2, 3, low=0.1, high=9)"}
# Between 2 and 20 PyTorch's own double precision values are off by up to 3e-6, where its approximations meet.
AWAY = ("x", "values(2, 3, low=40, high=60)", "tensor([0, 1, -1]) * inf", "x.t()", "values(0, 2)")

CASES = [
    *(
        case(f"special.{name}", *AWAY, dtypes=KINDS, tolerance=4, inputs={"x": "values(2, 3, low=-1.8, high=1.8)"})
        for name in ("bessel_j0", "bessel_j1", "airy_ai")
    ),
    *(
        case(f"special.{name}", *AWAY, dtypes=KINDS, tolerance=4, inputs={"x": "values(2, 3, low=-0.1, high=1.8)"})
        for name in ("bessel_y0", "bessel_y1")
    ),
    *(
        case(f"special.{name}", *SAMPLES, dtypes=KINDS, tolerance=4)
        for name in ("spherical_bessel_j0", "i0e", "i1", "i1e", "modified_bessel_i0", "modified_bessel_i1")
    ),
    *(
        case(f"special.{name}", *SAMPLES, dtypes=KINDS, tolerance=4, inputs=POSITIVE)
        for name in (
            "modified_bessel_k0",
            "modified_bessel_k1",
            "scaled_modified_bessel_k0",
            "scaled_modified_bessel_k1",
        )
    ),
]
