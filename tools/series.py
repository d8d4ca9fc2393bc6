"""Compute the polynomials with which the special functions are evaluated: ``python tools/series.py`` (needs mpmath).

Each entry of ``FITS`` is a smooth function on an interval. It is interpolated at Chebyshev points in fifty digits, cut
where the Chebyshev coefficients fall below double precision, and written as a polynomial in ``t`` that runs from -1 to
1 over the interval. The functions are the standard forms of Abramowitz & Stegun (chapters 7, 9 and 10) and of the NIST
Digital Library of Mathematical Functions (7.6, 9.7, 10.8, 10.17, 10.31, 10.40).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp

TARGET = Path(__file__).parent.parent / "torchlike" / "ops" / "_series_tables.py"
Number = Any
mp.mp.dps = 50

J0_ZERO, J1_ZERO = mp.besseljzero(0, 1), mp.besseljzero(1, 1)


def _hankel(order: int, squared: Number) -> tuple[Number, Number]:
    """P and x Q / 5 of the large-argument form of the Bessel functions, by (5 / x)**2."""
    if squared == 0:
        return mp.mpf(1), mp.mpf(4 * order**2 - 1) / 40
    x = 5 / mp.sqrt(squared)
    phase = x - mp.pi / 4 - order * mp.pi / 2
    j, y = mp.besselj(order, x), mp.bessely(order, x)
    scale = mp.sqrt(mp.pi * x / 2)
    p = scale * (j * mp.cos(phase) + y * mp.sin(phase))
    q = scale * (y * mp.cos(phase) - j * mp.sin(phase))
    return p, q * x / 5


def _y_rest(order: int, squared: Number) -> Number:
    """What is left of Y on [0, 5] without its logarithm (and its pole); of Y1, divided by x."""
    x = mp.sqrt(squared) if squared else mp.mpf(10) ** -20
    rest = mp.bessely(order, x) - 2 / mp.pi * mp.log(x) * mp.besselj(order, x)
    return rest if order == 0 else (rest + 2 / (mp.pi * x)) / x


def _k_rest(order: int, squared: Number) -> Number:
    """What is left of K on [0, 2] without its logarithm; of K1, times x."""
    x = mp.sqrt(squared) if squared else mp.mpf(10) ** -20
    logarithm = mp.log(x / 2) * mp.besseli(order, x)
    return mp.besselk(order, x) + logarithm if order == 0 else (mp.besselk(order, x) - logarithm) * x


def _k_scaled(order: int, inverse: Number) -> Number:
    """exp(x) sqrt(x) K(x) by 2 / x."""
    if inverse == 0:
        return mp.sqrt(mp.pi / 2)
    x = 2 / inverse
    return mp.exp(x) * mp.sqrt(x) * mp.besselk(order, x)


def _airy_decay(inverse: Number) -> Number:
    """2 sqrt(pi) x**0.25 exp(zeta) Ai(x) by 1 / zeta."""
    if inverse == 0:
        return mp.mpf(1)
    x = (3 / (2 * inverse)) ** (mp.mpf(2) / 3)
    return 2 * mp.sqrt(mp.pi) * x ** mp.mpf("0.25") * mp.exp(1 / inverse) * mp.airyai(x)


def _airy_wave(squared: Number) -> tuple[Number, Number]:
    """P and zeta Q of Ai(-x) = (sin(theta) P - cos(theta) Q) / (sqrt(pi) x**0.25), theta = zeta + pi / 4."""
    if squared == 0:
        return mp.mpf(1), mp.mpf(5) / 72
    zeta = 1 / mp.sqrt(squared)
    x = (3 * zeta / 2) ** (mp.mpf(2) / 3)
    theta = zeta + mp.pi / 4
    scale = mp.sqrt(mp.pi) * x ** mp.mpf("0.25")
    a, b = mp.airyai(-x) * scale, mp.airybi(-x) * scale
    return a * mp.sin(theta) + b * mp.cos(theta), (b * mp.sin(theta) - a * mp.cos(theta)) * zeta


def _erfcx(t: Number) -> Number:
    """(1 + 2 x) exp(x**2) erfc(x) by (x - 4) / (x + 4)."""
    if t == 1:
        return 2 / mp.sqrt(mp.pi)
    x = 4 * (1 + t) / (1 - t)
    if x > 50:
        tail, term = mp.mpf(0), mp.mpf(1)
        for k in range(40):
            tail += term
            term *= -(2 * k + 1) / (2 * x * x)
        return (1 + 2 * x) * tail / (x * mp.sqrt(mp.pi))
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def _erfinv_by_log(w: Number) -> Number:
    """erfinv(x) / x by w = -log(1 - x**2)."""
    if w == 0:
        return mp.sqrt(mp.pi) / 2
    with mp.workdps(80):
        x = mp.sqrt(-mp.expm1(-w))
        return mp.erfinv(x) / x


FITS: dict[str, tuple[Callable[[Number], Number], Number, Number]] = {
    "J0": (lambda s: mp.besselj(0, mp.sqrt(s)) / (s - J0_ZERO**2), 0, 25),
    "J1": (lambda s: (mp.besselj(1, mp.sqrt(s)) / mp.sqrt(s) if s else mp.mpf("0.5")) / (s - J1_ZERO**2), 0, 25),
    "Y0": (lambda s: _y_rest(0, s), 0, 25),
    "Y1": (lambda s: _y_rest(1, s), 0, 25),
    "P0": (lambda s: _hankel(0, s)[0], 0, 1),
    "Q0": (lambda s: _hankel(0, s)[1], 0, 1),
    "P1": (lambda s: _hankel(1, s)[0], 0, 1),
    "Q1": (lambda s: _hankel(1, s)[1], 0, 1),
    "K0": (lambda s: _k_rest(0, s), 0, 4),
    "K1": (lambda s: _k_rest(1, s), 0, 4),
    "K0_SCALED": (lambda z: _k_scaled(0, z), 0, 1),
    "K1_SCALED": (lambda z: _k_scaled(1, z), 0, 1),
    "AIRY_CENTRE": (mp.airyai, -1, 2),
    "AIRY_LEFT": (mp.airyai, -5, -1),
    "AIRY_DECAY": (_airy_decay, 0, mp.mpf("0.5625")),
    "AIRY_P": (lambda s: _airy_wave(s)[0], 0, 1 / mp.mpf(50)),
    "AIRY_Q": (lambda s: _airy_wave(s)[1], 0, 1 / mp.mpf(50)),
    "ERFCX": (_erfcx, -1, 1),
    "ERFINV_CENTRE": (_erfinv_by_log, 0, 6),
    "ERFINV_MIDDLE": (lambda r: _erfinv_by_log(r * r), mp.sqrt(6), 4),
    "ERFINV_TAIL": (lambda r: _erfinv_by_log(r * r), 4, mp.mpf("6.125")),
}


def chebyshev(f: Callable[[Number], Number], low: Number, high: Number, count: int) -> list[Number]:
    """The Chebyshev coefficients of the polynomial through f at ``count`` points."""
    angles = [mp.pi * (k + mp.mpf("0.5")) / count for k in range(count)]
    values = [f(low + (high - low) * (1 + mp.cos(a)) / 2) for a in angles]
    found = [2 * mp.fsum(v * mp.cos(j * a) for v, a in zip(values, angles, strict=True)) / count for j in range(count)]
    return [found[0] / 2, *found[1:]]


def powers(coefficients: list[Number]) -> list[Number]:
    """The same polynomial by powers of t, lowest first."""
    total = [mp.mpf(0)] * len(coefficients)
    before, last = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
    for k, c in enumerate(coefficients):
        term = before if k == 0 else last
        if k > 1:
            following = [mp.mpf(0), *(2 * x for x in last)]
            for i, x in enumerate(before):
                following[i] -= x
            before, last = last, following
            term = last
        for i, x in enumerate(term):
            total[i] += c * x
    return total


def fit(name: str) -> tuple[list[float], Number]:
    """A polynomial, highest power first, and how much its terms exceed its value at most."""
    f, low, high = FITS[name]
    coefficients = chebyshev(f, mp.mpf(low), mp.mpf(high), 64)
    scale = max(abs(c) for c in coefficients[:2])
    size = max(i for i, c in enumerate(coefficients) if abs(c) > scale * mp.mpf(2) ** -57) + 1
    found = powers(coefficients[:size])
    amplification = mp.fsum(abs(c) for c in found) / min(
        abs(f(mp.mpf(low) + (mp.mpf(high) - low) * k / 8)) for k in range(9)
    )
    return [float(c) for c in reversed(found)], amplification


def _product(a: list[Number], b: list[Number]) -> list[Number]:
    """The product of two power series, cut to their length."""
    return [mp.fsum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))]


def _inverse(a: list[Number]) -> list[Number]:
    """One divided by a power series."""
    found = [1 / a[0]]
    for k in range(1, len(a)):
        found.append(-mp.fsum(a[i] * found[k - i] for i in range(1, k + 1)) / a[0])
    return found


def incomplete_gamma(rows: int = 12, radius: float = 0.75) -> list[list[float]]:
    """The functions c_k(eta) of Temme's uniform expansion (DLMF 8.12.7 to 8.12.11), by powers of eta.

    With mu = lambda - 1, half the square of eta is mu - log(1 + mu), so eta (1 + mu) = mu mu', which gives mu as a
    power series in eta; c_0 = 1 / mu - 1 / eta and c_k = c'_{k-1} / eta + gamma_k (-1)^k / mu.
    """
    size = 2 * rows + 36
    mu = [mp.mpf(0), mp.mpf(1)]
    for n in range(2, size):  # the coefficient of eta**n in mu mu' = eta (1 + mu)
        known = mp.fsum((n + 1 - i) * mu[i] * mu[n + 1 - i] for i in range(2, n))
        mu.append((mu[n - 1] - known) / (n + 1))
    reciprocal = _inverse(mu[1:])  # eta / mu
    rest = reciprocal[1:]
    table = []
    for k in range(rows):
        if k:
            derivative = [i * c for i, c in enumerate(rest)][1:]
            # The pole of 1 / mu cancels that of c'_{k-1} / eta: so much of 1 / mu is added.
            pole = derivative[0]
            rest = [d - pole * r for d, r in zip(derivative[1:], reciprocal[1:], strict=False)]
        scale = abs(rest[0]) + mp.mpf(10) ** -4
        terms = max(i for i, c in enumerate(rest) if abs(c) * radius**i > scale * mp.mpf(2) ** -53 * 20**k) + 1
        table.append([float(c) for c in reversed(rest[:terms])])
    return table


def main() -> None:
    """Write the tables."""
    lines = [
        '"""Polynomials of the special functions, highest power first; computed by tools/series.py."""',
        "",
        "from typing import Final",
    ]
    for name, (_, low, high) in FITS.items():
        found, amplification = fit(name)
        print(f"{name}: {len(found)} terms, amplification {float(amplification):.1f}")
        lines += ["", f"# On [{mp.nstr(mp.mpf(low), 6)}, {mp.nstr(mp.mpf(high), 6)}]."]
        lines += [f"{name}: Final = ("]
        lines += [f"    {c!r}," for c in found]
        lines += [")"]
    table = incomplete_gamma()
    print(f"TEMME: {[len(row) for row in table]} terms")
    lines += ["", "# The coefficients of Temme's expansion, each a polynomial in eta.", "TEMME: Final = ("]
    for row in table:
        lines += ["    (", *(f"        {c!r}," for c in row), "    ),"]
    lines += [")"]
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
