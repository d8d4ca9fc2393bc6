"""Sums of products over named or listed dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.errors import check, scalar_type, wrap_dim
from torchlike._core.op import Array, Arrays, VarInts, composite, op
from torchlike._core.promote import promote_types
from torchlike._core.tensor_state import TensorBase
from torchlike.ops._checks import BARE, BOOL, refuse
from torchlike.ops.matmul import cpp_name, mm, product, refuse_contraction
from torchlike.ops.shape import permute
from torchlike.ops.slicing import diagonal

__all__ = ["chain_matmul", "einsum", "tensordot"]

Tensor = Any

_ELLIPSIS = -1  # stands for the dimensions of "..." in a list of labels


# ---------------------------------------------------------------------------------------------------------------------
# einsum: the equation


class Plan(NamedTuple):
    """An equation read against the shapes of its operands: every dimension has a number, those of "..." included."""

    operands: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]


def _label(character: str, where: int) -> int:
    check(
        character.isascii() and character.isalpha(),
        f"einsum(): invalid subscript given at index {where} in the equation string, subscripts must be in [a-zA-Z]",
    )
    return ord(character) - (ord("A") if character.isupper() else ord("a") - 26)


def _parse(equation: str, count: int) -> tuple[list[list[int]], list[int] | None]:
    """The labels of the operands and of the output (None where the equation leaves it out)."""
    left, arrow, right = equation.partition("->")
    operands: list[list[int]] = [[]]
    at = 0
    while at < len(left):
        c = left[at]
        current = operands[-1]
        if c == ",":
            operands.append([])
            check(len(operands) <= count, "einsum(): fewer operands were provided than specified in the equation")
        elif c == ".":
            number = len(operands) - 1
            check(
                _ELLIPSIS not in current,
                f"einsum(): found '.' for operand {number} for which an ellipsis was already found",
            )
            check(
                left[at : at + 3] == "...",
                f"einsum(): found '.' for operand {number} that is not part of any ellipsis",
            )
            current.append(_ELLIPSIS)
            at += 2
        elif c != " ":
            current.append(_label(c, at))
        at += 1
    check(len(operands) >= count, "einsum(): more operands were provided than specified in the equation")
    if not arrow:
        return operands, None
    output: list[int] = []
    at = 0
    while at < len(right):
        c = right[at]
        if c == ".":
            check(_ELLIPSIS not in output, "einsum(): found '.' for output but an ellipsis (...) was already found")
            check(right[at : at + 3] == "...", "einsum(): found '.' for output that is not part of any ellipsis (...)")
            output.append(_ELLIPSIS)
            at += 2
        elif c != " ":
            label = _label(c, len(left) + 2 + at)
            check(label not in output, f"einsum(): output subscript {c} appears more than once in the output")
            check(
                any(label in labels for labels in operands),
                f"einsum(): output subscript {c} does not appear in the equation for any input operand",
            )
            output.append(label)
        at += 1
    return operands, output


def _name(label: int) -> str:
    return chr(label + ord("A")) if label < 26 else chr(label - 26 + ord("a"))


@lru_cache(maxsize=4096)
def _plan(equation: Any, shapes: tuple[tuple[int, ...], ...]) -> Plan:
    if isinstance(equation, str):
        operands, output = _parse(equation, len(shapes))
    else:
        operands, output = [list(labels) for labels in equation[0]], None if equation[1] is None else list(equation[1])
    widest = 0
    for number, (labels, shape) in enumerate(zip(operands, shapes, strict=True)):
        named = len(labels) - labels.count(_ELLIPSIS)
        if _ELLIPSIS in labels:
            check(
                named <= len(shape),
                f"einsum(): the number of subscripts in the equation ({named}) is more than the number of dimensions"
                f" ({len(shape)}) for operand {number}",
            )
            widest = max(widest, len(shape) - named)
        else:
            check(
                named == len(shape),
                f"einsum(): the number of subscripts in the equation ({named}) does not match the number of dimensions"
                f" ({len(shape)}) for operand {number} and no ellipsis was given",
            )
    spread = [52 + i for i in range(widest)]
    full = []
    for labels, shape in zip(operands, shapes, strict=True):
        width = len(shape) - (len(labels) - 1)
        full.append(
            tuple([x for label in labels for x in (spread[widest - width :] if label == _ELLIPSIS else (label,))])
        )
    if output is None:
        seen = [label for labels in operands for label in labels]
        once = sorted({label for label in seen if label != _ELLIPSIS and seen.count(label) == 1})
        output = ([_ELLIPSIS] if _ELLIPSIS in seen else []) + once
    result = tuple([x for label in output for x in (spread if label == _ELLIPSIS else (label,))])
    sizes: dict[int, int] = {}
    for number, (ordered, shape) in enumerate(zip(full, shapes, strict=True)):
        mine: dict[int, int] = {}
        for label, size in zip(ordered, shape, strict=True):
            if label in mine:
                check(
                    mine[label] == size,
                    f"einsum(): subscript {_name(label)} is repeated for operand {number} but the sizes don't"
                    f" match, {size} !="
                    f" {mine[label]}",
                )
            mine[label] = size
        for label, size in mine.items():
            known = sizes.get(label, 1)
            check(
                known in (1, size) or size == 1,
                f"einsum(): subscript {_name(label) if label < 52 else '...'} has size {size} for operand"
                f" {number} which does"
                f" not broadcast with previously seen size {known}",
            )
            sizes[label] = size if known == 1 else known
    return Plan(tuple(full), result)


# ---------------------------------------------------------------------------------------------------------------------
# einsum: the product


def _without_repeats(x: Array, labels: Sequence[int]) -> tuple[Array, list[int]]:
    """Take the diagonal of dimensions with the same label."""
    found = list(labels)
    for label in dict.fromkeys(labels):
        while found.count(label) > 1:
            first = found.index(label)
            second = found.index(label, first + 1)
            x = diagonal.op.body(x, 0, first, second)
            found = [n for i, n in enumerate(found) if i not in (first, second)] + [label]
    return x, found


def _summed(x: Array, dims: list[int]) -> Array:
    """A sum as ``torch.sum`` makes it: of integers and bools in int64."""
    if not dims:
        return x
    whole = not jnp.issubdtype(x.dtype, jnp.inexact)
    return x.sum(tuple(dims), dtype=jnp.int64 if whole else x.dtype)


def _multiplied(a: Array, la: list[int], b: Array, lb: list[int], batch: list[int]) -> tuple[Array, list[int]]:
    dims = tuple([la.index(n) for n in batch]), tuple([lb.index(n) for n in batch])
    return product(a, b, ((), ()), dims), [*batch, *[n for n in la if n not in lb], *[n for n in lb if n not in la]]


def _pair(a: Array, la: list[int], b: Array, lb: list[int], keep: set[int]) -> tuple[Array, list[int]]:
    """The product of two operands, summed over the labels that nothing later needs, as one batched matrix product."""
    shared = [n for n in la if n in lb]
    # A dimension of size 1 broadcasts: it is dropped where the other operand has it in full size.
    for label in shared:
        na, nb = a.shape[la.index(label)], b.shape[lb.index(label)]
        if na == 1 and nb != 1:
            a, la = a.squeeze(la.index(label)), [n for n in la if n != label]
        elif nb == 1 and na != 1:
            b, lb = b.squeeze(lb.index(label)), [n for n in lb if n != label]
    only_a = [i for i, n in enumerate(la) if n not in lb and n not in keep]
    a, la = _summed(a, only_a), [n for i, n in enumerate(la) if i not in only_a]
    only_b = [i for i, n in enumerate(lb) if n not in la and n not in keep]
    b, lb = _summed(b, only_b), [n for i, n in enumerate(lb) if i not in only_b]
    batch = [n for n in la if n in lb and n in keep]
    summed = [n for n in la if n in lb and n not in keep]
    if not summed:
        common = promote_types(dtypes.of(a.dtype), dtypes.of(b.dtype)).np
        a, b = a.astype(common), b.astype(common)
        if common == np.bool_:
            a, b = a.astype(np.uint8), b.astype(np.uint8)
        found, labels = _multiplied(a, la, b, lb, batch)
        return found.astype(common), labels
    check(a.dtype == b.dtype, f"expected scalar type {scalar_type(a.dtype)} but found {scalar_type(b.dtype)}")
    refuse("bmm", a, BOOL, BARE)
    out = product(
        a,
        b,
        (tuple(la.index(n) for n in summed), tuple(lb.index(n) for n in summed)),
        (tuple(la.index(n) for n in batch), tuple(lb.index(n) for n in batch)),
    )
    return out, [*batch, *[n for n in la if n not in lb], *[n for n in lb if n not in la]]


class Program(NamedTuple):
    """The order in which operands are multiplied: pairs of positions in the list of what is left, results at its end.

    ``memory`` are the labels of the result in the order in which the last product leaves them.
    """

    labels: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    memory: tuple[int, ...]


@lru_cache(maxsize=4096)
def _program(plan: Plan, shapes: tuple[tuple[int, ...], ...]) -> Program:
    pairs: list[tuple[int, int]] = [(0, 1)] * (len(shapes) - 1)
    if len(shapes) > 2:
        names = {n: i for i, n in enumerate(dict.fromkeys(n for labels in plan.operands for n in labels))}
        flat: list[Any] = []
        for labels, shape in zip(plan.operands, shapes, strict=True):
            flat.extend((np.broadcast_to(np.float32(0), shape), [names[n] for n in labels]))
        output = [names[n] for n in plan.output]
        path = np.einsum_path(*flat, output, optimize="optimal" if len(shapes) < 5 else "greedy")[0]
        pairs = _in_pairs(path[1:], len(shapes))
    left: list[dict[int, int]] = []
    for labels, shape in zip(plan.operands, shapes, strict=True):
        left.append(dict(zip(labels, shape, strict=True)))
    a: dict[int, int] = {}
    b: dict[int, int] = {}
    for i, j in pairs:
        b, a = left.pop(j), left.pop(i)
        keep = set(plan.output).union(*left)
        both = {n: max(a.get(n, 1), b.get(n, 1)) for n in (*a, *b)}
        left.append({n: size for n, size in both.items() if n in keep})
    wide_a = {n for n in plan.output if a.get(n, 1) != 1}
    wide_b = {n for n in plan.output if b.get(n, 1) != 1}
    memory = (
        *[n for n in plan.output if n in wide_a and n in wide_b],
        *[n for n in plan.output if n in wide_a and n not in wide_b],
        *[n for n in plan.output if n not in wide_a],
    )
    return Program(plan.operands, plan.output, tuple(pairs), memory)


def _in_pairs(path: Sequence[Sequence[int]], count: int) -> list[tuple[int, int]]:
    """A path whose steps may take several operands at once, as one that takes two at a time."""
    pairs = []
    for step in path:
        rest = sorted(step)
        while len(rest) > 1:
            i, j, *others = rest
            pairs.append((i, j))
            count -= 1  # the two are gone, and their product is the last of the list
            rest = [*[x - 2 for x in others], count - 1]
    return pairs


@op(method=False, node="ViewBackward0")
def _einsum(operands: Arrays, program: Any) -> Array:
    labels, output, pairs, memory = program
    left = [_without_repeats(x, own) for x, own in zip(operands, labels, strict=True)]
    for i, j in pairs:
        second, first = left.pop(j), left.pop(i)
        keep = set(output).union(*[own for _, own in left])
        left.append(_pair(*first, *second, keep))
    x, own = left[0]
    return lax.transpose(x, [own.index(n) for n in memory])


def _elementwise(operands: Sequence[Tensor], plan: Plan) -> Tensor:
    """Two operands of which nothing is summed: their views in the order of the output, multiplied."""
    views = []
    for x, labels in zip(operands, plan.operands, strict=True):
        x = permute(x, tuple([labels.index(n) for n in plan.output if n in labels]))
        for d, n in enumerate(plan.output):
            if n not in labels:
                x = x.unsqueeze(d)
        views.append(x)
    return views[0] * views[1]


def _alone(x: Tensor, plan: Plan) -> Tensor:
    """An equation with one operand: diagonals and a permutation as views, and a sum."""
    labels = list(plan.operands[0])
    for label in dict.fromkeys(plan.operands[0]):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = diagonal(x, 0, first, second)
            labels = [n for i, n in enumerate(labels) if i not in (first, second)] + [label]
    order = [*plan.output, *[n for n in labels if n not in plan.output]]
    x = permute(x, tuple([labels.index(n) for n in order]))
    extra = len(order) - len(plan.output)
    return x.sum(tuple(range(-extra, 0))) if extra else x


@composite(method=False)
def einsum(*args: Any) -> Tensor:
    """Return the sum of the products of the operands' elements over the labels that the output does not have.

    Called as ``einsum(equation, *operands)``, or with each operand followed by the list of its labels (numbers up to
    51) and those of the output last. Without "->" the output has, in alphabetical order, the labels that occur once.
    "..." stands for any further dimensions, which are broadcast.
    Raises RuntimeError for equations that do not fit the operands.

    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 2))
    tensor([[3., 3.],
            [3., 3.]])
    >>> torch.einsum("ii", torch.eye(3))
    tensor(3.)
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and"
            " its subscripts"
            " list"
        )
    if isinstance(args[0], TensorBase):
        equation, operands = _sublists(args)
    else:
        equation, operands = args[0], args[1:]
        if len(operands) == 1 and isinstance(operands[0], tuple | list):
            operands = tuple(operands[0])
    shapes = tuple([dispatch.shape_of(x) for x in operands])
    plan = _plan(equation, shapes)
    if len(operands) == 1:
        return _alone(operands[0], plan)
    if len(operands) == 2 and _is_elementwise(plan):
        return _elementwise(operands, plan)
    program = _program(plan, shapes)
    result = _einsum(operands, program)
    if program.memory == plan.output:
        return result
    return _turned(result, tuple([program.memory.index(n) for n in plan.output]))


