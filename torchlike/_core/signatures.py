"""What a call means whose arguments do not fit the declaration as they stand: NumPy's names, old orders, errors.

The generated public functions take any arguments and come here with what is too much or missing. A call that fits
costs nothing of this.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from torchlike._core.errors import invalid_combination
from torchlike._core.tensor_state import TensorBase


class _Missing:
    """The default of parameters that have none."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING: Any = _Missing()

# NumPy's names of arguments, which PyTorch takes for its own.
_NUMPY = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}

# Orders of arguments that PyTorch still takes, with a warning: numbers in front of the tensors that they scale.
_SCALED = {"addmm": ("mat1", "mat2"), "addmv": ("mat", "vec"), "addr": ("vec1", "vec2")}
_SCALED |= dict.fromkeys(("addbmm", "baddbmm"), ("batch1", "batch2"))
_DEPRECATED: dict[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(("add", "sub"), (("input", "alpha", "other"),)),
    **dict.fromkeys(("addcmul", "addcdiv"), (("input", "value", "tensor1", "tensor2"),)),
    **{name: (("beta", "input", "alpha", *both), ("beta", "input", *both)) for name, both in _SCALED.items()},
}
_NUMBERS = ("alpha", "beta", "value")

# The functions that PyTorch has several signatures of: arguments that fit none are told by all of them.
_OVERLOADED_NAMES = """
    eye linspace logspace
    add addbmm addcdiv addcmul addmm addmv addr all any argsort baddbmm bernoulli bitwise_and bitwise_left_shift
    bitwise_or bitwise_right_shift bitwise_xor bmm bucketize clamp clamp_max clamp_min clip copysign
    count_nonzero cumulative_trapezoid dequantize div divide dsplit eq fill float_power floor_divide fmod ge
    gradient greater greater_equal gt histogram histogramdd hsplit index_fill isin le lerp less less_equal lt
    masked_fill max mean median min mm moveaxis movedim multiply nanmedian nanquantile narrow ne normal
    not_equal nuclear_norm pow prod quantile remainder repeat_interleave round rsub scatter searchsorted sort
    squeeze squeeze_copy std std_mean sub subtract sum tensor_split trapezoid trapz true_divide var var_mean
    view_copy vsplit where xlogy special_xlog1py special_zeta
    special_hermite_polynomial_h special_hermite_polynomial_he special_laguerre_polynomial_l
    special_legendre_polynomial_p special_chebyshev_polynomial_t special_chebyshev_polynomial_u
    special_chebyshev_polynomial_v special_chebyshev_polynomial_w special_shifted_chebyshev_polynomial_t
    special_shifted_chebyshev_polynomial_u special_shifted_chebyshev_polynomial_v
    special_shifted_chebyshev_polynomial_w
"""
OVERLOADED = frozenset(_OVERLOADED_NAMES.split())


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as a caller sees it."""

    name: str
    default: Any
    keyword_only: bool

    @property
    def required(self) -> bool:
        return self.default is MISSING


class Callee:
    """A public function or method: what it is called, and which arguments it takes."""

    __slots__ = ("form", "function", "name", "parameters", "variadic")

    def __init__(self, name: str, form: str, parameters: Sequence[Parameter], variadic: bool = False) -> None:
        self.name = name
        self.form = form
        self.parameters = tuple(parameters)
        self.variadic = variadic  # takes more by position than it has names for
        self.function: Callable[..., Any] = _unset

    @property
    def own(self) -> tuple[Parameter, ...]:
        """The parameters that PyTorch counts: without the tensor whose method it is."""
        return self.parameters if self.form == "function" else self.parameters[1:]

    def rebind(self, values: dict[str, Any], extra: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call again with what PyTorch takes the arguments for, or raise its TypeError."""
        for name in list(named):
            target = _NUMPY.get(name)
            if target is not None and target in values and self._absent(target, values):
                values[target] = named.pop(name)
        found = self._deprecated(values, extra) if extra and not named else None
        if found is not None:
            return self._again(found, ())
        surplus = () if self.variadic else extra
        if named or surplus or any(values[p.name] is MISSING for p in self.parameters):
            self._refuse(values, surplus, named)
        return self._again(values, extra)

    def _absent(self, name: str, values: dict[str, Any]) -> bool:
        parameter = next(p for p in self.parameters if p.name == name)
        return values[name] is parameter.default and not (self.form != "function" and parameter is self.parameters[0])

    def _again(self, values: dict[str, Any], extra: tuple[Any, ...]) -> Any:
        positional = [values[p.name] for p in self.parameters if not p.keyword_only]
        return self.function(*positional, *extra, **{p.name: values[p.name] for p in self.parameters if p.keyword_only})

    def _deprecated(self, values: dict[str, Any], extra: tuple[Any, ...]) -> dict[str, Any] | None:
        given = [values[p.name] for p in self.parameters if not p.keyword_only] + list(extra)
        for order in _DEPRECATED.get(self.name.rstrip("_"), ()):
            if self.form != "function":
                order = ("input", *(name for name in order if name != "input"))
            if len(order) == len(given) and all(
                isinstance(x, TensorBase) != (name in _NUMBERS) for name, x in zip(order, given, strict=True)
            ):
                self._warn(order)
                found = dict(zip(order, given, strict=True))
                first = self.parameters[0].name
                found[first] = found.pop("input")
                rest = {p.name: values[p.name] for p in self.parameters if p.keyword_only and p.name not in found}
                return found | {p.name: rest.get(p.name, p.default) for p in self.parameters if p.name not in found}
        return None

    def _warn(self, order: tuple[str, ...]) -> None:
        if "overload" in _warned:
            return
        _warned.add("overload")
        shown = order if self.form == "function" else order[1:]
        old = ", ".join(f"{'Number' if name in _NUMBERS else 'Tensor'} {name}" for name in shown)
        warnings.warn(
            f"This overload of {self.name} is deprecated:\n\t{self.name}({old})\nConsider using one of the following"
            f" signatures instead:\n\t{self.name}{self.text}",
            UserWarning,
            stacklevel=5,
        )

    @property
    def text(self) -> str:
        """The signature as the messages show it."""
        parts = []
        star = False
        for p in self.own:
            if p.keyword_only and not star:
                parts.append("*")
                star = True
            parts.append(p.name if p.required else f"{p.name} = {p.default}")
        return f"({', '.join(parts)})"

    def _refuse(self, values: dict[str, Any], extra: tuple[Any, ...], named: dict[str, Any]) -> NoReturn:
        own = self.own
        positional = [p for p in own if not p.keyword_only]
        given = [values[p.name] for p in positional]
        while given and given[-1] is positional[len(given) - 1].default:
            given.pop()
        if extra:
            given = [values[p.name] for p in positional] + list(extra)
        if not own:
            title = f"TensorBase.{self.name}()" if self.form != "function" else f"{self.name}()"
            if extra:
                raise TypeError(f"{title} takes no arguments ({len(extra)} given)")
            raise TypeError(f"{title} takes no keyword arguments")
        single = self.name.rstrip("_") not in OVERLOADED
        if extra and single:
            raise TypeError(_too_many(self.name, positional, len(given)))
        absent = [p.name for p in own if p.required and values[p.name] is MISSING]
        if self.name.rstrip("_") in _DEPRECATED and not absent:
            single = not extra
        if not single and (absent or named or extra):
            keywords = {p.name: values[p.name] for p in own if p.keyword_only and values[p.name] is not p.default}
            tail = given.index(MISSING) if MISSING in [x for x in given if x is MISSING] else len(given)
            keywords = {
                **{p.name: x for p, x in zip(positional[tail:], given[tail:], strict=False) if x is not MISSING},
                **keywords,
                **named,
            }
            invalid_combination(self.name, given[:tail], self.text, named=keywords)
        if absent:
            raise TypeError(_missing(self.name, absent))
        raise TypeError(f"{self.name}() got an unexpected keyword argument '{next(iter(named))}'")


