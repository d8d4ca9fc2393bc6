"""Subclasses of Tensor, ``__torch_function__`` of classes and of modes, and ``torch.overrides``."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import pytest

import torchlike as torch
from torchlike import overrides
from torchlike.overrides import BaseTorchFunctionMode, TorchFunctionMode


class Plain(torch.Tensor):
    """A subclass that leaves everything as it is."""


class Child(Plain):
    pass


class Logged(torch.Tensor):
    """A subclass that notes what is called."""

    calls: ClassVar[list[tuple[Any, Any, Any, Any]]] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        Logged.calls.append((func, types, args, kwargs))
        return super().__torch_function__(func, types, args, kwargs)


class Foreign:
    """A class that is no tensor."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func.__name__, types, args, kwargs


class Recording(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.functions: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.functions.append(func)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def x() -> Any:
    Logged.calls.clear()
    return torch.arange(6.0).reshape(2, 3).as_subclass(Logged)


RESULTS = {
    "operator": lambda x: x + 1,
    "reflected": lambda x: 1 - x,
    "function": lambda x: torch.add(x, 1),
    "plain on the left": lambda x: torch.ones(3) * x,
    "method": lambda x: x.exp(),
    "sequence": lambda x: torch.cat([torch.ones(1, 3), x]),
    "view": lambda x: x[0],
    "mask": lambda x: x[x > 2],
    "transposed": lambda x: x.T,
    "property": lambda x: x.mT,
    "reshape": lambda x: x.reshape(-1),
    "composed": lambda x: torch.einsum("ij->i", x),
    "nn.functional": lambda x: torch.nn.functional.relu(x),
    "linalg": lambda x: torch.linalg.norm(x),
    "fft": lambda x: torch.fft.fft(x).real,
    "to": lambda x: x.to(torch.float64),
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "clone": lambda x: x.clone(),
    "like": lambda x: torch.zeros_like(x),
    "new": lambda x: x.new_zeros(2),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "split": lambda x: x.split(1)[1],
    "named tuple": lambda x: torch.max(x, 0).values,
    "softmax": lambda x: x.softmax(-1),
    "in place": lambda x: x.clone().add_(1),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_keep_the_subclass(name: str) -> None:
    x = torch.arange(6.0).reshape(2, 3)
    result = RESULTS[name](x.as_subclass(Plain))
    assert type(result) is Plain
    expected = RESULTS[name](x)
    assert torch.equal(result.as_subclass(torch.Tensor), expected)


def test_what_is_no_tensor_stays_as_it_is() -> None:
    x = torch.ones(2, 3).as_subclass(Plain)
    assert type(x.shape) is torch.Size
    assert x.dtype is torch.float32
    assert x.tolist() == [[1.0] * 3] * 2
    with pytest.warns(UserWarning, match="To copy construct"):
        assert type(torch.tensor(x)) is torch.Tensor
    assert not torch.is_floating_point(x.long())


def test_the_most_derived_class_wins() -> None:
    a, b = torch.ones(2).as_subclass(Plain), torch.ones(2).as_subclass(Child)
    assert type(a + b) is Child
    assert type(b + a) is Child


def test_unrelated_classes_do_not_mix() -> None:
    class Other(torch.Tensor):
        pass

    a, b = torch.ones(2).as_subclass(Plain), torch.ones(2).as_subclass(Other)
    with pytest.raises(TypeError, match=r"Multiple dispatch failed for 'torch.add'"):
        torch.add(a, b)
    with pytest.raises(TypeError, match="unsupported operand type"):
        a + b


def test_gradients_go_through() -> None:
    w = torch.ones(2, 3, requires_grad=True)
    s = w.as_subclass(Plain)
    assert s.grad_fn.name() == "AliasBackward0"
    assert s._is_view()
    y = (s * 3).sum()
    assert y.grad_fn.name() == "AliasBackward0"
    y.backward()
    assert type(w.grad) is torch.Tensor
    assert torch.equal(w.grad, torch.full((2, 3), 3.0))


def test_a_leaf_of_a_subclass() -> None:
    leaf = torch.Tensor._make_subclass(Plain, torch.ones(2), True)
    assert leaf.is_leaf
    assert type(leaf) is Plain
    (leaf * 2).sum().backward()
    assert type(leaf.grad) is torch.Tensor
    assert leaf.grad.tolist() == [2.0, 2.0]


def test_parameters_compute_plain_tensors() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    assert type(p + 1) is torch.Tensor
    assert type(p[0]) is torch.Tensor


def test_a_subclass_does_not_slow_down_or_change_others() -> None:
    plain = torch.ones(2)
    torch.ones(2).as_subclass(Plain) + 1
    assert type(plain[0]) is torch.Tensor
    assert type(plain + 1) is torch.Tensor
    assert "add" not in Plain.__dict__


ASKED = {
    "operator": (lambda x: x + 1, torch.Tensor.add, 2),
    "reflected": (lambda x: 1 + x, torch.Tensor.add, 2),
    "reflected minus": (lambda x: 1 - x, torch.Tensor.__rsub__, 2),
    "power": (lambda x: x**2, torch.Tensor.pow, 2),
    "comparison": (lambda x: x < 1, torch.Tensor.lt, 2),
    "plain method": (lambda x: torch.ones(3).add(x), torch.Tensor.add, 2),
    "function": (lambda x: torch.add(x, 1), torch.add, 2),
    "alias": (lambda x: torch.multiply(x, 1), torch.multiply, 2),
    "method": (lambda x: x.add(1), torch.Tensor.add, 2),
    "in place": (lambda x: x.add_(1), torch.Tensor.add_, 2),
    "getitem": (lambda x: x[0], torch.Tensor.__getitem__, 2),
    "index": (lambda x: torch.ones(3)[x[0].long()], torch.Tensor.__getitem__, 2),
    "setitem": (lambda x: x.__setitem__(0, 1), torch.Tensor.__setitem__, 3),
    "shape": (lambda x: x.shape, torch.Tensor.shape.__get__, 1),
    "size": (lambda x: x.size(0), torch.Tensor.size, 2),
    "grad": (lambda x: x.grad, torch.Tensor.grad.__get__, 1),
    "set grad": (lambda x: setattr(x, "grad", None), torch.Tensor.grad.__set__, 2),
    "T": (lambda x: x.T, torch.Tensor.T.__get__, 1),
    "is_sparse": (lambda x: x.is_sparse, torch.Tensor.is_sparse.__get__, 1),
    "composed": (lambda x: torch.einsum("ij->i", x), torch.einsum, 2),
    "composed method": (lambda x: x.split(1), torch.Tensor.split, 2),
    "nn.functional": (lambda x: torch.nn.functional.softmax(x, -1), torch.nn.functional.softmax, 2),
    "sequence": (lambda x: torch.stack([x, x]), torch.stack, 1),
    "out": (lambda x: torch.add(torch.ones(2, 3), 1, out=x), torch.add, 2),
    "backward": (lambda x: x.sum().requires_grad_().backward(), torch.Tensor.backward, 1),
    "len": (len, torch.Tensor.__len__, 1),
    "repr": (repr, torch.Tensor.__repr__, 1),
    "bool": (lambda x: bool(x[0, 0]), torch.Tensor.__bool__, 1),
    "numpy": (lambda x: x.numpy(), torch.Tensor.numpy, 1),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_class_is_asked(name: str, x: Any) -> None:
    function, expected, count = ASKED[name]
    function(x)
    func, types, args, _ = Logged.calls[-1]
    assert func == expected
    assert types == (Logged,)
    assert len(args) == count


def test_keywords_are_handed_on(x: Any) -> None:
    torch.add(x, 1, alpha=2)
    assert Logged.calls == [(torch.add, (Logged,), (x, 1), {"alpha": 2})]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda d, p: torch.add(d, 1), "add"),
        (lambda d, p: torch.add(p, d), "add"),
        (lambda d, p: p + d, "add"),
        (lambda d, p: p.add_(d), "add_"),
        (lambda d, p: p == d, "eq"),
        (lambda d, p: p[d], "__getitem__"),
        (lambda d, p: torch.cat([p, d]), "cat"),
        (lambda d, p: torch.sum(d), "sum"),
        (lambda d, p: torch.split(d, 1), "split"),
        (lambda d, p: torch.nn.functional.relu(d), "relu"),
        (lambda d, p: torch.clamp(p, min=d), "clamp"),
        (lambda d, p: p.view_as(d), "view_as"),
    ],
)
def test_a_class_that_is_no_tensor(function: Any, name: str) -> None:
    found, types, _, _ = function(Foreign(), torch.ones(2))
    assert (found, types) == (name, (Foreign,))


