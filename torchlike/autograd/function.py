"""Operations with a gradient of the user's own: ``torch.autograd.Function``."""

from __future__ import annotations

import copyreg
import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from torchlike._core import dispatch, errors, history, tape
from torchlike._core.backward import as_tensor, compute
from torchlike._core.kernels import Kernel, cast, differentiable
from torchlike._core.saved import SavedTensor
from torchlike._core.tape import Node
from torchlike._core.tensor_state import TensorBase, modes

__all__ = [
    "BackwardCFunction",
    "Function",
    "FunctionCtx",
    "FunctionMeta",
    "InplaceFunction",
    "once_differentiable",
]


class FunctionCtx:
    """What a custom function's ``forward`` (or ``setup_context``) tells its ``backward``."""

    to_save: tuple[Any, ...] | None = None
    saved_for_forward: tuple[Any, ...] | None = None
    dirty_tensors: tuple[Any, ...] | None = None
    non_differentiable: tuple[Any, ...] | None = None
    materialize_grads: bool = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for the backward, which finds them in ``saved_tensors``; to be called once.

        They are checked there not to have been written to since. Inputs and outputs are to be saved this way; anything
        else may be an attribute of the context.

        >>> class Exp(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         result = x.exp()
        ...         ctx.save_for_backward(result)
        ...         return result
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (result,) = ctx.saved_tensors
        ...         return grad * result
        >>> x = torch.zeros(1, requires_grad=True)
        >>> Exp.apply(x).backward()
        >>> x.grad
        tensor([1.])
        """
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for ``jvp``, which finds them in ``saved_tensors``."""
        for tensor in tensors:
            if not (isinstance(tensor, TensorBase) or tensor is None):
                raise AssertionError(
                    "save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes on"
                    " ctx."
                )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Any) -> None:
        """Say which inputs ``forward`` wrote to in place; each of them must be returned."""
        self.dirty_tensors = args

    def mark_shared_storage(self, *pairs: Any) -> None:
        """Do nothing but warn: which tensors share memory is known by itself."""
        warnings.warn(
            "function 'mark_shared_storage' is deprecated. Tensors with shared storages are automatically tracked."
            " Note that"
            " calls to `set_()` are not tracked",
            FutureWarning,
            stacklevel=2,
        )

    def mark_non_differentiable(self, *args: Any) -> None:
        """Say which outputs have no gradient; the backward gets zeros for them."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether the backward gets zeros (the default) or None for outputs that no gradient reached."""
        self.materialize_grads = value