_warned: set[str] = set()


def _unset(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("a callee without its function")


def _too_many(name: str, positional: Sequence[Parameter], count: int) -> str:
    most, least = len(positional), sum(p.required for p in positional)
    if least != most:
        return f"{name}() takes from {least} to {most} positional arguments but {count} were given"
    plural, verb = ("" if most == 1 else "s"), ("was" if count == 1 else "were")
    return f"{name}() takes {most} positional argument{plural} but {count} {verb} given"


_POSITION = re.compile(r"(\w+\(\): argument '\w+' \(position )(\d+)(\).*)", re.DOTALL)
_GIVEN = re.compile(r"(\w+\(\) received an invalid combination of arguments - got \()\w+(?:, )?(.*)", re.DOTALL)


def reworded(error: TypeError, called: str, name: str, method: bool) -> TypeError:
    """The error of an operator ``called`` so, under the name and in the form in which it was called."""
    text = str(error)
    if name != called and text.startswith(f"{called}()"):
        error = TypeError(name + text.removeprefix(called))
    return of_method(error) if method else error


def of_method(error: TypeError) -> TypeError:
    """The error of a method in place of that of its function: the tensor itself is no argument."""
    text = str(error)
    found = _POSITION.fullmatch(text)
    if found is not None and int(found[2]) > 1:
        return TypeError(f"{found[1]}{int(found[2]) - 1}{found[3]}")
    found = _GIVEN.fullmatch(text)
    return error if found is None else TypeError(found[1] + found[2])


def signature_of(parameters: Sequence[Parameter]) -> inspect.Signature:
    """The signature that ``inspect`` and ``help`` show."""
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter(
                p.name, kinds[p.keyword_only], default=inspect.Parameter.empty if p.required else p.default
            )
            for p in parameters
        ]
    )