def test_refusal_names_who_was_asked() -> None:
    class Refusing(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return NotImplemented

    s = torch.ones(2).as_subclass(Refusing)
    with pytest.raises(TypeError, match=r"Multiple dispatch failed for 'torch.Tensor.shape.__get__'"):
        s.shape  # noqa: B018
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.nn.functional.relu' on types that"):
        torch.nn.functional.relu(s)


# ---------------------------------------------------------------------------------------------------------------------
# Modes


def test_a_mode_sees_every_function() -> None:
    p = torch.ones(2, 3)
    with Recording() as mode:
        p + 1
        p.add(1)
        torch.add(p, 1)
        p.shape  # noqa: B018
        p.size()
        p[0]
        torch.zeros(2)
        torch.tensor(1.0)
        torch.einsum("ij->i", p)
        p.T  # noqa: B018
        p.sum().item()
    assert mode.functions == [
        torch.Tensor.add,
        torch.Tensor.add,
        torch.add,
        torch.Tensor.shape.__get__,
        torch.Tensor.size,
        torch.Tensor.__getitem__,
        torch.zeros,
        torch.tensor,
        torch.einsum,
        torch.Tensor.T.__get__,
        torch.Tensor.sum,
        torch.Tensor.item,
    ]
    count = len(mode.functions)
    assert p.size() == (2, 3)
    assert len(mode.functions) == count


def test_modes_nest() -> None:
    class Plus(TorchFunctionMode):
        def __init__(self, amount: float) -> None:
            super().__init__()
            self.amount = amount

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            return result * 10 + self.amount if func is torch.ones else result

    with Plus(1), Plus(2):
        y = torch.ones(1)
    assert y.item() == 112.0


def test_a_mode_comes_before_the_classes(x: Any) -> None:
    class Stop(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return "stopped", types

    with Stop():
        assert torch.add(x, 1) == ("stopped", (Logged,))
    with BaseTorchFunctionMode():
        assert type(torch.add(x, 1)) is Logged


def test_an_error_leaves_the_mode() -> None:
    with pytest.raises(RuntimeError, match="shape"), Recording():
        torch.ones(2).reshape(3)
    assert not overrides.has_torch_function((torch.ones(1),))


# ---------------------------------------------------------------------------------------------------------------------
# torch.overrides


def test_has_torch_function() -> None:
    p, s = torch.ones(1), torch.ones(1).as_subclass(Plain)
    assert overrides.has_torch_function((p, s))
    assert not overrides.has_torch_function((p, torch.nn.Parameter(p), 1))
    assert overrides.has_torch_function_unary(Foreign())
    assert overrides.has_torch_function_variadic(p, Foreign())


def test_wrap_torch_function() -> None:
    @overrides.wrap_torch_function(lambda a, b=None: (a, b))
    def mine(a: Any, b: Any = None) -> Any:
        return a + 1

    assert mine(torch.ones(1)).item() == 2.0
    assert mine(torch.ones(1), b=Foreign())[0] == "mine"


def test_names() -> None:
    assert overrides.resolve_name(torch.add) == "torch.add"
    assert overrides.resolve_name(torch.Tensor.add) == "torch.Tensor.add"
    assert overrides.resolve_name(torch.Tensor.shape.__get__) == "torch.Tensor.shape.__get__"
    assert overrides.resolve_name(torch.nn.functional.relu) == "torch.nn.functional.relu"
    assert overrides.resolve_name(torch.linalg.norm) == "torch.linalg.norm"
    assert overrides.resolve_name(print) is None
    assert overrides.is_tensor_method_or_property(torch.Tensor.shape.__get__)
    assert not overrides.is_tensor_method_or_property(torch.add)
    assert overrides.is_tensor_like(Foreign())


def test_overridable_functions_ask() -> None:
    functions = overrides.get_overridable_functions()
    assert torch.add in functions[torch]
    assert torch.zeros not in functions[torch]
    assert torch.zeros in overrides.get_ignored_functions()
    assert torch.Tensor.add in functions[torch.Tensor]
    dummies = overrides.get_testing_overrides()
    assert dummies[torch.add](1, 2) == -1
    with pytest.raises(TypeError):
        dummies[torch.relu]()
    d = Foreign()
    silent = []
    for function in functions[torch]:
        try:
            answer = function(d)
        except TypeError:
            continue  # it wants more arguments
        if answer[0] is None:
            silent.append(function)
    assert not silent
