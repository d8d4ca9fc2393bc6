"""Comparing what was computed with what was expected, with PyTorch's tolerances and reports."""

from __future__ import annotations

import cmath
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchlike import ops
from torchlike._construct import as_tensor
from torchlike._core import dtype as dtypes
from torchlike._tensor import Tensor

__all__ = ["assert_allclose", "assert_close"]

Message = str | Callable[[str], str] | None

# (rtol, atol) by dtype; the others are compared exactly.
_TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}
_BY_PYTHON = {bool: dtypes.bool, int: dtypes.int64, float: dtypes.float64, complex: dtypes.complex128}


@dataclass(frozen=True)
class _Options:
    """The arguments of a comparison that hold for all its parts."""

    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool
    msg: Message

    def tolerances(self, *kinds: dtypes.dtype) -> tuple[float, float]:
        """The given tolerances, or the widest of the dtypes'."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        found = [_TOLERANCES.get(kind, (0.0, 0.0)) for kind in kinds]
        return max(r for r, _ in found), max(a for _, a in found)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Raise AssertionError unless ``abs(actual - expected) <= atol + rtol * abs(expected)`` everywhere.

    Tensors, NumPy arrays, numbers, None, and sequences and mappings of them are compared part by part: shape, and as
    the arguments say device, dtype and strides, then values. Without ``rtol`` and ``atol`` (both or none, else
    ValueError) the tolerances follow the dtype, wider for less precision; integers and booleans must be equal. ``msg``
    replaces the report, or makes one of it. Raises TypeError for what cannot be compared.

    >>> torch.testing.assert_close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    >>> torch.testing.assert_close({"a": 1}, {"a": 2}, msg="the a differ")
    Traceback (most recent call last):
    AssertionError: the a differ
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Both 'rtol' and 'atol' must be either specified or omitted, but got no"
            f" {'rtol' if rtol is None else 'atol'}."
        )
    options = _Options(
        allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride, msg
    )
    _compare(actual, expected, options, ())


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """Compare values only, converting dtypes and Python sequences; deprecated in favour of `assert_close`."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. Please use"
        " `torch.testing.assert_close()` instead. You can find detailed upgrade instructions in"
        " https://github.com/pytorch/pytorch/issues/61844.",
        FutureWarning,
        stacklevel=2,
    )
    actual = actual if isinstance(actual, Tensor) else as_tensor(actual)
    expected = expected if isinstance(expected, Tensor) else as_tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        rtol, atol = _Options(True, None, None, equal_nan, True, False, True, False, None).tolerances(
            actual.dtype, expected.dtype
        )
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_device=True,
        check_dtype=False,
        check_stride=False,
        msg=msg or None,
    )


def _fail(report: str, options: _Options, path: tuple[Any, ...], kind: type[Exception] = AssertionError) -> None:
    if path:
        report += f"\n\nThe failure occurred for item {''.join(f'[{key!r}]' for key in path)}"
    if kind is AssertionError and options.msg is not None:
        report = options.msg(report) if callable(options.msg) else options.msg
    raise kind(report)


def _is_number(x: Any) -> bool:
    return isinstance(x, bool | int | float | complex | np.number | np.bool_)


def _compare(actual: Any, expected: Any, options: _Options, path: tuple[Any, ...]) -> None:
    text = str | bytes
    if (
        isinstance(actual, Sequence)
        and isinstance(expected, Sequence)
        and not isinstance(actual, text)
        and not isinstance(expected, text)
    ):
        if len(actual) != len(expected):
            _fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", options, path)
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            _compare(a, e, options, (*path, i))
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        missing, extra = set(expected) - set(actual), set(actual) - set(expected)
        if missing or extra:
            _fail(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing, key=str)}\n"
                f"Additional keys in the actual mapping: {sorted(extra, key=str)}",
                options,
                path,
            )
        for key in expected:
            _compare(actual[key], expected[key], options, (*path, key))
    elif actual is None or expected is None:
        if actual is not expected:
            _fail(f"None mismatch: {actual} is not {expected}", options, path)
    elif isinstance(actual, bool | np.bool_) and isinstance(expected, bool | np.bool_):
        if bool(actual) is not bool(expected):
            _fail(f"Booleans mismatch: {bool(actual)} is not {bool(expected)}", options, path)
    elif _is_number(actual) and _is_number(expected):
        _compare_numbers(actual, expected, options, path)
    elif isinstance(actual, Tensor | np.ndarray) and isinstance(expected, Tensor | np.ndarray):
        related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
        if not related or (not options.allow_subclasses and type(actual) is not type(expected)):
            _refuse(actual, expected, options, path)
        _compare_tensors(as_tensor(actual), as_tensor(expected), options, path)
    else:
        _refuse(actual, expected, options, path)


