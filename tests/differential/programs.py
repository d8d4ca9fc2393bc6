"""Small programs of views, in-place writes and gradients, run on PyTorch and on torchlike side by side.

A program is a list of `Step`: the name of an action and three numbers, from which the action chooses its operands
among the
tensors made so far. So every list is a program, and a failing one shrinks well. After each step all tensors are
compared.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

SHAPES = ((3,), (2, 3), (), (4,), (2, 2), (2, 1, 3))


class Step(NamedTuple):
    """One statement: what is done, three numbers to choose by, and the mode it is done in."""

    action: str
    a: int = 0
    b: int = 0
    c: int = 0
    mode: str = "grad"


class Side:
    """One library, and the tensors of the program in it."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.tensors: list[Any] = []
        self.handles: list[Any] = []
        # Tensors whose node names come from derivatives of derivatives, which each library composes in its own way.
        self.unnamed: set[int] = set()
        # Tensors of inference mode, and those made beside them, once something was done outside of it: PyTorch counts
        # their versions by how it computes (docs/status.md).
        self.uncounted: set[int] = set()

    def pick(self, number: int) -> Any:
        return self.tensors[number % len(self.tensors)]

    def target(self, number: int) -> Any:
        """A tensor to write to: not one whose windows overlap, where the result depends on the order of the writes."""
        x = self.pick(number)
        places = np.zeros(tuple(x.shape), np.int64)
        for d, (size, stride) in enumerate(zip(x.shape, x.stride(), strict=True)):
            places += (np.arange(size) * stride).reshape((-1,) + (1,) * (x.dim() - 1 - d))
        if 0 not in x.stride() and len(np.unique(places)) != x.numel():
            raise ValueError("overlapping windows")
        return x

    def other(self, x: Any, number: int) -> Any:
        """A tensor that fits ``x`` in arithmetic, starting from a given one."""
        for i in range(len(self.tensors)):
            y = self.tensors[(number + i) % len(self.tensors)]
            if y.dtype == x.dtype and y.shape == x.shape:
                return y
        return x


Action = Callable[[Side, int, int, int], Any]
actions: dict[str, Action] = {}


def action(function: Action) -> Action:
    actions[function.__name__] = function
    return function


# -- new tensors ------------------------------------------------------------------------------------------------------


def _values(shape: tuple[int, ...], seed: int) -> Any:
    count = int(np.prod(shape))
    return ((np.arange(count) * 7 + seed * 3) % 11 - 5).reshape(shape) / 4


@action
def leaf(s: Side, a: int, b: int, c: int) -> Any:
    values = _values(SHAPES[a % len(SHAPES)], b)
    return s.torch.tensor(values.tolist(), requires_grad=c % 2 == 1)


@action
def complex_leaf(s: Side, a: int, b: int, c: int) -> Any:
    values = _values(SHAPES[a % 2], b) + 1j * _values(SHAPES[a % 2], b + 1)
    return s.torch.tensor(values.tolist(), requires_grad=c % 2 == 1)


@action
def integers(s: Side, a: int, b: int, c: int) -> Any:
    return s.torch.arange(4 + b % 3)


# -- views ------------------------------------------------------------------------------------------------------------


@action
def select(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).select(b % 3, c % 3)


