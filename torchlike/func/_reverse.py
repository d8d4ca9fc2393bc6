"""Reverse mode: ``grad``, ``grad_and_value``, ``vjp`` and ``jacrev``, walks over the tape.

A differentiated argument becomes the beginning of a graph of its own; where it has a history outside, an `Input` node
leads on to it, so that what is computed from gradients can be differentiated again by whoever is outside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from torchlike._core import dispatch, tape, trees
from torchlike._core.levels import detached, entered, innermost, level_of, lifted, zeros
from torchlike._core.lifted import GradLevel
from torchlike._core.tape import Input, Node
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.autograd import _engine
from torchlike.func._arguments import check_complex, checked_argnums, chosen, replaced
from torchlike.func._basis import basis_of, rows_of
from torchlike.func._vmap import vmap

__all__ = ["grad", "grad_and_value", "jacrev", "vjp"]

Tensor = Any


class _Differentiation:
    """The level of a ``grad`` or ``vjp``: its inputs, and what is outside of them."""

    def __init__(self) -> None:
        self.outer_mode = modes.grad
        self.level = GradLevel(len(modes.levels) + 1, self.outer_mode)
        self.inputs: list[Tensor] = []
        self.own: set[Node] = set()

    def __enter__(self) -> _Differentiation:
        self.block = entered(self.level)
        self.block.__enter__()
        self.previous = modes.grad, modes.lower_grad
        modes.grad, modes.lower_grad = True, None
        return self

    def __exit__(self, *exception: object) -> None:
        modes.grad, modes.lower_grad = self.previous
        self.block.__exit__(*exception)

    def passed(self, x: Any) -> Any:
        """An argument that is not differentiated, as the function sees it."""
        return x

    def begin(self, x: Any) -> Tensor:
        """An argument that is differentiated, as the function sees it."""
        if not isinstance(x, TensorBase):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        kind = dispatch.geometry_of(x).dtype
        if not (kind.is_floating_point or kind.is_complex):
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        wanted = innermost()
        edge = tape.gradient_edge(x) if self.outer_mode else None
        if wanted is not None and level_of(x) is not wanted:
            start = lifted(x if self.outer_mode else detached(x), wanted)
            edge = None
        else:
            start = dispatch.wrap(dispatch.array_of(x))
        if edge is not None:
            start._grad_fn = Input(edge)
            self.own.add(start._grad_fn)
        start._requires_grad = True
        if edge is None:
            accumulator = tape.accumulator(start)
            start._begun = self.level, accumulator  # kept alive, so that it stays the one that is looked for
            self.own.add(accumulator)
        self.inputs.append(start)
        return start

    def reaches_outside(self, outputs: Sequence[Tensor]) -> bool:
        """Whether the graph of some outputs leads to anything besides the inputs of this level."""
        stack = [edge[0] for edge in map(tape.gradient_edge, outputs) if edge is not None]
        seen = set(stack)
        while stack:
            node = stack.pop()
            if isinstance(node, tape.AccumulateGrad) and node not in self.own:
                begun = node.variable.__dict__.get("_begun")
                # The beginning of a transform that is over leads nowhere.
                if begun is None or begun[0].alive:
                    return True
            for edge in node.edges:
                if edge is not None and edge[0] not in seen:
                    seen.add(edge[0])
                    stack.append(edge[0])
        return False

    def result(self, out: Tensor, outside: bool) -> Tensor:
        """An output for those outside, with the history that counts there."""
        if not self.outer_mode:
            return detached(out)
        if outside or not tape.requires_grad(out):
            return out
        return dispatch.alias(out)

    def results(self, tree: Any, outside: bool) -> Any:
        """The same for all tensors of a structure."""
        return trees.tree_map(lambda x: self.result(x, outside) if isinstance(x, TensorBase) else x, tree)


def gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    grad_outputs: Sequence[Tensor] | None,
    *,
    create_graph: bool,
    lower_grad: bool,
) -> tuple[Tensor, ...]:
    """The gradients of ``inputs``, zeros where there is none; the graph stays."""
    pairs = [
        (out, None if grad_outputs is None else grad_outputs[i])
        for i, out in enumerate(outputs)
        if tape.requires_grad(out)
    ]
    if not pairs:
        return tuple(zeros(x) for x in inputs)
    given = None if grad_outputs is None else [g for _, g in pairs]
    previous = modes.lower_grad
    modes.lower_grad = None if create_graph else lower_grad
    try:
        found = _engine.grad(
            [out for out, _ in pairs], inputs, given, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
    finally:
        modes.lower_grad = previous
    return tuple(zeros(x) if g is None else g for x, g in zip(inputs, found, strict=True))


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of ``func``, which must return a tensor of one element.

    ``argnums`` says which positional arguments it is taken with respect to: a structure of tensors each; a tuple gives
    a tuple. With ``has_aux`` the function returns ``(output, aux)``, and the new one ``(gradient, aux)``.

    >>> torch.func.grad(lambda x: x.sin())(torch.tensor(0.))
    tensor(1.)
    >>> torch.func.grad(torch.func.grad(lambda x: x ** 3))(torch.tensor(2.))
    tensor(12.)
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        found, value = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return (found, value[1]) if has_aux else found

    return wrapper


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes the gradient of ``func`` and its value, as a pair; see `grad`.

    >>> torch.func.grad_and_value(lambda x: x ** 2)(torch.tensor(3.))
    (tensor(6.), tensor(9.))
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _grad_and_value(func, argnums, has_aux, args, kwargs)

    return wrapper


def _grad_and_value(
    func: Callable[..., Any], argnums: Any, has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Any]:
    numbers = checked_argnums(argnums, len(args))
    with _Differentiation() as here:
        started = trees.tree_map(here.begin, chosen(args, numbers))
        output = func(*replaced(args, started, numbers), **kwargs)
        aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise RuntimeError(
                    "grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            output, aux = output
        if not isinstance(output, TensorBase):
            raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}")
        ndim = len(dispatch.shape_of(output))
        if ndim:
            raise RuntimeError(
                "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with"
                f" {ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        leaves, spec = trees.flatten(started)
        outside = here.outer_mode and here.reaches_outside([output])
        found = gradients([output], leaves, None, create_graph=outside, lower_grad=here.outer_mode)
    results = trees.unflatten([here.result(g, outside) for g in found], spec)
    value = here.result(output, outside)
    return results, (value, here.results(aux, outside)) if has_aux else value


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return the results of ``func(*primals)`` and a function that takes their cotangents to those of the primals.

    That function may be called any number of times, also within ``vmap``. Results and primals may be structures of
    tensors. With ``has_aux`` the function returns ``(output, aux)``, and ``aux`` comes third. Raises RuntimeError where
    a result is no floating point tensor, or cotangents have another structure than the results.

    >>> out, pull = torch.func.vjp(torch.sin, torch.tensor([0., 1.]))
    >>> out
    tensor([0.0000, 0.8415])
    >>> pull(torch.ones(2))
    (tensor([1.0000, 0.5403]),)
    """
    return vjp_of(func, primals, None, has_aux)


