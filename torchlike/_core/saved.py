"""What nodes keep for the backward: checks that it is still what it was, hooks that keep it elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from torchlike._core import dispatch, errors, tape
from torchlike._core.tape import Node, OpNode, watching
from torchlike._core.tensor_state import TensorBase, modes


def arrays_of(node: OpNode) -> tuple[Any, ...]:
    """Return the saved arrays of a node, or raise PyTorch's error for those freed or overwritten since."""
    saved = node.saved
    if saved is None:
        raise tape.freed_graph()
    for storage, version, _, _ in node.guards:
        if storage.version != version:
            return _sorted_out(node, saved)
    return saved


def _sorted_out(node: OpNode, saved: tuple[Any, ...]) -> tuple[Any, ...]:
    """Find out what changed: a write that autograd counts is an error, one through ``.data`` is read again."""
    current = list(saved)
    inputs, outputs = node.plan.inputs, node.plan.outputs
    for storage, version, tensor, place in node.guards:
        if type(storage) is Packed:
            current[place] = dispatch.array_of(storage.unpack())
            continue
        if storage.version == version:
            continue
        expected = version if version >= 0 else -1 - version
        if tensor is not None:
            found = tape.version_of(tensor) if storage is tensor._storage else expected
        else:
            found = storage.version if storage.counter is None else storage.counter.n
        if found != expected:
            if tensor is None:
                raise modified(storage.geometry, found, expected, (node, place))
            raise modified(dispatch.geometry_of(tensor), found, expected, producer(tensor))
        at = len(inputs) + outputs.index(place) if tensor is None else inputs.index(place)
        fresh = storage.array if tensor is None else dispatch.array_of(tensor)
        if fresh.shape == current[at].shape and fresh.dtype == current[at].dtype:
            current[at] = fresh
    return tuple(current)


def producer(tensor: TensorBase) -> tape.Edge | None:
    """The node that made a tensor and the number of its output; None for leaves."""
    edge = tape.gradient_edge(tensor)
    return None if edge is None or isinstance(edge[0], tape.AccumulateGrad) else edge


def short_name(node: Node) -> str:
    """The name of a node as error messages have it: Mul for MulBackward0."""
    return re.sub(r"Backward\d*$", "", node.name())


def modified(geometry: Any, found: int, expected: int, edge: tape.Edge | None) -> RuntimeError:
    """PyTorch's error for a saved tensor that was overwritten."""
    origin = "" if edge is None else f", which is output {edge[1]} of {short_name(edge[0])},"
    hint = (
        " Hint: the backtrace further above shows the operation that failed to compute its gradient. The variable in"
        " question was changed in there or anywhere later. Good luck!"
        if watching.anomaly
        else " Hint: enable anomaly detection to find the operation that failed to compute its gradient, with"
        " torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{errors.scalar_type(geometry.dtype)}Tensor {list(geometry.size)}]{origin} is at version {found};"
        f" expected version {expected} instead.{hint}"
    )


# ---------------------------------------------------------------------------------------------------------------------
# Hooks on saved tensors, and tensors that must not be saved


class Packed:
    """A saved tensor in the hands of ``saved_tensors_hooks``; among a node's guards it stands for a changed storage."""

    __slots__ = ("hook", "packed")

    version = -1

    def __init__(self, hooks: tuple[Callable[..., Any], Callable[..., Any]], tensor: Any) -> None:
        pack, self.hook = hooks
        before = tensor._storage.version
        previous = modes.grad
        modes.grad = False
        try:
            self.packed = pack(tensor)
        finally:
            modes.grad = previous
        errors.check(
            tensor._storage.version == before,
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be"
            " modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you"
            " need to perform in-place operations on the input to a pack hook.",
        )

    def unpack(self) -> Any:
        """The tensor that the unpack hook returns."""
        tensor = self.hook(self.packed)
        if not isinstance(tensor, TensorBase):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type"
                f" {type(tensor).__name__}"
            )
        return tensor


def refuse_inference(tensor: TensorBase) -> None:
    """Refuse to save a tensor made in inference mode, whose writes nobody counts."""
    errors.check(
        tensor._extra is None or not tensor._extra.inference,
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in"
        " computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it"
        " in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.",
    )


def _look(node: OpNode, operands: Any, outs: tuple[Any, ...], bump: int) -> None:
    """Let those who watch see a node that was just recorded."""
    if watching.anomaly:
        watching.note(node)
    for _, _, tensor, _ in node.guards:
        if tensor is not None:
            refuse_inference(tensor)
    hooks = modes.saved_hooks
    if not hooks or not node.saved:
        return
    inputs = node.plan.inputs
    saved: list[Any] = list(node.saved)
    guards: list[Any] = []
    for at, array in enumerate(saved):
        if not hasattr(array, "shape"):
            continue
        overwritten = bump and at < len(inputs) and inputs[at] == 0
        tensor = operands[inputs[at]] if at < len(inputs) and not overwritten else dispatch.wrap(array)
        if at >= len(inputs):
            tensor._grad_fn, tensor._output_nr, tensor._requires_grad = node, node.plan.outputs[at - len(inputs)], True
        guards.append((Packed(hooks[-1], tensor), 0, None, at))
        saved[at] = None
    node.saved = tuple(saved)
    node.guards = guards


watching.look = _look


# ---------------------------------------------------------------------------------------------------------------------
# Tensors that custom functions save


class SavedTensor:
    """A tensor that a custom function saved.

    Inputs, and whatever else has a life of its own, are kept as they are and come back as the same object. Outputs are
    kept as their memory only and come back as a new tensor with the function's node as history.
    """

    __slots__ = ("edge", "geometry", "number", "packed", "requires_grad", "storage", "tensor", "version")

    def __init__(self, tensor: Any, node: Node) -> None:
        refuse_inference(tensor)
        self.version = tape.version_of(tensor)
        self.packed: Packed | None = None
        self.tensor: Any = None
        self.storage: Any = None
        self.edge: tape.Edge | None = None
        output = tensor._grad_fn is node
        if modes.saved_hooks:
            self.packed = Packed(modes.saved_hooks[-1], tensor)
            if not output:
                self.edge = tape.gradient_edge(tensor)
            self.requires_grad = tape.requires_grad(tensor)
            self.number = tensor._output_nr if output else -1
        elif output:
            self.storage, self.geometry = tensor._storage, tensor._geometry
            self.number = tensor._output_nr
        else:
            self.tensor = tensor

    def unpack(self, node: Node) -> Any:
        """The tensor, after a check that it is still what it was."""
        if self.packed is not None:
            result = dispatch.alias(self.packed.unpack())
            edge = (node, self.number) if self.number >= 0 else self.edge
            if edge is not None and self.requires_grad:
                result._grad_fn, result._output_nr = edge
                result._requires_grad = True
            return result
        if self.tensor is not None:
            found = tape.version_of(self.tensor)
            if found != self.version:
                raise modified(dispatch.geometry_of(self.tensor), found, self.version, producer(self.tensor))
            return self.tensor
        storage = self.storage
        found = storage.version if storage.counter is None else storage.counter.n
        if found != self.version:
            raise modified(self.geometry or storage.geometry, found, self.version, (node, self.number))
        result = dispatch.wrap(None)
        result._storage, result._geometry = storage, self.geometry
        result._grad_fn, result._output_nr, result._requires_grad = node, self.number, True
        return result