@op(view=permute.op.view, method=False, node="ViewBackward0")
def _turned(input: Array, dims: VarInts) -> Array:
    return lax.transpose(input, dims)


def _is_elementwise(plan: Plan) -> bool:
    return all(len(set(own)) == len(own) and set(own) <= set(plan.output) for own in plan.operands)


def _sublists(args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Read the form with lists of labels."""

    def labels(given: Any) -> tuple[int, ...]:
        found = []
        for x in given:
            if x is Ellipsis:
                found.append(_ELLIPSIS)
                continue
            if not 0 <= x < 52:
                raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
            found.append(int(x))
        return tuple(found)

    inputs = tuple([labels(x) for x in args[1::2]])
    output = labels(args[-1]) if len(args) % 2 else None
    return (inputs, output), args[: len(args) - len(args) % 2 : 2]


# ---------------------------------------------------------------------------------------------------------------------
# tensordot


@op(method=False, node="ViewBackward0")
def _tensordot(a: Array, b: Array, dims_a: Any, dims_b: Any) -> Array:
    check(len(dims_a) == len(dims_b), "both dimension lists should have same length")
    check(a.dtype == b.dtype, "both inputs should have same dtype")
    first = [wrap_dim(d, a.ndim) for d in dims_a]
    second = [wrap_dim(d, b.ndim) for d in dims_b]
    for dims in (first, second):
        for d in dims:
            check(dims.count(d) == 1, f"dim {d} appears multiple times in the list of dims")
    for i, (d, e) in enumerate(zip(first, second, strict=True)):
        n, m = a.shape[d], b.shape[e]
        if n == 1 and m != 1:
            b = b.sum(e, keepdims=True).astype(b.dtype)
        elif m == 1 and n != 1:
            a = a.sum(d, keepdims=True).astype(a.dtype)
        else:
            check(
                n == m,
                "contracted dimensions need to match, but first has size"
                f" {n} in dim {dims_a[i]} and second has size {m} in dim {dims_b[i]}",
            )
    refuse_contraction(a, len(first) == a.ndim == b.ndim)
    return product(a, b, (tuple(first), tuple(second)))


@composite(method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Return the sum of products over dimensions of both tensors: the last ``dims`` of a and first of b, or two lists.

    >>> torch.tensordot(torch.arange(6).view(2, 3), torch.arange(3), dims=1)
    tensor([ 5, 14])
    """
    if isinstance(dims, TensorBase):
        dims = np.asarray(dispatch.array_of(dims)).tolist()
    if isinstance(dims, tuple | list):
        first, second = dims
        dims_a = (first,) if isinstance(first, int) else tuple(first)
        dims_b = (second,) if isinstance(second, int) else tuple(second)
    else:
        count = int(dims)
        check(count >= 0, f"tensordot expects dims >= 0, but got dims={dims}")
        check(
            count <= min(len(dispatch.shape_of(a)), len(dispatch.shape_of(b))),
            f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}",
        )
        dims_a, dims_b = tuple(range(-count, 0)), tuple(range(count))
    return _tensordot(a, b, dims_a, dims_b, out=out)


