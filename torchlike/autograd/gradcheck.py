"""Derivatives compared with differences of values: ``torch.autograd.gradcheck`` and ``gradgradcheck``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from torchlike._core import dispatch, tape
from torchlike._core.dtype import complex128, float64
from torchlike._core.levels import zeros
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.autograd import _engine, forward_ad
from torchlike.autograd._batched import over_batch
from torchlike.ops.complex_views import view_as_real
from torchlike.ops.create import empty
from torchlike.ops.join import stack
from torchlike.ops.sampling import randn_like

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Tensor = Any
Host = np.ndarray[Any, Any]


class GradcheckError(RuntimeError):
    """A derivative that does not agree with the differences of values."""


_NOT_DETERMINISTIC = """

NOTE: The backward, or what it calls, gives other numbers each time. If that is expected, pass the tolerance
``nondet_tol`` to gradcheck or gradgradcheck.
"""
_NOT_BATCHED = (
    "gradcheck or gradgradcheck failed while testing batched gradient computation. Pass check_batched_grad=False to"
    " leave this check out."
)
_NOT_BATCHED_FORWARD = (
    "gradcheck failed while testing batched gradient computation with forward-mode AD. Pass"
    " check_batched_forward_grad=False to leave this check out."
)


class _Options(NamedTuple):
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_grad_dtypes: bool
    fast: bool


def _tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else tuple(x) if isinstance(x, list) else (x,)


def _geometry(x: Tensor) -> Any:
    return dispatch.geometry_of(x)


def _inexact(x: Any) -> bool:
    return isinstance(x, TensorBase) and (_geometry(x).dtype.is_floating_point or _geometry(x).dtype.is_complex)


def _complex(x: Any) -> bool:
    return isinstance(x, TensorBase) and bool(_geometry(x).dtype.is_complex)


def _needs(x: Any) -> bool:
    return isinstance(x, TensorBase) and tape.requires_grad(x)


def _differentiable(outputs: Any) -> tuple[Tensor, ...]:
    return tuple([o for o in _tuple(outputs) if _needs(o)])


def _values(x: Tensor) -> Host:
    return np.asarray(dispatch.array_of(x))


def _tensor(values: Host, like: Tensor) -> Tensor:
    return dispatch.wrap_host(np.array(values, order="C"), dispatch.device_of(like))


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the derivatives of ``func`` at ``inputs`` with small differences of its values; they should be float64.

    Checked are the inputs that require a gradient. Returns True, or raises GradcheckError (with
    ``raise_exception=False``: returns False) where they differ by more than ``atol`` and ``rtol``, a backward does
    not give the same twice (``nondet_tol``), or cannot do without the gradients of some outputs
    (``check_undefined_grad``). ``check_forward_ad`` checks forward mode, ``check_batched_grad`` gradients under
    ``vmap``; ``fast_mode`` compares one random combination of all derivatives instead of each.

    >>> x = torch.tensor([0.5, 2.], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.sin, x)
    True
    """
    for given, needed, text in (
        (True, check_forward_ad or check_backward_ad, "Expected at least one of check_forward_ad or check_backward_ad"),
        (check_batched_grad, check_backward_ad, "Setting check_batched_grad=True requires check_backward_ad"),
        (
            check_batched_forward_grad,
            check_forward_ad,
            "Setting check_batched_forward_grad=True requires check_forward_ad",
        ),
    ):
        if given and not needed:
            raise AssertionError(f"{text} to be True")
    options = _Options(eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    arguments = _tuple(inputs)
    try:
        _check_inputs(arguments)
        outputs = _differentiable(func(*arguments))
        if check_backward_ad:
            _check_reverse(func, arguments, options)
        if check_forward_ad:
            _check_forward(func, arguments, options)
        if check_batched_forward_grad:
            _check_batched_forward(func, arguments)
        if check_backward_ad and outputs:
            if check_batched_grad:
                for number, out in enumerate(outputs):
                    _check_batched(arguments, out, number)
            _check_multiplied(outputs, arguments)
            if check_undefined_grad:
                _check_undefined(func, arguments)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_inputs(arguments: tuple[Any, ...]) -> None:
    found = False
    for number, x in enumerate(arguments):
        if not _needs(x):
            continue
        geometry = _geometry(x)
        if geometry.dtype not in (float64, complex128):
            warnings.warn(
                f"Input #{number} requires gradient and is not a double precision floating point or complex. This check"
                " will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if any(stride == 0 and size > 1 for stride, size in zip(geometry.stride, geometry.size, strict=True)):
            raise RuntimeError(
                f"The {number}th input has a dimension with stride 0. gradcheck only supports inputs that are"
                " non-overlapping to be able to compute the numerical gradients correctly. You should call .contiguous"
                " on the input before passing it to gradcheck."
            )
        found = True
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )


# ---------------------------------------------------------------------------------------------------------------------
# Differences of values


def _evaluated(func: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Host]:
    return [np.array(_values(out)) for out in _tuple(func(*arguments))]


def _difference(func: Callable[..., Any], arguments: tuple[Any, ...], place: int, step: Host, eps: float) -> list[Host]:
    """How the outputs change along ``step``, per unit of it, by the difference of two values around the point."""
    x = arguments[place]
    before = np.array(_values(x))
    ends = []
    try:
        for sign in (1, -1):
            _overwrite(x, before + sign * step * eps)
            ends.append(_evaluated(func, arguments))
    finally:
        _overwrite(x, before)
    found = []
    for above, below in zip(*ends, strict=True):
        for what in ("shape", "dtype"):
            if getattr(above, what) != getattr(below, what):
                raise AssertionError(
                    f"Expected `func` to return outputs with the same {what} when inputs are perturbed by {eps}, but"
                    f" got: {what}s {getattr(above, what)} and {getattr(below, what)}."
                )
        if above.dtype.kind in "fc":
            found.append((above - below) / (2 * eps))
        else:
            found.append((above.astype(np.float64) - below.astype(np.float64)) / (2 * eps))
    return found


def _overwrite(x: Tensor, values: Host) -> None:
    """Put values into a tensor, behind autograd's back."""
    x.data.copy_(_tensor(values.astype(_geometry(x).dtype.np), x))


def _numerical(func: Callable[..., Any], arguments: tuple[Any, ...], place: int, eps: float) -> list[Host]:
    """For each output the matrix of its derivatives: a row for each element of an input."""
    x = arguments[place]
    shape, kind = _geometry(x).size, _geometry(x).dtype.np
    rows: list[list[Host]] = []
    for index in np.ndindex(*shape):
        step = np.zeros(shape, kind)
        step[index] = 1
        found = [d.reshape(-1) for d in _difference(func, arguments, place, step, eps)]
        if _complex(x):
            turned = _difference(func, arguments, place, step * 1j, eps)
            found = [a + 1j * b.reshape(-1) for a, b in zip(found, turned, strict=True)]
        rows.append(found)
    if not rows:
        return [np.zeros((0, out.size), np.float64) for out in _evaluated(func, arguments)]
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _close(a: Host, b: Host, options: _Options) -> bool:
    return bool(np.allclose(a, b, rtol=options.rtol, atol=options.atol))


def _mismatch(
    analytical: Host, numerical: Host, place: tuple[int, int], like: Tensor, part: str = "", forward: bool = False
) -> GradcheckError:
    kind = np.result_type(analytical, numerical)
    shown = [_tensor(np.asarray(x).astype(kind), like) for x in (numerical, analytical)]
    mode = "computed with forward mode " if forward else ""
    prefix = f"While considering the {part} part of complex {'inputs' if forward else 'outputs'} only, " if part else ""
    return GradcheckError(
        f"{prefix}Jacobian {mode}mismatch for output {place[0]} with respect to input {place[1]},\n"
        f"numerical:{shown[0]}\nanalytical:{shown[1]}\n"
    )


def _random(shape: tuple[int, ...], seed: int) -> Host:
    vector = np.random.default_rng(seed).standard_normal(shape)
    norm = float(np.sqrt((vector**2).sum()))
    return vector / norm if norm else vector


# ---------------------------------------------------------------------------------------------------------------------
# Reverse mode


def _part(func: Callable[..., Any], part: int) -> Callable[..., Any]:
    """The function whose complex results are replaced by their real (0) or imaginary (1) part."""

    def real(*arguments: Any) -> tuple[Any, ...]:
        outs = _tuple(func(*arguments))
        return tuple([view_as_real(o.resolve_conj()).select(-1, part) if _complex(o) else o for o in outs])

    return real


def _check_reverse(func: Callable[..., Any], arguments: tuple[Any, ...], options: _Options) -> None:
    outs = _tuple(func(*arguments))
    if not any(_complex(o) for o in outs):
        _compare_reverse(func, arguments, options)
        return
    places = [i for i, o in enumerate(outs) if _complex(o)]
    _compare_reverse(_part(func, 1), arguments, options, places, "imaginary")
    _compare_reverse(_part(func, 0), arguments, options, None, "real")


def _compare_reverse(
    func: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: _Options,
    only: Sequence[int] | None = None,
    part: str = "",
) -> None:
    outs = _tuple(func(*arguments))
    inputs = [i for i, x in enumerate(arguments) if _needs(x)]
    compare = _compare_fast if options.fast else _compare_all
    if not any(_needs(o) for o in outs):
        for place in inputs:
            if any(np.any(d != 0) for d in _numerical(func, arguments, place, options.eps)):
                raise GradcheckError("Numerical gradient for function expected to be zero")
        return
    compare(func, arguments, options, outs, inputs, only, part)


def _pulled(out: Tensor, variables: Sequence[Tensor], weights: Host) -> list[Any]:
    found: list[Any] = list(_engine.grad(out, variables, _tensor(weights, out), retain_graph=True, allow_unused=True))
    return found


def _checked_rows(out: Tensor, variables: Sequence[Tensor], weights: Sequence[Host], options: _Options) -> list[Host]:
    """The gradients of each variable, a column for each of the weights; computed twice."""
    runs: list[list[Host]] = []
    for _ in range(2):
        columns: list[list[Host]] = [[] for _ in variables]
        for weight in weights:
            for place, (gradient, x) in enumerate(zip(_pulled(out, variables, weight), variables, strict=True)):
                if gradient is None:
                    columns[place].append(np.zeros(_geometry(x).numel, _geometry(x).dtype.np))
                    continue
                if _geometry(gradient).size != _geometry(x).size:
                    raise GradcheckError("Analytical gradient has incorrect size")
                if options.check_grad_dtypes and _geometry(gradient).dtype is not _geometry(x).dtype:
                    raise GradcheckError("Gradient has dtype mismatch")
                columns[place].append(_values(gradient).reshape(-1))
        runs.append(
            [
                np.stack(c, axis=1) if c else np.zeros((_geometry(x).numel, 0), _geometry(x).dtype.np)
                for c, x in zip(columns, variables, strict=True)
            ]
        )
    for first, second in zip(*runs, strict=True):
        if first.size and np.abs(first - second).max() > options.nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives"
                " different values, although analytical gradient matches numerical gradient.The tolerance for"
                f" nondeterminism was {options.nondet_tol}.{_NOT_DETERMINISTIC}"
            )
    return runs[0]


