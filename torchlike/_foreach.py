"""Operations on lists of tensors, ``torch._foreach_add`` and kin, which optimizers and averages of weights use.

Each is its operator, called for one tensor after the other: results, gradients and refusals are the operator's own. A
function gives back a tuple of results; its twin that ends in ``_`` writes into the tensors and gives back their list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torchlike import linalg
from torchlike._core.tensor_state import TensorBase
from torchlike._tensor import Tensor
from torchlike.ops import _public as ops

Function = Callable[..., Any]


def _refused(name: str, args: Sequence[Any]) -> TypeError:
    given = ", ".join(type(a).__name__ for a in args)
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({given}), but expected one of:\n"
        " * (tuple of Tensors self, ...)\n"
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _rows(name: str, tensors: Any, others: Sequence[Any]) -> list[tuple[Any, ...]]:
    """One row of arguments for each tensor: lists give each its own, anything else serves all.

    Raises RuntimeError for an empty list and for lists of different lengths, TypeError for what is no list of tensors.
    """
    if not _is_list(tensors) or not all(isinstance(t, TensorBase) for t in tensors):
        raise _refused(name, (tensors, *others))
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")
    columns: list[Sequence[Any]] = [tensors]
    for other in others:
        if not _is_list(other):
            if not isinstance(other, (TensorBase, int, float, complex)):
                raise _refused(name, (tensors, *others))
            columns.append([other] * len(tensors))
        elif other and isinstance(other[0], TensorBase):
            if len(other) != len(tensors):
                raise RuntimeError(
                    f"Tensor lists must have the same number of tensors, got {len(tensors)} and {len(other)}"
                )
            columns.append(other)
        elif len(other) != len(tensors):
            raise RuntimeError("Tensor list must have same number of elements as scalar list.")
        else:
            columns.append(other)
    return list(zip(*columns, strict=True))


def _require_tensors(name: str, argument: str, value: Any) -> None:
    if not _is_list(value):
        kind = type(value).__name__
        raise TypeError(f"{name}(): argument '{argument}' (position 2) must be tuple of Tensors, not {kind}")
    for index, item in enumerate(value):
        if not isinstance(item, TensorBase):
            raise TypeError(f"expected Tensor as element {index} in argument 1, but got {type(item).__name__}")


def _named(function: Function, name: str, what: str) -> Function:
    function.__name__ = function.__qualname__ = name
    function.__module__ = "torchlike"
    function.__doc__ = f"{what} to every tensor of a list. See ``torchlike._foreach``."
    return function


def _pair(
    name: str, operator: Function | None = None, *, operands: int = 0, **defaults: Any
) -> tuple[Function, Function]:
    """The function and its in-place twin for an operator that takes so many operands besides the tensor."""
    apply: Function = getattr(ops, name)
    full = f"_foreach_{name}"

    def arguments(self: Any, given: tuple[Any, ...], options: dict[str, Any], called: str) -> list[tuple[Any, ...]]:
        if len(given) != operands or not options.keys() <= defaults.keys():
            raise _refused(called, (self, *given, *options.values()))
        return _rows(called, self, given)

    def function(self: Any, *others: Any, **options: Any) -> tuple[Any, ...]:
        return tuple([apply(*row, **options) for row in arguments(self, others, options, full)])

    def in_place(self: Any, *others: Any, **options: Any) -> Any:
        for tensor, *row in arguments(self, others, options, f"{full}_"):
            getattr(tensor, f"{name}_")(*row, **options)
        return self

    return _named(function, full, f"Apply ``{name}``"), _named(in_place, f"{full}_", f"Apply ``{name}_``")


_foreach_abs, _foreach_abs_ = _pair("abs")
_foreach_acos, _foreach_acos_ = _pair("acos")
_foreach_asin, _foreach_asin_ = _pair("asin")
_foreach_atan, _foreach_atan_ = _pair("atan")
_foreach_ceil, _foreach_ceil_ = _pair("ceil")
_foreach_cos, _foreach_cos_ = _pair("cos")
_foreach_cosh, _foreach_cosh_ = _pair("cosh")
_foreach_erf, _foreach_erf_ = _pair("erf")
_foreach_erfc, _foreach_erfc_ = _pair("erfc")
_foreach_exp, _foreach_exp_ = _pair("exp")
_foreach_expm1, _foreach_expm1_ = _pair("expm1")
_foreach_floor, _foreach_floor_ = _pair("floor")
_foreach_frac, _foreach_frac_ = _pair("frac")
_foreach_lgamma, _foreach_lgamma_ = _pair("lgamma")
_foreach_log, _foreach_log_ = _pair("log")
_foreach_log10, _foreach_log10_ = _pair("log10")
_foreach_log1p, _foreach_log1p_ = _pair("log1p")
_foreach_log2, _foreach_log2_ = _pair("log2")
_foreach_neg, _foreach_neg_ = _pair("neg")
_foreach_reciprocal, _foreach_reciprocal_ = _pair("reciprocal")
_foreach_round, _foreach_round_ = _pair("round")
_foreach_rsqrt, _foreach_rsqrt_ = _pair("rsqrt")
_foreach_sigmoid, _foreach_sigmoid_ = _pair("sigmoid")
_foreach_sign, _foreach_sign_ = _pair("sign")
_foreach_sin, _foreach_sin_ = _pair("sin")
_foreach_sinh, _foreach_sinh_ = _pair("sinh")
_foreach_sqrt, _foreach_sqrt_ = _pair("sqrt")
_foreach_tan, _foreach_tan_ = _pair("tan")
_foreach_tanh, _foreach_tanh_ = _pair("tanh")
_foreach_trunc, _foreach_trunc_ = _pair("trunc")
_foreach_add, _foreach_add_ = _pair("add", operands=1, alpha=1)
_foreach_sub, _foreach_sub_ = _pair("sub", operands=1, alpha=1)
_foreach_mul, _foreach_mul_ = _pair("mul", operands=1)
_foreach_div, _foreach_div_ = _pair("div", operands=1)
_foreach_clamp_min, _foreach_clamp_min_ = _pair("clamp_min", operands=1)
_foreach_clamp_max, _foreach_clamp_max_ = _pair("clamp_max", operands=1)
_foreach_lerp, _foreach_lerp_ = _pair("lerp", operands=2)


def _alias_of(name: str, pair: tuple[Function, Function]) -> tuple[Function, Function]:
    """The same pair under another name: of lists, ``maximum`` takes numbers too, as ``clamp_min`` takes tensors."""
    function, in_place = pair

    def renamed(self: Any, other: Any) -> Any:
        return function(self, other)

    def renamed_in_place(self: Any, other: Any) -> Any:
        return in_place(self, other)

    full = f"_foreach_{name}"
    return _named(renamed, full, f"Apply ``{name}``"), _named(
        renamed_in_place, f"{full}_", f"Apply ``{name}``, in place,"
    )


_foreach_maximum, _foreach_maximum_ = _alias_of("maximum", (_foreach_clamp_min, _foreach_clamp_min_))
_foreach_minimum, _foreach_minimum_ = _alias_of("minimum", (_foreach_clamp_max, _foreach_clamp_max_))


def _combined(name: str) -> tuple[Function, Function]:
    """``addcmul`` and ``addcdiv``: the factor is a number, a list of numbers or a tensor of them."""
    apply: Function = getattr(ops, name)
    full = f"_foreach_{name}"

    def rows(called: str, self: Any, tensor1: Any, tensor2: Any, scalars: Any) -> list[tuple[Any, ...]]:
        factors = scalars.tolist() if isinstance(scalars, Tensor) else scalars
        return _rows(called, self, (tensor1, tensor2, factors))

    def function(self: Any, tensor1: Any, tensor2: Any, scalars: Any = 1, *, value: Any = None) -> tuple[Any, ...]:
        given = rows(full, self, tensor1, tensor2, scalars if value is None else value)
        return tuple([apply(t, a, b, value=factor) for t, a, b, factor in given])

    def in_place(self: Any, tensor1: Any, tensor2: Any, scalars: Any = 1, *, value: Any = None) -> Any:
        for t, a, b, factor in rows(f"{full}_", self, tensor1, tensor2, scalars if value is None else value):
            getattr(t, f"{name}_")(a, b, value=factor)
        return self

    return _named(function, full, f"Apply ``{name}``"), _named(in_place, f"{full}_", f"Apply ``{name}_``")


_foreach_addcmul, _foreach_addcmul_ = _combined("addcmul")
_foreach_addcdiv, _foreach_addcdiv_ = _combined("addcdiv")


def _foreach_pow(self: Any, exponent: Any) -> tuple[Any, ...]:
    """Raise every tensor of a list to a power, or one number to the powers in a list.

    >>> torch._foreach_pow(2.0, [torch.ones(2), torch.zeros(1)])
    (tensor([2., 2.]), tensor([1.]))
    """
    if isinstance(self, (int, float, complex)) and _is_list(exponent):
        return tuple([ops.pow(self, e) for (e,) in _rows("_foreach_pow", exponent, ())])
    return tuple([ops.pow(*row) for row in _rows("_foreach_pow", self, (exponent,))])


def _foreach_pow_(self: Any, exponent: Any) -> Any:
    """Raise every tensor of a list to a power, in place.

    >>> torch._foreach_pow_([torch.full((2,), 3.0)], 2)
    [tensor([9., 9.])]
    """
    for tensor, power in _rows("_foreach_pow_", self, (exponent,)):
        tensor.pow_(power)
    return self


def _foreach_norm(self: Any, ord: Any = 2, dtype: Any = None) -> tuple[Any, ...]:
    """Return the vector norm of every tensor of a list.

    >>> torch._foreach_norm([torch.ones(4), torch.tensor([3.0, 4.0])])
    (tensor(2.), tensor(5.))
    """
    return tuple([linalg.vector_norm(t, ord, dtype=dtype) for (t,) in _rows("_foreach_norm", self, ())])


def _foreach_powsum(self: Any, ord: Any = 2, dtype: Any = None) -> tuple[Any, ...]:
    """Return for every tensor of a list the sum of the powers of the magnitudes, the norm without its root.

    >>> torch._foreach_powsum([torch.tensor([3.0, -4.0])])
    (tensor(25.),)
    """
    return tuple([ops.sum(ops.pow(ops.abs(t), ord), dtype=dtype) for (t,) in _rows("_foreach_powsum", self, ())])


def _foreach_max(self: Any) -> tuple[Any, ...]:
    """Return the greatest element of every tensor of a list.

    >>> torch._foreach_max([torch.tensor([1, 3]), torch.tensor([2])])
    (tensor(3), tensor(2))
    """
    return tuple([t.max() for (t,) in _rows("_foreach_max", self, ())])


def _foreach_mm(self: Any, mat2: Any) -> tuple[Any, ...]:
    """Return the matrix products of the pairs of two lists.

    >>> torch._foreach_mm([torch.eye(2)], [torch.ones(2, 1)])
    (tensor([[1.],
            [1.]]),)
    """
    _require_tensors("_foreach_mm", "mat2", mat2)
    return tuple([ops.mm(a, b) for a, b in _rows("_foreach_mm", self, (mat2,))])


def _foreach_clone(self: Any, *, memory_format: Any = None) -> tuple[Any, ...]:
    """Return copies of the tensors of a list.

    >>> torch._foreach_clone([torch.ones(1)])
    (tensor([1.]),)
    """
    options = {} if memory_format is None else {"memory_format": memory_format}
    return tuple([t.clone(**options) for (t,) in _rows("_foreach_clone", self, ())])


def _foreach_copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Copy the tensors of a list into those of another.

    >>> torch._foreach_copy_([torch.zeros(1)], [torch.ones(1)])
    [tensor([1.])]
    """
    _require_tensors("_foreach_copy_", "src", src)
    if not isinstance(non_blocking, bool):
        kind = type(non_blocking).__name__
        raise TypeError(f"_foreach_copy_(): argument 'non_blocking' (position 3) must be bool, not {kind}")
    for tensor, source in _rows("_foreach_copy_", self, (src,)):
        tensor.copy_(source, non_blocking)
    return self


def _foreach_zero_(self: Any) -> Any:
    """Write zeros into every tensor of a list.

    >>> torch._foreach_zero_([torch.ones(2)])
    [tensor([0., 0.])]
    """
    for (tensor,) in _rows("_foreach_zero_", self, ()):
        tensor.zero_()
    return self


__all__ = [name for name in dir() if name.startswith("_foreach")]