class BackwardCFunction(Node, FunctionCtx):
    """The graph node of one call of a custom function, and the ``ctx`` that its methods are given."""

    _forward_cls: type[Function]
    needs_input_grad: tuple[bool, ...] = ()
    always = True

    def __init__(self) -> None:
        super().__init__(())
        self._saved: tuple[SavedTensor | None, ...] | None = ()
        self._inputs: tuple[Any, ...] = ()  # for each argument its geometry and device if it is a tensor, else None
        self._results: tuple[Any, ...] = ()  # the same for each result

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What ``save_for_backward`` kept. Raises RuntimeError if it was freed or written to since."""
        if self._saved is None:
            raise tape.freed_graph()
        return tuple([None if s is None else s.unpack(self) for s in self._saved])

    saved_variables = saved_tensors

    def maybe_clear_saved_tensors(self) -> None:
        """Free what was saved, unless the graph is to be kept."""
        self.release()

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        """Call the user's backward; returns the gradients of the tensor arguments."""
        function = self._forward_cls
        backward, vjp = function.backward, function.vjp
        if backward is not Function.backward and vjp is not Function.vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only"
                " implement one"
                " of them."
            )
        user = vjp if vjp is not Function.vjp else backward
        given = [self._materialized(as_tensor(g), i) for i, g in enumerate(grads)]
        results = user(self, *given)
        if not isinstance(results, tuple):
            results = (results,)
        return self._checked(results, create_graph)

    def _materialized(self, grad: Any, number: int) -> Any:
        about = self._results[number]
        if grad is not None or about is None or not self.materialize_grads:
            return grad
        geometry, device = about
        return dispatch.wrap_host(np.zeros(geometry.size, geometry.dtype.np), device)

    def _checked(self, results: tuple[Any, ...], create_graph: bool) -> list[Any]:
        """Check what the user's backward returned, and bring it to the shapes and types of the arguments."""
        expected = len(self._inputs)
        if len(results) > expected and all(r is None for r in results[expected:]):
            results = results[:expected]
        errors.check(
            len(results) == expected,
            f"function {self.name()} returned an incorrect number of gradients (expected {expected}, got"
            f" {len(results)})",
        )
        found: list[Any] = []
        for position, (about, result) in enumerate(zip(self._inputs, results, strict=True)):
            if about is None:
                errors.check(
                    result is None,
                    f"function {self.name()} returned a gradient different than None at position {position + 1}, but"
                    " the"
                    " corresponding forward input was not a Variable",
                )
                continue
            errors.check(
                result is None or isinstance(result, TensorBase),
                f"expected Variable or None (got {type(result).__name__})",
            )
            if result is not None and self.edges[len(found)] is not None:
                geometry, device = about
                result = self._fitting(result, geometry, device, len(found))
            found.append(result if result is None or create_graph else dispatch.array_of(result))
        return found

    def _fitting(self, grad: Any, geometry: Any, device: Any, index: int) -> Any:
        """Sum a gradient over dimensions that broadcasting added, and convert it to the type of the argument."""
        where = f"Function {self.name()} returned an invalid gradient at index {index} - "
        shape = dispatch.shape_of(grad)
        if shape != geometry.size:
            errors.check(
                _expands(geometry.size, shape),
                f"{where}got {list(shape)} but expected shape compatible with {list(geometry.size)}",
            )
            grad = compute(_summing(geometry.size), [grad], True)
        kind = dispatch.geometry_of(grad).dtype
        errors.check(
            kind.is_floating_point or kind.is_complex == geometry.dtype.is_complex,
            "Expected isFloatingType(grad.scalar_type()) || (input_is_complex == grad_is_complex) to be true, but got"
            " false."
            "  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
        )
        if kind is not geometry.dtype:
            grad = compute(_casting(geometry.dtype.np), [grad], True)
        there = dispatch.device_of(grad)
        errors.check(there is device, f"{where}expected device {device} but got {there}")
        return grad

    def release(self) -> None:
        """Drop what was saved."""
        if self._saved:
            self._saved = None

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{type(self).__name__} object at {hex(id(self))}>"


def _expands(size: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a tensor of ``size`` can be expanded to ``shape``."""
    if len(size) > len(shape):
        return False
    return all(s in (1, n) for s, n in zip(size, shape[len(shape) - len(size) :], strict=True))


@functools.cache
def _summing(size: tuple[int, ...]) -> Kernel:
    def summed(grad: Any) -> Any:
        lead = grad.ndim - len(size)
        dims = (*range(lead), *(lead + d for d, s in enumerate(size) if s == 1 and grad.shape[lead + d] != 1))
        return grad.sum(dims, dtype=grad.dtype).reshape(size)

    return Kernel(summed, "sum", "SumBackward1")


@functools.cache
def _casting(kind: Any) -> Kernel:
    return Kernel(lambda grad: cast(grad, kind), "to", "ToCopyBackward0")


class FunctionMeta(type):
    """Gives every custom function the class of its nodes."""

    def __init__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> None:
        cls._backward_cls = type(
            name + "Backward", (BackwardCFunction,), {"_forward_cls": cls, "__module__": "torch.autograd.function"}
        )
        super().__init__(name, bases, attributes)


class Function(metaclass=FunctionMeta):
    """An operation whose forward and backward the user writes.

    A subclass has the static methods ``forward(ctx, *args)`` and ``backward(ctx, *grads)``; the first may be cut into
    ``forward(*args)`` and ``setup_context(ctx, inputs, output)``. ``forward`` runs without recording; ``backward``
    gets the
    gradient of each output and returns one for each argument, None for those that are not tensors. It is called by
    ``apply``, never by an instance.

    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         return grad * 2
    >>> x = torch.tensor([1., 2.], requires_grad=True)
    >>> Double.apply(x)
    tensor([2., 4.], grad_fn=<DoubleBackward>)
    """

    __module__ = "torch.autograd.function"
    _backward_cls: type[BackwardCFunction]
    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should"
            " invoke them"
            " on the class itself. Instantiating an autograd function will raise an error in a future version of"
            " PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise RuntimeError: functions are called by ``apply``."""
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd"
            " function"
            " with static forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result: ``forward(ctx, *args)``, or ``forward(*args)`` where there is a ``setup_context``."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Tell ``ctx`` what the backward needs, given what ``forward`` got and returned."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradient of each argument, given the gradient of each output."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with"
            " backward"
            " mode AD."
        )

    # The other name of backward.
    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return the derivative of each output, given that of each argument (forward mode)."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """Return the results for a batch of arguments, and their batch dimensions (for ``torch.vmap``)."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set"
            " generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute the result and record it."""
        split = cls.setup_context is not Function.setup_context
        if split:
            args, kwargs = _bound(cls.forward, args, kwargs), {}
        if modes.levels:
            return in_transform(cls, args, kwargs, split)
        return recorded(cls, args, kwargs, split, cls.forward)[0]