def _compare_all(
    func: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: _Options,
    outs: tuple[Any, ...],
    inputs: Sequence[int],
    only: Sequence[int] | None,
    part: str,
) -> None:
    numerical = [_numerical(func, arguments, place, options.eps) for place in inputs]
    variables = [arguments[place] for place in inputs]
    number = -1
    for position, out in enumerate(outs):
        if not _needs(out):
            continue
        number += 1
        if only is not None and position not in only:
            continue
        shape, kind = _geometry(out).size, _geometry(out).dtype.np
        weights = []
        for index in np.ndindex(*shape):
            weight = np.zeros(shape, kind)
            weight[index] = 1
            weights.append(weight)
        analytical = _checked_rows(out, variables, weights, options)
        for j, found in enumerate(analytical):
            if not _close(found, numerical[j][position], options):
                shown = part if part and (only is None or position in only) else ""
                raise _mismatch(found, numerical[j][position], (number, j), out, shown)


def _compare_fast(
    func: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: _Options,
    outs: tuple[Any, ...],
    inputs: Sequence[int],
    only: Sequence[int] | None,
    part: str,
) -> None:
    number = -1
    for position, out in enumerate(outs):
        if not _needs(out):
            continue
        number += 1
        if only is not None and position not in only:
            continue
        weights = _random(_geometry(out).size, number).astype(_geometry(out).dtype.np)
        analytical = _checked_rows(out, [arguments[p] for p in inputs], [weights], options)
        for j, place in enumerate(inputs):
            x = arguments[place]
            step = _random(_geometry(x).size, 100 + j)
            turns = (1, 1j) if _complex(x) else (1,)
            for turn in turns:
                change = _difference(func, arguments, place, step * turn, options.eps)[position]
                numerical = (change * weights).sum()
                reduced = (analytical[j][:, 0] * step.reshape(-1)).sum()
                reduced = reduced.imag if turn == 1j else reduced.real
                if not _close(reduced, numerical, options):
                    raise _mismatch(np.asarray(reduced), np.asarray(numerical), (number, j), out, part)


