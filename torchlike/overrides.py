"""``torch.overrides``: classes and modes that take over torch functions (``__torch_function__``)."""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from torchlike import _asking, _instances
from torchlike._core import override
from torchlike._core.op import registry
from torchlike._core.tensor_state import TensorBase, modes
from torchlike._tensor import Tensor

__all__ = [
    "BaseTorchFunctionMode",
    "TorchFunctionMode",
    "get_default_nowrap_functions",
    "get_ignored_functions",
    "get_overridable_functions",
    "get_testing_overrides",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]

F = TypeVar("F", bound=Callable[..., Any])

_asking.fill()


class TorchFunctionMode:
    """A context manager that is asked for the result of every torch function called while it is active.

    A subclass defines ``__torch_function__(self, func, types, args=(), kwargs=None)``. While that runs, the mode
    itself is not active, so that ``func(*args, **kwargs)`` computes (or asks the mode outside of this one).

    >>> class Doubling(torch.overrides.TorchFunctionMode):
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         return 2 * func(*args, **(kwargs or {}))
    >>> with Doubling():
    ...     y = torch.ones(2)
    >>> y
    tensor([2., 2.])
    """

    inner: TorchFunctionMode

    def __init__(self) -> None:
        pass

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return the result of ``func``; a subclass says how."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        _asking.switch.enter()
        modes.function_modes = (*modes.function_modes, self)
        return self

    def __exit__(self, *exception: object) -> None:
        modes.function_modes = modes.function_modes[:-1]
        _asking.switch.leave()

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance; the older way to write ``with Mode(...)``."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing: it calls the function.

    >>> with torch.overrides.BaseTorchFunctionMode():
    ...     torch.ones(2) + 1
    tensor([2., 2.])
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function."""
        return func(*args, **(kwargs or {}))


def has_torch_function(relevant_args: Iterable[Any], /) -> bool:
    """Return whether an element overrides torch functions, or a mode is active.

    >>> torch.overrides.has_torch_function([torch.ones(1), 2])
    False
    """
    if modes.function_modes and modes.function_disabled != override.EVERYTHING:
        return True
    return bool(override.overloaded(tuple(relevant_args)))


def has_torch_function_unary(arg: Any, /) -> bool:
    """Return whether one argument overrides torch functions, or a mode is active.

    >>> torch.overrides.has_torch_function_unary(torch.ones(1))
    False
    """
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """Return whether one of the arguments overrides torch functions, or a mode is active.

    >>> torch.overrides.has_torch_function_variadic(torch.ones(1), 1)
    False
    """
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Ask the active modes and the classes of ``relevant_args`` for the result of a function.

    Raises TypeError when all of them return NotImplemented.

    >>> class Logged:
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None):
    ...         return "asked"
    >>> torch.overrides.handle_torch_function(torch.add, (Logged(),), Logged(), 1)
    'asked'
    """
    return override.ask(public_api, args, kwargs, override.overloaded(tuple(relevant_args)))


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[[F], F]:
    """Let a function of your own be overridden: ``dispatcher`` returns the arguments that are to be asked.

    >>> @torch.overrides.wrap_torch_function(lambda a: (a,))
    ... def plus_one(a):
    ...     return a + 1
    >>> plus_one(torch.ones(2))
    tensor([2., 2.])
    """

    def inner(func: F) -> F:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped  # type: ignore[return-value]

    return inner


def is_tensor_like(inp: Any) -> bool:
    """Return whether something is a tensor or overrides torch functions.

    >>> torch.overrides.is_tensor_like(torch.ones(1)), torch.overrides.is_tensor_like(1)
    (True, False)
    """
    return isinstance(inp, TensorBase) or hasattr(inp, "__torch_function__")


def get_default_nowrap_functions() -> set[Callable[..., Any]]:
    """Return the functions whose results ``Tensor.__torch_function__`` leaves as they are.

    >>> torch.Tensor.grad.__get__ in torch.overrides.get_default_nowrap_functions()
    True
    """
    return _instances.nowrap_functions()