class Fitting:
    """What is done when the arguments of a call do not fit a function that is composed of others."""

    __slots__ = ("_callee", "form", "function", "name")

    def __init__(self, function: Callable[..., Any], name: str, form: str) -> None:
        self.function = function
        self.name = name
        self.form = form
        self._callee: Callee | None = None

    @property
    def shared(self) -> bool:
        """Whether it is a method whose function, with errors that count the tensor, is in the namespace too."""
        return self.form == "shared method"

    def again(self, args: tuple[Any, ...], kwargs: dict[str, Any], error: TypeError) -> Any:
        """Call again with what PyTorch takes the arguments for, or raise its TypeError."""
        callee = self._callee or self._made()
        values = {p.name: p.default for p in callee.parameters}
        names = [p.name for p in callee.parameters if not p.keyword_only]
        values |= dict(zip(names, args, strict=False))
        taken = names[: len(args)]
        if not callee.parameters or any(name in taken for name in kwargs):
            raise TypeError(_as_parser_says(str(error))) from None
        named = {name: x for name, x in kwargs.items() if name not in values}
        values |= {name: x for name, x in kwargs.items() if name in values}
        return callee.rebind(values, args[len(names) :], named)

    def _made(self) -> Callee:
        declared = list(inspect.signature(self.function).parameters.values())
        kinds = {p.kind for p in declared}
        simple = kinds <= _SIMPLE and declared[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [
            Parameter(p.name, MISSING if p.default is p.empty else p.default, p.kind is p.KEYWORD_ONLY)
            for p in declared
            if simple and p.kind is not p.VAR_POSITIONAL
        ]
        form = "function" if self.form == "function" else "method"
        callee = Callee(self.name, form, parameters, variadic=inspect.Parameter.VAR_POSITIONAL in kinds)
        callee.function = self.function
        self._callee = callee
        return callee


_ABSENT = re.compile(r"(?:Tensor\.)?(\w+)\(\) missing (\d+) required (?:positional|keyword-only) arguments?: (.*)")


def _as_parser_says(message: str) -> str:
    """Python's words for arguments that are missing, in those of PyTorch's parser of arguments."""
    found = _ABSENT.fullmatch(message)
    if found is None:
        return message
    function, _, names = found.groups()
    return _missing(function, re.findall(r"'(\w+)'", names))


def _missing(function: str, names: Sequence[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    word = "arguments" if len(names) == 1 else "argument"  # so PyTorch has it
    return f"{function}() missing {len(names)} required positional {word}: {listed}"


_SIMPLE = {
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
}


def heads_of(callee: Callee, scope: dict[str, Any]) -> tuple[list[str], str]:
    """The parameters of a generated function that takes anything, and its line that sends misfits to ``rebind``."""
    heads: list[str] = []
    star = False
    for p in callee.parameters:
        if p.keyword_only and not star:
            heads.append("*_extra")
            star = True
        scope[f"_default_{p.name}"] = p.default
        heads.append(f"{p.name}=_default_{p.name}")
    heads.extend(["**_named"] if star else ["*_extra", "**_named"])
    if callee.form != "function":
        heads[0] = callee.parameters[0].name
    scope["_rebind"] = callee.rebind
    scope["_MISSING"] = MISSING
    conditions = (
        ([] if callee.variadic else ["_extra"])
        + ["_named"]
        + [f"{p.name} is _MISSING" for p in callee.own if p.required]
    )
    values = ", ".join(f"{p.name!r}: {p.name}" for p in callee.parameters)
    return heads, f"if {' or '.join(conditions)}: return _rebind({{{values}}}, _extra, _named)"
