"""``torch.compile``: run a function eagerly once, capture it at the second call, and run the program from then on."""

from __future__ import annotations

import functools
import inspect
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from torchlike._compile.capture import Uncapturable, capture, capturing, is_compiling
from torchlike._compile.differentiable import capture_gradient
from torchlike._compile.guards import Guards
from torchlike._compile.options import check_options, get_default_backend, runs_eagerly, stance
from torchlike._compile.running import MISS, make_runner
from torchlike._core import dtype as dtypes
from torchlike._core import tape
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.nn.modules.module import Module
from torchlike.optim.optimizer import Optimizer

__all__ = ["compile"]

# More combinations of arguments than this are not kept: the oldest programs go.
_MOST_PROGRAMS = 64


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = None,
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """Return a function (or module) that computes the same as ``model`` as one XLA program.

    The function may do anything that eager code does: forward, ``loss.backward()``, ``optimizer.step()``. The first
    call with a combination of argument shapes, types and training flags runs eagerly, the second is captured and
    compiled. What cannot be captured (values needed by Python, host randomness, changed Python state) runs eagerly,
    with a warning that names the line; with ``fullgraph=True`` it raises RuntimeError instead. XLA is the only compiler
    here: PyTorch's names of backends and modes and the options are accepted, unknown names raise RuntimeError;
    ``backend="eager"`` compiles nothing and ``disable=True`` leaves the function as it is.

    >>> @torch.compile
    ... def f(x):
    ...     return (x * 2).sum()
    >>> f(torch.ones(3)), f(torch.ones(3))
    (tensor(6.), tensor(6.))
    """
    if model is None:

        def decorate(model: Callable[..., Any]) -> Any:
            if model is None:
                raise RuntimeError("Model can't be None")
            return compile(
                model,
                fullgraph=fullgraph,
                dynamic=dynamic,
                backend=backend,
                mode=mode,
                options=options,
                disable=disable,
            )

        return decorate
    check_options(mode, options, dynamic)
    eager = runs_eagerly(get_default_backend() if backend is None else backend)
    if disable:
        return model
    if isinstance(model, Module):
        return OptimizedModule(model, Compiled(model, fullgraph, eager))
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    compiled = Compiled(model, fullgraph, eager)
    run = compiled.__call__

    @functools.wraps(model)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs)

    wrapper._torchdynamo_orig_callable = model  # type: ignore[attr-defined]
    wrapper._compiled = compiled  # type: ignore[attr-defined]
    return wrapper


def _compile_module(self: Module, *args: Any, **kwargs: Any) -> None:
    """Compile this module's call in place; takes the arguments of ``torch.compile``.

    >>> m = torch.nn.Linear(2, 1)
    >>> m.compile()
    >>> m(torch.ones(1, 2)).shape
    torch.Size([1, 1])
    """
    call = self._call_impl

    def forward(*inputs: Any, **named: Any) -> Any:
        return call(*inputs, **named)

    self._compiled_call_impl = compile(forward, *args, **kwargs)


Module.compile = _compile_module  # type: ignore[attr-defined]


def forget_programs() -> None:
    """Forget the programs of all compiled functions."""
    for compiled in list(_all):
        compiled.entries.clear()
        compiled.refused = None


