"""Forward mode: ``jvp``, ``linearize``, ``jacfwd`` and ``hessian``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torchlike._core import dispatch, trees
from torchlike._core.levels import entered, zeros
from torchlike._core.lifted import Dual, JvpLevel
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.autograd.forward_ad import check_tangent
from torchlike.func._arguments import check_complex, checked_argnums, chosen, replaced
from torchlike.func._basis import basis_of, rows_of
from torchlike.func._reverse import check_outputs, jacrev
from torchlike.func._vmap import vmap

__all__ = ["hessian", "jacfwd", "jvp", "linearize"]

_NAME = "jvp(f, primals, tangents)"


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Return ``func(*primals)`` and how it changes when the primals change by ``tangents``, in forward mode.

    With ``strict`` a result that does not depend on the primals raises RuntimeError instead of having the derivative
    zero. With ``has_aux`` the function returns ``(output, aux)``, and ``aux`` comes third.

    >>> torch.func.jvp(torch.sin, (torch.tensor([0., 1.]),), (torch.ones(2),))
    (tensor([0.0000, 0.8415]), tensor([1.0000, 0.5403]))
    """
    return jvp_of(func, primals, tangents, None, strict=strict, has_aux=has_aux)


def jvp_of(
    func: Callable[..., Any], primals: Any, tangents: Any, argnums: Any, *, strict: bool = False, has_aux: bool
) -> Any:
    """``jvp`` with respect to some of the arguments, a tuple of tangents for them."""
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{_NAME}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    diff: Any = primals
    if argnums is not None:
        diff = chosen(primals, (argnums,) if isinstance(argnums, int) else argnums)
    leaves, spec = trees.flatten(diff)
    directions, directions_spec = trees.flatten(tangents)
    if spec != directions_spec:
        raise RuntimeError(
            f"{_NAME}: Expected primals and tangents to have the same python structure. For example, if primals is a"
            f" tuple of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with structure"
            f" {directions_spec}"
        )
    _check_tensors(leaves, "primals")
    _check_tensors(directions, "tangents")
    level = JvpLevel(len(modes.levels) + 1)
    previous = modes.forward_grad
    with entered(level):
        modes.forward_grad = True
        try:
            duals = []
            for primal, tangent in zip(leaves, directions, strict=True):
                check_tangent(primal, tangent)
                duals.append(dispatch.wrap(Dual(level, primal, tangent)))
            arguments: Any = trees.unflatten(duals, spec)
            if argnums is not None:
                arguments = replaced(primals, arguments, (argnums,) if isinstance(argnums, int) else argnums)
            output = func(*arguments)
        finally:
            modes.forward_grad = previous
        aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise RuntimeError(f"{_NAME}: output of function f should be a tuple: (output, aux) if has_aux is True")
            output, aux = output
            aux = trees.tree_map(lambda x: _primal(x, level) if isinstance(x, TensorBase) else x, aux)
        outs, out_spec = trees.flatten(output)
        check_outputs(outs, _NAME)
        values = [_primal(out, level) for out in outs]
        moved = [_tangent(out, value, level, strict) for out, value in zip(outs, values, strict=True)]
    results = trees.unflatten(values, out_spec), trees.unflatten(moved, out_spec)
    return (*results, aux) if has_aux else results


def _check_tensors(leaves: list[Any], what: str) -> None:
    if not leaves:
        raise RuntimeError(f"{_NAME}: Expected {what} to contain at least one Tensor.")
    for x in leaves:
        if not isinstance(x, TensorBase):
            raise RuntimeError(f"{_NAME}: Expected {what} to only contain Tensors, got {type(x)}")


def _primal(tensor: Any, level: JvpLevel) -> Any:
    held = dispatch.array_of(tensor)
    return held.inner if isinstance(held, Dual) and held.level is level else tensor


def _tangent(tensor: Any, primal: Any, level: JvpLevel, strict: bool) -> Any:
    held = dispatch.array_of(tensor)
    if isinstance(held, Dual) and held.level is level and held.tangent is not None:
        return held.tangent
    if strict:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed"
            " with strict=True."
        )
    return zeros(primal)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return ``func(*primals)`` and a function that takes tangents of the primals to those of the result.

    Raises RuntimeError where tangents do not have the structure, shapes and types of the primals.

    >>> out, push = torch.func.linearize(torch.sin, torch.tensor([0., 1.]))
    >>> push(torch.ones(2))
    tensor([1.0000, 0.5403])
    """
    output = func(*primals)
    leaves, spec = trees.flatten(primals)

    def push(*tangents: Any) -> Any:
        given, given_spec = trees.flatten(tangents)
        if given_spec != spec:
            raise RuntimeError(f"Expected the tangents {given_spec} to have the same argspec as the primals {spec}")
        for number, (tangent, primal) in enumerate(zip(given, leaves, strict=True)):
            for what in ("shape", "device", "dtype"):
                mine, wanted = getattr(tangent, what), getattr(primal, what)
                if mine != wanted:
                    raise RuntimeError(
                        f"tangent:{number} with {what} {mine} in flattened pytree doesn't match the {what} {wanted} of"
                        " the corresponding primal."
                    )
        return jvp(func, primals, tangents)[1]

    return output, push


def jacfwd(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of ``func`` column by column, in forward mode; see `jacrev`.

    ``randomness`` is that of ``vmap``, under which the columns are computed.

    >>> torch.func.jacfwd(torch.sin)(torch.tensor([0., 1.]))
    tensor([[1.0000, 0.0000],
            [0.0000, 0.5403]])
    """

    @functools.wraps(func)
    def wrapper(*args: Any) -> Any:
        check_complex("jacfwd", args, is_input=True)
        numbers = checked_argnums(argnums, len(args))
        primals = chosen(args, (numbers,) if isinstance(numbers, int) else numbers)
        leaves, spec = trees.flatten(primals)

        def push(directions: Any) -> Any:
            made = jvp_of(func, args, directions, numbers, has_aux=has_aux)
            check_complex("jacfwd", made[0], is_input=False)
            return made[1:] if has_aux else made[1]

        found = vmap(push, randomness=randomness)(trees.unflatten(basis_of(leaves), spec))
        if has_aux:
            found, aux = found
            aux = trees.tree_map(lambda x: x[0], aux)
        outs, out_spec = trees.flatten(found)
        sizes = rows_of(leaves)
        results = []
        for out in outs:
            columns = out.movedim(0, -1)
            parts = [
                part.reshape((*dispatch.shape_of(part)[:-1], *dispatch.shape_of(leaf)))
                for part, leaf in zip(columns.split(sizes, -1), leaves, strict=True)
            ]
            result = trees.unflatten(parts, spec)
            results.append(result[0] if isinstance(numbers, int) else result)
        tree = trees.unflatten(results, out_spec)
        return (tree, aux) if has_aux else tree

    return wrapper


def hessian(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return a function that computes the second derivatives of ``func``: forward mode over reverse mode.

    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
