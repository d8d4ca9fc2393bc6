"""Calling a module: ``forward`` between its hooks, and the hooks that apply to all modules."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from torchlike._core.tensor_state import TensorBase
from torchlike.nn.modules._backward_hooks import BackwardHook, add_old_style_hooks
from torchlike.utils.hooks import RemovableHandle

Hooks = OrderedDict[int, Callable[..., Any]]


class _Everywhere:
    """The hooks that apply to every module."""

    def __init__(self) -> None:
        self.buffer_registration: Hooks = OrderedDict()
        self.module_registration: Hooks = OrderedDict()
        self.parameter_registration: Hooks = OrderedDict()
        self.forward_pre: Hooks = OrderedDict()
        self.forward: Hooks = OrderedDict()
        self.forward_with_kwargs: OrderedDict[int, bool] = OrderedDict()
        self.forward_always: OrderedDict[int, bool] = OrderedDict()
        self.backward_pre: Hooks = OrderedDict()
        self.backward: Hooks = OrderedDict()
        self.backward_is_full: bool | None = None

    @property
    def any(self) -> bool:
        """Whether any hook wants to know of calls."""
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


everywhere = _Everywhere()


def _add(hooks: Any, hook: Any, *, prepend: bool = False, extra: Any = None) -> RemovableHandle:
    handle = RemovableHandle(hooks, extra_dict=extra)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` whenever any module registers a buffer; a result is registered instead."""
    return _add(everywhere.buffer_registration, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` whenever any module registers a submodule; a result replaces it."""
    return _add(everywhere.module_registration, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` whenever any module registers a parameter; a result replaces it."""
    return _add(everywhere.parameter_registration, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module; a result replaces the arguments."""
    return _add(everywhere.forward_pre, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module; a result replaces the output.

    ``with_kwargs`` passes the keyword arguments as third argument, ``always_call`` calls the hook after an exception
    too.
    """
    handle = _add(everywhere.forward, hook, extra=[everywhere.forward_with_kwargs, everywhere.forward_always])
    if with_kwargs:
        everywhere.forward_with_kwargs[handle.id] = True
    if always_call:
        everywhere.forward_always[handle.id] = True
    return handle


def _claim_global_kind(full: bool) -> None:
    if everywhere.backward_is_full is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. Please use only"
            " one of them."
        )
    everywhere.backward_is_full = full


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Deprecated: use `register_module_full_backward_hook`."""
    _claim_global_kind(False)
    return _add(everywhere.backward, hook)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` when the gradients of a module's outputs are known; a result replaces them."""
    return _add(everywhere.backward_pre, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` when the gradients of any module's inputs are known."""
    _claim_global_kind(True)
    return _add(everywhere.backward, hook)


class Calls:
    """The part of a module that is called."""

    _forward_hooks: Hooks
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: Hooks
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_hooks: Hooks
    _backward_pre_hooks: Hooks
    _is_full_backward_hook: bool | None
    _compiled_call_impl: Callable[..., Any] | None = None

    def forward(self, *input: Any) -> Any:
        """Compute the module's result; every subclass has its own."""
        _no_forward(self)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; its result, one value or a tuple, replaces the arguments.

        With ``with_kwargs`` it is called as ``hook(module, args, kwargs)`` and returns None or both. ``prepend`` puts
        it before the hooks that are there. Returns a handle to remove it by.
        """
        handle = _add(self._forward_pre_hooks, hook, prepend=prepend, extra=self._forward_pre_hooks_with_kwargs)
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns replaces the output.

        With ``with_kwargs`` it is called as ``hook(module, args, kwargs, output)``; with ``always_call`` also when
        ``forward`` raised. ``prepend`` puts it before the hooks that are there. Returns a handle to remove it by.

        >>> linear = torch.nn.Linear(2, 3)
        >>> shapes = []
        >>> handle = linear.register_forward_hook(lambda module, args, output: shapes.append(output.shape))
        >>> _ = linear(torch.zeros(4, 2))
        >>> shapes
        [torch.Size([4, 3])]
        """
        extra = [self._forward_hooks_with_kwargs, self._forward_hooks_always_called]
        handle = _add(self._forward_hooks, hook, prepend=prepend, extra=extra)
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the module's outputs are known.

        The hook must not change its arguments; gradients that it returns replace those of the outputs.
        """
        return _add(self._backward_pre_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Deprecated: use `register_full_backward_hook`."""
        self._claim_kind(False)
        return _add(self._backward_hooks, hook)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the module's inputs are known.

        Both are tuples, with None for what is no tensor; gradients that the hook returns replace those of the inputs.
        """
        self._claim_kind(True)
        return _add(self._backward_hooks, hook, prepend=prepend)

    def _claim_kind(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one"
                " of them."
            )
        self._is_full_backward_hook = full

    def _get_backward_hooks(self) -> tuple[list[Callable[..., Any]], list[Callable[..., Any]]]:
        """The full backward hooks that apply to this module, and those of the deprecated kind."""
        by_kind: tuple[list[Any], list[Any]] = ([], [])
        for is_full, hooks in (
            (everywhere.backward_is_full, everywhere.backward),
            (self._is_full_backward_hook, self._backward_hooks),
        ):
            if is_full is not None:
                by_kind[not is_full].extend(hooks.values())
        return by_kind

    def _get_backward_pre_hooks(self) -> list[Callable[..., Any]]:
        return [*everywhere.backward_pre.values(), *self._backward_pre_hooks.values()]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._compiled_call_impl is not None:
            return self._compiled_call_impl(*args, **kwargs)
        return self._call_impl(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        if not (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or everywhere.forward
            or everywhere.forward_pre
            or everywhere.backward
            or everywhere.backward_pre
        ):
            return self.forward(*args, **kwargs)
        call = _Call(self, args, kwargs)
        try:
            return call.run()
        except Exception:
            call.run_hooks_after_failure()
            raise


def _no_forward(module: Any) -> NoReturn:
    raise NotImplementedError(f'Module [{type(module).__name__}] is missing the required "forward" function')


class _Call:
    """One call of a module that has hooks."""

    def __init__(self, module: Calls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.called: set[int] = set()

    def run(self) -> Any:
        module = self.module
        full, old_style = module._get_backward_hooks()
        before = module._get_backward_pre_hooks()
        self._run_pre_hooks()
        backward = None
        if full or before:
            backward = BackwardHook(module, full, before)
            self.args = backward.on_inputs(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for number, hook, with_kwargs in self._forward_hooks():
            self.called.add(number)
            self._run_forward_hook(hook, with_kwargs)
        if backward is not None:
            if not isinstance(self.result, TensorBase | tuple):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but"
                    f" received {type(self.result)}",
                    stacklevel=4,
                )
            self.result = backward.on_outputs(self.result)
        if old_style:
            add_old_style_hooks(module, old_style, self.args, self.result)
        return self.result

    def _run_pre_hooks(self) -> None:
        module = self.module
        for number, hook in (*everywhere.forward_pre.items(), *module._forward_pre_hooks.items()):
            if number in module._forward_pre_hooks_with_kwargs:
                given = hook(module, self.args, self.kwargs)
                if given is None:
                    continue
                if not (isinstance(given, tuple) and len(given) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {given}."
                    )
                self.args, self.kwargs = given
            else:
                given = hook(module, self.args)
                if given is not None:
                    self.args = given if isinstance(given, tuple) else (given,)

    def _forward_hooks(self) -> Iterator[tuple[int, Callable[..., Any], bool]]:
        module = self.module
        for number, hook in tuple(everywhere.forward.items()):
            yield number, hook, number in everywhere.forward_with_kwargs
        for number, hook in tuple(module._forward_hooks.items()):
            yield number, hook, number in module._forward_hooks_with_kwargs

    def _run_forward_hook(self, hook: Callable[..., Any], with_kwargs: bool) -> None:
        if with_kwargs:
            given = hook(self.module, self.args, self.kwargs, self.result)
        else:
            given = hook(self.module, self.args, self.result)
        if given is not None:
            self.result = given

    def run_hooks_after_failure(self) -> None:
        """Run the hooks that asked for it although the call raised; what they raise is a warning."""
        for number, hook, with_kwargs in self._forward_hooks():
            for_all = number in everywhere.forward_always
            if number in self.called or not (for_all or number in self.module._forward_hooks_always_called):
                continue
            try:
                self._run_forward_hook(hook, with_kwargs)
            except Exception as error:  # noqa: BLE001 - the user's hook may raise anything; the first exception goes on
                kind = "global module" if for_all else "module"
                warnings.warn(
                    f"{kind} forward hook with ``always_call=True`` raised an exception that was silenced as another"
                    f" error was raised in forward: {error}",
                    stacklevel=4,
                )