# ---------------------------------------------------------------------------------------------------------------------
# Forward mode


def _pushed(func: Callable[..., Any], arguments: tuple[Any, ...], tangents: dict[int, Any]) -> list[Any]:
    """The outputs of floating types with their tangents (zeros where there are none)."""
    with forward_ad.dual_level():
        duals = []
        for i, x in enumerate(arguments):
            if i in tangents:
                x = forward_ad.make_dual(x.detach(), tangents[i])
            elif _needs(x):
                x = forward_ad.make_dual(x.detach(), zeros(x))
            duals.append(x)
        found = [forward_ad.unpack_dual(out) for out in _tuple(func(*duals)) if _inexact(out)]
    return [(p, zeros(p) if t is None else t) for p, t in found]


def _check_forward(func: Callable[..., Any], arguments: tuple[Any, ...], options: _Options) -> None:
    inputs = [i for i, x in enumerate(arguments) if _needs(x)]
    for number, place in enumerate(inputs):
        x = arguments[place]
        parts: Sequence[tuple[complex, str]] = ((1j, "imaginary"), (1, "real")) if _complex(x) else ((1, ""),)
        shape, kind = _geometry(x).size, _geometry(x).dtype.np
        for turn, part in parts:
            steps = [_random(shape, number)] if options.fast else []
            if not options.fast:
                for index in np.ndindex(*shape):
                    step = np.zeros(shape)
                    step[index] = 1
                    steps.append(step)
            rows: list[list[Host]] = []
            others: list[list[Host]] = []
            for step in steps:
                turned = (step * turn).astype(kind)
                found = _pushed(func, arguments, {place: _tensor(turned, x)})
                if options.check_grad_dtypes and any(_complex(p) != _complex(t) for p, t in found):
                    raise GradcheckError("Forward AD gradient has dtype mismatch.")
                rows.append([_values(t).reshape(-1) for _, t in found])
                outs = _tuple(func(*arguments))
                changes = _difference(func, arguments, place, turned, options.eps)
                others.append([c.reshape(-1) for c, o in zip(changes, outs, strict=True) if _inexact(o)])
            for output, (analytical, numerical) in enumerate(
                zip(zip(*rows, strict=True), zip(*others, strict=True), strict=True)
            ):
                if not _close(np.stack(analytical), np.stack(numerical), options):
                    raise _mismatch(np.stack(analytical), np.stack(numerical), (output, number), x, part, True)


