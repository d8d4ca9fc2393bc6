"""Traced functions and modules: run once on examples, then the Python is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchlike._tensor import Tensor
from torchlike.jit._script import RecursiveScriptModule, ScriptFunction, ScriptModule
from torchlike.nn.modules.module import Module


class TracerWarning(Warning):
    """What PyTorch warns of when a trace may not hold for other inputs. Here every call runs the program itself."""


class TracedModule(RecursiveScriptModule):
    """A submodule of what `trace` makes of a module."""

    def __init__(self, original: Module) -> None:
        super().__init__(original, TracedModule)

    def _get_name(self) -> str:
        return self.original_name


class TopLevelTracedModule(TracedModule):
    """What `trace` makes of a module."""


def _checked(result: Any) -> Any:
    def is_tensors(value: Any) -> bool:
        if isinstance(value, (tuple, list)):
            return all(is_tensors(x) for x in value)
        if isinstance(value, dict):
            return all(is_tensors(x) for x in value.values())
        return isinstance(value, Tensor)

    if not is_tensors(result):
        raise RuntimeError(
            "Only tensors, lists, tuples of tensors, or dictionary of tensors can be output from traced functions"
        )
    return result


def trace(
    func: Any,
    example_inputs: Any = None,
    optimize: None = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-05,
    strict: bool = True,
    _force_outplace: bool = False,
    _module_class: Any = None,
    _compilation_unit: Any = None,
    example_kwarg_inputs: dict[str, Any] | None = None,
    _store_inputs: bool = True,
) -> Any:
    """Run a function or a module on example inputs and return a wrapper that runs it on others.

    PyTorch's trace replays the operations that the examples led to; this runs the program, so conditions are decided
    anew by each input. Raises RuntimeError where the result is not made of tensors.

    >>> traced = torch.jit.trace(lambda x: x * 2, torch.ones(1))
    >>> traced(torch.full((2,), 3.0))
    tensor([6., 6.])
    """
    if isinstance(func, (ScriptModule, ScriptFunction)):
        return func
    if example_kwarg_inputs is not None:
        _checked(func(**example_kwarg_inputs))
    else:
        inputs = example_inputs if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
        _checked(func(*inputs))
    return TopLevelTracedModule(func) if isinstance(func, Module) else ScriptFunction(func)


def trace_module(
    mod: Module,
    inputs: dict[str, Any],
    optimize: None = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-05,
    strict: bool = True,
    _force_outplace: bool = False,
    _module_class: Any = None,
    _compilation_unit: Any = None,
    example_inputs_is_kwarg: bool = False,
    _store_inputs: bool = True,
) -> Any:
    """Run methods of a module on example inputs, given by name, and return a wrapper; see `trace`.

    >>> torch.jit.trace_module(torch.nn.ReLU(), {"forward": torch.ones(1)})(-torch.ones(1))
    tensor([0.])
    """
    if not isinstance(mod, Module):
        raise AttributeError("expected torch.nn.Module as the first argument")
    if not isinstance(inputs, dict):
        raise AttributeError("expected a dictionary of (method_name, input) pairs")
    for name, given in inputs.items():
        method: Callable[..., Any] = mod if name == "forward" else getattr(mod, name)
        if example_inputs_is_kwarg:
            _checked(method(**given))
        else:
            _checked(method(*given) if isinstance(given, tuple) else method(given))
    return TopLevelTracedModule(mod)
