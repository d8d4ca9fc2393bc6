"""Derivatives of functions of tensors, computed by ``autograd.grad``: ``torch.autograd.functional``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from torchlike._core import dispatch, errors, tape
from torchlike._core.levels import zeros
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.autograd import _engine, forward_ad
from torchlike.autograd._batched import over_batch
from torchlike.ops.join import stack

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensor = Any
Tensors = tuple[Any, ...]

_STRICT = " This is not allowed in strict mode."


@contextmanager
def _grad_mode(mode: bool) -> Iterator[None]:
    previous = modes.grad
    modes.grad = mode
    try:
        yield
    finally:
        modes.grad = previous


def _numel(tensor: Tensor) -> int:
    return int(dispatch.geometry_of(tensor).numel)


def _as_tuple(given: Any, what: str, function: str) -> tuple[bool, Tensors]:
    """The tensors given, and whether they came as a tuple."""
    many = isinstance(given, tuple)
    found = given if many else (given,)
    for number, x in enumerate(found):
        if not isinstance(x, TensorBase):
            which = f"value at index {number}" if many else f"given {what}"
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the {which} has type"
                f" {type(x)}."
            )
    return many, found


def _started(inputs: Tensors, create_graph: bool, needed: bool) -> Tensors:
    """New tensors for the function to work on, so that captured ones are told apart from them."""
    found = []
    for x in inputs:
        if create_graph and tape.requires_grad(x):
            found.append(x.view_as(x))
        else:
            x = x.detach()
            x._requires_grad = needed
            found.append(x)
    return tuple(found)


def _finished(tree: Any, create_graph: bool) -> Any:
    """Results without a history, unless one was asked for."""
    if create_graph:
        return tree
    if isinstance(tree, TensorBase):
        return tree.detach()  # type: ignore[attr-defined]
    return tuple([_finished(x, create_graph) for x in tree])


def _check_vector(v: Tensors, other: Tensors, many: bool) -> None:
    if len(v) != len(other):
        if many:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(other)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for number, (mine, wanted) in enumerate(zip(v, other, strict=True)):
        if mine.size() != wanted.size():
            start = f"Entry {number} in " if many else ""
            raise RuntimeError(f"{start}v has invalid size: should be {wanted.size()} but got {mine.size()}.")


_INDEPENDENT = {
    "outputs": (
        "Output {} of the user-provided function does not require gradients. The outputs must be computed in a"
        " differentiable manner from the input when running in strict mode."
    ),
    "grad_inputs": (
        "The gradient with respect to input {} is independent of the inputs of the user-provided function." + _STRICT
    ),
    "jacobian": (
        "While computing the hessian, found that the jacobian of the user-provided function with respect to input {} is"
        " independent of the input."
        + _STRICT
        + " You should ensure that your function is twice differentiable and that"
        " the jacobian depends on the inputs (this would be violated by a linear function for example)."
    ),
}


def _check_depends(tensors: Sequence[Any], what: str, strict: bool) -> None:
    if not strict:
        return
    for number, x in enumerate(tensors):
        if x is None:
            raise RuntimeError(f"The output of the user-provided function is independent of input {number}." + _STRICT)
        if not tape.requires_grad(x):
            raise RuntimeError(_INDEPENDENT[what].format(number))


def _gradients(
    outputs: Sequence[Any],
    inputs: Tensors,
    grad_outputs: Sequence[Any] | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Sequence[Any]:
    """The gradients of inputs, None for those that the outputs do not depend on."""
    given = (None,) * len(outputs) if grad_outputs is None else grad_outputs
    pairs = [(o, g) for o, g in zip(outputs, given, strict=True) if o is not None and tape.requires_grad(o)]
    if not pairs:
        return (None,) * len(inputs)
    found: Sequence[Any] = _engine.grad(
        [o for o, _ in pairs],
        inputs,
        [g for _, g in pairs],
        allow_unused=True,
        create_graph=create_graph,
        retain_graph=retain_graph,
    )
    return found


_MISSING = {
    "back": "The output of the user-provided function is independent of input {}." + _STRICT,
    "back_trick": (
        "The gradient with respect to the input is independent of entry {} in the grad_outputs when using the double"
        " backward trick to compute forward mode gradients." + _STRICT
    ),
    "double_back": "The jacobian of the user-provided function is independent of input {}." + _STRICT,
    "double_back_trick": (
        "The hessian of the user-provided function is independent of entry {} in the grad_jacobian. This is not allowed"
        " in strict mode as it prevents from using the double backward trick to replace forward mode AD."
    ),
}


def _filled(found: Sequence[Any], like: Tensors, strict: bool, create_graph: bool, stage: str) -> Tensors:
    """Zeros where there is no gradient; in strict mode an error."""
    results = []
    for number, (gradient, x) in enumerate(zip(found, like, strict=True)):
        if gradient is None:
            if strict:
                raise RuntimeError(_MISSING[stage].format(number))
            gradient = zeros(x)
        elif strict and create_graph and not tape.requires_grad(gradient):
            what = "hessian" if stage.startswith("double") else "jacobian"
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {number}. This is not allowed in"
                " strict mode when create_graph=True."
            )
        results.append(gradient)
    return tuple(results)


def _unpacked(tree: Any, many: bool) -> Any:
    return tree if many else tree[0]


class _Problem:
    """A function at some inputs: what all of the products with vectors have in common."""

    def __init__(
        self, name: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool
    ) -> None:
        self.name = name
        self.create_graph = create_graph
        self.strict = strict
        self.many, given = _as_tuple(inputs, "inputs", name)
        self.inputs = _started(given, create_graph, True)
        self.v: Tensors | None = None
        if name != "vjp":
            self.take_vector(v, self.inputs, self.many)
        self.many_out, self.outputs = _as_tuple(func(*self.inputs), "outputs of the user-provided function", name)
        _check_depends(self.outputs, "outputs", strict)
        if name == "vjp":
            self.take_vector(v, self.outputs, self.many_out)

    def take_vector(self, v: Any, like: Tensors, many: bool) -> None:
        """Check the vector against what it is multiplied with."""
        if v is not None:
            _, vector = _as_tuple(v, "v", self.name)
            self.v = _started(vector, self.create_graph, False)
            _check_vector(self.v, like, many)
        elif len(like) != 1 or _numel(like[0]) != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single Tensor with a single"
                " element."
                if self.name == "vjp"
                else "The vector v can only be None if the input to the user-provided function is a single Tensor with"
                " a single element."
            )

    def check_scalar(self) -> None:
        """Refuse functions that do not return one number."""
        if self.many_out:
            raise RuntimeError(f"The function given to {self.name} should return a single Tensor")
        if _numel(self.outputs[0]) != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {self.name} should contain a single element"
            )

    def result(self, product: Tensors, many: bool) -> tuple[Any, Any]:
        """The outputs and the product, as they are returned."""
        outputs = _finished(self.outputs, self.create_graph)
        return _unpacked(outputs, self.many_out), _unpacked(_finished(product, self.create_graph), many)


def _variable_zeros(tensors: Sequence[Any]) -> Tensors:
    found = []
    for x in tensors:
        made = zeros(x)
        made._requires_grad = True
        found.append(made)
    return tuple(found)


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product of a vector ``v`` (like the outputs) with the Jacobian of ``func``.

    ``v`` may be left out for an output of one element. With ``create_graph`` the results can be differentiated;
    ``strict`` raises RuntimeError where an output does not depend on an input.

    >>> torch.autograd.functional.vjp(lambda x: x.exp(), torch.tensor([0., 1.]), torch.ones(2))
    (tensor([1.0000, 2.7183]), tensor([1.0000, 2.7183]))
    """
    with _grad_mode(True):
        problem = _Problem("vjp", func, inputs, v, create_graph, strict)
    with _grad_mode(create_graph or modes.grad):
        found = _gradients(problem.outputs, problem.inputs, problem.v, create_graph=create_graph)
        product = _filled(found, problem.inputs, strict, create_graph, "back")
    return problem.result(product, problem.many)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product of the Jacobian of ``func`` with a vector ``v`` (like the inputs).

    It is computed by two walks backward; `torch.func.jvp` needs only one forward. See `vjp` for the arguments.

    >>> torch.autograd.functional.jvp(lambda x: x.exp(), torch.tensor([0., 1.]), torch.ones(2))
    (tensor([1.0000, 2.7183]), tensor([1.0000, 2.7183]))
    """
    with _grad_mode(True):
        problem = _Problem("jvp", func, inputs, v, create_graph, strict)
        weights = _variable_zeros(problem.outputs)
        pulled = _gradients(problem.outputs, problem.inputs, weights, create_graph=True)
        _check_depends(pulled, "grad_inputs", strict)
    with _grad_mode(create_graph or modes.grad):
        found = _gradients(pulled, weights, problem.v, create_graph=create_graph)
        product = _filled(found, problem.outputs, strict, create_graph, "back_trick")
    return problem.result(product, problem.many_out)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return ``func(*inputs)``, a number, and the product of a vector with the matrix of its second derivatives.

    >>> torch.autograd.functional.vhp(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]), torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with _grad_mode(True):
        problem = _Problem("vhp", func, inputs, v, create_graph, strict)
        problem.check_scalar()
        jac = _gradients(problem.outputs, problem.inputs, create_graph=True)
        _check_depends(jac, "jacobian", strict)
    with _grad_mode(create_graph or modes.grad):
        found = _gradients(jac, problem.inputs, problem.v, create_graph=create_graph)
        product = _filled(found, problem.inputs, strict, create_graph, "double_back")
    return problem.result(product, problem.many)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return ``func(*inputs)``, a number, and the product of the matrix of its second derivatives with a vector.

    The matrix is symmetric, so that `vhp` gives the same with less work.

    >>> torch.autograd.functional.hvp(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]), torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with _grad_mode(True):
        problem = _Problem("hvp", func, inputs, v, create_graph, strict)
        problem.check_scalar()
        jac = _gradients(problem.outputs, problem.inputs, create_graph=True)
        _check_depends(jac, "jacobian", strict)
        weights = _variable_zeros(problem.inputs)
        second = _gradients(jac, problem.inputs, weights, create_graph=True)
        _check_depends(second, "grad_inputs", strict)
    with _grad_mode(create_graph or modes.grad):
        found = _gradients(second, weights, problem.v, create_graph=create_graph)
        product = _filled(found, problem.inputs, strict, create_graph, "double_back_trick")
    return problem.result(product, problem.many)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian of ``func``: the dimensions of an output followed by those of an input.

    For a tuple of inputs it is a tuple, for a tuple of outputs a tuple of these. ``vectorize`` computes all rows at
    once; ``strategy="forward-mode"``, which needs it, all columns. See `vjp` for the other arguments.

    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs'
            ' than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not'
                ' supported together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
            )
        return _by_columns(func, inputs, strict, vectorize)
    with _grad_mode(True):
        many, given = _as_tuple(inputs, "inputs", "jacobian")
        given = _started(given, create_graph, True)
        many_out, outputs = _as_tuple(func(*given), "outputs of the user-provided function", "jacobian")
        _check_depends(outputs, "outputs", strict)
        if vectorize:
            errors.check(
                not strict,
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together."
                " Please either set `strict=False` or `vectorize=False`.",
            )
            found = _rows_at_once(outputs, given, create_graph)
        else:
            found = tuple([_rows_by_one(i, out, given, create_graph, strict) for i, out in enumerate(outputs)])
        found = _finished(found, create_graph)
    found = tuple([_unpacked(row, many) for row in found])
    return _unpacked(found, many_out)


def _rows_by_one(number: int, out: Tensor, inputs: Tensors, create_graph: bool, strict: bool) -> Tensors:
    rows: list[list[Tensor]] = [[] for _ in inputs]
    flat = out.reshape(-1)
    for j in range(_numel(out)):
        found = _gradients((flat[j],), inputs, retain_graph=True, create_graph=create_graph)
        for place, (gradient, x) in enumerate(zip(found, inputs, strict=True)):
            if gradient is None:
                if strict:
                    raise RuntimeError(
                        f"Output {number} of the user-provided function is independent of input {place}." + _STRICT
                    )
                gradient = zeros(x)
            elif strict and create_graph and not tape.requires_grad(gradient):
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {number}. This is not allowed"
                    " in strict mode when create_graph=True."
                )
            rows[place].append(gradient)
    return tuple(
        [
            stack(part).view((*dispatch.shape_of(out), *dispatch.shape_of(x)))
            for part, x in zip(rows, inputs, strict=True)
        ]
    )


def _basis(tensors: Sequence[Any]) -> list[Tensor]:
    """For each tensor a matrix: a row for each element of all tensors, with a one at the element's place."""
    counts = [_numel(t) for t in tensors]
    found = []
    start = 0
    for tensor, count in zip(tensors, counts, strict=True):
        part = np.zeros((sum(counts), count), dispatch.geometry_of(tensor).dtype.np)
        part[np.arange(start, start + count), np.arange(count)] = 1
        found.append(dispatch.wrap_host(part, dispatch.device_of(tensor)))
        start += count
    return found


