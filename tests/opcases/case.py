"""What an operator's case is: see README.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

GROUPS = {
    "bool": ("bool",),
    "int": ("uint8", "int8", "int16", "int32", "int64"),
    "unsigned": ("uint16", "uint32", "uint64"),
    "half": ("float16", "bfloat16"),
    "float": ("float32", "float64"),
    "complex": ("complex64", "complex128"),
    "float8": ("float8_e4m3fn",),
    "none": (),
}
DEFAULT_INPUTS = {"x": "values(2, 3)", "y": "values(2, 3, seed=1)", "z": "values(2, 3, seed=2)"}


@dataclass(frozen=True)
class OpCase:
    """The samples of one operator. ``name`` is that of the function without "torch.", or "Tensor.name"."""

    name: str
    samples: tuple[str, ...]  # argument lists; names are those of the inputs
    inputs: dict[str, str] = field(default_factory=dict)  # expressions, beside DEFAULT_INPUTS
    dtypes: str = "bool int unsigned half float complex"  # those of the inputs: groups or single names
    grad: bool | str = True  # whether gradients are compared where PyTorch has them; in which dtype only
    variants: bool = True  # whether the method, the in-place method and out= are tried, where PyTorch has them
    bad: tuple[str, ...] = ()  # whole expressions that PyTorch refuses
    aliases: tuple[str, ...] = ()  # other names of the same operator
    tolerance: float = 1.0  # times the usual one
    signed_zeros: bool = True  # whether the sign of zeros is compared

    @property
    def dtype_names(self) -> tuple[str, ...]:
        names = [name for word in self.dtypes.split() for name in GROUPS.get(word, (word,))]
        return tuple(names) or ("float32",)


def case(name: str, *samples: str, **options: object) -> OpCase:
    """Shorthand: ``case("add", "x, y", "x, 2.5, alpha=2")``."""
    return OpCase(name, samples or ("x",), **options)  # type: ignore[arg-type]


def families() -> list[str]:
    """The files of cases in this folder."""
    return sorted(p.stem for p in Path(__file__).parent.glob("cases_*.py"))


@cache
def load(family: str) -> tuple[OpCase, ...]:
    """The cases of one file."""
    return tuple(import_module(f"opcases.{family}").CASES)
