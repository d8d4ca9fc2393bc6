"""``torch.autograd.backward`` and ``torch.autograd.grad``: check the arguments, then walk the tape."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torchlike._core import backward as engine
from torchlike._core import dispatch, errors, layout, tape
from torchlike._core.levels import refuse_backward
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.autograd._batched import over_batch
from torchlike.autograd.graph import GradientEdge

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
    if modes.levels:
        refuse_backward()
    if grad_tensors is grad_variables is inputs is None and not create_graph and isinstance(tensors, TensorBase):
        edge = tape.gradient_edge(tensors)
        if edge is not None:  # by far the most common call: a loss, and all that leads to it
            gradient = engine.implicit_gradient(*_about(tensors))
            engine.run_backward((edge,), (gradient,), retain_graph=bool(retain_graph), create_graph=False)
            return
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        errors.check(
            grad_tensors is None,
            "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only use"
            " `grad_tensors`.",
        )
        grad_tensors = grad_variables
    if inputs is not None:
        inputs = tuple(inputs.values()) if type(inputs) is dict else _sequence(inputs)
        errors.check(len(inputs) > 0, "`inputs` argument to `backward()` cannot be empty.")
    roots = _sequence(tensors)
    edges, gradients = _roots(roots, _gradients(grad_tensors, len(roots)), create_graph)
    if create_graph:
        _warn_of_cycle()
    targets = None if inputs is None else [_edge_of_input(x, accumulated=True) for x in inputs]
    keep = create_graph if retain_graph is None else retain_graph
    engine.run_backward(
        edges, gradients, retain_graph=keep, create_graph=create_graph, inputs=targets, accumulate_inputs=True
    )


_warned: list[bool] = []


def _warn_of_cycle() -> None:
    if not _warned:
        _warned.append(True)
        warnings.warn(
            "Using backward() with create_graph=True will create a reference cycle between the parameter and its"
            " gradient which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid"
            " this. If you have to use this function, make sure to reset the .grad fields of your parameters to None"
            " after use to break the cycle and avoid the leak.",
            UserWarning,
            stacklevel=4,
        )


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Return the gradients of ``outputs`` with respect to ``inputs`` as a tuple, without touching any ``grad``.

    ``allow_unused`` gives None for inputs that the outputs do not depend on (an error otherwise), ``materialize_grads``
    zeros. For a dict of inputs a dict is returned.

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
    names = None
    if type(inputs) is dict:
        names, inputs = tuple(inputs), tuple(inputs.values())
    elif isinstance(inputs, Mapping):
        raise TypeError(
            f"`inputs` argument to `grad()` must be a dict, not {type(inputs).__name__}. Other Mapping types are not"
            " supported."
        )
    wanted = _sequence(inputs)
    errors.check(len(wanted) > 0, "`inputs` argument to `grad()` cannot be empty.")
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other"
            " parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    if is_grads_batched:
        batches = _gradients(grad_outputs, len(roots))
        for index, (root, given) in enumerate(zip(roots, batches, strict=True)):
            _check_batch(index, root, given)
        batch = over_batch(
            lambda given: grad(
                roots,
                wanted,
                tuple(given),
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=allow_unused,
                materialize_grads=materialize_grads,
            ),
            batches,
        )
        return batch if names is None else dict(zip(names, batch, strict=True))
    edges, gradients = _roots(roots, _gradients(grad_outputs, len(roots)), create_graph)
    targets = [_edge_of_input(x) for x in wanted]
    keep = create_graph if retain_graph is None else retain_graph
    found = engine.run_backward(edges, gradients, retain_graph=keep, create_graph=create_graph, inputs=targets)
    results = []
    for index, (x, value) in enumerate(zip(wanted, found, strict=True)):
        if value is None and materialize_grads:
            errors.check(
                isinstance(x, TensorBase),
                "materialize_grads cannot be used when the given input is a GradientEdge",
            )
            results.append(_zeros(x, create_graph))
            continue
        errors.check(
            value is not None or bool(allow_unused),
            f"The differentiated Tensor at index {index} appears to not have been used in the graph. Set"
            " allow_unused=True if this is the desired behavior.",
        )
        results.append(engine.as_tensor(value))
    return tuple(results) if names is None else dict(zip(names, results, strict=True))


def _zeros(x: TensorBase, create_graph: bool) -> Any:
    zeros = dispatch.apply(engine.zeros_like, [dispatch.alias(x)])
    zeros._requires_grad = create_graph
    return zeros


def _sequence(tensors: Any) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, TensorBase | GradientEdge) else tuple(tensors)


def _gradients(given: Any, count: int) -> Sequence[Any]:
    if given is None:
        return (None,) * count
    found = (given,) if isinstance(given, TensorBase) else tuple(given)
    errors.check(len(found) == count, f"got {count} tensors and {len(found)} gradients")
    return found


def _check_batch(index: int, root: Any, batch: Any) -> None:
    """Refuse a batch of gradients whose elements have another shape than the output."""
    if not isinstance(root, TensorBase) or not isinstance(batch, TensorBase):
        return
    shape, given = dispatch.shape_of(root), dispatch.shape_of(batch)[1:]
    errors.check(
        shape == given,
        "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The"
        " sizes of the remaining dimensions are expected to match the shape of corresponding output, but a mismatch was"
        f" detected: grad_output[{index}] has a shape of torch.Size({list(given[1:])}) and output[{index}] has a shape"
        f" of torch.Size({list(shape)}). If you only want some tensors in `grad_output` to be considered batched,"
        " consider using vmap.",
    )


def _edge_of_input(x: Any, *, accumulated: bool = False) -> tape.Edge:
    """Where the gradient of an input arrives; one that accumulates retains its gradient if it is not a leaf."""
    if isinstance(x, GradientEdge):
        return x[:2]
    errors.check(
        isinstance(x, TensorBase), f"all inputs have to be Tensors or GradientEdges, but got {type(x).__name__}"
    )
    edge = tape.gradient_edge(x)
    if accumulated:
        x.retain_grad()
    errors.check(tape.requires_grad(x), "One of the differentiated Tensors does not require grad")
    # A view made where nothing was recorded, of a tensor that requires grad: no gradient ever arrives there.
    return edge if edge is not None else (tape.Severed(1, ()), 0)


def _roots(roots: Sequence[Any], given: Sequence[Any], create_graph: bool) -> tuple[list[tape.Edge], list[Any]]:
    """Where the walk starts, and the gradients that it starts with."""
    gradients: list[Any] = []
    for index, (root, gradient) in enumerate(zip(roots, given, strict=True)):
        is_edge = isinstance(root, GradientEdge)
        about = getattr(root, "about", None) if is_edge else _about(root)
        if gradient is None:
            if about is None:
                raise NotImplementedError("a GradientEdge that was not made by get_gradient_edge needs a gradient")
            if is_edge or tape.requires_grad(root):
                gradient = engine.implicit_gradient(*about)
        elif isinstance(gradient, TensorBase):
            if about is not None:
                gradient = engine.check_gradient(about[0], about[1], gradient, index)
            if not create_graph:
                gradient = dispatch.array_of(gradient)
        else:
            raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
        if create_graph and gradient is not None and not isinstance(gradient, TensorBase):
            gradient = dispatch.wrap(gradient)
        gradients.append(gradient)
    edges: list[tape.Edge] = []
    for index, root in enumerate(roots):
        edge = root[:2] if isinstance(root, GradientEdge) else tape.gradient_edge(root)
        if edge is None:
            raise RuntimeError(f"element {index} of tensors does not require grad and does not have a grad_fn")
        edges.append(edge)
    return edges, gradients


def _about(root: Any) -> tuple[tuple[int, ...], Any, Any]:
    geometry, array = root._geometry, root._storage.array
    if geometry is None:
        return array.shape, array.dtype, layout.of_array(array)
    return geometry.size, geometry.dtype.np, layout.of_array(array)