# ---------------------------------------------------------------------------------------------------------------------
# Chains


def multi_dot(tensors: Sequence[Tensor], out: Tensor | None = None) -> Tensor:
    """The product of a chain of matrices in the cheapest order; the first and the last may be vectors."""
    check(len(tensors) >= 2, f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    shapes = [dispatch.shape_of(t) for t in tensors]
    for which, shape in (("first", shapes[0]), ("last", shapes[-1])):
        check(len(shape) in (1, 2), f"multi_dot(): the {which} tensor must be 1D or 2D but got {len(shape)}D")
    for i, shape in enumerate(shapes[1:-1], 1):
        check(len(shape) == 2, f"multi_dot(): tensor {i} must be 2D but got {len(shape)}D")
    first = dispatch.geometry_of(tensors[0]).dtype
    for i, t in enumerate(tensors):
        kind = dispatch.geometry_of(t).dtype
        check(
            kind is first,
            f"multi_dot(): all tensors must have be the same dtype but tensor 0 is {cpp_name(first.np)} and tensor {i}"
            f" {cpp_name(kind.np)}",
        )
    chain = list(tensors)
    result_shape = shapes[0][:-1] + shapes[-1][1:]
    if len(shapes[0]) == 1:
        chain[0] = chain[0].unsqueeze(0)
    if len(shapes[-1]) == 1:
        chain[-1] = chain[-1].unsqueeze(-1)
    sizes = [dispatch.shape_of(t) for t in chain]
    for i in range(len(chain) - 1):
        check(
            sizes[i][1] == sizes[i + 1][0],
            f"multi_dot(): tensors {i} and {i + 1} with shapes {list(shapes[i])} and {list(shapes[i + 1])}"
            " cannot be multiplied",
        )
    split = _cheapest([n for n, _ in sizes] + [sizes[-1][1]])

    def multiply(i: int, j: int) -> Tensor:
        if i == j:
            return chain[i]
        k = split[i, j]
        return mm(multiply(i, k), multiply(k + 1, j))

    found = multiply(0, len(chain) - 1).view(result_shape)
    return found if out is None else out.copy_(found)


def _cheapest(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each stretch of a chain of matrices so that the fewest multiplications are made."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], split[i, j] = min(options)
    return split


@composite(method=False)
def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the product of matrices, multiplied in the cheapest order. Deprecated: use ``torch.linalg.multi_dot``.

    >>> torch.chain_matmul(torch.ones(2, 3), torch.ones(3, 4), torch.ones(4, 1))
    tensor([[12.],
            [12.]])
    """
    for t in matrices:
        ndim = len(dispatch.shape_of(t))
        check(ndim == 2, f"Tensor dimension is {ndim}, expected 2 instead.")
    if len(matrices) == 1:
        return matrices[0].clone()
    return multi_dot(matrices, out)