@action
def slice_(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    if b % 2 and x.dim() > 1:
        return x[:, c % 2 : 3]
    return x[c % 3 :: 1 + b % 2]


@action
def transpose(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).transpose(b % 2, -1)


@action
def view(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return x.view(((-1,), (-1, 1), (x.numel(),), (1, -1))[b % 4])


@action
def reshape(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).reshape(((-1,), (2, -1), (-1, 1))[b % 3])


@action
def expand(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return x.expand(2, *x.shape) if b % 2 else x.unsqueeze(-1).expand(*x.shape, 2)


@action
def squeeze(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).squeeze() if b % 2 else s.pick(a).unsqueeze(c % 2)


@action
def diagonal(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).diagonal(b % 3 - 1)


@action
def unbind(s: Side, a: int, b: int, c: int) -> Any:
    return list(s.pick(a).unbind(b % 2))[c % 2]


@action
def chunk(s: Side, a: int, b: int, c: int) -> Any:
    return list(s.pick(a).chunk(2, b % 2))[c % 2]


@action
def split(s: Side, a: int, b: int, c: int) -> Any:
    return list(s.pick(a).split(2, b % 2))[c % 2]


@action
def narrow(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).narrow(b % 2, c % 2, 2)


@action
def as_strided(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return x.as_strided((2, 2), ((1, 1), (2, 1), (0, 1), (1, 2))[b % 4], x.storage_offset() * (c % 2))


@action
def unfold(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).unfold(-1, 2, 1 + b % 2)


@action
def movedim(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).movedim(0, -1)


@action
def detach(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).detach()


@action
def data(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).data


@action
def bits(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return x.view(s.torch.int32 if x.dtype == s.torch.float32 else s.torch.float32)


@action
def conj(s: Side, a: int, b: int, c: int) -> Any:
    return s.pick(a).conj()


@action
def real(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return x.real if b % 2 else x.imag


@action
def pairs(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return s.torch.view_as_real(x) if b % 2 else s.torch.view_as_complex(x)


# -- results of their own ---------------------------------------------------------------------------------------------


@action
def arithmetic(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    y = s.other(x, b)
    return (x + y, x * y, x - y, x * 2, x + 1, -x, x * x)[c % 7]


@action
def function(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return (x.tanh, x.sigmoid, x.exp, x.sin, x.abs, x.clone, x.contiguous, x.square)[b % 8]()


@action
def total(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return (x.sum(), x.sum(0), x.mean(), x.sum(-1, keepdim=True))[b % 4]


@action
def join(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    return s.torch.stack([x, s.other(x, b)]) if c % 2 else s.torch.cat([x, s.other(x, b)])


@action
def gather(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    if not x.dim():
        raise ValueError("no dimension")
    return x[s.torch.tensor([c % 2, 1, 0])] if b % 2 else x[x.real > 0 if x.is_complex() else x > 0]


@action
def matmul(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    if x.dim() != 2:
        raise ValueError("not a matrix")
    return x @ s.other(x, b).transpose(-1, 0)


# -- writes -----------------------------------------------------------------------------------------------------------


@action
def write_number(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    return (x.add_, x.mul_, x.fill_, x.sub_)[b % 4](1 + c % 3)


@action
def write_function(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    return (x.zero_, x.tanh_, x.sigmoid_, x.neg_, x.relu_, x.exp_)[b % 6]()


@action
def write_tensor(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    y = s.other(x, b)
    return (x.add_, x.mul_, x.copy_, x.sub_)[c % 4](y)


@action
def write_any(s: Side, a: int, b: int, c: int) -> Any:
    return (s.target(a).add_ if c % 2 else s.target(a).copy_)(s.pick(b))


@action
def write_scaled(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    return x.mul_(s.other(x, b).tanh())


@action
def setitem(s: Side, a: int, b: int, c: int) -> None:
    x = s.target(a)
    if 0 in x.stride():
        raise ValueError("expanded")
    if c % 4 == 0:
        x[0] = 1.5
    elif c % 4 == 1:
        x[...] = s.pick(b)
    elif c % 4 == 2:
        x[1:] = s.pick(b)
    elif x.shape[:1] > (1,):  # an index out of range is noticed by PyTorch after a part was written
        x[s.torch.tensor([0, 1])] = s.pick(b).sum()


@action
def masked_write(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    if c % 2:
        return x.masked_fill_(x > 0, 0.5)
    x[x > 0] = 2.0
    return None


@action
def write_out(s: Side, a: int, b: int, c: int) -> Any:
    x = s.target(a)
    return s.torch.mul(s.other(x, b), 2, out=x)


@action
def resize(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a)
    if x.numel() < 2:
        raise ValueError("new memory has any values")
    return x.resize_(1 + b % 2) if c % 2 else x.resize_(x.shape)


@action
def set_data(s: Side, a: int, b: int, c: int) -> None:
    x = s.target(a)
    x.data = s.other(x, b)


@action
def set_memory(s: Side, a: int, b: int, c: int) -> Any:
    x = s.pick(a).detach()
    return x.set_(s.other(x, b))


# -- autograd ---------------------------------------------------------------------------------------------------------


@action
def require(s: Side, a: int, b: int, c: int) -> None:
    s.pick(a).requires_grad_(b % 3 > 0)


@action
def cut(s: Side, a: int, b: int, c: int) -> None:
    s.pick(a).detach_()


@action
def keep(s: Side, a: int, b: int, c: int) -> None:
    s.pick(a).retain_grad()


@action
def hook(s: Side, a: int, b: int, c: int) -> None:
    s.handles.append(s.pick(a).register_hook((lambda g: g * 2) if b % 2 else (lambda g: None)))


@action
def unhook(s: Side, a: int, b: int, c: int) -> None:
    if s.handles:
        s.handles.pop().remove()


@action
def node_hook(s: Side, a: int, b: int, c: int) -> None:
    node = s.pick(a).grad_fn
    if node is not None:
        node.register_prehook(lambda grads: tuple(None if g is None else g * 3 for g in grads))


@action
def backward(s: Side, a: int, b: int, c: int) -> None:
    x = s.pick(a)
    root = x.sum() if c % 2 else x
    gradient = None if c % 4 < 2 else s.torch.ones_like(root)
    root.backward(gradient, retain_graph=b % 2 == 1, create_graph=b % 8 == 7)


@action
def backward_inputs(s: Side, a: int, b: int, c: int) -> None:
    s.pick(a).sum().backward(inputs=[s.pick(b), s.pick(c)], retain_graph=True)


@action
def grad(s: Side, a: int, b: int, c: int) -> Any:
    create = c % 4 == 3
    root = s.pick(a)
    root = (root.abs() if root.is_complex() else root).sum()
    found = s.torch.autograd.grad(
        root, [s.pick(b), s.pick(c)], retain_graph=c % 2 == 1, create_graph=create, allow_unused=b % 2 == 1
    )
    # How a gradient lies in memory is not compared: PyTorch returns expanded ones, here they are dense.
    return None if found[0] is None else found[0].clone(memory_format=s.torch.contiguous_format)


@action
def clear_grad(s: Side, a: int, b: int, c: int) -> None:
    x = s.pick(a)
    if x.is_leaf:
        x.grad = None


@action
def scale_grad(s: Side, a: int, b: int, c: int) -> None:
    x = s.pick(a)
    if x.is_leaf and x.grad is not None:
        x.grad.mul_(2)


def _custom(torch: Any) -> Any:
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any, k: Any) -> Any:
            ctx.save_for_backward(x, y)
            ctx.k = k
            return x * y * k

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            x, y = ctx.saved_tensors
            return grad * y * ctx.k, grad * x * ctx.k, None

    class Same(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    class Written(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)
            return x.mul_(3)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 3

    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            result = x.exp()
            ctx.save_for_backward(result)
            return result, x.view(-1)

        @staticmethod
        def backward(ctx: Any, g: Any, h: Any) -> Any:
            (result,) = ctx.saved_tensors
            return g * result + h.view_as(result)

    return Scale, Same, Written, Two


_customs: dict[int, Any] = {}


@action
def custom(s: Side, a: int, b: int, c: int) -> Any:
    scale, same, written, two = _customs.setdefault(id(s.torch), _custom(s.torch))
    x = s.target(a) if c % 5 == 2 else s.pick(a)
    if c % 5 == 0:
        return scale.apply(x, s.other(x, b), 2)
    if c % 5 == 1:
        return same.apply(x)
    if c % 5 == 2:
        return written.apply(x)
    return two.apply(x)[c % 5 - 3]


# -- running and comparing --------------------------------------------------------------------------------------------

UNNAMED = ()
MODES = ("grad", "no_grad", "inference", "enable")


class Disagreement(AssertionError):
    """The two libraries differ."""


@contextlib.contextmanager
def _mode(torch: Any, name: str) -> Iterator[None]:
    if name == "no_grad":
        with torch.no_grad():
            yield
    elif name == "inference":
        with torch.inference_mode():
            yield
    else:
        yield


def _perform(side: Side, step: Step) -> tuple[str, Any]:
    """Do a step; returns the kind of outcome and what it is: a result, or the error as class and first sentence."""
    try:
        with _mode(side.torch, step.mode):
            return "result", actions[step.action](side, step.a, step.b, step.c)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other library must raise it, too
        return "error", (type(error).__name__, first_sentence(str(error)))


def first_sentence(text: str) -> str:
    """The first sentence of a message, without addresses and without what differs by build."""
    text = text.replace("torchlike.", "torch.")
    text = re.sub(r"expand\(\S*{", "expand({", text)  # PyTorch names the type in one way here and in another there
    return re.split(r"(?<=[.:!])\s|\n", text.strip())[0]


def _told(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except RuntimeError as error:
        return first_sentence(str(error))


def _name(x: Any) -> Any:
    node = x.grad_fn
    return None if node is None else (type(node).__name__, node.name())


def describe(x: Any) -> dict[str, Any]:
    """Everything about a tensor but its values."""
    return {
        "shape": tuple(x.shape),
        "stride": tuple(x.stride()),
        "offset": x.storage_offset(),
        "dtype": str(x.dtype),
        "version": _told(lambda: x._version),
        "requires_grad": x.requires_grad,
        "grad_fn": _told(lambda: _name(x)),
        "is_leaf": _told(lambda: x.is_leaf),
        "output_nr": _told(lambda: x.output_nr),
        "is_view": x._is_view(),
        "conj": (x.is_conj(), x.is_neg()),
        "inference": x.is_inference(),
        "retains": x.retains_grad,
    }


def host(x: Any) -> Any:
    """The values of a tensor as a NumPy array."""
    return x.detach().resolve_conj().resolve_neg().clone().numpy()


def same(a: Any, b: Any) -> bool:
    if a.dtype.kind in "fc":
        return bool(np.allclose(a, b, rtol=2e-4, atol=1e-5, equal_nan=True))
    # The bits of floating point numbers that agree to a few units in the last place.
    return bool(np.array_equal(a, b)) or (a.dtype == np.int32 and bool((np.abs(a - b) < 64).all()))


def compare(torch: Side, ours: Side, what: str) -> None:
    """Compare all tensors of both sides."""
    for i, (x, y) in enumerate(zip(torch.tensors, ours.tensors, strict=True)):
        one, two = describe(x), describe(y)
        if i in torch.unnamed:
            one["grad_fn"] = two["grad_fn"] = None
        if i in torch.uncounted:
            one["version"] = two["version"] = None
        if one != two:
            differing = {k: (one[k], two[k]) for k in one if one[k] != two[k]}
            raise Disagreement(f"{what}: tensor {i}: PyTorch and torchlike have {differing}")
        bases = [_index(s, t) for s, t in ((torch, x), (ours, y))]
        if bases[0] != bases[1]:
            raise Disagreement(f"{what}: tensor {i}: is a view of {bases[0]} and of {bases[1]}")
        first, second = host(x), host(y)
        if not same(first, second):
            raise Disagreement(f"{what}: tensor {i}: {first.tolist()} and {second.tolist()}")
        _compare_grads(x, y, f"{what}: tensor {i}")


def _index(side: Side, x: Any) -> Any:
    base = x._base
    return next((i for i, t in enumerate(side.tensors) if t is base), "another") if base is not None else None


def _compare_grads(x: Any, y: Any, what: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        g, h = _told(lambda: x.grad), _told(lambda: y.grad)
    if isinstance(g, str) or isinstance(h, str) or g is None or h is None:
        if g is not h and g != h:
            raise Disagreement(f"{what}: grad is {g} and {h}")
        return
    if tuple(g.shape) != tuple(h.shape) or g.stride() != h.stride() or g.requires_grad != h.requires_grad:
        raise Disagreement(
            f"{what}: grad is {tuple(g.shape), g.stride(), g.requires_grad} and"
            f" {tuple(h.shape), h.stride(), h.requires_grad}"
        )
    if not same(host(g), host(h)):
        raise Disagreement(f"{what}: grad is {host(g).tolist()} and {host(h).tolist()}")


def run(torch: Any, ours: Any, steps: list[Step]) -> list[tuple[str, Any]]:
    """Run a program on both libraries; raises Disagreement where they differ, else returns the outcomes."""
    left, right = Side(torch), Side(ours)
    outcomes = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, step in enumerate([Step("leaf", 1, 0, 1), Step("leaf", 0, 2, 0), *steps]):
            what = f"after step {number} {tuple(step)}"
            one, two = _perform(left, step), _perform(right, step)
            if one[0] != two[0] or (one[0] == "error" and one[1] != two[1] and not _history_error(one[1])):
                raise Disagreement(f"{what}: PyTorch gives {one}, torchlike {two}")
            outcomes.append(one)
            inference = {i for i, t in enumerate(left.tensors) if t.is_inference()}
            if step.mode != "inference" and inference:
                left.uncounted.update(inference, {len(left.tensors)})
            if one[0] == "result":
                _keep(left, right, step, one[1], two[1], what)
            compare(left, right, what)
    return outcomes


def _history_error(error: tuple[str, str]) -> bool:
    """Whether PyTorch found a view's history at fault: it looks there before it looks at the arguments."""
    return error[1].startswith("A view was created") or " is a view " in error[1]


def _keep(left: Side, right: Side, step: Step, x: Any, y: Any, what: str) -> None:
    """Add the results of a step to the tensors, unless they are there already."""
    is_tensor = [isinstance(v, s.torch.Tensor) for v, s in ((x, left), (y, right))]
    if is_tensor[0] != is_tensor[1]:
        raise Disagreement(f"{what}: PyTorch gives {x}, torchlike {y}")
    if not is_tensor[0]:
        return
    there = [any(t is v for t in s.tensors) for v, s in ((x, left), (y, right))]
    if there[0] != there[1]:
        raise Disagreement(f"{what}: {'' if there[0] else 'not '}a tensor that was there; torchlike differs")
    if not there[0]:
        if step.action in UNNAMED:
            left.unnamed.add(len(left.tensors))
        left.tensors.append(x)
        right.tensors.append(y)
