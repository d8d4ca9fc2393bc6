"""Operators of one's own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import torchlike as torch
from torchlike import Tensor, library

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    return f"tests::op{next(_numbers)}"


def sine(x: Tensor) -> Tensor:
    return torch.as_tensor(np.sin(x.numpy()))


def scaled(x: Tensor, *, by: float = 2.0) -> Tensor:
    return x * by


def both(x: Tensor, ys: list[Tensor]) -> tuple[Tensor, Tensor]:
    return x * 2, ys[0] * 3


def doubled_in_place(x: Tensor) -> None:
    x.mul_(2)


def test_calls_by_either_name(name: str):
    op = library.custom_op(name, sine, mutates_args=())
    x = torch.tensor([0.5])
    short = name.partition("::")[2]
    assert op(x).item() == getattr(torch.ops.tests, short)(x).item() == pytest.approx(0.47942554)
    overload = getattr(torch.ops.tests, short).default
    assert overload is getattr(torch.ops.tests, short).default
    assert (str(overload), overload.name()) == (f"tests.{short}.default", name)
    assert str(overload._schema) == f"{name}(Tensor x) -> Tensor"
    assert repr(op) == f"<CustomOpDef({name})>"


def test_gradients(name: str):
    op = library.custom_op(name, sine, mutates_args=())
    x = torch.tensor([0.5], requires_grad=True)
    y = op(x)
    with pytest.raises(RuntimeError, match="but no autograd formula was registered"):
        y.sum().backward()
    op.register_autograd(
        lambda ctx, grad: grad * ctx.saved_tensors[0].cos(),
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(inputs[0]),
    )
    op(x).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(0.87758256)
    grad = torch.func.vmap(torch.func.grad(lambda t: op(t)))(torch.tensor([0.0, 0.5]))
    assert grad.tolist() == pytest.approx([1.0, 0.87758256])


def test_lists_and_keywords_in_the_backward(name: str):
    op = library.custom_op(name, both, mutates_args=())
    seen: list[Any] = []

    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.count = len(inputs[1])
        seen.append([type(x) for x in inputs])

    op.register_autograd(lambda ctx, a, b: (a * 2, [b * 3] + [None] * (ctx.count - 1)), setup_context=keep)
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    first, second = op(x, [y, y])
    (first.sum() + second.sum()).backward()
    assert seen == [[Tensor, list]]
    assert (x.grad.tolist(), y.grad.tolist()) == ([2.0, 2.0], [3.0, 3.0])  # type: ignore[union-attr]

    other = library.custom_op(f"{name}k", scaled, mutates_args=())

    def keep_factor(ctx: Any, inputs: Any, keyword_only_inputs: dict[str, Any], output: Any) -> None:
        ctx.by = keyword_only_inputs["by"]

    other.register_autograd(lambda ctx, grad: grad * ctx.by, setup_context=keep_factor)
    (found,) = torch.autograd.grad(other(x, by=5.0).sum(), x)
    assert found.tolist() == [5.0, 5.0]


def test_operators_that_write(name: str):
    op = library.custom_op(name, doubled_in_place, mutates_args={"x"})
    x = torch.ones(2)
    version = x._version
    assert op(x) is None
    assert x.tolist() == [2.0, 2.0]
    assert x._version > version
    with pytest.raises(RuntimeError, match=r"^Cannot register autograd formula for non-functional operator"):
        op.register_autograd(lambda ctx, grad: grad)

    def gives_back(x: Tensor) -> Tensor:
        return x.add_(1)

    with pytest.raises(RuntimeError, match="must not also be an input to this custom operator"):
        library.custom_op(f"{name}a", gives_back, mutates_args={"x"})(x)
    tagged = library.custom_op(f"{name}b", gives_back, mutates_args={"x"}, tags=torch.Tag.inplace)
    assert tagged(x) is x


def test_kernels_for_kinds_of_devices(name: str):
    op = library.custom_op(name, sine, mutates_args=(), device_types="cuda")
    with pytest.raises(NotImplementedError, match=f"^Could not run '{name}' with arguments from the 'CPU' backend"):
        op(torch.ones(1))
    op.register_kernel("cpu", lambda x: x + 1)
    assert op(torch.ones(1)).item() == 2
    with pytest.raises(RuntimeError, match=r"^There was no fake impl registered for"):
        op(torch.ones(1, device="meta"))
    library.register_fake(name, lambda x: torch.empty_like(x))
    assert op(torch.ones(3, device="meta")).shape == (3,)
    with op.set_kernel_enabled("cpu", False), pytest.raises(NotImplementedError, match="Could not run"):
        op(torch.ones(1))


def test_vmap_with_and_without_a_rule(name: str):
    op = library.custom_op(name, sine, mutates_args=())
    x = torch.linspace(0, 1, 6).reshape(2, 3)
    torch.testing.assert_close(torch.vmap(op)(x), x.sin())
    op.register_vmap(lambda info, in_dims, x: (op(x) * 0 + info.batch_size, in_dims[0]))
    assert torch.vmap(op)(x)[0].tolist() == [2.0, 2.0, 2.0]


def test_libraries(name: str):
    space = name.replace("::", "_")
    lib = library.Library(space, "DEF")
    assert lib.define("foo(Tensor x, int[] n=[1, 2], str s='a', float? f=None, *, bool b=True) -> Tensor") == "foo"
    lib.impl("foo", lambda x, n, s, f, *, b: x + sum(n) + b, "CompositeImplicitAutograd")
    x = torch.ones(1, requires_grad=True)
    y = getattr(torch.ops, space).foo(x)
    assert y.item() == 5
    assert type(y.grad_fn).__name__ == "AddBackward0"  # autograd sees through kernels of plain operators
    with pytest.raises(RuntimeError, match=r"^Only a single TORCH_LIBRARY can be used"):
        library.Library(space, "DEF")
    with pytest.raises(
        RuntimeError, match=r'^def\("x"\): Cannot define an operator inside of a TORCH_LIBRARY_IMPL block'
    ):
        library.Library(space, "IMPL").define("x(Tensor a) -> Tensor")
    with pytest.raises(AttributeError, match=f"^'_OpNamespace' '{space}' object has no attribute 'nope'$"):
        _ = getattr(torch.ops, space).nope
    lib._destroy()
    assert not hasattr(getattr(torch.ops, space), "foo")


def test_bad_calls(name: str):
    op = library.custom_op(name, sine, mutates_args=())
    with pytest.raises(RuntimeError, match=r"expected at most 1 argument\(s\) but received 2 argument\(s\)"):
        op(torch.ones(1), 2)
    with pytest.raises(RuntimeError, match="is missing value for argument 'x'"):
        op()
    with pytest.raises(
        RuntimeError, match="Expected a value of type 'Tensor' for argument 'x' but instead found type 'int'"
    ):
        op(3)
    with pytest.raises(ValueError, match=r"^Expected `qualname` to be of the form"):
        library.custom_op("nospace", sine, mutates_args=())
    with pytest.raises(RuntimeError, match=r"^operator tests::nope does not exist$"):
        library.register_fake("tests::nope", sine)


def _listed(x: Sequence[Tensor], n: Sequence[float], o: Sequence[int] | None, t: torch.dtype = torch.float32) -> Tensor:
    raise NotImplementedError


def _unannotated(x) -> Tensor:  # type: ignore[no-untyped-def]
    raise NotImplementedError


def _dictionary(x: dict[str, int]) -> Tensor:
    raise NotImplementedError


def test_schemas_from_annotations():
    assert library.infer_schema(both, mutates_args=()) == "(Tensor x, Tensor[] ys) -> (Tensor, Tensor)"
    assert library.infer_schema(scaled, mutates_args=()) == "(Tensor x, *, float by=2.0) -> Tensor"
    assert library.infer_schema(doubled_in_place, mutates_args={"x"}) == "(Tensor(a0!) x) -> ()"
    assert library.infer_schema(doubled_in_place, mutates_args="unknown", op_name="d") == "d(Tensor(a0!) x) -> ()"
    wanted = "(Tensor[] x, float[] n, SymInt[]? o, ScalarType t=float32) -> Tensor"
    assert library.infer_schema(_listed, mutates_args=()) == wanted
    with pytest.raises(ValueError, match="Parameter x must have a type annotation"):
        library.infer_schema(_unannotated, mutates_args=())
    with pytest.raises(ValueError, match="Parameter x has unsupported type"):
        library.infer_schema(_dictionary, mutates_args=())
    with pytest.raises(ValueError, match="in mutates_args were not found"):
        library.infer_schema(sine, mutates_args={"q"})


def test_operators_of_pytorch():
    a = torch.eye(2)
    assert torch.ops.aten.mm.default(a, a).tolist() == a.tolist()
    assert torch.ops.aten.add_.Tensor(torch.ones(1), torch.ones(1)).item() == 2
    assert torch.ops.aten.linalg_det(a).item() == 1
    assert "Scalar" in torch.ops.aten.add.overloads()
    with pytest.raises(AttributeError, match=r"^The underlying op of 'aten\.mm' has no overload name 'nope'$"):
        _ = torch.ops.aten.mm.nope
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = torch.ops.aten.nope
    with pytest.raises(OSError, match="is linked with PyTorch"):
        torch.ops.load_library("x.so")


def test_rules_for_a_library_that_is_not_loaded():
    with pytest.raises(RuntimeError, match=r"^operator tests_absent::nms does not exist$"):
        library.register_fake("tests_absent::nms", sine)
    with pytest.raises(OSError, match="is linked with PyTorch"):
        torch.ops.load_library("/packages/tests_absent/_C.so")
    library.register_fake("tests_absent::nms", sine)
    with pytest.raises(AttributeError, match="has no attribute 'nms'"):
        _ = torch.ops.tests_absent.nms


def test_opcheck(name: str):
    op = library.custom_op(name, sine, mutates_args=())
    op.register_fake(lambda x: torch.empty_like(x))
    assert set(library.opcheck(op, (torch.ones(2),)).values()) == {"SUCCESS"}
    op.register_fake(lambda x: x.new_empty(1))
    assert "fake kernel" in library.opcheck(op, (torch.ones(2),), raise_exception=False)["test_faketensor"]
    writes = library.custom_op(f"{name}w", doubled_in_place, mutates_args=())
    with pytest.raises(RuntimeError, match="Argument x is not defined as mutable but was mutated"):
        library.opcheck(writes, (torch.ones(2),), test_utils="test_schema")