def vjp_of(func: Callable[..., Any], primals: tuple[Any, ...], argnums: Any, has_aux: bool) -> Any:
    """``vjp`` with respect to some of the arguments."""
    with _Differentiation() as here:
        if argnums is None:
            diff = trees.tree_map(here.begin, primals)
            output = func(*diff)
        else:
            diff = trees.tree_map(here.begin, chosen(primals, argnums))
            output = func(*replaced(primals, diff, argnums))
        aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise RuntimeError(
                    "vjp(f, *primals): output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            output, aux = output
        outs, out_spec = trees.flatten(output)
        check_outputs(outs, "vjp(f, *primals)")
        for out in outs:
            kind = dispatch.geometry_of(out).dtype
            if not (kind.is_floating_point or kind.is_complex):
                raise RuntimeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype"
                    f" {kind}"
                )
        inputs, in_spec = trees.flatten(diff)
        outside = here.outer_mode and here.reaches_outside(outs)

    def pullback(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given, spec = trees.flatten(cotangents)
        if spec != out_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function."
                f" cotangents: {spec.short()}, primal output: {out_spec.short()}"
            )
        wanted = modes.grad if create_graph is None else create_graph
        recorded = wanted and (outside or any(isinstance(g, TensorBase) and tape.requires_grad(g) for g in given))
        found = gradients(outs, inputs, given, create_graph=recorded, lower_grad=wanted)
        return trees.unflatten(found, in_spec)

    results = trees.unflatten([here.result(out, outside) for out in outs], out_spec)
    return (results, pullback, here.results(aux, outside)) if has_aux else (results, pullback)


def check_outputs(outputs: list[Any], api: str) -> None:
    """Refuse results that are nothing, or no tensors."""
    if not outputs:
        raise RuntimeError(f"{api}: Expected f to be a function that has non-empty output (got output = {outputs})")
    for out in outputs:
        if not isinstance(out, TensorBase):
            raise RuntimeError(f"{api}: expected f(*primals) to return only tensors, got unsupported type {type(out)}")


def jacrev(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of ``func`` row by row, in reverse mode.

    The result has the dimensions of the output followed by those of the argument ``argnums`` (a tuple gives a tuple);
    structures of outputs give structures. ``chunk_size`` limits how many rows are computed at a time.

    >>> torch.func.jacrev(torch.sin)(torch.tensor([0., 1.]))
    tensor([[1.0000, 0.0000],
            [0.0000, 0.5403]])
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args: Any) -> Any:
        check_complex("jacrev", args, is_input=True)
        numbers = checked_argnums(argnums, len(args))
        made = vjp_of(func, args, numbers, has_aux)
        output, pullback = made[:2]
        check_complex("jacrev", output, is_input=False)
        outs, out_spec = trees.flatten(output)
        primals = chosen(args, numbers)
        leaves, in_spec = trees.flatten(primals)
        rows = rows_of(outs)
        basis = basis_of(outs)

        def pull(cotangents: Any) -> Any:
            return trees.flatten(pullback(trees.unflatten(list(cotangents), out_spec)))[0]

        found = vmap(pull, chunk_size=chunk_size)(tuple(basis))
        # found: for each primal all rows, those of the first output first
        by_output: list[Any] = [[] for _ in outs]
        for part, primal in zip(found, leaves, strict=True):
            pieces = part.split(rows, 0)
            for i, (piece, out) in enumerate(zip(pieces, outs, strict=True)):
                by_output[i].append(piece.reshape((*dispatch.shape_of(out), *dispatch.shape_of(primal))))
        result = trees.unflatten([trees.unflatten(parts, in_spec) for parts in by_output], out_spec)
        return (result, made[2]) if has_aux else result

    return wrapper
