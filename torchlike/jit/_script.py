"""Scripted functions and modules: wrappers that run the Python they were made of.

PyTorch compiles a function to TorchScript, which computes what the function computes; here that is left out. So what is
scripted and called works, and what has no Python behind it (saved programs, graphs) raises NotImplementedError.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, NoReturn

from torchlike.nn.modules.module import Module

_FILES = "TorchScript's files are programs for its own interpreter; save the module's state_dict"


_SCRIPT_FIRST = "Please use torch.jit.script or torch.jit.trace to script your 'nn.Module'."


class ScriptWarning(Warning):
    """What PyTorch warns of when it compiles a program."""


class ScriptFunction:
    """A function made by `script` or `trace`; it calls the Python function.

    >>> @torch.jit.script
    ... def double(x):
    ...     return x * 2
    >>> double(torch.ones(1))
    tensor([2.])
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        functools.update_wrapper(self, fn)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self._fn.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._fn(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    @property
    def graph(self) -> NoReturn:
        """The TorchScript graph: NotImplementedError."""
        raise NotImplementedError("ScriptFunction.graph: there is no TorchScript; torch.fx has graphs of programs")

    @property
    def code(self) -> NoReturn:
        """The TorchScript code: NotImplementedError."""
        raise NotImplementedError("ScriptFunction.code: there is no TorchScript; torch.fx has code of programs")

    def save(self, filename: Any, _extra_files: dict[str, Any] | None = None) -> NoReturn:
        """Write the function to a file: NotImplementedError."""
        raise NotImplementedError(f"ScriptFunction.save: {_FILES}")


def script_method(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a method of a `ScriptModule`; returns it as it is."""
    return fn


class ScriptModule(Module):
    """The base of modules whose methods are marked with ``script_method``; they run as Python."""

    @property
    def original_name(self) -> str:
        """The name of the class that was scripted."""
        return type(self).__name__

    @property
    def graph(self) -> NoReturn:
        """The TorchScript graph: NotImplementedError."""
        raise NotImplementedError("ScriptModule.graph: there is no TorchScript; torch.fx has graphs of programs")

    @property
    def code(self) -> NoReturn:
        """The TorchScript code: NotImplementedError."""
        raise NotImplementedError("ScriptModule.code: there is no TorchScript; torch.fx has code of programs")

    def save(self, f: Any, _extra_files: dict[str, Any] | None = None) -> NoReturn:
        """Write the module with its program to a file: NotImplementedError."""
        raise NotImplementedError(f"ScriptModule.save: {_FILES}")


class RecursiveScriptModule(ScriptModule):
    """What `script` makes of a module: the same parameters and buffers, scripted submodules, the methods as Python."""

    def __init__(self, original: Module, children: Callable[[Module], Module] | None = None) -> None:
        super().__init__()
        # The registries are copied, so that this module's mode and structure are its own; the tensors are the same.
        for name, value in original.__dict__.items():
            self.__dict__[name] = dict(value) if type(value) is dict else value
        wrap = RecursiveScriptModule if children is None else children
        self._modules = {name: None if child is None else wrap(child) for name, child in original._modules.items()}
        self.__dict__["_original_class"] = type(original)

    @property
    def original_name(self) -> str:
        """The name of the class that was scripted."""
        return str(self._original_class.__name__)

    def _get_name(self) -> str:
        return "RecursiveScriptModule"

    def extra_repr(self) -> str:
        """Say which class was scripted."""
        return f"original_name={self.original_name}"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the forward of the class that was scripted."""
        return self._original_class.forward(self, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        kind = self.__dict__.get("_original_class")
        found = None if kind is None else inspect.getattr_static(kind, name, None)
        if found is not None and not name.startswith("__"):
            return found.__get__(self, kind) if hasattr(found, "__get__") else found
        return super().__getattr__(name)

    def __len__(self) -> int:
        return int(self._original_class.__len__(self))

    def __iter__(self) -> Any:
        return self._original_class.__iter__(self)

    def __getitem__(self, index: Any) -> Any:
        return self._original_class.__getitem__(self, index)

    def __contains__(self, key: object) -> bool:
        return bool(self._original_class.__contains__(self, key))

    def __bool__(self) -> bool:
        return True


class CompilationUnit:
    """Functions compiled from text: NotImplementedError for any text."""

    def __init__(self, lang: str | None = None, _frames_up: int = 0) -> None:
        if lang is not None:
            raise NotImplementedError("torch.jit.CompilationUnit: there is no TorchScript")


def script(
    obj: Any,
    optimize: None = None,
    _frames_up: int = 0,
    _rcb: Callable[[str], Any] | None = None,
    example_inputs: Any = None,
) -> Any:
    """Wrap a function or a module for programs that want TorchScript; a decorator too. What runs is the Python.

    A scripted module has the parameters of the original, and a mode and structure of its own. Classes are returned as
    they are. Raises TypeError for what cannot be scripted.

    >>> scripted = torch.jit.script(torch.nn.ReLU())
    >>> scripted
    RecursiveScriptModule(original_name=ReLU)
    >>> scripted(torch.tensor([-1.0, 1.0]))
    tensor([0., 1.])
    """
    if isinstance(obj, (ScriptModule, ScriptFunction)):
        return obj
    if isinstance(obj, Module):
        return RecursiveScriptModule(obj)
    if inspect.isclass(obj):
        if issubclass(obj, Module):
            raise RuntimeError(
                f"Type '{obj}' cannot be compiled since it inherits from nn.Module, consider passing an instance"
                " instead"
            )
        return obj
    if isinstance(obj, (dict, list)):
        return obj
    if callable(obj) and hasattr(obj, "__name__"):
        return ScriptFunction(obj)
    raise TypeError(f"{type(obj)} is a built-in class")


def script_if_tracing(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Script a function when it is traced; it never is, so this is the function.

    >>> torch.jit.script_if_tracing(len)([1])
    1
    """

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


def freeze(mod: Any, preserved_attrs: list[str] | None = None, optimize_numerics: bool = True) -> Any:
    """Return a scripted module that is in evaluation mode as it is.

    Raises RuntimeError for a module that was not scripted or is in training mode.
    """
    if not isinstance(mod, ScriptModule):
        raise RuntimeError(f"Freezing expects a ScriptModule as input. {_SCRIPT_FIRST}")
    if mod.training:
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() on your module before"
            " freezing."
        )
    return mod


def optimize_for_inference(mod: ScriptModule, other_methods: list[str] | None = None) -> ScriptModule:
    """Return a scripted module as it is: XLA optimises what runs."""
    if not isinstance(mod, ScriptModule):
        raise RuntimeError(f"optimize_for_inference expects a ScriptModule as input. {_SCRIPT_FIRST}")
    return mod


def save(m: Any, f: Any, _extra_files: dict[str, Any] | None = None) -> NoReturn:
    """Write a scripted module to a file: NotImplementedError."""
    raise NotImplementedError(f"torch.jit.save: {_FILES}")


def load(f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: bool = False) -> NoReturn:
    """Read a scripted module from a file: NotImplementedError."""
    raise NotImplementedError("torch.jit.load: TorchScript's files are programs for its own interpreter")


def _overload(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a signature of a function; returns it as it is."""
    return fn


def _overload_method(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a signature of a method; returns it as it is."""
    return fn


_script_if_tracing = script_if_tracing
