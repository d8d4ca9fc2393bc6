"""The checks of ``torch.library.opcheck``."""

from __future__ import annotations

from typing import Any

from torchlike._library.definitions import Definition
from torchlike._tensor import Tensor
from torchlike.utils import _pytree


def check(
    definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any], names: list[str], raise_exception: bool
) -> dict[str, str]:
    """Run checks by their names; NotImplementedError for one that is not here."""
    results: dict[str, str] = {}
    for name in names:
        if name not in _CHECKS:
            raise NotImplementedError(f"torch.library.opcheck: {name}")
        try:
            _CHECKS[name](definition, args, kwargs)
            results[name] = "SUCCESS"
        except Exception as error:
            if raise_exception:
                raise
            results[name] = repr(error)
    return results


def _schema(definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    row, named = definition.schema.bind(args, kwargs)
    values = [*row, *named.values()]
    before = _pytree.tree_map(lambda x: x.clone() if isinstance(x, Tensor) else x, values)
    definition(*row, **named)
    for argument, old, new in zip(definition.schema.arguments, before, values, strict=True):
        changed = any(
            isinstance(a, Tensor) and not bool((a == b).all())
            for a, b in zip(_pytree.tree_leaves(old), _pytree.tree_leaves(new), strict=True)
        )
        if changed and not argument.mutated:
            raise RuntimeError(f"Argument {argument.name} is not defined as mutable but was mutated")


def _autograd(definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    tensors = [x for x in _pytree.tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.requires_grad]
    results = [x for x in _pytree.tree_leaves(definition(*args, **kwargs)) if isinstance(x, Tensor)]
    if tensors and not any(x.requires_grad for x in results):
        raise RuntimeError("opcheck(op, ...): an input requires grad but no output does: no autograd was registered")


def _fake(definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    real = _pytree.tree_leaves(definition(*args, **kwargs))
    meta_args, meta_kwargs = _pytree.tree_map(lambda x: x.to("meta") if isinstance(x, Tensor) else x, (args, kwargs))
    fake = _pytree.tree_leaves(definition(*meta_args, **meta_kwargs))
    for a, b in zip(real, fake, strict=True):
        if isinstance(a, Tensor) and (a.shape != b.shape or a.dtype != b.dtype):
            raise RuntimeError(f"the fake kernel gives {b.dtype} {b.shape} where the kernel gives {a.dtype} {a.shape}")


_CHECKS = {"test_schema": _schema, "test_autograd_registration": _autograd, "test_faketensor": _fake}
