"""The calls that the tests of random numbers make, as expressions of a module called ``torch``.

The recorder runs them on real PyTorch, ``test_random.py`` compares with what it wrote down, and
``differential/test_random.py`` runs both side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

REAL = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
SIZES = ("0", "1", "5", "15", "16", "17", "33", "3, 7", "2, 0, 3", "640")

# Tensors whose memory is not in the order of their elements: transposed, strided, channels last, with an offset.
LAYOUTS = (
    "torch.empty(7, 5, dtype={d}).t()",
    "torch.empty(6, 8, dtype={d})[:, ::2]",
    "torch.empty(8, 6, dtype={d})[1::3]",
    "torch.empty(2, 3, 4, dtype={d}).permute(2, 0, 1)",
    "torch.empty(2, 4, 3, 5, dtype={d}).permute(0, 3, 1, 2)[:, 1:]",
    "torch.empty(40, dtype={d})[4:]",
    "torch.empty(1, 5, 1, 4, dtype={d}).transpose(0, 3)",
)

METHODS = {
    "uniform_": ("", "-1, 3", "0.1, 0.7", "5, 5"),
    "normal_": ("", "2, 0.5", "0.3, 2.1", "1, 0"),
    "exponential_": ("", "1.7"),
    "cauchy_": ("", "0.2, 1.7"),
    "log_normal_": ("", "0.2, 0.7"),
    "geometric_": ("0.3", "0.9"),
    "bernoulli_": ("", "0.3", "0", "1"),
    "random_": ("", "10", "2, 7", "-5, 5", "0, 128", "3, None"),
}


def methods() -> Iterator[str]:
    """Every in-place method, every type that has it, every size, and the layouts in memory."""
    for name, arguments in METHODS.items():
        types: tuple[str, ...] = REAL
        if name in ("uniform_", "normal_"):
            types += COMPLEX
        elif name in ("geometric_", "bernoulli_", "random_"):
            types += INTEGERS
        if name in ("bernoulli_", "random_"):
            types += ("bool",)
        for dtype in types:
            for given in arguments:
                if name == "random_" and not _fits(dtype, given):
                    continue
                for size in SIZES:
                    yield f"torch.empty({size}, dtype=torch.{dtype}).{name}({given})"
                for layout in LAYOUTS:
                    yield f"{layout.format(d='torch.' + dtype)}.{name}({given})"


def _fits(dtype: str, given: str) -> bool:
    if dtype == "bool":
        return given == ""
    if dtype == "uint8":
        return not given.startswith("-")
    return True


def creators() -> Iterator[str]:
    """The functions that make a tensor of a size."""
    for dtype in REAL + COMPLEX:
        for size in SIZES:
            yield f"torch.rand({size}, dtype=torch.{dtype})"
            yield f"torch.randn({size}, dtype=torch.{dtype})"
            yield f"torch.normal(0.5, 2.0, ({size},), dtype=torch.{dtype})"
    for dtype in REAL + INTEGERS:
        for size in ("0", "1", "17", "3, 4"):
            yield f"torch.randint(10, ({size},), dtype=torch.{dtype})"
            yield f"torch.randint(3, 100, ({size},), dtype=torch.{dtype})"
        for count in (0, 1, 2, 10, 127):
            yield f"torch.randperm({count}, dtype=torch.{dtype})"
    for dtype in ("int64", "float64"):
        for low, high in ((0, 2**28 - 1), (0, 2**28), (-5, 2**31), (-(2**40), 2**40), (0, 2**53), (-(2**52), 3)):
            yield f"torch.randint({low}, {high}, (6,), dtype=torch.{dtype})"
    yield f"torch.randint({-(2**63)}, {2**63 - 1}, (6,))"
    yield f"torch.empty(6, dtype=torch.int64).random_({-(2**63)}, None)"
    yield f"torch.empty(6, dtype=torch.float64).random_({-(2**63)}, None)"
    for count in (511, 512, 513, 1000, 70000):
        yield f"torch.randperm({count})"
    yield "torch.randn(2, 3), torch.randn(1), torch.randn(4)"  # an odd normal number waits for the next call
    yield "torch.randn(3), torch.rand(2), torch.randn(3, dtype=torch.float64)"
    for layout in LAYOUTS:
        for dtype in ("float32", "float64", "complex64"):
            yield f"torch.rand_like({layout.format(d='torch.' + dtype)})"
            yield f"torch.randn_like({layout.format(d='torch.' + dtype)})"
        yield f"torch.randint_like({layout.format(d='torch.int64')}, 10)"
    yield "torch.rand_like(torch.ones(2, 3, dtype=torch.int64), dtype=torch.float32)"
    yield "torch.randn_like(torch.ones(2, 3, 4, 5), memory_format=torch.channels_last)"
    yield "torch.rand(5, generator=torch.Generator().manual_seed(7)), torch.rand(2)"


# Parameters that draw nothing from the default generator; divided by powers of two, they are the same everywhere.
_RAMP = "torch.arange(1, {n} + 1, dtype=torch.{d}).reshape({s})"


def by_element() -> Iterator[str]:
    """The functions that draw element by element, or row by row, from tensors of parameters."""
    for dtype in ("float32", "float64"):
        few = _RAMP.format(n=12, d=dtype, s="3, 4")
        many = _RAMP.format(n=300, d=dtype, s="300")
        yield f"torch.bernoulli({many} / 512)"
        yield f"torch.bernoulli(({few} / 16).t())"
        yield f"torch.bernoulli({few}, 0.4)"
        yield f"torch.empty(4, 3).t().bernoulli_({few} / 16)"
        yield f"torch.empty(2, 3, 4, dtype=torch.int64).bernoulli_({few} / 16)"
        yield f"torch.poisson({many} / 16)"
        yield f"torch.poisson(({few}).t())"
        yield f"torch.binomial({many}, {many} / 512)"
        yield f"torch.binomial(torch.ceil({many} / 16), 1 - {many} / 512)"
        yield f"torch.binomial({few}, torch.tensor(0.3, dtype=torch.{dtype}))"
        yield f"torch._standard_gamma({many} / 64)"
        yield f"torch._standard_gamma({few})"
        yield f"torch._sample_dirichlet(({many} / 64).reshape(60, 5))"
        yield f"torch.multinomial({few}, 3)"
        yield f"torch.multinomial({few}, 1)"
        yield f"torch.multinomial({few}, 50, True)"
        yield f"torch.multinomial({few}, 1, True)"
        yield f"torch.multinomial(({few}).t(), 2)"
        yield f"torch.multinomial(({few}).t(), 20, replacement=True)"
        yield f"torch.multinomial({many}, 40)"
        yield f"torch.multinomial({many}, 400, True)"
        yield f"torch.normal({few}, {few})"
        yield f"torch.normal({few}, 2.5)"
        yield f"torch.normal(0.5, {many})"
        yield f"torch.normal({few}, torch.tensor([1.0, 2.0, 3.0, 4.0]))"
    for dtype in ("float16", "bfloat16"):
        few = _RAMP.format(n=12, d=dtype, s="3, 4")
        yield f"torch.bernoulli({few} / 16)"
        yield f"torch.poisson({few})"
        yield f"torch.normal({few}, {few})"
        yield f"torch.multinomial({few}, 30, True)"


INIT_SHAPES = ("3", "2, 3", "7, 30", "4, 2, 3", "4, 3, 3, 3", "2, 2, 2, 3, 3")
INITIALIZERS = {
    "uniform_": ("", ", -0.3, 0.4"),
    "normal_": ("", ", 1, 0.3"),
    "trunc_normal_": ("", ", 0, 1, -1, 1", ", 0, 1, 1.5, 4", ", 0, 0.02"),
    "constant_": (", 0.3",),
    "ones_": ("",),
    "zeros_": ("",),
    "eye_": ("",),
    "dirac_": ("", ", 2"),
    "xavier_uniform_": ("", ", 2.0"),
    "xavier_normal_": ("", ", 2.0"),
    "kaiming_uniform_": ("", ", 5 ** 0.5", ", 0, 'fan_out', 'relu'"),
    "kaiming_normal_": (", 0.2", ", 0, 'fan_out', 'tanh'"),
    "orthogonal_": ("", ", 2.0"),
    "sparse_": (", 0.5", ", 0.3, 0.1"),
}


def initializers() -> Iterator[str]:
    """Every function of nn.init; where it refuses a shape, that is compared."""
    for name, arguments in INITIALIZERS.items():
        for dtype in ("float32", "float64", "float16"):
            if name == "orthogonal_" and dtype == "float16":
                continue
            for given in arguments:
                for shape in INIT_SHAPES:
                    yield f"torch.nn.init.{name}(torch.empty({shape}, dtype=torch.{dtype}){given})"


REFUSED = (
    "torch.rand(2, dtype=torch.int64)",
    "torch.randn(2, dtype=torch.int64)",
    "torch.rand(-1)",
    "torch.rand(2, out=torch.empty(2), dtype=torch.float64)",
    "torch.rand_like(torch.ones(2, dtype=torch.int64))",
    "torch.rand_like(3)",
    "torch.randint(5, 5, (3,))",
    "torch.randint(0, (3,))",
    "torch.randint(3, (-1,))",
    "torch.randint(3.5, (3,))",
    "torch.randint(True, (3,))",
    "torch.randint(3, 3)",
    "torch.randint(0, 300, (3,), dtype=torch.uint8)",
    "torch.randint(0, 5, (3,), dtype=torch.bool)",
    "torch.randint(5, (3,), dtype=torch.complex64)",
    "torch.randint(5, (3,), requires_grad=True)",
    "torch.randint(2 ** 63, (3,))",
    "torch.randperm(-1)",
    "torch.randperm(3.0)",
    "torch.randperm(300, dtype=torch.uint8)",
    "torch.randperm(2050, dtype=torch.float16)",
    "torch.randperm(3, dtype=torch.bool)",
    "torch.randperm(3, requires_grad=True)",
    "torch.empty(3).uniform_(2, 1)",
    "torch.empty(3).uniform_(0, float('inf'))",
    "torch.empty(3).uniform_(float('nan'), 1)",
    "torch.empty(3).uniform_(-3e38, 3e38)",
    "torch.empty(3, dtype=torch.float16).uniform_(0, 70000)",
    "torch.empty(3, dtype=torch.float16).uniform_(-60000, 60000)",
    "torch.empty(0, dtype=torch.int64).uniform_()",
    "torch.empty(3).uniform_('a')",
    "torch.empty(3).normal_(0, -1)",
    "torch.empty(3).normal_(0, float('nan'))",
    "torch.empty(3, dtype=torch.int64).normal_()",
    "torch.empty(3).normal_(generator=5)",
    "torch.empty(3).exponential_(0)",
    "torch.empty(3).exponential_(float('nan'))",
    "torch.empty(3, dtype=torch.int32).exponential_()",
    "torch.empty(3).cauchy_(0, -1)",
    "torch.empty(3, dtype=torch.int64).cauchy_()",
    "torch.empty(3, dtype=torch.complex64).cauchy_()",
    "torch.empty(3).log_normal_(0, 0)",
    "torch.empty(3, dtype=torch.int64).log_normal_()",
    "torch.empty(3).geometric_(0)",
    "torch.empty(3).geometric_(1)",
    "torch.empty(3, dtype=torch.bool).geometric_(0.5)",
    "torch.empty(3).bernoulli_(2)",
    "torch.empty(3).bernoulli_(-0.1)",
    "torch.empty(3).bernoulli_(float('nan'))",
    "torch.empty(3, dtype=torch.complex64).bernoulli_()",
    "torch.empty(3).bernoulli_(torch.tensor([0.1, 2, 0.3]))",
    "torch.empty(3).bernoulli_(torch.tensor([0.1, 0.3]))",
    "torch.empty(3).bernoulli_(torch.ones(2, 3))",
    "torch.empty(3).bernoulli_(torch.tensor([1, 0, 1]))",
    "torch.bernoulli(torch.tensor([1, 0]))",
    "torch.bernoulli(torch.tensor([0.1, 2.0]))",
    "torch.bernoulli(torch.ones(3, dtype=torch.complex64))",
    "torch.empty(3).random_(5, 5)",
    "torch.empty(3, dtype=torch.int8).random_(200, 300)",
    "torch.empty(3, dtype=torch.uint8).random_(-5, None)",
    "torch.empty(3, dtype=torch.float16).random_(0, 70000)",
    "torch.empty(3, dtype=torch.int32).random_(-(2 ** 63), None)",
    "torch.empty(3, dtype=torch.bool).random_(-(2 ** 63), None)",
    "torch.empty(3, dtype=torch.complex64).random_()",
    "torch.empty(3, dtype=torch.complex64).random_(0, None)",
    "torch.empty(3, requires_grad=True).uniform_()",
    "torch.ones(1).expand(3).uniform_()",
    "torch.normal(torch.zeros(3), torch.ones(2))",
    "torch.normal(torch.zeros(3), -torch.ones(3))",
    "torch.normal(torch.zeros(3), -1.0)",
    "torch.normal(torch.zeros(3, dtype=torch.int64))",
    "torch.normal(torch.zeros(3), torch.ones(3, dtype=torch.complex64))",
    "torch.normal(2.0, -3.0, (2,))",
    "torch.normal(2.0)",
    "torch.multinomial(torch.tensor([0.1, 0.2]), 3)",
    "torch.multinomial(torch.tensor([0.1, -0.2]), 1)",
    "torch.multinomial(torch.tensor([0.1, float('nan')]), 1)",
    "torch.multinomial(torch.tensor([0.0, 0.0]), 1)",
    "torch.multinomial(torch.tensor([0.1, -0.2]), 3, True)",
    "torch.multinomial(torch.tensor([0.0, 0.0]), 2, True)",
    "torch.multinomial(torch.tensor([1, float('inf')]), 3, True)",
    "torch.multinomial(torch.tensor([1, 2]), 1)",
    "torch.multinomial(torch.ones(2, 2, 2), 1)",
    "torch.multinomial(torch.ones(3), 0)",
    "torch.multinomial(torch.ones(3), 1, out=torch.empty(0))",
    "torch.poisson(torch.tensor([-1.0]))",
    "torch.poisson(torch.ones(2, dtype=torch.int64))",
    "torch.poisson(3.0)",
    "torch.binomial(torch.ones(3, dtype=torch.float64), torch.ones(3))",
    "torch.binomial(torch.ones(3), torch.ones(2))",
    "torch.binomial(torch.ones(3), torch.ones(3, dtype=torch.int64))",
    "torch.binomial(torch.ones(3, dtype=torch.float16), torch.ones(3, dtype=torch.float16))",
    "torch.binomial(torch.ones(3), 0.5)",
    "torch._standard_gamma(torch.ones(3, dtype=torch.float16))",
    "torch._sample_dirichlet(torch.ones(3, dtype=torch.int64))",
    "torch.manual_seed(2 ** 64)",
    "torch.manual_seed('a')",
    "torch.Generator().manual_seed(1.5)",
    "torch.Generator().manual_seed(-(2 ** 63) - 1)",
    "torch.Generator().set_state(torch.zeros(10, dtype=torch.uint8))",
    "torch.Generator().set_state(torch.zeros(5056, dtype=torch.uint8))",
    "torch.Generator().set_state(torch.zeros(5056))",
    "torch.Generator().get_offset()",
    "torch.set_rng_state(3)",
    "torch.Generator('meta')",
    "torch.nn.init.calculate_gain('foo')",
    "torch.nn.init.calculate_gain('leaky_relu', True)",
    "torch.nn.init.kaiming_uniform_(torch.empty(3, 4), mode='foo')",
    "torch.nn.init.kaiming_normal_(torch.empty(3, 4), nonlinearity='foo')",
    "torch.nn.init.orthogonal_(torch.empty(3))",
    "torch.nn.init.orthogonal_(torch.empty(3, 4, dtype=torch.complex64))",
    "torch.nn.init.dirac_(torch.empty(4, 2, 3), 3)",
)


def ends(flat: Any) -> Any:
    """The first and the last elements of a long array, all of a short one."""
    return flat if len(flat) <= 48 else np.concatenate([flat[:16], flat[-16:]])


def evaluate(module: Any, call: str, seed: int = 0) -> Any:
    """Run a call on a module from a seed; the class and first line of what it raises."""
    module.manual_seed(seed)
    try:
        return eval(call, {"torch": module})
    except Exception as error:  # noqa: BLE001 - whatever is raised is the result to compare
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