@functools.cache
def _tensor_members() -> dict[Any, str]:
    """Every method of Tensor, and the ``__get__`` of every attribute, with its full name."""
    found: dict[Any, str] = {}
    for owner in (TensorBase, Tensor):
        for name, value in owner.__dict__.items():
            if isinstance(value, property | types.MemberDescriptorType):
                found[value.__get__] = f"torch.Tensor.{name}.__get__"
            elif callable(value):
                found[value] = f"torch.Tensor.{name}"
    return found


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Return whether a function given to ``__torch_function__`` is a method of Tensor or the getter of an attribute.

    >>> torch.overrides.is_tensor_method_or_property(torch.Tensor.add)
    True
    >>> torch.overrides.is_tensor_method_or_property(torch.add)
    False
    """
    return func in _tensor_members() or getattr(func, "__name__", "") == "__get__"


_SPACES = ("", "functional", "nn.functional", "nn.init", "linalg", "fft", "special")


@functools.cache
def _functions() -> dict[Any, dict[str, Any]]:
    """The public functions by the namespace they are in."""
    found: dict[Any, dict[str, Any]] = {}
    for space in _SPACES:
        try:
            module = importlib.import_module("torchlike" + (f".{space}" if space else ""))
        except ModuleNotFoundError:
            continue
        names = {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, types.FunctionType) and not name.startswith("__")
        }
        found[module] = names
    return found


def resolve_name(f: Callable[..., Any]) -> str | None:
    """Return the full public name of a torch function or of a member of Tensor, None for what is neither.

    >>> torch.overrides.resolve_name(torch.Tensor.add), torch.overrides.resolve_name(torch.add)
    ('torch.Tensor.add', 'torch.add')
    """
    try:
        member = _tensor_members().get(f)
    except TypeError:
        return None
    if member is not None:
        return member
    for module, names in _functions().items():
        for name, value in names.items():
            if value is f:
                return f"torch{module.__name__.removeprefix('torchlike')}.{name}"
    return None


_REGISTERED = ("", "nn.functional", "linalg", "fft", "special")


@functools.cache
def _overridable() -> dict[Any, list[Callable[..., Any]]]:
    found: dict[Any, list[Callable[..., Any]]] = {}
    asked = {entry.function for (space, _), entry in registry.items() if space in _REGISTERED}
    for module, names in _functions().items():
        functions = [f for name, f in names.items() if f in asked and not name.startswith("_")]
        if functions:
            found[module] = [f for f in functions if f not in get_ignored_functions()]
    found[Tensor] = [f for f in _tensor_members() if _is_asked(f)]
    return found


def _is_asked(member: Any) -> bool:
    name = _tensor_members()[member].removeprefix("torch.Tensor.").partition(".")[0]
    return _asking._is_asked(name)


def get_overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """Return the functions that ask ``__torch_function__``, by the module or class in which they are.

    >>> torch.add in torch.overrides.get_overridable_functions()[torch]
    True
    """
    return {space: list(functions) for space, functions in _overridable().items()}


def get_testing_overrides() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return for each overridable function a dummy of the same signature that returns -1.

    >>> torch.overrides.get_testing_overrides()[torch.add](1, 2)
    -1
    """
    found: dict[Callable[..., Any], Callable[..., Any]] = {}
    for functions in _overridable().values():
        for function in functions:
            found[function] = _dummy(function)
    return found


def _dummy(function: Callable[..., Any]) -> Callable[..., Any]:
    def dummy(*args: Any, **kwargs: Any) -> int:
        if signature is not None:
            signature.bind(*args, **kwargs)
        return -1

    try:
        signature: inspect.Signature | None = inspect.signature(function)
    except (TypeError, ValueError):
        signature = None
    if signature is not None:
        dummy.__signature__ = signature  # type: ignore[attr-defined]
    return dummy


_IGNORED = [
    "typename",
    "is_tensor",
    "is_storage",
    "set_default_tensor_type",
    "set_default_device",
    "get_default_device",
    "set_rng_state",
    "get_rng_state",
    "manual_seed",
    "initial_seed",
    "seed",
    "save",
    "load",
    "set_printoptions",
    "compile",
    "no_grad",
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "set_grad_enabled",
    "is_inference_mode_enabled",
    "get_default_dtype",
    "set_default_dtype",
    "from_numpy",
    "frombuffer",
    "tensor",
    "as_tensor",
    "asarray",
    "arange",
    "empty",
    "zeros",
    "ones",
    "full",
    "eye",
    "linspace",
    "logspace",
    "rand",
    "randn",
    "randint",
    "randperm",
    "rand_like",
    "randn_like",
    "randint_like",
    "scalar_tensor",
    "empty_strided",
    "empty_permuted",
    "range",
    "tril_indices",
    "triu_indices",
    "bartlett_window",
    "blackman_window",
    "hamming_window",
    "hann_window",
    "kaiser_window",
    "can_cast",
    "promote_types",
    "result_type",
    "broadcast_shapes",
    "vmap",
    "cond",
]
_IGNORED_METHODS = [
    "__delitem__",
    "__dir__",
    "__init__",
    "__new__",
    "__hash__",
    "__iter__",
    "__init_subclass__",
    "__torch_function__",
    "as_subclass",
    "_make_subclass",
    "stride",
    "unflatten",
    "new",
    "new_empty",
    "new_empty_strided",
    "new_full",
    "new_ones",
    "new_tensor",
    "new_zeros",
]


@functools.cache
def get_ignored_functions() -> set[Callable[..., Any]]:
    """Return the public functions that cannot be overridden: they take no tensors, or make them from nothing.

    >>> torch.zeros in torch.overrides.get_ignored_functions()
    True
    """
    module = importlib.import_module("torchlike")
    found = {getattr(module, name) for name in _IGNORED if hasattr(module, name)}
    found.update(getattr(Tensor, name) for name in _IGNORED_METHODS if hasattr(Tensor, name))
    found.add(handle_torch_function)
    return found