def run_eagerly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that refuses to be captured."""

    @functools.wraps(function)
    def eager(*args: Any, **kwargs: Any) -> Any:
        if is_compiling():
            raise Uncapturable(f"it calls {_name(function)}, which torch.compiler.disable excludes")
        return function(*args, **kwargs)

    return eager


_OWN = frozenset({"training", "_compiled", "_orig_mod", "_torchdynamo_orig_callable"})


class OptimizedModule(Module):
    """A module whose call is compiled; everything else, also what is assigned to it, is the original module's."""

    def __init__(self, module: Module, compiled: Compiled) -> None:
        super().__init__()
        self._modules["_orig_mod"] = module
        self.__dict__["_compiled"] = compiled
        self.__dict__["_torchdynamo_orig_callable"] = module.forward
        self.__dict__["training"] = module.training

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled module."""
        return self._compiled(args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._modules["_orig_mod"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_compiled" not in self.__dict__ or name in _OWN or name in self.__dict__:
            super().__setattr__(name, value)
        else:
            setattr(self._modules["_orig_mod"], name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            super().__delattr__(name)
        else:
            delattr(self._modules["_orig_mod"], name)

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod)})

    def __reduce__(self) -> Any:
        return _compiled_again, (self._orig_mod, self._compiled.fullgraph, self._compiled.eager)


OptimizedModule.__module__ = "torch._dynamo.eval_frame"


def _compiled_again(module: Module, fullgraph: bool, eager: bool) -> OptimizedModule:
    return OptimizedModule(module, Compiled(module, fullgraph, eager))


# Every compiled function that is alive, for torch.compiler.reset.
_all: weakref.WeakSet[Compiled] = weakref.WeakSet()


class _Entry:
    """What is known of one combination of arguments."""

    __slots__ = ("calls", "runner")

    def __init__(self) -> None:
        self.calls = 0
        self.runner: Callable[[list[Any]], Any] | None = None


class Compiled:
    """A function with its programs, one a combination of argument shapes, types, values and modes."""

    def __init__(self, function: Callable[..., Any], fullgraph: bool, eager: bool = False) -> None:
        self.function = function
        self.fullgraph = fullgraph
        self.eager = eager
        self.entries: dict[Any, _Entry] = {}
        self.compilations = 0
        self.refused: str | None = None
        _all.add(self)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.eager or self.refused is not None or capturing.active:
            return self.function(*args, **kwargs)
        if not stance.usual:
            return self._call_in_stance(args, kwargs)
        leaves: list[Any] = []
        key = _key(args, kwargs, leaves)
        entry = self.entries.get(key)
        if entry is None:
            if len(self.entries) >= _MOST_PROGRAMS:
                self.entries.clear()
            entry = self.entries[key] = _Entry()
        if entry.runner is not None:
            result = entry.runner(leaves)
            if result is not MISS:
                return result
            entry.runner = None  # something that was built in changed: look again
            entry.calls = 0
        entry.calls += 1
        if entry.calls == 1:
            return self.function(*args, **kwargs)
        return self._capture(entry, args, kwargs, leaves)

    def _call_in_stance(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function where new programs are not wanted."""
        if stance.name != "force_eager":
            leaves: list[Any] = []
            entry = self.entries.get(_key(args, kwargs, leaves))
            if entry is not None and entry.runner is not None:
                result = entry.runner(leaves)
                if result is not MISS:
                    return result
            if stance.name == "fail_on_recompile":
                code = getattr(inspect.unwrap(getattr(self.function, "forward", self.function)), "__code__", None)
                raise RuntimeError(
                    "Detected recompile when torch.compile stance is 'fail_on_recompile'. filename:"
                    f" '{getattr(code, 'co_filename', '')}', function name: '{_name(self.function)}', line number:"
                    f" {getattr(code, 'co_firstlineno', 0)}"
                )
        return self.function(*args, **kwargs)

    def _capture(self, entry: _Entry, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
        guards = Guards(self.function, Optimizer, Module)

        def call(stand_ins: list[Any]) -> Any:
            remaining = iter(stand_ins)
            return self.function(*_replace(args, remaining), **_replace(kwargs, remaining))

        try:
            program = capture(leaves, call, guards)
            if program.differentiable:
                entry.runner = capture_gradient(program, leaves, call, guards)
            else:
                entry.runner = make_runner(program, guards, functools.partial(setattr, entry, "runner"))
        except Uncapturable as reason:
            return self._refuse(str(reason), reason.__cause__ or reason, args, kwargs)
        self.compilations += 1
        return entry.runner(leaves)

    def _refuse(self, reason: str, error: BaseException | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run eagerly from now on, saying why and where."""
        where = _user_line(error) or _definition(self.function)
        message = f"torch.compile runs {_name(self.function)} eagerly: {reason} ({where})"
        if self.fullgraph:
            raise RuntimeError(message) from error
        self.refused = reason
        warnings.warn(message, UserWarning, stacklevel=5)
        return self.function(*args, **kwargs)


def _key(args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
    """What of a call belongs to its program; its tensors are appended to ``leaves``."""
    if not args and not kwargs:
        return modes.grad, dtypes.get_default_dtype()
    return (
        modes.grad,
        dtypes.get_default_dtype(),
        _describe(args, leaves),
        _describe(kwargs, leaves) if kwargs else (),
    )


def _describe(value: Any, leaves: list[Any]) -> Any:
    """A hashable description of an argument; its tensors are appended to ``leaves``."""
    if isinstance(value, TensorBase):
        leaves.append(value)
        geometry = value._geometry
        array = value._storage.array
        if geometry is None:
            return (array.shape, array.dtype, value._storage.stride, value._requires_grad)
        return (geometry, tape.requires_grad(value))
    if isinstance(value, tuple | list):
        return (type(value), *[_describe(v, leaves) for v in value])
    if isinstance(value, dict):
        return (dict, *[(k, _describe(v, leaves)) for k, v in value.items()])
    if isinstance(value, bool | int | float | complex | str | type(None) | dtypes.dtype):
        return (type(value), value)
    return (type(value), id(value), _Kept(value))


class _Kept:
    """Keeps an argument alive that is known by its identity, so that the identity stays its own."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _replace(value: Any, tensors: Any) -> Any:
    if isinstance(value, TensorBase):
        return next(tensors)
    if isinstance(value, tuple | list):
        parts = [_replace(v, tensors) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {k: _replace(v, tensors) for k, v in value.items()}
    return value


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__name__)


def _definition(function: Any) -> str:
    function = getattr(function, "forward", function)
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "unknown line" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _user_line(error: BaseException | None) -> str | None:
    """The innermost line of an error's traceback that belongs neither to this package nor to jax."""
    found = None
    trace = None if error is None else error.__traceback__
    while trace is not None:
        scope = trace.tb_frame.f_globals
        module = scope.get("__package__") or scope.get("__name__", "")  # under the alias our modules' names are others
        if module.partition(".")[0] not in ("torchlike", "jax", "jaxlib") and not module.startswith("contextlib"):
            found = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
