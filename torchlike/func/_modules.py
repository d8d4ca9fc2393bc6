"""Modules as functions of their parameters: ``functional_call``, ``stack_module_state``; and ``functionalize``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torchlike._core import dispatch, tape
from torchlike.nn.modules.batchnorm import _BatchNorm
from torchlike.nn.modules.module import Module
from torchlike.ops.join import stack

__all__ = ["functional_call", "functionalize", "replace_all_batch_norm_modules_", "stack_module_state"]

Tensor = Any


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in the place of its parameters and buffers, by their names.

    Names that are left out keep the module's own tensors. One dictionary may be given or several with different names.
    ``args`` is a tuple of arguments, or a single one. With ``tie_weights`` a tensor given for one name of a tied
    parameter stands for all; ``strict`` demands every name. Raises ValueError for names given twice, and RuntimeError
    with ``strict`` for missing and unexpected ones.

    >>> m = torch.nn.Linear(2, 1, bias=False)
    >>> torch.func.functional_call(m, {"weight": torch.tensor([[1., 2.]])}, torch.tensor([3., 4.]))
    tensor([11.])
    """
    given = _merged(parameter_and_buffer_dicts)
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with replaced_state(module, given, tie_weights=tie_weights, strict=strict):
        return module(*args, **(kwargs or {}))


def _merged(dicts: Any) -> dict[str, Tensor]:
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, Sequence):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(dicts)}"
        )
    if not all(isinstance(d, dict) for d in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    merged: dict[str, Tensor] = {}
    repeated: dict[str, None] = {}
    for d in dicts:
        for name, value in d.items():
            if name in merged:
                repeated[name] = None
            merged[name] = value
    if repeated:
        raise ValueError(
            f"{list(repeated)} appeared in multiple dictionaries; behavior of functional call is ambiguous"
        )
    return merged


def _names(module: Module) -> dict[str, Tensor]:
    """Every name of every parameter and buffer, also of those that appear more than once."""
    found = dict(module.named_parameters(remove_duplicate=False))
    found.update(module.named_buffers(remove_duplicate=False))
    return found


def _untied(module: Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors given, with those of tied parameters under all their names."""
    groups: dict[int, list[str]] = {}
    for name, tensor in _names(module).items():
        groups.setdefault(id(tensor), []).append(name)
    full = dict(given)
    for names in groups.values():
        present = [n for n in names if n in given]
        if len(names) < 2 or not present:
            continue
        if len({id(given[n]) for n in present}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(names)}, which are tied. Consider using"
                " tie_weights=False"
            )
        for name in names:
            full[name] = given[present[0]]
    return full


@contextmanager
def replaced_state(
    module: Module, given: dict[str, Tensor], *, tie_weights: bool = True, strict: bool = False
) -> Iterator[None]:
    """A block in which a module has other parameters and buffers; buffers that it assigns go into ``given``."""
    full = _untied(module, given) if tie_weights else given
    if strict:
        _check_names(module, full)
    before: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, tensor in full.items():
            place, short = _place(module, name)
            before.append((place, short, place[short]))
            place[short] = tensor
        yield
    finally:
        after = {}
        for name, (place, short, _) in zip(full, before, strict=False):
            after[name] = place.get(short)
        for place, short, tensor in reversed(before):
            place[short] = tensor
        for name, tensor in after.items():
            if name in given:
                given[name] = tensor


def _check_names(module: Module, given: dict[str, Tensor]) -> None:
    known = _names(module)
    unexpected = [n for n in given if n not in known]
    missing = [n for n in known if n not in given]
    messages = []
    if unexpected:
        messages.append(f"Unexpected key(s): {', '.join(map(repr, unexpected))}.")
    if missing:
        messages.append(f"Missing key(s): {', '.join(map(repr, missing))}.")
    if messages:
        text = "\n\t".join(messages)
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t{text}")


def _place(module: Module, name: str) -> tuple[dict[str, Any], str]:
    """The dictionary that a parameter or buffer is in, and its name there."""
    path, _, short = name.rpartition(".")
    owner = module.get_submodule(path) if path else module
    for place in (owner._parameters, owner._buffers):
        if short in place:
            return place, short
    raise AttributeError(f"{owner._get_name()} has no attribute `{short}`")


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the parameters and the buffers of several modules of one class, stacked: an ensemble for ``vmap``.

    Raises RuntimeError for modules of different classes, or in different modes.

    >>> params, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 3) for _ in range(4)])
    >>> params["weight"].shape
    torch.Size([4, 3, 2])
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return (
        {name: _stacked([p[name] for p in parameters], name) for name in parameters[0]},
        {name: _stacked([b[name] for b in buffers], name) for name in buffers[0]},
    )


def _stacked(tensors: list[Tensor], name: str) -> Tensor:
    needed = {tape.requires_grad(t) for t in tensors}
    if len(needed) > 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    result = stack(tensors)
    return dispatch.alias(result).requires_grad_() if needed == {True} else result


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Let the batch normalisation layers of a module do without running statistics, in place; returns the module.

    Under ``vmap`` they could not be updated.

    >>> m = torch.func.replace_all_batch_norm_modules_(torch.nn.Sequential(torch.nn.BatchNorm1d(3)))
    >>> m[0].running_mean is None
    True
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return root


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """Return a function that computes the same as ``func``, which may write to its tensors in place.

    PyTorch has this so that tracers see no mutation. Here arrays are immutable and in-place operations replace them, so
    there is nothing to remove: what jax traces is functional as it is. Raises RuntimeError for an unknown ``remove``.

    >>> def f(x):
    ...     y = x.clone()
    ...     y.add_(1)
    ...     return y
    >>> torch.func.functionalize(f)(torch.zeros(2))
    tensor([1., 1.])
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid options are:\n"
            "     remove='mutations': all inplace and out= operators will be removed from the program, and replaced"
            " with their out-of-place equivalents.\n"
            "     remove='mutations_and_views': In addition to the above, all aliasing operators {view} will be"
            " replaced with their non-aliasing counterparts, {view}_copy.\n"
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapped
