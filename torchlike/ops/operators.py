"""Python's operators on tensors: ``x + y``, ``2 ** x``, ``x &= mask`` ...

Each goes straight to the call path of its operator, without the public function in between. An operand that is neither
a tensor nor a number gives ``NotImplemented``, so that Python asks the other operand or raises its own TypeError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from torchlike._core.dispatch import call, call_inplace
from torchlike._core.op import Op, composite
from torchlike._core.override import forms
from torchlike._core.tensor_state import TensorBase
from torchlike.ops import bitwise, comparison, pointwise_arith, pointwise_power, pointwise_unary

__all__: list[str] = []

_Function = Callable[..., Any]
_NUMBERS = (bool, int, float, complex, np.number, np.bool_)


def _known(x: Any) -> bool:
    """Whether the operators take ``x``; a foreign class that overrides torch functions is asked."""
    return isinstance(x, (TensorBase, *_NUMBERS)) or hasattr(type(x), "__torch_function__")


def _define(name: str, function: _Function, doc: str, record: Op | None = None, public: str = "") -> None:
    """Make ``function`` the method ``name``; modes and subclasses are told of it as the method ``public``."""
    function.__name__ = name
    function.__qualname__ = f"Tensor.{name}"
    function.__doc__ = doc
    if record is None and not public:
        composite(function, name=name, method="only")
        return
    setattr(TensorBase, name, function)
    if record is not None:
        forms.setdefault((function.__code__, record), getattr(TensorBase, public or name))


def _unary(record: Op) -> _Function:
    """``<op> self``."""

    def operator(self: Any) -> Any:
        return call(record, (self,), ())

    return operator


def _positive(self: Any) -> Any:
    return pointwise_unary.positive(self)


def _direct(record: Op, tail: tuple[Any, ...] = ()) -> _Function:
    """``self <op> other`` through an operator of two operands and the scalars ``tail`` (None: at their default)."""
    if tail:

        def with_tail(self: Any, other: Any) -> Any:
            try:
                return call(record, (self, other, *tail), ())
            except TypeError:
                if _known(other):
                    raise
                return NotImplemented

        return with_tail

    def operator(self: Any, other: Any) -> Any:
        try:
            return call(record, (self, other), ())
        except TypeError:
            if _known(other):
                raise
            return NotImplemented

    return operator


def _reflected(record: Op) -> _Function:
    """``other <op> self``."""

    def operator(self: Any, other: Any) -> Any:
        try:
            return call(record, (other, self), ())
        except TypeError:
            if _known(other):
                raise
            return NotImplemented

    return operator


def _written(record: Op, tail: tuple[Any, ...] = ()) -> _Function:
    """``self <op>= other``."""

    def operator(self: Any, other: Any) -> Any:
        try:
            return call_inplace(record, (self, other, *tail), ())
        except TypeError:
            if _known(other):
                raise
            return NotImplemented

    return operator


def _checked(function: _Function, *, reflected: bool = False) -> _Function:
    """``self <op> other`` through a function that decides by the types or values of its operands."""
    if reflected:

        def swapped(self: Any, other: Any) -> Any:
            return function(other, self) if _known(other) else NotImplemented

        return swapped

    def operator(self: Any, other: Any) -> Any:
        return function(self, other) if _known(other) else NotImplemented

    return operator


def _inverted(self: Any) -> Any:
    dtype = self.dtype
    if dtype.is_floating_point or dtype.is_complex:
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return bitwise.bitwise_not(self)


_ADD: Op = pointwise_arith.add.op
_SUB: Op = pointwise_arith.sub.op
_RSUB: Op = pointwise_arith.rsub.op
_MUL: Op = pointwise_arith.mul.op
_DIV: Op = pointwise_arith.true_divide.op

_define("__add__", _direct(_ADD, (None,)), "Return ``self + other``.", _ADD, "add")
_define("__radd__", _direct(_ADD, (None,)), "Return ``other + self``.", _ADD, "add")
_define("__iadd__", _written(_ADD, (None,)), "Add ``other`` in place.", _ADD, "add_")
_define("__sub__", _direct(_SUB, (None,)), "Return ``self - other``.", _SUB, "sub")
_define("__rsub__", _direct(_RSUB, (None,)), "Return ``other - self``.", _RSUB)
_define("__isub__", _written(_SUB, (None,)), "Subtract ``other`` in place.", _SUB, "sub_")
_define("__mul__", _direct(_MUL), "Return ``self * other``.", _MUL, "mul")
_define("__rmul__", _direct(_MUL), "Return ``other * self``.", _MUL, "mul")
_define("__imul__", _written(_MUL), "Multiply by ``other`` in place.", _MUL, "mul_")
_define("__truediv__", _direct(_DIV), "Return ``self / other``.", _DIV, "div")
_define("__itruediv__", _written(_DIV), "Divide by ``other`` in place.", _DIV, "div_")
_define("__idiv__", _written(_DIV), "Divide by ``other`` in place.", _DIV, "div_")
_define("__div__", _direct(_DIV), "Return ``self / other``.", _DIV, "div")


def _rtruediv(self: Any, other: Any) -> Any:
    # As PyTorch: a reciprocal and a product, also in the graph.
    return pointwise_unary.reciprocal(self) * other if _known(other) else NotImplemented


_define("__rtruediv__", _rtruediv, "Return ``other / self``.")
_define("__rdiv__", _rtruediv, "Return ``other / self``.")

for _name, _function, _inplace in (
    ("floordiv", pointwise_arith.floor_divide, pointwise_arith.floor_divide_),
    ("mod", pointwise_arith.remainder, pointwise_arith.remainder_),
    ("pow", pointwise_power.pow, pointwise_power.pow_),
):
    _called = _function.__name__
    if _name == "floordiv":
        _define("__floordiv__", _checked(_function), "Return :func:`floor_divide` of self and ``other``.")
    else:
        _method = _checked(getattr(TensorBase, _called))
        _define(f"__{_name}__", _method, f"Return :func:`{_called}` of self and ``other``.", None, _called)
    _define(
        f"__r{_name}__",
        _checked(_function, reflected=True),
        f"Return :func:`{_function.__name__}` of ``other`` and self.",
    )
    _define(f"__i{_name}__", _checked(_inplace), f"Write :func:`{_function.__name__}` of self and ``other`` into self.")

for _name, _function in (
    ("and", bitwise.bitwise_and),
    ("or", bitwise.bitwise_or),
    ("xor", bitwise.bitwise_xor),
    ("lshift", bitwise.bitwise_left_shift),
    ("rshift", bitwise.bitwise_right_shift),
):
    _record, _called = _function.op, _function.__name__
    _define(f"__{_name}__", _direct(_record), f"Return :func:`{_called}` of self and ``other``.", _record)
    _define(f"__r{_name}__", _reflected(_record), f"Return :func:`{_called}` of ``other`` and self.", _record, _called)
    _define(f"__i{_name}__", _written(_record), f"Write :func:`{_called}` of self and ``other`` into self.", _record)

for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _function = getattr(comparison, _name)
    _define(
        f"__{_name}__", _direct(_function.op), f"Return :func:`{_name}` of self and ``other``.", _function.op, _name
    )

_define("__neg__", _unary(pointwise_unary.neg.op), "Return ``-self``.", pointwise_unary.neg.op, "neg")
_define("__abs__", _unary(pointwise_unary.abs.op), "Return ``abs(self)``.", pointwise_unary.abs.op, "abs")
_define("__pos__", _positive, "Return ``+self``.")
_define("__invert__", _inverted, "Return ``~self`` of integers and bools.")