def recorded(
    cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any], split: bool, forward: Callable[..., Any]
) -> tuple[Any, BackwardCFunction]:
    """Compute the result of a custom function and record it; returns its context, too."""
    needs = tuple([isinstance(a, TensorBase) and tape.requires_grad(a) for a in args])
    record = modes.grad and any(needs)
    ctx = cls._backward_cls()
    ctx.needs_input_grad = needs
    if record:
        ctx.edges = tuple([tape.gradient_edge(a) for a in args if isinstance(a, TensorBase)])
    ctx._inputs = tuple([_about(a) for a in args])
    previous = modes.grad
    modes.grad = False
    try:
        if split:
            output = forward(*args)
            cls.setup_context(ctx, args, output)
        else:
            output = forward(ctx, *args, **kwargs)
    finally:
        modes.grad = previous
    return _wrapped(ctx, args, output, record), ctx


def _no_transforms(cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any], split: bool) -> Any:
    raise RuntimeError("torchlike.autograd._function_levels is not imported")


# Set by _function_levels.py: computes a custom function inside function transforms.
in_transform: Callable[..., Any] = _no_transforms


def _bound(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments in the order in which they were declared, defaults filled in."""
    bound = inspect.signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args


def _about(x: Any) -> Any:
    return (dispatch.geometry_of(x), dispatch.device_of(x)) if isinstance(x, TensorBase) else None


def _wrapped(ctx: BackwardCFunction, args: tuple[Any, ...], output: Any, record: bool) -> Any:
    """Give the results of a forward the context as their history."""
    results = list(output) if isinstance(output, tuple) else [output]
    inputs = {id(a) for a in args if isinstance(a, TensorBase)}
    dirty = _dirty(ctx, inputs, results)
    fixed = {id(t) for t in ctx.non_differentiable or () if isinstance(t, TensorBase)}
    ctx._results = tuple([_about(r) for r in results])
    ctx.outputs = len(results)
    differentiated = 0
    for number, result in enumerate(results):
        if not isinstance(result, TensorBase):
            continue
        mark = id(result)
        active = record and mark not in fixed and differentiable(dispatch.geometry_of(result).dtype.np)
        differentiated += active
        written = mark in dirty
        if active:
            if written:
                _rewrite(ctx, result, number, len(results))
            else:
                if mark in inputs:
                    result = results[number] = _itself(result)
                _attach(ctx, result, number)
        elif tape.requires_grad(result):
            # Aliases outside any graph, instead of changing whether an input requires grad.
            if mark in inputs:
                result = results[number] = dispatch.alias(result)
            elif result._base is None:
                result.detach_()  # type: ignore[attr-defined]
        elif mark in inputs and not written:
            result = results[number] = _itself(result)
        if result._base is not None and not (mark in inputs and written):
            tape.extra_of(result).creation = "custom_function"
    if differentiated > 1:
        for result in results:
            if isinstance(result, TensorBase) and result._base is not None:
                tape.extra_of(result).creation = "multi_output"
    if record:
        ctx._saved = tuple([_saved(ctx, i, t) for i, t in enumerate(ctx.to_save or ())])
    for name in ("to_save", "dirty_tensors", "non_differentiable"):
        vars(ctx).pop(name, None)
    return tuple(results) if isinstance(output, tuple) else results[0]


def _dirty(ctx: BackwardCFunction, inputs: set[int], results: list[Any]) -> set[int]:
    """The tensors that were written to, their versions counted up."""
    returned = {id(r) for r in results}
    dirty = set()
    for number, tensor in enumerate(ctx.dirty_tensors or ()):
        if not isinstance(tensor, TensorBase):
            raise TypeError(
                f"mark_dirty can only accept variables, but argument {number} is of type {type(tensor).__name__}"
            )
        if id(tensor) not in inputs:
            warnings.warn(
                "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated"
                " should be"
                " passed to ctx.mark_dirty().",
                UserWarning,
                stacklevel=4,
            )
        dispatch.touch(tensor)
        dirty.add(id(tensor))
    errors.check(
        dirty <= returned,
        "Some elements marked as dirty during the forward method were not returned as output. The inputs that are"
        " modified"
        " inplace must all be outputs of the Function.",
    )
    return dirty


def _rewrite(ctx: BackwardCFunction, tensor: Any, number: int, count: int) -> None:
    """A tensor that was written to: the context becomes its history, and part of that of its base."""
    if tensor._grad_fn is None and tape.requires_grad(tensor):
        raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
    if tensor._base is not None:
        errors.check(
            count == 1,
            "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return"
            " more than"
            " one Tensor. This is not supported by the current autograd engine. You should either make sure the input"
            " is not a"
            " view (using .clone() for example) or make your Function only return one Tensor (potentially splitting"
            " it into two"
            " Functions: one doing the inplace that returns a single Tensor and a second one that does the other"
            " operations)."
            " You can ask on the forum https://discuss.pytorch.org/ if you need help to do this change.",
        )
    dispatch.check_history(tensor, (tensor,))
    tensor._grad = None
    history.rebase(tensor, ctx, number)


def _itself(tensor: Any) -> Any:
    """A view of a whole tensor, to have a history of its own."""
    previous = modes.grad
    modes.grad = False
    try:
        return dispatch.as_view(tensor, dispatch.geometry_of(tensor))
    finally:
        modes.grad = previous


def _attach(ctx: BackwardCFunction, tensor: Any, number: int) -> None:
    tensor._grad_fn, tensor._output_nr, tensor._requires_grad = ctx, number, True
    tensor._view_version = tape.version_of(tensor)


def _saved(ctx: BackwardCFunction, number: int, tensor: Any) -> SavedTensor | None:
    if tensor is None:
        return None
    if not isinstance(tensor, TensorBase):
        raise TypeError(
            f"save_for_backward can only save variables, but argument {number} is of type {type(tensor).__name__}"
        )
    return SavedTensor(tensor, ctx)


class InplaceFunction(Function):
    """An old base class for functions that may work in place; use `Function`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class _DelayedError(Node):
    """A node that refuses to be walked through."""

    def __init__(self, message: str, edges: tuple[Any, ...]) -> None:
        super().__init__(edges)
        self.message = message
        self.outputs = len(edges)

    def name(self) -> str:
        return "Error"

    def apply(self, grads: list[Any], create_graph: bool) -> Sequence[Any]:
        """Raise RuntimeError."""
        raise RuntimeError(self.message)


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a custom function's backward as one that must not be differentiated again: that raises RuntimeError.

    >>> class Square(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     @torch.autograd.function.once_differentiable
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * grad
    """

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        previous = modes.grad
        modes.grad = False
        try:
            outputs = fn(ctx, *args, **kwargs)
        finally:
            modes.grad = previous
        if not modes.grad or not any(isinstance(a, TensorBase) and tape.requires_grad(a) for a in args):
            return outputs
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        message = "trying to differentiate twice a function that was marked with @once_differentiable"
        node = tape.named(_DelayedError, "Error")(message, (None,) * len(results))
        marked = tuple([_refusing(r, node, i) for i, r in enumerate(results)])
        return marked if isinstance(outputs, tuple) else marked[0]

    return wrapper


def _refusing(result: Any, node: Node, number: int) -> Any:
    if result is None:
        return None
    other = dispatch.alias(result)
    other._grad_fn, other._output_nr, other._requires_grad = node, number, True
    return other


def _function_class() -> type:
    return Function


def _reduce_class(cls: type) -> Any:
    """Pickle Function by what it is here, not by the module that it names; others by their names."""
    return (_function_class, ()) if cls is Function else cls.__qualname__


copyreg.pickle(FunctionMeta, _reduce_class)
