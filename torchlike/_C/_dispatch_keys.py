"""The names of PyTorch's dispatcher, for programs that switch autocast off by them.

There is no dispatcher here: the keys are names and sets of names, and only those of autocast do anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from enum import IntEnum
from typing import Any

from torchlike.amp.autocast_mode import autocast

# Which numbers PyTorch's keys have: those without a backend, then a block of backends for each kind of tensor.
_PLAIN = {
    "Undefined": 0,
    "Dense": 1,
    "Quantized": 5,
    "Sparse": 8,
    "SparseCsr": 9,
    "NestedTensor": 10,
    "BackendSelect": 11,
    "Python": 13,
    "FuncTorchDynamicLayerBackMode": 14,
    "Functionalize": 15,
    "Conjugate": 16,
    "Negative": 17,
    "ZeroTensor": 18,
    "ADInplaceOrView": 19,
    "AutogradOther": 20,
    "AutogradFunctionality": 21,
    "AutogradNestedTensor": 22,
    "AutocastCPU": 24,
    "AutocastXPU": 27,
    "AutocastIPU": 28,
    "AutocastHPU": 29,
    "AutocastMPS": 31,
    "AutocastCUDA": 32,
    "AutocastPrivateUse1": 33,
    "FuncTorchBatched": 34,
    "FuncTorchVmapMode": 36,
    "FuncTorchGradWrapper": 39,
    "PythonTLSSnapshot": 41,
    "FuncTorchDynamicLayerFrontMode": 42,
    "PreDispatch": 45,
    "PythonDispatcher": 46,
}
_BACKENDS = (
    *("CPU", "CUDA", "HIP", "XLA", "MPS", "IPU", "XPU", "HPU", "VE", "Lazy", "MTIA", "MAIA"),
    *("PrivateUse1", "PrivateUse2", "PrivateUse3", "Meta"),
)
_BLOCKS = {"": 49, "Quantized": 66, "Sparse": 83, "SparseCsr": 100, "NestedTensor": 117, "Autograd": 134}
_LAST = (
    *("Autograd", "CompositeImplicitAutograd", "FuncTorchBatchedDecomposition"),
    *("CompositeImplicitAutogradNestedTensor", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"),
)


class _Key(IntEnum):
    def __repr__(self) -> str:
        return f"<DispatchKey.{self.name}: {self.value}>"

    def __str__(self) -> str:
        return f"DispatchKey.{self.name}"


_NUMBERS = {
    **_PLAIN,
    **{block + name: first + i for block, first in _BLOCKS.items() for i, name in enumerate(_BACKENDS)},
    **{name: 150 + i for i, name in enumerate(_LAST)},
}
_enumeration: Any = _Key  # calling an enumeration class makes another one, which checkers do not see of a subclass
DispatchKey: Any = _enumeration("DispatchKey", _NUMBERS)


class DispatchKeySet:
    """A set of keys; ``|`` joins two, ``-`` takes one from the other.

    >>> key = torch._C.DispatchKey
    >>> torch._C.DispatchKeySet(key.AutocastCPU) | torch._C.DispatchKeySet(key.CPU)
    DispatchKeySet(CPU, AutocastCPU)
    """

    def __init__(self, keys: _Key | Iterable[_Key] = ()) -> None:
        self._keys = frozenset((keys,)) if isinstance(keys, _Key) else frozenset(keys)

    def has(self, key: _Key) -> bool:
        """Return whether a key is in the set."""
        return key in self._keys

    def add(self, key: _Key) -> DispatchKeySet:
        """Return the set with a key more."""
        return DispatchKeySet(self._keys | {key})

    def remove(self, key: _Key) -> DispatchKeySet:
        """Return the set without a key."""
        return DispatchKeySet(self._keys - {key})

    def __or__(self, other: DispatchKeySet) -> DispatchKeySet:
        return DispatchKeySet(self._keys | other._keys)

    def __and__(self, other: DispatchKeySet) -> DispatchKeySet:
        return DispatchKeySet(self._keys & other._keys)

    def __sub__(self, other: DispatchKeySet) -> DispatchKeySet:
        return DispatchKeySet(self._keys - other._keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DispatchKeySet) and self._keys == other._keys

    def __hash__(self) -> int:
        return hash(self._keys)

    def __repr__(self) -> str:
        # The backends stand first, as in PyTorch, whose sets keep them in the lowest bits.
        backend = _BLOCKS[""]
        ordered = sorted(self._keys, key=lambda k: (not backend <= k < backend + len(_BACKENDS), k))
        return f"DispatchKeySet({', '.join(key.name for key in ordered)})"


_CASTING = {"AutocastCPU": "cpu", "AutocastCUDA": "cuda"}
_ABSENT = {"AutocastXPU", "AutocastIPU", "AutocastHPU", "AutocastMPS", "AutocastPrivateUse1"}  # no such device here


class _ExcludeDispatchKeyGuard:
    """A context in which the keys of a set do nothing: autocast is off for the devices that it names.

    Raises NotImplementedError for keys that are not autocast's.
    """

    def __init__(self, keys: DispatchKeySet) -> None:
        others = [key.name for key in keys._keys if key.name not in _CASTING and key.name not in _ABSENT]
        if others:
            raise NotImplementedError(f"torch._C._ExcludeDispatchKeyGuard: {', '.join(sorted(others))}")
        self._devices = [_CASTING[key.name] for key in keys._keys if key.name in _CASTING]
        self._stack = ExitStack()

    def __enter__(self) -> None:
        for device in self._devices:
            self._stack.enter_context(autocast(device, enabled=False))

    def __exit__(self, *error: object) -> None:
        self._stack.close()