def _refuse(actual: Any, expected: Any, options: _Options, path: tuple[Any, ...]) -> None:
    _fail(
        f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.",
        options,
        path,
        TypeError,
    )


def _plain(x: Any) -> Any:
    return x.item() if isinstance(x, np.generic) else x


def _compare_numbers(actual: Any, expected: Any, options: _Options, path: tuple[Any, ...]) -> None:
    kinds = [type(_plain(actual)), type(_plain(expected))]
    if options.check_dtype and type(actual) is not type(expected):
        _fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", options, path)
    actual, expected = _plain(actual), _plain(expected)
    rtol, atol = options.tolerances(*(_BY_PYTHON[kind] for kind in kinds))
    if actual == expected or (options.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
        return
    difference = abs(actual - expected)
    if cmath.isfinite(difference) and difference <= atol + rtol * abs(expected):
        return
    relative = difference / abs(expected) if expected else float("inf")
    _fail(_report_of_numbers(actual, expected, difference, relative, rtol, atol), options, path)


def _report_of_numbers(actual: Any, expected: Any, difference: Any, relative: Any, rtol: float, atol: float) -> str:
    exact = rtol == atol == 0
    lines = [
        f"Scalars are not {'equal' if exact else 'close'}!",
        "",
        f"Expected {expected} but got {actual}.",
        f"Absolute difference: {difference}" + ("" if exact else f" (up to {atol} allowed)"),
        f"Relative difference: {relative}" + ("" if exact else f" (up to {rtol} allowed)"),
    ]
    return "\n".join(lines)


def _compare_tensors(actual: Tensor, expected: Tensor, options: _Options, path: tuple[Any, ...]) -> None:
    def differ(name: str, a: Any, e: Any) -> None:
        _fail(f"The values for attribute '{name}' do not match: {a} != {e}.", options, path)

    if actual.shape != expected.shape:
        differ("shape", actual.shape, expected.shape)
    if options.check_layout and actual.layout != expected.layout:
        differ("layout", actual.layout, expected.layout)
    if options.check_stride and actual.stride() != expected.stride():
        differ("stride()", actual.stride(), expected.stride())
    if options.check_device and actual.device != expected.device:
        differ("device", actual.device, expected.device)
    if options.check_dtype and actual.dtype != expected.dtype:
        differ("dtype", actual.dtype, expected.dtype)
    rtol, atol = options.tolerances(actual.dtype, expected.dtype)
    actual, expected = actual.detach().to(expected.device), expected.detach()
    if actual.dtype != expected.dtype:
        common = ops.add(actual[:0], expected[:0]).dtype if actual.dim() else (actual + expected).dtype
        actual, expected = actual.to(common), expected.to(common)
    if actual.dtype not in _TOLERANCES and actual.dtype is not dtypes.bool:
        actual, expected = actual.to(dtypes.int64), expected.to(dtypes.int64)
    matches = ops.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=options.equal_nan)
    if bool(matches.all()):
        return
    if actual.dim() == 0:
        a, e = actual.item(), expected.item()
        difference = abs(a - e)
        relative = difference / abs(e) if e else float("inf")
        _fail(_report_of_numbers(a, e, difference, relative, rtol, atol), options, path)
    _fail(_report_of_tensors(actual, expected, matches, rtol, atol), options, path)


def _report_of_tensors(actual: Tensor, expected: Tensor, matches: Tensor, rtol: float, atol: float) -> str:
    count, total = int((~matches).sum()), matches.numel()
    if actual.dtype is dtypes.bool:
        actual, expected = actual.to(dtypes.int64), expected.to(dtypes.int64)
    difference = (actual - expected).abs()
    relative = difference / expected.abs()
    lines = [
        f"Tensor-likes are not {'equal' if rtol == atol == 0 else 'close'}!",
        "",
        f"Mismatched elements: {count} / {total} ({count / total:.1%})",
    ]
    for name, values, allowed in (("absolute", difference, atol), ("relative", relative, rtol)):
        # Elements that agree do not count, though 0 / 0 among them is nan.
        masked = ops.where(matches, ops.zeros_like(values), values)
        index = int(masked.flatten().argmax())
        place = tuple(int(i) for i in np.unravel_index(index, tuple(values.shape)))
        limit = "" if rtol == atol == 0 else f" (up to {allowed} allowed)"
        lines.append(f"Greatest {name} difference: {masked.flatten()[index].item()} at index {place}{limit}")
    return "\n".join(lines)
