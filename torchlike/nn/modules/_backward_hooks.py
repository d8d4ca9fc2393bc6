"""Backward hooks of modules: identity nodes around a module's inputs and outputs that tell it their gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core import dispatch, tape
from torchlike._core.tape import Node
from torchlike._core.tensor_state import TensorBase, modes

Gradients = tuple[Any, ...]


class BackwardHookFunctionBackward(Node):
    """The node of tensors that pass unchanged, so that hooks can watch several gradients at once."""

    __slots__ = ("outputs",)

    def __init__(self, edges: tuple[Any, ...]) -> None:
        super().__init__(edges)
        self.outputs = len(edges)

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        """Hand the gradients through."""
        return [grad if edge is not None else None for grad, edge in zip(grads, self.edges, strict=True)]


def _identity(tensors: Sequence[Any]) -> tuple[list[Any], Node]:
    """Return aliases of tensors that share one new node."""
    node = BackwardHookFunctionBackward(tuple(tape.gradient_edge(t) for t in tensors))
    passed = []
    for number, tensor in enumerate(tensors):
        other = dispatch.as_view(tensor, dispatch.geometry_of(tensor))
        tape.extra_of(other).creation = "custom_function"
        if tape.differentiable(dispatch.geometry_of(tensor).dtype.np):
            other._grad_fn, other._output_nr, other._requires_grad = node, number, True
        passed.append(other)
    return passed, node


class BackwardHook:
    """One call of a module with backward hooks: links the gradients of its outputs with those of its inputs."""

    def __init__(self, module: Any, user_hooks: list[Callable[..., Any]], pre_hooks: list[Callable[..., Any]]) -> None:
        self.module = module
        self.user_hooks = user_hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: Gradients | None = None
        self.inputs: tuple[int, ...] | None = (
            None  # where the tensors are among the arguments; None: none needs a gradient
        )
        self.outputs: tuple[int, ...] | None = None
        self.n_inputs = self.n_outputs = 0

    def on_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put a node in front of the module's arguments; returns the arguments to use."""
        self.n_inputs = len(args)
        passed, self.inputs = self._watch(args, self._after_inputs)
        return passed

    def on_outputs(self, result: Any) -> Any:
        """Put a node behind the module's results; returns the results to use."""
        outs = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(outs)
        passed, self.outputs = self._watch(outs, self._after_outputs)
        return passed if isinstance(result, tuple) else passed[0]

    def _watch(self, values: Any, hook: Callable[..., Any]) -> tuple[Any, tuple[int, ...] | None]:
        places = tuple(i for i, value in enumerate(values) if isinstance(value, TensorBase))
        tensors = [values[i] for i in places]
        if not (modes.grad and any(tape.requires_grad(t) for t in tensors)):
            return values, None
        passed, node = _identity(tensors)
        node.register_hook(hook)
        changed = list(values)
        for i, value in zip(places, passed, strict=True):
            changed[i] = value
        return (tuple(changed) if type(values) is tuple else type(values)(*changed)), places

    def _after_inputs(self, grad_inputs: Gradients, _: Gradients) -> Gradients | None:
        if self.grad_outputs is None:
            # The gradient came here without passing the outputs, as in a double backward.
            return None
        assert self.inputs is not None
        result = _spread(self.inputs, grad_inputs, self.n_inputs)
        for hook in self.user_hooks:
            given = hook(self.module, result, self.grad_outputs)
            if given is None:
                continue
            if len(given) != len(result):
                raise RuntimeError(
                    f"Backward hook returned an invalid number of grad_input, got {len(given)}, but expected"
                    f" {len(result)}"
                )
            result = given
        self.grad_outputs = None
        return tuple(result[i] for i in self.inputs)

    def _after_outputs(self, _: Gradients, grad_outputs: Gradients) -> Gradients:
        assert self.outputs is not None
        grads = _spread(self.outputs, grad_outputs, self.n_outputs)
        for hook in self.pre_hooks:
            given = hook(self.module, grads)
            if given is None:
                continue
            if isinstance(given, TensorBase):
                given = (given,)
            if len(given) != len(grads):
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(given)}, but expected {len(grads)}"
                )
            grads = given
        self.grad_outputs = grads
        if self.inputs is None:
            self._without_inputs(grads)
        return tuple(grads[i] for i in self.outputs)

    def _without_inputs(self, grads: Gradients) -> None:
        """No input needs a gradient: the hooks are called now, since nothing will arrive at the inputs."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs"
            " require gradients. See"
            " https://docs.pytorch.org/docs/main/generated/"
            "torch.nn.Module.html#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=5,
        )
        nothing = (None,) * self.n_inputs
        for hook in self.user_hooks:
            result = hook(self.module, nothing, grads)
            if result is not None and not (isinstance(result, tuple) and all(g is None for g in result)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for"
                    " all gradients."
                )
        self.grad_outputs = None


def _spread(places: tuple[int, ...], values: Sequence[Any], size: int) -> Gradients:
    spread: list[Any] = [None] * size
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return tuple(spread)


def add_old_style_hooks(module: Any, hooks: Sequence[Callable[..., Any]], args: Any, result: Any) -> None:
    """Register the deprecated backward hooks on the node of the first tensor in a module's result."""
    first = result
    while not isinstance(first, TensorBase):
        first = next(v for v in first.values() if isinstance(v, TensorBase)) if isinstance(first, dict) else first[0]
    node = first.grad_fn  # type: ignore[attr-defined]
    if node is None:
        return
    for hook in hooks:
        node.register_hook(lambda grads_in, grads_out, hook=hook: hook(module, grads_in, grads_out))
    reason = _why_incomplete(args, result, node)
    if reason is not None:
        warnings.warn(reason, FutureWarning, stacklevel=2)


def _why_incomplete(args: Any, result: Any, node: Node) -> str | None:
    """The warning about gradients that an old-style hook will not see; None when it sees all."""
    results = (result,) if isinstance(result, TensorBase) else result
    if not (isinstance(results, tuple) and all(isinstance(r, TensorBase) for r in results)):
        return (
            "Using non-full backward hooks on a Module that does not return a single Tensor or a tuple of Tensors is"
            " deprecated and will be removed in future versions. This hook will be missing some of the grad_output."
            " Please use register_full_backward_hook to get the documented behavior."
        )
    inputs = (args,) if isinstance(args, TensorBase) else args
    if not (isinstance(inputs, tuple) and all(isinstance(i, TensorBase) for i in inputs)):
        return (
            "Using non-full backward hooks on a Module that does not take as input a single Tensor or a tuple of"
            " Tensors is deprecated and will be removed in future versions. This hook will be missing some of the"
            " grad_input. Please use register_full_backward_hook to get the documented behavior."
        )
    producers = {r.grad_fn for r in results if r.grad_fn is not None}
    if not producers or (len(producers) == 1 and node not in producers):
        return (
            "Using a non-full backward hook when outputs are nested in python data structure is deprecated and will be"
            " removed in future versions. This hook will be missing some grad_output."
        )
    if len(producers) > 1:
        return (
            "Using a non-full backward hook when outputs are generated by different autograd Nodes is deprecated and"
            " will be removed in future versions. This hook will be missing some grad_output. Please use"
            " register_full_backward_hook to get the documented behavior."
        )
    before = {i.grad_fn for i in inputs if i.grad_fn is not None}
    if before != {edge[0] for edge in node.next_functions}:
        return (
            "Using a non-full backward hook when the forward contains multiple autograd Nodes is deprecated and will be"
            " removed in future versions. This hook will be missing some grad_input. Please use"
            " register_full_backward_hook to get the documented behavior."
        )
    return None
