"""Hooks: functions of the user's that see gradients on their way, and may replace them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core import dispatch, errors
from torchlike._core.history import add, compute
from torchlike._core.tape import AccumulateGrad, Node
from torchlike._core.tensor_state import TensorBase


def as_tensor(grad: Any) -> Any:
    """A gradient as users see it."""
    return grad if grad is None or isinstance(grad, TensorBase) else dispatch.wrap(grad)


def _as_gradient(tensor: Any, create_graph: bool) -> Any:
    """What a user handed back, in the form in which gradients travel."""
    return tensor if create_graph or tensor is None else dispatch.array_of(tensor)


def _name(hook: Callable[..., Any]) -> str:
    return getattr(hook, "__name__", None) or type(hook).__name__


def check_result(before: Any, result: Any, hook: Callable[..., Any]) -> None:
    """Refuse what cannot take the place of a gradient."""
    if result is None:
        return
    errors.check(before is not None, "can't replace a None gradient with a non-None value")
    if not isinstance(result, TensorBase):
        raise TypeError(f"expected Variable, but hook returned '{type(result).__name__}'")
    old, new = dispatch.geometry_of(before), dispatch.geometry_of(result)
    errors.check(
        old.dtype is new.dtype and dispatch.device_of(before) is dispatch.device_of(result),
        f"hook '{_name(hook)}' has changed the type of value (was {_type(before)} got {_type(result)})",
    )
    errors.check(old.size == new.size, f"hook '{_name(hook)}' has changed the size of value")


def _type(tensor: TensorBase) -> str:
    device = dispatch.device_of(tensor).type
    where = "" if device == "cpu" else f"{device}."
    return f"torch.{where}{errors.scalar_type(dispatch.geometry_of(tensor).dtype)}Tensor"


def _check_results(before: tuple[Any, ...], results: Any, hook: Callable[..., Any]) -> None:
    if not isinstance(results, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(results).__name__}'")
    errors.check(
        len(results) == len(before),
        f"hook '{_name(hook)}' has returned an incorrect number of values (got {len(results)}, but expected"
        f" {len(before)})",
    )
    for old, new in zip(before, results, strict=True):
        check_result(old, new, hook)


def run_tensor_hooks(node: Node, grads: list[Any], create_graph: bool) -> list[Any]:
    """Call the hooks of the tensors that are a node's outputs, and leave the gradients of those that retain theirs."""
    if isinstance(node, AccumulateGrad):
        extra = node.variable._extra
        if extra is not None and extra.hooks:
            grads[0] = _changed(grads[0], extra.hooks, create_graph)
    extras = node.extras
    if extras is None:
        return grads
    for number, hooks in extras.tensor_hooks.items():
        grads[number] = _changed(grads[number], hooks, create_graph)
    for number, reference in tuple(extras.retained.items()):
        tensor = reference()
        if tensor is not None and grads[number] is not None:
            retain(tensor, grads[number], create_graph)
    return grads


def _changed(grad: Any, hooks: dict[int, Callable[..., Any]], create_graph: bool) -> Any:
    """Pass one gradient through hooks; those that write into it in place change it, too."""
    tensor = as_tensor(grad)
    for hook in tuple(hooks.values()):
        result = hook(tensor)
        if result is not None:
            check_result(tensor, result, hook)
            tensor = result
    return _as_gradient(tensor, create_graph)


def run_pre_hooks(node: Node, grads: list[Any], create_graph: bool) -> list[Any]:
    """Call the hooks registered to run before a node."""
    extras = node.extras
    if extras is None or not extras.pre_hooks:
        return grads
    tensors = tuple([as_tensor(g) for g in grads])
    for hook in tuple(extras.pre_hooks.values()):
        results = hook(tensors)
        if results is not None:
            _check_results(tensors, results, hook)
            tensors = results
    return [_as_gradient(t, create_graph) for t in tensors]


def run_post_hooks(node: Node, outs: Sequence[Any], grads: list[Any], create_graph: bool) -> Sequence[Any]:
    """Call the hooks registered to run after a node; they see one gradient for each entry of ``next_functions``."""
    assert node.extras is not None
    places = list(node.edge_places())
    inputs: list[Any] = [None] * len(node.next_functions)
    for place, out in zip(places, outs, strict=True):
        inputs[place] = as_tensor(out)
    tensors = tuple(inputs)
    given = tuple([as_tensor(g) for g in grads])
    for hook in tuple(node.extras.hooks.values()):
        results = hook(tensors, given)
        if results is not None:
            _check_results(tensors, results, hook)
            tensors = results
    return [_as_gradient(tensors[place], create_graph) for place in places]


def retain(tensor: TensorBase, grad: Any, create_graph: bool) -> None:
    """Add a gradient to the ``grad`` of a tensor that is not a leaf (``retain_grad``)."""
    if tensor._grad is not None:
        before = tensor._grad if create_graph else dispatch.array_of(tensor._grad)
        grad = compute(add, [before, grad], create_graph)
    tensor._grad = as_tensor(grad)