def _rows_at_once(outputs: Tensors, inputs: Tensors, create_graph: bool) -> Any:
    counts = [_numel(out) for out in outputs]
    flat = [out.reshape(-1) for out in outputs]

    def pull(weights: Sequence[Any]) -> Sequence[Any]:
        return _gradients(flat, inputs, weights, create_graph=create_graph, retain_graph=True)

    pulled = over_batch(pull, _basis(outputs))
    by_input = []
    for gradient, x in zip(pulled, inputs, strict=True):
        if gradient is None:
            gradient = zeros(x).expand((sum(counts), *dispatch.shape_of(x)))
        parts = gradient.split(counts, 0)
        by_input.append(
            [
                part.reshape((*dispatch.shape_of(out), *dispatch.shape_of(x)))
                for part, out in zip(parts, outputs, strict=True)
            ]
        )
    return tuple(zip(*by_input, strict=True))


def _by_columns(func: Callable[..., Any], inputs: Any, strict: bool, vectorize: bool) -> Any:
    errors.check(
        not strict,
        'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together'
        ' (yet). Please either set `strict=False` or `strategy="reverse-mode"`.',
    )
    many, given = _as_tuple(inputs, "inputs", "jacobian")
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for"
            " `vectorize=True`."
        )
    info: list[Any] = []

    def push(tangents: Sequence[Any]) -> list[Tensor]:
        with forward_ad.dual_level():
            duals = [forward_ad.make_dual(x, t.view_as(x)) for x, t in zip(given, tangents, strict=True)]
            many_out, outs = _as_tuple(func(*duals), "outputs of the user-provided function", "jacobian")
            pairs = [forward_ad.unpack_dual(out) for out in outs]
            info[:] = [many_out, [dispatch.shape_of(p.primal) for p in pairs]]
            return [zeros(p.primal) if p.tangent is None else p.tangent for p in pairs]

    pushed = over_batch(push, _basis(given))
    many_out, shapes = info
    counts = [_numel(x) for x in given]
    rows = []
    for columns, shape in zip(pushed, shapes, strict=True):
        parts = columns.movedim(0, -1).split(counts, -1)
        row = tuple([p.reshape((*shape, *dispatch.shape_of(x))) for p, x in zip(parts, given, strict=True)])
        rows.append(_unpacked(row, many))
    return _unpacked(tuple(rows), many_out)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the matrix of the second derivatives of ``func``, which returns a number; for tuples a tuple of tuples.

    See `jacobian` for the arguments.

    >>> torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    many, given = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def number(*args: Any) -> Tensor:
        out = func(*args)
        many_out, outs = _as_tuple(out, "outputs of the user-provided function", "hessian")
        _check_depends(outs, "outputs", strict)
        errors.check(not many_out, "The function given to hessian should return a single Tensor")
        errors.check(
            _numel(out) == 1, "The Tensor returned by the function given to hessian should contain a single element"
        )
        return out.squeeze()

    def first(*args: Any) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            for x in args:
                x._requires_grad = True
        jac = jacobian(number, args, create_graph=True)
        _check_depends(jac, "jacobian", strict)
        return jac

    found = jacobian(
        first,
        given,
        create_graph=create_graph,
        strict=strict,
        vectorize=vectorize,
        strategy=outer_jacobian_strategy,
    )
    if not many:
        return found[0][0]
    return found
