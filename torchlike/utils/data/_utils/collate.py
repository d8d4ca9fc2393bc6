"""Batches from lists of samples."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from torchlike import ops
from torchlike._construct import as_tensor, tensor
from torchlike._core import dtype as dtypes
from torchlike._core.tensor_state import TensorBase, classes

np_str_obj_array_pattern = re.compile(r"[SaUO]")
default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)

Rules = dict[Any, Callable[..., Any]]


def _like_mapping(original: Any, values: dict[Any, Any]) -> Any:
    """A mapping of the kind of another one, as far as that can be made; else a dictionary."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)
            clone.update(values)
            return clone
        return type(original)(values)
    except TypeError:
        return values


def _like_sequence(original: Any, values: list[Any]) -> Any:
    """A sequence of the kind of another one, as far as that can be made; else a list."""
    try:
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(original)(values)
    except TypeError:
        return values


def default_convert(data: Any) -> Any:
    """Return data with all NumPy arrays in it as tensors, sequences and mappings included.

    >>> import numpy as np
    >>> torch.utils.data.default_convert({"a": np.array([0, 1]), "b": "text"})
    {'a': tensor([0, 1]), 'b': 'text'}
    """
    if isinstance(data, TensorBase):
        return data
    if isinstance(data, (np.ndarray, np.generic)) and not isinstance(data, (np.str_, np.bytes_)):
        if isinstance(data, np.ndarray) and np_str_obj_array_pattern.search(data.dtype.str) is not None:
            return data
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(entry) for entry in data))
    if isinstance(data, tuple):
        return [default_convert(entry) for entry in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(entry) for entry in data])
    return data


def collate(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """Make a batch of samples by rules for the types of the elements; containers are batched element by element."""
    elem: Any = batch[0]
    kind = type(elem)
    if collate_fn_map is not None:
        rule = collate_fn_map.get(kind)
        if rule is None:
            rule = next((rule for types, rule in collate_fn_map.items() if isinstance(elem, types)), None)
        if rule is not None:
            return rule(batch, collate_fn_map=collate_fn_map)
    if isinstance(elem, Mapping):
        together = {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in elem}
        return _like_mapping(elem, together)
    if isinstance(elem, tuple) and hasattr(elem, "_fields"):
        columns = zip(*batch, strict=False)
        return kind(*(collate(column, collate_fn_map=collate_fn_map) for column in columns))
    if isinstance(elem, Sequence):
        if any(len(sample) != len(elem) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        found = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=False)]
        return found if isinstance(elem, tuple) else _like_sequence(elem, found)
    raise TypeError(default_collate_err_msg_format.format(kind))


def collate_tensor_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """Stack tensors."""
    return ops.stack(list(batch), 0)


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """Stack NumPy arrays as tensors."""
    if np_str_obj_array_pattern.search(batch[0].dtype.str) is not None:
        raise TypeError(default_collate_err_msg_format.format(batch[0].dtype))
    return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """A tensor of NumPy's numbers."""
    return as_tensor(np.asarray(batch))


def collate_float_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """A tensor of floats, in double precision."""
    return tensor(batch, dtype=dtypes.float64)


def collate_int_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """A tensor of integers."""
    return tensor(batch)


def collate_str_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """Strings stay as they are."""
    return batch


default_collate_fn_map: Rules = {
    classes.tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Any) -> Any:
    """Make a batch of a list of samples: tensors, arrays and numbers are stacked, containers element by element.

    Raises TypeError for samples of other types, RuntimeError for sequences of different lengths.

    >>> torch.utils.data.default_collate([{"a": 0, "b": 1.5}, {"a": 2, "b": 3.5}])
    {'a': tensor([0, 2]), 'b': tensor([1.5000, 3.5000], dtype=torch.float64)}
    >>> torch.utils.data.default_collate(["a", "b"])
    ['a', 'b']
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
