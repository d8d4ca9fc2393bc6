"""Batches in parts on several devices, and back in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchlike import ops
from torchlike._core.device import device as Device
from torchlike._core.tensor_state import TensorBase
from torchlike._core.warn import warn

__all__ = ["gather", "scatter", "scatter_kwargs"]


def place(device: Any) -> Any:
    """The device that a number (of a GPU), a name or a device means."""
    return Device("cuda", device) if isinstance(device, int) else Device(device)


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> Any:
    """Cut the tensors in nested tuples, lists and dicts along ``dim``, a part for each device; other values repeat.

    Returns a list of as many such structures as there are parts. Gradients flow back to the whole tensors.

    >>> first, second = torch.nn.parallel.scatter({"x": torch.arange(4)}, ["cpu", "cpu"])
    >>> second
    {'x': tensor([2, 3])}
    """
    places = [place(d) for d in target_gpus]

    def parts_of(value: Any) -> list[Any]:
        if isinstance(value, TensorBase):
            chunks: Any = value.chunk(len(places), dim)  # type: ignore[attr-defined]
            return [chunk.to(device) for chunk, device in zip(chunks, places, strict=False)]
        if _is_named_tuple(value):
            return [type(value)(*parts) for parts in zip(*map(parts_of, value), strict=False)]
        if isinstance(value, tuple) and value:
            return list(zip(*map(parts_of, value), strict=False))
        if isinstance(value, list) and value:
            return [list(parts) for parts in zip(*map(parts_of, value), strict=False)]
        if isinstance(value, dict) and value:
            split = [[(key, part) for part in parts_of(v)] for key, v in value.items()]
            return [type(value)(pairs) for pairs in zip(*split, strict=False)]
        return [value for _ in places]

    return parts_of(inputs)


def scatter_kwargs(
    inputs: tuple[Any, ...], kwargs: dict[str, Any] | None, target_gpus: Sequence[Any], dim: int = 0
) -> tuple[tuple[Any, ...], tuple[dict[str, Any], ...]]:
    """Cut the arguments of a call into those of one call a device."""
    positional = scatter(inputs, target_gpus, dim) if inputs else []
    named = scatter(kwargs, target_gpus, dim) if kwargs else []
    # Where only one kind is cut into so many parts, the other has nothing for the rest.
    positional += [()] * (len(named) - len(positional))
    named += [{}] * (len(positional) - len(named))
    return tuple(positional), tuple(named)


def gather(outputs: Any, target_device: Any, dim: int = 0) -> Any:
    """Bring the results of several devices together on one: tensors are concatenated along ``dim``.

    Raises ValueError for dicts of different sizes; warns of 0-dim tensors, which become a vector.

    >>> torch.nn.parallel.gather([torch.tensor([1.]), torch.tensor([2.])], "cpu")
    tensor([1., 2.])
    """
    first = outputs[0]
    if isinstance(first, TensorBase):
        moved: list[Any] = [output.to(place(target_device)) for output in outputs]
        if all(output.dim() == 0 for output in moved) and dim == 0:
            warn(
                "Was asked to gather along dimension 0, but all input tensors were scalars; will instead unsqueeze and"
                " return a vector."
            )
            moved = [output.view(1) for output in moved]
        return ops.cat(moved, dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if any(len(output) != len(first) for output in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)((key, gather([output[key] for output in outputs], target_device, dim)) for key in first)
    parts = [gather(list(values), target_device, dim) for values in zip(*outputs, strict=False)]
    return type(first)(*parts) if _is_named_tuple(first) else type(first)(parts)
