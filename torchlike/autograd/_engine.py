"""``torch.autograd.backward`` and ``torch.autograd.grad``: check the arguments, then walk the tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchlike._core import backward as engine
from torchlike._core import dispatch, errors, tape
from torchlike._core.tensor_state import TensorBase

__all__ = ["backward", "grad"]


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` with respect to the leaves of their graphs to the leaves' ``grad``.

    ``grad_tensors`` are the gradients of the tensors themselves, None for those of one element. See
    ``Tensor.backward``.

    >>> x = torch.tensor(2., requires_grad=True)
    >>> torch.autograd.backward([x * 3, x ** 2])
    >>> x.grad
    tensor(7.)
    """
    if grad_variables is not None:
        errors.check(
            grad_tensors is None,
            "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only use"
            " `grad_tensors`.",
        )
        grad_tensors = grad_variables
    roots = _sequence(tensors)
    given = _gradients(grad_tensors, len(roots))
    targets: list[tape.Edge] | None = None
    if inputs is not None:
        wanted = _sequence(inputs)
        errors.check(len(wanted) > 0, "`inputs` argument to `backward()` cannot be empty.")
        targets = [_edge_of_input(x) for x in wanted]
    edges, gradients = _roots(roots, given, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    found = engine.run_backward(
        edges, gradients, retain_graph=keep, create_graph=create_graph, inputs=targets, accumulate_inputs=True
    )
    if inputs is not None:
        for x, grad_array in zip(_sequence(inputs), found, strict=True):
            if x._grad_fn is not None and grad_array is not None:
                engine.retain(x, grad_array, create_graph)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of ``outputs`` with respect to ``inputs`` as a tuple, without touching any ``grad``.

    ``allow_unused`` gives None for inputs that the outputs do not depend on (an error otherwise), ``materialize_grads``
    zeros.

    >>> x = torch.tensor(3., requires_grad=True)
    >>> torch.autograd.grad(x ** 2, x)
    (tensor(6.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    roots = _sequence(outputs)
    wanted = _sequence(inputs)
    if is_grads_batched:
        raise NotImplementedError("torch.autograd.grad with is_grads_batched=True")
    given = _gradients(grad_outputs, len(roots))
    targets = [_edge_of_input(x) for x in wanted]
    edges, gradients = _roots(roots, given, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    found = engine.run_backward(edges, gradients, retain_graph=keep, create_graph=create_graph, inputs=targets)
    results = []
    for x, value in zip(wanted, found, strict=True):
        if value is None:
            if materialize_grads:
                results.append(_zeros(x, create_graph))
                continue
            if not allow_unused:
                raise RuntimeError(
                    "One of the differentiated Tensors appears to not have been used in the graph. Set"
                    " allow_unused=True if this"
                    " is the desired behavior."
                )
        results.append(engine.as_tensor(value))
    return tuple(results)


def _zeros(x: TensorBase, create_graph: bool) -> Any:
    zeros = dispatch.apply(engine.zeros_like, [x.detach()])  # type: ignore[attr-defined]
    zeros._requires_grad = create_graph
    return zeros


def _sequence(tensors: Any) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, TensorBase) else tuple(tensors)


def _gradients(given: Any, count: int) -> Sequence[Any]:
    if given is None:
        return (None,) * count
    found = (given,) if isinstance(given, TensorBase) else tuple(given)
    errors.check(len(found) == count, f"got {count} tensors and {len(found)} gradients")
    return found


def _edge_of_input(x: Any) -> tape.Edge:
    if not isinstance(x, TensorBase):
        raise TypeError(f"expected Tensor as element 0 in argument 0, but got {type(x).__name__}")
    edge = tape.gradient_edge(x)
    if edge is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return edge


def _roots(roots: Sequence[Any], given: Sequence[Any], create_graph: bool) -> tuple[list[tape.Edge], list[Any]]:
    gradients: list[Any] = []
    for index, (root, gradient) in enumerate(zip(roots, given, strict=True)):
        if gradient is None:
            if tape.requires_grad(root):
                gradient = engine.implicit_gradient(root)
        elif isinstance(gradient, TensorBase):
            gradient = engine.check_shape(root, gradient, index)
            if not create_graph:
                gradient = dispatch.array_of(gradient)
        else:
            raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
        gradients.append(dispatch.wrap(gradient) if create_graph and not isinstance(gradient, TensorBase) else gradient)
    edges = []
    for index, root in enumerate(roots):
        edge = tape.gradient_edge(root)
        if edge is None:
            raise RuntimeError(f"element {index} of tensors does not require grad and does not have a grad_fn")
        edges.append(edge)
    return edges, gradients