# ---------------------------------------------------------------------------------------------------------------------
# Batches, and gradients that are missing


def _check_batched(arguments: tuple[Any, ...], out: Tensor, number: int) -> None:
    variables = [x for x in arguments if _needs(x)]

    def pull(weights: Sequence[Any]) -> list[Tensor]:
        found = _engine.grad(out, variables, weights[0], retain_graph=True, allow_unused=True)
        return [zeros(x) if g is None else g for g, x in zip(found, variables, strict=True)]

    weights = [randn_like(out.detach()) for _ in range(2)]
    expected = [stack(list(parts)) for parts in zip(*[pull([w]) for w in weights], strict=True)]
    try:
        result = over_batch(pull, [stack(weights)])
    except RuntimeError as error:
        raise GradcheckError(f"While computing batched gradients, got: {error}\n\n{_NOT_BATCHED}") from error
    _compare_batches(result, expected, number, _NOT_BATCHED)


def _check_batched_forward(func: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    for place, x in enumerate(arguments):
        if not _needs(x):
            continue

        def push(tangents: Sequence[Any], place: int = place) -> list[Tensor]:
            return [t for _, t in _pushed(func, arguments, {place: tangents[0]})]

        tangents = [randn_like(x.detach()) for _ in range(2)]
        expected = [stack(list(parts)) for parts in zip(*[push([t]) for t in tangents], strict=True)]
        try:
            result = over_batch(push, [stack(tangents)])
        except RuntimeError as error:
            raise GradcheckError(
                f"While computing batched gradients, got: {error}\n\n{_NOT_BATCHED_FORWARD}"
            ) from error
        _compare_batches(result, expected, place, _NOT_BATCHED_FORWARD)


def _compare_batches(result: Sequence[Any], expected: Sequence[Any], output: int, text: str) -> None:
    for number, (found, wanted) in enumerate(zip(result, expected, strict=True)):
        if not np.allclose(_values(found), _values(wanted), rtol=1e-5, atol=1e-8):
            raise GradcheckError(
                f"For output {output} and input {number}:\n\n{text}\n\nGot:\n{found}\n\nExpected:\n{wanted}"
            )


def _check_multiplied(outputs: Sequence[Tensor], arguments: tuple[Any, ...]) -> None:
    """A backward of zeros must be zero."""
    variables = [x for x in arguments if _needs(x)]
    found = _engine.grad(outputs, variables, [zeros(o) for o in outputs], allow_unused=True)
    for gradient, x in zip(found, variables, strict=True):
        if gradient is None:
            continue
        if np.any(_values(gradient) != 0):
            raise GradcheckError("backward not multiplied by grad_output")
        for what, text in (("dtype", "type"), ("device", "device"), ("shape", "size")):
            if getattr(gradient, what) != getattr(x, what):
                raise GradcheckError(f"grad is incorrect {text}")


class _Undefined(tape.Node):
    """A node that no gradient passes."""

    __slots__ = ()

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        """No gradient."""
        return [None]


_ADVICE = ' Please look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'


def _check_undefined(func: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """A backward must do without the gradients of some or all outputs."""
    variables = [x for x in arguments if _needs(x)]
    count = len(_differentiable(func(*arguments)))
    choices = [set(range(count))]
    if count > 1:
        choices.extend({i} for i in range(count))
    for missing in choices:
        roots = []
        for i, out in enumerate(_differentiable(func(*arguments))):
            root = out
            if i in missing:
                root = dispatch.alias(out)
                root._grad_fn, root._requires_grad = _Undefined((tape.gradient_edge(out),)), True
            roots.append(root)
        try:
            found = _engine.grad(roots, variables, [zeros(o) for o in roots], allow_unused=True)
        except RuntimeError as error:
            raise GradcheckError(f"Expected backward function to handle undefined output grads.{_ADVICE}") from error
        for gradient in found:
            if gradient is not None and np.any(_values(gradient) != 0):
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are undefined or zero."
                    f"{_ADVICE}"
                )


# ---------------------------------------------------------------------------------------------------------------------
# Second derivatives


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Compare the second derivatives of ``func`` with differences of the first: `gradcheck` of its backward.

    ``grad_outputs`` are the gradients that the backward starts with, random ones by default.
    ``check_fwd_over_rev`` checks forward mode through the backward, ``check_rev_over_rev`` the backward of it.

    >>> x = torch.tensor([0.5, 2.], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(torch.sin, x)
    True
    """
    for given, text in (
        (not check_fwd_over_rev, "Expected at least one of check_fwd_over_rev or check_rev_over_rev"),
        (check_undefined_grad, "Setting check_undefined_grad=True requires check_rev_over_rev"),
        (check_batched_grad, "Setting check_batched_grad=True requires check_rev_over_rev"),
    ):
        if given and not check_rev_over_rev:
            raise AssertionError(f"{text} to be True")
    arguments = _tuple(inputs)
    if grad_outputs is None:
        weights = tuple([_sample(o, gen_non_contig_grad_outputs) for o in _differentiable(func(*arguments))])
    else:
        weights = _tuple(grad_outputs)
    count = len(weights)
    inputs_needed = {i for i, x in enumerate(arguments) if _needs(x)}
    weights_needed = {i for i, x in enumerate(weights) if _needs(x)}

    def backward(*given: Any) -> tuple[Any, ...]:
        split = len(given) - count
        xs = [_leaf(x) if i in inputs_needed else x for i, x in enumerate(given[:split])]
        grads = [_leaf(x) if i in weights_needed else x for i, x in enumerate(given[split:])]
        outs = _differentiable(func(*xs))
        variables = [x for i, x in enumerate(xs) if i in inputs_needed]
        found = _engine.grad(outs, variables, grads, create_graph=True, allow_unused=True)
        return tuple([g for g in found if g is not None])

    return gradcheck(
        backward,
        (*arguments, *weights),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        masked=masked,
    )


def _leaf(x: Tensor) -> Tensor:
    """The argument of a forward-mode check was detached: it takes part in a graph again."""
    if not tape.requires_grad(x):
        x._requires_grad = True
    return x


def _sample(out: Tensor, gaps: bool) -> Tensor:
    """Random numbers between -1 and 1 in the shape of an output, as a leaf."""
    geometry = _geometry(out)
    real = geometry.dtype.to_real() if geometry.dtype.is_complex else geometry.dtype
    size = (*geometry.size, 2) if geometry.dtype.is_complex else geometry.size
    previous = modes.grad
    modes.grad = False
    try:
        made = empty(size, dtype=real, device=dispatch.device_of(out)).uniform_(-1, 1)
        if geometry.dtype.is_complex:
            values = _values(made)
            made = _tensor(values[..., 0] + 1j * values[..., 1], out)
        if gaps and geometry.size:
            made = made.repeat_interleave(2, dim=-1)[..., ::2]
    finally:
        modes.grad = previous
    made = made.detach()
    made._requires_grad = True
    return made
